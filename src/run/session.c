/* The loop that looks after a running command.
 *
 * Theory of operation. One ppoll over few descriptors. Output goes command -> log -> client. A client that does not take a frame holds back the
 * reading of output (and so, through the full pipe, the command's writes), never anything else: signals, deadlines and the end are
 * still served. Input goes client -> command likewise, with one frame of buffer. When the command has ended, what the pipes still hold is
 * delivered and then the loop ends, even if somebody else kept a write end.
 *
 * Runs in: SUPERVISOR, the middle process of exec, build steps. */
#include "session.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/tty.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { REQUEST_KILL = 1, REQUEST_STOP = 2 };

int request_pack_kill(int sig)
{
    return REQUEST_KILL | sig << 4;
}

int request_pack_stop(int64_t timeout)
{
    return REQUEST_STOP | (int)(MIN(timeout, 100000000) + 2) << 4;
}

void session_init(struct session *s)
{
    *s = (struct session){.pidfd = -1, .sock = -1, .out = {-1, -1}, .master = -1, .in = -1, .client = -1, .signals = -1,
                          .raw_out = -1, .stop_signal = SIGTERM, .stop_timeout = 10};
}

void session_done(struct session *s)
{
    int *fds[] = {&s->pidfd, &s->sock, &s->out[0], &s->out[1], &s->master, &s->in, &s->client, &s->signals};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_close(take_fd(fds[i]));
    strv_free(s->stubs);
    free(s->pending);
    free(s->input);
    session_init(s);
}

static int make_pipe(int *ret_read, int *ret_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    *ret_read = ends[0];
    *ret_write = ends[1];
    return 0;
}

static int make_output(struct session *s, struct plan *p)
{
    if (p->c->tty)
        return 0;
    for (int i = 0; i < 2; i++) {
        int r = make_pipe(&s->out[i], &p->stdio[i + 1]);
        if (r < 0)
            return r;
        fd_set_nonblock(s->out[i], true);
    }
    return 0;
}

/* A new mount namespace has copies of all mounts; descriptors keep showing the old ones, but the working directory moves along. So the
 * store is the working directory for the moment of the clone, and the CHILD opens it anew. */
static pid_t clone_child(struct session *s, const struct plan *p, uint64_t ns_flags)
{
    auto_close int before = p->store_fd < 0 ? -1 : open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p->store_fd >= 0 && fchdir(p->store_fd) < 0)
        return err_sys("cannot enter the store");
    pid_t pid = ns_clone(ns_flags, &s->pidfd);
    if (pid == 0)
        child_main(p);
    if (before >= 0 && fchdir(before) < 0)
        (void)!chdir("/");
    return pid;
}

int session_start(struct session *s, struct plan *p, uint64_t ns_flags, bool relay_stdin)
{
    int socks[2];
    int r = frame_pair(socks);
    if (r < 0)
        return r;
    s->sock = socks[0];
    p->sock = socks[1];
    r = make_output(s, p);
    if (r == 0 && relay_stdin && !p->c->tty)
        r = make_pipe(&p->stdio[0], &s->in);
    if (r < 0)
        return r;
    pid_t pid = clone_child(s, p, ns_flags);
    fd_close(take_fd(&p->sock));
    for (int i = 0; i < 3; i++)
        fd_close(take_fd(&p->stdio[i]));
    if (pid < 0)
        return pid;
    s->pid = pid;
    return s->in >= 0 ? fd_set_nonblock(s->in, true) : 0;
}

int session_await(struct session *s)
{
    char buf[FRAME_MAX];
    enum frame type;
    int r = 0;
    frame_send(s->sock, FRAME_GO, NULL, 0, -1, 0);
    for (;;) {
        int fd = -1;
        ssize_t n = frame_recv(s->sock, &type, buf, &fd, 0);
        if (n < 0)
            break; /* the end: the socket went with the exec */
        if (type == FRAME_PTY && fd >= 0)
            s->master = take_fd(&fd);
        else if (type == FRAME_STUB)
            strv_add_take(&s->stubs, xstrndup(buf, (size_t)n));
        else if (type == FRAME_ERROR)
            r = err_unpack(buf, (size_t)n);
        fd_close(fd);
    }
    fd_close(take_fd(&s->sock));
    if (s->master >= 0) {
        fd_set_nonblock(s->master, true);
        if (s->size.ws_row)
            tty_set_size(s->master, &s->size);
    }
    if (r < 0)
        proc_reap(s->pid);
    return r;
}

