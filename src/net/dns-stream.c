/* Messages by TCP: each behind two bytes with its length. Never blocks.
 *
 * Runs in: the resolver of named networks. */
#include "dns.h"

#include "whelk/auto.h"

#include <string.h>

void stream_begin(struct stream *s, int fd)
{
    *s = (struct stream){.fd = fd};
}

void stream_end(struct stream *s)
{
    fd_close(s->fd);
    free(s->in);
    free(s->out);
    *s = (struct stream){.fd = -1};
}

/* Returns -1 at the end, 0 if there is nothing now. */
static ssize_t read_some(struct stream *s, void *to, size_t len)
{
    ssize_t n = recv(s->fd, to, len, MSG_DONTWAIT);
    if (n > 0)
        s->got += (size_t)n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n ? n : -1;
}

int stream_read(struct stream *s, size_t max)
{
    while (s->got < sizeof s->head) {
        ssize_t n = read_some(s, s->head + s->got, sizeof s->head - s->got);
        if (n <= 0)
            return (int)n;
    }
    if (!s->in) {
        s->in_len = (size_t)(s->head[0] << 8 | s->head[1]);
        if (s->in_len == 0 || s->in_len > max)
            return -1;
        s->in = xmalloc(s->in_len);
    }
    while (s->got < sizeof s->head + s->in_len) {
        size_t at = s->got - sizeof s->head;
        ssize_t n = read_some(s, s->in + at, s->in_len - at);
        if (n <= 0)
            return (int)n;
    }
    return 1;
}

void stream_forget(struct stream *s)
{
    free(s->in);
    s->in = NULL;
    s->got = 0;
}

bool stream_put(struct stream *s, const uint8_t *msg, size_t len)
{
    if (s->out)
        return false;
    s->out = xmalloc(len + 2);
    s->out[0] = (uint8_t)(len >> 8);
    s->out[1] = (uint8_t)len;
    memcpy(s->out + 2, msg, len);
    s->out_len = len + 2;
    s->out_at = 0;
    return true;
}

bool stream_write(struct stream *s)
{
    while (s->out && s->out_at < s->out_len) {
        ssize_t n = send(s->fd, s->out + s->out_at, s->out_len - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        s->out_at += (size_t)n;
    }
    free(s->out);
    s->out = NULL;
    return true;
}
