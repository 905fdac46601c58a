/* The relay: the caller's terminal, pipes and signals on one side, a session's frames on the other.
 *
 * Runs in: STARTER of an attached run, exec. It alone writes to the caller's stdout: a slow reader stalls this process, not the supervisor
 * (RUNTIME, processes 3). */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/tty.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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
    /* Only what leads nowhere else is handed in: a file could be opened again for writing, a directory walked out of (RUNTIME,
     * processes 4). */
    if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
        *ret_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? err_sys("cannot use standard input") : 0;
    }
    *ret_relay = true;
    return 0;
}

/* All that can be forwarded but those that speak of this process itself (CV-81). */
static void forwarded_signals(sigset_t *set, bool proxy)
{
    static const int never[] = {SIGCHLD, SIGPIPE, SIGURG, SIGSTOP, SIGKILL, SIGTSTP, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    sigemptyset(set);
    if (proxy)
        sigfillset(set);
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        sigdelset(set, never[i]);
    sigaddset(set, SIGWINCH);
}

struct relay {
    const struct attach *a;
    int signals;
    bool stdin_open;
    int code;
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
    else
        frame_send(r->a->sock, FRAME_SIGNAL, &sig, sizeof sig, -1, 0);
}

/* One piece of the own stdin. The socket blocks when the command does not read: then so do we. */
static void take_stdin(struct relay *r)
{
    char buf[FRAME_MAX];
    ssize_t n = read(STDIN_FILENO, buf, sizeof buf);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        frame_send(r->a->sock, FRAME_STDIN, buf, (size_t)n, -1, 0);
        return;
    }
    frame_send(r->a->sock, FRAME_STDIN_END, NULL, 0, -1, 0);
    r->stdin_open = false;
}

/* Writes what the session sent. A reader that went away is told to the session, so that the command gets its SIGPIPE (CV-15). */
static void give_output(struct relay *r, enum frame type, const char *data, size_t len)
{
    int fd = type == FRAME_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
    if (fd_write_all(fd, data, len) < 0)
        frame_send(r->a->sock, type, NULL, 0, -1, 0);
}

/* False at the end. */
static bool take_frame(struct relay *r)
{
    char buf[FRAME_MAX];
    enum frame type;
    ssize_t n = frame_recv(r->a->sock, &type, buf, NULL, MSG_DONTWAIT);
    if (n == -EAGAIN)
        return true;
    if (n < 0)
        return false;
    if (type == FRAME_STDOUT || type == FRAME_STDERR)
        give_output(r, type, buf, (size_t)n);
    else if (type == FRAME_EXIT && n == sizeof r->code)
        memcpy(&r->code, buf, sizeof r->code);
    return type != FRAME_EXIT;
}

/* False at the end of the session. */
static bool serve(struct relay *r, const struct pollfd *p)
{
    if (p[1].revents)
        take_signal(r);
    if (p[0].revents && !take_frame(r))
        return false;
    if (p[2].revents)
        take_stdin(r);
    return true;
}

int attach_relay(const struct attach *a)
{
    sigset_t set, before;
    struct relay r = {.a = a, .stdin_open = a->read_stdin, .code = -1};
    forwarded_signals(&set, a->sig_proxy);
    sigprocmask(SIG_BLOCK, &set, &before);
    auto_close int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    r.signals = signals;
    if (a->tty && isatty(STDIN_FILENO))
        tty_raw(STDIN_FILENO);
    for (bool more = true; more;) {
        struct pollfd p[] = {{a->sock, POLLIN, 0}, {signals, POLLIN, 0}, {r.stdin_open ? STDIN_FILENO : -1, POLLIN, 0}};
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            break;
        more = serve(&r, p);
    }
    tty_restore();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (r.code < 0)
        return err_with_status(err_set(-ECHILD, "the supervisor was lost; the container was killed with it"), 137);
    return r.code;
}
