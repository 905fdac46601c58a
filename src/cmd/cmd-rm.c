/* whelk rm: removes containers. */
#include "cmd.h"

#include "whelk/run.h"

struct rm_opts {
    bool force, all, ignore;
    int64_t time;
};

static const struct opt rm_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct rm_opts, all), .help = "all containers"},
    {"force", 'f', OPT_BOOL, OPT(struct rm_opts, force), .help = "kill running ones; one that does not exist is no error"},
    {"ignore", 'i', OPT_BOOL, OPT(struct rm_opts, ignore), .help = "a container that does not exist is no error"},
    {"time", 't', OPT_INT, OPT(struct rm_opts, time), .arg = "SECONDS",
     .help = "with --force: send the stop signal and wait so long before SIGKILL", .def = "0"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct rm_opts *opts;
};

static int rm_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(x->store, arg, &id);
    if (r == 0)
        r = run_remove(x->store, id, x->opts->force, x->opts->time);
    if (r == -ENOENT && (x->opts->ignore || x->opts->force))
        return 0;
    if (r == -ENOENT)
        return err_with_status(r, 1);
    if (r == -EBUSY)
        return err_with_status(r, 2);
    if (r == 0)
        printf("%s\n", arg);
    return r;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    int r = cmd_store(&x.store);
    auto_strv char **ids = NULL;
    if (r < 0)
        return r;
    if (x.opts->time < -1)
        return err_set(-EINVAL, "--time %lld: seconds, or -1 to wait for ever", (long long)x.opts->time);
    store_tidy(x.store);
    r = cmd_targets(x.store, x.opts->all, false, args, &ids);
    return r < 0 ? r : cmd_each_parallel(ids, rm_one, &x);
}

const struct cmd cmd_rm = {
    .names = "rm;container rm;container remove;remove",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "remove containers",
    .description = "Removes containers that do not run, with their writable layer and log, and prints each as it was typed. A running one is refused "
                   "unless --force is given.",
    .examples = "whelk rm web\nwhelk rm -f $(whelk ps -aq)\nwhelk rm -af",
    .opts = rm_table,
    .opts_size = sizeof(struct rm_opts),
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
