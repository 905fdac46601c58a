/* whelk attach: joins the streams of a running container. */
#include "targets.h"

#include "whelk/run.h"

struct attach_opts {
    struct attach_options attach;
    char *detach_keys;
    bool sig_proxy, latest;
};

static const struct opt attach_table[] = {
    {"detach-keys", 0, OPT_STR, OPT(struct attach_opts, detach_keys), .arg = "KEYS",
     .help = "keys that leave it running: letters or ctrl-X, with commas", .def = "ctrl-p,ctrl-q"},
    TARGET_LATEST(offsetof(struct attach_opts, latest)),
    {"no-stdin", 0, OPT_BOOL, OPT(struct attach_opts, attach.no_stdin), .help = "only watch"},
    {"sig-proxy", 0, OPT_BOOL, OPT(struct attach_opts, sig_proxy), .help = "forward signals to the command",
     .def = "true"},
    OPT_END,
};

static void defaults(void *opts)
{
    ((struct attach_opts *)opts)->sig_proxy = true;
}

static int run(void *opts, char **args)
{
    struct attach_opts *o = opts;
    struct store *s;
    struct ctr c = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = target_load(s, o->latest, args[0], &c);
    if (r < 0)
        return r;
    o->attach.sig_proxy = o->sig_proxy;
    o->attach.detach_keys = o->detach_keys;
    r = run_attach(s, &c, &o->attach);
    ctr_done(&c);
    return r;
}

const struct cmd cmd_attach = {
    .names = "attach;container attach",
    .args = "[OPTIONS] CONTAINER",
    .summary = "join the streams of a running container",
    .description = "Shows what the first process of a running container writes from now on and, if the container was "
                   "made with --interactive, passes standard "
                   "input to it. Several can be attached at once. Exits with the container's status when it ends, and "
                   "with 0 after the detach keys.",
    .examples = "whelk attach web\nwhelk attach --no-stdin job\nwhelk attach --detach-keys ctrl-x web",
    .opts = attach_table,
    .opts_size = sizeof(struct attach_opts),
    .defaults = defaults,
    .max_args = 1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
