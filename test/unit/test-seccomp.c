/* The built-in seccomp filter and JSON profiles: every verdict by interpreting the program, some by installing it; and
 * the cache. */
#include "whelk/seccomp.h"
#include "whelk/caps.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

#define BIT(x) (UINT64_C(1) << CAP_##x)
#define ALLOWED SECCOMP_RET_ALLOW
#define ERR(e) (SECCOMP_RET_ERRNO | (e))

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#define NATIVE 0
#endif

struct filter {
    void *bytes;
    size_t len;
};

static struct filter make(const char *profile, uint64_t caps, bool nested)
{
    struct seccomp_spec spec = {.profile = profile, .caps = caps, .nested = nested};
    struct filter f = {0};
    int r = seccomp_filter(&spec, -1, &f.bytes, &f.len);
    if (r < 0)
        print_error("%s\n", err_text(r));
    assert_int_equal(r, 0);
    assert_int_equal(f.len % sizeof(struct sock_filter), 0);
    return f;
}

static bool jump_taken(uint16_t op, uint32_t a, uint32_t k)
{
    switch (op) {
    case BPF_JEQ:
        return a == k;
    case BPF_JGT:
        return a > k;
    case BPF_JGE:
        return a >= k;
    case BPF_JSET:
        return a & k;
    }
    fail_msg("jump 0x%x", op);
    return false;
}

/* What the kernel would answer: the few instructions that libseccomp makes. */
static uint32_t run(const struct filter *f, const struct seccomp_data *data)
{
    const struct sock_filter *insns = f->bytes;
    uint32_t a = 0;

    for (size_t pc = 0; pc < f->len / sizeof(*insns); pc++) {
        const struct sock_filter *i = &insns[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k + 4 <= sizeof(*data));
            memcpy(&a, (const char *)data + i->k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            break;
        default:
            assert_int_equal(i->code & ~0xf0, BPF_JMP | BPF_K);
            pc += jump_taken(i->code & 0xf0, a, i->k) ? i->jt : i->jf;
        }
    }
    fail_msg("ran off the end");
    return 0;
}

static uint32_t verdict(const struct filter *f, int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct seccomp_data data = {.nr = nr, .arch = NATIVE, .args = {a0, a1, a2}};
    return run(f, &data);
}

/* Numbers of 0..1023 that are allowed for some small argument. */
static unsigned count_allowed(const struct filter *f)
{
    unsigned n = 0;
    for (int nr = 0; nr < 1024; nr++)
        n += verdict(f, nr, 0, 0, 0) == ALLOWED || verdict(f, nr, 1, 1, 0) == ALLOWED;
    return n;
}

static void test_size_and_count(void **state)
{
    struct filter f = make(NULL, caps_default(), false), nested = make(NULL, caps_default(), true),
                  none = make(NULL, 0, false), all = make(NULL, caps_all(), false);

    print_message("%u numbers allowed, %zu instructions; nested %u; no capability %u; all capabilities %u\n",
                  count_allowed(&f), f.len / 8, count_allowed(&nested), count_allowed(&none), count_allowed(&all));
    assert_in_range(count_allowed(&f), 240, 285);
    assert_in_range(f.len / 8, 1, 400);
    assert_true(count_allowed(&nested) > count_allowed(&f));
    assert_true(count_allowed(&none) < count_allowed(&f));
    assert_true(count_allowed(&all) > count_allowed(&f));
    free(f.bytes);
    free(nested.bytes);
    free(none.bytes);
    free(all.bytes);
}

enum who { DEFAULT, NESTED, ADMIN, PTRACE, NETADMIN, NETRAW, TIMECAP, AUDIT, NICE, NOCAPS, N_WHO };

