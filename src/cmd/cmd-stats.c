/* whelk stats: what running containers use, again and again. */
#include "containers.h"
#include "listing.h"
#include "targets.h"

#include "whelk/stats.h"
#include "whelk/template.h"
#include "whelk/units.h"

#include <time.h>

struct stats_opts {
    struct targets targets;
    bool no_stream, no_trunc, no_reset;
    int64_t interval;
    char *format;
};

static const struct opt stats_table[] = {
    TARGETS_ALL(offsetof(struct stats_opts, targets), "also containers that do not run"),
    {"format", 0, OPT_STR, OPT(struct stats_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each container, as '{{.Name}} {{.MemUsage}}'"},
    {"interval", 'i', OPT_INT, OPT(struct stats_opts, interval), .arg = "SECONDS", .help = "time between two looks",
     .def = "1"},
    TARGETS_LATEST(offsetof(struct stats_opts, targets)),
    {"no-reset", 0, OPT_BOOL, OPT(struct stats_opts, no_reset), .help = "do not clear the screen between two looks"},
    {"no-stream", 0, OPT_BOOL, OPT(struct stats_opts, no_stream), .help = "show it once"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct stats_opts, no_trunc), .help = "show whole ids"},
    OPT_END,
};

static const struct template_column columns[] = {
    {"ID", "CONTAINER ID", true},      {"Name", "NAME", true},
    {"CPUPerc", "CPU %", true},        {"MemUsage", "MEM USAGE / LIMIT", true},
    {"MemPerc", "MEM %", true},        {"NetIO", "NET I/O", true},
    {"BlockIO", "BLOCK I/O", true},    {"PIDs", "PIDS", true},
    {"Container", "CONTAINER", false}, {"UpTime", "CPU TIME", false},
    {"AvgCPU", "AVG CPU %", false},    {"MemUsageBytes", "MEM USAGE / LIMIT", false},
};

/* A container and the last two looks at it. */
struct subject {
    char *id, *name, *typed;
    int64_t started; /* ns */
    bool up;
    struct ctr_usage before, now;
};

struct context {
    struct store *store;
    const struct stats_opts *opts;
    char *const *args;
    struct subject *items;
    size_t n;
};

static void subject_done(struct subject *u)
{
    free(u->id);
    free(u->name);
    free(u->typed);
}

static void forget(struct context *x)
{
    for (size_t i = 0; i < x->n; i++)
        subject_done(&x->items[i]);
    free(x->items);
    x->items = NULL;
    x->n = 0;
}

/* ---- looking ---- */

static int look_at(const struct context *x, const char *typed, struct subject *ret)
{
    struct ctr c = {0};
    struct ctr_state st;
    int r = target_load(x->store, false, typed, &c);
    if (r == 0)
        r = ctr_state(x->store, c.id, &st);
    if (r < 0)
        return r;
    *ret =
        (struct subject){.id = xstrdup(c.id), .name = xstrdup(c.name), .typed = xstrdup(typed), .started = st.started};
    ret->up = ctr_usage(x->store, &c, &ret->now) == 0;
    ctr_done(&c);
    err_clear();
    return 0;
}

/* Without names all that run at this moment, or all: new ones come in, and those that ended leave. */
static int names_now(const struct context *x, char ***ret)
{
    struct targets t = x->opts->targets;
    bool named = t.latest || strv_len(x->args);
    bool running = !t.all && !named;
    t.all = !named;
    return targets_find(x->store, &t, running, x->args, ret);
}

static const struct subject *known(const struct context *x, const char *id)
{
    for (size_t i = 0; i < x->n; i++)
        if (str_eq(x->items[i].id, id))
            return &x->items[i];
    return NULL;
}

static int look(struct context *x)
{
    auto_strv char **names = NULL;
    struct context next = *x;
    int r = names_now(x, &names);
    next.items = xcalloc(strv_len(names) + 1, sizeof *next.items);
    next.n = 0;
    strv_foreach (name, names) {
        struct subject *u = &next.items[next.n];
        r = r < 0 ? r : look_at(x, name, u);
        if (r == -ENOENT && !strv_len(x->args)) { /* removed meanwhile */
            r = 0;
            continue;
        }
        if (r < 0)
            break;
        const struct subject *old = known(x, u->id);
        u->before = old && old->up && old->started == u->started ? old->now : u->now;
        next.n++;
    }
    if (r < 0) {
        forget(&next);
        return r;
    }
    forget(x);
    *x = next;
    return 0;
}

/* ---- showing ---- */

static json_t *text(char *s)
{
    json_t *j = json_from_str(s);
    free(s);
    return j;
}

/* "3.09MiB": memory in IEC units, four digits as docker has it (CV-26). Caller frees. */
static char *memory_text(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t i = 0;
    for (; v >= 1024 && i + 1 < ARRAY_LEN(units); i++)
        v /= 1024;
    return xasprintf("%.4g%s", v, units[i]);
}

static double share(const struct subject *u)
{
    int64_t passed = u->now.at - u->before.at;
    return u->up && passed > 0 && u->now.cpu_ns > u->before.cpu_ns
               ? 100.0 * (double)(u->now.cpu_ns - u->before.cpu_ns) / (double)passed
               : 0;
}

static double average(const struct subject *u)
{
    int64_t up = u->up ? time_now() - u->started : 0;
    return up > 0 ? 100.0 * (double)u->now.cpu_ns / (double)up : 0;
}

static char *pair(uint64_t a, uint64_t b)
{
    char x[16], y[16];
    return xasprintf("%s / %s", size_format(a, x), size_format(b, y));
}

static void add_docker(const struct context *x, const struct subject *u, json_t *o)
{
    const struct ctr_usage *now = &u->now;
    auto_free char *used = memory_text(now->memory), *limit = memory_text(now->memory_limit);
    double part = now->memory_limit ? 100.0 * (double)now->memory / (double)now->memory_limit : 0;
    json_object_set_new(o, "Container", json_from_str(u->typed));
    json_object_set_new(o, "ID", text(xstrndup(u->id, x->opts->no_trunc ? ID_LEN : ID_SHORT)));
    json_object_set_new(o, "Name", json_from_str(u->name));
    json_object_set_new(o, "CPUPerc", text(xasprintf("%.2f%%", share(u))));
    json_object_set_new(o, "MemUsage", text(xasprintf("%s / %s", used, limit)));
    json_object_set_new(o, "MemPerc", text(xasprintf("%.2f%%", part)));
    json_object_set_new(o, "NetIO",
                        u->up && !now->has_network ? json_string("--") : text(pair(now->net_received, now->net_sent)));
    json_object_set_new(o, "BlockIO", text(pair(now->io_read, now->io_write)));
    json_object_set_new(o, "PIDs", text(xasprintf("%llu", (unsigned long long)now->pids)));
}

/* What podman shows besides. */
static void add_podman(const struct context *x, const struct subject *u, json_t *o)
{
    const struct ctr_usage *now = &u->now;
    auto_free char *avg = xasprintf("%.2f%%", average(u)), *cpu = xasprintf("%.2f%%", share(u));
    json_int_t up = u->up ? time_now() - u->started : 0;
    const struct {
        const char *key;
        json_int_t value;
    } numbers[] = {
        {"BlockInput", (json_int_t)now->io_read},
        {"BlockOutput", (json_int_t)now->io_write},
        {"CPUNano", (json_int_t)now->cpu_ns},
        {"CPUSystemNano", 0},
        {"Duration", up},
        {"MemLimit", (json_int_t)now->memory_limit},
        {"NetInput", (json_int_t)now->net_received},
        {"NetOutput", (json_int_t)now->net_sent},
        {"SystemNano", time_now()},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_object_set_new(o, numbers[i].key, json_integer(numbers[i].value));
    json_object_set_new(o, "AvgCPU", json_from_str(avg));
    json_object_set_new(o, "AVGCPU", json_from_str(avg));
    json_object_set_new(o, "ContainerID", json_from_str(u->id));
    json_object_set_new(o, "CPU", json_from_str(cpu));
    json_object_set_new(
        o, "MemUsageBytes",
        text(xasprintf("%llu / %llu", (unsigned long long)now->memory, (unsigned long long)now->memory_limit)));
    json_object_set(o, "Network", json_object_get(o, "NetIO"));
    json_object_set(o, "PIDS", json_object_get(o, "PIDs"));
    json_object_set_new(o, "UpTime", text(xasprintf("%.6gs", (double)now->cpu_ns / 1e9)));
    json_object_set_new(o, "Up", text(xasprintf("%.6gs", (double)up / 1e9)));
}

static int show(const struct context *x)
{
    auto_json json_t *rows = json_array();
    for (size_t i = 0; i < x->n; i++) {
        json_t *o = json_object();
        add_docker(x, &x->items[i], o);
        add_podman(x, &x->items[i], o);
        json_array_append_new(rows, o);
    }
    if (!x->opts->no_stream && !x->opts->no_reset && isatty(STDOUT_FILENO))
        printf("\033[H\033[J");
    int r = listing_print(x->opts->format, columns, ARRAY_LEN(columns), rows, true);
    if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        r = -EPIPE;
    return r;
}

static void pause_for(int64_t ms)
{
    fflush(stdout);
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The processor's share needs two looks: the first pair is taken close together. */
enum { FIRST_WAIT_MS = 250 };

static int stream(struct context *x)
{
    int r = look(x);
    if (r < 0)
        return r;
    pause_for(x->n ? FIRST_WAIT_MS : 0);
    for (;;) {
        r = look(x);
        if (r == 0)
            r = show(x);
        if (r < 0 || x->opts->no_stream)
            return r;
        pause_for(x->opts->interval * 1000);
    }
}

static void defaults(void *opts)
{
    ((struct stats_opts *)opts)->interval = 1;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts, .args = args};
    if (x.opts->interval < 1 || x.opts->interval > 86400)
        return err_set(-EINVAL, "--interval %lld: seconds, at least 1", (long long)x.opts->interval);
    if (x.opts->targets.all && strv_len(args))
        return err_set(-EINVAL, "--all takes no containers besides");
    int r = cmd_store(&x.store);
    if (r == 0)
        r = stream(&x);
    forget(&x);
    return r;
}

const struct cmd cmd_stats = {
    .names = "stats;container stats",
    .args = "[OPTIONS] [CONTAINER...]",
    .summary = "show what running containers use",
    .description = "Prints a table of processor time, memory, network and disk traffic of all running or the named "
                   "containers, anew each second until it is interrupted. Numbers come from the container's control "
                   "group; where it has none, from what the kernel tells of its processes.",
    .examples =
        "whelk stats\nwhelk stats --no-stream web db\nwhelk stats --no-stream --format '{{.Name}}: {{.MemUsage}}'",
    .opts = stats_table,
    .opts_size = sizeof(struct stats_opts),
    .defaults = defaults,
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
