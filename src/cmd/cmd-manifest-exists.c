/* whelk manifest exists */
#include "manifests.h"

static int run(void *opts, char **args)
{
    auto_with(image_name_done) struct image_name n = {0};
    struct store *s;
    int r = cmd_store(&s);
    if (r == 0)
        r = name_find(s, args[0], true, &n);
    return r == -ENOENT ? 1 : r;
}

const struct cmd cmd_manifest_exists = {
    .names = "manifest exists",
    .args = "LIST",
    .summary = "ask whether there is a list of manifests",
    .description = "Ends with 0 if there is a list of this name in the store, else with 1. Prints nothing.",
    .examples = "whelk manifest exists web:all || whelk manifest create web:all",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
