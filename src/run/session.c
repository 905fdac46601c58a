/* The loop that looks after a running command.
 *
 * Theory of operation. One poll over few descriptors. Output goes command -> log -> client. A client that does not take
 * a frame holds back the reading of output (and so, through the full pipe, the command's writes), never anything else:
 * signals, deadlines and the end are still served. Input goes client -> command likewise, with one frame of buffer.
 * When the command has ended, what the pipes still hold is delivered and then the loop ends, even if somebody else kept
 * a write end.
 *
 * Runs in: SUPERVISOR, the middle process of exec, build steps. */
#include "session.h"

#include "fake-ids.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/tty.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

enum { REQUEST_KILL = 1, REQUEST_STOP = 2, REQUEST_ATTACH = 3, REQUEST_STOP_SIGNAL = 4, REQUEST_RELOAD = 5 };

int request_pack_kill(int sig)
{
    return REQUEST_KILL | sig << 4;
}

int request_pack_stop(int64_t timeout)
{
    return REQUEST_STOP | (int)(MIN(timeout, 100000000) + 2) << 4;
}

int request_pack_attach(unsigned number)
{
    return REQUEST_ATTACH | (int)number << 4;
}

int request_pack_stop_signal(int sig)
{
    return REQUEST_STOP_SIGNAL | sig << 4;
}

int request_pack_reload(void)
{
    return REQUEST_RELOAD;
}

void session_init(struct session *s)
{
    *s = (struct session){.pidfd = -1,
                          .sock = -1,
                          .out = {-1, -1},
                          .master = -1,
                          .notify = -1,
                          .in = -1,
                          .signals = -1,
                          .raw_out = -1,
                          .store_fd = -1,
                          .fake_upper = -1,
                          .stop_signal = SIGTERM,
                          .stop_timeout = 10};
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        s->clients[i].sock = -1;
    for (size_t i = 0; i < SOURCES_MAX; i++)
        s->sources[i].fd = -1;
}

void session_done(struct session *s)
{
    session_reset(s);
    fd_close(take_fd(&s->signals));
    clients_done(s);
    strv_free(s->stubs);
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

/* The CHILD gives its pipes to the command's user, but only those of its own ids; and whose this process is may be none
 * of them. Nobody else can reach a pipe. */
static void open_to_ids(const struct plan *p, int fd)
{
    if (p->nested)
        fchmod(fd, 0666);
}

static int make_output(struct session *s, struct plan *p)
{
    bool keeps_none = p->c->log_driver && str_eq(p->c->log_driver, "passthrough") && !p->exec;
    if (p->c->tty || keeps_none)
        return 0;
    for (int i = 0; i < 2; i++) {
        int r = make_pipe(&s->out[i], &p->stdio[i + 1]);
        if (r < 0)
            return r;
        open_to_ids(p, p->stdio[i + 1]);
        fd_set_nonblock(s->out[i], true);
    }
    return 0;
}

static pid_t clone_plain(struct plan *p, uint64_t flags, int *ret_pidfd)
{
    pid_t pid = ns_clone(flags, ret_pidfd);
    if (pid == 0 && p)
        child_main(p);
    return pid;
}

/* A new mount namespace has copies of all mounts; descriptors keep showing the old ones, but the working directory
 * moves along. So the store is the working directory for the moment of the clone, and the CHILD opens it anew. */
static pid_t clone_at_store(int store_fd, struct plan *p, pid_t (*fn)(struct plan *p, uint64_t flags, int *ret_pidfd),
                            uint64_t flags, int *ret_pidfd)
{
    auto_close int before = store_fd < 0 ? -1 : open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (store_fd >= 0 && fchdir(store_fd) < 0)
        return err_sys("cannot enter the store");
    pid_t pid = fn(p, flags, ret_pidfd);
    if (pid != 0 && before >= 0 && fchdir(before) < 0)
        (void)!chdir("/");
    return pid;
}

pid_t session_clone_at_store(const struct plan *p, uint64_t flags, int *ret_pidfd)
{
    return clone_at_store(p->store_fd, NULL, clone_plain, flags, ret_pidfd);
}

int session_start(struct session *s, struct plan *p, uint64_t ns_flags, bool relay_stdin)
{
    int socks[2];
    int r = frame_pair(socks);
    if (r < 0)
        return r;
    s->sock = socks[0];
    p->sock = socks[1];
    p->size = s->size;
    r = make_output(s, p);
    if (r == 0 && relay_stdin && !p->c->tty)
        r = make_pipe(&p->stdio[0], &s->in);
    if (r < 0)
        return r;
    if (s->in >= 0)
        open_to_ids(p, p->stdio[0]);
    pid_t pid = clone_at_store(p->store_fd, p, p->nested && !p->exec ? nested_clone : clone_plain, ns_flags, &s->pidfd);
    s->plan = p;
    fd_close(take_fd(&p->sock));
    for (int i = 0; i < 3; i++)
        fd_close(take_fd(&p->stdio[i]));
    if (pid < 0)
        return pid;
    s->pid = pid;
    return s->in >= 0 ? fd_set_nonblock(s->in, true) : 0;
}

int session_attach_net(struct session *s, struct net *net)
{
    char buf[FRAME_MAX];
    enum frame type;
    auto_close int fd = -1;
    ssize_t n = frame_recv(s->sock, &type, buf, &fd, 0);
    if (n >= 0 && type == FRAME_ERROR)
        return err_unpack(buf, (size_t)n);
    if (n < 0 || type != FRAME_NET)
        return err_set(-ECHILD, "the container's first process was killed while it started");
    auto_free char *warning = n ? xstrndup(buf, (size_t)n) : NULL;
    return net_attach(net, pidfd_pid(s->pidfd), take_fd(&fd), warning);
}

int session_await(struct session *s)
{
    _Alignas(struct fake_creds) char buf[FRAME_MAX];
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
        else if (type == FRAME_NOTIFY && fd >= 0 && s->notify < 0)
            s->notify = take_fd(&fd);
        else if (type == FRAME_READY)
            r = nested_build(s);
        else if (type == FRAME_STUB)
            strv_add_take(&s->stubs, xstrndup(buf, (size_t)n));
        else if (type == FRAME_FAKE_IDS && fd >= 0 && n == sizeof(struct fake_creds))
            r = fake_ids_start(fd, s->pid, (const struct fake_creds *)buf, s->fake_upper, &s->fake);
        else if (type == FRAME_ERROR)
            r = err_unpack(buf, (size_t)n);
        fd_close(fd);
        if (type == FRAME_READY && r < 0)
            break; /* the CHILD waits for what will not come: its socket's end tells it */
    }
    fd_close(take_fd(&s->sock));
    if (s->master >= 0)
        fd_set_nonblock(s->master, true);
    if (r < 0) {
        proc_reap(s->pid);
        session_reset(s);
    }
    return r;
}

