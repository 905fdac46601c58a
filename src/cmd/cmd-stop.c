/* whelk stop: asks containers to end, and makes them after a while. */
#include "targets.h"

#include "whelk/proc.h"
#include "whelk/run.h"

struct stop_opts {
    struct targets targets;
    int64_t time;
    char *signal;
};

static const struct opt stop_table[] = {
    TARGETS_ALL(offsetof(struct stop_opts, targets), "all running containers"),
    TARGETS_CIDFILE(offsetof(struct stop_opts, targets)),
    TARGETS_FILTER(offsetof(struct stop_opts, targets), 'f'),
    {"ignore", 'i', OPT_BOOL, OPT(struct stop_opts, targets.ignore),
     .help = "a container that does not exist is no error"},
    TARGETS_LATEST(offsetof(struct stop_opts, targets)),
    {"signal", 's', OPT_STR, OPT(struct stop_opts, signal), .arg = "SIGNAL", .help = "what it is asked with",
     .def = "the container's --stop-signal, TERM", .complete = COMPLETE_SIGNAL},
    {"timeout|time", 't', OPT_INT, OPT(struct stop_opts, time), .arg = "SECONDS",
     .help = "how long to wait before SIGKILL; -1: for ever", .def = "the container's --stop-timeout, 10"},
    OPT_END,
};

enum { NOT_GIVEN = -2 }; /* as run_stop has it: the container's own */

struct context {
    struct store *store;
    const struct stop_opts *opts;
    int signal; /* 0: the container's own */
};

static void defaults(void *opts)
{
    ((struct stop_opts *)opts)->time = NOT_GIVEN;
}

static int stop_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL;
    bool forced = false;
    int r = ctr_find(x->store, arg, &id);
    if (r == -ENOENT && x->opts->targets.ignore)
        return 0;
    if (r == 0)
        r = run_stop(x->store, id, x->signal, x->opts->time, &forced);
    if (r < 0)
        return r;
    if (forced)
        log_warn("%s did not end on its stop signal; it was killed", arg);
    printf("%s\n", arg);
    return 0;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    if (x.opts->time < NOT_GIVEN)
        return err_set(-EINVAL, "--timeout %lld: seconds, or -1 to wait for ever", (long long)x.opts->time);
    auto_strv char **ids = NULL;
    int r = x.opts->signal ? signal_parse(x.opts->signal, &x.signal) : 0;
    if (r == 0)
        r = cmd_store(&x.store);
    if (r == 0)
        r = targets_find(x.store, &x.opts->targets, true, args, &ids);
    return r < 0 ? r : cmd_each_parallel(ids, stop_one, &x);
}

const struct cmd cmd_stop = {
    .names = "stop;container stop",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "stop running containers",
    .description = "Sends the stop signal (TERM unless the image or --stop-signal says otherwise), waits, and sends "
                   "KILL if the container "
                   "still runs. Several are stopped side by side. One that has ended already is no error.",
    .examples = "whelk stop web\nwhelk stop -t 2 $(whelk ps -q)\nwhelk stop --all",
    .opts = stop_table,
    .opts_size = sizeof(struct stop_opts),
    .defaults = defaults,
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
