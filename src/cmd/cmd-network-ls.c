/* whelk network ls */
#include "listing.h"
#include "networks.h"

#include "whelk/id.h"

struct ls_opts {
    bool quiet, noheading, no_trunc;
    char *format;
    char **filters;
};

static const struct opt ls_table[] = {
    {"filter", 'f', OPT_LIST, OPT(struct ls_opts, filters), .arg = "KEY=VALUE",
     .help = "only networks that match: dangling, driver, id, label, label!, name, scope, type, until",
     .complete = COMPLETE_WORDS, .words = "dangling= driver= id= label= name= scope= type= until="},
    {"format", 0, OPT_STR, OPT(struct ls_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each network, as '{{.Name}}'"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct ls_opts, no_trunc), .help = "whole ids"},
    {"noheading", 'n', OPT_BOOL, OPT(struct ls_opts, noheading), .help = "leave out the header line"},
    {"quiet", 'q', OPT_BOOL, OPT(struct ls_opts, quiet), .help = "only names"},
    OPT_END,
};

static const struct template_column columns[] = {
    {"ID", "NETWORK ID", true},
    {"Name", "NAME", true},
    {"Driver", "DRIVER", true},
    {"Scope", "SCOPE", true},
    {"IPv4", "IPV4", false},
    {"IPv6", "IPV6", false},
    {"Internal", "INTERNAL", false},
    {"Labels", "LABELS", false},
    {"CreatedAt", "CREATED AT", false},
    {"Created", "CREATED", false},
    {"DNSEnabled", "DNS ENABLED", false},
    {"IPv6Enabled", "IPV6 ENABLED", false},
    {"NetworkDNSServers", "NETWORK DNS SERVERS", false},
    {"NetworkInterface", "NETWORK INTERFACE", false},
    {"Options", "OPTIONS", false},
    {"Routes", "ROUTES", false},
    {"Subnets", "SUBNETS", false},
};

/* docker's row: labels and truths are texts there. */
static json_t *row_json(const struct store *s, const struct network *n, bool whole)
{
    auto_free char *labels = strv_join(n->labels, ","), *created = listing_time(n->created);
    auto_free char *id = xstrndup(n->id, whole ? ID_LEN : ID_SHORT);
    json_t *o = network_json(s, n);
    json_object_set_new(o, "ID", json_from_str(id));
    json_object_set_new(o, "IPv4", json_string("true"));
    json_object_set_new(o, "IPv6", json_string(n->ipv6 ? "true" : "false"));
    json_object_set_new(o, "Internal", json_string(n->internal ? "true" : "false"));
    json_object_set_new(o, "Labels", json_from_str(labels ? labels : ""));
    json_object_set_new(o, "CreatedAt", json_from_str(created));
    return o;
}

static int run(void *opts, char **args)
{
    const struct ls_opts *o = opts;
    auto_json json_t *array = json_array();
    struct store *s;
    struct network_rows rows = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = network_rows_load(s, o->filters, &rows);
    bool quiet = o->quiet && listing_is_default(o->format);
    for (size_t i = 0; i < rows.n; i++) {
        if (quiet)
            printf("%s\n", rows.items[i].n.name);
        else
            json_array_append_new(array, row_json(s, &rows.items[i].n, o->no_trunc));
    }
    if (r == 0 && !quiet)
        r = listing_print(o->format, columns, ARRAY_LEN(columns), array, !o->noheading);
    network_rows_done(&rows);
    return r;
}

const struct cmd cmd_network_ls = {
    .names = "network ls;network list",
    .args = "[OPTIONS]",
    .summary = "list networks",
    .description = "Lists the networks of the store by name.",
    .examples = "whelk network ls\nwhelk network ls -q -f dangling=true\nwhelk network ls --format '{{.Name}} "
                "{{.NetworkInterface}}'",
    .opts = ls_table,
    .opts_size = sizeof(struct ls_opts),
    .max_args = 0,
    .run = run,
};
