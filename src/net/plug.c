/* Networks of a container that runs: one comes, one goes, filters are made again.
 *
 * Runs in: a worker of the invocation, for a user inside the user namespace of his networks. The lease that it writes
 * counts as long as the container's supervisor lives, as all leases do. The caller has the container's directory
 * locked. */
#include "lease.h"

#include "whelk/err.h"
#include "whelk/link.h"
#include "whelk/proc.h"

#include <fcntl.h>

static bool leads_out(const struct store *s, const char *network)
{
    struct network n = {0};
    bool out = network_load(s, network, &n) == 0 && !n.internal;
    network_done(&n);
    return out;
}

/* The container's first network but `except` that leads out, or NULL. */
static const struct ctr_live_net *way_out(const struct store *s, const struct ctr_live *live, const char *except)
{
    const struct ctr_live_net *nets = live->networks.items;
    for (size_t i = 0; i < live->networks.n; i++)
        if (!str_eq(nets[i].name, except) && leads_out(s, nets[i].name))
            return &nets[i];
    return NULL;
}

/* eth0, eth1...: the first that is not there. */
static void choose_interface(const struct ctr_live *live, const struct ctr_net *spec, char ret[16])
{
    const struct ctr_live_net *nets = live->networks.items;
    if (spec->interface) {
        snprintf(ret, 16, "%s", spec->interface);
        return;
    }
    bool taken = true;
    for (unsigned n = 0; taken && n < 1000; n++) {
        snprintf(ret, 16, "eth%u", n);
        taken = false;
        for (size_t i = 0; i < live->networks.n; i++)
            taken = taken || (nets[i].interface && str_eq(nets[i].interface, ret));
    }
}

int net_plug(const struct plug *p, struct ctr_live *live)
{
    struct member m = {.kind = net_kind_of(p->spec->name), .spec = p->spec, .space = p->space, .dns_socks = {-1, -1}};
    choose_interface(live, p->spec, m.interface);
    int r = net_with_member(p->s, p->c, &m, bridge_open, -1);
    if (r == 0) {
        m.leads_out = !m.network->internal && !way_out(p->s, live, p->spec->name);
        r = net_with_member(p->s, p->c, &m, NULL, p->netns);
    }
    if (r == 0)
        net_describe_member(&m, live);
    if (m.network)
        network_done(m.network);
    free(m.network);
    return r;
}

/* ---- out again ---- */

struct unplug {
    const struct plug *p;
    const struct net_lease *lease;
    const struct net_leases *gone;   /* with it others of dead containers */
    const struct network *network;   /* or NULL: its record is gone */
    bool last;                       /* nobody is on it any more: the bridge goes */
    const struct ctr_live_net *next; /* gets the default route, or NULL */
};

static int take_out(const struct unplug *u)
{
    struct netlink n;
    struct ip dns;
    int r = netlink_open(&n);
    if (r < 0)
        return r;
    if (u->lease->port && str_after(u->lease->port, "whv") && link_exists(u->lease->port)) {
        link_queue_delete(&n, u->lease->port);
        r = netlink_commit(&n, "take the container from its network");
    }
    if (r == 0 && u->network && u->lease->dns && ip_parse(u->lease->dns, &dns) == 0) {
        link_queue_address_delete(&n, link_index(u->network->interface), &dns);
        if (netlink_commit(&n, "take an address from a bridge") < 0)
            err_clear();
    }
    if (r == 0 && u->last && u->network && link_exists(u->network->interface)) {
        link_queue_delete(&n, u->network->interface);
        r = netlink_commit(&n, "remove a bridge");
    }
    netlink_close(&n);
    if (r < 0)
        return r;
    return u->last ? rules_apply(u->p->s) : rules_change(u->p->s, u->gone, NULL);
}

/* The default route went with the device. */
static int route_by(const struct ctr_live_net *next)
{
    struct netlink n;
    struct ip gateway;
    int index = link_index(next->interface);
    int r = index < 0 ? index : netlink_open(&n);
    if (r < 0)
        return r;
    const char *const gateways[] = {next->gateway, next->gateway6};
    for (size_t i = 0; i < ARRAY_LEN(gateways); i++)
        if (gateways[i] && ip_parse(gateways[i], &gateway) == 0)
            link_queue_default_route(&n, index, &gateway);
    r = n.queued ? netlink_commit(&n, "set the default route") : 0;
    netlink_close(&n);
    if (r == -EEXIST)
        err_clear();
    return r == -EEXIST ? 0 : r;
}

static int unplug_worker(void *arg)
{
    const struct unplug *u = arg;
    int r = u->p->space >= 0 ? link_enter(u->p->space) : 0;
    if (r == 0)
        r = take_out(u);
    if (r == 0 && u->next)
        r = link_enter(u->p->netns);
    return r == 0 && u->next ? route_by(u->next) : r;
}

static int unplug_locked(const struct plug *p, struct ctr_live *live)
{
    auto_with(net_leases_done) struct net_leases l = {0}, gone = {0};
    auto_with(network_done) struct network network = {0};
    const char *name = p->spec->name;
    struct worker w;
    int r = net_leases_load(p->s, name, &l);
    if (r < 0)
        return r;
    leases_sort_out(p->s, p->c->id, &l, &gone);
    r = net_leases_save(p->s, name, &l);
    const struct net_lease *list = gone.list.items;
    struct unplug u = {
        .p = p, .next = leads_out(p->s, name) ? way_out(p->s, live, name) : NULL, .last = l.list.n == 0, .gone = &gone};
    if (network_load(p->s, name, &network) == 0)
        u.network = &network;
    err_clear();
    for (size_t i = 0; i < gone.list.n && r == 0; i++) {
        if (!list[i].id || !str_eq(list[i].id, p->c->id))
            continue;
        u.lease = &list[i];
        r = worker_start(unplug_worker, &u, &w);
        r = r < 0 ? r : worker_wait(&w);
    }
    return r;
}

int net_unplug(const struct plug *p, struct ctr_live *live)
{
    int lock = -1, r = network_lock(p->s, &lock);
    if (r == 0)
        r = unplug_locked(p, live);
    network_unlock(lock);
    struct ctr_live_net *nets = live->networks.items;
    for (size_t i = 0; r == 0 && i < live->networks.n; i++)
        if (str_eq(nets[i].name, p->spec->name)) {
            rec_done(&ctr_live_net_rec, &nets[i]);
            memmove(&nets[i], &nets[i + 1], (--live->networks.n - i) * sizeof *nets);
            break;
        }
    return r;
}

/* ---- filters ---- */

static int apply_worker(void *arg)
{
    const struct plug *p = arg;
    int r = p->space >= 0 ? link_enter(p->space) : 0;
    return r < 0 ? r : rules_apply(p->s);
}

int net_reapply(const struct store *s, int space)
{
    struct plug p = {.s = s, .space = space};
    struct worker w;
    int lock = -1, r = network_lock(s, &lock);
    if (r == 0)
        r = worker_start(apply_worker, &p, &w);
    if (r == 0)
        r = worker_wait(&w);
    network_unlock(lock);
    return r;
}
