/* whelk network create */
#include "networks.h"

#include "whelk/id.h"

struct create_opts {
    bool internal, ipv6, disable_dns, ignore;
    char *driver, *ipam_driver, *interface;
    char **subnets, **gateways, **ranges, **labels, **options, **routes, **dns;
};

static const struct opt create_table[] = {
    {"disable-dns", 0, OPT_BOOL, OPT(struct create_opts, disable_dns),
     .help = "no names: containers ask the host's name servers"},
    {"dns", 0, OPT_LIST, OPT(struct create_opts, dns), .arg = "ADDRESS",
     .help = "name server that is asked what is no container's name"},
    {"driver", 'd', OPT_STR, OPT(struct create_opts, driver), .arg = "DRIVER", .help = "only bridge", .def = "bridge",
     .complete = COMPLETE_WORDS, .words = "bridge"},
    {"gateway", 0, OPT_LIST, OPT(struct create_opts, gateways), .arg = "ADDRESS",
     .help = "address of the bridge in the subnet; else the first one"},
    {"ignore", 0, OPT_BOOL, OPT(struct create_opts, ignore), .help = "say nothing about a network that exists already"},
    {"interface-name", 0, OPT_STR, OPT(struct create_opts, interface), .arg = "NAME", .help = "name of the bridge"},
    {"internal", 0, OPT_BOOL, OPT(struct create_opts, internal), .help = "no way out of the network"},
    {"ip-range", 0, OPT_LIST, OPT(struct create_opts, ranges), .arg = "NETWORK",
     .help = "give addresses out of this part of the subnet"},
    {"ipam-driver", 0, OPT_STR, OPT(struct create_opts, ipam_driver), .arg = "DRIVER", .help = "only host-local",
     .def = "host-local", .complete = COMPLETE_WORDS, .words = "host-local"},
    {"ipv6", 0, OPT_BOOL, OPT(struct create_opts, ipv6), .help = "with an IPv6 subnet too"},
    {"label", 0, OPT_LIST, OPT(struct create_opts, labels), .arg = "KEY=VALUE", .help = "set a label"},
    {"opt", 'o', OPT_LIST, OPT(struct create_opts, options), .arg = "KEY=VALUE",
     .help = "mtu=BYTES, isolate=true (no way to other networks), com.docker.network.bridge.name=NAME",
     .complete = COMPLETE_WORDS, .words = "mtu= isolate=true com.docker.network.bridge.name="},
    {"route", 0, OPT_LIST, OPT(struct create_opts, routes), .arg = "NETWORK,GATEWAY[,METRIC]",
     .help = "a further route in each container"},
    {"subnet", 0, OPT_LIST, OPT(struct create_opts, subnets), .arg = "NETWORK",
     .help = "as 10.90.0.0/24; one of IPv4, one of IPv6; else a free one"},
    OPT_END,
};

static int make_labels(char *const *words, char ***ret)
{
    strv_foreach (word, words) {
        auto_free char *key = xstrndup(word, strcspn(word, "="));
        const char *eq = strchr(word, '=');
        if (!*key)
            return err_set(-EINVAL, "--label %s has no key; write KEY=VALUE", word);
        strv_env_set(ret, key, eq ? eq + 1 : "");
    }
    return 0;
}

/* Gateways and ranges belong to the subnet that they are in. */
static struct network_subnet *subnet_of(struct network *n, const char *address)
{
    struct network_subnet *subnets = n->subnets.items;
    struct ip ip, net;
    bool known = ip_parse(address, &ip) == 0 || ip_parse_net(address, &ip) == 0;
    for (size_t i = 0; known && i < n->subnets.n; i++)
        if (ip_parse_net(subnets[i].subnet, &net) == 0 && ip_in_net(&ip, &net))
            return &subnets[i];
    return NULL;
}

static int place(struct network *n, const char *flag, char *const *words, size_t member)
{
    strv_foreach (word, words) {
        struct network_subnet *subnet = subnet_of(n, word);
        if (!subnet)
            return err_set(-EINVAL, "%s %s is in no --subnet of this network", flag, word);
        char **to = (char **)((char *)subnet + member);
        if (*to)
            return err_set(-EINVAL, "%s %s: its subnet %s has one already", flag, word, subnet->subnet);
        *to = xstrdup(word);
    }
    return 0;
}

