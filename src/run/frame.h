/* Frames: messages on a SOCK_SEQPACKET socket between the processes of a run. One byte of type, then the payload; a
 * descriptor may travel along. The same frames serve STARTER and SUPERVISOR, exec's two halves, and SUPERVISOR and
 * CHILD. */
#ifndef RUN_FRAME_H
#define RUN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum frame {
    FRAME_GO,      /* to the CHILD, SUPERVISOR: ids are mapped, go on */
    FRAME_STARTED, /* the command has been executed; payload: struct ctr_live's pid as int64_t */
    FRAME_ERROR,   /* payload: err_pack */
    FRAME_STDOUT,  /* payload: bytes */
    FRAME_STDERR,
    FRAME_EXIT,  /* payload: int exit code; the last frame */
    FRAME_STDIN, /* to the session: payload bytes; not more than STDIN_WINDOW before they are taken */
    FRAME_STDIN_END,
    FRAME_STDIN_TAKEN, /* from the session: payload: int, so many more of the client's FRAME_STDIN have been taken by
                          the command */
    FRAME_RESIZE,      /* payload: struct winsize */
    FRAME_SIGNAL,      /* payload: int */
    FRAME_PTY,         /* from the CHILD: the pty master travels along */
    FRAME_DETACH,      /* from a client: it leaves, the command stays */
    FRAME_FAKE_IDS,    /* from the CHILD: payload: struct fake_creds; the listener of its filter travels along */
    FRAME_NET,         /* from the CHILD: its end of the network is made; payload: what is missing; a device may travel
                          along */
    FRAME_WARNING,     /* to the STARTER: payload: a line for the user */
    FRAME_READY,       /* from a CHILD that waits for its tree (nested.c) */
    FRAME_SLAVE,       /* to it: the other end of its terminal travels along */
    FRAME_ROOT,        /* to it: the tree, a detached mount, travels along */
    FRAME_STUB,        /* from the CHILD: payload: relative path of a mount point that was made in the tree */
    FRAME_STOP,        /* from a client: a graceful stop, as by whelk stop */
    FRAME_NOTIFY,      /* from the CHILD: the socket for the command's notifications travels along */
};

enum { FRAME_MAX = 32 * 1024, STDIN_WINDOW = 4 };

/* A connected pair, both ends close-on-exec. */
int frame_pair(int ret[2]);
/* Has every holder of the other end gone, and is nothing left to read? */
bool frame_peer_gone(int sock);
/* Sends one frame; fd -1: none. flags: MSG_DONTWAIT or 0. -errno without text (-EAGAIN, -EPIPE). */
int frame_send(int sock, enum frame type, const void *data, size_t len, int fd, int flags);
/* Receives one frame into buf of FRAME_MAX bytes: its length, 0 or more, with *ret_type; -EPIPE at the end of the
 * stream; -errno without text. *ret_fd: the descriptor that came along or -1; NULL: none is wanted. */
ssize_t frame_recv(int sock, enum frame *ret_type, void *buf, int *ret_fd, int flags);
/* Sends the error slot. */
void frame_send_error(int sock, int r);

#endif
