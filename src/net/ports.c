/* Published ports: the host's side.
 *
 * The sockets are the SUPERVISOR's: they are opened before there is a container, so that a busy port stops everything,
 * stay open while it is restarted, and are closed by the kernel however the SUPERVISOR dies. No firewall rule is made.
 * A socket for all addresses serves IPv4 and IPv6. What comes is forwarded by a helper (forward.c).
 *
 * Runs in: SUPERVISOR, in the host's network namespace. */
#include "ports.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/sock.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { BACKLOG = 4096 /* the kernel has its own limit */ };

static const int on = 1, off = 0;

/* ---- one socket ---- */

/* Who has a busy port, the SUPERVISOR may not see: net_blame adds it. */
static int refused(const struct ctr_port *p, unsigned port)
{
    int e = errno;
    if (e == EADDRINUSE)
        return err_set(-e, "port %u/%s of %s is in use", port, p->proto, p->host_ip ? p->host_ip : "this machine");
    if (e == EACCES)
        return err_set(-e,
                       "port %u/%s is below those that this user may listen on; publish a higher one, as -p 8%03u:%u, "
                       "or as root: sysctl net.ipv4.ip_unprivileged_port_start=%u",
                       port, p->proto, port % 1000, (unsigned)p->port, port);
    if (e == EADDRNOTAVAIL)
        return err_set(-e, "cannot listen on %s: this machine has no such address", p->host_ip);
    errno = e;
    return err_sys("cannot listen on port %u/%s", port, p->proto);
}

/* -errno, without text. */
static int listen_on(const struct ip *address, unsigned port, bool udp, int *ret_fd)
{
    struct sockaddr_storage sa = {0};
    bool v6 = address->family == AF_INET6;
    auto_close int fd = socket(address->family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (v6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, IN6_IS_ADDR_UNSPECIFIED(&address->v6) ? &off : &on, sizeof on);
    if (udp) { /* answers come from the address that was asked */
        setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on);
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted ones inherit it */
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    socklen_t len = ip_to_sockaddr(address, port, &sa);
    if (bind(fd, (struct sockaddr *)&sa, len) < 0 || (!udp && listen(fd, BACKLOG) < 0))
        return -errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

/* Every address: by one IPv6 socket that takes IPv4 too; where there is no IPv6, by one of IPv4. */
static int open_socket(const struct ctr_port *p, unsigned port, int *ret_fd)
{
    static const struct ip any4 = {.family = AF_INET}, any6 = {.family = AF_INET6};
    struct ip address;
    bool udp = str_eq(p->proto, "udp");
    if (p->host_ip && ip_parse(p->host_ip, &address) == 0)
        return listen_on(&address, port, udp, ret_fd);
    int r = listen_on(&any6, port, udp, ret_fd);
    return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL ? listen_on(&any4, port, udp, ret_fd) : r;
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage sa;
    struct ip address;
    socklen_t len = sizeof sa;
    unsigned port = 0;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        ip_from_sockaddr(&sa, &address, &port);
    return port;
}

/* ---- all of them ---- */

static int open_one(struct ports *all, const struct ctr_port *p, unsigned i)
{
    struct listener l = {.fd = -1, .udp = str_eq(p->proto, "udp"), .hide = p->hide, .port = (unsigned)p->port + i};
    unsigned port = p->host_port ? (unsigned)p->host_port + i : 0;
    int r = open_socket(p, port, &l.fd);
    while (r == -EADDRINUSE && port < (unsigned)p->host_end)
        r = open_socket(p, ++port, &l.fd);
    errno = -r;
    if (r < 0)
        return refused(p, port);
    l.host_port = bound_port(l.fd);
    all->list[all->n++] = l;
    return 0;
}

/* What was asked for as it came out: ports that were chosen here are told one by one. */
static void add_asked(struct ports *all, const struct ctr_port *p, size_t first)
{
    bool fixed = p->host_port && !p->host_end;
    size_t n = fixed ? 1 : (size_t)p->count;
    for (size_t i = 0; i < n; i++) {
        struct ctr_port *a = &all->asked[all->n_asked++];
        *a = (struct ctr_port){.host_ip = xstrdup(p->host_ip),
                               .host_port = all->list[first + i].host_port,
                               .port = all->list[first + i].port,
                               .count = fixed ? p->count : 1,
                               .proto = xstrdup(p->proto),
                               .hide = p->hide};
    }
}

static void raise_files(size_t n)
{
    enum { OTHERS = 256 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= n + OTHERS)
        return;
    limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)(n + OTHERS));
    setrlimit(RLIMIT_NOFILE, &limit);
}

int ports_open(const struct ctr *c, struct ports **ret)
{
    const struct ctr_port *p = c->ports.items;
    size_t n = 0;
    int r = 0;
    for (size_t i = 0; i < c->ports.n; i++)
        n += (size_t)p[i].count;
    raise_files(n);
    struct ports *all = xcalloc(1, sizeof(*all));
    *all =
        (struct ports){.asked = xcalloc(n, sizeof(*all->asked)), .list = xcalloc(n, sizeof(*all->list)), .netns = -1};
    for (size_t i = 0; i < c->ports.n && r == 0; i++) {
        size_t first = all->n;
        for (unsigned j = 0; j < p[i].count && r == 0; j++)
            r = open_one(all, &p[i], j);
        if (r == 0)
            add_asked(all, &p[i], first);
    }
    if (r < 0)
        ports_close(all);
    else
        *ret = all;
    return r;
}

static int start_helper(struct ports *p, const struct member *m)
{
    struct forward f = {.ports = p, .member = m, .netns = p->netns};
    auto_free int *keep = xcalloc(p->n + 1, sizeof(int));
    for (size_t i = 0; i < p->n; i++)
        keep[i] = p->list[i].fd;
    keep[p->n] = p->netns;
    p->started = net_now();
    return net_helper_start(&p->helper, forward_serve, &f, keep, p->n + 1);
}

int ports_forward(struct ports *p, const struct member *m, int netns)
{
    p->netns = fcntl(netns, F_DUPFD_CLOEXEC, 3);
    return p->netns < 0 ? err_sys("cannot keep a network namespace") : start_helper(p, m);
}

/* Clients that come meanwhile wait in the sockets. One that ends at once is not started for ever. */
void ports_mend(struct ports *p, const struct member *m)
{
    enum { LASTS_MS = 100 };
    bool lasted = net_now() - p->started > LASTS_MS;
    net_helper_stop(&p->helper);
    if (lasted && (start_helper(p, m) < 0 || net_helper_settle(&p->helper) < 0))
        net_helper_stop(&p->helper);
    err_clear();
}

int ports_settle(struct ports *p)
{
    return net_helper_settle(&p->helper);
}

void ports_stop(struct ports *p)
{
    net_helper_stop(&p->helper);
    fd_close(take_fd(&p->netns));
}

void ports_describe(const struct ports *p, struct ctr_live *live)
{
    for (size_t i = 0; i < p->n_asked; i++) {
        struct ctr_port *to = rec_list_add(&ctr_port_rec, &live->ports);
        *to = p->asked[i];
        to->host_ip = xstrdup(to->host_ip);
        to->proto = xstrdup(to->proto);
    }
}

void ports_close(struct ports *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        fd_close(p->list[i].fd);
    for (size_t i = 0; i < p->n_asked; i++)
        rec_done(&ctr_port_rec, &p->asked[i]);
    free(p->asked);
    free(p->list);
    free(p);
}
