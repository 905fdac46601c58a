/* The relay: the caller's terminal, pipes and signals on one side, a session's frames on the other.
 *
 * Runs in: STARTER of an attached run, exec. It alone writes to the caller's stdout: a slow reader stalls this process,
 * not the supervisor (RUNTIME, processes 3). */
#include "launch.h"

#include "detach.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/tty.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

/* One without a name. */
static bool is_pipe(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

int attach_stdin(bool interactive, bool tty, int *ret_fd, bool *ret_relay)
{
    struct stat st;
    *ret_fd = -1;
    *ret_relay = false;
    if (!interactive || tty || fstat(STDIN_FILENO, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return err_set(-EISDIR, "standard input is a directory; a container may not have it");
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
        return 0; /* /dev/null: the container has its own */
    /* Only what leads nowhere else is handed in: a file could be opened again for writing, a directory walked out of, a
     * named pipe given to somebody (RUNTIME, processes 4). */
    if (is_pipe(STDIN_FILENO) || S_ISSOCK(st.st_mode)) {
        *ret_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? err_sys("cannot use standard input") : 0;
    }
    *ret_relay = true;
    return 0;
}

/* All that can be forwarded but those that speak of this process itself (CV-81). Not while keys are read from a
 * terminal in raw mode: there ^C is a key like others, and a signal is meant for this process. */
static void forwarded_signals(sigset_t *set, bool proxy)
{
    static const int never[] = {SIGCHLD, SIGPIPE, SIGURG, SIGSTOP, SIGKILL, SIGTSTP, SIGTTIN,
                                SIGTTOU, SIGSEGV, SIGBUS, SIGILL,  SIGFPE,  SIGABRT};
    sigemptyset(set);
    if (proxy)
        sigfillset(set);
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        sigdelset(set, never[i]);
    /* nohup, and ^C for what a script runs in the background: a blocked signal would come although it is ignored. */
    for (int sig = 1; sig < SIGRTMIN; sig++) {
        struct sigaction now;
        if (sigismember(set, sig) == 1 && sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
            sigdelset(set, sig);
    }
    sigaddset(set, SIGWINCH);
}

struct relay {
    const struct attach *a;
    int signals;
    bool stdin_open, raw, detached;
    int window; /* so many pieces of stdin the session still takes */
    struct detach_keys keys;
    int code, write_error;
    /* what was read from stdin and the session does not take yet: meanwhile its output is still served, or both would
     * wait for each other */
    enum frame held_type;
    bool held;
    size_t held_len;
    char held_data[FRAME_MAX];
    /* what a slow reader of our output has not taken yet: meanwhile signals and stdin are still served, and no further
     * output is asked for */
    enum frame out_type;
    size_t out_at, out_len;
    char out_data[FRAME_MAX];
};

static void send_size(struct relay *r)
{
    struct winsize size;
    if (r->a->tty && tty_get_size(STDIN_FILENO, &size) == 0)
        frame_send(r->a->sock, FRAME_RESIZE, &size, sizeof size, -1, 0);
}

static void take_signal(struct relay *r)
{
    struct signalfd_siginfo info;
    if (read(r->signals, &info, sizeof info) != sizeof info)
        return;
    int sig = (int)info.ssi_signo;
    if (sig == SIGWINCH)
        send_size(r);
    else if (sig == SIGTERM && r->a->stop_on_term)
        frame_send(r->a->sock, FRAME_STOP, NULL, 0, -1, 0);
    else
        frame_send(r->a->sock, FRAME_SIGNAL, &sig, sizeof sig, -1, 0);
}

/* The SUPERVISOR's messages to systemd: it listens to this process only (notify.c). */
static void pass_notify(const struct relay *r)
{
    char text[NOTIFY_MAX + 1];
    ssize_t n;
    while (r->a->notify_to > 0 && (n = recv(r->a->notify_from, text, NOTIFY_MAX, MSG_DONTWAIT)) > 0) {
        text[n] = 0;
        notify_send(r->a->notify_to, "%s", text);
    }
}

static void flush_held(struct relay *r)
{
    int e = frame_send(r->a->sock, r->held_type, r->held_data, r->held_len, -1, MSG_DONTWAIT);
    r->held = e == -EAGAIN;
}

static void hold(struct relay *r, enum frame type, size_t len)
{
    r->held_type = type;
    r->held_len = len;
    flush_held(r);
}

/* One piece of the own stdin. */
static void take_stdin(struct relay *r)
{
    char buf[FRAME_MAX - DETACH_MAX];
    ssize_t n = read(STDIN_FILENO, buf, sizeof buf);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        r->stdin_open = false;
        hold(r, FRAME_STDIN_END, 0);
        return;
    }
    size_t len = (size_t)n;
    if (r->raw)
        r->detached = detach_feed(&r->keys, buf, len, r->held_data, &len);
    else
        memcpy(r->held_data, buf, len);
    if (len) {
        r->window--;
        hold(r, FRAME_STDIN, len);
    }
    if (r->detached) {
        r->stdin_open = false;
        frame_send(r->a->sock, FRAME_DETACH, NULL, 0, -1, 0);
    }
}

/* Writes without waiting, and without O_NONBLOCK: that would be the caller's too. A pipe that can take anything takes a
 * page. -EAGAIN: not now; files never say so. */
static ssize_t write_now(int fd, const char *data, size_t len)
{
    enum { PIECE = 4096 };
    struct stat st;
    struct iovec piece = {(void *)(uintptr_t)data, len};
    struct pollfd ready = {fd, POLLOUT, 0};
    bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    ssize_t n = file ? write(fd, data, len) : pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
    if (n >= 0 || file || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS))
        return n < 0 ? -errno : n;
    if (poll(&ready, 1, 0) <= 0)
        return -EAGAIN;
    n = write(fd, data, MIN(len, PIECE));
    return n < 0 ? -errno : n;
}

static int out_fd(const struct relay *r)
{
    return r->out_type == FRAME_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
}

/* Writes what the session sent. A reader that went away is told to the session, so that the command gets its SIGPIPE
 * (CV-15); so is a full disk, but that the caller has to know. */
static void give_output(struct relay *r)
{
    if (r->out_type == FRAME_STDOUT ? r->a->no_stdout : r->a->no_stderr)
        r->out_len = 0;
    ssize_t n = 0;
    while (r->out_len && n >= 0) {
        n = write_now(out_fd(r), r->out_data + r->out_at, r->out_len);
        r->out_at += n > 0 ? (size_t)n : 0;
        r->out_len -= n > 0 ? (size_t)n : 0;
        if (n == -EINTR)
            n = 0;
    }
    if (n >= 0 || n == -EAGAIN)
        return;
    r->out_len = 0;
    if (n != -EPIPE && r->out_type == FRAME_STDOUT)
        r->write_error = (int)n;
    frame_send(r->a->sock, r->out_type, NULL, 0, -1, 0);
}

/* False at the end. */
static bool take_frame(struct relay *r)
{
    char *buf = r->out_data; /* nothing is in it while frames are taken */
    enum frame type;
    int taken;
    ssize_t n = frame_recv(r->a->sock, &type, buf, NULL, MSG_DONTWAIT);
    if (n == -EAGAIN)
        return true;
    if (n < 0)
        return false;
    if (type == FRAME_STDOUT || type == FRAME_STDERR) {
        r->out_type = type;
        r->out_at = 0;
        r->out_len = (size_t)n;
        give_output(r);
    } else if (type == FRAME_STDIN_TAKEN && n == sizeof taken) {
        memcpy(&taken, buf, sizeof taken);
        r->window += taken;
    } else if (type == FRAME_EXIT && n == sizeof r->code) {
        memcpy(&r->code, buf, sizeof r->code);
    }
    return type != FRAME_EXIT;
}

/* False at the end of the session. After the keys it hangs up: only then has it let go of us, and our end does not take
 * the container along. */
static bool serve(struct relay *r, const struct pollfd *p)
{
    if (p[1].revents)
        take_signal(r);
    if (p[3].revents & POLLIN)
        pass_notify(r);
    if ((p[0].revents & POLLOUT) && r->held)
        flush_held(r);
    if (p[4].revents)
        give_output(r);
    else if ((p[0].revents & (POLLIN | POLLHUP | POLLERR)) && !r->out_len && !take_frame(r))
        return false;
    if (p[2].revents)
        take_stdin(r);
    return true;
}

static void relay_loop(struct relay *r)
{
    for (bool more = true; more;) {
        /* while output waits, not even the end of the session is of interest */
        short frames = (r->out_len ? 0 : POLLIN) | (r->held ? POLLOUT : 0);
        struct pollfd p[] = {{frames ? r->a->sock : -1, frames, 0},
                             {r->signals, POLLIN, 0},
                             {r->stdin_open && !r->held && r->window > 0 ? STDIN_FILENO : -1, POLLIN, 0},
                             {r->a->notify_to > 0 ? r->a->notify_from : -1, POLLIN, 0},
                             {r->out_len ? out_fd(r) : -1, POLLOUT, 0}};
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            break;
        more = serve(r, p);
    }
}

int attach_relay(const struct attach *a)
{
    sigset_t set, before;
    struct relay r = {.a = a, .stdin_open = a->read_stdin, .window = STDIN_WINDOW, .code = -1};
    int error = detach_parse(a->detach_keys, &r.keys);
    if (error < 0)
        return error;
    r.raw = a->tty && a->read_stdin && isatty(STDIN_FILENO);
    forwarded_signals(&set, a->sig_proxy && !r.raw);
    if (a->stop_on_term)
        sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &before);
    auto_close int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    r.signals = signals;
    if (r.raw)
        tty_raw(STDIN_FILENO);
    if (a->send_size)
        send_size(&r);
    relay_loop(&r);
    pass_notify(&r);
    tty_restore();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (r.detached)
        return 0;
    if (r.code < 0)
        return err_with_status(err_set(-ECHILD, "the supervisor was lost; the container was killed with it"), 137);
    if (r.write_error && r.code == 0)
        return err_set(r.write_error, "cannot write to standard output: %s", strerror(-r.write_error));
    return r.code;
}

/* A socket in the store's tmp/ under a random number. The caller holds the store, so that nobody sweeps it. */
static int listen_random(const struct store *s, unsigned *ret_number)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_close int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return err_sys("cannot make a socket");
    for (int tries = 0; tries < 100; tries++) {
        unsigned number = 0;
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            break;
        number %= ATTACH_NUMBERS;
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/tmp/attach-%u", s->fd, number);
        if (bind(sock, (struct sockaddr *)&address, sizeof address) == 0 && listen(sock, 1) == 0) {
            *ret_number = number;
            return take_fd(&sock);
        }
        if (errno != EADDRINUSE)
            break;
    }
    return err_sys("cannot make a socket in %s/tmp", s->path);
}

