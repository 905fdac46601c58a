/* The kind of all named networks: a bridge, and a pair of Ethernet devices to each container.
 *
 * Theory of operation. The bridges are in the host's network namespace for root, else in the one of the user's space
 * (space.c). Under networks/.lock the SUPERVISOR chooses addresses (lease.c) and writes the lease, which counts because
 * it holds `alive` by now; then a forked worker enters the namespace of the bridges, makes there what is missing
 * (bridge, its address, filter), takes away what dead containers left, makes the pair and the sockets of the
 * container's resolver (dns.c), which it sends back, and at last enters the container's namespace to give the inner end
 * its addresses. The worker is forked because for a user there is no way back from a namespace. Devices need not be
 * removed: they go with the container's namespace.
 *
 * Runs in: SUPERVISOR and its worker. Lock: networks/.lock. */
#include "dns.h"
#include "lease.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/link.h"
#include "whelk/proc.h"
#include "whelk/sock.h"

#include <fcntl.h>

enum { MTU_OWN = 65520 /* where no wire follows */ };

/* ---- NAME:alias=,ip=... ---- */

static int set_text(char **to, const char *value)
{
    free(*to);
    *to = xstrdup(value);
    return 0;
}

static int set_option(struct ctr_net *net, const char *option)
{
    const struct {
        const char *name;
        char **to; /* NULL: a further alias */
    } known[] = {
        {"alias", NULL}, {"ip", &net->ip}, {"ip6", &net->ip6}, {"mac", &net->mac}, {"interface_name", &net->interface}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const char *value = str_after(option, known[i].name);
        if (!value || *value != '=' || !value[1])
            continue;
        if (known[i].to)
            return set_text(known[i].to, value + 1);
        strv_add(&net->aliases, value + 1);
        return 0;
    }
    return err_set(-EINVAL, "option %s is not known; known: alias=, ip=, ip6=, mac=, interface_name=", option);
}

int bridge_parse(const char *text, struct ctr_net *ret)
{
    auto_strv char **words = strv_split(text ? text : "", ",");
    int r = 0;
    strv_foreach (word, words)
        r = r < 0 ? r : set_option(ret, word);
    return r;
}

/* ---- the worker ---- */

struct setup {
    const struct store *store;
    const struct member *m;
    int netns;                     /* the container's */
    const struct net_leases *gone; /* whose devices go too */
    const struct net_lease *lease; /* of m */
    unsigned mtu;
    int sock; /* where the resolver's sockets go */
};

static unsigned mtu_of(const struct member *m)
{
    uint64_t mtu = m->space >= 0 ? MTU_OWN : 0;
    const char *asked = network_option(m->network, "mtu");
    if (asked && !str_to_u64(asked, &mtu))
        mtu = 0;
    return (unsigned)mtu;
}

/* One request whose refusal means that it was done before, or is nothing to worry about. */
static void try_commit(struct netlink *n)
{
    if (netlink_commit(n, "change a network") < 0)
        err_clear();
}

static void drop_one(struct netlink *n, const struct net_lease *l, int bridge)
{
    struct ip dns;
    if (l->port && str_after(l->port, "whv")) {
        link_queue_delete(n, l->port);
        try_commit(n);
    }
    if (l->dns && ip_parse(l->dns, &dns) == 0) {
        link_queue_address_delete(n, bridge, &dns);
        try_commit(n);
    }
}

static int add_address(struct netlink *n, int index, const struct ip *a)
{
    if (!a->family)
        return 0;
    link_queue_address(n, index, a);
    int r = netlink_commit(n, "give an address to a bridge");
    if (r == -EEXIST)
        err_clear();
    return r == -EEXIST ? 0 : r;
}

/* The bridge's own MAC follows from its address; else it would change with every port. */
static void bridge_mac(const struct ip *gateway, unsigned char mac[6])
{
    size_t len;
    const unsigned char *bytes = ip_bytes(gateway, &len);
    const unsigned char first[2] = {0x02, 0x77};
    memset(mac, 0, 6);
    memcpy(mac, first, sizeof first);
    if (len >= 4)
        memcpy(mac + 2, bytes + len - 4, 4);
}

