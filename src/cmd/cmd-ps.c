/* whelk ps: the table of containers. Only reads; enters no namespace. */
#include "containers.h"
#include "listing.h"

#include "whelk/platform.h"
#include "whelk/units.h"

struct ps_opts {
    bool all, latest, no_trunc, noheading, ns, pod, quiet, same, size;
    int64_t last, watch;
    char *format, *sort;
    char **filters;
};

static const struct opt ps_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct ps_opts, all), .help = "also those that do not run"},
    {"filter", 'f', OPT_LIST, OPT(struct ps_opts, filters), .arg = "KEY=VALUE",
     .help = "only those that match, as status=exited or label=KEY", .complete = COMPLETE_WORDS,
     .words = "ancestor= before= command= exited= expose= health= id= label= name= network= publish= restart-policy= "
              "since= status= "
              "until= volume="},
    {"format", 0, OPT_STR, OPT(struct ps_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each container, as '{{.Names}}'"},
    {"last", 'n', OPT_INT, OPT(struct ps_opts, last), .arg = "N", .help = "the last N that were made, in any state"},
    {"latest", 'l', OPT_BOOL, OPT(struct ps_opts, latest), .help = "the last one that was made, in any state"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct ps_opts, no_trunc), .help = "show whole ids and commands"},
    {"noheading", 0, OPT_BOOL, OPT(struct ps_opts, noheading), .help = "leave out the header line"},
    {"ns", 0, OPT_BOOL, OPT(struct ps_opts, ns), .help = "show the namespaces of the commands"},
    {"pod", 'p', OPT_BOOL, OPT(struct ps_opts, pod), .help = "add the columns of pods; no container is in one"},
    {"quiet", 'q', OPT_BOOL, OPT(struct ps_opts, quiet), .help = "only ids"},
    {"size", 's', OPT_BOOL, OPT(struct ps_opts, size),
     .help = "show what they wrote, and what they hold with their image"},
    {"sort", 0, OPT_STR, OPT(struct ps_opts, sort), .arg = "BY", .help = "order", .def = "created",
     .complete = COMPLETE_WORDS, .words = "command created id image names runningfor size status"},
    {"watch", 'w', OPT_INT, OPT(struct ps_opts, watch), .arg = "SECONDS",
     .help = "print the list anew at this interval, until interrupted"},
    /* What these ask podman for is always so: builds leave no containers, and states are looked at, not remembered. */
    {"external", 0, OPT_BOOL, OPT(struct ps_opts, same)},
    {"sync", 0, OPT_BOOL, OPT(struct ps_opts, same)},
    OPT_END,
};

/* The default table first; the others are made only for a format. */
static const struct template_column columns[] = {
    {"ID", "CONTAINER ID", true},
    {"Image", "IMAGE", true},
    {"Command", "COMMAND", true},
    {"RunningFor", "CREATED", true},
    {"Status", "STATUS", true},
    {"Ports", "PORTS", true},
    {"Names", "NAMES", true},
    {"Size", "SIZE", false},
    {"State", "STATE", false},
    {"CreatedAt", "CREATED AT", false},
    {"LocalVolumes", "LOCAL VOLUMES", false},
    {"Pod", "POD ID", false},
    {"PodName", "PODNAME", false},
};
enum { N_COLUMNS = ARRAY_LEN(columns), SIZE_COLUMN = 7, POD_COLUMN = N_COLUMNS - 2 };

/* --ns: podman's columns, and the names of the kernel's links. */
static const struct template_column ns_columns[] = {
    {"ID", "CONTAINER ID", true}, {"Names", "NAMES", true}, {"Pid", "PID", true}, {"CGROUPNS", "CGROUPNS", true},
    {"IPC", "IPC", true},         {"MNT", "MNT", true},     {"NET", "NET", true}, {"PIDNS", "PIDNS", true},
    {"USERNS", "USERNS", true},   {"UTS", "UTS", true},
};
static const char *const ns_links[][2] = {{"CGROUPNS", "cgroup"}, {"IPC", "ipc"},     {"MNT", "mnt"}, {"NET", "net"},
                                          {"PIDNS", "pid"},       {"USERNS", "user"}, {"UTS", "uts"}};

