/* Seccomp user notification: the filter and the questions. */
#include "whelk/seccomp-notify.h"

#include "whelk/auto.h"
#include "whelk/err.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH_NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define ARCH_NATIVE AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define ARCH_NATIVE AUDIT_ARCH_S390X
#elif defined(__powerpc64__)
#define ARCH_NATIVE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? AUDIT_ARCH_PPC64LE : AUDIT_ARCH_PPC64)
#endif

enum { CALL_MAX = 5, FRAME = 4 }; /* instructions of a call; around them */

/* The half of an argument that flags are in. */
static uint32_t argument_offset(unsigned argument)
{
    uint32_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
    return (uint32_t)(offsetof(struct seccomp_data, args) + 8 * argument) + low;
}

/* If the number is this one, ask; with bits, only if the argument has one of them. */
static size_t add_call(struct sock_filter *p, const struct notify_call *c)
{
    const struct sock_filter ask = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    p[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, c->bits ? 4 : 1);
    if (!c->bits) {
        p[1] = ask;
        return 2;
    }
    p[1] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument_offset(c->argument));
    p[2] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, c->bits, 0, 1);
    p[3] = ask;
    p[4] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return 5;
}

int notify_install(const struct notify_call *calls, size_t n, int *ret)
{
    auto_free struct sock_filter *p = xmalloc((n * CALL_MAX + FRAME) * sizeof *p);
    size_t len = 0;
    p[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    p[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_NATIVE, 1, 0);
    p[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    p[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < n; i++)
        len += add_call(p + len, &calls[i]);
    p = xrealloc(p, (len + 1) * sizeof *p);
    p[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = (unsigned short)len, .filter = p};
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
    if (fd < 0)
        return err_sys("cannot install the filter for notifications");
    *ret = fd;
    return 0;
}

int notify_receive(int listener, struct seccomp_notif *ret)
{
    memset(ret, 0, sizeof *ret);
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, ret) < 0 ? -errno : 0;
}

bool notify_is_valid(int listener, uint64_t id)
{
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static void send(int listener, struct seccomp_notif_resp *answer)
{
    while (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer) < 0 && errno == EINTR)
        ;
}

void notify_answer(int listener, uint64_t id, int64_t value, int error)
{
    send(listener, &(struct seccomp_notif_resp){.id = id, .val = error ? 0 : value, .error = error});
}

void notify_continue(int listener, uint64_t id)
{
    send(listener, &(struct seccomp_notif_resp){.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

void notify_answer_fd(int listener, uint64_t id, int fd, unsigned flags)
{
    struct seccomp_notif_addfd give = {
        .id = id, .srcfd = (uint32_t)fd, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = flags};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give) < 0 && errno != ENOENT)
        notify_answer(listener, id, 0, -errno);
}