/* A setting of the whole machine where root's networks are: written only if it is off. */
static void forward_packets(const char *setting)
{
    auto_free char *path = xasprintf("/proc/sys/net/%s", setting), *text = NULL;
    if (file_read(AT_FDCWD, path, 64, &text, NULL) == 0 && *text == '0')
        link_setting(setting, "1");
    err_clear();
}

static int make_bridge(const struct setup *u, struct netlink *n)
{
    const struct network *net = u->m->network;
    unsigned char mac[6];
    struct ip own = {0}, subnet, gateway4 = {0}, gateway6 = {0};
    bool v4 = network_net(net, AF_INET, &subnet, &gateway4), v6 = network_net(net, AF_INET6, &subnet, &gateway6);
    own = v4 ? gateway4 : gateway6;
    bridge_mac(&own, mac);
    if (!link_exists(net->interface)) {
        link_queue_bridge(n, net->interface, u->mtu, mac);
        int r = netlink_commit(n, "make a bridge");
        if (r < 0)
            return r;
    }
    int index = link_index(net->interface);
    if (index < 0 || net->internal)
        return index;
    int r = v4 ? add_address(n, index, &gateway4) : 0;
    if (r == 0 && v6)
        r = add_address(n, index, &gateway6);
    if (v4)
        forward_packets("ipv4/ip_forward");
    if (v6)
        forward_packets("ipv6/conf/all/forwarding");
    return r < 0 ? r : index;
}

static int make_pair(const struct setup *u, struct netlink *n, int bridge)
{
    struct link_veth v = {.outer = u->m->port,
                          .inner = u->m->interface,
                          .bridge = bridge,
                          .netns = u->netns,
                          .mtu = u->mtu,
                          .mac = u->m->mac};
    link_queue_veth(n, &v);
    return netlink_commit(n, "connect the container with its network");
}

/* ---- in the container's namespace ---- */

static int add_routes(const struct member *m, struct netlink *n, int index)
{
    const struct network_route *routes = m->network->routes.items;
    for (size_t i = 0; i < m->network->routes.n; i++) {
        struct ip to, by;
        if (ip_parse_net(routes[i].destination, &to) == 0 && ip_parse(routes[i].gateway, &by) == 0)
            link_queue_route(n, index, &to, &by, (unsigned)routes[i].metric);
    }
    return n->queued ? netlink_commit(n, "set the routes of a network") : 0;
}

/* What the kernel would choose by itself from advertisements of routers stays out: the addresses are known. */
static void refuse_advertisements(const char *interface)
{
    auto_free char *setting = xasprintf("ipv6/conf/%s/accept_ra", interface);
    link_setting(setting, "0");
}

static int configure(const struct member *m, struct netlink *n)
{
    int index = link_index(m->interface);
    if (index < 0)
        return index;
    refuse_advertisements(m->interface);
    link_queue_up(n, index, 0, NULL);
    if (m->ip.family)
        link_queue_address(n, index, &m->ip);
    if (m->ip6.family)
        link_queue_address(n, index, &m->ip6);
    if (m->ip.family && m->leads_out && m->gateway.family)
        link_queue_default_route(n, index, &m->gateway);
    if (m->ip6.family && m->leads_out && m->gateway6.family)
        link_queue_default_route(n, index, &m->gateway6);
    int r = netlink_commit(n, "give the container its addresses");
    return r < 0 ? r : add_routes(m, n, index);
}

/* The bridge of an internal network has no other address, and so no route to its containers. */
static int add_way_back(const struct setup *u, struct netlink *n, int bridge)
{
    struct ip net, gateway;
    if (!u->m->network->internal || !network_net(u->m->network, u->m->dns.family, &net, &gateway))
        return 0;
    link_queue_route(n, bridge, &net, NULL, 0);
    int r = netlink_commit(n, "give a route to a bridge");
    if (r == -EEXIST)
        err_clear();
    return r == -EEXIST ? 0 : r;
}

