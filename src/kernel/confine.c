/* Confining workers: chroot, few capabilities, and a list of the system calls that are left. What is not listed fails
 * with EPERM; a foreign system call table ends the process. The two filters are short and fixed, so they are written
 * here by hand. Runs in: workers that read hostile bytes (inflate, apply), after they have opened all that they need.
 */
#include "whelk/confine.h"

#include "whelk/auto.h"
#include "whelk/err.h"

#include <assert.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH_NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_NATIVE AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define ARCH_NATIVE AUDIT_ARCH_I386
#elif defined(__arm__)
#define ARCH_NATIVE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH_NATIVE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH_NATIVE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define ARCH_NATIVE AUDIT_ARCH_S390X
#else
#error "the seccomp name of this architecture is missing here"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { LOW_HALF = 0 };
#else
enum { LOW_HALF = 4 };
#endif

/* An allowed call. Where forbid is set, the call is refused if argument arg has one of these bits in its low half. */
struct call {
    unsigned nr;
    unsigned arg;
    unsigned forbid;
};

/* Memory without new code, waiting, the end; and what sanitizers call. */
static const struct call base_calls[] = {
    {__NR_read},
    {__NR_write},
    {__NR_readv},
    {__NR_writev},
    {__NR_close},
    {__NR_brk},
    {__NR_munmap},
    {__NR_mremap},
    {__NR_madvise},
    {__NR_mprotect, 2, PROT_EXEC},
#ifdef __NR_mmap
    {__NR_mmap, 2, PROT_EXEC},
#endif
#ifdef __NR_mmap2
    {__NR_mmap2, 2, PROT_EXEC},
#endif
    {__NR_exit},
    {__NR_exit_group},
    {__NR_rt_sigreturn},
    {__NR_rt_sigaction},
    {__NR_rt_sigprocmask},
    {__NR_restart_syscall},
    {__NR_futex},
    {__NR_getrandom},
    {__NR_clock_gettime},
    {__NR_ppoll},
#ifdef __NR_poll
    {__NR_poll},
#endif
    {__NR_sigaltstack},
    {__NR_getpid},
    {__NR_gettid},
    {__NR_sched_yield},
};

/* The bits that are in no fcntl command but duplicating, flags, locks and the size of pipes: F_SETOWN and F_SETSIG
 * would send signals. */
enum { NO_SIGNALS = ~0x407 };

/* Files below the root directory and on held descriptors. mknodat makes FIFOs and whiteouts (device 0), no devices. */
static const struct call dir_calls[] = {
    {__NR_openat},
    {__NR_openat2},
    {__NR_statx},
#ifdef __NR_newfstatat
    {__NR_newfstatat},
#endif
#ifdef __NR_fstatat64
    {__NR_fstatat64},
#endif
#ifdef __NR_fstat
    {__NR_fstat},
#endif
#ifdef __NR_fstat64
    {__NR_fstat64},
#endif
    {__NR_fchown},
    {__NR_fchmod},
    {__NR_fchmodat},
    {__NR_fchownat},
    {__NR_utimensat},
#ifdef __NR_utimensat_time64
    {__NR_utimensat_time64},
#endif
    {__NR_lseek},
#ifdef __NR__llseek
    {__NR__llseek},
#endif
    {__NR_pread64},
    {__NR_pwrite64},
    {__NR_ftruncate},
#ifdef __NR_ftruncate64
    {__NR_ftruncate64},
#endif
    {__NR_fallocate},
    {__NR_mkdirat},
    {__NR_mknodat, 3, ~0u},
    {__NR_linkat},
    {__NR_symlinkat},
    {__NR_readlinkat},
    {__NR_unlinkat},
#ifdef __NR_renameat
    {__NR_renameat},
#endif
    {__NR_renameat2},
    {__NR_fsetxattr},
    {__NR_fgetxattr},
    {__NR_flistxattr},
    {__NR_fremovexattr},
    {__NR_getdents64},
    {__NR_fcntl, 1, NO_SIGNALS},
#ifdef __NR_fcntl64
    {__NR_fcntl64, 1, NO_SIGNALS},
#endif
    {__NR_fstatfs},
    {__NR_umask},
    {__NR_fchdir},
};

/* Sockets of the internet protocols (2 and 10; 1, 16 and 17 would be local, netlink and packet sockets), pipes between
 * them, waiting; and reading in a root that is empty or holds what the helper is to know. */
enum { NOT_INTERNET = ~(AF_INET | AF_INET6) };