static int make_routes(char *const *words, struct network *n)
{
    strv_foreach (word, words) {
        auto_strv char **parts = strv_split(word, ",");
        size_t len = strv_len(parts);
        uint64_t metric = 0;
        if (len < 2 || len > 3 || (len == 3 && (!str_to_u64(parts[2], &metric) || metric > UINT32_MAX)))
            return err_set(-EINVAL, "--route %s: write NETWORK,GATEWAY[,METRIC], as 10.50.0.0/16,10.89.0.9", word);
        struct network_route *r = rec_list_add(&network_route_rec, &n->routes);
        *r = (struct network_route){xstrdup(parts[0]), xstrdup(parts[1]), (int64_t)metric};
    }
    return 0;
}

static int check_words(const struct create_opts *o)
{
    struct ip ip;
    if (o->driver && !str_eq(o->driver, "bridge"))
        return err_set(-EINVAL, "--driver %s is not known; the only driver is bridge", o->driver);
    if (o->ipam_driver && !str_eq(o->ipam_driver, "host-local"))
        return err_set(-EINVAL, "--ipam-driver %s is not known; the only one is host-local", o->ipam_driver);
    strv_foreach (server, o->dns)
        if (ip_parse(server, &ip) < 0)
            return err_set(-EINVAL, "--dns %s is not an address; a name server is given by its address", server);
    return o->dns && o->disable_dns ? err_set(-EINVAL, "--dns and --disable-dns contradict each other") : 0;
}

static int check_name(const char *name)
{
    static const char *const taken[] = {"host",  "none",    "container", "ns",          "private",
                                        "pasta", "default", "podman",    "slirp4netns", "slirp"};
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        if (str_eq(name, taken[i]))
            return err_set(-EINVAL, "\"%s\" is a kind of network and cannot be the name of one", name);
    return name_check("network", name);
}

static int make_record(const struct create_opts *o, const char *name, struct network *n)
{
    char id[ID_LEN + 1];
    id_new(id);
    n->name = name ? xstrdup(name) : xasprintf("net-%.8s", id);
    n->interface = xstrdup(o->interface);
    n->internal = o->internal;
    n->ipv6 = o->ipv6;
    n->no_dns = o->disable_dns;
    n->dns = strv_copy(o->dns);
    n->options = strv_copy(o->options);
    strv_foreach (subnet, o->subnets) {
        struct network_subnet *s = rec_list_add(&network_subnet_rec, &n->subnets);
        s->subnet = xstrdup(subnet);
    }
    int r = check_name(n->name);
    if (r == 0)
        r = check_words(o);
    if (r == 0)
        r = make_labels(o->labels, &n->labels);
    if (r == 0)
        r = make_routes(o->routes, n);
    if (r == 0)
        r = place(n, "--gateway", o->gateways, offsetof(struct network_subnet, gateway));
    return r < 0 ? r : place(n, "--ip-range", o->ranges, offsetof(struct network_subnet, range));
}

static int run(void *opts, char **args)
{
    const struct create_opts *o = opts;
    auto_with(network_done) struct network n = {0};
    struct store *s;
    int r = make_record(o, args[0], &n);
    if (r == 0)
        r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    r = network_make_default(s); /* so that its subnet is taken */
    if (r == 0)
        r = network_make(s, &n);
    if (r == -EEXIST && err_is_clear())
        r = o->ignore ? 0 : err_set(r, "network %s exists already", n.name);
    if (r == 0)
        printf("%s\n", n.name);
    return r;
}

const struct cmd cmd_network_create = {
    .names = "network create",
    .args = "[OPTIONS] [NAME]",
    .summary = "make a network",
    .description = "Makes a network and prints its name, net- and eight digits if none is given. Containers on one "
                   "network reach each other; without --internal they have a way out.",
    .examples = "whelk network create shop\nwhelk network create --subnet 10.90.0.0/24 --ip-range 10.90.0.128/25 "
                "db\nwhelk network create --internal --ipv6 back",
    .opts = create_table,
    .opts_size = sizeof(struct create_opts),
    .max_args = 1,
    .run = run,
};
