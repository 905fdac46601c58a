/* whelk secret exists: answers by its status. */
#include "secrets.h"

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *name = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = secret_find(s, args[0], &name);
    return r == -ENOENT ? 1 : r;
}

const struct cmd cmd_secret_exists = {
    .names = "secret exists",
    .args = "SECRET",
    .summary = "say by the exit status whether a secret exists",
    .description = "Exits with 0 if the secret exists and with 1 if not, and prints nothing.",
    .examples = "whelk secret exists token && echo there\nwhelk secret exists 3f5a\nwhelk secret exists token || whelk "
                "secret create --env token TOKEN",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_SECRET,
    .run = run,
};
