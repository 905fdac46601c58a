/* Trees by descriptor: copying one, giving one to somebody. What is read may come from a hostile image: nothing is
 * followed, and only plain files, directories and symbolic links are made.
 *
 * Runs in: CHILD, before it enters the root. */
#include "whelk/copy-tree.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum { READ_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, XATTRS_MAX = 64 * 1024 };

static int failed(const char *what, const char *name)
{
    int e = errno;
    auto_free char *shown = str_printable(name);
    errno = e;
    return err_sys("cannot %s %s", what, shown);
}

/* Calls fn for each name in a directory, hidden ones too. */
static int each_name(int fd, int (*fn)(int fd, const char *name, void *arg), void *arg)
{
    auto_dir DIR *dir = dir_iterate(fd);
    int r = dir ? 0 : -EIO;
    for (struct dirent *e; r == 0 && (e = readdir(dir));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            r = fn(fd, e->d_name, arg);
    return r;
}

/* ---- metadata ---- */

static bool wanted(const char *xattr)
{
    return str_after(xattr, "user.") || str_after(xattr, "system.posix_acl_") || str_eq(xattr, "security.capability");
}

/* What the file system there does not have, or this user may not set, is left out: the files are usable without. */
static int copy_xattr(int from, int to, const char *name)
{
    auto_free char *value = xmalloc(XATTRS_MAX);
    ssize_t n = fgetxattr(from, name, value, XATTRS_MAX);
    if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) == 0)
        return 0;
    return errno == ENOTSUP || errno == EPERM || errno == EINVAL ? 0 : failed("set the attribute", name);
}

static int copy_xattrs(int from, int to)
{
    auto_free char *names = xmalloc(XATTRS_MAX);
    ssize_t n = flistxattr(from, names, XATTRS_MAX);
    int r = 0;
    for (char *p = names; r == 0 && n > 0 && p < names + n; p += strlen(p) + 1)
        if (wanted(p))
            r = copy_xattr(from, to, p);
    return r;
}

/* The owner first: a change takes setuid bits and capabilities away. Times last. */
int copy_metadata(int from_fd, int to_fd)
{
    struct stat st;
    if (fstat(from_fd, &st) < 0 || fchown(to_fd, st.st_uid, st.st_gid) < 0 || fchmod(to_fd, st.st_mode & 07777) < 0)
        return err_sys("cannot copy owner and mode");
    int r = copy_xattrs(from_fd, to_fd);
    if (r == 0 && futimens(to_fd, (struct timespec[]){st.st_atim, st.st_mtim}) < 0)
        r = err_sys("cannot copy times");
    return r;
}

/* ---- copying ---- */

static int copy_file(int from, int to, const char *name)
{
    auto_close int in = openat(from, name, READ_FLAGS);
    struct stat st;
    if (in < 0 || fstat(in, &st) < 0)
        return failed("read", name);
    if (!S_ISREG(st.st_mode))
        return 0;
    auto_close int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return failed("make", name);
    int r = ioctl(out, FICLONE, in) == 0 ? 0 : fd_copy(in, out);
    if (r < 0) {
        errno = -r;
        return failed("copy", name);
    }
    r = copy_metadata(in, out);
    return r < 0 ? err_wrap(r, "cannot copy %s", name) : 0;
}

static int copy_link(int from, int to, const char *name)
{
    char text[PATH_MAX + 1];
    struct stat st;
    ssize_t n = readlinkat(from, name, text, sizeof text - 1);
    if (n < 0 || fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("read", name);
    text[n] = 0;
    if (symlinkat(text, to, name) < 0 || fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(to, name, (struct timespec[]){st.st_atim, st.st_mtim}, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("make", name);
    return 0;
}

static int copy_dir(int from, int to, const char *name)
{
    auto_close int in = openat(from, name, READ_FLAGS | O_DIRECTORY);
    if (in < 0)
        return failed("read", name);
    if (mkdirat(to, name, 0700) < 0)
        return failed("make", name);
    auto_close int out = openat(to, name, READ_FLAGS | O_DIRECTORY);
    if (out < 0)
        return failed("open", name);
    int r = copy_tree(in, out);
    return r < 0 ? r : copy_metadata(in, out);
}

static int copy_name(int from, const char *name, void *arg)
{
    const int *to = arg;
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("look at", name);
    switch (st.st_mode & S_IFMT) {
    case S_IFDIR:
        return copy_dir(from, *to, name);
    case S_IFREG:
        return copy_file(from, *to, name);
    case S_IFLNK:
        return copy_link(from, *to, name);
    default:
        return 0;
    }
}

int copy_tree(int from_fd, int to_fd)
{
    return each_name(from_fd, copy_name, &to_fd);
}

/* ---- giving ---- */

struct owner {
    uid_t uid;
    gid_t gid;
    dev_t dev;
};

static int own_dir(int fd, struct owner *o);

static int own_name(int dir, const char *name, void *arg)
{
    struct owner *o = arg;
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : failed("look at", name);
    if (st.st_dev != o->dev)
        return 0;
    if (S_ISDIR(st.st_mode)) {
        auto_close int fd = openat(dir, name, READ_FLAGS | O_DIRECTORY);
        return fd < 0 ? failed("open", name) : own_dir(fd, o);
    }
    if ((st.st_uid != o->uid || st.st_gid != o->gid) && fchownat(dir, name, o->uid, o->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("change the owner of", name);
    return 0;
}

static int own_dir(int fd, struct owner *o)
{
    if (fchown(fd, o->uid, o->gid) < 0)
        return err_sys("cannot change the owner of a directory");
    return each_name(fd, own_name, o);
}

int own_tree(int fd, uid_t uid, gid_t gid)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys("cannot look at a mount");
    struct owner o = {uid, gid, st.st_dev};
    if (!S_ISDIR(st.st_mode))
        return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? err_sys("cannot change the owner of a file") : 0;
    auto_close int dir = openat(fd, ".", READ_FLAGS | O_DIRECTORY);
    return dir < 0 ? err_sys("cannot open a mount") : own_dir(dir, &o);
}
