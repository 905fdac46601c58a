/* whelk restart: stops and starts containers. */
#include "cmd.h"

#include "whelk/run.h"

struct restart_opts {
    bool all, running;
    int64_t time;
};

static const struct opt restart_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct restart_opts, all), .help = "all containers"},
    {"running", 0, OPT_BOOL, OPT(struct restart_opts, running), .help = "all running containers"},
    {"timeout|time", 't', OPT_INT, OPT(struct restart_opts, time), .arg = "SECONDS",
     .help = "how long to wait before SIGKILL; -1: for ever", .def = "the container's --stop-timeout, 10"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct restart_opts *opts;
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
        r = run_stop(x->store, id, x->opts->time, NULL);
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
    int r = cmd_store(&x.store);
    if (r == 0)
        r = cmd_targets(x.store, x.opts->all || x.opts->running, x.opts->running, args, &ids);
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
