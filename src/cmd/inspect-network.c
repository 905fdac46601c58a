/* The network of a container in docker's JSON: what was asked for, and what a running one has. */
#include "inspect.h"

#include "whelk/port.h"
#include "whelk/str.h"

static json_t *text(const char *s)
{
    return json_from_str(s ? s : "");
}

/* Each port by itself, under "80/tcp", with the address and port of this machine. */
static void add_port(json_t *o, const struct ctr_port *p, unsigned i, const char *any)
{
    auto_free char *key = xasprintf("%lld/%s", (long long)p->port + i, p->proto),
                   *host = p->host_port ? xasprintf("%lld", (long long)p->host_port + i) : xstrdup("");
    json_t *list = json_object_get(o, key);
    if (!list) {
        list = json_array();
        json_object_set_new(o, key, list);
    }
    json_array_append_new(
        list, json_pack("{s:o, s:o}", "HostIp", text(p->host_ip ? p->host_ip : any), "HostPort", text(host)));
}

static json_t *ports_json(const struct rec_list *ports, const char *any)
{
    json_t *o = json_object();
    const struct ctr_port *p = ports->items;
    for (size_t i = 0; i < ports->n; i++)
        for (unsigned j = 0; j < p[i].count; j++)
            add_port(o, &p[i], j, any);
    return o;
}

json_t *inspect_port_bindings(const struct ctr *c)
{
    return ports_json(&c->ports, "");
}

/* What is only exposed is there without an address. */
static json_t *all_ports(const struct ctr *c, const struct ctr_live *live)
{
    json_t *o = ports_json(&live->ports, "0.0.0.0");
    strv_foreach (word, c->exposed_ports) {
        auto_free char *key = strchr(word, '/') ? xstrdup(word) : xasprintf("%s/tcp", word);
        if (!json_object_get(o, key))
            json_object_set_new(o, key, json_null());
    }
    return o;
}

static void add_address(json_t *o, const struct ctr_live_net *l)
{
    const struct {
        const char *key, *value;
    } texts[] = {
        {"IPAddress", l->ip},          {"Gateway", l->gateway},      {"MacAddress", l->mac},
        {"GlobalIPv6Address", l->ip6}, {"IPv6Gateway", l->gateway6},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_object_set_new(o, texts[i].key, text(texts[i].value));
    json_object_set_new(o, "IPPrefixLen", json_integer((json_int_t)l->prefix));
    json_object_set_new(o, "GlobalIPv6PrefixLen", json_integer((json_int_t)l->prefix6));
}

static json_t *aliases_of(const struct ctr *c, const char *name)
{
    const struct ctr_net *nets = c->networks.items;
    for (size_t i = 0; i < c->networks.n; i++)
        if (nets[i].aliases && str_eq(nets[i].name, name))
            return json_from_strv(nets[i].aliases);
    return json_null();
}

static void add_network(json_t *networks, const struct ctr *c, const char *name, const struct ctr_live_net *l)
{
    json_t *own = json_pack("{s:o}", "Aliases", aliases_of(c, name));
    add_address(own, l);
    json_object_set_new(networks, name, own);
}

/* Those of a running container with their addresses; else those that it will have. */
static json_t *networks_json(const struct ctr *c, const struct ctr_live *live)
{
    const struct ctr_live_net none = {0}, *nets = live->networks.items;
    const struct ctr_net *asked = c->networks.items;
    json_t *o = json_object();
    for (size_t i = 0; i < live->networks.n; i++)
        add_network(o, c, nets[i].name ? nets[i].name : c->network, &nets[i]);
    for (size_t i = 0; !live->networks.n && i < c->networks.n; i++)
        add_network(o, c, asked[i].name, &none);
    if (!live->networks.n && !c->networks.n)
        add_network(o, c, c->network ? c->network : "private", &none);
    return o;
}

json_t *inspect_network(const struct ctr *c, const struct ctr_live *live)
{
    static const char *const unused[] = {"Bridge", "SandboxID", "SandboxKey"};
    const struct ctr_live_net none = {0}, *nets = live->networks.items;
    json_t *o = json_pack("{s:o, s:o}", "Ports", all_ports(c, live), "Networks", networks_json(c, live));
    for (size_t i = 0; i < ARRAY_LEN(unused); i++)
        json_object_set_new(o, unused[i], text(""));
    add_address(o, live->networks.n ? &nets[0] : &none);
    return o;
}
