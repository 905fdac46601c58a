/* What belongs to a process that asks: its memory, its directories and descriptors.
 * Runs in: NOTIFIER. */
#include "fake-ids.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

int memory_read(const struct question *q, uint64_t at, void *ret, size_t len)
{
    struct iovec here = {ret, len}, there = {(void *)(uintptr_t)at, len};
    ssize_t n = process_vm_readv((pid_t)q->n->pid, &here, 1, &there, 1, 0);
    return n < 0 ? -errno : (size_t)n == len ? 0 : -EFAULT;
}

int memory_write(const struct question *q, uint64_t at, const void *data, size_t len)
{
    struct iovec here = {(void *)(uintptr_t)data, len}, there = {(void *)(uintptr_t)at, len};
    ssize_t n = process_vm_writev((pid_t)q->n->pid, &here, 1, &there, 1, 0);
    return n < 0 ? -errno : (size_t)n == len ? 0 : -EFAULT;
}

/* Page by page: behind the text there may be nothing. */
int memory_read_path(const struct question *q, uint64_t at, char ret[PATH_MAX])
{
    const uint64_t page = 4096;
    for (size_t got = 0; got < PATH_MAX;) {
        size_t len = (size_t)MIN(page - (at + got) % page, (uint64_t)PATH_MAX - got);
        int r = memory_read(q, at + got, ret + got, len);
        if (r < 0)
            return r;
        if (memchr(ret + got, '\0', len))
            return 0;
        got += len;
    }
    return -ENAMETOOLONG;
}

int question_open(const struct question *q, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "%u/%s", q->n->pid, what);
    int fd = openat(q->t->proc, path, O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
