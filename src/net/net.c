/* A container's networks in its SUPERVISOR: calls what its kinds have for each moment (whelk/net.h).
 *
 * Runs in: SUPERVISOR, but for net_inside in the CHILD, and net_parse and net_check, which are pure. */
#include "dns.h"
#include "kinds.h"
#include "ports.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/link.h"

#include <fcntl.h>

struct net {
    const struct store *s;
    const struct ctr *c;
    struct net_space space;
    struct net_helper way_out; /* if it fell to this SUPERVISOR to make it anew */
    bool host_root;
    struct ctr_net plain;
    struct member *members;
    size_t n;
    struct ports *ports; /* or NULL */
    struct dns *dns;     /* or NULL: no network with names */
    char **warnings;
};

static const struct ctr_net *networks(const struct ctr *c)
{
    return c->networks.items;
}

/* ---- parsing ---- */

/* Spellings of other tools. */
static const char *const synonyms[][2] = {
    {"slirp4netns", "private"},
    {"slirp", "private"},
    {"default", "private"},
    {"podman", NETWORK_DEFAULT},
};

bool net_is_named(const char *name)
{
    return net_kind_of(name)->flags & NET_ALIASES;
}

int net_parse(const char *word, struct ctr_net *ret)
{
    struct ctr_net net = {0};
    const char *colon = strchr(word, ':');
    auto_free char *typed = xstrndup(word, colon ? (size_t)(colon - word) : strlen(word));
    const char *name = typed;
    for (size_t i = 0; i < ARRAY_LEN(synonyms); i++)
        if (str_eq(typed, synonyms[i][0]))
            name = synonyms[i][1];
    const struct net_kind *kind = net_kind_of(name);
    if (colon && !kind->parse)
        return err_set(-EINVAL, "--network %s: %s takes no options", word, name);
    int r = net_kind_find(name) ? 0 : name_check("network", name);
    if (r == 0)
        r = kind->parse ? kind->parse(colon ? colon + 1 : NULL, &net) : 0;
    net.name = xstrdup(name);
    if (r < 0) {
        rec_done(&ctr_net_rec, &net);
        return err_wrap(r, "--network %s", word);
    }
    *ret = net;
    return 0;
}

static int check_one(const struct ctr_net *spec)
{
    const struct net_kind *k = net_kind_of(spec->name);
    unsigned char mac[6];
    struct ip ip;
    const struct {
        const char *option, *value;
        unsigned needs;
    } table[] = {{"--ip", spec->ip, NET_ADDRESSES},
                 {"--mac-address", spec->mac, NET_ADDRESSES},
                 {"--ip6", spec->ip6, NET_ALIASES},
                 {"--network-alias", spec->aliases ? spec->aliases[0] : NULL, NET_ALIASES}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].value && !(k->flags & table[i].needs))
            return err_set(-EINVAL, "%s %s: the network %s has none of its own to give", table[i].option,
                           table[i].value, spec->name);
    if (spec->mac && mac_parse(spec->mac, mac) < 0)
        return err_set(-EINVAL, "--mac-address %s: write six bytes, as 02:42:ac:11:00:02", spec->mac);
    if (spec->ip && (ip_parse(spec->ip, &ip) < 0 || ip.family != AF_INET))
        return err_set(-EINVAL, "--ip %s is not an IPv4 address", spec->ip);
    if (spec->ip6 && (ip_parse(spec->ip6, &ip) < 0 || ip.family != AF_INET6))
        return err_set(-EINVAL, "--ip6 %s is not an IPv6 address", spec->ip6);
    if (spec->interface && (!*spec->interface || strlen(spec->interface) > 15 || strpbrk(spec->interface, "/ \t\n%:")))
        return err_set(-EINVAL, "interface_name=%s: 1 to 15 characters, no blank, slash or colon", spec->interface);
    return 0;
}

int net_check(const struct ctr *c)
{
    int r = 0;
    for (size_t i = 0; i < c->networks.n && r == 0; i++) {
        const struct ctr_net *spec = &networks(c)[i];
        if (c->networks.n > 1 && !net_is_named(spec->name))
            return err_set(-EINVAL, "--network %s goes with no other network", spec->name);
        r = check_one(spec);
        for (size_t j = 0; j < i && r == 0; j++)
            if (str_eq(networks(c)[j].name, spec->name))
                r = err_set(-EINVAL, "--network %s is given twice", spec->name);
    }
    return r;
}

/* ---- what kinds ask ---- */

bool net_host_root(const struct net *n)
{
    return n->host_root;
}

const struct ctr *net_ctr(const struct net *n)
{
    return n->c;
}

const struct store *net_store(const struct net *n)
{
    return n->s;
}

