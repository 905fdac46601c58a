/* Messages on SOCK_SEQPACKET sockets, with a descriptor (unix(7), SCM_RIGHTS). */
#include "whelk/sock.h"

#include "whelk/auto.h"
#include "whelk/err.h"

#include <string.h>
#include <sys/socket.h>

int sock_pair(int ret[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
        return err_sys("cannot make a socket pair");
    return 0;
}

union fd_control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void attach_fd(struct msghdr *msg, union fd_control *control, int fd)
{
    msg->msg_control = control->bytes;
    msg->msg_controllen = sizeof control->bytes;
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

int sock_send(int sock, struct iovec *parts, size_t n, int fd, int flags)
{
    union fd_control control = {0};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = n};
    if (fd >= 0)
        attach_fd(&msg, &control, fd);
    ssize_t sent;
    do
        sent = sendmsg(sock, &msg, MSG_NOSIGNAL | flags);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static int taken_fd(struct msghdr *msg)
{
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

ssize_t sock_recv(int sock, struct iovec *parts, size_t n, int *ret_fd, int flags)
{
    union fd_control control = {0};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = n};
    if (ret_fd) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof control.bytes;
    }
    ssize_t got;
    /* ECONNRESET is said once, before what is still queued, if the other side went away with messages of ours unread.
     */
    do
        got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0)
        return -errno;
    if (got == 0)
        return -EPIPE;
    if (ret_fd)
        *ret_fd = taken_fd(&msg);
    return got;
}
