/* whelk diff */
#include "diff.h"

#include "targets.h"

struct diff_opts {
    char *format;
    bool latest;
};

static const struct opt diff_table[] = {
    DIFF_FORMAT_ROW(offsetof(struct diff_opts, format)),
    TARGET_LATEST(offsetof(struct diff_opts, latest)),
    OPT_END,
};

static int run(void *opts, char **args)
{
    const struct diff_opts *o = opts;
    return diff_print(&(struct diff_request){args[0], o->format, o->latest, .containers = true, .images = true});
}

const struct cmd cmd_diff = {
    .names = "diff;container diff",
    .args = "[OPTIONS] CONTAINER|IMAGE",
    .summary = "show which files a container has changed",
    .description = "Prints a line for each file that a container, running or not, has added (A), changed (C) or "
                   "deleted (D) since it was made from its image; of an image, what its topmost layer does.",
    .examples = "whelk diff web\nwhelk diff --format json web | jq -r '.added[]'\nwhelk diff debian:12",
    .opts = diff_table,
    .opts_size = sizeof(struct diff_opts),
    .max_args = 1,
    .complete = COMPLETE_ANY,
    .run = run,
};
