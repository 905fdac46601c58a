/* Forwarding UDP. Each client of a port is a flow with a socket inside; its answers go back from the address that the
 * client had asked. A flow that is silent for a while ends; the oldest makes room for a new one.
 *
 * Runs in: the helper of published ports. */
#include "forward.h"

#include "whelk/str.h"

#include <sys/epoll.h>
#include <sys/socket.h>

enum { FLOWS_MAX = 1024, SILENCE_MS = 60000, DATAGRAMS_AT_ONCE = 64, DATAGRAM_BYTES = 65536 };

struct control {
    _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct flow {
    enum watched kind;
    int fd; /* inside, connected to the server; -1: a free place */
    const struct listener *listener;
    struct sockaddr_storage client;
    socklen_t client_len;
    struct control from; /* which of the host's addresses was asked */
    size_t from_len;
    int64_t used; /* ms */
};

static char datagram[DATAGRAM_BYTES];

static void flow_end(struct forwarder *f, struct flow *flow)
{
    fd_close(take_fd(&flow->fd));
    f->n_flows--;
}

int udp_expire(struct forwarder *f)
{
    static int64_t next;
    if (!f->n_flows)
        return -1;
    int64_t now = net_now();
    if (now >= next) {
        next = now + SILENCE_MS / 4;
        for (size_t i = 0; i < FLOWS_MAX; i++)
            if (f->flows[i].fd >= 0 && now - f->flows[i].used >= SILENCE_MS)
                flow_end(f, &f->flows[i]);
    }
    return f->n_flows ? (int)(next - now) : -1;
}

static bool same_client(const struct flow *flow, const struct listener *l, const struct msghdr *msg)
{
    return flow->listener == l && flow->client_len == msg->msg_namelen &&
           memcmp(&flow->client, msg->msg_name, msg->msg_namelen) == 0;
}

/* The flow of this client, or the place for it. */
static struct flow *find_flow(struct forwarder *f, const struct listener *l, const struct msghdr *msg)
{
    struct flow *place = NULL;
    if (!f->flows) {
        f->flows = xcalloc(FLOWS_MAX, sizeof(*f->flows));
        for (size_t i = 0; i < FLOWS_MAX; i++)
            f->flows[i].fd = -1;
    }
    for (size_t i = 0; i < FLOWS_MAX; i++) {
        struct flow *flow = &f->flows[i];
        if (flow->fd >= 0 && same_client(flow, l, msg))
            return flow;
        if (!place || (place->fd >= 0 && (flow->fd < 0 || flow->used < place->used)))
            place = flow;
    }
    if (place->fd >= 0)
        flow_end(f, place);
    return place;
}

/* Seen as the gateway, by the family of IPv4 if there is one. */
static int connect_inside(const struct forwarder *f, const struct listener *l)
{
    const struct member *m = f->m;
    struct sockaddr_storage sa = {0};
    const struct ip *to = m->ip.family ? &m->ip : &m->ip6;
    auto_close int fd = forward_socket(to, true);
    if (fd < 0)
        return -1;
    if (to == &m->ip && m->gateway.family && bind(fd, (struct sockaddr *)&sa, ip_to_sockaddr(&m->gateway, 0, &sa)) < 0)
        return -1;
    socklen_t len = ip_to_sockaddr(to, l->port, &sa);
    return connect(fd, (struct sockaddr *)&sa, len) < 0 ? -1 : take_fd(&fd);
}

static bool flow_begin(struct forwarder *f, struct flow *flow, const struct listener *l, const struct msghdr *msg)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = flow};
    *flow = (struct flow){.kind = WATCHED_FLOW, .fd = connect_inside(f, l), .listener = l};
    if (flow->fd < 0)
        return false;
    f->n_flows++;
    flow->client_len = msg->msg_namelen;
    memcpy(&flow->client, msg->msg_name, msg->msg_namelen);
    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, flow->fd, &e) == 0)
        return true;
    flow_end(f, flow);
    return false;
}

/* Of what the kernel tells, only the address counts: the interface is found by the route. */
static void keep_address(struct flow *flow, const struct msghdr *msg)
{
    flow->from_len = 0;
    struct cmsghdr *c = CMSG_FIRSTHDR((struct msghdr *)(uintptr_t)msg);
    if (!c || msg->msg_controllen > sizeof flow->from)
        return;
    memcpy(flow->from.bytes, msg->msg_control, msg->msg_controllen);
    flow->from_len = msg->msg_controllen;
    if (c->cmsg_level == IPPROTO_IPV6) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            info.ipi6_ifindex = 0;
        memcpy(CMSG_DATA((struct cmsghdr *)flow->from.bytes), &info, sizeof info);
    } else {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        info.ipi_spec_dst = info.ipi_addr;
        info.ipi_ifindex = 0;
        memcpy(CMSG_DATA((struct cmsghdr *)flow->from.bytes), &info, sizeof info);
    }
}

void udp_receive(struct forwarder *f, const struct entry *e)
{
    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        struct sockaddr_storage client = {0};
        struct control control = {0};
        struct iovec part = {datagram, sizeof datagram};
        struct msghdr msg = {.msg_name = &client,
                             .msg_namelen = sizeof client,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(e->listener->fd, &msg, 0);
        if (n < 0)
            return;
        struct flow *flow = find_flow(f, e->listener, &msg);
        if (flow->fd < 0 && !flow_begin(f, flow, e->listener, &msg))
            continue;
        flow->used = net_now();
        keep_address(flow, &msg);
        (void)!send(flow->fd, datagram, (size_t)n, 0); /* nobody there: a datagram may be lost */
    }
}

void udp_answer(struct forwarder *f, struct flow *flow)
{
    for (int i = 0; i < DATAGRAMS_AT_ONCE && flow->fd >= 0; i++) {
        ssize_t n = recv(flow->fd, datagram, sizeof datagram, 0);
        if (n < 0)
            return; /* also that nobody listens inside */
        struct iovec part = {datagram, (size_t)n};
        struct msghdr msg = {.msg_name = &flow->client,
                             .msg_namelen = flow->client_len,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = flow->from_len ? flow->from.bytes : NULL,
                             .msg_controllen = flow->from_len};
        (void)!sendmsg(flow->listener->fd, &msg, 0);
        flow->used = net_now();
    }
}
