/* whelk image inspect: everything about images as JSON. */
#include "cmd.h"
#include "inspect.h"

struct inspect_opts {
    char *format;
};

static const struct opt inspect_table[] = {
    {"format", 'f', OPT_STR, OPT(struct inspect_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each object, as '{{.Id}}'"},
    OPT_END,
};

static int run(void *opts, char **args)
{
    const struct inspect_opts *o = opts;
    struct inspect_request q = {.images = true, .format = o->format};
    return inspect_print(&q, args);
}

const struct cmd cmd_image_inspect = {
    .names = "image inspect",
    .args = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "show all about images as JSON",
    .description = "The same as whelk inspect --type image.",
    .examples =
        "whelk image inspect web\nwhelk image inspect web:v1 web:v2\nwhelk image inspect web | jq '.[0].RootFS.Layers'",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
