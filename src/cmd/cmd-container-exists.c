/* whelk container exists: says it by the exit status alone (CV-05). */
#include "cmd.h"

#include "whelk/ctr.h"

struct exists_opts {
    bool external;
};

static const struct opt exists_table[] = {
    /* podman's: containers of build tools count too. Builds leave none here. */
    {"external", 0, OPT_BOOL, OPT(struct exists_opts, external)},
    OPT_END,
};

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = ctr_find(s, args[0], &id);
    return r == -ENOENT ? 1 : r;
}

const struct cmd cmd_container_exists = {
    .names = "container exists",
    .args = "[OPTIONS] CONTAINER",
    .summary = "tell whether a container exists",
    .description = "Prints nothing and exits with 0 if there is such a container, with 1 if not.",
    .examples = "whelk container exists web && echo yes",
    .opts = exists_table,
    .opts_size = sizeof(struct exists_opts),
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
