/* Workers, helpers, pidfds and signal names. */
#include "whelk/proc.h"

#include "whelk/err.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/wait.h>

#include <cmocka.h>

/* ---- workers ---- */

static int work_number(void *arg)
{
    return *(int *)arg;
}

static int work_fail(void *arg)
{
    err_set(-EACCES, "no way: %s", (const char *)arg);
    err_with_status(-EACCES, 126);
    return err_detail(-EACCES, "line 1\nline 2");
}

static int work_die(void *arg)
{
    raise(SIGKILL);
    return 0;
}

static int work_exit(void *arg)
{
    _exit(3);
}

static int work_huge_detail(void *arg)
{
    auto_free char *text = xmalloc(3 << 20);
    memset(text, 'x', 3 << 20);
    text[(3 << 20) - 1] = '\0';
    err_set(-EIO, "step failed");
    return err_detail(-EIO, text);
}

/* A grandchild that lives on holds the pipe open. */
static int work_leave_child(void *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    *(volatile int *)arg = 0;
    return pid;
}

static int run_worker(int (*fn)(void *), void *arg)
{
    struct worker w;
    assert_int_equal(worker_start(fn, arg, &w), 0);
    assert_true(w.pid > 0);
    return worker_wait(&w);
}

static void test_worker_results(void **state)
{
    int number = 42;
    err_set(-EIO, "stale");
    assert_int_equal(run_worker(work_number, &number), 42);
    number = -ENOENT;
    err_set(-EIO, "stale");
    assert_int_equal(run_worker(work_number, &number), -ENOENT);
    assert_true(err_is_clear()); /* absence has no text */
    char arg[] = "x";
    assert_int_equal(run_worker(work_fail, arg), -EACCES);
    assert_string_equal(err_text(-EACCES), "no way: x");
    assert_string_equal(err_detail_text(), "line 1\nline 2");
    assert_int_equal(err_status(), 126);
    assert_int_equal(run_worker(work_huge_detail, NULL), -EIO);
    assert_string_equal(err_text(-EIO), "step failed");
}

static void test_worker_lost(void **state)
{
    assert_int_equal(run_worker(work_die, NULL), -ECHILD);
    assert_string_equal(err_text(-ECHILD), "a worker process was killed by signal KILL");
    assert_int_equal(run_worker(work_exit, NULL), -ECHILD);
    assert_string_equal(err_text(-ECHILD), "a worker process ended with status 3");
}

static void test_worker_with_heir(void **state)
{
    int arg = 1;
    int pid = run_worker(work_leave_child, &arg); /* would hang if it waited for the EOF */
    assert_true(pid > 0);
    kill(pid, SIGKILL);
}

static int work_pause(void *arg)
{
    pause();
    return 0;
}

/* The middle process starts a worker and dies: the worker has to go too. Its pipe end tells when. */
static void test_worker_dies_with_parent(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct worker w;
        close(ends[0]);
        if (worker_start(work_pause, NULL, &w) < 0)
            _exit(1);
        raise(SIGKILL);
    }
    assert_true(middle > 0);
    close(ends[1]);
    char c;
    assert_int_equal(read(ends[0], &c, 1), 0); /* hangs, until the test's time is up, if the worker lives */
    close(ends[0]);
    assert_int_equal(proc_exit_code(proc_reap(middle)), 128 + SIGKILL);
}

/* ---- helpers ---- */

static int run_shell(const char *script)
{
    auto_strv char **argv = strv_split("sh|-c", "|");
    strv_add(&argv, script);
    return helper_run(argv);
}

static void test_helpers(void **state)
{
    static const struct {
        const char *script;
        int r;
        const char *text, *detail;
    } cases[] = {
        {"echo to-stdout; echo noise >&2; exit 0", 0, NULL, NULL},
        {"echo 'sh: write failed: not permitted' >&2; exit 1", -EIO, "sh failed: write failed: not permitted", NULL},
        {"echo shell >&2; exit 1", -EIO, "sh failed: shell", NULL},
        {"printf '\\n one\\ntwo\\n' >&2; exit 1", -EIO, "sh failed: one", "one\ntwo"},
        {"exit 3", -EIO, "sh ended with status 3", NULL},
        {"kill -9 $$", -EIO, "sh was killed by signal KILL", NULL},
        {"read x && exit 1; exit 0", 0, NULL, NULL},                           /* no input */
        {"test ! -e /proc/self/fd/30; exit $?", 0, NULL, NULL},                /* no descriptors */
        {"kill -TERM $$; exit 0", -EIO, "sh was killed by signal TERM", NULL}, /* ignored here, not there */
    };
    auto_close int leak = fcntl(0, F_DUPFD, 30);
    assert_int_equal(leak, 30);
    signal(SIGTERM, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        print_message("%s\n", cases[i].script);
        err_clear();
        assert_int_equal(run_shell(cases[i].script), cases[i].r);
        if (cases[i].text)
            assert_string_equal(err_text(0), cases[i].text);
        if (cases[i].detail)
            assert_string_equal(err_detail_text(), cases[i].detail);
        else
            assert_null(err_detail_text());
    }
    signal(SIGTERM, SIG_DFL);
}

static void test_helper_output_is_bounded(void **state)
{
    assert_int_equal(run_shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 >&2; "
                               "i=$((i+1)); done; exit 1"),
                     -EIO);
    assert_in_range(strlen(err_detail_text()), 3000, 4096);
}

static void test_helper_missing(void **state)
{
    auto_strv char **argv = strv_split("whelk-no-such-helper", " ");
    struct helper h;
    assert_int_equal(helper_start(argv, &h), -ENOENT);
    assert_string_equal(err_text(0), "whelk-no-such-helper is not installed (not found in PATH)");
}

