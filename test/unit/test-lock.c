/* flock between processes, and who holds a record lock. */
#include "whelk/lock.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>

#include <cmocka.h>

static char top[] = "/tmp/whelk-test-lock-XXXXXX";
static int top_fd = -1;

static int setup(void **state)
{
    if (!mkdtemp(top))
        return -1;
    top_fd = dir_open(AT_FDCWD, top);
    return top_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    fd_close(top_fd);
    return tree_remove(AT_FDCWD, top);
}

static void test_flock(void **state)
{
    static const struct {
        bool first_exclusive, second_exclusive;
        int r;
    } cases[] = {
        {true, true, -EWOULDBLOCK}, {true, false, -EWOULDBLOCK}, {false, true, -EWOULDBLOCK}, {false, false, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int first = -1;
        auto_close int second = -1;
        assert_int_equal(lock_file(top_fd, "lock", cases[i].first_exclusive, true, &first), 0);
        err_clear();
        assert_int_equal(lock_file(top_fd, "lock", cases[i].second_exclusive, false, &second), cases[i].r);
        assert_true(err_is_clear());
        assert_int_equal(second >= 0, cases[i].r == 0);
        assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
        struct stat st;
        assert_int_equal(fstat(first, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        close(first);
        auto_close int third = -1;
        assert_int_equal(lock_file(top_fd, "lock", false, false, &third), 0);
    }
    int fd = -1;
    assert_int_equal(lock_file(top_fd, "no/lock", true, true, &fd), -ENOENT);
    assert_string_equal(err_text(0), "cannot open lock no/lock: No such file or directory");
}

/* Who waits for a lock whose file is replaced meanwhile gets the lock on the new file. */
static void test_flock_on_replaced_file(void **state)
{
    int fd = -1;
    assert_int_equal(lock_file(top_fd, "moved", true, true, &fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int mine = -1;
        close(fd);
        struct stat a, b;
        _exit(lock_file(top_fd, "moved", true, true, &mine) < 0 || fstat(mine, &a) < 0 ||
              fstatat(top_fd, "moved", &b, 0) < 0 || a.st_ino != b.st_ino);
    }
    usleep(50000); /* lets it wait */
    assert_int_equal(file_publish(top_fd, "moved", "", 0, 0600, false), 0);
    close(fd);
    assert_int_equal(proc_reap(pid), 0);
}

/* Takes the record lock in a child, tells by a byte, and holds it until killed. */
static pid_t holder_start(const char *name)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = openat(top_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (record_lock_take(fd) < 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char c = 0;
    close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    close(ends[0]);
    return pid;
}

static void test_record_lock(void **state)
{
    pid_t pid = holder_start("alive");
    auto_close int fd = openat(top_fd, "alive", O_RDWR | O_CLOEXEC);
    assert_int_equal(record_lock_holder(fd), pid);
    assert_int_equal(record_lock_take(fd), -EAGAIN);
    kill(pid, SIGKILL);
    assert_true(proc_reap(pid) >= 0);
    assert_int_equal(record_lock_holder(fd), 0);
    assert_int_equal(record_lock_take(fd), 0);
    assert_int_equal(record_lock_holder(-1), -EBADF);
    /* fork does not inherit it: the child sees its parent as the holder. */
    pid_t me = getpid(), child = fork();
    if (child == 0)
        _exit(record_lock_holder(fd) != me);
    assert_int_equal(proc_reap(child), 0);
}

/* From a pid namespace in which the holder has no number. */
static void test_record_lock_of_invisible_holder(void **state)
{
    pid_t pid = holder_start("outer");
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWPID) < 0)
            _exit(77);
        pid_t init = fork();
        if (init == 0) {
            int fd = openat(top_fd, "outer", O_RDWR | O_CLOEXEC);
            _exit(record_lock_holder(fd) != -1);
        }
        _exit(proc_exit_code(proc_reap(init)));
    }
    int status = proc_reap(child);
    kill(pid, SIGKILL);
    proc_reap(pid);
    if (status == 77 << 8) {
        print_message("new pid namespaces are not allowed here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* Beside a record lock, and as long as one copy of its descriptor is open. */
static void test_claim(void **state)
{
    auto_close int life = openat(top_fd, "claimed", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    auto_close int fd = openat(top_fd, "claimed", O_RDWR | O_CLOEXEC);
    auto_close int tester = openat(top_fd, "claimed", O_RDONLY | O_CLOEXEC);
    assert_false(claim_lock_held(tester));
    assert_int_equal(claim_lock_take(fd), 0);
    assert_true(claim_lock_held(tester));
    assert_int_equal(record_lock_holder(tester), 0);
    assert_int_equal(record_lock_take(life), 0);
    auto_close int copy = dup(fd);
    close(take_fd(&fd));
    assert_true(claim_lock_held(tester));
    close(take_fd(&copy));
    assert_false(claim_lock_held(tester));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flock),       cmocka_unit_test(test_flock_on_replaced_file),
        cmocka_unit_test(test_record_lock), cmocka_unit_test(test_record_lock_of_invisible_holder),
        cmocka_unit_test(test_claim),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
