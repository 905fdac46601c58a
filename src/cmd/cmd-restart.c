/* whelk restart: stops and starts containers. */
#include "targets.h"

#include "whelk/proc.h"
#include "whelk/run.h"

struct restart_opts {
    struct targets targets;
    bool running;
    int64_t time;
    char *signal;
};

static const struct opt restart_table[] = {
    TARGETS_ALL(offsetof(struct restart_opts, targets), "all containers"),
    TARGETS_CIDFILE(offsetof(struct restart_opts, targets)),
    TARGETS_FILTER(offsetof(struct restart_opts, targets), 'f'),
    TARGETS_LATEST(offsetof(struct restart_opts, targets)),
    {"running", 0, OPT_BOOL, OPT(struct restart_opts, running), .help = "all running containers"},
    {"signal", 's', OPT_STR, OPT(struct restart_opts, signal), .arg = "SIGNAL", .help = "what it is asked to end with",
     .def = "the container's --stop-signal, TERM", .complete = COMPLETE_SIGNAL},
    {"timeout|time", 't', OPT_INT, OPT(struct restart_opts, time), .arg = "SECONDS",
     .help = "how long to wait before SIGKILL; -1: for ever", .def = "the container's --stop-timeout, 10"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct restart_opts *opts;
    int signal; /* 0: the container's own */
};

static void defaults(void *opts)
{
    ((struct restart_opts *)opts)->time = -2;
}

static int restart_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL;
    struct ctr c = {0};
    int r = ctr_find(x->store, arg, &id);
    if (r == 0)
        r = run_stop(x->store, id, x->signal, x->opts->time, NULL);
    if (r == 0)
        r = ctr_load(x->store, id, &c);
    if (r == -ENOENT && err_is_clear())
        r = err_set(r, "container %s was removed when it stopped (--rm)", arg);
    if (r == 0)
        r = run_start(x->store, &c, &(struct launch_options){0});
    if (r == 0)
        printf("%s\n", arg);
    ctr_done(&c);
    return r;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    auto_strv char **ids = NULL;
    struct targets targets = x.opts->targets;
    targets.all = targets.all || (x.opts->running && !targets.filters);
    int r = x.opts->signal ? signal_parse(x.opts->signal, &x.signal) : 0;
    if (r == 0)
        r = cmd_store(&x.store);
    if (r == 0)
        r = targets_find(x.store, &targets, x.opts->running, args, &ids);
    return r < 0 ? r : cmd_each_parallel(ids, restart_one, &x);
}

const struct cmd cmd_restart = {
    .names = "restart;container restart",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "stop and start containers",
    .description = "Stops each container if it runs, as stop does, and starts it again with the same id and the same "
                   "writable layer. Prints each as it was typed.",
    .examples = "whelk restart web\nwhelk restart -t 2 --running\nwhelk restart --all",
    .opts = restart_table,
    .opts_size = sizeof(struct restart_opts),
    .defaults = defaults,
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
