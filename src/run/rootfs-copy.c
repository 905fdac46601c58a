/* cp: one process writes a tar stream of the source, another one makes files of it. Each is in the container, in the
 * host's tree as the caller, or not there, where the caller's own stream is the archive.
 *
 * A path is resolved with its tree's root as "/" and by openat2 alone; what it leads to is then worked on by
 * descriptor. */
#include "rootfs-parts.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/tree-tar.h"

#include <fcntl.h>
#include <limits.h>

enum { LINKS_MAX = 40 };
static const char top[] = "x"; /* the source's name in the stream, where it does not matter */

struct end {
    const struct store *s;
    const struct copy_end *e;
    const struct copy_options *o;
    char *path;       /* in the tree */
    char *name;       /* its last component, "" where it has none of its own: "/", "..", "." */
    bool must_be_dir; /* ends in a slash, "." or ".." */
    int fd;           /* of the stream */
    int other_fd; /* of the stream's other end, to be closed in the worker: else nobody would see that the other one is
                     gone */
    bool other_archive;     /* the other side is the caller's stream */
    const struct end *from; /* of the destination */
};

static void end_done(struct end *e)
{
    free(e->path);
    free(e->name);
}

static void split_path(struct end *e, const char *path)
{
    size_t len = strlen(path);
    e->must_be_dir = len == 0 || path[len - 1] == '/';
    while (len > 1 && path[len - 1] == '/')
        len--;
    e->path = xstrndup(path, len);
    const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
    bool dots = str_eq(name, ".") || str_eq(name, "..");
    e->must_be_dir = e->must_be_dir || dots;
    e->name = xstrdup(dots ? "" : name);
}

static int end_init(struct end *ret, const struct store *s, const struct copy_end *e, const struct copy_options *o)
{
    char cwd[PATH_MAX];
    *ret = (struct end){.s = s, .e = e, .o = o, .fd = -1, .other_fd = -1};
    if (e->archive >= 0)
        return 0;
    if (!*e->path)
        return err_set(-EINVAL, "an empty path cannot be copied from or to");
    if (!e->c && *e->path != '/' && !getcwd(cwd, sizeof cwd))
        return err_sys("cannot tell the working directory");
    auto_free char *path = *e->path == '/' ? xstrdup(e->path) : xasprintf("%s/%s", e->c ? "" : cwd, e->path);
    split_path(ret, path);
    return 0;
}

static const char *where(const struct end *e)
{
    return e->e->c ? " in the container" : "";
}

