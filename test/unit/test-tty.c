/* Ptys, and raw mode that is undone at exit and at death by a signal. */
#include "whelk/tty.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>

#include <cmocka.h>

struct pty {
    int master, slave;
};

static struct pty make_pty(void)
{
    struct pty p;
    assert_int_equal(tty_open_pty(AT_FDCWD, "/dev/ptmx", &p.master), 0);
    assert_int_equal(tty_open_peer(p.master, &p.slave), 0);
    return p;
}

static void free_pty(struct pty *p)
{
    close(p->master);
    close(p->slave);
}

static tcflag_t lflag(int fd)
{
    struct termios t;
    assert_int_equal(tcgetattr(fd, &t), 0);
    return t.c_lflag;
}

static void test_pair(void **state)
{
    struct pty p = make_pty();
    char buf[16] = "";

    assert_true(isatty(p.slave));
    assert_true(fcntl(p.master, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(p.slave, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(p.master, F_GETFL) & O_NONBLOCK);
    assert_int_equal(read(p.master, buf, sizeof(buf)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write(p.slave, "hi\n", 3), 3);
    assert_int_equal(read(p.master, buf, sizeof(buf)), 4);
    assert_string_equal(buf, "hi\r\n");
    free_pty(&p);
}

static void test_not_a_multiplexer(void **state)
{
    int fd = 99;
    assert_int_equal(tty_open_pty(AT_FDCWD, "/dev/null", &fd), -ENOTTY);
    assert_string_equal(err_text(-ENOTTY), "/dev/null is not the pty multiplexer");
    assert_int_equal(tty_open_pty(AT_FDCWD, "/dev/no-such", &fd), -ENOENT);
    assert_int_equal(fd, 99);
}

static void test_size(void **state)
{
    struct pty p = make_pty();
    struct winsize set = {.ws_row = 33, .ws_col = 121}, got = {0};

    assert_int_equal(tty_set_size(p.master, &set), 0);
    assert_int_equal(tty_get_size(p.slave, &got), 0);
    assert_int_equal(got.ws_row, 33);
    assert_int_equal(got.ws_col, 121);
    free_pty(&p);
    int null = open("/dev/null", O_RDWR);
    assert_int_equal(tty_get_size(null, &got), -ENOTTY);
    assert_int_equal(tty_set_size(null, &set), -ENOTTY);
    assert_int_equal(tty_raw(null), -ENOTTY);
    close(null);
}

static void test_raw_and_back(void **state)
{
    struct pty p = make_pty();
    tcflag_t before = lflag(p.slave);

    assert_true(before & ICANON);
    assert_int_equal(tty_raw(p.slave), 0);
    assert_false(lflag(p.slave) & (ICANON | ECHO | ISIG));
    assert_int_equal(tty_raw(p.slave), 0); /* again: still remembers the first mode */
    tty_restore();
    assert_int_equal(lflag(p.slave), before);
    tty_restore();
    free_pty(&p);
}

/* A fresh process, so that its handlers are armed anew: sig 0 is exit(). Returns the wait status. */
static int raw_then_end(int slave, int sig, bool ignore)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(sig ? sig : SIGUSR1, ignore ? SIG_IGN : SIG_DFL);
        if (tty_raw(slave) < 0 || lflag(slave) & ICANON)
            _exit(9);
        if (sig)
            raise(sig);
        exit(3);
    }
    return proc_reap(pid);
}

static void test_every_way_out(void **state)
{
    static const int ends[] = {0, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGABRT};

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct pty p = make_pty();
        tcflag_t before = lflag(p.slave);
        int st = raw_then_end(p.slave, ends[i], false);
        if (ends[i] == 0)
            assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 3);
        else
            assert_true(WIFSIGNALED(st) && WTERMSIG(st) == ends[i]);
        assert_int_equal(lflag(p.slave), before);
        free_pty(&p);
    }
}

static void test_ignored_signals_stay_ignored(void **state)
{
    struct pty p = make_pty();
    tcflag_t before = lflag(p.slave);
    int st = raw_then_end(p.slave, SIGHUP, true);
    assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 3);
    assert_int_equal(lflag(p.slave), before);
    free_pty(&p);
}

static void test_a_fork_leaves_it_alone(void **state)
{
    struct pty p = make_pty();
    assert_int_equal(tty_raw(p.slave), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        exit(0); /* runs the atexit handler */
    assert_int_equal(proc_reap(pid), 0);
    assert_false(lflag(p.slave) & ICANON);
    tty_restore();
    assert_true(lflag(p.slave) & ICANON);
    free_pty(&p);
}

static void test_controlling(void **state)
{
    struct pty p = make_pty();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setsid() < 0 || tty_make_controlling(p.slave) < 0)
            _exit(1);
        int tty = open("/dev/tty", O_RDWR);
        _exit(tty >= 0 && tcgetsid(tty) == getpid() ? 0 : 2);
    }
    assert_int_equal(proc_reap(pid), 0);
    free_pty(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_not_a_multiplexer),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_every_way_out), /* before the parent arms its own handlers */
        cmocka_unit_test(test_ignored_signals_stay_ignored),
        cmocka_unit_test(test_raw_and_back),
        cmocka_unit_test(test_a_fork_leaves_it_alone),
        cmocka_unit_test(test_controlling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
