/* whelk container prune: removes all that have ended. */
#include "cmd.h"
#include "confirm.h"
#include "containers.h"
#include "prune.h"

#include "whelk/event.h"
#include "whelk/run.h"

struct prune_opts {
    bool force;
    char **filters;
};

static const struct opt prune_table[] = {
    {"filter", 0, OPT_LIST, OPT(struct prune_opts, filters), .arg = "KEY=VALUE",
     .help = "only containers that match: label, label!, until", .complete = COMPLETE_WORDS, .words = "label= until="},
    {"force", 'f', OPT_BOOL, OPT(struct prune_opts, force), .help = "do not ask"},
    OPT_END,
};

/* 1 if it is among those that the filters want. */
static int is_wanted(const struct store *s, const char *id, char *const *filters)
{
    struct ctr c = {0};
    if (!filters)
        return 1;
    int r = ctr_load(s, id, &c);
    if (r == 0)
        r = ctr_prune_match(filters, &c);
    ctr_done(&c);
    return r == -ENOENT ? 0 : r;
}

static int prune_one(const struct store *s, const char *id, char *const *filters, struct prune_out *out)
{
    struct ctr_state state;
    uint64_t bytes = 0;
    auto_free char *path = xasprintf("containers/%s", id);
    if (ctr_state(s, id, &state) < 0 || state.claimed || (state.status != CTR_EXITED && state.status != CTR_CREATED))
        return 0;
    int r = is_wanted(s, id, filters);
    if (r <= 0)
        return r;
    if (store_usage(s, path, &bytes) < 0)
        bytes = 0; /* removed meanwhile */
    r = run_remove(s, id, false, 0);
    if (r < 0)
        return r == -ENOENT || r == -EBUSY ? 0 : r; /* removed or started meanwhile */
    out->bytes += bytes;
    prune_line(out, "%s", id);
    return 0;
}

int prune_containers(const struct store *s, char *const *filters, struct prune_out *out)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(s, &ids);
    strv_foreach (id, ids)
        r = r < 0 ? r : prune_one(s, id, filters, out);
    if (r == 0 && out->begun)
        event_object(s, "container", "prune", "", "");
    return r;
}

static int run(void *opts, char **args)
{
    const struct prune_opts *o = opts;
    struct prune_out out = {0};
    struct store *s;
    int r = filter_check(ctr_prune_filters, o->filters);
    if (r < 0)
        return r;
    int sure = o->force ? 1 : cmd_confirm("This will remove all containers that do not run.");
    r = sure > 0 ? cmd_store(&s) : sure;
    if (sure <= 0)
        return r;
    if (r == 0)
        r = prune_containers(s, o->filters, &out);
    if (r == 0)
        prune_total(out.bytes);
    return r;
}

const struct cmd cmd_container_prune = {
    .names = "container prune",
    .args = "[OPTIONS]",
    .summary = "remove all containers that do not run",
    .description = "Removes created and ended containers and prints their ids and what they held. Asks before, on a "
                   "terminal; elsewhere --force is needed.",
    .examples = "whelk container prune -f\nwhelk container prune -f --filter until=24h\nwhelk container prune -f "
                "--filter label=job",
    .opts = prune_table,
    .opts_size = sizeof(struct prune_opts),
    .max_args = 0,
    .run = run,
};