static void warn(struct net *n, const char *what)
{
    strv_addf(&n->warnings, "the container has no network but loopback: %s", what);
    err_clear();
}

/* ---- the life of a container ---- */

/* An address of its own that stays the same over restarts: locally administered, then digits of the id. */
static void set_mac(struct member *m)
{
    const char *id = m->net->c->id ? m->net->c->id : "";
    if (m->spec->mac && mac_parse(m->spec->mac, m->mac) == 0)
        return;
    m->mac[0] = 0x02;
    for (size_t i = 1; i < 6; i++) {
        char digits[3] = "";
        if (strlen(id) >= 2 * i)
            memcpy(digits, id + 2 * (i - 1), 2);
        m->mac[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
}

static void make_member(struct net *n, const struct ctr_net *spec, unsigned number, struct member *ret)
{
    *ret = (struct member){
        .net = n, .spec = spec, .space = n->space.net, .helper = {.sock = -1, .pidfd = -1}, .dns_socks = {-1, -1}};
    ret->kind = net_kind_of(spec->name);
    if (spec->interface)
        snprintf(ret->interface, sizeof ret->interface, "%s", spec->interface);
    else
        snprintf(ret->interface, sizeof ret->interface, "eth%u", number % 1000);
    set_mac(ret);
}

/* Containers of builds have no list, only the name of a kind without options. */
static void make_members(struct net *n)
{
    const struct ctr *c = n->c;
    bool plain = !c->networks.n && c->network && net_kind_find(c->network);
    n->n = plain ? 1 : c->networks.n;
    n->members = xcalloc(MAX(n->n, (size_t)1), sizeof(*n->members));
    n->plain = (struct ctr_net){.name = c->network};
    for (size_t i = 0; i < n->n; i++)
        make_member(n, plain ? &n->plain : &networks(c)[i], (unsigned)i, &n->members[i]);
}

static struct member *find_member(const struct net *n, const char *network)
{
    for (size_t i = 0; i < n->n; i++)
        if (n->members[i].spec && str_eq(n->members[i].spec->name, network))
            return &n->members[i];
    return NULL;
}

static void members_done(struct member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (members[i].network)
            network_done(members[i].network);
        free(members[i].network);
    }
    free(members);
}

/* What it has got by now: network connect was not done here. */
static void take_live(struct member *m, const struct ctr_live *live)
{
    const struct ctr_live_net *l = live->networks.items;
    for (size_t i = 0; i < live->networks.n; i++) {
        if (!str_eq(l[i].name, m->spec->name))
            continue;
        if (l[i].ip && ip_parse(l[i].ip, &m->ip) == 0)
            m->ip.prefix = (unsigned char)l[i].prefix;
        if (l[i].ip6 && ip_parse(l[i].ip6, &m->ip6) == 0)
            m->ip6.prefix = (unsigned char)l[i].prefix6;
        if (l[i].interface)
            snprintf(m->interface, sizeof m->interface, "%s", l[i].interface);
        (void)(l[i].gateway && ip_parse(l[i].gateway, &m->gateway));
        (void)(l[i].mac && mac_parse(l[i].mac, m->mac));
    }
}

/* ---- names ---- */

/* Names are known of all networks that have them. *ret_isolated: none of these leads out. */
static char **networks_with_names(const struct net *n, bool *ret_isolated)
{
    char **names = NULL;
    *ret_isolated = true;
    for (size_t i = 0; i < n->n; i++) {
        const struct network *net = n->members[i].network;
        if (!net || net->no_dns)
            continue;
        strv_add(&names, net->name);
        *ret_isolated = *ret_isolated && net->internal;
    }
    return names;
}

/* Unknown ones are asked of the servers that were given with --dns, or with the networks, or of the host's. */
static char **servers_of(const struct net *n)
{
    char **servers = strv_copy(n->c->dns);
    for (size_t i = 0; i < n->n && !n->c->dns; i++)
        if (n->members[i].network)
            strv_extend(&servers, n->members[i].network->dns);
    return servers;
}

static int prepare_names(struct net *n)
{
    bool isolated;
    auto_strv char **names = networks_with_names(n, &isolated), **servers = servers_of(n);
    if (!names)
        return 0;
    int dir = dir_open(n->s->fd, "networks");
    if (dir < 0)
        return dir;
    n->dns = xcalloc(1, sizeof(*n->dns));
    int r = dns_open(n->dns, names, servers, dir);
    n->dns->setup.isolated = isolated;
    n->dns->setup.host_root = n->host_root;
    return r;
}

static void add_client(struct dns_setup *setup, const struct ip *a)
{
    if (a->family && setup->n_clients < DNS_CLIENTS_MAX)
        setup->clients[setup->n_clients++] = *a;
}

static void set_clients(struct net *n)
{
    n->dns->setup.n_clients = 0;
    for (size_t i = 0; i < n->n; i++) {
        add_client(&n->dns->setup, &n->members[i].ip);
        add_client(&n->dns->setup, &n->members[i].ip6);
    }
}

/* The container asks by its first networks that have names. */
static void take_sockets(struct net *n)
{
    struct dns_setup *setup = &n->dns->setup;
    for (size_t i = 0; i < n->n; i++) {
        int *socks = n->members[i].dns_socks;
        for (size_t j = 0; j < ARRAY_LEN(n->members[i].dns_socks) && socks[j] >= 0; j++) {
            if (setup->n_sockets < DNS_SOCKETS_MAX)
                n->dns->sockets[setup->n_sockets++] = take_fd(&socks[j]);
            else
                fd_close(take_fd(&socks[j]));
        }
    }
}

static int attach_names(struct net *n)
{
    set_clients(n);
    take_sockets(n);
    net_host_seen(net_names_member(n), &n->dns->setup.host[0]);
    return dns_attach(n->dns);
}

/* A network came or went; the resolver goes on with the sockets that it has. */
static void change_names(struct net *n)
{
    bool isolated;
    auto_strv char **names = networks_with_names(n, &isolated);
    if (!n->dns || strv_eq(names, n->dns->networks))
        return;
    set_clients(n);
    n->dns->setup.isolated = isolated;
    dns_change(n->dns, names);
}

int net_reload(struct net *n, const struct ctr *c)
{
    struct ctr_live live = {0};
    n->c = c;
    if (!n->n || !n->members[0].network) /* networks of other kinds do not change */
        return 0;
    struct member *old = n->members, *now = xcalloc(MAX(c->networks.n, (size_t)1), sizeof *now);
    int r = ctr_live_load(n->s, c->id, &live);
    for (size_t i = 0; i < c->networks.n; i++) {
        struct member *before = find_member(n, networks(c)[i].name);
        make_member(n, &networks(c)[i], (unsigned)i, &now[i]);
        if (before) {
            now[i] = *before;
            now[i].spec = &networks(c)[i];
            *before = (struct member){0};
        } else {
            take_live(&now[i], &live);
        }
    }
    members_done(old, n->n);
    n->members = now;
    n->n = c->networks.n;
    ctr_live_done(&live);
    for (size_t i = 0; r == 0 && i < n->n; i++)
        r = now[i].kind->open ? now[i].kind->open(&now[i]) : 0;
    change_names(n);
    return r;
}

/* The default route is the first network's that leads out. */
static void choose_way_out(struct net *n)
{
    for (size_t i = 0; i < n->n; i++)
        if (n->members[i].network && !n->members[i].network->internal) {
            n->members[i].leads_out = true;
            return;
        }
}

int net_prepare(struct net *n)
{
    int r = 0;
    for (size_t i = 0; i < n->n && r == 0; i++) {
        struct member *m = &n->members[i];
        m->failed = false;
        r = m->kind->open ? m->kind->open(m) : 0;
    }
    choose_way_out(n);
    return r < 0 ? r : prepare_names(n);
}

int net_open(const struct store *s, const struct ctr *c, const struct idmap *map, const struct net_space *space,
             struct net **ret)
{
    auto_with(net_close_auto) struct net *n = xcalloc(1, sizeof(*n));
    int r = 0;
    n->s = s;
    n->c = c;
    n->space = space ? *space : NET_SPACE_NONE;
    n->way_out = (struct net_helper){.sock = -1, .pidfd = -1};
    n->host_root = idmap_none(map);
    make_members(n);
    if (r == 0 && c->ports.n && n->n && (n->members[0].kind->flags & NET_OWN))
        r = ports_open(c, &n->ports);
    if (r == 0)
        r = net_prepare(n);
    if (r == 0)
        *ret = take_ptr(&n);
    return r;
}

int net_with_member(const struct store *s, const struct ctr *c, struct member *m, int (*open)(struct member *m),
                    int netns)
{
    struct net n = {.s = s, .c = c, .space = NET_SPACE_NONE, .members = m, .n = 1};
    m->net = &n;
    int r = open ? open(m) : m->kind->attach(m, netns, -1);
    m->net = NULL;
    return r;
}

int net_inside(const struct net *n, int *ret_fd, char **ret_warning)
{
    int r = 0;
    if (n->n && (n->members[0].kind->flags & NET_OWN))
        r = link_loopback_up();
    for (size_t i = 0; i < n->n && r == 0; i++) {
        const struct member *m = &n->members[i];
        r = m->kind->inside ? m->kind->inside(m, ret_fd) : 0;
        if (r < 0 && (m->kind->flags & NET_OPTIONAL)) {
            *ret_warning = xstrdup(err_text(r));
            err_clear();
            r = 0;
        }
    }
    return r;
}

static int attach_member(struct net *n, struct member *m, int netns, int fd, const char *warning)
{
    int r = 0;
    m->failed = warning != NULL;
    if (warning)
        warn(n, warning);
    else if (m->kind->attach)
        r = m->kind->attach(m, netns, fd);
    if (r == 0 || !(m->kind->flags & NET_OPTIONAL))
        return r;
    warn(n, err_text(r));
    m->failed = true;
    return 0;
}

/* While the CHILD still is what was cloned: as soon as it has changed its rights, nobody may look any more. */
static int open_namespace(const struct net *n, pid_t pid, int *ret_fd)
{
    auto_free char *path = xasprintf("/proc/%d/ns/net", pid);
    bool needed = n->ports || (n->n && n->members[0].kind->flags & NET_ENTERED);
    *ret_fd = needed ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    return needed && *ret_fd < 0 ? err_sys("cannot open the container's network namespace") : 0;
}

int net_attach(struct net *n, pid_t pid, int fd, const char *warning)
{
    auto_close int from_child = fd, netns = -1;
    int r = open_namespace(n, pid, &netns);
    for (size_t i = 0; i < n->n && r == 0; i++)
        r = attach_member(n, &n->members[i], netns, fd, warning);
    fd_close(take_fd(&from_child)); /* the device of a member that failed goes with it */
    if (r == 0 && n->dns)
        r = attach_names(n);
    return r == 0 && n->ports ? ports_forward(n->ports, &n->members[0], netns) : r;
}

int net_settle(struct net *n)
{
    int r = n->dns ? net_helper_settle(&n->dns->helper) : 0;
    return r == 0 && n->ports ? ports_settle(n->ports) : r;
}

char *const *net_warnings(const struct net *n)
{
    return n->warnings;
}

const struct member *net_member(const struct net *n)
{
    return n->n ? &n->members[0] : NULL;
}

const struct member *net_names_member(const struct net *n)
{
    for (size_t i = 0; i < n->n; i++)
        if (n->members[i].network && n->members[i].dns.family)
            return &n->members[i];
    return net_member(n);
}

static char *address_text(const struct ip *a)
{
    char text[IP_TEXT];
    return a->family ? xstrdup(ip_format(a, text)) : NULL;
}

void net_describe_member(const struct member *m, struct ctr_live *live)
{
    char mac[18];
    struct ctr_live_net *l = rec_list_add(&ctr_live_net_rec, &live->networks);
    l->name = xstrdup(m->spec->name);
    l->ip = address_text(&m->ip);
    l->ip6 = m->failed ? NULL : address_text(&m->ip6);
    l->prefix = m->ip.prefix;
    l->prefix6 = l->ip6 ? m->ip6.prefix : 0;
    l->gateway = address_text(&m->gateway);
    l->gateway6 = l->ip6 ? address_text(&m->gateway6) : NULL;
    if (m->kind->flags & NET_ADDRESSES && !m->failed) {
        l->mac = xstrdup(mac_format(m->mac, mac));
        l->interface = xstrdup(m->interface);
    }
}

void net_describe(const struct net *n, struct ctr_live *live)
{
    for (size_t i = 0; i < n->n; i++)
        if (n->members[i].kind->flags & NET_OWN)
            net_describe_member(&n->members[i], live);
    if (n->ports)
        ports_describe(n->ports, live);
}

void net_detach(struct net *n)
{
    if (n->ports)
        ports_stop(n->ports);
    if (n->dns)
        dns_close(n->dns);
    free(n->dns);
    n->dns = NULL;
    for (size_t i = 0; i < n->n; i++)
        if (n->members[i].kind && n->members[i].kind->detach)
            n->members[i].kind->detach(&n->members[i]);
    strv_free(take_ptr(&n->warnings));
}

int net_watch(const struct net *n)
{
    return n->space.alive;
}

int net_mend(struct net *n)
{
    return space_mend(n->s, &n->space, &n->way_out);
}

int net_watch_names(const struct net *n)
{
    return n->dns ? n->dns->helper.sock : -1;
}

void net_answer_names(struct net *n)
{
    dns_ready(n->dns);
}

int net_watch_ports(const struct net *n)
{
    return n->ports ? n->ports->helper.sock : -1;
}

void net_mend_ports(struct net *n)
{
    ports_mend(n->ports, &n->members[0]);
}

static bool has_named(const struct net *n)
{
    return n->n && n->members[0].network;
}

void net_end(struct net *n)
{
    if (has_named(n))
        bridges_sweep(n->s, n->space.net);
}

void net_close(struct net *n)
{
    net_detach(n);
    ports_close(n->ports);
    net_helper_stop(&n->way_out);
    members_done(n->members, n->n);
    free(n);
}
