/* Messages on local sockets, one descriptor of them along. */
#ifndef WHELK_SOCK_H
#define WHELK_SOCK_H

#include <sys/types.h>
#include <sys/uio.h>

/* A connected SOCK_SEQPACKET pair, both ends close-on-exec. */
int sock_pair(int ret[2]);
/* Sends one message; fd -1: none. flags: MSG_DONTWAIT or 0. -errno without text (-EAGAIN, -EPIPE). */
int sock_send(int sock, struct iovec *parts, size_t n, int fd, int flags);
/* Receives one message: its length; -EPIPE at the end of the stream; -errno without text. *ret_fd: the descriptor that
 * came along or -1; NULL: none is wanted. */
ssize_t sock_recv(int sock, struct iovec *parts, size_t n, int *ret_fd, int flags);

#endif