/* Output of the command. */

static void drop_client(struct session *s)
{
    fd_close(take_fd(&s->client));
    s->pending_len = 0;
    if (s->client_owns)
        pidfd_signal(s->pidfd, SIGKILL, 0);
}

static void to_client(struct session *s, enum frame type, const char *data, size_t len)
{
    if (s->client < 0)
        return;
    int r = frame_send(s->client, type, data, len, -1, MSG_DONTWAIT);
    if (r == -EAGAIN) {
        if (!s->pending)
            s->pending = xmalloc(FRAME_MAX);
        memcpy(s->pending, data, len);
        s->pending_len = len;
        s->pending_type = type;
    } else if (r < 0) {
        drop_client(s);
    }
}

static void flush_pending(struct session *s)
{
    int r = frame_send(s->client, s->pending_type, s->pending, s->pending_len, -1, MSG_DONTWAIT);
    if (r == 0)
        s->pending_len = 0;
    else if (r != -EAGAIN)
        drop_client(s);
}

/* Moves what is there; false when the stream is at its end (or, ended: holds nothing more). */
static bool move_output(struct session *s, int fd, int stream, bool ended)
{
    char buf[FRAME_MAX];
    ssize_t n = read(fd, buf, sizeof buf);
    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return n < 0 && errno == EAGAIN && !ended;
    if (s->raw_out >= 0)
        (void)!fd_write_all(s->raw_out, buf, (size_t)n);
    if (s->log)
        log_add(s->log, stream, buf, (size_t)n);
    to_client(s, stream == 1 ? FRAME_STDOUT : FRAME_STDERR, buf, (size_t)n);
    return true;
}

/* Input to the command. */

static int *input_fd(struct session *s)
{
    return s->master >= 0 ? &s->master : &s->in;
}

static void write_input(struct session *s)
{
    int fd = *input_fd(s);
    ssize_t n = fd < 0 ? -1 : write(fd, s->input + s->input_at, s->input_len - s->input_at);
    if (n > 0)
        s->input_at += (size_t)n;
    bool failed = n < 0 && (fd < 0 || (errno != EAGAIN && errno != EINTR));
    if (failed || s->input_at == s->input_len)
        s->input_len = s->input_at = 0;
}

static void take_input(struct session *s, const char *data, size_t len)
{
    if (!s->input)
        s->input = xmalloc(FRAME_MAX);
    memcpy(s->input, data, len);
    s->input_len = len;
    s->input_at = 0;
    write_input(s);
}

/* The client's reader of one of our streams went away: so does ours, and the command gets its SIGPIPE. */
static void close_stream(struct session *s, int stream)
{
    if (s->master >= 0)
        pidfd_signal(s->pidfd, SIGHUP, 0);
    else
        fd_close(take_fd(&s->out[stream - 1]));
}

static void client_frame(struct session *s)
{
    char buf[FRAME_MAX];
    enum frame type;
    ssize_t n = frame_recv(s->client, &type, buf, NULL, MSG_DONTWAIT);
    if (n == -EAGAIN)
        return;
    if (n < 0) {
        drop_client(s);
        return;
    }
    int number = 0;
    memcpy(&number, buf, MIN((size_t)n, sizeof number));
    switch (type) {
    case FRAME_STDIN:
        take_input(s, buf, (size_t)n);
        break;
    case FRAME_STDIN_END:
        fd_close(take_fd(&s->in));
        break;
    case FRAME_RESIZE:
        if (s->master >= 0 && n == sizeof s->size)
            tty_set_size(s->master, (const struct winsize *)buf);
        break;
    case FRAME_SIGNAL:
        pidfd_signal(s->pidfd, number, 0);
        break;
    case FRAME_STDOUT:
    case FRAME_STDERR:
        close_stream(s, type == FRAME_STDOUT ? 1 : 2);
        break;
    default:
        break;
    }
}

