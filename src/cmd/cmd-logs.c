/* whelk logs: what containers wrote. */
#include "targets.h"

#include "whelk/filter.h"
#include "whelk/run.h"

struct logs_opts {
    struct targets targets;
    bool follow, timestamps, names, color, details;
    char *tail, *since, *until;
};

static const struct opt logs_table[] = {
    {"color", 0, OPT_BOOL, OPT(struct logs_opts, color), .help = "with --names: a colour for each container"},
    {"details", 0, OPT_BOOL, OPT(struct logs_opts, details), .help = "begin each line with the container's labels"},
    {"follow", 'f', OPT_BOOL, OPT(struct logs_opts, follow), .help = "go on with what comes until the container ends"},
    TARGETS_LATEST(offsetof(struct logs_opts, targets)),
    {"names", 0, OPT_BOOL, OPT(struct logs_opts, names), .help = "begin each line with the container's name"},
    {"since", 0, OPT_STR, OPT(struct logs_opts, since), .arg = "TIME",
     .help = "only what is younger: a duration such as 10m, RFC 3339, a date, or seconds since 1970"},
    {"tail", 'n', OPT_STR, OPT(struct logs_opts, tail), .arg = "LINES", .help = "only the last lines", .def = "all"},
    {"timestamps", 't', OPT_BOOL, OPT(struct logs_opts, timestamps), .help = "begin each line with its time"},
    {"until", 0, OPT_STR, OPT(struct logs_opts, until), .arg = "TIME", .help = "only what is older"},
    OPT_END,
};

static int parse_query(const struct logs_opts *o, struct log_query *ret)
{
    *ret = (struct log_query){.tail = -1,
                              .timestamps = o->timestamps,
                              .follow = o->follow,
                              .out_fd = STDOUT_FILENO,
                              .err_fd = STDERR_FILENO,
                              .supervisor = -1};
    int r = o->since ? filter_time(o->since, &ret->since) : 0;
    if (r == 0 && o->until)
        r = filter_time(o->until, &ret->until);
    if (r == 0 && o->tail && !str_eq(o->tail, "all") && (!str_to_i64(o->tail, &ret->tail) || ret->tail < -1))
        return err_set(-EINVAL, "--tail %s is not a number of lines; give a number, or all", o->tail);
    return r;
}

static int show_log(struct store *s, const struct ctr *c, const char *prefix, const struct log_query *common)
{
    auto_close int dir = -1, supervisor = -1;
    struct log_query q = *common;
    const char *id = c->id, *driver = c->log_driver ? c->log_driver : "file";
    if (str_eq(driver, "passthrough"))
        return err_set(-EOPNOTSUPP,
                       "container %s keeps no log: with the log driver passthrough, whoever started it got "
                       "its output",
                       c->name);
    q.prefix = prefix;
    q.journal = str_eq(driver, "journald") ? id : NULL;
    int r = ctr_open_dir(s, id, &dir);
    if (r == 0 && q.follow)
        r = run_supervisor(s, id, &supervisor);
    if (r == -ESRCH)
        r = 0; /* not running: what is there is all */
    if (r == -ENOENT && err_is_clear())
        return err_set(r, "no such container: %.12s", id);
    if (r < 0)
        return r;
    q.supervisor = supervisor;
    r = log_read(dir, &q);
    if (r == -EPIPE)
        return 0;
    return r < 0 && err_is_clear() ? err_set(r, "cannot write out the log of container %.12s: %s", id, strerror(-r))
                                   : r;
}

struct context {
    struct store *store;
    const struct logs_opts *opts;
    struct log_query query;
};

/* What each line of a container begins with, NULL: nothing. Caller frees. */
static char *line_prefix(const struct context *x, const struct ctr *c)
{
    enum { FIRST_COLOR = 31, COLORS = 6 };
    const struct logs_opts *o = x->opts;
    auto_buf struct buf b = {0};
    if (o->names && o->color)
        buf_addf(&b, "\033[%dm%s\033[0m ", FIRST_COLOR + (int)(strtoul(c->id + ID_LEN - 4, NULL, 16) % COLORS),
                 c->name);
    else if (o->names)
        buf_addf(&b, "%s ", c->name);
    if (o->details) {
        auto_free char *labels = strv_join(c->labels, ","), *shown = str_printable(labels);
        buf_addf(&b, "%s ", shown);
    }
    return b.len ? buf_take(&b) : NULL;
}

static int logs_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    struct ctr c = {0};
    int r = target_load(x->store, false, arg, &c);
    if (r < 0)
        return r;
    auto_free char *prefix = line_prefix(x, &c);
    r = show_log(x->store, &c, prefix, &x->query);
    ctr_done(&c);
    return r;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    auto_strv char **ids = NULL;
    int r = parse_query(opts, &x.query);
    if (r == 0 && x.opts->color && !x.opts->names)
        r = err_set(-EINVAL, "--color is for the names in front of the lines; give --names too");
    if (r == 0)
        r = cmd_store(&x.store);
    if (r == 0)
        r = targets_find(x.store, &x.opts->targets, false, args, &ids);
    if (r < 0)
        return r;
    return x.query.follow ? cmd_each_parallel(ids, logs_one, &x) : cmd_each(ids, logs_one, &x);
}

const struct cmd cmd_logs = {
    .names = "logs;container logs",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "show what containers wrote",
    .description = "Writes the stored standard output of a container to standard output and its standard error to "
                   "standard error, of running and "
                   "ended ones, rotated parts first. With --follow it goes on, across rotation and restarts, until the "
                   "container has ended.",
    .examples = "whelk logs web\nwhelk logs -f --tail 20 web\nwhelk logs --since 10m -t web 2>/dev/null",
    .opts = logs_table,
    .opts_size = sizeof(struct logs_opts),
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
