/* The helper that forwards published ports into a container.
 *
 * Theory of operation. Its listening sockets are of the host's network namespace, since they were opened there; it
 * itself is in the container's, so what it connects is there: bytes cross without a device, and without a rule of a
 * firewall. For a TCP connection it makes a socket inside that is bound to the client's own address, which is not an
 * address of the container (IP_TRANSPARENT), and marks what it sends. The container's side answers with the same mark
 * (tcp_fwmark_accept), and a rule sends what is marked to this machine itself instead of out. So a server inside sees
 * who calls. Where that cannot be or is not wanted, it sees the gateway: a caller on the host's loopback, one with the
 * container's own address or of its subnet, an IPv6 client of a container without IPv6, and UDP, whose answers carry no
 * mark and find back by a rule for this one port and address.
 *
 * One process, one epoll. Connections are edge-triggered: whoever can move something is in the queue `ready` until it
 * cannot, some rounds at a time, so that none starves the others. Bytes are spliced through pipes of a pool that are
 * held only while bytes are in them (RUNTIME, namespaces 4). Tables are bounded; where they are full, new connections
 * wait in the kernel, and the oldest flow makes room.
 *
 * Runs in: the helper of published ports. */
#include "forward.h"

#include "whelk/err.h"
#include "whelk/link.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { FILES_MAX = 1 << 16, OTHER_FILES = 300, EVENTS_AT_ONCE = 128 };

bool forward_keeps_address(const struct forwarder *f, const struct listener *l, const struct ip *client)
{
    const struct ip *own = client->family == AF_INET6 ? &f->m->ip6 : &f->m->ip;
    if (l->hide || !own->family || ip_is_loopback(client) || ip_equal(client, own))
        return false;
    return f->lenient || !ip_in_net(client, own);
}

int forward_socket(const struct ip *to, bool udp)
{
    const int on = 1, mark = FORWARD_MARK;
    bool v6 = to->family == AF_INET6;
    int fd = socket(to->family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on);
    if (!udp) { /* the same client may have several connections from one port, each to another port of ours */
        setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    return fd;
}

/* ---- the container's namespace ---- */

/* Connections, and refusals too, answer with the mark of what they answer. IPv6 may not be there. */
static int reflect_marks(void)
{
    static const struct {
        const char *path;
        bool needed;
    } settings[] = {{"/proc/sys/net/ipv4/tcp_fwmark_accept", true},
                    {"/proc/sys/net/ipv4/fwmark_reflect", true},
                    {"/proc/sys/net/ipv6/fwmark_reflect", false}};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        auto_close int fd = open(settings[i].path, O_WRONLY | O_CLOEXEC);
        if ((fd < 0 || write(fd, "1", 1) != 1) && settings[i].needed)
            return err_sys("cannot prepare the container's network for published ports");
    }
    return 0;
}

static int make_rules(const struct forward *w)
{
    struct netlink n;
    const struct member *m = w->member;
    int r = netlink_open(&n);
    if (r < 0)
        return r;
    if (m->ip.family) {
        link_queue_local_table(&n, FORWARD_TABLE, &m->ip);
        link_queue_marked(&n, AF_INET, FORWARD_MARK, FORWARD_TABLE);
    }
    for (size_t i = 0; i < w->ports->n; i++)
        if (w->ports->list[i].udp && m->gateway.family)
            link_queue_replies(&n, w->ports->list[i].port, &m->gateway, FORWARD_TABLE);
    r = netlink_commit(&n, "make the routes of published ports");
    if (r == -EEXIST) { /* a helper that was here before has made them */
        err_clear();
        r = 0;
    }
    if (r == 0 && m->ip6.family) {
        link_queue_local_table(&n, FORWARD_TABLE, &m->ip6);
        link_queue_marked(&n, AF_INET6, FORWARD_MARK, FORWARD_TABLE);
        if (netlink_commit(&n, "make the IPv6 routes of published ports") < 0)
            err_clear(); /* a kernel without it: then nobody comes by it */
    }
    netlink_close(&n);
    return r;
}

static int enter(const struct forward *w)
{
    if (setns(w->netns, CLONE_NEWNET) < 0)
        return err_sys("cannot enter the container's network for published ports");
    int r = w->member->failed ? net_address_on_loopback(w->member) : 0;
    if (r == 0)
        r = reflect_marks();
    return r < 0 ? r : make_rules(w);
}

/* ---- the loop ---- */

static int watch(const struct forwarder *f, int fd, void *what)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};
    return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? err_sys("cannot watch a published port") : 0;
}

static int prepare(struct forwarder *f, const struct forward *w)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = MIN(files.rlim_max, (rlim_t)FILES_MAX);
        setrlimit(RLIMIT_NOFILE, &files);
    }
    size_t others = w->ports->n + OTHER_FILES;
    f->m = w->member;
    f->lenient = str_eq(f->m->kind->name, "pasta");
    f->max_conns = files.rlim_cur > others + 2 ? (files.rlim_cur - others) / 2 : 1;
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->entries = xcalloc(w->ports->n, sizeof(*f->entries));
    f->n_entries = w->ports->n;
    int r = f->epoll < 0 ? err_sys("cannot watch published ports") : 0;
    for (size_t i = 0; i < f->n_entries && r == 0; i++) {
        f->entries[i] = (struct entry){WATCHED_LISTENER, &w->ports->list[i]};
        r = watch(f, w->ports->list[i].fd, &f->entries[i]);
    }
    return r;
}

/* With no room for another connection, those that come wait in the kernel's queue. */
static void mind_room(struct forwarder *f)
{
    bool full = f->n_conns >= f->max_conns;
    if (full == f->paused)
        return;
    f->paused = full;
    for (size_t i = 0; i < f->n_entries; i++) {
        struct epoll_event e = {.events = full ? 0 : EPOLLIN, .data.ptr = &f->entries[i]};
        if (!f->entries[i].listener->udp)
            epoll_ctl(f->epoll, EPOLL_CTL_MOD, f->entries[i].listener->fd, &e);
    }
}

static void handle(struct forwarder *f, const struct epoll_event *e)
{
    const struct entry *entry = e->data.ptr;
    switch (*(enum watched *)e->data.ptr) {
    case WATCHED_LISTENER:
        if (entry->listener->udp)
            udp_receive(f, entry);
        else
            tcp_accept(f, entry);
        break;
    case WATCHED_CONNECTION:
        tcp_event(f, e->data.ptr, e->events);
        break;
    case WATCHED_FLOW:
        udp_answer(f, e->data.ptr);
        break;
    case WATCHED_SUPERVISOR:
        _exit(0);
    }
}

static void loop(struct forwarder *f)
{
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int wait = udp_expire(f);
        int n = epoll_wait(f->epoll, events, EVENTS_AT_ONCE, f->ready ? 0 : wait);
        if (n < 0 && errno != EINTR)
            return;
        for (int i = 0; i < n; i++)
            handle(f, &events[i]);
        tcp_go_on(f);
        mind_room(f);
    }
}

void forward_serve(int sock, void *forward)
{
    const struct forward *w = forward;
    struct forwarder f = {0};
    enum watched supervisor = WATCHED_SUPERVISOR;
    int r = enter(w);
    if (r == 0)
        r = prepare(&f, w);
    if (r == 0)
        r = watch(&f, sock, &supervisor);
    fd_close(w->netns);
    if (r == 0)
        r = net_helper_confine(net_host_root(w->member->net), true, NULL);
    net_helper_tell(sock, r);
    if (r == 0)
        loop(&f);
}
