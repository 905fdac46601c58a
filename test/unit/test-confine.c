/* What is left to a confined worker, asked of the kernel. */
#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/userns.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

struct probe {
    const char *name;
    long (*call)(void);
    int error; /* 0: works */
};

static long try_read(void)
{
    return open("/proc/self/maps", O_RDONLY);
}

static long try_outside(void)
{
    return open("/../../../../etc/passwd", O_RDONLY);
}

static long try_fork(void)
{
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static long try_exec(void)
{
    char *argv[] = {(char *)"/bin/true", NULL};
    return execve(argv[0], argv, argv + 1);
}

static long try_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long try_signal(void)
{
    return kill(getpid(), 0);
}

static long try_signal_by_fd(void)
{
    int ends[2] = {0, 0};
    return fcntl(ends[0], F_SETOWN, getpid());
}

static long try_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_chroot(void)
{
    return chroot(".");
}

static long try_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : 0;
}

static long try_memory(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ);
}

static long try_device(void)
{
    return mknod("null", S_IFCHR | 0666, makedev(1, 3));
}

static long try_whiteout(void)
{
    return mknod("gone", S_IFCHR, 0);
}

static long try_fifo(void)
{
    return mkfifo("fifo", 0600);
}

static long try_file(void)
{
    int fd = open("/file", O_RDWR | O_CREAT | O_EXCL, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 ? -1 : close(fd);
}

static const struct probe filter_probes[] = {
    {"memory", try_memory, 0},     {"open", try_read, EPERM},     {"fork", try_fork, EPERM},
    {"exec", try_exec, EPERM},     {"socket", try_socket, EPERM}, {"kill", try_signal, EPERM},
    {"new code", try_code, EPERM}, {"mknod", try_fifo, EPERM},    {"chroot", try_chroot, EPERM},
    {"ptrace", try_trace, EPERM},
};

static const struct probe dir_probes[] = {
    {"memory", try_memory, 0},           {"file", try_file, 0},         {"FIFO", try_fifo, 0},
    {"whiteout", try_whiteout, 0},       {"device", try_device, EPERM}, {"outside", try_outside, ENOENT},
    {"procfs", try_read, ENOENT},        {"fork", try_fork, EPERM},     {"exec", try_exec, EPERM},
    {"socket", try_socket, EPERM},       {"kill", try_signal, EPERM},   {"SIGIO", try_signal_by_fd, EPERM},
    {"namespace", try_namespace, EPERM}, {"ptrace", try_trace, EPERM},  {"chroot", try_chroot, EPERM},
    {"new code", try_code, EPERM},
};

static int ask(const struct probe *probes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        errno = 0;
        int error = probes[i].call() < 0 ? errno : 0;
        if (error != probes[i].error)
            return err_set(-EINVAL, "%s: %s, wanted %s", probes[i].name, strerror(error), strerror(probes[i].error));
    }
    return 0;
}

static int filter_worker(void *arg)
{
    int r = confine_filter();
    return r < 0 ? r : ask(filter_probes, ARRAY_LEN(filter_probes));
}

static int dir_worker(void *arg)
{
    int r = confine_to_dir(*(int *)arg);
    return r < 0 ? r : ask(dir_probes, ARRAY_LEN(dir_probes));
}

static void test_filter(void **state)
{
    struct worker w;
    assert_int_equal(worker_start(filter_worker, NULL, &w), 0);
    int r = worker_wait(&w);
    if (r < 0)
        fail_msg("%s", err_text(r));
}

static void test_dir(void **state)
{
    char path[] = "/tmp/whelk-confine-XXXXXX";
    struct idmap map;
    assert_non_null(mkdtemp(path));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(idmap_for_user(&map), 0);
    int r = userns_run(&map, dir_worker, &fd);
    auto_free char *text = xstrdup(err_text(r));
    close(fd);
    assert_int_equal(tree_remove(AT_FDCWD, path), 0);
    if (r < 0)
        fail_msg("%s", text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
