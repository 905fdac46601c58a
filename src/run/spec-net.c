/* How a container is connected: networks, names, addresses. Pure. */
#include "ns.h"
#include "spec.h"

#include "whelk/err.h"
#include "whelk/ip.h"
#include "whelk/log.h"
#include "whelk/net.h"
#include "whelk/network.h"
#include "whelk/port.h"

#include <sched.h>

/* ---- networks ---- */

/* A network by its name, or the start of its id. */
static int find_network(const struct store *s, struct ctr_net *net)
{
    char *name = NULL;
    if (!net_is_named(net->name))
        return 0;
    int r = str_eq(net->name, NETWORK_DEFAULT) ? network_make_default(s) : 0;
    if (r == 0)
        r = network_find(s, net->name, &name);
    if (r == -ENOENT)
        return err_set(r, "--network %s: no such network; make it with: whelk network create %s", net->name, net->name);
    if (r < 0)
        return err_wrap(r, "--network");
    free(net->name);
    net->name = name;
    return 0;
}

static int add_network(const struct store *s, const char *word, struct ctr *c)
{
    struct ctr_net net;
    int r = net_parse(word, &net);
    if (r < 0)
        return r;
    r = find_network(s, &net);
    if (r < 0) {
        rec_done(&ctr_net_rec, &net);
        return r;
    }
    *(struct ctr_net *)rec_list_add(&ctr_net_rec, &c->networks) = net;
    return 0;
}

