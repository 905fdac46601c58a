/* Terminals: ptys by descriptor, and raw mode that is undone on every way out but SIGKILL.
 * Runs in: STARTER (raw mode, sizes), SUPERVISOR (pty master), CHILD (slave, controlling terminal). */
#include "whelk/tty.h"
#include "whelk/auto.h"
#include "whelk/err.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

/* The one terminal in raw mode. owner: a fork's exit must not touch its parent's terminal. */
static struct {
    volatile pid_t owner; /* 0: none */
    int fd;
    struct termios before;
} raw;

static const int fatal_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

int tty_open_pty(int dirfd, const char *ptmx_path, int *ret_master)
{
    struct stat st;
    int unlock = 0;
    auto_close int fd = openat(dirfd, ptmx_path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return err_sys("cannot open %s", ptmx_path);
    /* By number, not by name (SECURITY H4). */
    if (fstat(fd, &st) < 0)
        return err_sys("cannot stat %s", ptmx_path);
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
        return err_set(-ENOTTY, "%s is not the pty multiplexer", ptmx_path);
    if (ioctl(fd, TIOCSPTLCK, &unlock) < 0)
        return err_sys("cannot unlock the pty");
    *ret_master = take_fd(&fd);
    return 0;
}

int tty_open_peer(int master, int *ret_slave)
{
    int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open the slave of the pty");
    *ret_slave = fd;
    return 0;
}

/* Async-signal-safe. With SIGTTOU blocked, a background process too may set the terminal. */
void tty_restore(void)
{
    sigset_t ttou, before;
    int saved = errno;

    if (raw.owner == 0 || raw.owner != getpid())
        return;
    raw.owner = 0;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &before);
    tcsetattr(raw.fd, TCSANOW, &raw.before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
}

/* SA_RESETHAND has put the default back: the signal, raised again, ends the process when the handler returns. */
static void restore_and_die(int sig)
{
    tty_restore();
    raise(sig);
}

/* Only where nobody else has a say: a caller that handles or ignores a signal goes on, or exits through exit(). */
static void arm(void)
{
    static bool armed;
    struct sigaction old, sa = {.sa_handler = restore_and_die, .sa_flags = (int)SA_RESETHAND};

    if (armed)
        return;
    armed = true;
    atexit(tty_restore);
    for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++)
        if (sigaction(fatal_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(fatal_signals[i], &sa, NULL);
}

/* Remembers the mode for tty_restore and sets what change makes of it. */
static int change_mode(int fd, void (*change)(struct termios *t), const char *what)
{
    struct termios t;

    if (raw.owner != 0 && raw.owner == getpid())
        tty_restore();
    if (tcgetattr(fd, &t) < 0)
        return err_sys("cannot read the terminal's mode");
    raw.fd = fd;
    raw.before = t;
    raw.owner = getpid();
    arm();
    change(&t);
    if (tcsetattr(fd, TCSANOW, &t) < 0) {
        int r = err_sys("cannot %s", what);
        raw.owner = 0;
        return r;
    }
    return 0;
}

int tty_raw(int fd)
{
    return change_mode(fd, cfmakeraw, "put the terminal into raw mode");
}

/* The newline at the end is still shown. */
static void hide_input(struct termios *t)
{
    t->c_lflag = (t->c_lflag & ~(tcflag_t)ECHO) | ECHONL;
}

int tty_hide(int fd)
{
    return change_mode(fd, hide_input, "hide what is typed on the terminal");
}

int tty_get_size(int fd, struct winsize *ret)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return err_sys("cannot read the terminal's size");
    *ret = size;
    return 0;
}

int tty_set_size(int fd, const struct winsize *size)
{
    if (ioctl(fd, TIOCSWINSZ, size) < 0)
        return err_sys("cannot set the terminal's size");
    return 0;
}

int tty_make_controlling(int fd)
{
    if (ioctl(fd, TIOCSCTTY, 0) < 0)
        return err_sys("cannot take the terminal as controlling terminal");
    return 0;
}
