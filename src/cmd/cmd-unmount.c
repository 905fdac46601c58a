/* whelk unmount */
#include "targets.h"
#include "views.h"

struct unmount_opts {
    struct targets targets;
    bool force;
};

static const struct opt unmount_table[] = {
    TARGETS_ALL(offsetof(struct unmount_opts, targets), "all containers that are mounted"),
    TARGETS_LATEST(offsetof(struct unmount_opts, targets)),
    {"force", 'f', OPT_BOOL, OPT(struct unmount_opts, force), .help = "also if something in it is open"},
    OPT_END,
};

struct context {
    struct store *store;
    bool force, all;
};

static int unmount_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(x->store, arg, &id);
    if (r < 0 || (x->all && !view_is_mounted(x->store, "containers", id)))
        return r;
    return view_end(x->store, "containers", id, arg, x->force);
}

static int run(void *opts, char **args)
{
    const struct unmount_opts *o = opts;
    auto_strv char **found = NULL;
    struct context x = {.force = o->force, .all = o->targets.all};
    int r = cmd_store_to_mount("whelk unmount", &x.store);
    if (r == 0)
        r = targets_find(x.store, &o->targets, false, args, &found);
    return r < 0 ? r : cmd_each(found, unmount_one, &x);
}

const struct cmd cmd_unmount = {
    .names = "unmount;umount;container unmount;container umount",
    .args = "[OPTIONS] CONTAINER...",
    .summary = "take mounts of containers away again",
    .description = "Takes away what whelk mount has mounted, and prints each name. A running container goes on.",
    .examples = "sudo whelk unmount web\nsudo whelk umount --all\nsudo whelk unmount --force web",
    .opts = unmount_table,
    .opts_size = sizeof(struct unmount_opts),
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
