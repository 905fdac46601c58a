/* whelk run: a container from an image, started at once. */
#include "run-options.h"

struct run_opts {
    struct run_options run;
    struct preserve_options preserve;
    struct pull_flags pull;
    bool detach, sig_proxy;
};

static const struct opt run_table[] = {
#define RUN(field) OPT(struct run_opts, run.field)
#include "run-options.def"
#undef RUN
    PULL_ROWS(struct run_opts, pull),
    {"detach", 'd', OPT_BOOL, OPT(struct run_opts, detach), .help = "leave it running and print its id"},
    {"detach-keys", 0, OPT_STR, OPT(struct run_opts, run.detach_keys), .arg = "KEYS",
     .help = "keys that leave it running: letters or ctrl-X, with commas", .def = "ctrl-p,ctrl-q"},
    {"preserve-fd", 0, OPT_LIST, OPT(struct run_opts, preserve.lists), .arg = "LIST",
     .help = "hand in these open pipes and sockets, as 5,7"},
    {"preserve-fds", 0, OPT_INT, OPT(struct run_opts, preserve.count), .arg = "NUMBER",
     .help = "hand in so many open pipes and sockets from descriptor 3 on", .def = "0"},
    {"sig-proxy", 0, OPT_BOOL, OPT(struct run_opts, sig_proxy), .help = "forward signals to the command",
     .def = "true"},
    OPT_END,
};

static void defaults(void *opts)
{
    struct run_opts *o = opts;
    o->sig_proxy = true;
    run_option_defaults(&o->run);
    registry_flags_defaults(&o->pull.registry);
}

static int run(void *opts, char **args)
{
    struct run_opts *o = opts;
    struct store *s;
    struct ctr c;
    auto_close int claim = -1;
    int r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    if (o->run.tty && o->run.interactive && !o->detach && !isatty(STDIN_FILENO))
        log_warn("standard input is not a terminal; the command gets one all the same");
    r = make_container(s, &o->run, &o->pull, args, &c, &claim);
    if (r < 0)
        return r;
    struct launch_options launch = {.attach = !o->detach,
                                    .stdin_open = true,
                                    .sig_proxy = o->sig_proxy,
                                    .detach_keys = o->run.detach_keys,
                                    .preserve = &o->preserve};
    r = run_start(s, &c, &launch);
    if (r == 0 && o->detach)
        printf("%s\n", c.id);
    ctr_done(&c);
    return r;
}

const struct cmd cmd_run = {
    .names = "run;container run",
    .args = "[OPTIONS] IMAGE [COMMAND [ARG...]]",
    .summary = "run a command in a new container",
    .description =
        "Makes a container from IMAGE and starts it. Without COMMAND the image's own is run; with one, it replaces the "
        "image's CMD. "
        "In the foreground, output is passed through and whelk exits with the command's status; with --detach it "
        "prints the container's id and leaves. Signals are forwarded.",
    .examples = "whelk run --rm busybox echo hello\nwhelk run -it --rm busybox sh\nwhelk run -d --name web -v "
                "./site:/site:ro localhost/web\n"
                "echo data | whelk run -i --rm busybox wc -c",
    .opts = run_table,
    .opts_size = sizeof(struct run_opts),
    .defaults = defaults,
    .stop_at_arg = true,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
