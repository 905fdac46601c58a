/* What a new network is given: its subnets, gateways and the name of its bridge. Subnets overlap with no other network
 * of the store; those that are chosen here also with no route of this machine. Runs in: the invocation that makes the
 * network, with networks/.lock. */
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/net.h"
#include "whelk/network.h"
#include "whelk/units.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>

enum { PREFIX_MAX4 = 29, PREFIX_MAX6 = 124, ROUTES_MAX = 1 << 20, MTU_MIN = 1280, MTU_MAX = 65520 };

/* ---- what is taken ---- */

struct taken {
    struct ip net;
    char *by; /* a network's name, or NULL: a route */
};

struct takens {
    struct taken *items;
    size_t n;
};

static void add_taken(struct takens *t, const struct ip *net, const char *by)
{
    t->items = xrealloc(t->items, (t->n + 1) * sizeof *t->items);
    t->items[t->n++] = (struct taken){*net, xstrdup(by)};
}

static void takens_done(struct takens *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->items[i].by);
    free(t->items);
}

static bool overlap(const struct ip *a, const struct ip *b)
{
    return a->prefix < b->prefix ? ip_in_net(b, a) : ip_in_net(a, b);
}

static const struct taken *find_overlap(const struct takens *t, const struct ip *net, bool routes_too)
{
    for (size_t i = 0; i < t->n; i++)
        if ((routes_too || t->items[i].by) && overlap(&t->items[i].net, net))
            return &t->items[i];
    return NULL;
}

/* "eth0 0002000A 00000000 0001 0 0 0 00FFFFFF ...": destination, gateway, flags, ..., mask, as the processor has them.
 */
static void add_routes(struct takens *t)
{
    auto_free char *text = NULL;
    if (file_read(AT_FDCWD, "/proc/self/net/route", ROUTES_MAX, &text, NULL) < 0)
        return err_clear();
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines) {
        unsigned to, mask;
        if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &to, &mask) != 2 || !mask)
            continue;
        struct ip net = {.family = AF_INET, .v4.s_addr = to, .prefix = (unsigned char)__builtin_popcount(mask)};
        add_taken(t, &net, NULL);
    }
}

