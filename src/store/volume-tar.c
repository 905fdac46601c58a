/* Volumes as tar archives, out and in.
 *
 *     volume --> EXPORT --> out                     in --> FEED --> [INFLATE] --> FILL --> volume
 *
 * EXPORT and FILL are root in the store's user namespace, since files have the ids of containers. FEED only moves
 * bytes. INFLATE and FILL read what may be hostile: INFLATE has two pipes and nothing else, FILL has the volume as its
 * root directory and may do little but file calls (confine.h). A volume may be in use by a container meanwhile:
 * whatever links that makes, FILL stays below its root, and EXPORT (tree-tar.c) opens each name in a directory that it
 * holds.
 *
 * Entries that are in the archive replace what has their names, but directories stay; devices are not made. */
#include "whelk/volume.h"

#include "layer-private.h"

#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/gzip.h"
#include "whelk/mnt.h"
#include "whelk/proc.h"
#include "whelk/tar.h"
#include "whelk/tree-tar.h"

#include <fcntl.h>
#include <sys/xattr.h>

enum { DATA_SIZE = 256 * 1024, DIR_TIMES_MAX = 1000 * 1000 };

static bool xattr_wanted(const char *name)
{
    return str_after(name, "user.") || str_eq(name, "security.capability");
}

/* ---- export ---- */

struct export
{
    const struct store *store;
    const char *name;
    int out;
};

static int export_worker(void *arg)
{
    const struct export *x = arg;
    auto_free char *path = volume_data(x->name);
    auto_close int fd = dir_open(x->store->fd, path);
    return fd < 0 ? fd : tree_tar_write(&(struct tree_tar_write){.out = x->out, .dir = fd, .name = ".", .as = "."});
}

int volume_export(const struct store *s, const char *name, int out)
{
    struct export x = {.store = s, .name = name, .out = out};
    return store_run(s, export_worker, &x);
}

/* ---- import: the file system side ---- */

struct dir_time {
    char *path;
    int64_t mtime;
};

struct fill {
    const struct idmap *map;
    int in, root;
    struct tar_reader *tar;
    const struct tar_entry *e;
    char *path, *data; /* path: normal form */
    struct buf times;  /* of struct dir_time */
};

static int bad_entry(const struct fill *f, int r, const char *what)
{
    auto_free char *path = str_printable(f->e->path);
    return err_set(r, "archive entry %s: %s", path, what);
}

static int entry_errno(const struct fill *f)
{
    int r = -errno;
    return bad_entry(f, r, strerror(-r));
}

static struct timespec *entry_times(const struct fill *f, struct timespec times[2])
{
    times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    times[1] = layer_timespec(f->e->mtime);
    return times;
}

static int check_owner(const struct fill *f)
{
    const struct idmap *m = f->map;
    if (idmap_single(m) || idmap_none(m) || (idmap_has_uid(m, f->e->uid) && idmap_has_gid(m, f->e->gid)))
        return 0;
    auto_free char *what =
        xasprintf("belongs to %u:%u, which is outside of the ids that this user may use", f->e->uid, f->e->gid);
    return bad_entry(f, -EPERM, what);
}

/* A user of one id owns everything. */
static bool has_owner(const struct fill *f)
{
    return !idmap_single(f->map);
}

/* Owner first: it takes setuid bits and capabilities away. Times last. */
static int set_metadata(const struct fill *f, int fd)
{
    struct timespec times[2];
    if (has_owner(f) && fchown(fd, f->e->uid, f->e->gid) < 0)
        return entry_errno(f);
    if (fchmod(fd, f->e->mode) < 0)
        return entry_errno(f);
    for (size_t i = 0; i < f->e->n_xattrs; i++) {
        const struct tar_xattr *x = &f->e->xattrs[i];
        if (xattr_wanted(x->name) && fsetxattr(fd, x->name, x->value, x->len, 0) < 0 && errno != ENOTSUP &&
            errno != EPERM)
            return entry_errno(f);
    }
    return futimens(fd, entry_times(f, times)) < 0 ? entry_errno(f) : 0;
}

