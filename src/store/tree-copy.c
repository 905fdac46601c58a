/* Copies of trees with all that layers have: owners, attributes, hard links, whiteouts. What is read may belong to a
 * container that is changing it: nothing is followed, and what goes meanwhile is left out.
 *
 * Runs in: a worker that is root in the store's user namespace. */
#include "whelk/tree-copy.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <search.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

enum {
    DATA_SIZE = 128 * 1024,
    XATTRS_MAX = 64 * 1024,
    READ_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* A file with several names, by the first one below the copy's root. */
struct twin {
    dev_t dev;
    ino_t ino;
    char *path;
};

struct copying {
    int root;
    const struct id_change *ids;
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

/* ---- owners ---- */

static uint32_t change_id(const struct id_change *c, const struct id_range *r, unsigned n, uint32_t id)
{
    return c->back ? id_inside(r, n, id) : id_outside(r, n, id);
}

/* The owner that the copy has, into *st. */
static int change_owner(const struct copying *x, struct stat *st, const char *path)
{
    const struct id_change *c = x->ids;
    if (!c)
        return 0;
    uint32_t uid = change_id(c, c->map->uid, c->map->n_uid, st->st_uid),
             gid = change_id(c, c->map->gid, c->map->n_gid, st->st_gid);
    if (uid == ID_NONE || gid == ID_NONE) {
        auto_free char *shown = str_printable(path);
        return err_set(-ERANGE, "/%s belongs to %u:%u, which the user namespace has no id for; give it more ids", shown,
                       st->st_uid, st->st_gid);
    }
    st->st_uid = uid;
    st->st_gid = gid;
    return 0;
}

/* Capabilities of a file are those of one root: the copy's. A value of today's form names it behind the sets. */
static ssize_t change_capability(const struct copying *x, char *value, ssize_t len)
{
    const struct id_change *c = x->ids;
    struct vfs_ns_cap_data data;
    if (!c || (size_t)len < XATTR_CAPS_SZ_2)
        return len;
    memset(&data, 0, sizeof data);
    memcpy(&data, value, MIN((size_t)len, sizeof data));
    uint32_t root = change_id(c, c->map->uid, c->map->n_uid, c->back ? data.rootid : 0);
    if (root == ID_NONE)
        return len;
    data.magic_etc = (data.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) | VFS_CAP_REVISION_3;
    data.rootid = root;
    memcpy(value, &data, sizeof data);
    return sizeof data;
}

/* ---- files ---- */

static int copy_attributes(struct copying *x, int from, int to, const char *path)
{
    ssize_t n = flistxattr(from, x->names, XATTRS_MAX);
    for (char *p = x->names; n > 0 && p < x->names + n; p += strlen(p) + 1) {
        ssize_t len = xattr_wanted(p) ? fgetxattr(from, p, x->data, XATTRS_MAX) : -1;
        if (len >= 0 && str_eq(p, "security.capability"))
            len = change_capability(x, x->data, len);
        if (len >= 0 && fsetxattr(to, p, x->data, (size_t)len, 0) < 0)
            return failed("copy the attributes of", path);
    }
    return 0;
}

/* The owner first: a change takes setuid bits and capabilities away. Times last. */
static int copy_metadata(struct copying *x, int from, int to, struct stat *st, const char *path)
{
    int r = change_owner(x, st, path);
    if (r < 0)
        return r;
    if (((st->st_uid || st->st_gid) && fchown(to, st->st_uid, st->st_gid) < 0) || fchmod(to, st->st_mode & 07777) < 0)
        return failed("copy owner and mode of", path);
    r = copy_attributes(x, from, to, path);
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
    r = change_owner(x, &st, path);
    if (r < 0)
        return r;
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

static void twin_free(void *p)
{
    struct twin *t = p;
    free(t->path);
    free(t);
}

int tree_copy(int from, int to, const struct id_change *ids)
{
    struct stat st;
    struct copying x = {.root = to, .ids = ids, .data = xmalloc(DATA_SIZE), .names = xmalloc(XATTRS_MAX)};
    int r = fstat(from, &st) < 0 ? failed("look at", "") : copy_below(&x, from, to, "");
    if (r == 0)
        r = copy_metadata(&x, from, to, &st, "");
    tdestroy(x.twins, twin_free);
    free(x.data);
    free(x.names);
    return r;
}