/* The address of the member's resolver, and its sockets for the SUPERVISOR. */
static int make_resolver(const struct setup *u, struct netlink *n, int bridge)
{
    int fds[2], r = u->m->dns.family ? add_address(n, bridge, &u->m->dns) : 0;
    if (r < 0 || !u->m->dns.family)
        return r;
    r = add_way_back(u, n, bridge);
    if (r == 0)
        r = dns_sockets(&u->m->dns, fds);
    for (size_t i = 0; i < ARRAY_LEN(fds) && r == 0; i++) {
        char byte = 0;
        struct iovec part = {&byte, 1};
        r = sock_send(u->sock, &part, 1, fds[i], 0);
    }
    return r;
}

static void take_dns_sockets(struct member *m, int sock)
{
    for (size_t i = 0; i < ARRAY_LEN(m->dns_socks) && m->dns.family; i++) {
        char byte;
        struct iovec part = {&byte, 1};
        if (sock_recv(sock, &part, 1, &m->dns_socks[i], MSG_DONTWAIT) < 0)
            m->dns_socks[i] = -1;
    }
}

static int connect_bridge(const struct setup *u)
{
    struct netlink n;
    const struct net_lease *gone = u->gone->list.items;
    bool there = link_exists(u->m->network->interface);
    int r = netlink_open(&n);
    if (r < 0)
        return r;
    int bridge = r = make_bridge(u, &n);
    for (size_t i = 0; i < u->gone->list.n && bridge >= 0; i++)
        drop_one(&n, &gone[i], bridge);
    if (r >= 0)
        r = there ? rules_change(u->store, u->gone, u->lease) : rules_apply(u->store);
    if (r == 0)
        r = make_resolver(u, &n, bridge);
    if (r == 0)
        r = make_pair(u, &n, bridge);
    netlink_close(&n);
    return r;
}

static int set_up(void *arg)
{
    const struct setup *u = arg;
    struct netlink n;
    int r = u->m->space >= 0 ? link_enter(u->m->space) : 0;
    if (r == 0)
        r = connect_bridge(u);
    if (r == 0)
        r = link_enter(u->netns);
    if (r == 0)
        r = netlink_open(&n);
    if (r < 0)
        return r;
    r = configure(u->m, &n);
    netlink_close(&n);
    return r;
}

/* ---- SUPERVISOR ---- */

int bridge_open(struct member *m)
{
    if (m->network)
        return 0;
    struct network n = {0};
    int r = network_load(net_store(m->net), m->spec->name, &n);
    if (r == -ENOENT)
        return err_set(r, "container %s: its network %s was removed; whelk network create %s", net_ctr(m->net)->name,
                       m->spec->name, m->spec->name);
    if (r < 0)
        return r;
    m->network = xcalloc(1, sizeof n);
    *m->network = n;
    return 0;
}

static int run_worker(struct member *m, int netns, const struct net_leases *gone, const struct net_lease *lease)
{
    int socks[2];
    struct worker w;
    int r = sock_pair(socks);
    if (r < 0)
        return r;
    auto_close int ours = socks[0], theirs = socks[1];
    struct setup u = {.store = net_store(m->net),
                      .m = m,
                      .netns = netns,
                      .gone = gone,
                      .lease = lease,
                      .mtu = mtu_of(m),
                      .sock = theirs};
    r = worker_start(set_up, &u, &w);
    if (r == 0)
        r = worker_wait(&w);
    if (r == 0)
        take_dns_sockets(m, ours);
    return r;
}

