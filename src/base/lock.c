/* Advisory locks: flock between commands, record locks for liveness. */
#include "whelk/lock.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <sys/file.h>

/* Whether path still is the file that fd has open. A lock on a file that was removed meanwhile excludes nobody. */
static bool lock_is_current(int dirfd, const char *path, int fd)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && fstatat(dirfd, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

int lock_file(int dirfd, const char *path, bool exclusive, bool wait, int *ret_fd)
{
    int operation = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);
    for (;;) {
        auto_close int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return err_sys("cannot open lock %s", path);
        int r;
        while ((r = flock(fd, operation)) < 0 && errno == EINTR)
            ;
        if (r < 0)
            return errno == EWOULDBLOCK ? -EWOULDBLOCK : err_sys("cannot lock %s", path);
        if (lock_is_current(dirfd, path, fd)) {
            *ret_fd = take_fd(&fd);
            return 0;
        }
    }
}

static const struct flock life_byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
static const struct flock claim_byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};

int record_lock_take(int fd)
{
    struct flock l = life_byte;
    if (fcntl(fd, F_SETLK, &l) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EAGAIN : err_sys("cannot take a record lock");
}

/* The kernel gives 0 as the pid of a holder outside the caller's pid namespace. */
pid_t record_lock_holder(int fd)
{
    struct flock l = life_byte;
    if (fcntl(fd, F_GETLK, &l) < 0)
        return err_sys("cannot test a record lock");
    if (l.l_type == F_UNLCK)
        return 0;
    return l.l_pid > 0 ? l.l_pid : -1;
}

int claim_lock_take(int fd)
{
    struct flock l = claim_byte;
    return fcntl(fd, F_OFD_SETLK, &l) < 0 ? err_sys("cannot take a record lock") : 0;
}

bool claim_lock_held(int fd)
{
    struct flock l = claim_byte;
    return fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}
