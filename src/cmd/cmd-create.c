/* whelk create: a container from an image, not started. */
#include "run-options.h"

static int run(void *opts, char **args)
{
    struct make_options *o = opts;
    struct store *s;
    struct ctr c;
    int r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    r = make_container(s, o, args, &c, NULL);
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
    .opts = make_option_rows,
    .opts_size = sizeof(struct make_options),
    .defaults = make_option_defaults,
    .stop_at_arg = true,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