static const struct {
    uint64_t caps; /* more than the default ones */
    bool nested;
} containers[N_WHO] = {
    [NESTED] = {0, true},      [ADMIN] = {BIT(SYS_ADMIN)},  [PTRACE] = {BIT(SYS_PTRACE)}, [NETADMIN] = {BIT(NET_ADMIN)},
    [NETRAW] = {BIT(NET_RAW)}, [TIMECAP] = {BIT(SYS_TIME)}, [AUDIT] = {BIT(AUDIT_WRITE)}, [NICE] = {BIT(SYS_NICE)},
};

static const struct {
    enum who who;
    int nr;
    uint64_t a0, a1, a2;
    uint32_t want;
} verdicts[] = {
    {DEFAULT, SYS_read, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_openat2, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_faccessat2, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_close_range, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_rseq, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_ptrace, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_landlock_restrict_self, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_setresuid, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_capset, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_mknodat, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_pidfd_open, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_futex_waitv, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_io_submit, 0, 0, 0, ALLOWED},
    {DEFAULT, 451, 0, 0, 0, ALLOWED}, /* cachestat, fchmodat2, mseal: newer than the library */
    {DEFAULT, 452, 0, 0, 0, ALLOWED},
    {DEFAULT, 462, 0, 0, 0, ALLOWED},
    {DEFAULT, 467, 0, 0, 0, ERR(EPERM)},  /* open_tree_attr */
    {DEFAULT, 457, 0, 0, 0, ERR(ENOSYS)}, /* statmount */
    {DEFAULT, 469, 0, 0, 0, ERR(ENOSYS)},
    {DEFAULT, 900, 0, 0, 0, ERR(ENOSYS)},
    {DEFAULT, -1, 0, 0, 0, ERR(ENOSYS)},
    {DEFAULT, SYS_clone3, 0, 0, 0, ERR(ENOSYS)},
    {DEFAULT, SYS_memfd_secret, 0, 0, 0, ERR(ENOSYS)},

    {DEFAULT, SYS_mount, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_umount2, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_pivot_root, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_unshare, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_setns, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_fsopen, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_mount_setattr, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_keyctl, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_add_key, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_request_key, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_bpf, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_perf_event_open, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_userfaultfd, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_io_uring_setup, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_open_by_handle_at, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_kexec_load, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_init_module, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_finit_module, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_pidfd_getfd, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_reboot, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_swapon, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_syslog, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clock_settime, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_mbind, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_fanotify_init, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_vmsplice, 0, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_chroot, 0, 0, 0, ALLOWED},
    {NOCAPS, SYS_chroot, 0, 0, 0, ERR(EPERM)},
    {TIMECAP, SYS_clock_settime, 0, 0, 0, ALLOWED},
    {NICE, SYS_mbind, 0, 0, 0, ALLOWED},
    {PTRACE, SYS_pidfd_getfd, 0, 0, 0, ALLOWED},
    {PTRACE, SYS_mount, 0, 0, 0, ERR(EPERM)},
    {ADMIN, SYS_mount, 0, 0, 0, ALLOWED},
    {ADMIN, SYS_clone3, 0, 0, 0, ALLOWED},
    {ADMIN, SYS_keyctl, 0, 0, 0, ERR(EPERM)},
    {ADMIN, SYS_kexec_load, 0, 0, 0, ERR(EPERM)},
    {NESTED, SYS_mount, 0, 0, 0, ALLOWED},
    {NESTED, SYS_setns, 0, 0, 0, ALLOWED},
    {NESTED, 467, 0, 0, 0, ALLOWED},
    {NESTED, SYS_keyctl, 0, 0, 0, ALLOWED},
    {NESTED, SYS_bpf, 0, 0, 0, ALLOWED},
    {NESTED, SYS_perf_event_open, 0, 0, 0, ERR(EPERM)},
    {NESTED, SYS_userfaultfd, 0, 0, 0, ERR(EPERM)},

    {DEFAULT, SYS_clone, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, ALLOWED},
    {DEFAULT, SYS_clone, 0x3d0f00, 0, 0, ALLOWED}, /* as pthread_create */
    {DEFAULT, SYS_clone, CLONE_NEWUSER, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clone, CLONE_NEWPID, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clone, CLONE_NEWNET, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clone, CLONE_NEWIPC, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clone, CLONE_NEWUTS, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clone, CLONE_NEWCGROUP, 0, 0, ERR(EPERM)},
    {DEFAULT, SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | (UINT64_C(1) << 40), 0, 0, ERR(EPERM)},
    {NESTED, SYS_clone, CLONE_NEWUSER, 0, 0, ALLOWED},
    {ADMIN, SYS_clone, CLONE_NEWUSER, 0, 0, ALLOWED},

    {DEFAULT, SYS_ioctl, 0, TCGETS, 0, ALLOWED},
    {DEFAULT, SYS_ioctl, 0, TIOCSTI, 0, ERR(EPERM)},
    {DEFAULT, SYS_ioctl, 0, TIOCLINUX, 0, ERR(EPERM)},
    {DEFAULT, SYS_ioctl, 0, TIOCSTI | (UINT64_C(1) << 32), 0, ERR(EPERM)}, /* the kernel drops the upper half */
    {DEFAULT, SYS_ioctl, 0, TIOCLINUX | (UINT64_C(0xffffffff) << 32), 0, ERR(EPERM)},
    {NESTED, SYS_ioctl, 0, TIOCSTI, 0, ERR(EPERM)},
    {DEFAULT, SYS_ioctl, TIOCSTI, 0, TIOCSTI, ALLOWED}, /* only the second argument counts */

    {DEFAULT, SYS_personality, 0, 0, 0, ALLOWED},
    {DEFAULT, SYS_personality, 8, 0, 0, ALLOWED},
    {DEFAULT, SYS_personality, 0x20000, 0, 0, ALLOWED},
    {DEFAULT, SYS_personality, 0x20008, 0, 0, ALLOWED},
    {DEFAULT, SYS_personality, 0xffffffff, 0, 0, ALLOWED},
    {DEFAULT, SYS_personality, UINT64_MAX, 0, 0, ALLOWED},
    {DEFAULT, SYS_personality, ADDR_NO_RANDOMIZE, 0, 0, ERR(ENOSYS)},
    {DEFAULT, SYS_personality, READ_IMPLIES_EXEC, 0, 0, ERR(ENOSYS)},

    {DEFAULT, SYS_socket, AF_UNIX, SOCK_STREAM, 0, ALLOWED},
    {DEFAULT, SYS_socket, AF_INET, SOCK_DGRAM, 17, ALLOWED},
    {DEFAULT, SYS_socket, AF_INET6, SOCK_STREAM, 0, ALLOWED},
    {DEFAULT, SYS_socket, AF_INET | (UINT64_C(7) << 32), SOCK_STREAM, 0, ALLOWED},
    {DEFAULT, SYS_socket, AF_UNSPEC, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_ALG, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_ALG | (UINT64_C(1) << 33), 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_VSOCK, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_PACKET, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_KEY, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_CAN, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_BLUETOOTH, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, 44, 0, 0, ERR(EAFNOSUPPORT)}, /* XDP */
    {DEFAULT, SYS_socket, 4711, 0, 0, ERR(ENOSYS)},
    {NETRAW, SYS_socket, AF_PACKET, 0, 0, ALLOWED},
    {NETADMIN, SYS_socket, AF_CAN, 0, 0, ALLOWED},
    {NETADMIN, SYS_socket, AF_ALG, 0, 0, ERR(EAFNOSUPPORT)},
    {NETADMIN, SYS_socket, AF_VSOCK, 0, 0, ERR(EAFNOSUPPORT)},
    {DEFAULT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, ALLOWED},
    {DEFAULT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, ALLOWED},
    {DEFAULT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, ALLOWED},
    {DEFAULT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT, ERR(EINVAL)},
    {DEFAULT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT | (UINT64_C(1) << 32), ERR(EINVAL)},
    {DEFAULT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, ERR(EPROTONOSUPPORT)},
    {DEFAULT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_CRYPTO, ERR(ENOSYS)},
    {NETADMIN, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, ALLOWED},
    {AUDIT, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT, ALLOWED},
    {DEFAULT, SYS_socket, AF_INET, SOCK_RAW, NETLINK_AUDIT, ALLOWED}, /* a protocol number of another family */
    {DEFAULT, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ALLOWED},
    {DEFAULT, SYS_socketpair, AF_TIPC, SOCK_STREAM, 0, ERR(ENOSYS)},
};

static void test_verdicts(void **state)
{
    struct filter f[N_WHO];
    unsigned wrong = 0;

    if (NATIVE == 0)
        skip();
    for (size_t i = 0; i < N_WHO; i++)
        f[i] = make(NULL, i == NOCAPS ? 0 : caps_default() | containers[i].caps, containers[i].nested);
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        uint32_t got = verdict(&f[verdicts[i].who], verdicts[i].nr, verdicts[i].a0, verdicts[i].a1, verdicts[i].a2);
        if (got == verdicts[i].want)
            continue;
        print_error("row %zu, nr %d, container %d: 0x%x instead of 0x%x\n", i, verdicts[i].nr, verdicts[i].who, got,
                    verdicts[i].want);
        wrong++;
    }
    assert_int_equal(wrong, 0);
    for (size_t i = 0; i < N_WHO; i++)
        free(f[i].bytes);
}

static void test_other_architectures(void **state)
{
    struct filter f = make(NULL, caps_all(), true);
    struct seccomp_data i386 = {.nr = 3, .arch = AUDIT_ARCH_I386}, x32 = {.nr = 0x40000000, .arch = NATIVE};

    assert_int_equal(run(&f, &i386), ERR(ENOSYS));
    assert_int_equal(run(&f, &x32), ERR(ENOSYS));
    free(f.bytes);
}

#define WANT(x)                                                                                                        \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            return err_set(-EPROTO, "line %d: %s", __LINE__, #x);                                                      \
    } while (0)

/* As the kernel sees it. */
static int installed_child(void *arg)
{
    const struct filter *f = arg;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys("no_new_privs");
    int r = seccomp_install(f->bytes, f->len);
    if (r < 0)
        return r;
    WANT(getppid() > 0);
    WANT(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL) == -1 && errno == EPERM);
    WANT(unshare(0) == -1 && errno == EPERM);
    WANT(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
    WANT(syscall(999) == -1 && errno == ENOSYS);
    WANT(socket(AF_ALG, SOCK_SEQPACKET, 0) == -1 && errno == EAFNOSUPPORT);
    WANT(socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) == -1 && errno == EINVAL);
    WANT(ioctl(0, TIOCSTI, "x") == -1 && errno == EPERM);
    WANT(personality(0xffffffff) != -1);
    auto_close int fd = socket(AF_INET, SOCK_STREAM, 0);
    WANT(fd >= 0);
    pid_t pid = fork();
    WANT(pid >= 0);
    if (pid == 0)
        _exit(0);
    WANT(proc_reap(pid) == 0);
    return 0;
}

static void test_installed(void **state)
{
    struct filter f = make(NULL, caps_default(), false);
    struct worker w;

    assert_int_equal(worker_start(installed_child, &f, &w), 0);
    int r = worker_wait(&w);
    if (r < 0)
        print_error("%s\n", err_text(r));
    assert_int_equal(r, 0);
    free(f.bytes);
}

static void test_unconfined(void **state)
{
    struct seccomp_spec spec = {.profile = "unconfined"};
    void *p = &spec;
    size_t len = 1;

    assert_int_equal(seccomp_filter(&spec, -1, &p, &len), 0);
    assert_null(p);
    assert_int_equal(len, 0);
    assert_int_equal(seccomp_install(p, len), 0);
}

static char scratch[] = "/tmp/whelk-seccomp-XXXXXX";