void session_reset(struct session *s)
{
    int *fds[] = {&s->pidfd, &s->sock, &s->out[0], &s->out[1], &s->master, &s->in, &s->notify};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_close(take_fd(fds[i]));
    session_drop_input(s);
    s->deadline = 0;
}

/* Output of the command. */

/* What goes to a plain descriptor, up to its limit. */
static void give_raw(struct session *s, const char *data, size_t len)
{
    if (s->raw_out < 0)
        return;
    size_t n = s->raw_max ? MIN(len, s->raw_max) : len;
    (void)!fd_write_all(s->raw_out, data, n);
    if (!s->raw_max)
        return;
    s->raw_max -= n;
    if (s->raw_max == 0)
        s->raw_out = -1;
}

/* Moves what is there, at most *rest; false when the stream is at its end, or nothing is left of *rest. */
static bool move_output(struct session *s, int fd, int stream, size_t *rest)
{
    char buf[FRAME_MAX];
    ssize_t n = *rest ? read(fd, buf, MIN(sizeof buf, *rest)) : 0;
    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return n < 0 && errno == EAGAIN && *rest == SIZE_MAX;
    if (*rest != SIZE_MAX)
        *rest -= (size_t)n;
    give_raw(s, buf, (size_t)n);
    if (s->log)
        log_add(s->log, stream, buf, (size_t)n);
    clients_send(s, stream == 1 ? FRAME_STDOUT : FRAME_STDERR, buf, (size_t)n);
    return true;
}

/* Signals, timers and deadlines. The clock is the monotonic one: setting the time must not kill. */

int64_t session_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void session_stop(struct session *s, int64_t timeout)
{
    bool first = !s->stop_asked;
    s->stop_asked = true;
    if (first && s->stopping)
        s->stopping(s->stopping_ctx);
    if (timeout == TIMEOUT_OWN)
        timeout = s->stop_timeout;
    pidfd_signal(s->pidfd, timeout == 0 ? SIGKILL : s->stop_signal, 0);
    int64_t deadline = session_now() + timeout * 1000;
    if (timeout > 0 && (!s->deadline || deadline < s->deadline))
        s->deadline = deadline;
}