/* Signals and deadlines. The clock is the monotonic one: setting the time must not kill. */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void begin_stop(struct session *s, int64_t timeout)
{
    if (timeout == TIMEOUT_OWN)
        timeout = s->stop_timeout;
    pidfd_signal(s->pidfd, timeout == 0 ? SIGKILL : s->stop_signal, 0);
    int64_t deadline = now_ms() + timeout * 1000;
    if (timeout > 0 && (!s->deadline || deadline < s->deadline))
        s->deadline = deadline;
}

static void request(struct session *s, int value)
{
    if ((value & 15) == REQUEST_KILL)
        pidfd_signal(s->pidfd, value >> 4, 0);
    else if ((value & 15) == REQUEST_STOP)
        begin_stop(s, (value >> 4) - 2);
}

static void take_signal(struct session *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof info) != sizeof info)
        return;
    if ((int)info.ssi_signo == SIGRTMIN + REQUEST_SIGNAL_OFFSET)
        request(s, info.ssi_int);
    else
        begin_stop(s, TIMEOUT_OWN);
}

static int poll_timeout(struct session *s, bool ended)
{
    if (ended)
        return 0;
    if (!s->deadline)
        return -1;
    int64_t left = s->deadline - now_ms();
    return left < 0 ? 0 : (int)MIN(left + 1, 3600000);
}

static void check_deadline(struct session *s)
{
    if (s->deadline && now_ms() >= s->deadline) {
        pidfd_signal(s->pidfd, SIGKILL, 0);
        s->deadline = 0;
    }
}

enum { P_END, P_OUT, P_ERR, P_MASTER, P_CLIENT, P_SIGNALS, P_IN, P_COUNT };

static void fill_poll(struct session *s, struct pollfd *p, bool ended)
{
    short output = s->pending_len ? 0 : POLLIN;
    short master = output | (s->input_len ? POLLOUT : 0);
    p[P_END] = (struct pollfd){ended ? -1 : s->pidfd, POLLIN, 0};
    p[P_OUT] = (struct pollfd){output ? s->out[0] : -1, output, 0};
    p[P_ERR] = (struct pollfd){output ? s->out[1] : -1, output, 0};
    p[P_MASTER] = (struct pollfd){master ? s->master : -1, master, 0};
    p[P_CLIENT] = (struct pollfd){s->client, (s->input_len ? 0 : POLLIN) | (s->pending_len ? POLLOUT : 0), 0};
    p[P_SIGNALS] = (struct pollfd){s->signals, POLLIN, 0};
    p[P_IN] = (struct pollfd){s->input_len ? s->in : -1, POLLOUT, 0};
}

static void serve_output(struct session *s, const struct pollfd *p, bool ended)
{
    static const int streams[] = {1, 2, 1};
    int *fds[] = {&s->out[0], &s->out[1], &s->master};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        bool ready = p[P_OUT + i].revents & (POLLIN | POLLHUP | POLLERR);
        if (*fds[i] < 0 || s->pending_len || (!ready && !ended))
            continue;
        if (!move_output(s, *fds[i], streams[i], ended))
            fd_close(take_fd(fds[i]));
    }
}

static void serve(struct session *s, const struct pollfd *p, bool ended)
{
    serve_output(s, p, ended);
    if (s->client >= 0 && (p[P_CLIENT].revents & POLLOUT) && s->pending_len)
        flush_pending(s);
    if (s->client >= 0 && (p[P_CLIENT].revents & (POLLIN | POLLHUP | POLLERR)) && !s->input_len)
        client_frame(s);
    if (p[P_SIGNALS].revents)
        take_signal(s);
    if ((p[P_IN].revents || (p[P_MASTER].revents & POLLOUT)) && s->input_len)
        write_input(s);
    check_deadline(s);
}

static bool drained(const struct session *s)
{
    return s->out[0] < 0 && s->out[1] < 0 && s->master < 0 && !s->pending_len;
}

int session_loop(struct session *s)
{
    bool ended = false;
    int status = 0;
    while (!ended || !drained(s)) {
        struct pollfd p[P_COUNT];
        fill_poll(s, p, ended);
        if (poll(p, P_COUNT, s->pending_len && ended ? -1 : poll_timeout(s, ended)) < 0 && errno != EINTR)
            break;
        serve(s, p, ended);
        if (p[P_END].revents) {
            status = proc_reap(s->pid);
            ended = true;
        }
    }
    return proc_exit_code(status);
}
