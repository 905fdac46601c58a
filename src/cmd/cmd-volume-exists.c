/* whelk volume exists */
#include "volumes.h"

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *name = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = volume_find(s, args[0], &name);
    if (r != -ENOENT)
        return r;
    err_clear();
    return 1;
}

const struct cmd cmd_volume_exists = {
    .names = "volume exists",
    .args = "VOLUME",
    .summary = "tell by the exit status whether a volume exists",
    .description = "Exits with 0 if there is such a volume, with 1 if there is none, and with 125 if that cannot be "
                   "told. Prints nothing.",
    .examples = "whelk volume exists data\nwhelk volume exists data || whelk volume create data\nif whelk volume "
                "exists old; then whelk volume rm old; fi",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_VOLUME,
    .run = run,
};