static const struct call net_calls[] = {
    {__NR_socket, 0, NOT_INTERNET},
#ifdef __NR_socketcall
    {__NR_socketcall},
#endif
    {__NR_bind},
    {__NR_connect},
    {__NR_listen},
#ifdef __NR_accept
    {__NR_accept},
#endif
    {__NR_accept4},
    {__NR_shutdown},
    {__NR_getsockname},
    {__NR_getpeername},
    {__NR_getsockopt},
    {__NR_setsockopt},
    {__NR_sendto},
    {__NR_recvfrom},
    {__NR_sendmsg},
    {__NR_recvmsg},
    {__NR_ioctl},
    {__NR_fcntl, 1, NO_SIGNALS},
#ifdef __NR_fcntl64
    {__NR_fcntl64, 1, NO_SIGNALS},
#endif
    {__NR_pipe2},
    {__NR_splice},
    {__NR_epoll_ctl},
    {__NR_epoll_pwait},
#ifdef __NR_epoll_wait
    {__NR_epoll_wait},
#endif
#ifdef __NR_ppoll_time64
    {__NR_ppoll_time64},
#endif
    {__NR_openat},
    {__NR_lseek},
#ifdef __NR_open
    {__NR_open},
#endif
#ifdef __NR_stat
    {__NR_stat},
#endif
#ifdef __NR_newfstatat
    {__NR_newfstatat},
#endif
#ifdef __NR_fstatat64
    {__NR_fstatat64},
#endif
#ifdef __NR_fstat
    {__NR_fstat},
#endif
#ifdef __NR_fstat64
    {__NR_fstat64},
#endif
    {__NR_statx},
    {__NR_getdents64},
};

enum {
    PER_CALL = 5, /* instructions for one row, at most */
    AROUND = 8,   /* before and behind the rows */
    X32_BIT = 0x40000000,
};

static const unsigned answer_no = SECCOMP_RET_ERRNO | EPERM;

static void put(struct sock_fprog *p, struct sock_filter f)
{
    p->filter[p->len++] = f;
}

static void put_head(struct sock_fprog *p)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_NATIVE, 1, 0));
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
#ifdef __x86_64__
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
#endif
}

static void put_call(struct sock_fprog *p, const struct call *c)
{
    put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->nr, 0, c->forbid ? 4 : 1));
    if (c->forbid) {
        unsigned at = offsetof(struct seccomp_data, args) + 8 * c->arg + LOW_HALF;
        put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, c->forbid, 0, 1));
        put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer_no));
    }
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* The base calls and these. */
static int filter_install(const struct call *more, size_t n)
{
    auto_free struct sock_filter *code = xcalloc((ARRAY_LEN(base_calls) + n) * PER_CALL + AROUND, sizeof(*code));
    struct sock_fprog p = {.filter = code};
    put_head(&p);
    for (size_t i = 0; i < ARRAY_LEN(base_calls); i++)
        put_call(&p, &base_calls[i]);
    for (size_t i = 0; i < n; i++)
        put_call(&p, &more[i]);
    put(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer_no));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) < 0)
        return err_sys("cannot confine a worker (seccomp)");
    return 0;
}

/* For root's store these would be the host's capabilities. */
static int caps_reduce(unsigned keep)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(__NR_capget, &head, data) < 0)
        return err_sys("cannot read the capabilities of a worker");
    data[0].permitted &= keep;
    data[0].effective = data[0].permitted;
    data[0].inheritable = 0;
    data[1] = (struct __user_cap_data_struct){0};
    if (syscall(__NR_capset, &head, data) < 0)
        return err_sys("cannot reduce the capabilities of a worker");
    return 0;
}

int confine_filter(void)
{
    return filter_install(NULL, 0);
}

int confine_to_dir(int dirfd)
{
    if (fchdir(dirfd) < 0 || chroot(".") < 0)
        return err_sys("cannot confine a worker to its directory");
    /* what it takes to write files of any owner */
    int r =
        caps_reduce(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_SETFCAP);
    static_assert(CAP_SETFCAP < 32, "the kept capabilities are in the first word");
    return r < 0 ? r : filter_install(dir_calls, ARRAY_LEN(dir_calls));
}

/* Another user than root where that is not root of a user namespace: what he could open would be the host's files. */
static int leave_root(void)
{
    enum { NOBODY = 65534 };
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return err_sys("cannot confine a network helper to a user");
    return 0;
}

int confine_to_network(int dirfd, bool host_root, unsigned rights)
{
    unsigned caps = (rights & CONFINE_ROUTES ? 1u << CAP_NET_ADMIN : 0) |
                    (rights & CONFINE_READ && host_root ? 1u << CAP_DAC_READ_SEARCH : 0);
    if (fchdir(dirfd) < 0 || chroot(".") < 0)
        return err_sys("cannot confine a network helper to an empty directory");
    fd_close(dirfd);
    int r = host_root ? leave_root() : 0;
    if (r == 0)
        r = caps_reduce(caps);
    if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        r = err_sys("cannot confine a network helper");
    return r < 0 ? r : filter_install(net_calls, ARRAY_LEN(net_calls));
}
