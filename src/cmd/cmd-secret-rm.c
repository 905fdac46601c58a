/* whelk secret rm */
#include "secrets.h"

struct rm_opts {
    bool all, ignore;
};

static const struct opt rm_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct rm_opts, all), .help = "all secrets"},
    {"ignore", 'i', OPT_BOOL, OPT(struct rm_opts, ignore), .help = "one that does not exist is no error"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct rm_opts *opts;
};

static int rm_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *name = NULL;
    struct secret secret = {0};
    int r = secret_find(x->store, arg, &name);
    if (r == 0 && secret_load(x->store, name, &secret) < 0)
        err_clear(); /* a damaged one goes too */
    if (r == 0)
        r = secret_remove(x->store, name);
    if (r == -ENOENT && err_is_clear())
        err_set(r, "no such secret: %s", arg);
    if (r == 0)
        printf("%s\n", secret.id ? secret.id : arg);
    secret_done(&secret);
    if (r == -ENOENT)
        return x->opts->ignore ? 0 : err_with_status(r, 1);
    return r;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    auto_strv char **names = NULL;
    if (x.opts->all && *args)
        return err_set(-EINVAL, "--all takes no secrets besides");
    if (!x.opts->all && !*args)
        return err_set(-EINVAL, "name at least one secret, or give --all");
    int r = cmd_store(&x.store);
    if (r == 0)
        r = x.opts->all ? secret_list(x.store, &names) : 0;
    if (r < 0)
        return r;
    store_tidy(x.store);
    return cmd_each(x.opts->all ? names : args, rm_one, &x);
}

const struct cmd cmd_secret_rm = {
    .names = "secret rm;secret remove",
    .args = "[OPTIONS] SECRET [SECRET...]",
    .summary = "remove secrets",
    .description =
        "Removes secrets and prints the id of each. Containers that run keep what they have; one that names a "
        "secret that is gone does not start again.",
    .examples = "whelk secret rm db-password\nwhelk secret rm -i db-password token\nwhelk secret rm -a",
    .opts = rm_table,
    .opts_size = sizeof(struct rm_opts),
    .max_args = -1,
    .complete = COMPLETE_SECRET,
    .run = run,
};