static int set_link_metadata(const struct fill *f, int dir, const char *name)
{
    struct timespec times[2];
    if (has_owner(f) && fchownat(dir, name, f->e->uid, f->e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return entry_errno(f);
    return utimensat(dir, name, entry_times(f, times), AT_SYMLINK_NOFOLLOW) < 0 ? entry_errno(f) : 0;
}

/* What has the name gives way; a directory that is not empty does not. */
static int clear_name(const struct fill *f, int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR && unlinkat(dir, name, AT_REMOVEDIR) == 0)
        return 0;
    return entry_errno(f);
}

static int fill_file(struct fill *f, int dir, const char *name)
{
    int r = clear_name(f, dir, name);
    if (r < 0)
        return r;
    auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return entry_errno(f);
    ssize_t n;
    while ((n = tar_data(f->tar, f->data, DATA_SIZE)) > 0) {
        r = fd_write_all(fd, f->data, (size_t)n);
        if (r < 0)
            return bad_entry(f, r, strerror(-r));
    }
    return n < 0 ? (int)n : set_metadata(f, fd);
}

static int fill_symlink(struct fill *f, int dir, const char *name)
{
    int r = clear_name(f, dir, name);
    if (r < 0)
        return r;
    return symlinkat(f->e->link, dir, name) < 0 ? entry_errno(f) : set_link_metadata(f, dir, name);
}

static int fill_fifo(struct fill *f, int dir, const char *name)
{
    int r = clear_name(f, dir, name);
    if (r < 0)
        return r;
    if (mkfifoat(dir, name, 0600) < 0 || fchmodat(dir, name, f->e->mode, 0) < 0)
        return entry_errno(f);
    return set_link_metadata(f, dir, name);
}

static int fill_hardlink(struct fill *f, int dir, const char *name)
{
    auto_free char *target = xmalloc(strlen(f->e->link) + 1);
    if (!layer_path_normal(f->e->link, target) || !*target)
        return bad_entry(f, -EBADMSG, "is a link to what cannot be named so");
    if (str_eq(target, f->path))
        return 0;
    char *slash = strrchr(target, '/');
    const char *base = slash ? slash + 1 : target;
    if (slash)
        *slash = 0;
    auto_close int from = open_in_root(f->root, slash ? target : ".", O_PATH | O_DIRECTORY, 0);
    int r = from < 0 ? bad_entry(f, from, strerror(-from)) : clear_name(f, dir, name);
    return r < 0 ? r : linkat(from, base, dir, name, 0) < 0 ? entry_errno(f) : 0;
}

static void note_time(struct fill *f)
{
    if (f->times.len >= DIR_TIMES_MAX * sizeof(struct dir_time))
        return;
    struct dir_time t = {xstrdup(f->path), f->e->mtime};
    buf_add(&f->times, &t, sizeof t);
}

static int fill_dir(struct fill *f, int dir, const char *name)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    auto_close int fd = openat(dir, name, FLAGS);
    if (fd < 0 && errno != ENOENT) {
        int r = clear_name(f, dir, name);
        if (r < 0)
            return r;
    }
    if (fd < 0) {
        if (mkdirat(dir, name, 0700) < 0)
            return entry_errno(f);
        fd = openat(dir, name, FLAGS);
    }
    note_time(f);
    return fd < 0 ? entry_errno(f) : set_metadata(f, fd);
}

static int fill_nothing(struct fill *f, int dir, const char *name)
{
    return 0;
}

static int (*const makers[])(struct fill *f, int dir, const char *name) = {
    [TAR_FILE] = fill_file,     [TAR_HARDLINK] = fill_hardlink, [TAR_SYMLINK] = fill_symlink, [TAR_CHAR] = fill_nothing,
    [TAR_BLOCK] = fill_nothing, [TAR_DIR] = fill_dir,           [TAR_FIFO] = fill_fifo,
};

static int fill_entry(struct fill *f)
{
    free(f->path);
    f->path = xmalloc(strlen(f->e->path) + 1);
    if (!layer_path_normal(f->e->path, f->path))
        return bad_entry(f, -EBADMSG, "has '..' in its path");
    int r = check_owner(f);
    if (r < 0)
        return r;
    if (!*f->path)
        return f->e->type == TAR_DIR ? fill_dir(f, f->root, ".")
                                     : bad_entry(f, -EBADMSG, "the root directory is not a directory");
    auto_free char *parent = xstrdup(f->path);
    char *slash = strrchr(parent, '/');
    auto_close int dir = -1;
    if (slash)
        *slash = 0;
    r = make_dirs_in_root(f->root, slash ? parent : "", &dir);
    return r < 0 ? r : makers[f->e->type](f, dir, slash ? slash + 1 : f->path);
}

/* Each new name has changed its directory's time. */
static void set_dir_times(const struct fill *f)
{
    const struct dir_time *t = (const void *)f->times.data;
    for (size_t i = 0; i < f->times.len / sizeof *t; i++) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, layer_timespec(t[i].mtime)};
        auto_close int fd = open_in_root(f->root, *t[i].path ? t[i].path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (fd >= 0)
            futimens(fd, times);
        free(t[i].path);
    }
}

static int fill_all(struct fill *f)
{
    int n, r = 0;
    while (r == 0 && (n = tar_next(f->tar, &f->e)) != 0)
        r = n < 0 ? n : fill_entry(f);
    set_dir_times(f);
    return r;
}

/* ---- import: the processes ---- */