static const struct sort_key sort_keys[] = {
    {"command", "Command", false}, {"created", "Created", true}, {"id", "ID", false},
    {"image", "Image", false},     {"names", "Names", false},    {"runningfor", "Created", true},
    {"size", "SizeRw", false},     {"status", "Status", false},  {NULL, NULL, false},
};

struct context {
    const struct store *store;
    const struct ps_opts *opts;
    int64_t now;
    bool full, sizes;
    const struct sort_key *order;
};

/* ---- cells ---- */

/* "sleep 100" in quotes, cut to 20 characters with an ellipsis. Caller frees. */
static char *command_cell(const struct ctr *c, bool whole)
{
    auto_free char *text = strv_join(c->args, " ");
    if (whole || strlen(text) <= 20)
        return xasprintf("\"%s\"", text);
    return xasprintf("\"%.19s…\"", text);
}

/* docker's words for what Status says in brackets, with the blank before it. Caller frees. */
static char *remark(const struct ctr_row *r)
{
    if (r->paused)
        return xstrdup(" (Paused)");
    if (!r->health)
        return xstrdup("");
    return xasprintf(str_eq(r->health, "starting") ? " (health: %s)" : " (%s)", r->health);
}

static char *status_cell(const struct ctr_row *r, int64_t now)
{
    char ago[40];
    const struct ctr_state *st = &r->state;
    auto_free char *more = remark(r);
    switch (st->status) {
    case CTR_RUNNING:
        return xasprintf("Up %s%s", time_ago(now - st->started, ago), more);
    case CTR_RESTARTING:
        return xasprintf("Restarting (%d) %s ago", st->exit_code, time_ago(now - st->finished, ago));
    case CTR_ELSEWHERE:
        return xstrdup("Up on another host");
    case CTR_EXITED:
        return st->finished ? xasprintf("Exited (%d) %s ago", st->exit_code, time_ago(now - st->finished, ago))
                            : xasprintf("Exited (%d) (supervisor lost)", st->exit_code);
    default:
        return xstrdup("Created");
    }
}

/* Names of volumes and sources of binds, each cut to 15 characters. Caller frees. */
static char *mounts_cell(const struct ctr *c, bool whole)
{
    const struct ctr_mount *m = c->mounts.items;
    auto_strv char **names = NULL;
    for (size_t i = 0; i < c->mounts.n; i++) {
        if (str_empty(m[i].source))
            continue;
        if (whole || strlen(m[i].source) <= 15)
            strv_add(&names, m[i].source);
        else
            strv_addf(&names, "%.14s…", m[i].source);
    }
    return strv_join(names, ",");
}

static int count_volumes(const struct ctr *c)
{
    const struct ctr_mount *m = c->mounts.items;
    int n = 0;
    for (size_t i = 0; i < c->mounts.n; i++)
        n += str_eq(m[i].type, "volume");
    return n;
}

/* ---- rows ---- */

static json_t *text(const char *s)
{
    return json_from_str(s ? s : "");
}

static void add_basic(const struct context *x, const struct ctr_row *r, json_t *o)
{
    char ago[40];
    auto_free char *command = command_cell(&r->c, x->opts->no_trunc), *status = status_cell(r, x->now);
    auto_free char *id = xstrndup(r->c.id, x->opts->no_trunc ? ID_LEN : ID_SHORT);
    auto_free char *since = xasprintf("%s ago", time_ago(x->now - r->c.created, ago));
    json_object_set_new(o, "ID", text(id));
    json_object_set_new(o, "Image", text(r->c.image_ref));
    json_object_set_new(o, "Command", text(command));
    json_object_set_new(o, "RunningFor", text(since));
    json_object_set_new(o, "Status", text(status));
    json_object_set_new(o, "Ports", text(r->ports));
    json_object_set_new(o, "Names", text(r->c.name));
    json_object_set_new(o, "Created", json_integer(r->c.created / 1000000000));
}

