/* What the commands that list containers share: rows, and the filters of CV-50. */
#include "containers.h"

#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/port.h"
#include "whelk/run.h"

const char *ctr_row_state(const struct ctr_row *row)
{
    return row->paused ? "paused" : ctr_status_name(row->state.status);
}

void ctr_sizes(const struct store *s, const struct ctr *c, uint64_t *ret_wrote, uint64_t *ret_all)
{
    auto_free char *path = xasprintf("containers/%s/upper", c->id);
    uint64_t wrote = 0, all;
    if (store_usage(s, path, &wrote) < 0)
        wrote = 0; /* removed meanwhile */
    all = wrote;
    strv_foreach (key, c->layers) {
        struct layer layer = {0};
        if (layer_load(s, key, &layer) == 0)
            all += (uint64_t)layer.size;
        layer_done(&layer);
    }
    *ret_wrote = wrote;
    *ret_all = all;
}

/* ---- filters ---- */

/* What filters look up once, not for each container: the object that a value names. */
struct context {
    const struct store *store;
    char *image_typed, *created_typed; /* the values that were looked up last */
    struct image image;                /* of ancestor; without an id if there is none */
    int64_t created;                   /* of before and since */
};

static void context_done(struct context *x)
{
    free(x->image_typed);
    free(x->created_typed);
    image_done(&x->image);
}

static bool is_new(char **last, const char *typed)
{
    if (*last && str_eq(*last, typed))
        return false;
    free(*last);
    *last = xstrdup(typed);
    return true;
}

static int negate(int r)
{
    return r < 0 ? r : !r;
}

static int match_id(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    return str_after(row->c.id, value) ? 1 : filter_regex(row->c.id, value);
}

/* With and without docker's slash, so that ^/web$ works too. */
static int match_name(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    auto_free char *slashed = xasprintf("/%s", row->c.name);
    int r = filter_regex(row->c.name, value);
    return r ? r : filter_regex(slashed, value);
}

static int match_label(const void *object, const char *value, void *ctx)
{
    return filter_label(((const struct ctr_row *)object)->c.labels, value);
}

static int match_not_label(const void *object, const char *value, void *ctx)
{
    return negate(match_label(object, value, ctx));
}

static int match_exited(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    int64_t code;
    if (!str_to_i64(value, &code))
        return err_set(-EINVAL, "--filter exited=%s is not a number", value);
    return row->state.status == CTR_EXITED && row->state.exit_code == code;
}