/* One process of the chain: from in to out, its result through err. */
struct link {
    int in, out, err;
    int root;      /* of FILL, else -1 */
    char first[2]; /* what FEED's input began with */
    const struct idmap *map;
    struct worker worker;
};

static void keep_only(const struct link *l)
{
    const int keep[] = {l->in, l->out, l->err, l->root};
    fd_close_except(keep, ARRAY_LEN(keep));
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is told as an error */
}

static int feed(void *arg)
{
    struct link *l = arg;
    keep_only(l);
    int r = fd_write_all(l->out, l->first, sizeof l->first);
    if (r == 0)
        r = fd_copy(l->in, l->out);
    worker_finish(l->err, r < 0 ? err_set(r, "cannot read the archive: %s", strerror(-r)) : 0);
}

static int inflate(void *arg)
{
    struct link *l = arg;
    keep_only(l);
    int r = confine_filter();
    worker_finish(l->err, r < 0 ? r : gzip_inflate_fd(l->in, l->out, UINT64_MAX));
}

static int fill(void *arg)
{
    struct link *l = arg;
    keep_only(l);
    umask(0);
    struct fill f = {.map = l->map, .in = l->in, .root = l->root};
    int r = confine_to_dir(l->root);
    if (r == 0) {
        f.data = xmalloc(DATA_SIZE);
        f.tar = tar_reader_new(l->in, &(struct tar_limits){0}, NULL, NULL);
        r = fill_all(&f);
    }
    worker_finish(l->err, r);
}

/* Starts fn with in and, if it has an end for it, the write end of a new pipe, whose read end comes back. */
static int start_link(const struct store *s, struct link *l, int (*fn)(void *), int *ret_out)
{
    int pipe_ends[2] = {-1, -1}, err_ends[2];
    if ((ret_out && pipe2(pipe_ends, O_CLOEXEC) < 0) || pipe2(err_ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    l->out = pipe_ends[1];
    l->err = err_ends[1];
    int r = ret_out ? worker_start(fn, l, &l->worker) : userns_worker_start(&s->map, fn, l, &l->worker);
    fd_close(pipe_ends[1]);
    fd_close(err_ends[1]);
    l->err = err_ends[0];
    if (ret_out)
        *ret_out = pipe_ends[0];
    return r;
}

static int end_link(struct link *l)
{
    if (l->worker.pid <= 0)
        return 0;
    err_clear();
    int r = worker_result(l->err);
    fd_close(l->err);
    fd_close(l->worker.err_fd);
    proc_reap(l->worker.pid);
    return r == -ECHILD && err_is_clear() ? err_set(r, "a worker process was killed") : r;
}

/* The first bytes tell whether there is an INFLATE. FEED passes them on before the rest. */
static int look_ahead(int in, char ret[2])
{
    ssize_t n = fd_read_full(in, ret, 2);
    if (n < 0)
        return err_set((int)n, "cannot read the archive: %s", strerror((int)-n));
    return n < 2 ? err_set(-EBADMSG, "the archive is empty") : 0;
}

/* Each process holds no end of a pipe but its own, so the end of one is seen by its neighbours. */
static int start_chain(const struct store *s, int in, int root, struct link links[3])
{
    auto_close int fed = -1, plain = -1;
    links[0].in = in;
    int r = look_ahead(in, links[0].first);
    if (r == 0)
        r = start_link(s, &links[0], feed, &fed);
    if (r == 0 && gzip_magic(links[0].first, 2)) {
        gzip_prepare();
        links[1].in = fed;
        r = start_link(s, &links[1], inflate, &plain);
        fd_close(take_fd(&fed));
    }
    if (r < 0)
        return r;
    links[2].in = plain >= 0 ? plain : fed;
    links[2].root = root;
    links[2].map = &s->map;
    return start_link(s, &links[2], fill, NULL);
}

/* The reason is with the first in the chain that failed, but for one whose reader went away. */
static int end_chain(struct link links[3])
{
    int r = 0;
    size_t len = 0;
    auto_free char *reason = NULL;
    for (int i = 0; i < 3; i++) {
        int one = end_link(&links[i]);
        if (r == 0 && one < 0 && one != -EPIPE) {
            r = one;
            reason = err_pack(one, &len);
        }
    }
    return r < 0 ? err_unpack(reason, len) : 0;
}

int volume_import(const struct store *s, const char *name, int in)
{
    struct link links[3] = {
        {.in = -1, .out = -1, .root = -1}, {.in = -1, .out = -1, .root = -1}, {.in = -1, .out = -1, .root = -1}};
    auto_free char *path = volume_data(name);
    auto_close int root = openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot open %s/%s", s->path, path);
    int started = start_chain(s, in, root, links);
    auto_free char *text = started < 0 ? xstrdup(err_text(started)) : NULL;
    int ended = end_chain(links);
    return started < 0 ? err_set(started, "%s", text) : ended;
}