/* Asks the supervisor to connect, and waits for that or for its end. */
static int accept_supervisor(int listener, unsigned number, int supervisor)
{
    struct pollfd p[] = {{listener, POLLIN, 0}, {supervisor, POLLIN, 0}};
    int r = pidfd_signal(supervisor, SIGRTMIN + REQUEST_SIGNAL_OFFSET, request_pack_attach(number));
    if (r < 0)
        return r;
    while (poll(p, ARRAY_LEN(p), -1) < 0 && errno == EINTR)
        ;
    if (!(p[0].revents & POLLIN))
        return -ESRCH;
    int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return sock < 0 ? err_sys("cannot take the supervisor's connection") : sock;
}

static int connect_to(const struct store *s, const char *id)
{
    auto_close int hold_fd = -1, supervisor = -1;
    unsigned number = 0;
    int r = store_hold(s, &hold_fd);
    if (r == 0)
        r = run_supervisor(s, id, &supervisor);
    if (r < 0)
        return r;
    auto_close int listener = listen_random(s, &number);
    if (listener < 0)
        return listener;
    r = accept_supervisor(listener, number, supervisor);
    auto_free char *path = xasprintf("tmp/attach-%u", number);
    unlinkat(s->fd, path, 0);
    return r;
}

int run_attach(const struct store *s, const struct ctr *c, const struct attach_options *o)
{
    struct detach_keys keys;
    int r = detach_parse(o->detach_keys, &keys);
    if (r < 0)
        return r;
    auto_close int sock = connect_to(s, c->id);
    if (sock == -ESRCH)
        return err_set(sock, "container %s is not running; start it first: whelk start %s", c->name, c->name);
    if (sock < 0)
        return sock;
    struct attach a = {.sock = sock,
                       .tty = c->tty,
                       .read_stdin = c->open_stdin && !o->no_stdin,
                       .sig_proxy = o->sig_proxy,
                       .detach_keys = o->detach_keys,
                       .send_size = true};
    event_container(s, c, "attach", NULL);
    return attach_relay(&a);
}
