/* Which address a member of a network gets.
 *
 * The lowest free one of the range; a container that is started again gets the one that it had while nobody else took
 * it. The MAC follows from the address, so that who reaches an address again finds it under the MAC that he remembers.
 * Each member's resolver has an address too, from the upper end of the subnet downwards.
 *
 * Runs in: SUPERVISOR, or the invocation of network connect. Lock: networks/.lock. */
#include "lease.h"

#include "whelk/err.h"
#include "whelk/id.h"
#include "whelk/str.h"

#include <arpa/inet.h>

static struct net_lease *items(const struct net_leases *l)
{
    return l->list.items;
}

static void move_lease(struct net_lease *from, struct net_leases *to)
{
    struct net_lease *l = rec_list_add(&net_lease_rec, &to->list);
    *l = *from;
    *from = (struct net_lease){0};
}

void leases_sort_out(const struct store *s, const char *id, struct net_leases *l, struct net_leases *gone)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->list.n; i++) {
        struct net_lease *one = &items(l)[i];
        bool own = id && one->id && str_eq(one->id, id);
        if (!own && net_lease_counts(s, one, id)) {
            items(l)[kept++] = *one;
            continue;
        }
        if (!own && one->id)
            net_lease_unmark(s, one->id);
        move_lease(one, gone);
    }
    l->list.n = kept;
}

bool network_net(const struct network *n, sa_family_t family, struct ip *ret_net, struct ip *ret_gateway)
{
    const struct network_subnet *s = n->subnets.items;
    struct ip net, gateway = {0};
    for (size_t i = 0; i < n->subnets.n; i++) {
        if (ip_parse_net(s[i].subnet, &net) < 0 || net.family != family)
            continue;
        if (s[i].gateway && ip_parse(s[i].gateway, &gateway) < 0)
            gateway.family = 0;
        gateway.prefix = net.prefix;
        *ret_net = net;
        *ret_gateway = gateway;
        return true;
    }
    return false;
}

/* ---- free addresses ---- */

static bool is_text(const char *text, const struct ip *a)
{
    struct ip other;
    return text && (ip_parse_net(text, &other) == 0 || ip_parse(text, &other) == 0) && ip_equal(&other, a);
}

static const struct net_lease *holder(const struct net_leases *l, const struct ip *a)
{
    for (size_t i = 0; i < l->list.n; i++)
        if (is_text(items(l)[i].ip, a) || is_text(items(l)[i].ip6, a) || is_text(items(l)[i].dns, a))
            return &items(l)[i];
    return NULL;
}

/* How many addresses a network has, as far as anybody will count. */
static unsigned size_of(const struct ip *net)
{
    unsigned bits = (net->family == AF_INET6 ? 128 : 32) - net->prefix;
    return bits > 20 ? 1u << 20 : 1u << bits;
}

/* Neither the network itself nor its broadcast address. */
static bool is_host(const struct ip *net, const struct ip *a)
{
    struct ip first = ip_nth(net, 0), last = ip_nth(net, size_of(net) - 1);
    return !ip_equal(a, &first) && (net->family == AF_INET6 || !ip_equal(a, &last));
}

static bool is_free(const struct net_leases *l, const struct ip *net, const struct ip *gateway, const struct ip *a)
{
    return is_host(net, a) && !(gateway->family && ip_equal(a, gateway)) && !holder(l, a);
}

static int full(void)
{
    return err_set(-EADDRNOTAVAIL, "all its addresses are in use; remove containers or make a larger network");
}

/* downwards: from the end. */
static int find_free(const struct network *n, const struct net_leases *l, const struct ip *range, bool downwards,
                     struct ip *ret)
{
    struct ip net, gateway;
    unsigned size = size_of(range);
    if (!network_net(n, range->family, &net, &gateway))
        return full();
    for (unsigned i = 0; i < size; i++) {
        struct ip a = ip_nth(range, downwards ? size - 1 - i : i);
        if (!is_free(l, &net, &gateway, &a))
            continue;
        *ret = a;
        return 0;
    }
    return full();
}

