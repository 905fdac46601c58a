/* Scope-bound cleanup, hand-over, and allocation that cannot fail.
 *
 *     auto_free char *s = ...;  auto_close int fd = -1;  return take_fd(&fd);
 *
 * Every acquired thing sits in an auto_ variable until it is handed over with take_ptr or take_fd.
 * The x-allocators abort on exhaustion, so bound every size that comes from outside before allocating. */
#ifndef WHELK_AUTO_H
#define WHELK_AUTO_H

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_with(fn) __attribute__((cleanup(fn)))

/* Defines fn##_auto for `auto_with(fn_auto) type v`, where fn takes a value that may be NULL. */
#define DEFINE_AUTO(type, fn)                                                                                          \
    static inline void fn##_auto(type *p)                                                                              \
    {                                                                                                                  \
        if (*p)                                                                                                        \
            fn(*p);                                                                                                    \
    }

static inline void free_auto(void *p)
{
    free(*(void **)p);
}

/* Closes fd if it is >= 0 and keeps errno. */
static inline void fd_close(int fd)
{
    if (fd >= 0) {
        int saved = errno;
        close(fd);
        errno = saved;
    }
}

static inline void close_auto(int *fd)
{
    fd_close(*fd);
}

DEFINE_AUTO(DIR *, closedir)
DEFINE_AUTO(FILE *, fclose)

#define auto_free auto_with(free_auto)
#define auto_close auto_with(close_auto)
#define auto_dir auto_with(closedir_auto)
#define auto_file auto_with(fclose_auto)

#define take_ptr(pp)                                                                                                   \
    ({                                                                                                                 \
        typeof(*(pp)) taken_ = *(pp);                                                                                  \
        *(pp) = NULL;                                                                                                  \
        taken_;                                                                                                        \
    })

static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Abort when memory is exhausted; never return NULL. The caller frees. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif
