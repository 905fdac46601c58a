/* The built-in seccomp profile: which system calls a container may make (SECURITY 2.2).
 *
 * Three kinds of rows: what every program needs is open; what is dangerous is open only to a container that was given
 * the capability or
 * --security-opt nested, and EPERM otherwise; everything not named is ENOSYS, so that a libc falls back as on an older
 * kernel. Where arguments decide, a veto row gives the errno that programs know from the kernel. Values are compared in
 * 32 bits, as the kernel takes them: garbage in the upper half must neither hide a request nor spoil one. */
#include "seccomp-rule.h"
#include "whelk/auto.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/personality.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum gate {
    OPEN,  /* for everybody */
    GATED, /* to who has one of caps, or to nested containers */
    SHUT,  /* to nobody */
};

/* Every value from..to; with bits, every single bit of mask being set. */
struct arg {
    bool used, bits;
    uint8_t index;
    uint32_t mask, from, to;
};

struct row {
    const char *names; /* separated by blanks */
    enum gate gate;
    bool nested;   /* the gate is open to nested containers */
    bool veto;     /* err is for calls with these args while the gate is not open; else args say what is allowed */
    int err;       /* behind a closed gate; 0: as if not named */
    uint64_t caps; /* one of these opens the gate */
    struct arg args[2];
};

#define CAP(x) (UINT64_C(1) << CAP_##x)
#define SAME(i, v)                                                                                                     \
    {                                                                                                                  \
        .used = true, .index = (i), .from = (v), .to = (v)                                                             \
    }
#define RANGE(i, a, b)                                                                                                 \
    {                                                                                                                  \
        .used = true, .index = (i), .from = (a), .to = (b)                                                             \
    }
#define ANY_BIT(i, m)                                                                                                  \
    {                                                                                                                  \
        .used = true, .index = (i), .mask = (m), .bits = true                                                          \
    }

#define ALLOW(n)                                                                                                       \
    {                                                                                                                  \
        .names = n, .gate = OPEN                                                                                       \
    }
#define ALLOW_IF(n, ...)                                                                                               \
    {                                                                                                                  \
        .names = n, .gate = OPEN, .args = { __VA_ARGS__ }                                                              \
    }
#define DENY(n)                                                                                                        \
    {                                                                                                                  \
        .names = n, .gate = SHUT, .err = EPERM                                                                         \
    }
#define NEEDS(n, c)                                                                                                    \
    {                                                                                                                  \
        .names = n, .gate = GATED, .caps = (c), .err = EPERM                                                           \
    }
#define NEEDS_OR_NESTED(n, c)                                                                                          \
    {                                                                                                                  \
        .names = n, .gate = GATED, .caps = (c), .nested = true, .err = EPERM                                           \
    }
#define NEEDS_IF(n, c, ...)                                                                                            \
    {                                                                                                                  \
        .names = n, .gate = GATED, .caps = (c), .args = { __VA_ARGS__ }                                                \
    }
#define VETO(n, e, ...)                                                                                                \
    {                                                                                                                  \
        .names = n, .gate = SHUT, .veto = true, .err = (e), .args = { __VA_ARGS__ }                                    \
    }
#define VETO_UNLESS(n, c, e, ...)                                                                                      \
    {                                                                                                                  \
        .names = n, .gate = GATED, .veto = true, .caps = (c), .err = (e), .args = { __VA_ARGS__ }                      \
    }

#if defined(__s390__)
#define CLONE_FLAGS_INDEX 1
#else
#define CLONE_FLAGS_INDEX 0
#endif
#define CLONE_NAMESPACES                                                                                               \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct row rows[] = {
    /* Files by descriptor and by path. */
    ALLOW("read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range"),
    ALLOW("open openat openat2 creat dup dup2 dup3 fcntl flock ioctl pipe pipe2 memfd_create"),
    ALLOW("stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat"),
    ALLOW("getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat"),
    ALLOW("rename renameat renameat2 chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask mknod mknodat"),
    ALLOW("truncate ftruncate fallocate utime utimes utimensat copy_file_range sendfile splice tee"),
    ALLOW("sync syncfs fsync fdatasync sync_file_range fadvise64 readahead cachestat"),
    ALLOW("getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr "
          "lremovexattr fremovexattr"),
    ALLOW("inotify_init inotify_init1 inotify_add_watch inotify_rm_watch"),
    ALLOW("io_setup io_destroy io_getevents io_submit io_cancel"),

    /* Waiting. */
    ALLOW("select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2"),
    ALLOW("eventfd2 signalfd4 timerfd_create timerfd_settime timerfd_gettime"),
    ALLOW("futex futex_waitv set_robust_list"),

    /* Memory. */
    ALLOW("brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 mlockall munlock munlockall mseal"),
    ALLOW("pkey_alloc pkey_free pkey_mprotect map_shadow_stack membarrier"),

    /* Processes, threads, signals. */
    ALLOW("execve execveat exit exit_group fork vfork clone wait4 waitid arch_prctl prctl set_tid_address rseq"),
    ALLOW("riscv_flush_icache riscv_hwprobe getpid gettid getppid getpgid getpgrp setpgid getsid setsid"),
    ALLOW("kill tkill tgkill pidfd_open pidfd_send_signal rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending"),
    ALLOW("rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack pause restart_syscall"),
    ALLOW("sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler"),
    ALLOW("sched_setscheduler sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min"),
    ALLOW("sched_rr_get_interval getpriority setpriority ioprio_get ioprio_set getcpu getrusage getrlimit setrlimit"),
    ALLOW("prlimit64 times sysinfo uname getrandom seccomp landlock_create_ruleset landlock_add_rule"),
    ALLOW("landlock_restrict_self"),
    /* Since 4.8 a tracer cannot slip past the filter. The two others do nothing that ptrace could not. */
    ALLOW("ptrace process_vm_readv process_vm_writev"),
#if defined(__x86_64__)
    ALLOW("uretprobe"), /* made by the kernel itself where the host probes; refusing it kills the program */
#endif

    /* Identity. */
    ALLOW("getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid"),
    ALLOW("setresgid setfsuid setfsgid setgroups capget capset"),

    /* Time. adjtimex reads for everybody; to set, the kernel wants a capability of the host. */
    ALLOW("time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer setitimer"),
    ALLOW("timer_create timer_settime timer_gettime timer_getoverrun timer_delete adjtimex clock_adjtime"),

    /* Sockets and SysV or POSIX message passing. */
    ALLOW("connect accept accept4 bind listen shutdown sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg"),
    ALLOW("getsockname getpeername getsockopt setsockopt"),
    ALLOW("shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl"),
    ALLOW("mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr"),

    /* Namespaces and mounts. Flags of clone3 are behind a pointer, so it is ENOSYS and libc takes clone. */
    NEEDS_OR_NESTED("mount umount2 pivot_root unshare setns fsopen fsconfig fsmount fspick open_tree open_tree_attr "
                    "move_mount mount_setattr sethostname setdomainname",
                    CAP(SYS_ADMIN)),
    {.names = "clone3 statmount listmount", .gate = GATED, .caps = CAP(SYS_ADMIN), .nested = true, .err = ENOSYS},
    {.names = "clone",
     .gate = GATED,
     .veto = true,
     .caps = CAP(SYS_ADMIN),
     .nested = true,
     .err = EPERM,
     .args = {ANY_BIT(CLONE_FLAGS_INDEX, CLONE_NAMESPACES)}},
    NEEDS_OR_NESTED("chroot", CAP(SYS_CHROOT)),
    NEEDS_OR_NESTED("reboot", CAP(SYS_BOOT)),

    /* Keys are not namespaced; bpf is a compiler in the kernel. */
    {.names = "keyctl add_key request_key", .gate = GATED, .nested = true, .err = EPERM},
    NEEDS_OR_NESTED("bpf", CAP(SYS_ADMIN) | CAP(BPF)),

    /* Known ways out, or into the host's state. */
    NEEDS("perf_event_open", CAP(SYS_ADMIN) | CAP(PERFMON)),
    NEEDS("fanotify_init fanotify_mark quotactl quotactl_fd", CAP(SYS_ADMIN)),
    NEEDS("open_by_handle_at name_to_handle_at", CAP(DAC_READ_SEARCH)),
    NEEDS("init_module finit_module delete_module", CAP(SYS_MODULE)),
    NEEDS("acct", CAP(SYS_PACCT)),
    NEEDS("kcmp pidfd_getfd process_madvise", CAP(SYS_PTRACE)),
    NEEDS("iopl ioperm", CAP(SYS_RAWIO)),
    NEEDS("settimeofday clock_settime", CAP(SYS_TIME)),
    NEEDS("vhangup", CAP(SYS_TTY_CONFIG)),
    NEEDS("syslog", CAP(SYSLOG)),
    NEEDS("mbind get_mempolicy set_mempolicy set_mempolicy_home_node", CAP(SYS_NICE)),
    DENY("userfaultfd io_uring_setup io_uring_enter io_uring_register vmsplice"),
    DENY("kexec_load kexec_file_load swapon swapoff migrate_pages move_pages"),

    /* Input pushed into a terminal (or the console's selection pasted there) is typed on the host. */
    VETO("ioctl", EPERM, SAME(1, TIOCSTI)),
    VETO("ioctl", EPERM, SAME(1, TIOCLINUX)),

    /* What setarch and buildd use; the rest weakens address randomisation. 0xffffffff asks. */
    ALLOW_IF("personality", SAME(0, PER_LINUX)),
    ALLOW_IF("personality", SAME(0, PER_LINUX32)),
    ALLOW_IF("personality", SAME(0, UNAME26)),
    ALLOW_IF("personality", SAME(0, UNAME26 | PER_LINUX32)),
    ALLOW_IF("personality", SAME(0, UINT32_MAX)),

    /* Socket families: unix, inet, inet6, some of netlink. Others load modules and are rarely looked at. */
    ALLOW_IF("socket socketpair", RANGE(0, AF_UNIX, AF_INET)),
    ALLOW_IF("socket socketpair", SAME(0, AF_INET6)),
    NEEDS_IF("socket", CAP(NET_RAW) | CAP(NET_ADMIN), SAME(0, AF_PACKET)),
    NEEDS_IF("socket socketpair", CAP(NET_ADMIN), RANGE(0, AF_AX25, AF_X25)),
    NEEDS_IF("socket socketpair", CAP(NET_ADMIN), RANGE(0, AF_ROSE, AF_KEY)),
    NEEDS_IF("socket socketpair", CAP(NET_ADMIN), RANGE(0, AF_ASH, AF_ALG - 1)),
    NEEDS_IF("socket socketpair", CAP(NET_ADMIN), SAME(0, AF_NFC)),
    NEEDS_IF("socket socketpair", CAP(NET_ADMIN), RANGE(0, AF_KCM, AF_MCTP)),
    VETO_UNLESS("socket", CAP(NET_RAW) | CAP(NET_ADMIN), EAFNOSUPPORT, SAME(0, AF_PACKET)),
    VETO_UNLESS("socket", CAP(NET_ADMIN), EAFNOSUPPORT, RANGE(0, AF_AX25, AF_X25)),
    VETO_UNLESS("socket", CAP(NET_ADMIN), EAFNOSUPPORT, RANGE(0, AF_ROSE, AF_KEY)),
    VETO_UNLESS("socket", CAP(NET_ADMIN), EAFNOSUPPORT, RANGE(0, AF_ASH, AF_ALG - 1)),
    VETO_UNLESS("socket", CAP(NET_ADMIN), EAFNOSUPPORT, SAME(0, AF_NFC)),
    VETO_UNLESS("socket", CAP(NET_ADMIN), EAFNOSUPPORT, RANGE(0, AF_KCM, AF_MCTP)),
    VETO("socket", EAFNOSUPPORT, SAME(0, AF_UNSPEC)),
    VETO("socket", EAFNOSUPPORT, SAME(0, AF_ALG)),
    VETO("socket", EAFNOSUPPORT, SAME(0, AF_VSOCK)),

    /* Netlink: addresses and routes, ss, device events, generic; the firewall and IPsec with NET_ADMIN.
     * No audit: EINVAL is what login and useradd take for "not built into this kernel". */
    ALLOW_IF("socket", SAME(0, AF_NETLINK), SAME(2, NETLINK_ROUTE)),
    ALLOW_IF("socket", SAME(0, AF_NETLINK), SAME(2, NETLINK_SOCK_DIAG)),
    ALLOW_IF("socket", SAME(0, AF_NETLINK), RANGE(2, NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC)),
    NEEDS_IF("socket", CAP(NET_ADMIN), SAME(0, AF_NETLINK), SAME(2, NETLINK_XFRM)),
    NEEDS_IF("socket", CAP(NET_ADMIN), SAME(0, AF_NETLINK), SAME(2, NETLINK_NETFILTER)),
    NEEDS_IF("socket", CAP(AUDIT_WRITE), SAME(0, AF_NETLINK), SAME(2, NETLINK_AUDIT)),
    VETO_UNLESS("socket", CAP(NET_ADMIN), EPROTONOSUPPORT, SAME(0, AF_NETLINK), SAME(2, NETLINK_XFRM)),
    VETO_UNLESS("socket", CAP(NET_ADMIN), EPROTONOSUPPORT, SAME(0, AF_NETLINK), SAME(2, NETLINK_NETFILTER)),
    VETO_UNLESS("socket", CAP(AUDIT_WRITE), EINVAL, SAME(0, AF_NETLINK), SAME(2, NETLINK_AUDIT)),
};

static bool gate_is_open(const struct row *row, const struct seccomp_spec *spec)
{
    if (row->gate == GATED)
        return (row->caps & spec->caps) || (row->nested && spec->nested);
    return row->gate == OPEN;
}

/* The largest aligned block of values that begins with from and does not go beyond to: 12..15 is one comparison. */
static uint32_t block_len(uint32_t from, uint32_t to)
{
    uint32_t len = 1;
    while (from % (len * 2) == 0 && to - from >= len * 2 - 1)
        len *= 2;
    return len;
}

/* The i-th test that arg stands for; false behind the last. */
static bool arg_test(const struct arg *arg, unsigned i, struct seccomp_test *ret)
{
    uint32_t mask = arg->mask, value = arg->from;

    if (arg->bits) {
        for (unsigned skip = i; skip && mask; skip--)
            mask &= mask - 1;
        mask &= -mask;
        *ret = (struct seccomp_test){arg->index, SECCOMP_OP_MASKED_EQ, mask, mask};
        return mask != 0;
    }
    for (; i; i--) {
        uint32_t len = block_len(value, arg->to);
        if (arg->to - value < len)
            return false;
        value += len;
    }
    *ret = (struct seccomp_test){arg->index, SECCOMP_OP_MASKED_EQ, ~(block_len(value, arg->to) - 1), value};
    return true;
}

/* One rule for each combination of the values of both args. */
static int emit_name(const struct row *row, struct seccomp_rule *rule, enum seccomp_part part, struct seccomp_out *out)
{
    if (!row->args[0].used)
        return seccomp_out_rule(out, part, rule);

    int r = 0;
    for (unsigned i = 0; r >= 0 && arg_test(&row->args[0], i, &rule->tests[0]); i++) {
        rule->n_tests = 1;
        if (!row->args[1].used)
            r = seccomp_out_rule(out, part, rule);
        for (unsigned k = 0; r >= 0 && row->args[1].used && arg_test(&row->args[1], k, &rule->tests[1]); k++) {
            rule->n_tests = 2;
            r = seccomp_out_rule(out, part, rule);
        }
    }
    return r;
}

static int emit_row(const struct row *row, const struct seccomp_spec *spec, struct seccomp_out *out)
{
    bool open = gate_is_open(row, spec);
    if (open ? row->veto : row->err == 0)
        return 0;

    const char *p = row->names;
    while (*p) {
        size_t n = strcspn(p, " ");
        struct seccomp_rule rule = {.action = open ? SECCOMP_RET_ALLOW : seccomp_errno(row->err)};
        memcpy(rule.name, p, MIN(n, sizeof(rule.name) - 1));
        int r = emit_name(row, &rule, row->veto ? SECCOMP_VETO : SECCOMP_LIST, out);
        if (r < 0)
            return r;
        p += n;
        p += strspn(p, " ");
    }
    return 0;
}

int seccomp_table_emit(const struct seccomp_spec *spec, struct seccomp_out *out)
{
    int r = seccomp_out_default(out, SECCOMP_VETO, SECCOMP_RET_ALLOW);
    if (r >= 0)
        r = seccomp_out_default(out, SECCOMP_LIST, seccomp_errno(ENOSYS));
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(rows); i++)
        r = emit_row(&rows[i], spec, out);
    return r;
}

/* FNV-1a over 64-bit words: short and the same everywhere; nobody chooses what is hashed. */
static uint64_t hash_word(uint64_t h, uint64_t word)
{
    return (h ^ word) * UINT64_C(0x100000001b3);
}

uint64_t seccomp_table_hash(void)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        for (const char *p = row->names; *p; p++)
            h = hash_word(h, (unsigned char)*p);
        h = hash_word(h, row->gate | row->nested << 2 | row->veto << 3 | (unsigned)row->err << 4);
        h = hash_word(h, row->caps);
        for (size_t k = 0; k < ARRAY_LEN(row->args) && row->args[k].used; k++) {
            const struct arg *arg = &row->args[k];
            h = hash_word(h, arg->index | arg->bits << 8 | (uint64_t)arg->mask << 16);
            h = hash_word(h, arg->from | (uint64_t)arg->to << 32);
        }
    }
    return h;
}

uint64_t seccomp_table_caps(void)
{
    uint64_t caps = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        caps |= rows[i].caps;
    return caps;
}
