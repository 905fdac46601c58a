/* whelk container inspect: everything about containers as JSON. */
#include "cmd.h"
#include "inspect.h"

static int run(void *opts, char **args)
{
    return inspect_print(true, false, args);
}

const struct cmd cmd_container_inspect = {
    .names = "container inspect",
    .args = "CONTAINER [CONTAINER...]",
    .summary = "show all about containers as JSON",
    .description = "The same as whelk inspect --type container.",
    .examples = "whelk container inspect web\nwhelk container inspect web db\nwhelk container inspect web | jq '.[0].Mounts'",
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
