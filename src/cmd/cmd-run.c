/* whelk run: a container from an image, started at once. */
#include "rmi.h"
#include "run-options.h"

#include <strings.h>

struct run_opts {
    struct make_options make; /* first: make_option_rows */
    struct preserve_options preserve;
    char **attach;
    bool detach, sig_proxy, rmi;
};

static const struct opt run_table[] = {
    {"attach", 'a', OPT_LIST, OPT(struct run_opts, attach), .arg = "STREAM",
     .help = "only these streams: stdin, stdout, stderr", .complete = COMPLETE_WORDS, .words = "stdin stdout stderr"},
    {"detach", 'd', OPT_BOOL, OPT(struct run_opts, detach), .help = "leave it running and print its id"},
    {"detach-keys", 0, OPT_STR, OPT(struct run_opts, make.run.detach_keys), .arg = "KEYS",
     .help = "keys that leave it running: letters or ctrl-X, with commas", .def = "ctrl-p,ctrl-q"},
    {"preserve-fd", 0, OPT_LIST, OPT(struct run_opts, preserve.lists), .arg = "LIST",
     .help = "hand in these open pipes and sockets, as 5,7"},
    {"preserve-fds", 0, OPT_INT, OPT(struct run_opts, preserve.count), .arg = "NUMBER",
     .help = "hand in so many open pipes and sockets from descriptor 3 on", .def = "0"},
    {"rmi", 0, OPT_BOOL, OPT(struct run_opts, rmi),
     .help = "--rm, and remove the image too if no other container uses it"},
    {"sig-proxy", 0, OPT_BOOL, OPT(struct run_opts, sig_proxy), .help = "forward signals to the command",
     .def = "true"},
    OPT_CONTINUED(make_option_rows),
};

static void defaults(void *opts)
{
    struct run_opts *o = opts;
    o->sig_proxy = true;
    make_option_defaults(&o->make);
}

static bool has_stream(char *const *words, const char *name)
{
    strv_foreach (word, words)
        if (strcasecmp(word, name) == 0)
            return true;
    return false;
}

/* Without --attach all are; standard input, as always, only with --interactive. */
static int check_streams(const struct run_opts *o, struct launch_options *launch)
{
    strv_foreach (word, o->attach)
        if (strcasecmp(word, "stdin") != 0 && strcasecmp(word, "stdout") != 0 && strcasecmp(word, "stderr") != 0)
            return err_set(-EINVAL, "--attach %s is not a stream; known: stdin, stdout, stderr", word);
    if (o->attach && o->detach)
        return err_set(-EINVAL, "--attach and --detach contradict each other");
    if (!o->attach)
        return 0;
    launch->stdin_open = has_stream(o->attach, "stdin");
    launch->no_stdout = !has_stream(o->attach, "stdout");
    launch->no_stderr = !has_stream(o->attach, "stderr");
    return 0;
}

/* After the container's end. Its status is what counts: an image that stays is only told. */
static void remove_image(struct store *s, const struct ctr *c)
{
    if (c->image && rmi_unused(s, c->image, c->image_ref) < 0)
        log_warn("--rmi: %s", err_text(-EIO));
    err_clear();
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
    if (o->make.run.tty && o->make.run.interactive && !o->detach && !isatty(STDIN_FILENO))
        log_warn("standard input is not a terminal; the command gets one all the same");
    struct launch_options launch = {.attach = !o->detach,
                                    .stdin_open = true,
                                    .sig_proxy = o->sig_proxy,
                                    .detach_keys = o->make.run.detach_keys,
                                    .preserve = &o->preserve};
    r = check_streams(o, &launch);
    if (r == 0 && o->rmi && o->detach)
        r = err_set(-EINVAL,
                    "--rmi removes the image when the container has ended, and --detach does not wait for that");
    o->make.run.rm = o->make.run.rm || o->rmi;
    if (r == 0)
        r = make_container(s, &o->make, args, &c, &claim);
    if (r < 0)
        return r;
    r = run_start(s, &c, &launch);
    if (r == 0 && o->detach)
        printf("%s\n", c.id);
    if (r >= 0 && o->rmi)
        remove_image(s, &c);
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
