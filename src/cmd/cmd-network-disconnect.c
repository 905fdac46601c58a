/* whelk network disconnect */
#include "networks.h"

#include "whelk/run.h"

struct disconnect_opts {
    bool force;
};

static const struct opt disconnect_table[] = {
    {"force", 'f', OPT_BOOL, OPT(struct disconnect_opts, force), .help = "one that is not on the network is no error"},
    OPT_END,
};

static int run(void *opts, char **args)
{
    const struct disconnect_opts *o = opts;
    struct store *s;
    auto_free char *id = NULL;
    auto_with(network_done) struct network n = {0};
    int r = network_container_args(args, &s, &n, &id);
    if (r < 0)
        return r;
    r = run_disconnect(s, id, n.name);
    return r == -ENOENT && o->force ? 0 : r;
}

const struct cmd cmd_network_disconnect = {
    .names = "network disconnect",
    .args = "[OPTIONS] NETWORK CONTAINER",
    .summary = "take a container from a network",
    .description = "Takes a container, running or not, from one of its networks. It has to keep one. Prints nothing.",
    .examples = "whelk network disconnect back web\nwhelk network disconnect -f back web\nwhelk network disconnect "
                "bridge postgres",
    .opts = disconnect_table,
    .opts_size = sizeof(struct disconnect_opts),
    .min_args = 2,
    .max_args = 2,
    .complete = COMPLETE_NETWORK,
    .run = run,
};