static int make_scratch(void **state)
{
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
    return tree_remove(AT_FDCWD, scratch);
}

static const char *write_profile(const char *text)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/profile.json", scratch);
    assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0600), 0);
    return path;
}

static void test_profile(void **state)
{
    const char *path = write_profile(
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86\"],"
        "\"syscalls\":["
        " {\"names\":[\"read\",\"write\",\"no_such_call_at_all\",\"mseal\"],\"action\":\"SCMP_ACT_ALLOW\"},"
        " {\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
        " {\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":13,"
        "  \"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]},\"includes\":{\"caps\":[]}},"
        " {\"name\":\"ptrace\",\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"4.8\"},\"args\":null},"
        " {\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"99.0\"}},"
        " {\"names\":[\"chroot\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"m68k\"]}},"
        " {\"names\":[\"chdir\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"arches\":[\"m68k\"]}},"
        " {\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\","
        "  \"args\":[{\"index\":0,\"value\":8,\"op\":\"SCMP_CMP_EQ\"}]},"
        " {\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
        "  {\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]},"
        " {\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\","
        "  \"args\":[{\"index\":0,\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
        " {\"names\":[\"reboot\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"}"
        "]}");
    struct filter f = make(path, 0, false), admin = make(path, BIT(SYS_ADMIN), false);
    const struct {
        const struct filter *f;
        int nr;
        uint64_t a0;
        uint32_t want;
    } cases[] = {
        {&f, SYS_read, 0, ALLOWED},
        {&f, 462, 0, ALLOWED},
        {&f, SYS_openat, 0, ERR(38)},
        {&f, SYS_mount, 0, ERR(13)},
        {&admin, SYS_mount, 0, ALLOWED},
        {&f, SYS_ptrace, 0, ALLOWED},
        {&f, SYS_bpf, 0, ERR(38)},
        {&f, SYS_chroot, 0, ERR(38)},
        {&f, SYS_chdir, 0, ALLOWED},
        {&f, SYS_personality, 8, ALLOWED},
        {&f, SYS_personality, 9, ERR(38)},
        {&f, SYS_socket, 1, ALLOWED},
        {&f, SYS_socket, 2, ALLOWED},
        {&f, SYS_socket, 3, ERR(38)},
        {&f, SYS_clone, CLONE_VM, ALLOWED},
        {&f, SYS_clone, CLONE_NEWUSER, ERR(38)},
        {&f, SYS_reboot, 0, SECCOMP_RET_KILL_PROCESS},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (NATIVE != 0)
            assert_int_equal(verdict(cases[i].f, cases[i].nr, cases[i].a0, 0, 0), cases[i].want);
    free(f.bytes);
    free(admin.bytes);
}

static void test_bad_profiles(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"defaultAction\":\"SCMP_ACT_PRAY\"}",
        "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":70000}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"]}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[7],\"action\":\"SCMP_ACT_KILL\"}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":"
        "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\",\"includes\":{\"moon\":[\"full\"]}}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":"
        "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\",\"includes\":{\"minKernel\":\"new\"}}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":"
        "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":"
        "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":0,\"op\":\"LIKE\"}]}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":"
        "[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\",\"args\":{}}]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct seccomp_spec spec = {.profile = write_profile(bad[i])};
        void *p = NULL;
        size_t len = 77;
        int r = seccomp_filter(&spec, -1, &p, &len);
        if (r >= 0)
            print_error("accepted: %s\n", bad[i]);
        assert_true(r < 0);
        assert_null(p);
        assert_int_equal(len, 77);
    }
    struct seccomp_spec absent = {.profile = "/no/such/profile.json"};
    void *p;
    size_t len;
    assert_int_equal(seccomp_filter(&absent, -1, &p, &len), -ENOENT);
    assert_string_equal(err_text(-ENOENT),
                        "cannot read the seccomp profile /no/such/profile.json: No such file or directory");
}

