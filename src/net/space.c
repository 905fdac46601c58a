/* The space of a user's named networks: a user namespace, a network namespace with the bridges, and the way out.
 *
 * Theory of operation. Containers can share a network only below one user namespace, so all supervisors of containers
 * on named networks are in one, with the store's map. Nobody is there just to hold it: the user namespace lasts while a
 * supervisor is in it, the network namespace while a supervisor has it open. networks/.space tells who they are, with
 * start times; a STARTER joins the first that still runs, under networks/.lock, and adds its own supervisor before it
 * lets go. So it does not matter who was first, or in which way anybody ends.
 *
 * The way out is a helper with libslirp in the host's network namespace and a tap device among the bridges. The STARTER
 * that makes the space makes it too, outside of all supervisors, so that it outlives the container that came first. It
 * reads the FIFO networks/.out: every supervisor has that open for writing, so the helper sees the end when the last
 * one is gone. If the helper ends, they all see an error on the FIFO; the first that gets the lock makes another, as
 * its own helper.
 *
 * Runs in: STARTER (net_space_*), SUPERVISOR (space_mend), the way out and short-lived forks of it. Lock:
 * networks/.lock. */
#include "kinds.h"
#include "slirp.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/link.h"
#include "whelk/log.h"
#include "whelk/proc.h"
#include "whelk/sock.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#define FIFO "networks/.out"
#define RECORD "networks/.space"
#define TAP "out0"

enum { MTU = 65520, RESOLV_MAX = 1 << 16, ANSWER_MAX = 1024 };

/* ---- who is there ---- */

struct inhabitant {
    int64_t pid, start; /* of a supervisor, as the host's pid namespace has it */
    int64_t net;        /* its descriptor of the network namespace */
};

static const struct rec_field inhabitant_fields[] = {
    REC_FIELD(struct inhabitant, INT, pid, "pid"),
    REC_FIELD(struct inhabitant, INT, start, "start"),
    REC_FIELD(struct inhabitant, INT, net, "net"),
    REC_END,
};
static const struct rec_type inhabitant_rec = {"inhabitant", 0, sizeof(struct inhabitant), inhabitant_fields};

struct register_ {
    struct rec_head head;
    char *boot_id;
    struct rec_list list;
};
static const struct rec_field register_fields[] = {
    REC_FIELD(struct register_, STR, boot_id, "boot_id"),
    REC_NESTED(struct register_, LIST, list, "supervisors", &inhabitant_rec),
    REC_END,
};
static const struct rec_type register_rec = {"space", 1, sizeof(struct register_), register_fields};

static void load_register(const struct store *s, struct register_ *ret)
{
    if (rec_load(&register_rec, s->fd, RECORD, ret) < 0 || !ret->boot_id || !str_eq(ret->boot_id, proc_boot_id())) {
        rec_done(&register_rec, ret);
        err_clear();
    }
}

/* Its pidfd, or -1. The number may be another process's by now: the start time tells. */
static int open_inhabitant(const struct inhabitant *i)
{
    uint64_t start = 0;
    if (i->pid <= 0 || i->pid > INT32_MAX)
        return -1;
    auto_close int pidfd = pidfd_open_pid((pid_t)i->pid);
    if (pidfd < 0 || proc_start_time((pid_t)i->pid, &start) < 0 || (int64_t)start != i->start ||
        pidfd_wait_end(pidfd, 0) != 0)
        return -1;
    return take_fd(&pidfd);
}

