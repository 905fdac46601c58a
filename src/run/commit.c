/* commit: a layer out of what a container has changed, and the config of its image with what the container was started
 * with.
 *
 * The upper directory stays the container's: it is copied into staging, and the copy becomes the layer (STORE, from
 * upper directory to layer 4). Runs in: the caller; a worker that is root in the store's user namespace (names in
 * _worker). */
#include "whelk/commit.h"

#include "rootfs-parts.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/log.h"
#include "whelk/run.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <search.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

enum {
    DATA_SIZE = 128 * 1024,
    XATTRS_MAX = 64 * 1024,
    READ_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* ---- copying the upper directory ---- */

/* A file with several names, by the first one below the copy's root. */
struct twin {
    dev_t dev;
    ino_t ino;
    char *path;
};

struct copying {
    int root;
    void *twins; /* tree of struct twin */
    char *data, *names;
};

static int failed(const char *what, const char *path)
{
    int e = errno;
    auto_free char *shown = str_printable(path);
    errno = e;
    return err_sys("cannot %s /%s", what, shown);
}

static int twin_compare(const void *a, const void *b)
{
    const struct twin *x = a, *y = b;
    return x->ino != y->ino ? (x->ino < y->ino ? -1 : 1) : (x->dev > y->dev) - (x->dev < y->dev);
}

static const char *twin_before(struct copying *x, const struct stat *st, const char *path)
{
    struct twin key = {st->st_dev, st->st_ino, NULL};
    struct twin **found = tfind(&key, &x->twins, twin_compare);
    if (found)
        return (*found)->path;
    struct twin *new = xmalloc(sizeof *new);
    *new = (struct twin){st->st_dev, st->st_ino, xstrdup(path)};
    if (!tsearch(new, &x->twins, twin_compare))
        abort();
    return NULL;
}

/* Overlay's own marks say nothing about the copy, but for "opaque" and its escape of a container's own attributes. */
static bool xattr_wanted(const char *name)
{
    if (str_after(name, "user.overlay."))
        return str_eq(name, "user.overlay.opaque") || str_after(name, "user.overlay.overlay.");
    return str_after(name, "user.") || str_eq(name, "security.capability");
}

static int copy_attributes(struct copying *x, int from, int to, const char *path)
{
    ssize_t n = flistxattr(from, x->names, XATTRS_MAX);
    for (char *p = x->names; n > 0 && p < x->names + n; p += strlen(p) + 1) {
        ssize_t len = xattr_wanted(p) ? fgetxattr(from, p, x->data, XATTRS_MAX) : -1;
        if (len >= 0 && fsetxattr(to, p, x->data, (size_t)len, 0) < 0)
            return failed("copy the attributes of", path);
    }
    return 0;
}

/* The owner first: a change takes setuid bits and capabilities away. Times last. */
static int copy_metadata(struct copying *x, int from, int to, const struct stat *st, const char *path)
{
    if (((st->st_uid || st->st_gid) && fchown(to, st->st_uid, st->st_gid) < 0) || fchmod(to, st->st_mode & 07777) < 0)
        return failed("copy owner and mode of", path);
    int r = copy_attributes(x, from, to, path);
    if (r == 0 && futimens(to, (struct timespec[]){{.tv_nsec = UTIME_OMIT}, st->st_mtim}) < 0)
        r = failed("copy the time of", path);
    return r;
}

/* Small files by one read and write: fewer calls than to ask for a clone. */
static int copy_data(struct copying *x, int in, int out, off_t size)
{
    if (size == 0 || (size > DATA_SIZE && ioctl(out, FICLONE, in) == 0))
        return 0;
    if (size > DATA_SIZE)
        return fd_copy(in, out);
    ssize_t n = fd_read_full(in, x->data, (size_t)size);
    return n < 0 ? (int)n : fd_write_all(out, x->data, (size_t)n);
}

static int copy_file(struct copying *x, int from, int to, const char *name, const char *path)
{
    auto_close int in = openat(from, name, READ_FLAGS);
    struct stat st;
    if (in < 0 || fstat(in, &st) < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : failed("read", path);
    if (!S_ISREG(st.st_mode))
        return 0; /* replaced this instant */
    auto_close int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return failed("copy", path);
    int r = copy_data(x, in, out, st.st_size);
    errno = -r;
    return r < 0 ? failed("copy", path) : copy_metadata(x, in, out, &st, path);
}

static int copy_below(struct copying *x, int from, int to, const char *path);

static int copy_dir(struct copying *x, int from, int to, const char *name, const char *path)
{
    auto_close int in = openat(from, name, READ_FLAGS | O_DIRECTORY);
    struct stat st;
    if (in < 0 || fstat(in, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : failed("read", path);
    if (mkdirat(to, name, 0700) < 0)
        return failed("copy", path);
    auto_close int out = openat(to, name, READ_FLAGS | O_DIRECTORY);
    int r = out < 0 ? failed("open", path) : copy_below(x, in, out, path);
    return r < 0 ? r : copy_metadata(x, in, out, &st, path);
}

static int copy_link(int from, int to, const char *name, const char *path)
{
    char text[PATH_MAX + 1];
    ssize_t n = readlinkat(from, name, text, sizeof text - 1);
    if (n < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : failed("read", path);
    text[n] = '\0';
    return symlinkat(text, to, name) < 0 ? failed("copy", path) : 1;
}

/* Pipes, whiteouts, and the device nodes that root may make. */
static int copy_node(int to, const char *name, const struct stat *st, const char *path)
{
    if (S_ISSOCK(st->st_mode))
        return 0;
    return mknodat(to, name, st->st_mode & (S_IFMT | 07777), st->st_rdev) < 0 ? failed("copy", path) : 1;
}

/* 1 where owner and times are still to be set by name. */
static int copy_kind(struct copying *x, int from, int to, const char *name, const struct stat *st, const char *path)
{
    const char *first = st->st_nlink > 1 && !S_ISDIR(st->st_mode) ? twin_before(x, st, path) : NULL;
    if (first && linkat(x->root, first, to, name, 0) == 0)
        return 0;
    switch (st->st_mode & S_IFMT) {
    case S_IFDIR:
        return copy_dir(x, from, to, name, path);
    case S_IFREG:
        return copy_file(x, from, to, name, path);
    case S_IFLNK:
        return copy_link(from, to, name, path);
    default:
        return copy_node(to, name, st, path);
    }
}

static int copy_name(struct copying *x, int from, int to, const char *name, const char *path)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : failed("look at", path);
    int r = copy_kind(x, from, to, name, &st, path);
    bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == 0;
    if (r <= 0 || whiteout)
        return MIN(r, 0);
    if (fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(to, name, (struct timespec[]){{.tv_nsec = UTIME_OMIT}, st.st_mtim}, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("copy owner and time of", path);
    return 0;
}

static int copy_below(struct copying *x, int from, int to, const char *path)
{
    auto_dir DIR *dir = dir_iterate(from);
    int r = dir ? 0 : -EIO;
    for (struct dirent *e; r == 0 && (errno = 0, e = readdir(dir));) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        auto_free char *below = xasprintf("%s%s%s", path, *path ? "/" : "", e->d_name);
        r = copy_name(x, from, to, e->d_name, below);
    }
    return r;
}

/* ---- the layer ---- */

struct commit_job {
    struct stage *st;
    const struct ctr *c;
    int out; /* the key goes there */
};

static const char staged[] = "commit";

static int copy_worker(const struct commit_job *j)
{
    auto_free char *path = xasprintf("containers/%s/upper", j->c->id);
    auto_close int upper = dir_open(j->st->store->fd, path), dir = -1;
    struct stat st;
    if (upper < 0 || fstat(upper, &st) < 0)
        return upper < 0 ? upper : err_sys("cannot look at %s", path);
    int r = dir_make(j->st->fd, staged, 0700);
    if (r == 0)
        r = dir = dir_open(j->st->fd, staged);
    if (r >= 0)
        r = dir_make(dir, "diff", 0700);
    if (r < 0)
        return r;
    auto_close int diff = dir_open(dir, "diff");
    struct copying x = {.root = diff, .data = xmalloc(DATA_SIZE), .names = xmalloc(XATTRS_MAX)};
    r = diff < 0 ? diff : copy_below(&x, upper, diff, "");
    return r < 0 ? r : copy_metadata(&x, upper, diff, &st, ""); /* the process ends soon, and with it what x holds */
}

static int commit_worker(void *arg)
{
    const struct commit_job *j = arg;
    auto_close int store = -1, lower = -1;
    auto_free char *key = NULL;
    umask(0);
    int r = copy_worker(j);
    if (r == 0)
        r = rootfs_unshare_worker(j->st->store, &store);
    if (r == 0)
        r = rootfs_merge_worker(j->st->store, store, j->c, NULL, &lower);
    if (r < 0)
        return r;
    auto_close int root = openat(lower, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_strv char **stubs = rootfs_stubs(j->c, root);
    r = layer_pack(j->st, staged, &(struct pack_options){.stubs = stubs, .epoch = -1, .lower_fd = root}, &key);
    if (r == 0 && key)
        r = fd_write_all(j->out, key, strlen(key));
    return r;
}

/* Frozen, if that can be done and it is not yet: true if it is to be thawed. */
static bool freeze(const struct store *s, const struct ctr *c)
{
    if (run_is_paused(s, c->id))
        return false;
    int r = run_pause(s, c->id, true);
    if (r < 0)
        log_debug("container %s is not paused meanwhile: %s", c->name, err_text(r));
    err_clear();
    return r == 0;
}

static int make_layer(struct commit_job *j, char **ret_key)
{
    char key[129] = "";
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    j->out = ends[1];
    int r = store_run(j->st->store, commit_worker, j);
    close(ends[1]);
    ssize_t n = r == 0 ? fd_read_full(ends[0], key, sizeof key - 1) : 0;
    close(ends[0]);
    if (r == 0)
        *ret_key = n > 0 ? xstrdup(key) : NULL;
    return r;
}

/* Signals wait meanwhile: a container must not stay frozen because somebody lost patience. */
static int make_layer_frozen(struct commit_job *j, char **ret_key)
{
    const struct store *s = j->st->store;
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    bool frozen = freeze(s, j->c);
    int r = make_layer(j, ret_key);
    auto_free char *text = r < 0 ? xstrdup(err_text(r)) : NULL;
    int thawed = frozen ? run_pause(s, j->c->id, false) : 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (r < 0)
        return err_set(r, "%s", text);
    return thawed == -ESRCH || thawed == -EINVAL ? 0 : thawed; /* killed, or thawed by somebody else */
}

int commit_layer(struct stage *st, const struct ctr *c, bool pause, char **ret_key)
{
    const struct store *s = st->store;
    struct commit_job j = {.st = st, .c = c};
    struct ctr_state state;
    auto_close int dir = -1;
    int r = ctr_open_dir(s, c->id, &dir);
    if (r == 0 && flock(dir, LOCK_SH) < 0) /* it neither starts nor goes meanwhile */
        r = err_sys("cannot lock container %s", c->name);
    if (r == 0)
        r = ctr_state(s, c->id, &state);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "container %s was removed", c->name) : r;
    return pause && state.status == CTR_RUNNING ? make_layer_frozen(&j, ret_key) : make_layer(&j, ret_key);
}

/* ---- the config ---- */

/* The image of a container may be gone; its layers are not. */
static int base_config(const struct store *s, const struct ctr *c, struct image_config *ret)
{
    int r = c->image ? image_load_config(s, c->image, ret) : -ENOENT;
    if (r != -ENOENT)
        return r;
    struct image_config config;
    image_config_new(&config);
    r = 0;
    strv_foreach (key, c->layers) {
        struct layer l = {0};
        r = r < 0 ? r : layer_load(s, key, &l);
        if (r == 0)
            image_config_add_diff_id(&config, l.diffid);
        layer_done(&l);
    }
    if (r < 0) {
        image_config_done(&config);
        return err_wrap(r, "a layer of container %s", c->name);
    }
    *ret = config;
    return 0;
}

/* What every container gets anew is not the image's. */
static void put_env(struct image_config *config, const struct ctr *c)
{
    static const char *const own[] = {"HOSTNAME", "container", "TERM", NULL};
    auto_strv char **env = image_config_strv(config, "Env");
    strv_foreach (pair, c->env) {
        auto_free char *name = xstrndup(pair, strcspn(pair, "="));
        if (pair[strlen(name)] && (!strv_has((char *const *)(uintptr_t)own, name) || strv_env_get(env, name)))
            strv_env_set(&env, name, pair + strlen(name) + 1);
    }
    if (env)
        image_config_put_strv(config, "Env", env);
}

static void put_args(struct image_config *config, const struct ctr *c)
{
    auto_strv char **entrypoint = NULL;
    size_t n = 0;
    for (; n < (size_t)c->n_entrypoint && c->args && c->args[n]; n++)
        strv_add(&entrypoint, c->args[n]);
    image_config_put_strv(config, "Entrypoint", entrypoint);
    image_config_put_strv(config, "Cmd", c->args && c->args[n] ? c->args + n : NULL);
}

static void put_differing(struct image_config *config, const char *key, const char *value, const char *usual)
{
    const char *there = image_config_str(config, key);
    if (value && !str_eq(value, str_empty(there) ? usual : there))
        image_config_put_str(config, key, *value ? value : NULL);
}

int commit_config(const struct store *s, const struct ctr *c, struct image_config *ret)
{
    int r = base_config(s, c, ret);
    if (r < 0)
        return r;
    put_env(ret, c);
    put_args(ret, c);
    put_differing(ret, "WorkingDir", c->cwd, "/");
    put_differing(ret, "User", c->user, "");
    put_differing(ret, "StopSignal", c->stop_signal, "SIGTERM");
    strv_foreach (label, c->labels) {
        auto_free char *name = xstrndup(label, strcspn(label, "="));
        image_config_put_map(ret, "Labels", name, label[strlen(name)] ? label + strlen(name) + 1 : "");
    }
    strv_foreach (port, c->exposed_ports)
        image_config_put_set_key(ret, "ExposedPorts", port);
    return 0;
}