static void add_sizes(const struct context *x, const struct ctr_row *r, json_t *o)
{
    uint64_t wrote = 0, all = 0;
    char a[16], b[16];
    if (x->sizes)
        ctr_sizes(x->store, &r->c, &wrote, &all);
    auto_free char *both = xasprintf("%s (virtual %s)", size_format(wrote, a), size_format(all, b));
    json_object_set_new(o, "Size", text(x->sizes ? both : "0B"));
    json_object_set_new(o, "SizeRw", json_integer((json_int_t)wrote));
}

static json_t *networks_json(const struct ctr *c)
{
    auto_strv char **names = NULL;
    const struct ctr_net *nets = c->networks.items;
    for (size_t i = 0; i < c->networks.n; i++)
        strv_add(&names, nets[i].name);
    auto_free char *list = strv_join(names, ",");
    return text(names ? list : c->network);
}

/* docker's further fields. */
static void add_docker(const struct context *x, const struct ctr_row *r, json_t *o)
{
    auto_free char *labels = strv_join(r->c.labels, ","), *mounts = mounts_cell(&r->c, x->opts->no_trunc);
    auto_free char *created = listing_time(r->c.created), *volumes = xasprintf("%d", count_volumes(&r->c));
    json_object_set_new(o, "State", text(ctr_row_state(r)));
    json_object_set_new(o, "CreatedAt", text(created));
    json_object_set_new(o, "HealthStatus", text(r->health));
    json_object_set_new(o, "Labels", text(labels));
    json_object_set_new(o, "LocalVolumes", text(volumes));
    json_object_set_new(o, "Mounts", text(mounts));
    json_object_set_new(o, "Networks", networks_json(&r->c));
    json_object_set_new(o, "Platform",
                        json_pack("{s:s, s:s}", "architecture", platform_architecture(), "os", platform_os()));
}

/* What podman shows besides. */
static void add_podman(const struct context *x, const struct ctr_row *r, json_t *o)
{
    struct ctr_live live = {0};
    auto_free char *finished = listing_time(r->state.finished);
    bool up = ctr_live_load(x->store, r->c.id, &live) == 0 && ctr_is_up(&r->state);
    json_object_set_new(o, "AutoRemove", json_boolean(r->c.auto_remove));
    json_object_set_new(o, "CIDFile", text(r->c.cid_file));
    json_object_set_new(o, "CreatedHuman", json_incref(json_object_get(o, "RunningFor")));
    json_object_set_new(o, "ExitCode", json_integer(r->state.exit_code));
    json_object_set_new(o, "Exited", json_boolean(r->state.status == CTR_EXITED));
    json_object_set_new(o, "ExitedAt", r->state.status == CTR_EXITED ? text(finished) : text(""));
    json_object_set_new(o, "ExposedPorts", json_from_strv(r->c.exposed_ports));
    json_object_set_new(o, "ImageID", text(r->c.image));
    json_object_set_new(o, "IsInfra", json_false());
    json_object_set_new(o, "Pid", json_integer(up ? live.pid : 0));
    json_object_set_new(o, "Pod", text(""));
    json_object_set_new(o, "PodName", text(""));
    json_object_set_new(o, "Restarts", json_integer(live.restarts));
    json_object_set_new(o, "StartedAt", json_integer(r->state.started / 1000000000));
    ctr_live_done(&live);
}

/* The number in "net:[4026531840]"; "" if the command does not run, or may not be looked at. */
static void add_ns(const struct ctr_row *r, json_t *o)
{
    json_int_t pid = json_integer_value(json_object_get(o, "Pid"));
    for (size_t i = 0; i < ARRAY_LEN(ns_links); i++) {
        char target[64];
        auto_free char *path = xasprintf("/proc/%lld/ns/%s", (long long)pid, ns_links[i][1]);
        ssize_t n = pid > 0 ? readlink(path, target, sizeof target - 1) : -1;
        target[MAX(n, 0)] = 0;
        const char *at = strchr(target, '[');
        auto_free char *number = at ? xstrndup(at + 1, strcspn(at + 1, "]")) : NULL;
        json_object_set_new(o, ns_links[i][0], text(number));
    }
}

