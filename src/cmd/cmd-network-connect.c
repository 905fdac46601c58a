/* whelk network connect */
#include "networks.h"

#include "whelk/run.h"

struct connect_opts {
    char **aliases;
    char *ip, *ip6, *mac;
};

static const struct opt connect_table[] = {
    {"alias", 0, OPT_LIST, OPT(struct connect_opts, aliases), .arg = "NAME", .help = "further name on the network"},
    {"ip", 0, OPT_STR, OPT(struct connect_opts, ip), .arg = "ADDRESS", .help = "IPv4 address there"},
    {"ip6", 0, OPT_STR, OPT(struct connect_opts, ip6), .arg = "ADDRESS", .help = "IPv6 address there"},
    {"mac-address", 0, OPT_STR, OPT(struct connect_opts, mac), .arg = "MAC", .help = "address of the interface"},
    OPT_END,
};

static int run(void *opts, char **args)
{
    const struct connect_opts *o = opts;
    struct store *s;
    auto_free char *id = NULL;
    auto_with(network_done) struct network n = {0};
    int r = network_container_args(args, &s, &n, &id);
    if (r < 0)
        return r;
    struct ctr_net spec = {.name = n.name, .aliases = o->aliases, .ip = o->ip, .ip6 = o->ip6, .mac = o->mac};
    return run_connect(s, id, &spec);
}

const struct cmd cmd_network_connect = {
    .names = "network connect",
    .args = "[OPTIONS] NETWORK CONTAINER",
    .summary = "put a container on a further network",
    .description = "Puts a container, running or not, on a further network. It must have been made with a named one. "
                   "Prints nothing.",
    .examples = "whelk network connect back web\nwhelk network connect --alias db --ip 10.90.0.7 back "
                "postgres\nwhelk network connect bridge web",
    .opts = connect_table,
    .opts_size = sizeof(struct connect_opts),
    .min_args = 2,
    .max_args = 2,
    .complete = COMPLETE_NETWORK,
    .run = run,
};
