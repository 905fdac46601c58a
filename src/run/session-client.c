/* The clients of a session: who reads the command's output and writes its input.
 *
 * A frame that one of them cannot take is kept for it, and the command's output is not read on until it is gone: so a
 * slow client holds back the command's writes and nothing else.
 *
 * Runs in: SUPERVISOR, the middle process of exec. */
#include "session.h"

#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/tty.h"

#include <sys/prctl.h>
#include <sys/socket.h>

void client_add(struct session *s, int sock, bool owner)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        if (c->sock >= 0)
            continue;
        c->sock = sock;
        c->owner = owner;
        c->queued = c->taken = 0;
        return;
    }
    fd_close(sock);
}

static void drop(struct session *s, struct client *c)
{
    fd_close(take_fd(&c->sock));
    c->pending_len = 0;
    if (c->owner && s->pidfd >= 0)
        pidfd_signal(s->pidfd, SIGKILL, 0);
    c->owner = false;
}

void clients_done(struct session *s)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        fd_close(take_fd(&s->clients[i].sock));
        free(s->clients[i].pending);
        s->clients[i].pending = NULL;
    }
}

static void keep(struct client *c, enum frame type, const void *data, size_t len)
{
    if (!c->pending)
        c->pending = xmalloc(FRAME_MAX);
    memcpy(c->pending, data, len);
    c->pending_len = len;
    c->pending_type = type;
}

void clients_send(struct session *s, enum frame type, const void *data, size_t len)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        if (c->sock < 0)
            continue;
        int r = frame_send(c->sock, type, data, len, -1, MSG_DONTWAIT);
        if (r == -EAGAIN)
            keep(c, type, data, len);
        else if (r < 0)
            drop(s, c);
    }
}

void clients_finish(struct session *s, int code)
{
    static const struct timeval patience = {.tv_sec = 5};
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        int sock = s->clients[i].sock;
        if (sock < 0)
            continue;
        /* This frame waits for its reader, but for one that only watches not for ever. */
        if (!s->clients[i].owner)
            setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        frame_send(sock, FRAME_EXIT, &code, sizeof code, -1, 0);
    }
}

bool clients_stalled(const struct session *s)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (s->clients[i].pending_len)
            return true;
    return false;
}

void clients_drop_stalled(struct session *s)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (s->clients[i].pending_len && !s->clients[i].owner)
            drop(s, &s->clients[i]);
}

static int flush_pending(struct client *c)
{
    int r = c->pending_len ? frame_send(c->sock, c->pending_type, c->pending, c->pending_len, -1, MSG_DONTWAIT) : 0;
    if (r == 0)
        c->pending_len = 0;
    return r;
}

static int flush_taken(struct client *c)
{
    int r = c->taken ? frame_send(c->sock, FRAME_STDIN_TAKEN, &c->taken, sizeof c->taken, -1, MSG_DONTWAIT) : 0;
    if (r == 0)
        c->taken = 0;
    return r;
}

bool client_waits(const struct client *c)
{
    return c->pending_len || c->taken;
}

void client_flush(struct session *s, struct client *c)
{
    int r = flush_pending(c);
    if (r == 0)
        r = flush_taken(c);
    if (r < 0 && r != -EAGAIN)
        drop(s, c);
}

/* Input to the command. */

/* Everything has been taken, or nobody is there to take it. */
void session_drop_input(struct session *s)
{
    s->input_len = s->input_at = 0;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        c->taken += c->queued;
        c->queued = 0;
        if (c->sock >= 0 && c->taken)
            client_flush(s, c);
    }
    if (s->input_end)
        fd_close(take_fd(&s->in));
    s->input_end = false;
}

void session_write_input(struct session *s)
{
    int fd = s->master >= 0 ? s->master : s->in;
    ssize_t n = fd < 0 ? -1 : write(fd, s->input + s->input_at, s->input_len - s->input_at);
    if (n > 0)
        s->input_at += (size_t)n;
    bool failed = n < 0 && (fd < 0 || (errno != EAGAIN && errno != EINTR));
    if (failed || s->input_at == s->input_len)
        session_drop_input(s);
}

static void take_stdin(struct session *s, struct client *c, const char *data, size_t len)
{
    if (++c->queued > STDIN_WINDOW) {
        drop(s, c);
        return;
    }
    s->input = xrealloc(s->input, s->input_len + len + 1);
    memcpy(s->input + s->input_len, data, len);
    s->input_len += len;
    session_write_input(s);
}

static void take_stdin_end(struct session *s, struct client *c, const char *data, size_t len)
{
    if (s->input_len)
        s->input_end = true;
    else
        fd_close(take_fd(&s->in));
}

static void take_resize(struct session *s, struct client *c, const char *data, size_t len)
{
    if (len != sizeof s->size)
        return;
    memcpy(&s->size, data, len);
    if (s->master >= 0)
        tty_set_size(s->master, &s->size);
}

static void take_signal(struct session *s, struct client *c, const char *data, size_t len)
{
    int sig;
    if (len != sizeof sig)
        return;
    memcpy(&sig, data, len);
    pidfd_signal(s->pidfd, sig, 0);
}

static void take_stop(struct session *s, struct client *c, const char *data, size_t len)
{
    session_stop(s, TIMEOUT_OWN);
}

/* The client's reader of one of our streams went away: so does ours, and the command gets its SIGPIPE. Only the owner
 * speaks for all. */
static void take_closed(struct session *s, struct client *c, int stream)
{
    if (!c->owner)
        drop(s, c);
    else if (s->master >= 0)
        pidfd_signal(s->pidfd, SIGHUP, 0);
    else
        fd_close(take_fd(&s->out[stream - 1]));
}

static void take_closed_stdout(struct session *s, struct client *c, const char *data, size_t len)
{
    take_closed(s, c, 1);
}

static void take_closed_stderr(struct session *s, struct client *c, const char *data, size_t len)
{
    take_closed(s, c, 2);
}

/* It leaves, the container stays. */
static void take_detach(struct session *s, struct client *c, const char *data, size_t len)
{
    if (c->owner)
        prctl(PR_SET_PDEATHSIG, 0);
    c->owner = false;
    drop(s, c);
}

static void (*const handlers[])(struct session *s, struct client *c, const char *data, size_t len) = {
    [FRAME_STDIN] = take_stdin,          [FRAME_STDIN_END] = take_stdin_end,
    [FRAME_RESIZE] = take_resize,        [FRAME_SIGNAL] = take_signal,
    [FRAME_STDOUT] = take_closed_stdout, [FRAME_STDERR] = take_closed_stderr,
    [FRAME_DETACH] = take_detach,        [FRAME_STOP] = take_stop,
};

void client_receive(struct session *s, struct client *c)
{
    char buf[FRAME_MAX];
    enum frame type;
    ssize_t n = frame_recv(c->sock, &type, buf, NULL, MSG_DONTWAIT);
    if (n == -EAGAIN)
        return;
    if (n < 0)
        drop(s, c);
    else if ((size_t)type < ARRAY_LEN(handlers) && handlers[type])
        handlers[type](s, c, buf, (size_t)n);
}
