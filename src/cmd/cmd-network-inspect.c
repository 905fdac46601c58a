/* whelk network inspect */
#include "listing.h"
#include "networks.h"

struct inspect_opts {
    char *format;
};

static const struct opt inspect_table[] = {
    {"format", 'f', OPT_STR, OPT(struct inspect_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each, as '{{.NetworkInterface}}'"},
    OPT_END,
};

struct context {
    struct store *store;
    json_t *found;
};

static int inspect_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_with(network_done) struct network n = {0};
    int r = network_load_typed(x->store, arg, &n);
    if (r == 0)
        json_array_append_new(x->found, network_json(x->store, &n));
    return r;
}

static int run(void *opts, char **args)
{
    const struct inspect_opts *o = opts;
    auto_json json_t *found = json_array();
    struct context x = {.found = found};
    int r = cmd_store(&x.store);
    if (r < 0)
        return r;
    int status = cmd_each(args, inspect_one, &x);
    if (o->format && !str_eq(o->format, "json")) {
        for (size_t i = 0; r == 0 && i < json_array_size(found); i++)
            r = listing_print_object(o->format, json_array_get(found, i));
        return r < 0 ? r : status;
    }
    auto_free char *text = json_text(found, true);
    printf("%s\n", text);
    return status;
}

const struct cmd cmd_network_inspect = {
    .names = "network inspect",
    .args = "[OPTIONS] NETWORK [NETWORK...]",
    .summary = "show all about networks as JSON",
    .description = "Prints a JSON array with an object for each network. Containers has those that run, with their "
                   "addresses.",
    .examples = "whelk network inspect bridge\nwhelk network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "
                "shop\nwhelk network inspect -f '{{json .Containers}}' shop",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_NETWORK,
    .run = run,
};
