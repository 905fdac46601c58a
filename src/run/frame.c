/* Frames on SOCK_SEQPACKET sockets. */
#include "frame.h"

#include "whelk/auto.h"
#include "whelk/err.h"
#include "whelk/sock.h"

#include <stdint.h>
#include <sys/socket.h>

int frame_pair(int ret[2])
{
    return sock_pair(ret);
}

int frame_send(int sock, enum frame type, const void *data, size_t len, int fd, int flags)
{
    unsigned char tag = (unsigned char)type;
    struct iovec parts[] = {{&tag, 1}, {(void *)(uintptr_t)data, len}};
    return sock_send(sock, parts, ARRAY_LEN(parts), fd, flags);
}

ssize_t frame_recv(int sock, enum frame *ret_type, void *buf, int *ret_fd, int flags)
{
    unsigned char tag = 0;
    struct iovec parts[] = {{&tag, 1}, {buf, FRAME_MAX}};
    ssize_t n = sock_recv(sock, parts, ARRAY_LEN(parts), ret_fd, flags);
    if (n < 0)
        return n;
    *ret_type = tag;
    return n - 1;
}

void frame_send_error(int sock, int r)
{
    size_t len = 0;
    auto_free char *packed = err_pack(r, &len);
    frame_send(sock, FRAME_ERROR, packed, MIN(len, (size_t)FRAME_MAX), -1, 0);
}

bool frame_peer_gone(int sock)
{
    char byte;
    return recv(sock, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) == 0;
}
