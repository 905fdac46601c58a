/* Whole reads and writes, files and directories by descriptor. Trees are in tree.c. */
#include "whelk/fd.h"

#include "whelk/err.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/random.h>

/* ---- bytes ---- */

/* Whether a call that failed is to be made again. Waits where a descriptor is non-blocking: a shell may have left its
 * terminal so, and the faces here promise whole reads and writes. */
static bool io_again(int fd, short events)
{
    if (errno == EINTR)
        return true;
    if (errno != EAGAIN)
        return false;
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

int fd_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && io_again(fd, POLLOUT))
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

ssize_t fd_read_full(int fd, void *data, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = read(fd, (char *)data + have, len - have);
        if (n < 0 && io_again(fd, POLLIN))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

int fd_read_all(int fd, size_t max, struct buf *b)
{
    size_t room = 4096;
    max = MIN(max, SIZE_MAX / 8);
    for (size_t have = 0;;) {
        size_t want = MIN(room, max - have + 1); /* one byte more shows that there is more */
        buf_reserve(b, want);
        ssize_t n = fd_read_full(fd, b->data + b->len, want);
        if (n < 0)
            return (int)n;
        have += (size_t)n;
        if (have > max) {
            b->data[b->len] = '\0';
            return -EFBIG;
        }
        b->len += (size_t)n;
        b->data[b->len] = '\0';
        if ((size_t)n < want)
            return 0;
        room = MIN(room * 2, (size_t)1 << 20);
    }
}

enum { COPY_STEP = 1 << 30, COPY_BUFFER = 1 << 16 };

static ssize_t copy_by_range(int in, int out)
{
    return copy_file_range(in, NULL, out, NULL, COPY_STEP, 0);
}

static ssize_t copy_by_splice(int in, int out)
{
    return splice(in, NULL, out, NULL, COPY_STEP, SPLICE_F_MOVE);
}

static ssize_t copy_by_read(int in, int out)
{
    static char data[COPY_BUFFER];
    ssize_t n = read(in, data, sizeof(data));
    int r = n > 0 ? fd_write_all(out, data, (size_t)n) : 0;
    if (r < 0) {
        errno = r == -EAGAIN ? EIO : -r; /* what was read is gone: never again */
        return -1;
    }
    return n;
}

/* The fast ways refuse some pairs of descriptors, and some kernels say "end" for files of /proc that have bytes: so
 * only the last way is believed, both its end and its error. */
int fd_copy(int in, int out)
{
    static ssize_t (*const ways[])(int, int) = {copy_by_range, copy_by_splice, copy_by_read};
    ssize_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        do
            n = ways[i](in, out);
        while (n > 0 || (n < 0 && errno == EINTR));
        if (n < 0 && i == ARRAY_LEN(ways) - 1 && io_again(in, POLLIN))
            i--;
    }
    return n < 0 ? -errno : 0;
}

/* ---- files ---- */

int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len)
{
    auto_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot open %s", path);
    auto_buf struct buf b = {0};
    int r = fd_read_all(fd, max, &b);
    if (r == -EFBIG)
        return err_set(r, "%s is larger than %zu bytes", path, max);
    if (r < 0)
        return err_set(r, "cannot read %s: %s", path, strerror(-r));
    if (ret_len)
        *ret_len = b.len;
    *ret = buf_take(&b);
    return 0;
}

/* The mode is set again, because the umask took bits of it. */
static int file_fill(int fd, const void *data, size_t len, mode_t mode)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISREG(st.st_mode) && (st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
        return -errno;
    return fd_write_all(fd, data, len);
}

