/* A tar archive into a tree that others may be changing. Each entry's parent is opened from the tree's root by openat2
 * beneath it and through no symbolic link; the entry is then made by its name in that directory. */
#include "whelk/tree-tar.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/kept-owner.h"

#include "layer-private.h"

#include <fcntl.h>
#include <sys/xattr.h>

enum {
    DATA_SIZE = 256 * 1024,
    DIR_TIMES_MAX = 1000 * 1000,
    DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
};

struct dir_time {
    char *path;
    mode_t mode;
    int64_t mtime;
};

struct fill {
    const struct tree_tar_fill *f;
    struct tar_reader *tar;
    const struct tar_entry *e;
    int root;
    char *rename;
    char *path, *data; /* path: of the entry below root */
    char *parent;      /* that is open as parent_fd, or NULL */
    int parent_fd;
    struct buf times; /* of struct dir_time */
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

/* ---- names ---- */

/* Where an entry goes; *ret may be "", the root itself. */
static int target_path(const struct fill *f, const char *name, char **ret)
{
    auto_free char *path = xmalloc(strlen(name) + 1);
    if (!layer_path_normal(name, path))
        return bad_entry(f, -EBADMSG, "has '..' in its path");
    if (!f->rename) {
        *ret = take_ptr(&path);
        return 0;
    }
    const char *slash = strchr(path, '/'), *rest = slash ? slash + 1 : "";
    *ret = xasprintf("%s%s%s", f->rename, *f->rename && *rest ? "/" : "", rest);
    return 0;
}

/* Opens a directory below the root, and makes those that lack. */
static int open_parent(struct fill *f, const char *path)
{
    int fd = layer_open_beneath(f->root, path, O_RDONLY | O_DIRECTORY);
    if (fd != -ENOENT)
        return fd;
    const char *slash = strrchr(path, '/');
    auto_free char *up = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    auto_close int parent = open_parent(f, up);
    if (parent < 0)
        return parent;
    if (mkdirat(parent, slash ? slash + 1 : path, 0755) < 0 && errno != EEXIST)
        return -errno;
    return layer_open_beneath(f->root, path, O_RDONLY | O_DIRECTORY);
}

/* Splits path (changed) and opens its directory, which is mostly the last one's. */
static int enter_parent(struct fill *f, char *path, const char **ret_name)
{
    char *slash = strrchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    auto_free char *parent = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    if (f->parent && str_eq(f->parent, parent))
        return f->parent_fd;
    int fd = open_parent(f, parent);
    if (fd < 0)
        return bad_entry(
            f, fd, fd == -ELOOP || fd == -ENOTDIR ? "its path goes through a symbolic link or a file" : strerror(-fd));
    fd_close(f->parent_fd);
    free(f->parent);
    f->parent = take_ptr(&parent);
    return f->parent_fd = fd;
}

/* ---- metadata ---- */

static struct timespec *entry_times(const struct fill *f, struct timespec times[2])
{
    times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    times[1] = layer_timespec(f->e->mtime);
    return times;
}

/* A user of one id owns everything: owners are kept beside the files. */
static bool has_owner(const struct fill *f)
{
    return f->f->owners && !idmap_single(f->f->map);
}

static int check_owner(const struct fill *f)
{
    const struct idmap *m = f->f->map;
    if (!has_owner(f) || idmap_none(m) || (idmap_has_uid(m, f->e->uid) && idmap_has_gid(m, f->e->gid)))
        return 0;
    auto_free char *what =
        xasprintf("belongs to %u:%u, which is outside of the ids that this user may use", f->e->uid, f->e->gid);
    return bad_entry(f, -EPERM, what);
}

static mode_t entry_mode(const struct fill *f)
{
    return f->e->mode & (f->f->no_set_ids ? 01777 : 07777);
}

static int keep_owner(const struct fill *f, int fd)
{
    if (!f->f->owners || !idmap_single(f->f->map))
        return 0;
    errno = -kept_owner_set(fd, (struct kept_owner){f->e->uid, f->e->gid});
    return errno ? entry_errno(f) : 0;
}

/* A symbolic link or a pipe, or another name of one. */
static int tell_special_owner(const struct fill *f)
{
    if (!f->f->owners || !idmap_single(f->f->map) || !f->f->special_owner)
        return 0;
    return f->f->special_owner(f->f->ctx, f->path, f->e->uid, f->e->gid);
}

static int set_xattrs(const struct fill *f, int fd)
{
    for (size_t i = 0; !f->f->no_set_ids && i < f->e->n_xattrs; i++) {
        const struct tar_xattr *x = &f->e->xattrs[i];
        bool plain = str_after(x->name, "user.") && !str_after(x->name, "user.whelk.");
        bool wanted = plain || str_eq(x->name, "security.capability");
        if (wanted && fsetxattr(fd, x->name, x->value, x->len, 0) < 0 && errno != ENOTSUP && errno != EPERM)
            return entry_errno(f);
    }
    return 0;
}

/* Owner first: it takes setuid bits and capabilities away. Times last. */
static int set_metadata(const struct fill *f, int fd)
{
    struct timespec times[2];
    if (has_owner(f) && fchown(fd, f->e->uid, f->e->gid) < 0)
        return entry_errno(f);
    if (fchmod(fd, entry_mode(f)) < 0)
        return entry_errno(f);
    int r = set_xattrs(f, fd);
    if (r == 0)
        r = keep_owner(f, fd);
    if (r < 0)
        return r;
    return futimens(fd, entry_times(f, times)) < 0 ? entry_errno(f) : 0;
}

static int set_name_metadata(const struct fill *f, int dir, const char *name)
{
    struct timespec times[2];
    if (has_owner(f) && fchownat(dir, name, f->e->uid, f->e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return entry_errno(f);
    if (utimensat(dir, name, entry_times(f, times), AT_SYMLINK_NOFOLLOW) < 0)
        return entry_errno(f);
    return tell_special_owner(f);
}

/* ---- making ---- */

static int clear_name(const struct fill *f, int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EISDIR && f->f->overwrite)
        return tree_remove(dir, name);
    return errno == EISDIR ? bad_entry(f, -EISDIR, "a directory has its place") : entry_errno(f);
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
    return symlinkat(f->e->link, dir, name) < 0 ? entry_errno(f) : set_name_metadata(f, dir, name);
}

static int fill_fifo(struct fill *f, int dir, const char *name)
{
    int r = clear_name(f, dir, name);
    if (r < 0)
        return r;
    if (mkfifoat(dir, name, 0600) < 0 || fchmodat(dir, name, entry_mode(f), 0) < 0)
        return entry_errno(f);
    return set_name_metadata(f, dir, name);
}

static int fill_hardlink(struct fill *f, int dir, const char *name)
{
    auto_free char *target = NULL;
    int r = target_path(f, f->e->link, &target);
    if (r < 0 || str_eq(target, f->path))
        return r;
    char *slash = strrchr(target, '/');
    const char *base = slash ? slash + 1 : target;
    if (slash)
        *slash = '\0';
    auto_close int from = layer_open_beneath(f->root, slash ? target : "", O_RDONLY | O_DIRECTORY);
    r = from < 0 ? bad_entry(f, from, strerror(-from)) : clear_name(f, dir, name);
    struct stat st;
    if (r < 0 || linkat(from, base, dir, name, 0) < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return r < 0 ? r : entry_errno(f);
    return S_ISREG(st.st_mode) ? 0 : tell_special_owner(f);
}

/* Time and mode come last: each new name changes the one, and the other may forbid to make any. */
static void note_dir(struct fill *f)
{
    if (f->times.len >= DIR_TIMES_MAX * sizeof(struct dir_time))
        return;
    struct dir_time t = {xstrdup(f->path), entry_mode(f), f->e->mtime};
    buf_add(&f->times, &t, sizeof t);
}

static int fill_dir(struct fill *f, int dir, const char *name)
{
    bool made = mkdirat(dir, name, 0700) == 0;
    if (!made && errno != EEXIST)
        return entry_errno(f);
    auto_close int fd = openat(dir, name, DIR_FLAGS);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP) && f->f->overwrite && unlinkat(dir, name, 0) == 0 &&
        mkdirat(dir, name, 0700) == 0)
        fd = openat(dir, name, DIR_FLAGS);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP
                   ? bad_entry(f, -ENOTDIR, "something that is no directory has its place")
                   : entry_errno(f);
    if (has_owner(f) && fchown(fd, f->e->uid, f->e->gid) < 0)
        return entry_errno(f);
    note_dir(f);
    int r = set_xattrs(f, fd);
    return r < 0 ? r : keep_owner(f, fd);
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
    const char *name;
    free(take_ptr(&f->path));
    int r = target_path(f, f->e->path, &f->path);
    if (r == 0)
        r = check_owner(f);
    if (r < 0)
        return r;
    if (!*f->path) /* the destination itself stays as it is */
        return f->e->type == TAR_DIR ? 0 : bad_entry(f, -EBADMSG, "the root directory is not a directory");
    auto_free char *path = xstrdup(f->path);
    int dir = enter_parent(f, path, &name);
    return dir < 0 ? dir : makers[f->e->type](f, dir, name);
}

static void finish_dirs(const struct fill *f)
{
    const struct dir_time *t = (const void *)f->times.data;
    for (size_t i = f->times.len / sizeof *t; i-- > 0;) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, layer_timespec(t[i].mtime)};
        auto_close int fd = layer_open_beneath(f->root, t[i].path, O_RDONLY | O_DIRECTORY);
        if (fd >= 0) {
            (void)!fchmod(fd, t[i].mode);
            futimens(fd, times);
        }
        free(t[i].path);
    }
}

static int fill_all(struct fill *f)
{
    int n = tar_next(f->tar, &f->e), r = 0;
    if (n > 0)
        r = f->f->place(f->f->ctx, f->e, &f->root, &f->rename);
    while (r == 0 && n > 0) {
        r = fill_entry(f);
        if (r == 0)
            n = tar_next(f->tar, &f->e);
    }
    finish_dirs(f);
    return r < 0 ? r : n;
}

int tree_tar_fill(const struct tree_tar_fill *what)
{
    mode_t mask = umask(0);
    struct fill f = {.f = what, .root = -1, .parent_fd = -1, .data = xmalloc(DATA_SIZE)};
    f.tar = tar_reader_new(what->in, &(struct tar_limits){0}, NULL, NULL);
    int r = fill_all(&f);
    tar_reader_free(f.tar);
    buf_done(&f.times);
    fd_close(f.parent_fd);
    fd_close(f.root);
    free(f.parent);
    free(f.rename);
    free(f.path);
    free(f.data);
    umask(mask);
    return r;
}