static int add_networks(const struct store *s, struct takens *t)
{
    auto_strv char **names = NULL;
    int r = network_list(s, &names);
    strv_foreach (name, names) {
        struct network n = {0};
        r = network_load(s, name, &n);
        const struct network_subnet *subnets = n.subnets.items;
        struct ip net;
        for (size_t i = 0; r == 0 && i < n.subnets.n; i++)
            if (ip_parse_net(subnets[i].subnet, &net) == 0)
                add_taken(t, &net, name);
        network_done(&n);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return r == -ENOENT ? 0 : r;
}

/* ---- choosing ---- */

static struct ip v4_net(uint32_t address, unsigned prefix)
{
    return (struct ip){.family = AF_INET, .v4.s_addr = htonl(address), .prefix = (unsigned char)prefix};
}

static char *net_text(const struct ip *net)
{
    char text[IP_TEXT];
    return xasprintf("%s/%u", ip_format(net, text), net->prefix);
}

static void add_subnet(struct network *n, const struct ip *net)
{
    struct network_subnet *s = rec_list_add(&network_subnet_rec, &n->subnets);
    s->subnet = net_text(net);
}

/* 10.88.0.0/16 for the network that every store has, then networks of 4096 addresses up to 10.255.240.0. */
static int choose_v4(const struct takens *t, struct network *n)
{
    enum { FIRST = 10 << 24 | 89 << 16, LAST = 10 << 24 | 255 << 16 | 240 << 8, STEP = 1 << 12 };
    struct ip net = v4_net(10 << 24 | 88 << 16, 16);
    bool found = str_eq(n->name, NETWORK_DEFAULT) && !find_overlap(t, &net, true);
    for (uint32_t a = FIRST; !found && a <= LAST; a += STEP) {
        net = v4_net(a, 20);
        found = !find_overlap(t, &net, true);
    }
    if (!found)
        return err_set(-EADDRNOTAVAIL, "network %s: no free subnet is left in 10.89.0.0 to 10.255.0.0; give --subnet",
                       n->name);
    add_subnet(n, &net);
    return 0;
}

/* A unique local prefix with 40 random bits (RFC 4193). */
static void choose_v6(struct network *n)
{
    char id[ID_LEN + 1];
    id_new(id);
    auto_free char *text = xasprintf("fd%.2s:%.4s:%.4s::/64", id, id + 2, id + 6);
    struct ip net;
    if (ip_parse_net(text, &net) == 0)
        add_subnet(n, &net);
}

/* ---- checking ---- */

static int check_overlap(const struct takens *t, const struct network *n, const struct ip *net, const char *subnet)
{
    static const char reserved[] = "10.0.2.0/24"; /* the way out of users' networks (space.c) */
    struct ip own;
    const struct taken *other = find_overlap(t, net, false);
    if (other) {
        auto_free char *theirs = net_text(&other->net);
        return err_set(-EEXIST, "network %s: the subnet %s overlaps with %s of the network %s", n->name, subnet, theirs,
                       other->by);
    }
    if (ip_parse_net(reserved, &own) == 0 && overlap(&own, net))
        return err_set(-EEXIST, "network %s: the subnet %s overlaps with %s, which leads out of this machine", n->name,
                       subnet, reserved);
    return 0;
}

static int check_gateway(const struct network *n, struct network_subnet *s, const struct ip *net)
{
    struct ip gateway;
    char text[IP_TEXT];
    if (!s->gateway) {
        gateway = ip_nth(net, 1);
        s->gateway = xstrdup(ip_format(&gateway, text));
        return 0;
    }
    if (ip_parse(s->gateway, &gateway) < 0 || !ip_in_net(&gateway, net))
        return err_set(-EINVAL, "network %s: the gateway %s is not in the subnet %s", n->name, s->gateway, s->subnet);
    return 0;
}

static int check_subnet(const struct takens *t, const struct network *n, struct network_subnet *s)
{
    struct ip net, range;
    int r = ip_parse_net(s->subnet, &net);
    unsigned smallest = r == 0 && net.family == AF_INET6 ? PREFIX_MAX6 : PREFIX_MAX4;
    if (r < 0)
        return err_set(r, "--subnet %s is no network; write one as 10.89.0.0/24", s->subnet);
    if (net.prefix > smallest || net.prefix < 8)
        return err_set(-EINVAL, "--subnet %s: its size has to be from /8 to /%u", s->subnet, smallest);
    net = ip_nth(&net, 0);
    free(s->subnet);
    s->subnet = net_text(&net);
    r = check_overlap(t, n, &net, s->subnet);
    if (r == 0)
        r = check_gateway(n, s, &net);
    if (r == 0 && s->range &&
        (ip_parse_net(s->range, &range) < 0 || !ip_in_net(&range, &net) || range.prefix < net.prefix))
        r = err_set(-EINVAL, "--ip-range %s is not a part of the subnet %s", s->range, s->subnet);
    return r;
}

static int check_routes(const struct network *n)
{
    const struct network_route *routes = n->routes.items;
    for (size_t i = 0; i < n->routes.n; i++) {
        struct ip to, by;
        if (ip_parse_net(routes[i].destination, &to) < 0 || ip_parse(routes[i].gateway, &by) < 0 ||
            to.family != by.family)
            return err_set(-EINVAL, "--route %s,%s: write NETWORK,GATEWAY[,METRIC], as 10.50.0.0/16,10.89.0.9",
                           routes[i].destination, routes[i].gateway);
    }
    return 0;
}

/* ---- options ---- */

static int check_mtu(const char *value)
{
    uint64_t mtu;
    return str_to_u64(value, &mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX
               ? 0
               : err_set(-EINVAL, "--opt mtu=%s: say a number from %d to %d", value, MTU_MIN, MTU_MAX);
}

static int check_isolate(const char *value)
{
    return str_eq(value, "true") || str_eq(value, "false")
               ? 0
               : err_set(-EINVAL, "--opt isolate=%s: say true or false", value);
}

static const struct {
    const char *name, *meaning; /* docker's and podman's names; what the record calls it */
    int (*check)(const char *value);
} options[] = {
    {"mtu", "mtu", check_mtu},
    {"com.docker.network.driver.mtu", "mtu", check_mtu},
    {"isolate", "isolate", check_isolate},
    {"com.docker.network.bridge.name", "interface", NULL},
};

static int take_option(struct network *n, const char *option, char ***kept)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const char *value = str_after(option, options[i].name);
        if (!value || *value != '=')
            continue;
        int r = options[i].check ? options[i].check(value + 1) : 0;
        if (r == 0 && !options[i].check) {
            free(n->interface);
            n->interface = xstrdup(value + 1);
        } else if (r == 0) {
            strv_env_set(kept, options[i].meaning, value + 1);
        }
        return r;
    }
    return err_set(-EINVAL, "--opt %s is not known; known: mtu=, isolate=, com.docker.network.bridge.name=", option);
}

