/* The packet filter of the networks: two tables of nftables of the same name, made anew as a whole whenever a bridge
 * comes or goes or a lease changes.
 *
 * The one of the bridges (family bridge): what comes from a container by its port of a bridge bears the addresses of
 * its lease, else it is dropped: IPv4, ARP, IPv6, neighbour advertisements; router advertisements and other protocols
 * too.
 *
 * The one of the host (family inet): what leaves a network by another interface than its bridge gets the address of
 * that interface; nothing crosses the border of an internal network, or of an isolated one to other networks.
 *
 * The name has the store's number: several stores of root share a namespace, and nobody's rules but one's own are
 * touched. Published ports need nothing of this.
 *
 * Runs in: the process that sets up a member, in the namespace that has the bridges. */
#include "lease.h"

#include "whelk/err.h"
#include "whelk/nft.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>

enum {
    PRIORITY_FIRST = -300, /* before other rules of a bridge */
    PRIORITY_NAT = 100,
    KEY4 = 28, /* interface 16, MAC 8, IPv4 4 */
    KEY6 = 40,
    REG_ADDRESS = NFT_REG32_06, /* behind the interface in NFT_REG_1 and the MAC in NFT_REG_2 */
    ELEMENTS_MAX = 1024,        /* a bridge has no more ports */
};

struct side {
    struct network n;
    struct net_leases leases;
};

struct rules {
    struct side *sides; /* networks with leases */
    size_t n;
    char *table;
};

/* ---- what is there ---- */

static char *table_name(const struct store *s)
{
    return xasprintf("whelk_%.8s", s->uuid);
}

static int load(const struct store *s, struct rules *ret)
{
    auto_strv char **names = NULL;
    int r = network_list(s, &names);
    ret->table = table_name(s);
    ret->sides = xcalloc(strv_len(names) + 1, sizeof *ret->sides);
    strv_foreach (name, names) {
        struct side *side = &ret->sides[ret->n];
        r = r < 0 ? r : net_leases_load(s, name, &side->leases);
        if (r < 0 || !side->leases.list.n)
            continue;
        r = network_load(s, name, &side->n);
        if (r == 0)
            ret->n++;
        else
            net_leases_done(&side->leases);
        r = r == -ENOENT ? 0 : r;
    }
    return r;
}

static void rules_done(struct rules *r)
{
    for (size_t i = 0; i < r->n; i++) {
        network_done(&r->sides[i].n);
        net_leases_done(&r->sides[i].leases);
    }
    free(r->sides);
    free(r->table);
}

/* ---- what may come from a port ---- */

static void fill_key(struct nft_key *key, const char *port, const unsigned char mac[6], const void *address, size_t len)
{
    *key = (struct nft_key){0};
    memcpy(key->bytes, port, MIN(strlen(port), (size_t)IFNAMSIZ - 1));
    memcpy(key->bytes + 16, mac, 6);
    memcpy(key->bytes + 24, address, len);
}