/* Both are what they are said to be, or nothing. */
static bool open_namespaces(const struct inhabitant *i, struct net_space *sp)
{
    auto_free char *user = xasprintf("/proc/%lld/ns/user", (long long)i->pid),
                   *net = xasprintf("/proc/%lld/fd/%lld", (long long)i->pid, (long long)i->net);
    auto_close int u = open(user, O_RDONLY | O_CLOEXEC), n = open(net, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (u < 0 || n < 0 || ioctl(n, NS_GET_NSTYPE) != CLONE_NEWNET)
        return false;
    sp->user = take_fd(&u);
    sp->net = take_fd(&n);
    return true;
}

static bool find(const struct store *s, struct net_space *sp)
{
    struct register_ reg = {0};
    bool found = false;
    load_register(s, &reg);
    const struct inhabitant *list = reg.list.items;
    for (size_t i = 0; i < reg.list.n && !found; i++) {
        auto_close int pidfd = open_inhabitant(&list[i]);
        found = pidfd >= 0 && open_namespaces(&list[i], sp) && pidfd_wait_end(pidfd, 0) == 0;
    }
    rec_done(&register_rec, &reg);
    return found;
}

static int save_with(const struct store *s, const struct inhabitant *new)
{
    struct register_ before = {0}, now = {.boot_id = xstrdup(proc_boot_id())};
    load_register(s, &before);
    const struct inhabitant *list = before.list.items;
    for (size_t i = 0; i < before.list.n; i++) {
        auto_close int pidfd = open_inhabitant(&list[i]);
        if (pidfd >= 0)
            *(struct inhabitant *)rec_list_add(&inhabitant_rec, &now.list) = list[i];
    }
    *(struct inhabitant *)rec_list_add(&inhabitant_rec, &now.list) = *new;
    int r = rec_save(&register_rec, s->fd, RECORD, &now, false);
    rec_done(&register_rec, &before);
    rec_done(&register_rec, &now);
    return r;
}

/* ---- in the namespace of the bridges, by a fork that does not come back ---- */

static int make_namespace(int *ret_fd)
{
    int r = link_loopback_up();
    if (r == 0 && link_setting("ipv4/ip_forward", "1") < 0)
        r = err_set(-EIO, "cannot let packets pass between networks");
    link_setting("ipv6/conf/all/forwarding", "1"); /* a kernel without it has no such networks */
    *ret_fd = r < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return r == 0 && *ret_fd < 0 ? err_sys("cannot open a network namespace") : r;
}

/* The device of a helper that has just died may take a moment to go. */
static int open_tap(int *ret_fd)
{
    enum { TRIES = 200 };
    int r = -EBUSY;
    for (int i = 0; i < TRIES && r == -EBUSY; i++) {
        r = link_tap(TAP, ret_fd);
        if (r == -EBUSY)
            usleep(10000);
    }
    return r;
}

static int make_tap(int *ret_fd)
{
    struct netlink n;
    struct ip address, gateway, address6, gateway6;
    int r = open_tap(ret_fd);
    if (r == 0)
        r = ip_parse_net("10.0.2.100/24", &address);
    if (r == 0)
        r = ip_parse("10.0.2.2", &gateway);
    if (r == 0)
        r = ip_parse_net(SLIRP_NET6 "100/64", &address6);
    if (r == 0)
        r = ip_parse(SLIRP_NET6 "2", &gateway6);
    int index = r < 0 ? r : link_index(TAP);
    r = index < 0 ? index : netlink_open(&n);
    if (r < 0)
        return r;
    link_setting("ipv6/conf/" TAP "/accept_ra", "0");
    link_queue_up(&n, index, MTU, NULL);
    link_queue_address(&n, index, &address);
    link_queue_default_route(&n, index, &gateway);
    r = netlink_commit(&n, "set up the way out of networks");
    link_queue_address(&n, index, &address6);
    link_queue_default_route(&n, index, &gateway6);
    if (r == 0 && netlink_commit(&n, "set up IPv6") < 0)
        err_clear(); /* a kernel without it */
    netlink_close(&n);
    return r;
}

/* One message: an error or 0, and a descriptor. */
static void send_result(int sock, int r, int fd)
{
    size_t len = 0;
    auto_free char *packed = err_pack(r, &len);
    struct iovec part = {packed, len};
    sock_send(sock, &part, 1, fd, 0);
}

static int receive_result(int sock, int *ret_fd)
{
    char answer[ANSWER_MAX];
    struct iovec part = {answer, sizeof answer};
    ssize_t n = sock_recv(sock, &part, 1, ret_fd, 0);
    return n < 0 ? err_set((int)n, "a process that makes networks was killed") : err_unpack(answer, (size_t)n);
}

/* fn in the network namespace netns, or with -1 in a new one. */
static int run_in(int netns, int (*fn)(int *ret_fd), int *ret_fd)
{
    int socks[2], pidfd = -1, fd = -1;
    int r = sock_pair(socks);
    if (r < 0)
        return r;
    pid_t pid = ns_clone(netns < 0 ? CLONE_NEWNET : 0, &pidfd);
    if (pid == 0) {
        r = netns >= 0 && setns(netns, CLONE_NEWNET) < 0 ? err_sys("cannot enter the networks") : fn(&fd);
        send_result(socks[1], r, r < 0 ? -1 : fd);
        _exit(0);
    }
    fd_close(socks[1]);
    fd_close(pidfd);
    r = pid < 0 ? pid : receive_result(socks[0], ret_fd);
    fd_close(socks[0]);
    if (pid > 0)
        proc_reap(pid);
    return r;
}

/* ---- the way out ---- */

static int setup_of(struct slirp_setup *ret)
{
    struct ip net, net6, host;
    int r = ip_parse_net("10.0.2.100/24", &net);
    if (r == 0)
        r = ip_parse_net(SLIRP_NET6 "/64", &net6);
    if (r < 0)
        return r;
    *ret = (struct slirp_setup){.net = net, .gateway = ip_nth(&net, 2), .dns = ip_nth(&net, 3), .mtu = MTU};
    if (net_host_address(AF_INET6, &host) == 0) {
        ret->net6 = net6;
        ret->gateway6 = ip_nth(&net6, 2);
        ret->dns6 = ip_nth(&net6, 3);
    }
    return 0;
}

/* Serves until the last writer of the FIFO has gone; tells sock whether it can. */
static void serve(int sock, int netns, int fifo)
{
    int tap = -1;
    struct slirp_setup setup;
    auto_free char *resolv = NULL;
    int r = slirp_load();
    if (r == 0)
        r = run_in(netns, make_tap, &tap);
    if (r == 0)
        r = setup_of(&setup);
    if (r == 0 && file_read(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &resolv, NULL) < 0)
        err_clear();
    fd_close(netns);
    if (r == 0)
        r = net_helper_confine(false, false, resolv ? resolv : "");
    net_helper_tell(sock, r);
    fd_close(sock);
    if (r == 0)
        slirp_serve(&setup, tap, fifo);
}

static int open_fifo(const struct store *s, int flags)
{
    return openat(s->fd, FIFO, flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

/* The first process in a new user namespace. */
static void __attribute__((noreturn)) found(const struct store *s, int sock)
{
    char byte;
    struct iovec part = {&byte, 1};
    int netns = -1;
    if (sock_recv(sock, &part, 1, NULL, 0) != 1) /* the ids are mapped */
        _exit(125);
    int r = proc_leave_caller(), fifo = open_fifo(s, O_RDONLY);
    if (r == 0 && fifo < 0)
        r = err_sys("cannot open %s/" FIFO, s->path);
    const int keep[] = {0, 1, 2, sock, fifo};
    fd_close_except(keep, ARRAY_LEN(keep));
    if (r == 0)
        r = run_in(-1, make_namespace, &netns);
    send_result(sock, r, netns);
    if (r == 0)
        serve(sock, netns, fifo);
    _exit(0);
}

/* ---- STARTER ---- */

/* The new process is still what was cloned: its namespace can be opened. */
static int finish_founding(const struct store *s, pid_t pid, int sock, struct net_space *sp)
{
    auto_free char *path = xasprintf("/proc/%d/ns/user", pid);
    struct iovec go = {(char[]){1}, 1};
    int r = userns_write_maps(pid, &s->map);
    if (r < 0)
        return r;
    sp->user = open(path, O_RDONLY | O_CLOEXEC);
    if (sp->user < 0)
        return err_sys("cannot open a user namespace");
    r = sock_send(sock, &go, 1, -1, 0);
    if (r == 0)
        r = receive_result(sock, &sp->net);
    if (r < 0)
        return r;
    int no_way = receive_result(sock, NULL);
    if (no_way < 0)
        log_warn("networks have no way out: %s", err_text(no_way));
    err_clear();
    return 0;
}

static int found_space(const struct store *s, struct net_space *sp)
{
    int socks[2], pidfd = -1;
    /* From the beginning somebody writes: if this process is killed, the other sees an end. */
    auto_close int writer = open_fifo(s, O_RDWR);
    if (writer < 0)
        return err_sys("cannot open %s/" FIFO, s->path);
    int r = sock_pair(socks);
    if (r < 0)
        return r;
    pid_t pid = ns_clone(CLONE_NEWUSER, &pidfd);
    if (pid == 0)
        found(s, socks[1]);
    fd_close(socks[1]);
    r = pid < 0 ? pid : finish_founding(s, pid, socks[0], sp);
    fd_close(socks[0]);
    if (r < 0 && pid > 0) {
        pidfd_signal(pidfd, SIGKILL, 0);
        proc_reap(pid);
    }
    fd_close(pidfd);
    if (r == 0)
        sp->alive = open_fifo(s, O_WRONLY);
    return r;
}

static bool needs_space(const struct store *s, const struct ctr *c)
{
    const struct ctr_net *nets = c->networks.items;
    return !idmap_none(&s->map) && c->networks.n && net_is_named(nets[0].name);
}

int net_space_open(const struct store *s, const struct ctr *c, struct net_space *ret)
{
    struct net_space sp = NET_SPACE_NONE;
    *ret = sp;
    if (!needs_space(s, c))
        return 0;
    int r = network_lock(s, &sp.lock);
    if (r == 0 && mkfifoat(s->fd, FIFO, 0600) < 0 && errno != EEXIST)
        r = err_sys("cannot make %s/" FIFO, s->path);
    if (r == 0 && find(s, &sp))
        sp.alive = open_fifo(s, O_WRONLY); /* -1: the SUPERVISOR will make a way out */
    else if (r == 0)
        r = found_space(s, &sp);
    if (r < 0)
        net_space_close(&sp);
    else
        *ret = sp;
    return r;
}

int net_space_find(const struct store *s, struct net_space *ret)
{
    struct net_space sp = NET_SPACE_NONE;
    if (!find(s, &sp))
        return -ESRCH;
    *ret = sp;
    return 0;
}

int net_space_enter(const struct store *s, struct net_space *sp, pid_t pid)
{
    uint64_t start = 0;
    if (sp->lock < 0)
        return 0;
    int r = proc_start_time(pid, &start);
    struct inhabitant i = {pid, (int64_t)start, sp->net};
    r = r < 0 ? err_set(r, "a supervisor was killed while it started") : save_with(s, &i);
    network_unlock(take_fd(&sp->lock));
    return r;
}

void net_space_close(struct net_space *sp)
{
    network_unlock(sp->lock);
    fd_close(sp->user);
    fd_close(sp->net);
    fd_close(sp->alive);
    *sp = NET_SPACE_NONE;
}

/* ---- SUPERVISOR ---- */

struct mend {
    const struct store *s;
    int netns;
};

static void serve_again(int sock, void *arg)
{
    const struct mend *m = arg;
    int fifo = open_fifo(m->s, O_RDONLY);
    fd_close(m->s->fd);
    if (fifo >= 0)
        serve(sock, m->netns, fifo);
}

int space_mend(const struct store *s, struct net_space *sp, struct net_helper *h)
{
    int lock = -1, r = network_lock(s, &lock);
    if (r < 0)
        return r;
    int fifo = open_fifo(s, O_WRONLY);
    if (fifo < 0) { /* nobody reads */
        struct mend m = {s, sp->net};
        const int keep[] = {s->fd, sp->net};
        net_helper_stop(h);
        r = net_helper_start(h, serve_again, &m, keep, ARRAY_LEN(keep));
        if (r == 0)
            r = net_helper_settle(h);
        fifo = r < 0 ? -1 : open_fifo(s, O_WRONLY);
    }
    if (sp->alive < 0)
        sp->alive = take_fd(&fifo);
    fd_close(fifo);
    network_unlock(lock);
    return r;
}
