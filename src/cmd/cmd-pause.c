/* whelk pause. */
#include "targets.h"

#include "whelk/run.h"

struct pause_opts {
    struct targets targets;
};

static const struct opt pause_table[] = {
    TARGETS_ALL(offsetof(struct pause_opts, targets), "all running containers"),
    TARGETS_CIDFILE(offsetof(struct pause_opts, targets)),
    TARGETS_FILTER(offsetof(struct pause_opts, targets), 'f'),
    TARGETS_LATEST(offsetof(struct pause_opts, targets)),
    OPT_END,
};

static int pause_one(const char *arg, void *ctx)
{
    const struct store *s = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(s, arg, &id);
    if (r == 0)
        r = run_pause(s, id, true);
    if (r == 0)
        printf("%s\n", arg);
    return r;
}

static int run(void *opts, char **args)
{
    const struct pause_opts *o = opts;
    struct store *s;
    auto_strv char **ids = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = targets_find(s, &o->targets, true, args, &ids);
    return r < 0 ? r : cmd_each(ids, pause_one, s);
}

const struct cmd cmd_pause = {
    .names = "pause;container pause",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "freeze the processes of running containers",
    .description =
        "Freezes all processes of each container, through its control group, and prints each as it was typed.",
    .examples = "whelk pause web\nwhelk pause --all\nwhelk pause $(whelk ps -q)",
    .opts = pause_table,
    .opts_size = sizeof(struct pause_opts),
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