static int attach_locked(struct member *m, int netns)
{
    const struct store *s = net_store(m->net);
    const char *id = net_ctr(m->net)->id;
    auto_with(net_leases_done) struct net_leases l = {0}, gone = {0};
    int r = net_leases_load(s, m->network->name, &l);
    if (r < 0)
        return r;
    leases_sort_out(s, id, &l, &gone);
    const struct net_lease *before = NULL;
    for (size_t i = 0; i < gone.list.n; i++) {
        const struct net_lease *g = &((const struct net_lease *)gone.list.items)[i];
        before = g->id && str_eq(g->id, id) ? g : before;
    }
    r = lease_choose(m, &l, before);
    if (r == 0)
        r = net_lease_mark(s, id);
    if (r == 0)
        r = net_leases_save(s, m->network->name, &l);
    if (r < 0)
        return r;
    const struct net_lease *own = (const struct net_lease *)l.list.items + l.list.n - 1;
    return run_worker(m, netns, &gone, own);
}

int bridge_attach(struct member *m, int netns, int fd)
{
    int lock = -1, r = network_lock(net_store(m->net), &lock);
    if (r == 0)
        r = attach_locked(m, netns);
    network_unlock(lock);
    return r < 0 ? err_wrap(r, "network %s", m->network->name) : 0;
}

/* ---- what nobody uses ---- */

struct sweep {
    const struct store *store;
    int space;
    char **bridges;         /* of networks without a lease */
    struct net_leases gone; /* all that was dropped */
    size_t in_use;          /* leases that count */
};

static int sweep_worker(void *arg)
{
    const struct sweep *w = arg;
    struct netlink n;
    const struct net_lease *gone = w->gone.list.items;
    int r = w->space >= 0 ? link_enter(w->space) : 0;
    if (r == 0)
        r = netlink_open(&n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->gone.list.n; i++)
        if (gone[i].port && str_after(gone[i].port, "whv")) {
            link_queue_delete(&n, gone[i].port);
            try_commit(&n);
        }
    strv_foreach (bridge, w->bridges)
        if (link_exists(bridge)) {
            link_queue_delete(&n, bridge);
            try_commit(&n);
        }
    netlink_close(&n);
    if (!w->in_use)
        return rules_remove(w->store);
    return w->bridges ? rules_apply(w->store) : rules_change(w->store, &w->gone, NULL);
}

/* The leases of one network: those of dead containers go. */
static int sweep_leases(struct sweep *w, const char *name)
{
    struct network n = {0};
    struct net_leases l = {0};
    size_t before = w->gone.list.n;
    int r = net_leases_load(w->store, name, &l);
    if (r == 0 && l.list.n) {
        leases_sort_out(w->store, NULL, &l, &w->gone);
        if (w->gone.list.n > before)
            r = net_leases_save(w->store, name, &l);
        if (r == 0 && !l.list.n && network_load(w->store, name, &n) == 0)
            strv_add(&w->bridges, n.interface);
    }
    w->in_use += l.list.n;
    net_leases_done(&l);
    network_done(&n);
    return r;
}

void bridges_sweep(const struct store *s, int space)
{
    auto_strv char **names = NULL;
    struct sweep w = {.store = s, .space = space};
    struct worker worker;
    int lock = -1, r = network_lock(s, &lock);
    if (r == 0)
        r = network_list(s, &names);
    strv_foreach (name, names)
        r = r < 0 ? r : sweep_leases(&w, name);
    /* The last one of a user: all of it goes with its namespace. */
    bool needed = w.gone.list.n && space != SPACE_UNSEEN && (w.in_use || space < 0);
    if (r == 0 && needed && worker_start(sweep_worker, &w, &worker) == 0)
        worker_wait(&worker);
    err_clear();
    network_unlock(lock);
    strv_free(w.bridges);
    net_leases_done(&w.gone);
}

void net_sweep(const struct store *s)
{
    bridges_sweep(s, idmap_none(&s->map) ? -1 : SPACE_UNSEEN);
}

void net_forget(const struct store *s, const char *interface)
{
    struct netlink n;
    if (!idmap_none(&s->map) || !link_exists(interface) || netlink_open(&n) < 0)
        return err_clear(); /* a user's bridges are out of sight here, and go with the last container */
    link_queue_delete(&n, interface);
    try_commit(&n);
    netlink_close(&n);
}
