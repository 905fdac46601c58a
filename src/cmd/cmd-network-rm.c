/* whelk network rm */
#include "networks.h"
#include "targets.h"

#include "whelk/net.h"

struct rm_opts {
    bool force;
    int64_t time;
};

static const struct opt rm_table[] = {
    {"force", 'f', OPT_BOOL, OPT(struct rm_opts, force),
     .help = "remove the containers that have it first, running ones too; one that does not exist is no error"},
    {"time", 't', OPT_INT, OPT(struct rm_opts, time), .arg = "SECONDS",
     .help = "with --force: how long a container may take to stop before SIGKILL; -1: for ever", .def = "10"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct rm_opts *opts;
};

static int remove_users(const struct context *x, const char *name)
{
    auto_strv char **users = NULL;
    int r = network_users(x->store, name, &users);
    return r < 0 ? r : targets_remove(x->store, users, x->opts->time);
}

static int rm_found(const struct context *x, const char *name)
{
    struct network n = {0};
    if (str_eq(name, NETWORK_DEFAULT))
        return err_set(-EPERM, "the network %s is built in and cannot be removed", name);
    int r = x->opts->force ? remove_users(x, name) : 0;
    if (r == 0 && network_load(x->store, name, &n) < 0)
        err_clear(); /* a damaged record is removed too */
    if (r == 0) {
        net_sweep(x->store);
        r = network_remove(x->store, name);
    }
    if (r == 0 && n.interface)
        net_forget(x->store, n.interface);
    network_done(&n);
    return r;
}

static int rm_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *name = NULL;
    int r = network_make_default(x->store);
    if (r == 0)
        r = network_find(x->store, arg, &name);
    if (r == 0) {
        r = rm_found(x, name);
        if (r == -ENOENT)
            err_set(r, "no such network: %s", arg);
    }
    if (r == -ENOENT && x->opts->force)
        return 0;
    if (r == 0)
        printf("%s\n", arg);
    return r == -ENOENT ? err_with_status(r, 1) : r == -EBUSY ? err_with_status(r, 2) : r;
}

static void defaults(void *opts)
{
    ((struct rm_opts *)opts)->time = 10;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    int r = x.opts->time < -1
                ? err_set(-EINVAL, "--time %lld: give seconds, or -1 to wait for ever", (long long)x.opts->time)
                : 0;
    if (r == 0)
        r = cmd_store(&x.store);
    if (r < 0)
        return r;
    store_tidy(x.store);
    return cmd_each(args, rm_one, &x);
}

const struct cmd cmd_network_rm = {
    .names = "network rm;network remove",
    .args = "[OPTIONS] NETWORK [NETWORK...]",
    .summary = "remove networks",
    .description = "Removes networks and prints each as it was typed. One that a container has, running or not, is "
                   "refused unless --force is given.",
    .examples = "whelk network rm shop\nwhelk network rm -f shop\nwhelk network rm $(whelk network ls -q -f "
                "dangling=true)",
    .opts = rm_table,
    .opts_size = sizeof(struct rm_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_NETWORK,
    .run = run,
};
