/* Seccomp notification: calls that are asked about, and those that pass. */
#include "whelk/seccomp-notify.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct notify_call calls[] = {
    {SYS_getpriority},
    {SYS_getsid},
    {SYS_dup3, 2, O_CLOEXEC},
    {SYS_gettid},
};

static void send_fd(int sock, int fd)
{
    char control[CMSG_SPACE(sizeof fd)] = {0}, byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (sendmsg(sock, &m, 0) != 1)
        _exit(90);
}

static int receive_fd(int sock)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int fd = -1;
    if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

/* Each exit status says which expectation broke. */
static void ask(int sock)
{
    int listener;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (notify_install(calls, sizeof calls / sizeof *calls, &listener) < 0)
        _exit(77);
    send_fd(sock, listener);
    close(listener);
    if (syscall(SYS_getpriority, 0, 0) != 4242)
        _exit(1);
    if (syscall(SYS_getsid, 0) != -1 || errno != EXDEV)
        _exit(2);
    if (syscall(SYS_dup3, 0, 100, 0) != 100) /* without the bit nobody is asked */
        _exit(3);
    int fd = (int)syscall(SYS_dup3, 0, 101, O_CLOEXEC);
    if (fd < 0 || fd == 101 || fcntl(fd, F_GETFD) != FD_CLOEXEC)
        _exit(4);
    if (syscall(SYS_gettid) != getpid())
        _exit(5);
    _exit(0);
}

static void test_answers(void **state)
{
    int socks[2], asked = 0, status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        ask(socks[1]);
    close(socks[1]);
    int listener = receive_fd(socks[0]);
    for (struct seccomp_notif n; listener >= 0 && asked < 4 && notify_receive(listener, &n) == 0; asked++) {
        assert_int_equal(n.pid, pid);
        assert_true(notify_is_valid(listener, n.id));
        if (n.data.nr == SYS_getpriority)
            notify_answer(listener, n.id, 4242, 0);
        else if (n.data.nr == SYS_getsid)
            notify_answer(listener, n.id, 7, -EXDEV);
        else if (n.data.nr == SYS_dup3)
            notify_answer_fd(listener, n.id, socks[0], O_CLOEXEC);
        else
            notify_continue(listener, n.id);
        assert_false(notify_is_valid(listener, n.id));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* somebody listens already, or the kernel cannot */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(asked, 4);
    close(listener);
    close(socks[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
