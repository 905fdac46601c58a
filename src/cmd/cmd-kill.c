/* whelk kill: sends a signal to the first process of containers. */
#include "targets.h"

#include "whelk/proc.h"
#include "whelk/run.h"

struct kill_opts {
    struct targets targets;
    char *signal;
};

static const struct opt kill_table[] = {
    TARGETS_ALL(offsetof(struct kill_opts, targets), "all running containers"),
    TARGETS_CIDFILE(offsetof(struct kill_opts, targets)),
    TARGETS_LATEST(offsetof(struct kill_opts, targets)),
    {"signal", 's', OPT_STR, OPT(struct kill_opts, signal), .arg = "SIGNAL",
     .help = "a name with or without SIG, or a number", .def = "KILL", .complete = COMPLETE_SIGNAL},
    OPT_END,
};

struct context {
    struct store *store;
    int signal;
};

static int kill_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(x->store, arg, &id);
    if (r == 0)
        r = run_kill(x->store, id, x->signal);
    if (r == 0)
        printf("%s\n", arg);
    return r;
}

static int run(void *opts, char **args)
{
    struct kill_opts *o = opts;
    struct context x = {0};
    int r = signal_parse(o->signal ? o->signal : "KILL", &x.signal);
    if (r == 0)
        r = cmd_store(&x.store);
    auto_strv char **ids = NULL;
    if (r == 0)
        r = targets_find(x.store, &o->targets, true, args, &ids);
    return r < 0 ? r : cmd_each(ids, kill_one, &x);
}

const struct cmd cmd_kill = {
    .names = "kill;container kill",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "send a signal to running containers",
    .description = "Sends a signal, KILL unless told otherwise, to the first process of each container.",
    .examples = "whelk kill web\nwhelk kill -s HUP web\nwhelk kill $(whelk ps -q)",
    .opts = kill_table,
    .opts_size = sizeof(struct kill_opts),
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
