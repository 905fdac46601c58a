/* whelk start: starts created and ended containers. */
#include "targets.h"

#include "whelk/run.h"

struct start_opts {
    struct targets targets;
    bool attach, interactive, sig_proxy;
    char *detach_keys, *checkpoint;
};

static const struct opt start_table[] = {
    {"all", 0, OPT_BOOL, OPT(struct start_opts, targets.all), .help = "all containers"},
    {"attach", 'a', OPT_BOOL, OPT(struct start_opts, attach), .help = "show its output and exit with its status"},
    {"checkpoint", 0, OPT_STR, OPT(struct start_opts, checkpoint), .arg = "NAME"},
    {"detach-keys", 0, OPT_STR, OPT(struct start_opts, detach_keys), .arg = "KEYS",
     .help = "keys that leave it running: letters or ctrl-X, with commas", .def = "ctrl-p,ctrl-q"},
    TARGETS_FILTER(offsetof(struct start_opts, targets), 'f'),
    {"interactive", 'i', OPT_BOOL, OPT(struct start_opts, interactive), .help = "forward standard input too"},
    TARGETS_LATEST(offsetof(struct start_opts, targets)),
    {"sig-proxy", 0, OPT_BOOL, OPT(struct start_opts, sig_proxy), .help = "forward signals, with --attach",
     .def = "true"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct start_opts *opts;
    int code; /* of an attached container */
};

static void defaults(void *opts)
{
    ((struct start_opts *)opts)->sig_proxy = true;
}

static int start_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL;
    struct ctr c = {0};
    int r = ctr_find(x->store, arg, &id);
    if (r == 0)
        r = ctr_load(x->store, id, &c);
    if (r == -ENOENT)
        return err_is_clear() ? err_set(r, "no such container: %s", arg) : r;
    if (r < 0)
        return r;
    bool attach = x->opts->attach || x->opts->interactive;
    struct launch_options launch = {.attach = attach,
                                    .stdin_open = x->opts->interactive,
                                    .sig_proxy = x->opts->sig_proxy,
                                    .detach_keys = x->opts->detach_keys};
    r = run_start(x->store, &c, &launch);
    ctr_done(&c);
    if (r >= 0 && !attach)
        printf("%s\n", arg);
    x->code = MAX(r, 0);
    return MIN(r, 0);
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    auto_strv char **ids = NULL;
    if (x.opts->checkpoint)
        return err_set(-EOPNOTSUPP,
                       "--checkpoint: whelk cannot freeze processes to disk, so there is none to go on from");
    int r = cmd_store(&x.store);
    if (r == 0)
        r = targets_find(x.store, &x.opts->targets, false, args, &ids);
    if (r == 0 && (x.opts->attach || x.opts->interactive) && strv_len(ids) > 1)
        r = err_set(-EINVAL, "--attach and --interactive take one container");
    if (r < 0)
        return r;
    store_tidy(x.store);
    r = cmd_each(ids, start_one, &x);
    return r ? r : x.code;
}

const struct cmd cmd_start = {
    .names = "start;container start",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "start containers that do not run",
    .description =
        "Starts created or ended containers and prints each as it was typed. One that runs already is no error.",
    .examples = "whelk start web\nwhelk start -a job\nwhelk start web db",
    .opts = start_table,
    .opts_size = sizeof(struct start_opts),
    .defaults = defaults,
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
