/* whelk network reload */
#include "targets.h"

#include "whelk/run.h"

struct reload_opts {
    struct targets targets;
};

static const struct opt reload_table[] = {
    TARGETS_ALL(offsetof(struct reload_opts, targets), "all running containers"),
    TARGETS_LATEST(offsetof(struct reload_opts, targets)),
    OPT_END,
};

static int reload_one(const char *arg, void *ctx)
{
    const struct store *s = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(s, arg, &id);
    if (r == 0)
        printf("%s\n", id);
    return r;
}

static int run(void *opts, char **args)
{
    const struct reload_opts *o = opts;
    struct store *s;
    auto_strv char **ids = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = targets_find(s, &o->targets, true, args, &ids);
    if (r == 0)
        r = run_reload_networks(s);
    return r < 0 ? r : cmd_each(ids, reload_one, s);
}

const struct cmd cmd_network_reload = {
    .names = "network reload",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "make the packet filter of networks again",
    .description = "Makes the packet filter of the networks again, as after somebody flushed all rules of the host, "
                   "and prints the ids of the containers. It is for all containers at once; published ports never "
                   "depend on it.",
    .examples = "whelk network reload --all\nwhelk network reload web\nwhelk network reload --latest",
    .opts = reload_table,
    .opts_size = sizeof(struct reload_opts),
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