static json_t *rows_json(const struct context *x, const struct ctr_rows *rows)
{
    json_t *array = json_array();
    for (size_t i = 0; i < rows->n; i++) {
        json_t *o = json_object();
        add_basic(x, &rows->items[i], o);
        if (x->full || x->sizes)
            add_sizes(x, &rows->items[i], o);
        if (x->full)
            add_docker(x, &rows->items[i], o);
        if (x->full)
            add_podman(x, &rows->items[i], o);
        if (x->opts->ns)
            add_ns(&rows->items[i], o);
        json_array_append_new(array, o);
    }
    return array;
}

/* ---- printing ---- */

static int print(const struct context *x, const struct ctr_rows *rows)
{
    const struct ps_opts *o = x->opts;
    struct template_column shown[N_COLUMNS];
    auto_json json_t *array = rows_json(x, rows);
    memcpy(shown, columns, sizeof shown);
    shown[SIZE_COLUMN].in_default = o->size;
    shown[POD_COLUMN].in_default = shown[POD_COLUMN + 1].in_default = o->pod;
    if (x->order)
        listing_sort(array, x->order);
    const char *format = o->quiet && listing_is_default(o->format) ? "{{.ID}}" : o->format;
    return o->ns ? listing_print(format, ns_columns, ARRAY_LEN(ns_columns), array, !o->noheading)
                 : listing_print(format, shown, N_COLUMNS, array, !o->noheading);
}

static int check(const struct ps_opts *o, const struct sort_key **ret_order)
{
    if (o->latest && o->last >= 0)
        return err_set(-EINVAL, "--latest and --last cannot be used together");
    if (o->ns && (o->size || o->pod))
        return err_set(-EINVAL, "--ns has columns of its own; leave out %s", o->size ? "--size" : "--pod");
    if (o->watch < 0 || o->watch > 86400)
        return err_set(-EINVAL, "--watch %lld: seconds, at least 1", (long long)o->watch);
    strv_foreach (filter, o->filters)
        if (str_after(filter, "pod="))
            return err_set(-EINVAL, "--filter %s: whelk has no pods", filter);
    return o->sort ? listing_find_sort(sort_keys, o->sort, ret_order) : 0;
}

/* Once. */
static int list(const struct context *x)
{
    const struct ps_opts *o = x->opts;
    struct ctr_rows rows = {0};
    int64_t last = o->latest ? 1 : o->last;
    int r = ctr_rows_load(x->store, o->all || last > 0, o->filters, &rows);
    if (r < 0)
        return r;
    size_t n = rows.n;
    if (last > 0)
        rows.n = MIN(n, (size_t)last);
    r = print(x, &rows);
    rows.n = n;
    ctr_rows_done(&rows);
    return r;
}

static int watch(struct context *x)
{
    for (;;) {
        if (isatty(STDOUT_FILENO))
            printf("\033[H\033[J");
        int r = list(x);
        if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
            r = -EPIPE;
        if (r < 0)
            return r;
        nanosleep(&(struct timespec){x->opts->watch, 0}, NULL);
        x->now = time_now();
    }
}

static int run(void *opts, char **args)
{
    const struct ps_opts *o = opts;
    struct context x = {.opts = o, .now = time_now()};
    struct store *s;
    int r = check(o, &x.order);
    if (r == 0)
        r = cmd_store(&s);
    if (r < 0)
        return r;
    bool plain = listing_is_default(o->format);
    x.store = s;
    x.full = !plain || o->ns || o->pod;
    x.sizes = o->size || (!plain && strstr(o->format, ".Size")) || (x.order && str_eq(x.order->field, "SizeRw"));
    return o->watch ? watch(&x) : list(&x);
}

static void defaults(void *opts)
{
    ((struct ps_opts *)opts)->last = -1;
}

const struct cmd cmd_ps = {
    .names = "ps;container ls;container list;container ps",
    .args = "[OPTIONS]",
    .summary = "list containers",
    .description = "Lists running containers, newest first; with --all also created and ended ones.",
    .examples = "whelk ps\nwhelk ps -a\nwhelk ps -a --filter status=exited --format '{{.Names}}: {{.Status}}'\nwhelk "
                "rm $(whelk ps -aq)",
    .opts = ps_table,
    .opts_size = sizeof(struct ps_opts),
    .defaults = defaults,
    .max_args = 0,
    .run = run,
};