static int take_asked(const struct network *n, const struct net_leases *l, const char *text, struct ip *ret)
{
    struct ip a, net, gateway;
    if (ip_parse(text, &a) < 0 || !network_net(n, a.family, &net, &gateway) || !ip_in_net(&a, &net) ||
        !is_host(&net, &a))
        return err_set(-EINVAL, "the address %s is not in its subnet", text);
    const struct net_lease *other = holder(l, &a);
    if (gateway.family && ip_equal(&a, &gateway))
        return err_set(-EADDRINUSE, "the address %s is its gateway's", text);
    if (other)
        return err_set(-EADDRINUSE, "the address %s is in use by container %s", text,
                       other->name ? other->name : other->id);
    *ret = a;
    return 0;
}

static void range_of(const struct network *n, const struct ip *net, struct ip *ret)
{
    const struct network_subnet *s = n->subnets.items;
    *ret = *net;
    for (size_t i = 0; i < n->subnets.n; i++) {
        struct ip range;
        if (s[i].range && ip_parse_net(s[i].range, &range) == 0 && ip_in_net(&range, net))
            *ret = range;
    }
}

/* asked, before: texts or NULL. family 0 in *ret: the network has none of this family. */
static int choose(const struct network *n, const struct net_leases *l, sa_family_t family, const char *asked,
                  const char *before, struct ip *ret, struct ip *ret_gateway)
{
    struct ip net, range, a = {0};
    if (!network_net(n, family, &net, ret_gateway))
        return asked ? err_set(-EINVAL, "it has no IPv%d: %s cannot be had", family == AF_INET6 ? 6 : 4, asked) : 0;
    int r = 0;
    range_of(n, &net, &range);
    if (asked)
        r = take_asked(n, l, asked, &a);
    else if (!before || ip_parse(before, &a) < 0 || !ip_in_net(&a, &range) || !is_free(l, &net, ret_gateway, &a))
        r = find_free(n, l, &range, false, &a);
    a.prefix = net.prefix;
    if (r == 0)
        *ret = a;
    return r;
}

/* ---- one lease ---- */

/* Locally administered; the rest is the end of the address. */
static void set_mac(struct member *m)
{
    size_t len;
    const struct ip *a = m->ip.family ? &m->ip : &m->ip6;
    const unsigned char *bytes = ip_bytes(a, &len);
    if (m->spec->mac && mac_parse(m->spec->mac, m->mac) == 0)
        return;
    m->mac[0] = 0x02;
    m->mac[1] = 0x77;
    memcpy(m->mac + 2, bytes + len - 4, 4);
}

static int choose_dns(struct member *m, const struct net_leases *l)
{
    struct ip net, gateway;
    if (m->network->no_dns)
        return 0;
    if (!network_net(m->network, AF_INET, &net, &gateway) && !network_net(m->network, AF_INET6, &net, &gateway))
        return 0;
    int r = find_free(m->network, l, &net, true, &m->dns);
    m->dns.prefix = net.family == AF_INET6 ? 128 : 32;
    return r;
}

static char *text_of(const struct ip *a, bool with_prefix)
{
    char text[IP_TEXT];
    if (!a->family)
        return NULL;
    ip_format(a, text);
    return with_prefix ? xasprintf("%s/%u", text, a->prefix) : xstrdup(text);
}

static char *without_prefix(const char *address)
{
    return address ? xstrndup(address, strcspn(address, "/")) : NULL;
}

int lease_choose(struct member *m, struct net_leases *l, const struct net_lease *before)
{
    const struct ctr *c = net_ctr(m->net);
    const struct network *n = m->network;
    char id[ID_LEN + 1], mac[18];
    auto_free char *old = without_prefix(before ? before->ip : NULL),
                   *old6 = without_prefix(before ? before->ip6 : NULL);
    int r = choose(n, l, AF_INET, m->spec->ip, old, &m->ip, &m->gateway);
    if (r == 0)
        r = choose(n, l, AF_INET6, m->spec->ip6, old6, &m->ip6, &m->gateway6);
    if (r < 0)
        return r;
    id_new(id);
    snprintf(m->port, sizeof m->port, "whv%.11s", id);
    set_mac(m);
    struct net_lease *own = rec_list_add(&net_lease_rec, &l->list);
    *own = (struct net_lease){.id = xstrdup(c->id),
                              .name = xstrdup(c->name),
                              .aliases = strv_copy(m->spec->aliases),
                              .ip = text_of(&m->ip, true),
                              .ip6 = text_of(&m->ip6, true),
                              .mac = xstrdup(mac_format(m->mac, mac)),
                              .port = xstrdup(m->port)};
    r = choose_dns(m, l);
    own->dns = text_of(&m->dns, false);
    return r;
}