static void test_helpers_side_by_side(void **state)
{
    auto_strv char **good = strv_split("true", " "), **bad = strv_split("/bin/false", " ");
    struct helper a, b;
    assert_int_equal(helper_start(good, &a), 0);
    assert_int_equal(helper_start(bad, &b), 0);
    assert_int_equal(helper_wait(&a), 0);
    assert_int_equal(helper_wait(&b), -EIO);
    assert_string_equal(err_text(0), "false ended with status 1");
}

/* ---- pidfds ---- */

static void test_pidfd(void **state)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        siginfo_t info = {0};
        int sig = sigwaitinfo(&set, &info);
        _exit(sig == SIGUSR1 && info.si_code == SI_QUEUE && info.si_value.sival_int == -7 && info.si_pid == parent ? 9
                                                                                                                   : 1);
    }
    auto_close int pidfd = pidfd_open_pid(pid);
    assert_true(pidfd >= 0);
    assert_int_equal(pidfd_signal(pidfd, 0, 0), 0);
    assert_int_equal(pidfd_wait_end(pidfd, 0), 0);
    assert_int_equal(pidfd_wait_end(pidfd, 20), 0);
    assert_int_equal(pidfd_signal(pidfd, SIGUSR1, -7), 0);
    assert_int_equal(pidfd_wait_end(pidfd, -1), 1);
    int status = proc_reap(pid);
    assert_int_equal(proc_exit_code(status), 9);
    assert_int_equal(pidfd_signal(pidfd, SIGTERM, 0), -ESRCH);
    assert_int_equal(pidfd_open_pid(pid), -ESRCH);
    assert_int_equal(pidfd_open_pid(0), -EINVAL);
    assert_int_equal(pidfd_open_pid(-1), -EINVAL);
    assert_int_equal(proc_reap(-1), -EINVAL);
    assert_int_equal(proc_reap(pid), -ECHILD);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void test_facts(void **state)
{
    uint64_t mine = 0, child = 0, again = 0;
    assert_int_equal(strlen(proc_boot_id()), 36);
    assert_int_equal(proc_start_time(getpid(), &mine), 0);
    assert_true(mine > 0);
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert_int_equal(proc_start_time(pid, &child), 0);
    assert_true(child >= mine);
    assert_int_equal(proc_start_time(pid, &again), 0);
    assert_true(again == child);
    kill(pid, SIGKILL);
    assert_int_equal(proc_exit_code(proc_reap(pid)), 137);
    assert_int_equal(proc_start_time(pid, &again), -ESRCH);
    assert_int_equal(proc_start_time(0, &again), -ESRCH);
}

/* ---- signals ---- */

static void test_signals(void **state)
{
    const struct {
        const char *text;
        int number; /* 0: refused */
        const char *name;
    } cases[] = {
        {"TERM", SIGTERM, "TERM"},
        {"SIGTERM", SIGTERM, "TERM"},
        {"sigkill", SIGKILL, "KILL"},
        {"15", SIGTERM, "TERM"},
        {"CLD", SIGCHLD, "CHLD"},
        {"SIGIOT", SIGABRT, "ABRT"},
        {"SIGRTMIN", SIGRTMIN, "RTMIN"},
        {"SIGRTMIN+3", SIGRTMIN + 3, "RTMIN+3"},
        {"rtmax-2", SIGRTMAX - 2, NULL},
        {"RTMAX", SIGRTMAX, NULL},
        {"64", 64, NULL},
        {"0", 0, NULL},
        {"65", 0, NULL},
        {"-9", 0, NULL},
        {"", 0, NULL},
        {"SIG", 0, NULL},
        {"SIG15", 0, NULL},
        {"NOPE", 0, NULL},
        {"RTMIN-1", 0, NULL},
        {"RTMIN+", 0, NULL},
        {"RTMIN+31", 0, NULL},
        {"RTMAX+1", 0, NULL},
        {"4294967305", 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int sig = 0;
        print_message("%s\n", cases[i].text);
        assert_int_equal(signal_parse(cases[i].text, &sig), cases[i].number ? 0 : -EINVAL);
        assert_int_equal(sig, cases[i].number);
        if (cases[i].name)
            assert_string_equal(signal_name(sig), cases[i].name);
    }
    /* Every number that has a name comes back from it. */
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        int back = 0;
        assert_int_equal(signal_parse(signal_name(sig), &back), 0);
        assert_int_equal(back, sig);
    }
    signal_parse("NOPE", &(int){0});
    assert_string_equal(err_text(0), "invalid signal: NOPE");
}

static void test_signals_reset(void **state)
{
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t all, now;
        signal(SIGPIPE, SIG_IGN);
        signal(SIGRTMIN + 2, SIG_IGN);
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        signals_reset();
        sigprocmask(SIG_SETMASK, NULL, &now);
        _exit(!sigisemptyset(&now) || signal(SIGPIPE, SIG_IGN) != SIG_DFL || signal(SIGRTMIN + 2, SIG_IGN) != SIG_DFL);
    }
    assert_int_equal(proc_reap(pid), 0);
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_results),
        cmocka_unit_test(test_worker_lost),
        cmocka_unit_test(test_worker_with_heir),
        cmocka_unit_test(test_worker_dies_with_parent),
        cmocka_unit_test(test_helpers),
        cmocka_unit_test(test_helper_output_is_bounded),
        cmocka_unit_test(test_helper_missing),
        cmocka_unit_test(test_helpers_side_by_side),
        cmocka_unit_test(test_pidfd),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_signals_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
