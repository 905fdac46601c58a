/* whelk create: a container from an image, not started. */
#include "run-options.h"

struct create_opts {
    struct run_options run;
    struct pull_flags pull;
};

static const struct opt create_table[] = {
#define RUN(field) OPT(struct create_opts, run.field)
#include "run-options.def"
#undef RUN
    PULL_ROWS(struct create_opts, pull),
    OPT_END,
};

static void defaults(void *opts)
{
    struct create_opts *o = opts;
    run_option_defaults(&o->run);
    registry_flags_defaults(&o->pull.registry);
}

static int run(void *opts, char **args)
{
    struct create_opts *o = opts;
    struct store *s;
    struct ctr c;
    int r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    r = make_container(s, &o->run, &o->pull, args, &c, NULL);
    if (r < 0)
        return r;
    printf("%s\n", c.id);
    ctr_done(&c);
    return 0;
}

const struct cmd cmd_create = {
    .names = "create;container create",
    .args = "[OPTIONS] IMAGE [COMMAND [ARG...]]",
    .summary = "make a container without starting it",
    .description = "Makes a container as run does and prints its id. Everything is checked now; whelk start starts it.",
    .examples = "id=$(whelk create busybox date)\nwhelk start -a \"$id\"\nwhelk create --name web -v ./site:/site:ro "
                "localhost/web",
    .opts = create_table,
    .opts_size = sizeof(struct create_opts),
    .defaults = defaults,
    .stop_at_arg = true,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
