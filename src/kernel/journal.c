/* Writing to systemd's journal in its native protocol (systemd.io, "Native Journal Protocol"): a datagram is an entry,
 * a field "KEY=value\n", or with a value of any bytes "KEY\n", its length as 64 bits little-endian, the value, "\n".
 *
 * An entry has at most one piece of output, 32 KiB, and so fits into a datagram.
 *
 * Runs in: SUPERVISOR. */
#include "whelk/journal.h"

#include "whelk/err.h"

#include <endian.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

int journal_connect(int *ret_fd)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    static const struct timeval patience = {.tv_sec = 1};
    auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_sys("systemd's journal is not to be had (%s); use --log-driver file", JOURNAL_SOCKET);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    *ret_fd = take_fd(&fd);
    return 0;
}

void journal_field(struct buf *entry, const char *key, const void *value, size_t len)
{
    uint64_t size = htole64(len);
    buf_adds(entry, key);
    if (memchr(value, '\n', len)) {
        buf_addc(entry, '\n');
        buf_add(entry, &size, sizeof size);
    } else {
        buf_addc(entry, '=');
    }
    buf_add(entry, value, len);
    buf_addc(entry, '\n');
}

int journal_send(int fd, const struct buf *entry)
{
    ssize_t n;
    do
        n = send(fd, entry->data, entry->len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}
