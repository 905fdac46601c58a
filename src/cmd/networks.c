/* What the network commands share: rows, filters, and the object of inspect. */
#include "networks.h"

#include "whelk/units.h"

/* ---- filters (CV-56, CV-57) ---- */

static const struct network *of(const void *object)
{
    return &((const struct network_row *)object)->n;
}

static int match_dangling(const void *object, const char *value, void *ctx)
{
    bool wanted = str_eq(value, "true") || str_eq(value, "1");
    if (!wanted && !str_eq(value, "false") && !str_eq(value, "0"))
        return err_set(-EINVAL, "\"%s\" is neither true nor false", value);
    bool builtin = str_eq(of(object)->name, NETWORK_DEFAULT);
    return wanted == (((const struct network_row *)object)->links == 0 && !builtin);
}

static int match_driver(const void *object, const char *value, void *ctx)
{
    return str_eq(value, "bridge");
}

static int match_id(const void *object, const char *value, void *ctx)
{
    return of(object)->id && str_after(of(object)->id, value);
}

static int match_label(const void *object, const char *value, void *ctx)
{
    return filter_label(of(object)->labels, value);
}

static int match_not_label(const void *object, const char *value, void *ctx)
{
    int r = match_label(object, value, ctx);
    return r < 0 ? r : !r;
}

static int match_name(const void *object, const char *value, void *ctx)
{
    return filter_regex(of(object)->name, value);
}

static int match_scope(const void *object, const char *value, void *ctx)
{
    return str_eq(value, "local");
}

static int match_type(const void *object, const char *value, void *ctx)
{
    bool builtin = str_eq(value, "builtin");
    if (!builtin && !str_eq(value, "custom"))
        return err_set(-EINVAL, "--filter type=%s is not known; known: builtin, custom", value);
    return builtin == str_eq(of(object)->name, NETWORK_DEFAULT);
}

static int match_until(const void *object, const char *value, void *ctx)
{
    int64_t until;
    int r = filter_time(value, &until);
    return r < 0 ? r : of(object)->created < until;
}

const struct filter_key network_filters[] = {
    {"dangling", match_dangling, false},
    {"driver", match_driver, false},
    {"id", match_id, false},
    {"label", match_label, true},
    {"label!", match_not_label, true},
    {"name", match_name, false},
    {"scope", match_scope, false},
    {"type", match_type, false},
    {"until", match_until, false},
    {NULL, NULL, false},
};
const struct filter_key network_prune_filters[] = {
    {"label", match_label, true},
    {"label!", match_not_label, true},
    {"until", match_until, false},
    {NULL, NULL, false},
};

/* ---- rows ---- */

static int add_row(const struct store *s, const char *name, char *const *used, char *const *filters,
                   struct network_rows *rows)
{
    struct network_row row = {0};
    int r = network_load(s, name, &row.n);
    if (r < 0) {
        if (r != -ENOENT)
            log_warn("%s", err_text(r));
        return 0;
    }
    strv_foreach (user, used)
        row.links += str_eq(user, name);
    r = filter_match(network_filters, filters, &row, NULL);
    if (r > 0)
        rows->items[rows->n++] = row;
    else
        network_done(&row.n);
    return r;
}

int network_rows_load(const struct store *s, char *const *filters, struct network_rows *ret)
{
    auto_strv char **names = NULL, **used = NULL;
    int r = filter_check(network_filters, filters);
    if (r == 0)
        r = network_make_default(s);
    if (r == 0)
        r = network_list(s, &names);
    if (r == 0)
        r = networks_used(s, &used);
    if (r < 0)
        return r;
    struct network_rows rows = {.items = xcalloc(strv_len(names) + 1, sizeof *rows.items)};
    strv_foreach (name, names)
        if ((r = add_row(s, name, used, filters, &rows)) < 0)
            break;
    if (r < 0)
        network_rows_done(&rows);
    else
        *ret = rows;
    return MIN(r, 0);
}

void network_rows_done(struct network_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        network_done(&rows->items[i].n);
    free(rows->items);
    *rows = (struct network_rows){0};
}

int network_load_typed(const struct store *s, const char *typed, struct network *ret)
{
    auto_free char *name = NULL;
    int r = network_make_default(s);
    if (r == 0)
        r = network_find(s, typed, &name);
    if (r == 0)
        r = network_load(s, name, ret);
    return r == -ENOENT && err_is_clear() ? err_set(r, "no such network: %s", typed) : r;
}

int network_container_args(char *const *args, struct store **ret_store, struct network *ret, char **ret_id)
{
    int r = cmd_store(ret_store);
    if (r == 0)
        r = network_load_typed(*ret_store, args[0], ret);
    return r < 0 ? r : ctr_find(*ret_store, args[1], ret_id);
}

/* ---- the object ---- */

static json_t *subnets_json(const struct network *n)
{
    json_t *list = json_array();
    const struct network_subnet *subnets = n->subnets.items;
    for (size_t i = 0; i < n->subnets.n; i++) {
        json_t *o = json_pack("{s:o}", "Subnet", json_from_str(subnets[i].subnet));
        if (subnets[i].gateway)
            json_object_set_new(o, "Gateway", json_from_str(subnets[i].gateway));
        if (subnets[i].range)
            json_object_set_new(o, "IPRange", json_from_str(subnets[i].range));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *routes_json(const struct network *n)
{
    json_t *list = json_array();
    const struct network_route *routes = n->routes.items;
    for (size_t i = 0; i < n->routes.n; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:I}", "Destination", json_from_str(routes[i].destination),
                                              "Gateway", json_from_str(routes[i].gateway), "Metric",
                                              (json_int_t)routes[i].metric));
    return list;
}

/* Those that run. */
static json_t *containers_json(const struct store *s, const struct network *n)
{
    json_t *o = json_object();
    auto_with(net_leases_done) struct net_leases leases = {0};
    if (net_leases_load(s, n->name, &leases) < 0)
        return o;
    const struct net_lease *l = leases.list.items;
    for (size_t i = 0; i < leases.list.n; i++)
        if (net_lease_counts(s, &l[i], NULL))
            json_object_set_new(o, l[i].id,
                                json_pack("{s:o, s:o, s:o, s:o}", "Name", json_from_str(l[i].name ? l[i].name : ""),
                                          "MacAddress", json_from_str(l[i].mac ? l[i].mac : ""), "IPv4Address",
                                          json_from_str(l[i].ip ? l[i].ip : ""), "IPv6Address",
                                          json_from_str(l[i].ip6 ? l[i].ip6 : "")));
    return o;
}

json_t *network_json(const struct store *s, const struct network *n)
{
    char created[40];
    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:b, s:{s:s, s:{}, s:o}, s:b, s:b, s:b, s:o, s:o, s:o,"
                     " s:o, s:o, s:b, s:b, s:o, s:o}",
                     "Name", json_from_str(n->name), "Id", json_from_str(n->id ? n->id : ""), "Created",
                     time_format(n->created, created), "Scope", "local", "Driver", "bridge", "EnableIPv6", n->ipv6,
                     "IPAM", "Driver", "host-local", "Options", "Config", subnets_json(n), "Internal", n->internal,
                     "Attachable", 0, "Ingress", 0, "Containers", containers_json(s, n), "Options",
                     json_from_map(n->options), "Labels", json_from_map(n->labels), "NetworkInterface",
                     json_from_str(n->interface), "Subnets", subnets_json(n), "IPv6Enabled", n->ipv6, "DNSEnabled",
                     !n->no_dns, "NetworkDNSServers", json_from_strv(n->dns), "Routes", routes_json(n));
}
