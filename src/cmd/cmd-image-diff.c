/* whelk image diff */
#include "diff.h"

struct diff_opts {
    char *format;
};

static const struct opt diff_table[] = {
    DIFF_FORMAT_ROW(offsetof(struct diff_opts, format)),
    OPT_END,
};

static int run(void *opts, char **args)
{
    const struct diff_opts *o = opts;
    return diff_print(&(struct diff_request){args[0], o->format, .images = true});
}

const struct cmd cmd_image_diff = {
    .names = "image diff",
    .args = "[OPTIONS] IMAGE",
    .summary = "show which files the topmost layer of an image changes",
    .description = "Prints a line for each file that the topmost layer of an image adds (A), changes (C) or deletes "
                   "(D) in those below it.",
    .examples = "whelk image diff web\nwhelk image diff --format json web | jq -r '.added[]'\nwhelk image diff "
                "debian:12",
    .opts = diff_table,
    .opts_size = sizeof(struct diff_opts),
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
