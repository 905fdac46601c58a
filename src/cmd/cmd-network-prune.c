/* whelk network prune */
#include "confirm.h"
#include "networks.h"
#include "prune.h"

#include "whelk/event.h"
#include "whelk/net.h"

struct prune_opts {
    bool force;
    char **filters;
};

static const struct opt prune_table[] = {
    {"filter", 0, OPT_LIST, OPT(struct prune_opts, filters), .arg = "KEY=VALUE",
     .help = "only networks that match: label, label!, until", .complete = COMPLETE_WORDS, .words = "label= until="},
    {"force", 'f', OPT_BOOL, OPT(struct prune_opts, force), .help = "do not ask"},
    OPT_END,
};

static int prune_one(const struct store *s, const struct network_row *row, struct prune_out *out)
{
    if (row->links || str_eq(row->n.name, NETWORK_DEFAULT))
        return 0;
    int r = network_remove(s, row->n.name);
    if (r == -ENOENT || r == -EBUSY) /* gone or taken meanwhile */
        return 0;
    if (r == 0) {
        prune_line(out, "%s", row->n.name);
        net_forget(s, row->n.interface);
    }
    return r;
}

int prune_networks(const struct store *s, char *const *filters, struct prune_out *out)
{
    struct network_rows rows = {0};
    net_sweep(s);
    int status = 0, r = network_rows_load(s, filters, &rows);
    for (size_t i = 0; r == 0 && i < rows.n; i++) {
        int one = prune_one(s, &rows.items[i], out);
        if (one < 0) {
            cmd_report(one);
            status = cmd_worse(status, err_status());
        }
    }
    network_rows_done(&rows);
    if (r == 0 && out->begun)
        event_object(s, "network", "prune", "", "");
    return r < 0 ? r : status;
}

static int run(void *opts, char **args)
{
    const struct prune_opts *o = opts;
    struct prune_out out = {0};
    struct store *s;
    int r = filter_check(network_prune_filters, o->filters);
    if (r < 0)
        return r;
    r = o->force ? 1 : cmd_confirm("This will remove all networks that no container has.");
    if (r <= 0)
        return r;
    r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    return prune_networks(s, o->filters, &out);
}

const struct cmd cmd_network_prune = {
    .names = "network prune",
    .args = "[OPTIONS]",
    .summary = "remove networks that no container has",
    .description = "Removes the networks that no container has, and prints their names. Asks first; where nobody can "
                   "be asked, --force is needed.",
    .examples = "whelk network prune\nwhelk network prune -f --filter until=24h\nwhelk network prune -f --filter "
                "label=test",
    .opts = prune_table,
    .opts_size = sizeof(struct prune_opts),
    .max_args = 0,
    .run = run,
};
