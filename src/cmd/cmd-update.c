/* whelk update: changes limits and other settings of containers. */
#include "run-options.h"
#include "targets.h"

struct update_opts {
    struct targets targets;
    struct run_options run;
    char **unset_env;
};

static const struct opt update_table[] = {
    TARGETS_LATEST(offsetof(struct update_opts, targets)),
    {"unsetenv", 0, OPT_LIST, OPT(struct update_opts, unset_env), .arg = "NAME", .help = "drop a variable"},
#define RUN(field) OPT(struct update_opts, run.field)
#include "run-options-update.def"
#undef RUN
    OPT_END,
};

static void defaults(void *opts)
{
    run_option_defaults(&((struct update_opts *)opts)->run);
}

struct context {
    struct store *store;
    const struct update_opts *opts;
};

static int update_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(x->store, arg, &id);
    if (r == 0)
        r = run_update(x->store, id, &x->opts->run, x->opts->unset_env);
    if (r == 0)
        printf("%s\n", arg);
    return r;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    auto_strv char **ids = NULL;
    int r = cmd_store(&x.store);
    if (r == 0)
        r = targets_find(x.store, &x.opts->targets, false, args, &ids);
    return r < 0 ? r : cmd_each(ids, update_one, &x);
}

const struct cmd cmd_update = {
    .names = "update;container update",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "change limits and other settings of containers",
    .description =
        "Changes what containers were made with, and prints each as it was typed. Limits, restart policy and "
        "health check of a running container hold at once; variables and ulimits from its next start. What is "
        "not given stays as it is.",
    .examples = "whelk update --memory 512m --cpus 1.5 web\nwhelk update --restart on-failure:3 web db\nwhelk update "
                "--health-interval 10s web",
    .opts = update_table,
    .opts_size = sizeof(struct update_opts),
    .defaults = defaults,
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