/* fe80:: and the MAC, as the kernel makes it. */
static void link_local(const unsigned char mac[6], unsigned char ret[16])
{
    const unsigned char a[16] = {0xfe,       0x80,   0,      0,    0,    0,      0,      0,
                                 mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    memcpy(ret, a, sizeof a);
}

struct keys {
    struct nft_key v4[ELEMENTS_MAX], v6[ELEMENTS_MAX];
    size_t n4, n6;
};

static void add_keys(struct keys *k, const struct net_lease *l)
{
    struct ip a;
    unsigned char mac[6], local[16];
    if (!l->port || !l->mac || mac_parse(l->mac, mac) < 0 || k->n4 == ELEMENTS_MAX || k->n6 + 2 > ELEMENTS_MAX)
        return;
    if (l->ip && ip_parse_net(l->ip, &a) == 0)
        fill_key(&k->v4[k->n4++], l->port, mac, &a.v4, sizeof a.v4);
    link_local(mac, local);
    fill_key(&k->v6[k->n6++], l->port, mac, local, sizeof local);
    if (l->ip6 && ip_parse_net(l->ip6, &a) == 0)
        fill_key(&k->v6[k->n6++], l->port, mac, &a.v6, sizeof a.v6);
}

static void add_all_keys(struct keys *k, const struct net_leases *l)
{
    for (size_t i = 0; l && i < l->list.n; i++)
        add_keys(k, &((const struct net_lease *)l->list.items)[i]);
}

static void compare(struct nft *f, const void *data, size_t len)
{
    nft_compare(f, NFT_REG_1, NFT_CMP_EQ, data, len);
}

static void begin_protocol(struct nft *f, unsigned char high, unsigned char low)
{
    const unsigned char type[2] = {high, low};
    nft_rule(f, "from");
    nft_payload(f, NFT_PAYLOAD_LL_HEADER, 12, 2, NFT_REG_1);
    compare(f, type, sizeof type);
}

struct field {
    unsigned base, offset, len;
};

/* Are the port, the MAC at mac and the address at a in the set? */
static void look_up(struct nft *f, const char *set, bool absent, struct field mac, struct field a)
{
    nft_meta(f, NFT_META_IIFNAME, NFT_REG_1);
    nft_payload(f, mac.base, mac.offset, 6, NFT_REG_2);
    nft_payload(f, a.base, a.offset, a.len, REG_ADDRESS);
    nft_lookup(f, set, NFT_REG_1, absent);
}

static void end_rule(struct nft *f, int verdict)
{
    nft_verdict(f, verdict);
    nft_rule_end(f);
}

static void begin_icmp6(struct nft *f, unsigned char type)
{
    const unsigned char icmp6 = IPPROTO_ICMPV6;
    begin_protocol(f, 0x86, 0xdd);
    nft_meta(f, NFT_META_L4PROTO, NFT_REG_1);
    compare(f, &icmp6, 1);
    nft_payload(f, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
    compare(f, &type, 1);
}

/* What is let through has the right MAC as its source: else the bridge would learn that somebody else's is there. */
static void bridge_rules(struct nft *f)
{
    static const unsigned char refused6[] = {134, 137}; /* router advertisements, redirects */
    const struct field source = {NFT_PAYLOAD_LL_HEADER, 6, 6}, arp_mac = {NFT_PAYLOAD_NETWORK_HEADER, 8, 6},
                       arp_ip = {NFT_PAYLOAD_NETWORK_HEADER, 14, 4}, ip = {NFT_PAYLOAD_NETWORK_HEADER, 12, 4},
                       ip6 = {NFT_PAYLOAD_NETWORK_HEADER, 8, 16}, neighbour = {NFT_PAYLOAD_TRANSPORT_HEADER, 8, 16};
    nft_rule(f, "from");
    nft_meta(f, NFT_META_IIFNAME, NFT_REG_1);
    nft_compare(f, NFT_REG_1, NFT_CMP_NEQ, "whv", 3);
    end_rule(f, NF_ACCEPT);
    begin_protocol(f, 0x08, 0x00);
    look_up(f, "v4", false, source, ip);
    end_rule(f, NF_ACCEPT);
    begin_protocol(f, 0x08, 0x06);
    look_up(f, "v4", false, source, arp_ip);
    look_up(f, "v4", false, arp_mac, arp_ip);
    end_rule(f, NF_ACCEPT);
    for (size_t i = 0; i < ARRAY_LEN(refused6); i++) {
        begin_icmp6(f, refused6[i]);
        end_rule(f, NF_DROP);
    }
    begin_icmp6(f, 136); /* a neighbour advertisement: who says that he is at the address */
    look_up(f, "v6", true, source, neighbour);
    end_rule(f, NF_DROP);
    begin_protocol(f, 0x86, 0xdd);
    look_up(f, "v6", false, source, ip6);
    end_rule(f, NF_ACCEPT);
    nft_rule(f, "from");
    end_rule(f, NF_DROP);
}

static int apply_bridge(const struct rules *r)
{
    struct nft f;
    auto_free struct keys *k = xcalloc(1, sizeof *k);
    for (size_t i = 0; i < r->n; i++)
        add_all_keys(k, &r->sides[i].leases);
    int e = nft_open(&f, NFPROTO_BRIDGE, r->table);
    if (e < 0)
        return e;
    nft_replace(&f);
    nft_chain(&f, "from", "filter", NF_BR_PRE_ROUTING, PRIORITY_FIRST);
    nft_set(&f, "v4", NFT_TYPE_IFNAME << 12 | NFT_TYPE_MAC << 6 | NFT_TYPE_IPV4, KEY4);
    nft_set(&f, "v6", NFT_TYPE_IFNAME << 12 | NFT_TYPE_MAC << 6 | NFT_TYPE_IPV6, KEY6);
    nft_elements(&f, "v4", k->v4, k->n4, KEY4);
    nft_elements(&f, "v6", k->v6, k->n6, KEY6);
    bridge_rules(&f);
    e = nft_commit(&f, "make the filter that keeps containers to their addresses (nftables, family bridge)");
    nft_close(&f);
    return e;
}

/* ---- what crosses a border ---- */

/* Interface names are compared whole, with the zeroes behind them. */
static void match_name(struct nft *f, unsigned key, const char *name, bool equal)
{
    char padded[IFNAMSIZ] = "";
    memcpy(padded, name, MIN(strlen(name), sizeof padded - 1));
    nft_meta(f, key, NFT_REG_1);
    nft_compare(f, NFT_REG_1, equal ? NFT_CMP_EQ : NFT_CMP_NEQ, padded, sizeof padded);
}

static void masquerade(struct nft *f, const struct network *n, sa_family_t family)
{
    struct ip net, gateway;
    size_t len;
    if (!network_net(n, family, &net, &gateway))
        return;
    bool v6 = family == AF_INET6;
    const unsigned char protocol = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
    unsigned char mask[16] = {0};
    const void *bytes = ip_bytes(&net, &len);
    for (unsigned i = 0; i < net.prefix; i++)
        mask[i / 8] |= (unsigned char)(0x80 >> i % 8);
    nft_rule(f, "out");
    nft_meta(f, NFT_META_NFPROTO, NFT_REG_1);
    compare(f, &protocol, 1);
    nft_payload(f, NFT_PAYLOAD_NETWORK_HEADER, v6 ? 8 : 12, (unsigned)len, NFT_REG_1);
    nft_mask(f, NFT_REG_1, mask, (unsigned)len);
    compare(f, bytes, len);
    match_name(f, NFT_META_OIFNAME, n->interface, false);
    nft_masquerade(f);
    nft_rule_end(f);
}

/* other NULL: whatever is not n. */
static void forbid(struct nft *f, const struct network *n, const struct network *other)
{
    const unsigned keys[][2] = {{NFT_META_IIFNAME, NFT_META_OIFNAME}, {NFT_META_OIFNAME, NFT_META_IIFNAME}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        nft_rule(f, "between");
        match_name(f, keys[i][0], n->interface, true);
        match_name(f, keys[i][1], other ? other->interface : n->interface, other != NULL);
        nft_verdict(f, NF_DROP);
        nft_rule_end(f);
    }
}

static void border_rules(struct nft *f, const struct rules *r, const struct network *n)
{
    const char *isolate = network_option(n, "isolate");
    if (n->internal)
        return forbid(f, n, NULL);
    masquerade(f, n, AF_INET);
    masquerade(f, n, AF_INET6);
    for (size_t i = 0; i < r->n && isolate && str_eq(isolate, "true"); i++)
        if (&r->sides[i].n != n)
            forbid(f, n, &r->sides[i].n);
}

static int apply_inet(const struct rules *r)
{
    struct nft f;
    int e = nft_open(&f, NFPROTO_INET, r->table);
    if (e < 0)
        return e;
    nft_replace(&f);
    nft_chain(&f, "out", "nat", NF_INET_POST_ROUTING, PRIORITY_NAT);
    nft_chain(&f, "between", "filter", NF_INET_FORWARD, 0);
    for (size_t i = 0; i < r->n; i++)
        border_rules(&f, r, &r->sides[i].n);
    e = nft_commit(&f, "make the way out of networks (nftables, masquerade)");
    nft_close(&f);
    return e;
}

int rules_apply(const struct store *s)
{
    struct rules rules = {0};
    int r = load(s, &rules);
    if (r == 0)
        r = apply_bridge(&rules);
    if (r == 0)
        r = apply_inet(&rules);
    rules_done(&rules);
    return r;
}

int rules_change(const struct store *s, const struct net_leases *gone, const struct net_lease *come)
{
    struct nft f;
    auto_free struct keys *old = xcalloc(1, sizeof *old), *new = xcalloc(1, sizeof *new);
    auto_free char *table = table_name(s);
    add_all_keys(old, gone);
    if (come)
        add_keys(new, come);
    int r = nft_open(&f, NFPROTO_BRIDGE, table);
    if (r < 0)
        return r;
    nft_elements_delete(&f, "v4", old->v4, old->n4, KEY4);
    nft_elements_delete(&f, "v6", old->v6, old->n6, KEY6);
    nft_elements(&f, "v4", new->v4, new->n4, KEY4);
    nft_elements(&f, "v6", new->v6, new->n6, KEY6);
    r = nft_commit(&f, "change the filter of a network");
    nft_close(&f);
    if (r == 0)
        return 0;
    err_clear(); /* somebody removed the table, or elements of it */
    return rules_apply(s);
}

int rules_remove(const struct store *s)
{
    static const unsigned char families[] = {NFPROTO_BRIDGE, NFPROTO_INET};
    auto_free char *table = table_name(s);
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(families) && r == 0; i++) {
        struct nft f;
        r = nft_open(&f, families[i], table);
        if (r < 0)
            return r;
        nft_remove(&f);
        r = nft_commit(&f, "remove the packet filter of networks");
        nft_close(&f);
    }
    return r;
}