static int failed(const struct end *e, int r)
{
    auto_free char *shown = str_printable(e->path);
    if (r == -ENOENT)
        return err_set(r, "no such file or directory%s: %s", where(e), shown);
    return err_set(r, "%s%s: %s", shown, where(e), strerror(-r));
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? xstrdup("/") : slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Replaces *path by where it leads, if it is a link. That it does not exist (any more) is no error. */
static int follow(int root, char **path)
{
    char text[PATH_MAX];
    for (int i = 0; i < LINKS_MAX; i++) {
        auto_close int fd = open_in_root(root, *path, O_PATH | O_NOFOLLOW, 0);
        ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", text, sizeof text - 1);
        if (n <= 0)
            return 0;
        text[n] = '\0';
        auto_free char *parent = parent_of(*path);
        char *next = *text == '/' ? xstrdup(text) : xasprintf("%s/%s", parent, text);
        free(*path);
        *path = next;
        if (strlen(next) >= PATH_MAX)
            return -ENAMETOOLONG;
    }
    return -ELOOP;
}

/* ---- the source ---- */

/* Its name in an archive that the caller gets. */
static const char *shown_name(const struct end *e)
{
    return !e->other_archive ? top : *e->name ? e->name : ".";
}

static int send_dir(const struct end *e, int root, bool root_owned)
{
    auto_close int dir = open_in_root(root, e->path, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return failed(e, dir);
    return tree_tar_write(
        &(struct tree_tar_write){.out = e->fd, .dir = dir, .name = ".", .as = shown_name(e), .root_owned = root_owned});
}

static int send_name(const struct end *e, int root, bool root_owned)
{
    auto_free char *up = parent_of(e->path);
    auto_close int dir = open_in_root(root, up, O_PATH | O_DIRECTORY, 0);
    if (dir < 0)
        return failed(e, dir);
    return tree_tar_write(&(struct tree_tar_write){
        .out = e->fd, .dir = dir, .name = name_of(e->path), .as = shown_name(e), .root_owned = root_owned});
}

static int send_worker(int root, void *arg)
{
    struct end *e = arg;
    struct stat st;
    bool root_owned = !e->e->c && !e->o->owners;
    fd_close(e->other_fd);
    int r = e->o->follow_link ? follow(root, &e->path) : 0;
    auto_close int fd = r < 0 ? r : open_in_root(root, e->path, O_PATH | (e->must_be_dir ? 0 : O_NOFOLLOW), 0);
    if (fd < 0)
        return failed(e, fd);
    if (fstat(fd, &st) < 0)
        return failed(e, -errno);
    if (e->must_be_dir && !S_ISDIR(st.st_mode))
        return failed(e, -ENOTDIR);
    return S_ISDIR(st.st_mode) ? send_dir(e, root, root_owned) : send_name(e, root, root_owned);
}

/* ---- the destination ---- */

struct receive {
    struct end *e;
    int root;
};

/* Into the directory that the destination is. */
static char *name_inside(const struct end *e, const struct tar_entry *first)
{
    if (e->other_archive)
        return NULL;
    return first->type == TAR_DIR && !*e->from->name ? xstrdup("") : xstrdup(e->from->name);
}

/* A file, or something new, by its name in the directory that it is in. */
static int place_name(const struct receive *v, const struct tar_entry *first, bool is_there, int *ret_dir,
                      char **ret_rename)
{
    struct end *e = v->e;
    auto_free char *shown = str_printable(e->path);
    bool must_stay = first->type == TAR_DIR && !e->o->overwrite;
    if (e->other_archive || (is_there && (e->must_be_dir || must_stay)))
        return is_there ? err_set(-ENOTDIR, "%s%s is not a directory", shown, where(e)) : failed(e, -ENOENT);
    if (e->must_be_dir && first->type != TAR_DIR)
        return err_set(-ENOENT, "no such directory%s: %s", where(e), shown);
    if (!*e->name)
        return failed(e, -ENOENT);
    auto_free char *up = parent_of(e->path);
    int dir = open_in_root(v->root, up, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return failed(e, dir);
    *ret_dir = dir;
    *ret_rename = xstrdup(name_of(e->path));
    return 0;
}

static int place(void *ctx, const struct tar_entry *first, int *ret_dir, char **ret_rename)
{
    struct receive *v = ctx;
    struct end *e = v->e;
    int dir = open_in_root(v->root, e->path, O_RDONLY | O_DIRECTORY, 0);
    if (dir == -ENOENT || dir == -ENOTDIR) {
        int r = follow(v->root, &e->path);
        auto_close int there = r < 0 ? r : open_in_root(v->root, e->path, O_PATH, 0);
        return r < 0 || (there < 0 && there != -ENOENT) ? failed(e, there)
                                                        : place_name(v, first, there >= 0, ret_dir, ret_rename);
    }
    if (dir < 0)
        return failed(e, dir);
    *ret_dir = dir;
    *ret_rename = name_inside(e, first);
    return 0;
}

static int receive_worker(int root, void *arg)
{
    struct end *e = arg;
    struct receive v = {e, root};
    struct idmap map = {0};
    bool inside = e->e->c != NULL;
    int r = inside ? ctr_idmap(e->s, e->e->c, &map) : 0;
    if (r < 0)
        return r;
    return tree_tar_fill(&(struct tree_tar_fill){.in = e->fd,
                                                 .place = place,
                                                 .ctx = &v,
                                                 .owners = inside || e->o->owners,
                                                 .no_set_ids = !inside,
                                                 .overwrite = e->o->overwrite,
                                                 .map = &map});
}

/* ---- the processes ---- */

struct host_job {
    int (*fn)(int root_fd, void *arg);
    struct end *e;
};

static int host_worker(void *arg)
{
    const struct host_job *j = arg;
    auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    return root < 0 ? err_sys("cannot open /") : j->fn(root, j->e);
}

/* What is mounted in a container is there only while it runs. One that does not is read under one lock and changed
 * under another. */
static int check_stopped(const struct end *e)
{
    const struct ctr_mount *m = e->e->c->mounts.items;
    struct ctr_state state;
    int r = ctr_state(e->s, e->e->c->id, &state);
    if (r < 0 || ctr_is_up(&state))
        return MIN(r, 0);
    if (e->from && e->from->e->c && str_eq(e->from->e->c->id, e->e->c->id))
        return err_set(-EBUSY, "container %s does not run, so nothing can be copied within it", e->e->c->name);
    for (size_t i = 0; i < e->e->c->mounts.n; i++) {
        const char *rest = str_after(e->path, m[i].target);
        if (rest && (!*rest || *rest == '/'))
            return err_set(-EBUSY, "%s of container %s is a mount (%s), which is not there while it does not run",
                           m[i].target, e->e->c->name, m[i].type);
    }
    return 0;
}

/* *ret->pid stays 0 where the stream is the caller's. */
static int start(struct end *e, int (*fn)(int root_fd, void *arg), unsigned flags, struct worker *ret)
{
    if (e->e->archive >= 0)
        return 0;
    struct host_job j = {fn, e};
    int r = e->e->c ? check_stopped(e) : 0;
    if (r < 0)
        return r;
    return e->e->c ? rootfs_worker(e->s, e->e->c, flags | ROOTFS_MOUNTS, fn, e, ret)
                   : worker_start(host_worker, &j, ret);
}

static int finish(struct worker *w)
{
    return w->pid > 0 ? worker_wait(w) : 0;
}

/* The reason is the source's, but for one whose reader went away. */
static int finish_both(struct worker *source, struct worker *sink)
{
    int r = finish(source);
    size_t len = 0;
    auto_free char *reason = r < 0 && r != -EPIPE ? err_pack(r, &len) : NULL;
    int received = finish(sink);
    if (reason)
        return err_unpack(reason, len);
    return received < 0 ? received : r;
}

static int connect_ends(struct end *from, struct end *to, int pipe_ends[2])
{
    if (from->e->archive < 0 && to->e->archive < 0 && pipe2(pipe_ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    from->fd = to->e->archive >= 0 ? to->e->archive : pipe_ends[1];
    to->fd = from->e->archive >= 0 ? from->e->archive : pipe_ends[0];
    from->other_fd = pipe_ends[0];
    from->other_archive = to->e->archive >= 0;
    to->other_archive = from->e->archive >= 0;
    to->from = from;
    return 0;
}

static int copy(struct end *from, struct end *to)
{
    struct worker source = {0}, sink = {0};
    int pipe_ends[2] = {-1, -1};
    int r = connect_ends(from, to, pipe_ends);
    if (r == 0)
        r = start(from, send_worker, 0, &source);
    fd_close(pipe_ends[1]); /* the end of the source must be the end of the stream */
    if (r == 0)
        r = start(to, receive_worker, ROOTFS_WRITE, &sink);
    fd_close(pipe_ends[0]);
    if (r == 0)
        return finish_both(&source, &sink);
    auto_free char *text = xstrdup(err_text(r));
    finish(&source); /* nobody reads: it ends */
    return err_set(r, "%s", text);
}

int rootfs_copy(const struct store *s, const struct copy_end *from, const struct copy_end *to,
                const struct copy_options *o)
{
    auto_with(end_done) struct end a = {0}, b = {0};
    int r = end_init(&a, s, from, o);
    if (r == 0)
        r = end_init(&b, s, to, o);
    return r < 0 ? r : copy(&a, &b);
}
