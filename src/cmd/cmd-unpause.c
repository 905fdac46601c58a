/* whelk unpause. */
#include "targets.h"

#include "whelk/run.h"

struct unpause_opts {
    struct targets targets;
};

static const struct opt unpause_table[] = {
    TARGETS_ALL(offsetof(struct unpause_opts, targets), "all running containers"),
    TARGETS_CIDFILE(offsetof(struct unpause_opts, targets)),
    TARGETS_FILTER(offsetof(struct unpause_opts, targets), 'f'),
    TARGETS_LATEST(offsetof(struct unpause_opts, targets)),
    OPT_END,
};

static int unpause_one(const char *arg, void *ctx)
{
    const struct store *s = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(s, arg, &id);
    if (r == 0)
        r = run_pause(s, id, false);
    if (r == 0)
        printf("%s\n", arg);
    return r;
}

static int run(void *opts, char **args)
{
    const struct unpause_opts *o = opts;
    struct store *s;
    auto_strv char **ids = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = targets_find(s, &o->targets, true, args, &ids);
    return r < 0 ? r : cmd_each(ids, unpause_one, s);
}

const struct cmd cmd_unpause = {
    .names = "unpause;container unpause",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "thaw the processes of running containers",
    .description =
        "Lets go on all processes of each container, through its control group, and prints each as it was typed.",
    .examples = "whelk unpause web\nwhelk unpause --all\nwhelk unpause $(whelk ps -q)",
    .opts = unpause_table,
    .opts_size = sizeof(struct unpause_opts),
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
