/* whelk wait: prints the exit statuses of containers when they have ended, or waits for another state. */
#include "targets.h"

#include "whelk/proc.h"
#include "whelk/run.h"

#include <poll.h>

struct wait_opts {
    struct targets targets;
    char **conditions;
    bool first;
    char *interval;
};

static const struct opt wait_table[] = {
    {"condition", 0, OPT_LIST, OPT(struct wait_opts, conditions), .arg = "STATE",
     .help = "what to wait for; several: whichever comes first", .def = "stopped", .complete = COMPLETE_WORDS,
     .words = "running paused stopped exited healthy unhealthy created removed"},
    {"exit-first-match|return-on-first", 0, OPT_BOOL, OPT(struct wait_opts, first),
     .help = "return when the first of the containers has got there"},
    {"ignore", 0, OPT_BOOL, OPT(struct wait_opts, targets.ignore),
     .help = "a container that does not exist is no error; -1 is printed for it"},
    {"interval", 'i', OPT_STR, OPT(struct wait_opts, interval), .arg = "TIME"}, /* nothing is polled */
    TARGETS_LATEST(offsetof(struct wait_opts, targets)),
    OPT_END,
};

struct context {
    const struct store *store;
    const struct wait_opts *opts;
};

static int wait_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *id = NULL;
    int code = -1;
    int r = ctr_find(x->store, arg, &id);
    if (r == 0 && x->opts->conditions)
        r = run_wait_for(x->store, id, x->opts->conditions, &code);
    else if (r == 0)
        r = run_wait(x->store, id, &code);
    if (r == -ENOENT && x->opts->targets.ignore)
        r = 0;
    if (r == 0)
        printf("%d\n", code);
    fflush(stdout);
    return r;
}

/* A worker for each; they die with this process. */
struct one {
    const char *arg;
    struct context *x;
};

static int wait_worker(void *arg)
{
    const struct one *o = arg;
    return wait_one(o->arg, o->x);
}

static int wait_first(struct context *x, char *const *ids)
{
    size_t n = strv_len(ids);
    auto_free struct worker *workers = xcalloc(n, sizeof *workers);
    auto_free struct one *ones = xcalloc(n, sizeof *ones);
    auto_free struct pollfd *p = xcalloc(n, sizeof *p);
    for (size_t i = 0; i < n; i++) {
        ones[i] = (struct one){ids[i], x};
        int r = worker_start(wait_worker, &ones[i], &workers[i]);
        if (r < 0)
            return r;
        p[i] = (struct pollfd){workers[i].err_fd, POLLIN, 0};
    }
    while (poll(p, n, -1) < 0)
        if (errno != EINTR)
            return err_sys("cannot wait");
    for (size_t i = 0; i < n; i++)
        if (p[i].revents)
            return worker_wait(&workers[i]);
    return 0;
}

static int run(void *opts, char **args)
{
    struct store *s = NULL;
    struct context x = {.opts = opts};
    auto_strv char **ids = NULL;
    int r = run_check_conditions(x.opts->conditions);
    if (r == 0)
        r = cmd_store(&s);
    x.store = s;
    if (r == 0)
        r = targets_find(s, &x.opts->targets, false, args, &ids);
    if (r < 0)
        return r;
    return x.opts->first ? wait_first(&x, ids) : cmd_each(ids, wait_one, &x);
}

const struct cmd cmd_wait = {
    .names = "wait;container wait",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "wait for containers to end and print their exit statuses",
    .description =
        "Waits without polling until each container has ended and prints its exit status, one a line in the "
        "order given. A container that has ended already gives its last status. With --condition it waits for "
        "another state, and prints -1 for one that is not the end.",
    .examples = "id=$(whelk run -d busybox sleep 5)\nwhelk wait \"$id\"\nwhelk wait job1 job2\nwhelk wait --condition "
                "healthy web",
    .opts = wait_table,
    .opts_size = sizeof(struct wait_opts),
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