/* The client made the socket and waits on it: nothing of ours has to lie around for those who may come. */
static void connect_client(struct session *s, unsigned number)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_close int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/tmp/attach-%u", s->store_fd, number);
    if (sock < 0 || s->store_fd < 0 || connect(sock, (struct sockaddr *)&address, sizeof address) < 0)
        return;
    client_add(s, take_fd(&sock), false);
}

static void request(struct session *s, int value)
{
    int argument = value >> 4;
    switch (value & 15) {
    case REQUEST_KILL:
        s->stop_asked = s->stop_asked || argument == SIGKILL || argument == s->stop_signal;
        pidfd_signal(s->pidfd, argument, 0);
        break;
    case REQUEST_STOP:
        session_stop(s, argument - 2);
        break;
    case REQUEST_ATTACH:
        connect_client(s, (unsigned)argument);
        break;
    case REQUEST_STOP_SIGNAL:
        s->stop_signal = argument;
        break;
    case REQUEST_RELOAD:
        if (s->reload)
            s->reload(s->reload_ctx);
        break;
    }
}

static void take_signal(struct session *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof info) != sizeof info)
        return;
    if ((int)info.ssi_signo == SIGRTMIN + REQUEST_SIGNAL_OFFSET)
        request(s, info.ssi_int);
    else if (info.ssi_signo != SIGHUP)
        session_stop(s, TIMEOUT_OWN);
    else if (s->log)
        log_reopen(s->log);
}

void session_timer(struct session *s, int64_t at, void (*fire)(struct session *s, void *ctx), void *ctx)
{
    struct timer *place = NULL;
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        struct timer *t = &s->timers[i];
        bool same = t->fire == fire && t->ctx == ctx;
        if (same || (!place && !t->at))
            place = t;
        if (same)
            break;
    }
    if (place)
        *place = (struct timer){at, fire, ctx};
}

void session_source(struct session *s, int fd, void (*ready)(struct session *s, void *ctx), void *ctx)
{
    for (size_t i = 0; i < SOURCES_MAX; i++) {
        struct source *q = &s->sources[i];
        if (fd < 0 ? q->ready == ready && q->ctx == ctx : q->fd < 0) {
            *q = (struct source){fd, ready, ctx};
            return;
        }
    }
}

/* The moment at which something is to be done next, 0: never. */
static int64_t next_time(const struct session *s)
{
    int64_t next = s->deadline;
    for (size_t i = 0; i < TIMERS_MAX; i++)
        if (s->timers[i].at && (!next || s->timers[i].at < next))
            next = s->timers[i].at;
    return next;
}

/* ms that an ended command's output waits for somebody who was attached and does not take it */
enum { WATCHER_PATIENCE = 5000 };

static int poll_timeout(const struct session *s, bool ended)
{
    if (ended)
        return clients_stalled(s) ? WATCHER_PATIENCE : 0;
    int64_t next = next_time(s);
    if (!next)
        return -1;
    int64_t left = next - session_now();
    return left < 0 ? 0 : (int)MIN(left + 1, 3600000);
}

static void check_times(struct session *s)
{
    int64_t now = next_time(s) ? session_now() : 0;
    if (s->deadline && now >= s->deadline) {
        pidfd_signal(s->pidfd, SIGKILL, 0);
        s->deadline = 0;
    }
    for (size_t i = 0; i < TIMERS_MAX; i++) {
        struct timer t = s->timers[i];
        if (!t.at || now < t.at)
            continue;
        s->timers[i].at = 0;
        t.fire(s, t.ctx);
    }
}

enum {
    P_END,
    P_OUT,
    P_ERR,
    P_MASTER,
    P_SIGNALS,
    P_IN,
    P_CLIENTS,
    P_SOURCES = P_CLIENTS + CLIENTS_MAX,
    P_COUNT = P_SOURCES + SOURCES_MAX
};

static void fill_poll(const struct session *s, struct pollfd *p, bool ended)
{
    short output = clients_stalled(s) ? 0 : POLLIN;
    short master = output | (s->input_len ? POLLOUT : 0);
    p[P_END] = (struct pollfd){ended ? -1 : s->pidfd, POLLIN, 0};
    p[P_OUT] = (struct pollfd){output ? s->out[0] : -1, output, 0};
    p[P_ERR] = (struct pollfd){output ? s->out[1] : -1, output, 0};
    p[P_MASTER] = (struct pollfd){master ? s->master : -1, master, 0};
    p[P_SIGNALS] = (struct pollfd){s->signals, POLLIN, 0};
    p[P_IN] = (struct pollfd){s->input_len ? s->in : -1, POLLOUT, 0};
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        const struct client *c = &s->clients[i];
        p[P_CLIENTS + i] = (struct pollfd){c->sock, POLLIN | (client_waits(c) ? POLLOUT : 0), 0};
    }
    for (size_t i = 0; i < SOURCES_MAX; i++)
        p[P_SOURCES + i] = (struct pollfd){s->sources[i].fd, POLLIN, 0};
}

