/* whelk network exists */
#include "networks.h"

static int run(void *opts, char **args)
{
    struct store *s;
    auto_with(network_done) struct network n = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = network_load_typed(s, args[0], &n);
    if (r != -ENOENT)
        return r;
    err_clear();
    return 1;
}

const struct cmd cmd_network_exists = {
    .names = "network exists",
    .args = "NETWORK",
    .summary = "tell by the exit status whether a network exists",
    .description = "Exits with 0 if there is such a network, with 1 if there is none, and with 125 if that cannot be "
                   "told. Prints nothing.",
    .examples = "whelk network exists shop\nwhelk network exists shop || whelk network create shop\nif whelk network "
                "exists old; then whelk network rm old; fi",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_NETWORK,
    .run = run,
};
