/* whelk diff */
#include "cmd.h"

#include "whelk/rootfs.h"

static void print_line(void *ctx, char kind, const char *path)
{
    auto_free char *shown = str_printable(path);
    printf("%c %s\n", kind, shown);
    fflush(stdout);
}

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    struct ctr c = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = ctr_find(s, args[0], &id);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == 0)
        r = rootfs_changes(s, &c, print_line, NULL);
    ctr_done(&c);
    return r;
}

const struct cmd cmd_diff = {
    .names = "diff;container diff",
    .args = "CONTAINER",
    .summary = "show which files a container has changed",
    .description = "Prints a line for each file that a container, running or not, has added (A), changed (C) or "
                   "deleted (D) since it was made from its image.",
    .examples = "whelk diff web\nwhelk diff 3f5a\nwhelk container diff web",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