int file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode)
{
    auto_close int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, mode);
    if (fd < 0)
        return err_sys("cannot create %s", path);
    int r = file_fill(fd, data, len, mode);
    if (r == 0 && close(take_fd(&fd)) < 0)
        r = -errno;
    return r < 0 ? err_set(r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

/* The length of path's directory part with its slash; 0 if it has none. */
static int dir_part_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

static int dir_part_sync(int dirfd, const char *path)
{
    auto_free char *dir = dir_part_len(path) ? xstrndup(path, (size_t)dir_part_len(path)) : xstrdup(".");
    auto_close int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Fills temp and puts it in path's place. */
static int publish_temp(int dirfd, const char *temp, int fd, const char *path, bool durable)
{
    if (durable && fsync(fd) < 0)
        return -errno;
    if (renameat(dirfd, temp, dirfd, path) < 0)
        return -errno;
    return durable ? dir_part_sync(dirfd, path) : 0;
}

int file_publish(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool durable)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return err_sys("cannot read random bytes");
    auto_free char *temp = xasprintf("%.*s.tmp-%016llx", dir_part_len(path), path, (unsigned long long)random);
    auto_close int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_sys("cannot create %s", path);
    int r = file_fill(fd, data, len, mode);
    if (r == 0)
        r = publish_temp(dirfd, temp, fd, path, durable);
    if (r == 0)
        return 0;
    unlinkat(dirfd, temp, 0);
    return err_set(r, "cannot write %s: %s", path, strerror(-r));
}

/* ---- directories ---- */

int dir_make(int dirfd, const char *path, mode_t mode)
{
    if (mkdirat(dirfd, path, mode) == 0)
        return 0;
    int r = -errno;
    struct stat st;
    if (r == -EEXIST && fstatat(dirfd, path, &st, 0) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        r = -ENOTDIR;
    }
    return err_set(r, "cannot make directory %s: %s", path, strerror(-r));
}

/* Tries the whole path first: mostly it is there. Otherwise from the top, since a parent in the middle may be one that
 * we may pass but not make. */
int dir_make_all(const char *path, mode_t mode)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    auto_free char *part = xstrdup(path);
    for (char *p = part + strspn(part, "/"); *p;) {
        char *end = p + strcspn(p, "/");
        char *next = end + strspn(end, "/");
        char separator = *end;
        *end = '\0';
        bool there = stat(part, &st) == 0 && S_ISDIR(st.st_mode);
        int r = there ? 0 : dir_make(AT_FDCWD, part, mode);
        if (r < 0)
            return r;
        *end = separator;
        p = next;
    }
    return 0;
}

int dir_open(int dirfd, const char *path)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys("cannot open directory %s", path) : fd;
}

void dir_spread(int fd)
{
    int flags;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || flags & FS_TOPDIR_FL)
        return;
    flags |= FS_TOPDIR_FL;
    ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

DIR *dir_iterate(int dirfd)
{
    auto_close int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        err_sys("cannot read a directory");
        return NULL;
    }
    take_fd(&fd);
    return dir;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Collects pointers in a buffer, because adding to a vector one by one takes quadratic time. */
int dir_names(int dirfd, const char *path, char ***ret)
{
    auto_close int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot open directory %s", path);
    auto_dir DIR *dir = fdopendir(fd);
    if (!dir)
        return err_sys("cannot read directory %s", path);
    take_fd(&fd);

    struct buf names = {0};
    for (struct dirent *e; errno = 0, (e = readdir(dir));) {
        char *name = *e->d_name == '.' ? NULL : xstrdup(e->d_name);
        if (name)
            buf_add(&names, &name, sizeof(name));
    }
    int r = errno ? err_sys("cannot read directory %s", path) : 0;
    size_t n = names.len / sizeof(char *);
    if (n)
        qsort(names.data, n, sizeof(char *), name_compare);
    buf_add(&names, &(char *){NULL}, sizeof(char *));
    auto_strv char **v = (char **)(void *)buf_take(&names);
    if (r == 0)
        *ret = take_ptr(&v);
    return r;
}

/* ---- descriptors ---- */

void fd_sanitize_std(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            abort(); /* whatever is opened next would be taken for our output */
}

/* Sets or clears one flag that get reads and set writes. */
static int fd_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags < 0)
        return -errno;
    int want = on ? flags | flag : flags & ~flag;
    return want != flags && fcntl(fd, set, want) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
    return fd_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_set_nonblock(int fd, bool on)
{
    return fd_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_move_above(int fd, int min)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, min);
    if (moved < 0)
        return -errno;
    fd_close(fd);
    return moved;
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void fd_close_except(const int *keep, size_t n)
{
    auto_free int *sorted = xcalloc(n + 1, sizeof *sorted);
    memcpy(sorted, keep, n * sizeof *keep);
    qsort(sorted, n, sizeof *sorted, compare_ints);
    int next = 0;
    for (size_t i = 0; i < n; i++) {
        if (sorted[i] > next)
            close_range((unsigned)next, (unsigned)sorted[i] - 1, 0);
        next = MAX(next, sorted[i] + 1);
    }
    close_range((unsigned)next, ~0U, 0);
}
