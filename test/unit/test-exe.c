/* exe_forget: the process goes on, and its executable is out of everybody's reach. */
#include "whelk/exe.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <cmocka.h>

#define WANT(x)                                                                                                        \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            return err_set(-EPROTO, "line %d: %s", __LINE__, #x);                                                      \
    } while (0)

static int counter = 17;          /* .data */
static int zero_counter;          /* .bss */
static char big[1 << 16] = "big"; /* .data, more than a page */
static int twice(int x);
static int (*const table[])(int) = {twice}; /* relocated, read-only afterwards */
static int (*variable)(int) = twice;

static int twice(int x)
{
    return 2 * x;
}

static bool maps_have(const char *what)
{
    auto_free char *maps = NULL;
    return file_read(AT_FDCWD, "/proc/self/maps", 4 << 20, &maps, NULL) == 0 && strstr(maps, what);
}

static int is_forgotten(const char *own, bool own_mounts)
{
    char target[4096] = "";
    struct statvfs fs;
    char name[] = "x", *argv[] = {name, NULL};

    WANT(readlink("/proc/self/exe", target, sizeof(target) - 1) > 0);
    WANT(str_after(target, "/memfd:"));
    WANT(own_mounts || !maps_have(own));
    WANT(!own_mounts || (statvfs(own, &fs) == 0 && (fs.f_flag & ST_RDONLY)));
    execv("/proc/self/exe", argv);
    WANT(errno == ENOEXEC || errno == EACCES);
    WANT(prctl(PR_GET_DUMPABLE) == 0);
    return 0;
}

static int still_works(void)
{
    WANT(counter == 17 && zero_counter == 0 && str_eq(big, "big"));
    counter++;
    zero_counter += 5;
    memset(big, 'x', sizeof(big));
    WANT(counter == 18 && zero_counter == 5 && big[sizeof(big) - 1] == 'x');
    WANT(table[0](4) == 8 && variable(5) == 10);
    auto_free char *s = xasprintf("%d %s", counter, getenv("PATH") ? "path" : "none"); /* malloc, printf, the GOT */
    WANT(str_after(s, "18 "));
    return 0;
}

/* Rights of our own code and constants are as before: nothing executable may be written. */
static int rights_are_kept(void)
{
    auto_free char *maps = NULL;
    int r = file_read(AT_FDCWD, "/proc/self/maps", 4 << 20, &maps, NULL);
    WANT(r == 0);
    WANT(!strstr(maps, " rwx") && !strstr(maps, " -wx"));
    for (char *p = maps; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        unsigned long a, b;
        char rights[5];
        if (sscanf(p, "%lx-%lx %4s", &a, &b, rights) != 3)
            continue;
        if (a <= (unsigned long)twice && (unsigned long)twice < b)
            WANT(str_eq(rights, "r-xp"));
        if (a <= (unsigned long)table && (unsigned long)table < b)
            WANT(str_eq(rights, "r--p"));
    }
    return 0;
}

static int forget(const char *own, bool own_mounts)
{
    WANT(maps_have(own));
    int r = exe_forget(own_mounts);
    if (r >= 0)
        r = is_forgotten(own, own_mounts);
    if (r >= 0)
        r = rights_are_kept();
    return r < 0 ? r : still_works();
}

static int forget_child(void *arg)
{
    return forget(arg, false);
}

static char *own_path(void)
{
    char *path = xcalloc(1, 4096);
    assert_true(readlink("/proc/self/exe", path, 4095) > 0);
    return path;
}

static bool can_have_capabilities(void)
{
    return geteuid() == 0;
}

static void test_forget(void **state)
{
    struct worker w;

    if (!can_have_capabilities()) { /* before anything is allocated: skip() does not come back to free it */
        print_message("needs CAP_SYS_ADMIN in its user namespace\n");
        skip();
    }
    auto_free char *own = own_path();
    assert_int_equal(worker_start(forget_child, own, &w), 0);
    int r = worker_wait(&w);
    if (r == -EOPNOTSUPP) {
        print_message("%s\n", err_text(r));
        skip();
    }
    if (r < 0)
        print_error("%s\n", err_text(r));
    assert_int_equal(r, 0);
}

static void expect_success(int (*fn)(void *arg))
{
    auto_free char *own = own_path();
    struct worker w;

    assert_int_equal(worker_start(fn, own, &w), 0);
    int r = worker_wait(&w);
    if (r == -EOPNOTSUPP)
        skip();
    if (r < 0)
        print_error("%s\n", err_text(r));
    assert_int_equal(r, 0);
}

/* In a user namespace, as in a container: its root's capabilities are enough. */
static int namespace_child(void *arg)
{
    if (unshare(CLONE_NEWUSER) < 0)
        return -EOPNOTSUPP;
    return forget_child(arg);
}

static void test_forget_in_user_namespace(void **state)
{
    expect_success(namespace_child);
}

/* With mounts of its own: the code is the file still, behind a read-only mount. */
static int mounts_child(void *arg)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -EOPNOTSUPP;
    return forget(arg, true);
}

static void test_forget_with_own_mounts(void **state)
{
    expect_success(mounts_child);
}

static int unprivileged_child(void *arg)
{
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        return -EPERM;
    int r = exe_forget(false);
    WANT(r == -EPERM);
    WANT(str_eq(err_text(r), "cannot replace /proc/self/exe: Operation not permitted"));
    return still_works(); /* a failure leaves a process that can say so */
}

static void test_needs_a_capability(void **state)
{
    struct worker w;
    assert_int_equal(worker_start(unprivileged_child, NULL, &w), 0);
    int r = worker_wait(&w);
    if (r < 0)
        print_error("%s\n", err_text(r));
    assert_int_equal(r, 0);
}

/* The attack: another process, root in the same namespace, opens /proc/<pid>/exe, waits until the file is no longer
 * running, and writes. */
static void test_nobody_reaches_the_file(void **state)
{
    int ready[2];
    char c, path[64];
    struct stat mine, theirs;

    if (!can_have_capabilities())
        skip();
    auto_free char *own = own_path();
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        c = exe_forget(false) < 0 ? 'n' : 'y';
        if (write(ready[1], &c, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    if (c == 'y') {
        snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
        assert_int_equal(stat(own, &mine), 0);
        assert_int_equal(stat(path, &theirs), 0);
        assert_int_not_equal(mine.st_ino, theirs.st_ino);
        assert_int_equal(theirs.st_size, 0);
        int fd = open(path, O_RDWR);
        assert_int_equal(fd, -1); /* busy, as any running executable */
        assert_int_equal(errno, ETXTBSY);
    }
    kill(pid, SIGKILL);
    proc_reap(pid);
    close(ready[0]);
    close(ready[1]);
    if (c != 'y')
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_forget_in_user_namespace),
        cmocka_unit_test(test_forget_with_own_mounts),
        cmocka_unit_test(test_needs_a_capability),
        cmocka_unit_test(test_nobody_reaches_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
