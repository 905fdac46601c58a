/* The spool. Runs in: the workers that fetch blobs, and the process of a pull. Files: cache/blobs/. Locks: the flock of
 * each file. */
#include "spool.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/pull.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum { KEEP_S = 7 * 24 * 3600 };
static const char spool_path[] = "cache/blobs";

static int spool_dir(const struct store *s)
{
    int fd = openat(s->fd, spool_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT)
        return fd < 0 ? err_sys("cannot open %s/%s", s->path, spool_path) : fd;
    int r = dir_make(s->fd, "cache", 0700);
    if (r == 0)
        r = dir_make(s->fd, spool_path, 0700);
    return r < 0 ? r : dir_open(s->fd, spool_path);
}

static bool is_linked(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int spool_open(const struct store *s, const char *hex, struct spool *ret)
{
    auto_close int dir = spool_dir(s);
    if (dir < 0)
        return dir;
    for (;;) {
        auto_close int fd = openat(dir, hex, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return err_sys("cannot make %s/%s/%s", s->path, spool_path, hex);
        bool owner = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (owner && !is_linked(fd)) /* finished between the two */
            continue;
        *ret = (struct spool){.dir = take_fd(&dir), .fd = take_fd(&fd), .owner = owner};
        snprintf(ret->name, sizeof(ret->name), "%s", hex);
        return 0;
    }
}

int spool_try_own(struct spool *sp)
{
    if (!is_linked(sp->fd))
        return 2;
    if (flock(sp->fd, LOCK_EX | LOCK_NB) < 0)
        return 0;
    if (!is_linked(sp->fd))
        return 2;
    sp->owner = true;
    return 1;
}

void spool_close(struct spool *sp)
{
    fd_close(sp->fd);
    fd_close(sp->dir);
    *sp = (struct spool){.dir = -1, .fd = -1};
}

void spool_remove(const struct store *s, const char *hex)
{
    auto_free char *path = xasprintf("%s/%s", spool_path, hex);
    unlinkat(s->fd, path, 0);
}

/* Opens a file of the spool; *ret_free: no process fills it, nor will until it is closed. -1: it is gone. */
static int spool_look(const struct store *s, const char *name, struct stat *ret, bool *ret_free)
{
    auto_free char *path = xasprintf("%s/%s", spool_path, name);
    auto_close int fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, ret) < 0)
        return -1;
    *ret_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
    return take_fd(&fd);
}

void spool_tidy(const struct store *s)
{
    auto_strv char **names = NULL;
    if (dir_names(s->fd, spool_path, &names) < 0)
        return;
    strv_foreach (name, names) {
        struct stat st;
        bool is_free;
        auto_close int fd = spool_look(s, name, &st, &is_free);
        if (fd >= 0 && is_free && time(NULL) - st.st_mtime > KEEP_S)
            spool_remove(s, name);
    }
}

void partial_blobs_count(const struct store *s, struct partial_blobs *ret)
{
    auto_strv char **names = NULL;
    *ret = (struct partial_blobs){0};
    if (dir_names(s->fd, spool_path, &names) < 0)
        return;
    strv_foreach (name, names) {
        struct stat st;
        bool is_free;
        auto_close int fd = spool_look(s, name, &st, &is_free);
        if (fd < 0)
            continue;
        ret->n++;
        ret->bytes += (uint64_t)st.st_size;
        ret->active += !is_free;
        ret->active_bytes += is_free ? 0 : (uint64_t)st.st_size;
    }
}

void partial_blobs_prune(const struct store *s, void (*told)(void *ctx, const char *hex, uint64_t bytes), void *ctx)
{
    auto_strv char **names = NULL;
    if (dir_names(s->fd, spool_path, &names) < 0)
        return;
    strv_foreach (name, names) {
        struct stat st;
        bool is_free;
        auto_close int fd = spool_look(s, name, &st, &is_free);
        if (fd < 0 || !is_free)
            continue;
        spool_remove(s, name);
        told(ctx, name, (uint64_t)st.st_size);
    }
}