/* The command has ended: what its streams hold now is still its output. What others write from here on, who got hold of
 * its ends, is not: they could write for ever. A terminal does not tell all that it holds, which is less than PTY_REST.
 */
static void mark_rest(struct session *s)
{
    enum { PTY_REST = 1 << 20 };
    for (size_t i = 0; i < ARRAY_LEN(s->out); i++) {
        int n = 0;
        s->rest[i] = s->out[i] >= 0 && ioctl(s->out[i], FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
    }
    s->rest[2] = PTY_REST;
}

static void serve_output(struct session *s, const struct pollfd *p, bool ended)
{
    static const int streams[] = {1, 2, 1};
    int *fds[] = {&s->out[0], &s->out[1], &s->master};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        size_t all = SIZE_MAX;
        bool ready = p[P_OUT + i].revents & (POLLIN | POLLHUP | POLLERR);
        if (*fds[i] < 0 || clients_stalled(s) || (!ready && !ended))
            continue;
        if (!move_output(s, *fds[i], streams[i], ended ? &s->rest[i] : &all))
            fd_close(take_fd(fds[i]));
    }
}

static void serve_clients(struct session *s, const struct pollfd *p)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &s->clients[i];
        short got = p[i].revents;
        if (c->sock >= 0 && p[i].fd == c->sock && (got & POLLOUT) && client_waits(c))
            client_flush(s, c);
        if (c->sock >= 0 && p[i].fd == c->sock && (got & (POLLIN | POLLHUP | POLLERR)))
            client_receive(s, c);
    }
}

static void serve(struct session *s, const struct pollfd *p, bool ended)
{
    serve_output(s, p, ended);
    serve_clients(s, p + P_CLIENTS);
    if (p[P_SIGNALS].revents)
        take_signal(s);
    if ((p[P_IN].revents || (p[P_MASTER].revents & POLLOUT)) && s->input_len)
        session_write_input(s);
    for (size_t i = 0; i < SOURCES_MAX; i++)
        if (p[P_SOURCES + i].revents && s->sources[i].fd == p[P_SOURCES + i].fd)
            s->sources[i].ready(s, s->sources[i].ctx);
    check_times(s);
}

static bool drained(const struct session *s)
{
    return s->out[0] < 0 && s->out[1] < 0 && s->master < 0 && !clients_stalled(s);
}

/* ms of silence after which the session's memory is given back */
enum { QUIET = 2000 };

/* poll, and once in a while of silence the memory that is not needed for waiting. *quiet: it has been given back. */
__attribute__((cold, noinline)) static int await_events(const struct session *s, struct pollfd *p, int timeout,
                                                        bool *quiet)
{
    int first = *quiet || !s->trims || (timeout >= 0 && timeout <= QUIET) ? timeout : QUIET;
    int n = poll(p, P_COUNT, first);
    if (n == 0 && first != timeout) {
        proc_trim_memory();
        *quiet = true;
        n = poll(p, P_COUNT, timeout < 0 ? -1 : timeout - QUIET);
    }
    *quiet = *quiet && n == 0;
    return n;
}

int session_loop(struct session *s)
{
    bool ended = false, quiet = false;
    int status = 0;
    while (!ended || !drained(s)) {
        struct pollfd p[P_COUNT];
        fill_poll(s, p, ended);
        int n = await_events(s, p, poll_timeout(s, ended), &quiet);
        if (n < 0 && errno != EINTR)
            break;
        if (n == 0 && ended)
            clients_drop_stalled(s);
        serve(s, p, ended);
        if (p[P_END].revents) {
            status = proc_reap(s->pid);
            ended = true;
            mark_rest(s);
        }
    }
    session_reset(s);
    return proc_exit_code(status);
}

void session_idle(struct session *s, int64_t ms)
{
    int64_t end = session_now() + ms;
    while (!s->stop_asked && session_now() < end) {
        struct pollfd p[P_COUNT];
        fill_poll(s, p, false);
        if (poll(p, P_COUNT, (int)MIN(end - session_now() + 1, 3600000)) < 0 && errno != EINTR)
            break;
        serve(s, p, false);
    }
}
