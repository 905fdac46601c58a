/* whelk image inspect: everything about images as JSON. */
#include "cmd.h"
#include "inspect.h"

static int run(void *opts, char **args)
{
    return inspect_print(false, true, args);
}

const struct cmd cmd_image_inspect = {
    .names = "image inspect",
    .args = "IMAGE [IMAGE...]",
    .summary = "show all about images as JSON",
    .description = "The same as whelk inspect --type image.",
    .examples = "whelk image inspect web\nwhelk image inspect web:v1 web:v2\nwhelk image inspect web | jq '.[0].RootFS.Layers'",
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