/* podman's words for what docker calls otherwise, and words for what never is the case here. */
static int match_status(const void *object, const char *value, void *ctx)
{
    static const char *const names[][2] = {
        {"created", "created"},
        {"configured", "created"},
        {"initialized", "created"},
        {"running", "running"},
        {"paused", "paused"},
        {"restarting", "restarting"},
        {"exited", "exited"},
        {"stopped", "exited"},
        {"elsewhere", "elsewhere"},
        {"unknown", "elsewhere"},
        {"dead", ""},
        {"removing", ""},
        {"stopping", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(value, names[i][0]))
            return str_eq(ctr_row_state(object), names[i][1]);
    return err_set(
        -EINVAL, "--filter status=%s is not known; known: created, running, paused, restarting, exited, dead, removing",
        value);
}

/* The image by name or id; containers of images that are made on top of it too, as docker has it. */
static int match_ancestor(const void *object, const char *value, void *ctx)
{
    struct context *x = ctx;
    const struct ctr_row *row = object;
    if (is_new(&x->image_typed, value)) {
        auto_free char *id = NULL;
        image_done(&x->image);
        x->image = (struct image){0};
        int r = image_find(x->store, value, &id, NULL);
        if (r == 0)
            r = image_load(x->store, id, &x->image);
        if (r < 0 && r != -ENOENT)
            return r;
    }
    if (!x->image.id)
        return row->c.image_ref && str_eq(row->c.image_ref, value);
    size_t n = strv_len(x->image.layers);
    if (row->c.image && str_eq(row->c.image, x->image.id))
        return 1;
    if (!n || strv_len(row->c.layers) <= n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!str_eq(row->c.layers[i], x->image.layers[i]))
            return 0;
    return 1;
}

static int load_created(struct context *x, const char *value)
{
    struct ctr other = {0};
    auto_free char *id = NULL;
    if (!is_new(&x->created_typed, value))
        return 0;
    int r = ctr_find(x->store, value, &id);
    if (r == 0)
        r = ctr_load(x->store, id, &other);
    x->created = other.created;
    ctr_done(&other);
    return r < 0 ? err_set(-EINVAL, "no such container: %s", value) : 0;
}

static int match_before(const void *object, const char *value, void *ctx)
{
    int r = load_created(ctx, value);
    return r < 0 ? r : ((const struct ctr_row *)object)->c.created < ((struct context *)ctx)->created;
}

static int match_since(const void *object, const char *value, void *ctx)
{
    int r = load_created(ctx, value);
    return r < 0 ? r : ((const struct ctr_row *)object)->c.created > ((struct context *)ctx)->created;
}

static int match_until(const void *object, const char *value, void *ctx)
{
    int64_t until;
    int r = filter_time(value, &until);
    return r < 0 ? r : ((const struct ctr_row *)object)->c.created < until;
}

static int match_volume(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    const struct ctr_mount *m = row->c.mounts.items;
    for (size_t i = 0; i < row->c.mounts.n; i++)
        if (str_eq(m[i].target, value) || (m[i].source && str_eq(m[i].source, value)))
            return 1;
    return 0;
}

static int match_health(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    return str_eq(row->health ? row->health : "none", value);
}

static int match_restart(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    return str_eq(row->c.restart ? row->c.restart : "no", value);
}

/* podman's: would its policy start it after the machine was started? */
static int match_boot(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    const char *policy = row->c.restart ? row->c.restart : "no";
    bool wanted = str_eq(value, "true");
    if (!wanted && !str_eq(value, "false"))
        return err_set(-EINVAL, "--filter should-start-on-boot=%s is neither true nor false", value);
    return wanted == (str_eq(policy, "always") || (str_eq(policy, "unless-stopped") && !row->state.stopped));
}

static int match_network(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    const struct ctr_net *nets = row->c.networks.items;
    bool found = row->c.network && str_eq(row->c.network, value);
    for (size_t i = 0; i < row->c.networks.n; i++)
        found = found || (nets[i].name && str_eq(nets[i].name, value));
    return found;
}

static bool among(const struct ctr_port *p, const struct ctr_port *asked)
{
    return str_eq(p->proto, asked->proto) && p->port < asked->port + asked->count && asked->port < p->port + p->count;
}

static int match_publish(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    const struct ctr_port *p = row->c.ports.items;
    struct ctr_port asked;
    bool found = false;
    int r = port_parse_exposed(value, &asked);
    if (r < 0)
        return err_wrap(r, "--filter publish=");
    for (size_t i = 0; i < row->c.ports.n; i++)
        found = found || among(&p[i], &asked);
    rec_done(&ctr_port_rec, &asked);
    return found;
}

static int match_expose(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    struct ctr_port asked;
    int r = match_publish(object, value, ctx);
    if (r != 0)
        return r;
    r = port_parse_exposed(value, &asked);
    strv_foreach (word, r == 0 ? row->c.exposed_ports : NULL) {
        struct ctr_port p;
        if (port_parse_exposed(word, &p) == 0) {
            r = r || among(&p, &asked);
            rec_done(&ctr_port_rec, &p);
        }
        err_clear();
    }
    rec_done(&ctr_port_rec, &asked);
    return r;
}

static int match_command(const void *object, const char *value, void *ctx)
{
    const struct ctr_row *row = object;
    return row->c.args && row->c.args[0] ? filter_regex(row->c.args[0], value) : 0;
}

const struct filter_key ctr_filters[] = {
    {"ancestor", match_ancestor, false},
    {"before", match_before, false},
    {"command", match_command, false},
    {"exited", match_exited, false},
    {"expose", match_expose, false},
    {"health", match_health, false},
    {"id", match_id, false},
    {"label", match_label, true},
    {"label!", match_not_label, true},
    {"name", match_name, false},
    {"network", match_network, false},
    {"publish", match_publish, false},
    {"restart-policy", match_restart, false},
    {"should-start-on-boot", match_boot, false},
    {"since", match_since, false},
    {"status", match_status, false},
    {"until", match_until, false},
    {"volume", match_volume, false},
    {NULL, NULL, false},
};

const struct filter_key ctr_prune_filters[] = {{"label", match_label, true},
                                               {"label!", match_not_label, true},
                                               {"until", match_until, false},
                                               {NULL, NULL, false}};

int ctr_prune_match(char *const *filters, const struct ctr *c)
{
    struct ctr_row row = {.c = *c};
    return filter_match(ctr_prune_filters, filters, &row, NULL);
}

/* ---- rows ---- */

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const struct ctr_row *)a)->c.created, y = ((const struct ctr_row *)b)->c.created;
    return (x < y) - (x > y);
}

