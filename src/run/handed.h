/* Descriptors that the caller hands to a command: sockets of a systemd .socket unit (LISTEN_FDS) and what
 * --preserve-fds and --preserve-fd name. They keep their numbers. */
#ifndef RUN_HANDED_H
#define RUN_HANDED_H

#include "whelk/run.h"
#include "whelk/str.h"

struct handed {
    int *fds;
    size_t n;
    char **env;  /* LISTEN_FDS, LISTEN_FDNAMES */
    bool listen; /* the command wants LISTEN_PID too: its own, which only it knows */
};

/* Looks for what is handed in. Only what leads nowhere else may enter a container: pipes without a name and sockets
 * (RUNTIME, processes 4); anything else is -EINVAL with text. All become close-on-exec. o may be NULL: none; sockets of
 * systemd are taken where listen says so. */
int handed_collect(const struct preserve_options *o, bool listen, struct handed *ret);
/* What fd is if it may not enter a container ("a directory"), else NULL. */
const char *handed_refuses(int fd);
void handed_close(struct handed *h); /* closes them and frees h's members */
/* Closes every descriptor that is neither in keep nor handed in. h may be NULL. */
void handed_close_others(const struct handed *h, const int *keep, size_t n);
/* CHILD, last: they stay open over the exec; the environment gets what it has to. */
int handed_over_child(const struct handed *h, char ***env);

#endif
