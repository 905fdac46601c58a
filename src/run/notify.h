/* Telling systemd about a container (sd_notify(3); FEATURES CV-92, CV-93). */
#ifndef RUN_NOTIFY_H
#define RUN_NOTIFY_H

#include "whelk/str.h"

#include <sys/types.h>

/* When the unit is ready. */
enum sdnotify {
    SDNOTIFY_CONMON,    /* when the command has been executed (podman's name for it) */
    SDNOTIFY_CONTAINER, /* when the command says so, through a socket of its own */
    SDNOTIFY_HEALTHY,   /* when the health check has succeeded for the first time */
    SDNOTIFY_IGNORE,    /* whelk tells nothing */
};
/* NULL is SDNOTIFY_CONMON. -EINVAL with text. */
int sdnotify_parse(const char *text, enum sdnotify *ret);

/* Is this process the main process of a unit, or one that its service manager listens to? */
bool notify_under_systemd(void);
/* A socket connected to $NOTIFY_SOCKET, or -1: nobody listens. */
int notify_connect(void);
/* Sends one message; never waits and never fails: who does not listen misses it. fd may be -1. */
void notify_send(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where the command's own messages arrive: a datagram socket in the directory dev, of the container's /dev, writable
 * for all its users. The command knows it as NOTIFY_PATH. */
enum { NOTIFY_MAX = 4096 };
#define NOTIFY_NAME "notify"
#define NOTIFY_PATH "/dev/" NOTIFY_NAME
int notify_listen(int dev, int *ret_fd);
/* Appends to out what of a container's message may go on to systemd: lines of known keys with values of their kind.
 * Pure. */
void notify_filter(const char *data, size_t len, struct buf *out);

#endif