static void row_done(struct ctr_row *row)
{
    ctr_done(&row->c);
    free(row->ports);
    free(row->health);
}

static bool is_here(const struct ctr_state *st)
{
    return ctr_is_up(st) || st->status == CTR_ELSEWHERE;
}

static void observe(const struct store *s, struct ctr_row *row)
{
    struct ctr_health health = {0};
    if (row->state.status != CTR_RUNNING)
        return;
    row->paused = run_is_paused(s, row->c.id);
    if (row->c.ports.n || row->c.exposed_ports) {
        struct ctr_live live = {0};
        if (ctr_live_load(s, row->c.id, &live) < 0)
            live = (struct ctr_live){0};
        row->ports = port_format_all(&live.ports, row->c.exposed_ports);
        ctr_live_done(&live);
    }
    if (row->c.health_cmd && ctr_health_load(s, row->c.id, &health) == 0)
        row->health = xstrdup(health.status ? health.status : "starting");
    rec_done(&ctr_health_rec, &health);
}

/* 1: *ret is one of those asked for; 0: not. */
static int load_row(struct context *x, const char *id, bool all, char *const *filters, struct ctr_row *ret)
{
    struct ctr_row row = {0};
    /* The state first: most are not shown without --all, and a record that went meanwhile is no error. */
    if (ctr_state(x->store, id, &row.state) < 0 || (!all && !is_here(&row.state)))
        return 0;
    int r = ctr_load(x->store, id, &row.c);
    if (r < 0) {
        if (r != -ENOENT)
            log_warn("%s", err_text(r));
        return 0;
    }
    observe(x->store, &row);
    r = ctr_is_dead_rm(&row.c, &row.state) ? 0 : filter_match(ctr_filters, filters, &row, x);
    if (r > 0)
        *ret = row;
    else
        row_done(&row);
    return r;
}

/* Who asks for a status or an exit code means all containers (docker's and podman's rule). */
static bool wants_all(char *const *filters)
{
    strv_foreach (word, filters)
        if (str_after(word, "status=") || str_after(word, "exited="))
            return true;
    return false;
}

int ctr_rows_load(const struct store *s, bool all, char *const *filters, struct ctr_rows *ret)
{
    auto_strv char **ids = NULL;
    auto_with(context_done) struct context x = {.store = s};
    int r = filter_check(ctr_filters, filters);
    if (r == 0)
        r = ctr_list(s, &ids);
    if (r < 0)
        return r;
    struct ctr_rows rows = {.items = xcalloc(strv_len(ids) + 1, sizeof *rows.items)};
    all = all || wants_all(filters);
    strv_foreach (id, ids) {
        r = load_row(&x, id, all, filters, &rows.items[rows.n]);
        if (r < 0) {
            ctr_rows_done(&rows);
            return r;
        }
        rows.n += (size_t)r;
    }
    qsort(rows.items, rows.n, sizeof *rows.items, newest_first);
    *ret = rows;
    return 0;
}

void ctr_rows_done(struct ctr_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        row_done(&rows->items[i]);
    free(rows->items);
    *rows = (struct ctr_rows){0};
}