/* The names in the cache directory, without the profile. */
static size_t cached(int fd, char ***ret)
{
    strv_free(*ret);
    *ret = NULL;
    assert_int_equal(dir_names(fd, ".", ret), 0);
    return strv_len(*ret);
}

static void test_cache(void **state)
{
    auto_free char *dir = xasprintf("%s/cache", scratch);
    assert_int_equal(dir_make(AT_FDCWD, dir, 0700), 0);
    auto_close int fd = dir_open(AT_FDCWD, dir);
    auto_strv char **names = NULL;
    struct seccomp_spec spec = {.caps = caps_default()};
    struct filter a, b, c;
    auto_free char *kept = NULL;
    size_t kept_len;

    assert_int_equal(seccomp_filter(&spec, fd, &a.bytes, &a.len), 0);
    assert_int_equal(cached(fd, &names), 1);
    assert_non_null(str_after(names[0], "seccomp-"));
    assert_true(str_is_hex(names[0] + 8, 16));
    assert_int_equal(seccomp_filter(&spec, fd, &b.bytes, &b.len), 0);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.bytes, b.bytes, a.len);

    /* It is really read: a kept program that is whole but different comes back. Bytes that are not whole do not. */
    assert_int_equal(file_read(fd, names[0], 1 << 20, &kept, &kept_len), 0);
    for (size_t cut = 0; cut < kept_len; cut += kept_len / 7) {
        assert_int_equal(file_write(fd, names[0], kept, cut, 0600), 0);
        assert_int_equal(seccomp_filter(&spec, fd, &c.bytes, &c.len), 0);
        assert_int_equal(c.len, a.len);
        assert_memory_equal(c.bytes, a.bytes, a.len);
        free(c.bytes);
    }
    kept[kept_len - 3] ^= 1;
    assert_int_equal(file_write(fd, names[0], kept, kept_len, 0600), 0);
    assert_int_equal(seccomp_filter(&spec, fd, &c.bytes, &c.len), 0);
    assert_memory_equal(c.bytes, a.bytes, a.len);

    /* What does not change the filter does not make a new file; what does, does. */
    spec.caps |= BIT(CHOWN) | BIT(NET_BROADCAST);
    free(c.bytes);
    assert_int_equal(seccomp_filter(&spec, fd, &c.bytes, &c.len), 0);
    assert_int_equal(cached(fd, &names), 1);
    spec.nested = true;
    free(c.bytes);
    assert_int_equal(seccomp_filter(&spec, fd, &c.bytes, &c.len), 0);
    assert_int_equal(cached(fd, &names), 2);
    assert_int_not_equal(c.len, a.len);
    free(a.bytes);
    free(b.bytes);
    free(c.bytes);
}

static void test_cache_hit_is_cheap(void **state)
{
    auto_free char *dir = xasprintf("%s/cache2", scratch);
    assert_int_equal(dir_make(AT_FDCWD, dir, 0700), 0);
    auto_close int fd = dir_open(AT_FDCWD, dir);
    struct seccomp_spec spec = {.caps = caps_default()};
    long ns[2];

    for (int i = 0; i < 2; i++) {
        struct timespec t0, t1;
        struct filter f;
        clock_gettime(CLOCK_MONOTONIC, &t0);
        assert_int_equal(seccomp_filter(&spec, fd, &f.bytes, &f.len), 0);
        clock_gettime(CLOCK_MONOTONIC, &t1);
        ns[i] = (t1.tv_sec - t0.tv_sec) * 1000000000L + t1.tv_nsec - t0.tv_nsec;
        free(f.bytes);
    }
    print_message("compiled in %ld us, from the cache in %ld us\n", ns[0] / 1000, ns[1] / 1000);
    assert_true(ns[1] < ns[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size_and_count),      cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_other_architectures), cmocka_unit_test(test_installed),
        cmocka_unit_test(test_unconfined),          cmocka_unit_test(test_profile),
        cmocka_unit_test(test_bad_profiles),        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_hit_is_cheap),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
