/* Helper processes: they move packets or bytes for one container and meet hostile ones.
 *
 * A helper is a fork of the SUPERVISOR in the same pid namespace, whose init the SUPERVISOR is: the kernel ends it with
 * its SUPERVISOR. What it could do if a peer took it over: talk to the internet as the user may, and to its container.
 * It has an empty root, no other process' descriptors, no capability outside of the container's own network, and no
 * system call that would open, execute or trace anything.
 *
 * Runs in: net_helper_start, net_helper_stop in the SUPERVISOR; net_helper_confine in the helper. */
#include "helper.h"

#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/proc.h"
#include "whelk/sock.h"
#include "whelk/userns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

/* libslirp keeps buffers for each connection: this bounds what a container can make a helper take. */
enum { FILES_MAX = 8192 };

static void __attribute__((noreturn)) run(int sock, void (*fn)(int sock, void *arg), void *arg)
{
    struct rlimit files;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = MIN(files.rlim_max, (rlim_t)FILES_MAX);
        setrlimit(RLIMIT_NOFILE, &files);
    }
    fn(sock, arg);
    _exit(0);
}

int net_helper_start(struct net_helper *h, void (*fn)(int sock, void *arg), void *arg, const int *keep, size_t n_keep)
{
    int socks[2], pidfd = -1;
    if (h->killed > 0)
        proc_reap(h->killed);
    h->killed = 0;
    int r = sock_pair(socks);
    if (r < 0)
        return r;
    pid_t pid = ns_clone(0, &pidfd);
    if (pid == 0) {
        const int own[] = {0, 1, 2, socks[1]};
        auto_free int *kept = xcalloc(n_keep + ARRAY_LEN(own), sizeof(int));
        memcpy(kept, own, sizeof own);
        for (size_t i = 0; i < n_keep; i++)
            kept[ARRAY_LEN(own) + i] = keep[i];
        fd_close_except(kept, n_keep + ARRAY_LEN(own));
        run(socks[1], fn, arg);
    }
    fd_close(socks[1]);
    if (pid < 0) {
        fd_close(socks[0]);
        return pid;
    }
    *h = (struct net_helper){.pid = pid, .pidfd = pidfd, .sock = socks[0]};
    return 0;
}

void net_helper_stop(struct net_helper *h)
{
    if (h->pid <= 0)
        return;
    fd_close(h->sock);
    pidfd_signal(h->pidfd, SIGKILL, 0);
    fd_close(h->pidfd);
    *h = (struct net_helper){.sock = -1, .pidfd = -1, .killed = h->pid};
}

int64_t net_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void net_helper_tell(int sock, int r)
{
    size_t len = 0;
    auto_free char *packed = err_pack(r, &len);
    struct iovec answer = {packed, len};
    sock_send(sock, &answer, 1, -1, 0);
}

int net_helper_settle(struct net_helper *h)
{
    char answer[1024];
    struct iovec part = {answer, sizeof answer};
    ssize_t n = sock_recv(h->sock, &part, 1, NULL, 0);
    return n < 0 ? err_set((int)n, "a helper process was killed") : err_unpack(answer, (size_t)n);
}

int net_helper_confine(bool host_root, bool routes, const char *resolv_conf)
{
    static const char *const options[] = {"mode", "755", "size", "64k", NULL};
    auto_close int root = -1;
    /* Only in a mount namespace of one's own may a user mount. */
    if (!host_root && unshare(CLONE_NEWNS) < 0)
        return err_sys("cannot make a mount namespace for a network helper");
    int r = mnt_new("tmpfs", 0, options, &root);
    if (r == 0 && resolv_conf)
        r = dir_make(root, "etc", 0755);
    if (r == 0 && resolv_conf)
        r = file_write(root, "etc/resolv.conf", resolv_conf, strlen(resolv_conf), 0644);
    return r < 0 ? r : confine_to_network(take_fd(&root), host_root, routes ? CONFINE_ROUTES : 0);
}
