/* Frames on SOCK_SEQPACKET sockets. */
#include "frame.h"

#include "whelk/auto.h"
#include "whelk/err.h"
#include "whelk/str.h"

#include <sys/socket.h>
#include <sys/uio.h>

int frame_pair(int ret[2])
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

int frame_send(int sock, enum frame type, const void *data, size_t len, int fd, int flags)
{
    unsigned char tag = (unsigned char)type;
    union fd_control control = {0};
    struct iovec parts[] = {{&tag, 1}, {(void *)(uintptr_t)data, len}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd >= 0)
        attach_fd(&msg, &control, fd);
    ssize_t n;
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL | flags);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static int taken_fd(struct msghdr *msg)
{
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

ssize_t frame_recv(int sock, enum frame *ret_type, void *buf, int *ret_fd, int flags)
{
    unsigned char tag = 0;
    union fd_control control = {0};
    struct iovec parts[] = {{&tag, 1}, {buf, FRAME_MAX}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    if (ret_fd) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof control.bytes;
    }
    ssize_t n;
    /* ECONNRESET is said once, before what is still queued, if the other side went away with frames of ours unread. */
    do
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | flags);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0)
        return -errno;
    if (n == 0)
        return -EPIPE;
    if (ret_fd)
        *ret_fd = taken_fd(&msg);
    *ret_type = tag;
    return n - 1;
}

void frame_send_error(int sock, int r)
{
    size_t len = 0;
    auto_free char *packed = err_pack(r, &len);
    frame_send(sock, FRAME_ERROR, packed, MIN(len, (size_t)FRAME_MAX), -1, 0);
}