/* A namespace that exists has its addresses already. */
static int join(const struct store *s, const struct run_options *o, struct ctr *c)
{
    const struct {
        const char *option, *value;
    } refused[] = {
        {"--network", o->networks[1]},
        {"--ip", o->ip},
        {"--ip6", o->ip6},
        {"--mac-address", o->mac},
        {"--network-alias", o->network_aliases ? o->network_aliases[0] : NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (refused[i].value)
            return err_set(-EINVAL, "--network %s goes without %s %s: the namespace is somebody else's", o->networks[0],
                           refused[i].option, refused[i].value);
    return spec_ns(s, CLONE_NEWNET, o->networks[0], "private none host pasta container ns", &c->network);
}

/* What is said of the container's address goes to its first network. */
static int make_networks(const struct store *s, const struct run_options *o, struct ctr *c)
{
    int r = 0;
    const char *typed = o->networks ? o->networks[0] : "";
    if (str_after(typed, "container:") || str_after(typed, "ns:"))
        return join(s, o, c);
    strv_foreach (word, o->networks)
        r = r < 0 ? r : add_network(s, word, c);
    if (r == 0 && !c->networks.n)
        r = add_network(s, "private", c);
    if (r < 0)
        return r;
    struct ctr_net *first = c->networks.items;
    c->network = xstrdup(first->name);
    const struct {
        char **to;
        const char *value;
    } given[] = {{&first->ip, o->ip}, {&first->ip6, o->ip6}, {&first->mac, o->mac}};
    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        if (given[i].value) {
            free(*given[i].to);
            *given[i].to = xstrdup(given[i].value);
        }
    strv_extend(&first->aliases, o->network_aliases);
    return net_check(c);
}

/* ---- names ---- */

static bool is_name(const char *s)
{
    return *s && strlen(s) <= 253 && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")];
}

static int make_dns(const struct run_options *o, struct ctr *c)
{
    struct ip ip;
    strv_foreach (server, o->dns) {
        bool none = str_eq(server, "none");
        if (!none && ip_parse(server, &ip) < 0)
            return err_set(-EINVAL, "--dns %s is not an address; a name server is given by its address", server);
        if (none && strv_len(o->dns) > 1)
            return err_set(-EINVAL, "--dns none and other name servers contradict each other");
        strv_add(&c->dns, server);
    }
    strv_foreach (domain, o->dns_search) {
        if (!is_name(domain))
            return err_set(-EINVAL, "--dns-search %s is not a domain", domain);
        strv_add(&c->dns_search, domain);
    }
    strv_foreach (option, o->dns_options) {
        if (!is_name(option) && option[strspn(option, "abcdefghijklmnopqrstuvwxyz0123456789-_:")])
            return err_set(-EINVAL, "--dns-option %s is not an option of resolv.conf, as ndots:1", option);
        strv_add(&c->dns_options, option);
    }
    return 0;
}

/* NAME[;NAME...]:ADDRESS or with =; the record has the latter, since addresses have colons. */
static int add_host(const char *word, struct ctr *c)
{
    size_t at = strcspn(word, ":=");
    auto_free char *names = xstrndup(word, at);
    auto_strv char **list = strv_split(names, ";");
    const char *address = word[at] ? word + at + 1 : "";
    char text[IP_TEXT];
    struct ip ip;
    bool gateway = str_eq(address, "host-gateway");
    bool fine = strv_len(list) > 0 && (gateway || ip_parse(address, &ip) == 0);
    strv_foreach (name, list)
        fine = fine && is_name(name);
    if (!fine)
        return err_set(-EINVAL, "--add-host %s: write NAME:ADDRESS, or NAME:host-gateway for this machine", word);
    strv_addf(&c->add_hosts, "%s=%s", names, gateway ? address : ip_format(&ip, text));
    return 0;
}

static int make_hosts(const struct run_options *o, struct ctr *c)
{
    int r = 0;
    const char *file = o->hosts_file;
    if (o->no_hosts && (file || o->add_hosts))
        return err_set(-EINVAL, "--no-hosts and %s contradict each other", file ? "--hosts-file" : "--add-host");
    strv_foreach (word, o->add_hosts)
        r = r < 0 ? r : add_host(word, c);
    if (o->no_hosts)
        c->hosts_file = xstrdup("image");
    else if (!str_empty(file) && (*file == '/' || str_eq(file, "none") || str_eq(file, "image")))
        c->hosts_file = xstrdup(file);
    else if (!str_empty(file))
        c->hosts_file = realpath(file, NULL);
    if (r == 0 && file && !c->hosts_file)
        r = err_set(-ENOENT, "--hosts-file %s: no such file", file);
    if (r == 0 && c->add_hosts && c->hosts_file && str_eq(c->hosts_file, "image"))
        r = err_set(-EINVAL, "--hosts-file image leaves the image's file as it is: --add-host cannot add to it");
    return r;
}

/* ---- ports ---- */

enum { PORTS_MAX = 4096 /* that one container may publish */ };

static int add_port(const char *word, struct ctr *c)
{
    struct ctr_port p;
    int64_t n = 0;
    int r = port_parse(word, &p);
    if (r < 0)
        return err_wrap(r, "--publish");
    struct ctr_port *all = rec_list_add(&ctr_port_rec, &c->ports);
    *all = p;
    all = c->ports.items;
    for (size_t i = 0; i < c->ports.n; i++)
        n += all[i].count;
    return n > PORTS_MAX ? err_set(-EINVAL, "--publish %s: more than %d ports", word, PORTS_MAX) : 0;
}

static bool has_port(const struct ctr *c, const struct ctr_port *one)
{
    const struct ctr_port *p = c->ports.items;
    for (size_t i = 0; i < c->ports.n; i++)
        if (p[i].port == one->port && p[i].count == one->count && str_eq(p[i].proto, one->proto))
            return true;
    return false;
}

/* An image's own may be anything: what is no port is passed over, as by docker. */
static int publish_exposed(struct ctr *c)
{
    int r = 0;
    strv_foreach (word, c->exposed_ports) {
        struct ctr_port p;
        if (port_parse_exposed(word, &p) < 0) {
            err_clear();
            continue;
        }
        bool there = has_port(c, &p);
        rec_done(&ctr_port_rec, &p);
        r = r < 0 || there ? r : add_port(word, c);
    }
    return r;
}

/* Each port by itself, as images have them. */
static int add_exposed(const char *word, struct ctr *c)
{
    struct ctr_port p;
    int r = port_parse_exposed(word, &p);
    if (r < 0)
        return err_wrap(r, "--expose");
    for (int64_t i = 0; i < p.count; i++) {
        auto_free char *one = xasprintf("%lld/%s", (long long)(p.port + i), p.proto);
        if (!strv_has(c->exposed_ports, one))
            strv_add(&c->exposed_ports, one);
    }
    rec_done(&ctr_port_rec, &p);
    return 0;
}

static int make_ports(const struct run_options *o, struct ctr *c)
{
    int r = 0;
    strv_foreach (word, o->expose)
        r = r < 0 ? r : add_exposed(word, c);
    strv_foreach (word, o->publish)
        r = r < 0 ? r : add_port(word, c);
    c->publish_all = o->publish_all;
    if (r == 0 && o->publish_all)
        r = publish_exposed(c);
    if (r == 0 && c->ports.n && ns_kind(c->network) != NS_OWN)
        log_warn("published ports have no meaning with --network %s: what listens there is reachable as it is",
                 c->network);
    return r;
}

int spec_make_network(const struct store *s, const struct run_options *o, struct ctr *c)
{
    int r = make_networks(s, o, c);
    if (r == 0)
        r = make_dns(o, c);
    if (r == 0)
        r = make_hosts(o, c);
    return r < 0 ? r : make_ports(o, c);
}

int spec_make_names(const struct run_options *o, struct ctr *c)
{
    int r = make_dns(o, c);
    return r < 0 ? r : make_hosts(o, c);
}