static int check_options(struct network *n)
{
    auto_strv char **kept = NULL;
    int r = 0;
    strv_foreach (option, n->options)
        r = r < 0 ? r : take_option(n, option, &kept);
    strv_free(n->options);
    n->options = take_ptr(&kept);
    return r;
}

static int check_interface(struct network *n)
{
    char id[ID_LEN + 1];
    const char *name = n->interface;
    if (!name) {
        id_new(id);
        n->interface = xasprintf("whb%.11s", id);
        return 0;
    }
    if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ \t\n%:") || *name == '.')
        return err_set(-EINVAL, "%s cannot be the name of an interface: 1 to %d characters, no blank, slash or colon",
                       name, IFNAMSIZ - 1);
    return 0;
}

int network_plan(const struct store *s, struct network *n)
{
    char id[ID_LEN + 1];
    bool has[2] = {false, false};
    struct takens t = {0};
    int r = check_options(n);
    if (r == 0)
        r = check_interface(n);
    if (r == 0)
        r = add_networks(s, &t);
    add_routes(&t);
    struct network_subnet *subnets = n->subnets.items;
    for (size_t i = 0; r == 0 && i < n->subnets.n; i++) {
        r = check_subnet(&t, n, &subnets[i]);
        bool v6 = strchr(subnets[i].subnet, ':') != NULL;
        if (r == 0 && has[v6])
            r = err_set(-EINVAL, "network %s: only one subnet of IPv%d can be had", n->name, v6 ? 6 : 4);
        has[v6] = true;
    }
    n->ipv6 = n->ipv6 || has[1];
    if (r == 0 && !n->subnets.n)
        r = choose_v4(&t, n);
    if (r == 0 && n->ipv6 && !has[1])
        choose_v6(n);
    subnets = n->subnets.items;
    for (size_t i = 0; r == 0 && i < n->subnets.n; i++)
        r = check_subnet(&t, n, &subnets[i]);
    takens_done(&t);
    id_new(id);
    n->id = xstrdup(id);
    n->created = time_now();
    return r < 0 ? r : check_routes(n);
}

int network_make(const struct store *s, struct network *n)
{
    int lock = -1, r = network_lock(s, &lock);
    auto_free char *file = xasprintf("networks/%s.json", n->name);
    if (r == 0 && faccessat(s->fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        r = -EEXIST;
    if (r == 0)
        r = network_plan(s, n);
    if (r == 0)
        r = network_create(s, n);
    network_unlock(lock);
    return r;
}

int network_make_default(const struct store *s)
{
    auto_with(network_done) struct network n = {.name = xstrdup(NETWORK_DEFAULT)};
    if (faccessat(s->fd, "networks/" NETWORK_DEFAULT ".json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    int r = network_make(s, &n);
    return r == -EEXIST ? 0 : r;
}
