/* whelk container inspect: everything about containers as JSON. */
#include "cmd.h"
#include "inspect.h"

struct inspect_opts {
    char *format;
    bool size;
};

static const struct opt inspect_table[] = {
    {"format", 'f', OPT_STR, OPT(struct inspect_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each object, as '{{.Id}}'"},
    {"size", 's', OPT_BOOL, OPT(struct inspect_opts, size),
     .help = "show what containers wrote (SizeRw), and what they hold (SizeRootFs)"},
    OPT_END,
};

static int run(void *opts, char **args)
{
    const struct inspect_opts *o = opts;
    struct inspect_request q = {.containers = true, .size = o->size, .format = o->format};
    return inspect_print(&q, args);
}

const struct cmd cmd_container_inspect = {
    .names = "container inspect",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "show all about containers as JSON",
    .description = "The same as whelk inspect --type container.",
    .examples =
        "whelk container inspect web\nwhelk container inspect web db\nwhelk container inspect web | jq '.[0].Mounts'",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
