/* whelk volume rm */
#include "targets.h"
#include "volumes.h"

struct rm_opts {
    bool all, force;
    int64_t time;
};

static const struct opt rm_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct rm_opts, all), .help = "all volumes"},
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
    int r = volume_users(x->store, name, &users);
    return r < 0 ? r : targets_remove(x->store, users, x->opts->time);
}

static int rm_found(const struct context *x, const char *name)
{
    int r = x->opts->force ? remove_users(x, name) : 0;
    return r < 0 ? r : volume_remove(x->store, name);
}

static int rm_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *name = NULL;
    int r = volume_find(x->store, arg, &name);
    if (r == 0) {
        r = rm_found(x, name);
        if (r == -ENOENT)
            err_set(r, "no such volume: %s", arg);
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
    auto_strv char **names = NULL;
    int r = x.opts->time < -1
                ? err_set(-EINVAL, "--time %lld: give seconds, or -1 to wait for ever", (long long)x.opts->time)
                : 0;
    if (r == 0)
        r = cmd_store(&x.store);
    if (r < 0)
        return r;
    store_tidy(x.store);
    r = volume_targets(x.store, x.opts->all, args, &names);
    return r < 0 ? r : cmd_each(names, rm_one, &x);
}

const struct cmd cmd_volume_rm = {
    .names = "volume rm;volume remove",
    .args = "[OPTIONS] VOLUME [VOLUME...]",
    .summary = "remove volumes",
    .description = "Removes volumes with what is in them, and prints each as it was typed. One that a container has, "
                   "running or not, is refused unless --force is "
                   "given.",
    .examples = "whelk volume rm data\nwhelk volume rm -f data\nwhelk volume rm $(whelk volume ls -q -f dangling=true)",
    .opts = rm_table,
    .opts_size = sizeof(struct rm_opts),
    .defaults = defaults,
    .max_args = -1,
    .complete = COMPLETE_VOLUME,
    .run = run,
};
