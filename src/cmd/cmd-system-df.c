/* whelk system df: what the store holds, and what of it could be given back (C-146). */
#include "containers.h"
#include "images.h"
#include "listing.h"
#include "volumes.h"

#include "whelk/cache.h"
#include "whelk/fd.h"
#include "whelk/layer.h"
#include "whelk/pull.h"
#include "whelk/units.h"

struct df_opts {
    bool verbose;
    char *format;
};

static const struct opt df_table[] = {
    {"format", 0, OPT_STR, OPT(struct df_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each kind, as '{{.Type}} {{.Size}}'"},
    {"verbose", 'v', OPT_BOOL, OPT(struct df_opts, verbose), .help = "each object"},
    OPT_END,
};

/* A layer and who names it. */
struct layer_use {
    char *key;
    int64_t size;
    size_t images, used_images; /* images that have it; those of them that containers use */
    bool container, cache;
};

struct kind {
    const char *type;
    size_t total, active;
    int64_t size, reclaimable;
};

enum { IMAGES, CONTAINERS, VOLUMES, CACHE, PARTIAL, N_KINDS };

struct df {
    struct store *store;
    struct image_set images;
    struct ctr_rows containers;
    struct volume_rows volumes;
    struct cache_step *steps;
    char **step_keys;
    struct layer_use *layers;
    size_t n_layers;
    int64_t *wrote, *held; /* bytes of each container and volume */
    struct kind kinds[N_KINDS];
};

static void df_done(struct df *d)
{
    for (size_t i = 0; i < d->n_layers; i++)
        free(d->layers[i].key);
    for (size_t i = 0; i < strv_len(d->step_keys); i++)
        cache_step_done(&d->steps[i]);
    free(d->layers);
    free(d->steps);
    free(d->wrote);
    free(d->held);
    strv_free(d->step_keys);
    image_set_done(&d->images);
    ctr_rows_done(&d->containers);
    volume_rows_done(&d->volumes);
}

/* ---- layers ---- */

static struct layer_use *use_of(struct df *d, const char *key)
{
    struct layer layer = {0};
    for (size_t i = 0; i < d->n_layers; i++)
        if (str_eq(d->layers[i].key, key))
            return &d->layers[i];
    d->layers = xrealloc(d->layers, (d->n_layers + 1) * sizeof *d->layers);
    struct layer_use *u = &d->layers[d->n_layers++];
    *u = (struct layer_use){.key = xstrdup(key)};
    if (layer_load(d->store, key, &layer) == 0)
        u->size = layer.size;
    layer_done(&layer);
    err_clear();
    return u;
}

static void note_layers(struct df *d)
{
    for (size_t i = 0; i < d->images.n; i++) {
        bool used = image_set_users(&d->images, d->images.items[i].id) > 0;
        strv_foreach (key, d->images.items[i].layers) {
            struct layer_use *u = use_of(d, key);
            u->images++;
            u->used_images += used;
        }
    }
    for (size_t i = 0; i < d->containers.n; i++)
        strv_foreach (key, d->containers.items[i].c.layers)
            use_of(d, key)->container = true;
    for (size_t i = 0; i < strv_len(d->step_keys); i++)
        if (d->steps[i].layer)
            use_of(d, d->steps[i].layer)->cache = true;
}

/* Of an image: what others have too, and what is its own. */
static void image_sizes(struct df *d, const struct image *image, int64_t *ret_shared, int64_t *ret_unique)
{
    *ret_shared = *ret_unique = 0;
    strv_foreach (key, image->layers) {
        const struct layer_use *u = use_of(d, key);
        *(u->images > 1 ? ret_shared : ret_unique) += u->size;
    }
}

/* ---- counting ---- */

static int load_steps(struct df *d)
{
    int r = dir_names(d->store->fd, "cache/steps", &d->step_keys);
    size_t n = strv_len(d->step_keys);
    d->steps = xcalloc(n + 1, sizeof *d->steps);
    for (size_t i = 0; i < n; i++) {
        auto_free char *path = xasprintf("cache/steps/%s", d->step_keys[i]);
        if (rec_load(&cache_step_rec, d->store->fd, path, &d->steps[i]) < 0)
            err_clear(); /* gone, or of no use: as if it were not there */
    }
    return r == -ENOENT ? 0 : r;
}

static void count_images(struct df *d)
{
    struct kind *images = &d->kinds[IMAGES], *cache = &d->kinds[CACHE];
    images->total = d->images.n;
    for (size_t i = 0; i < d->images.n; i++)
        images->active += image_set_users(&d->images, d->images.items[i].id) > 0;
    cache->total = strv_len(d->step_keys);
    for (size_t i = 0; i < d->n_layers; i++) {
        const struct layer_use *u = &d->layers[i];
        images->size += u->images ? u->size : 0;
        images->reclaimable += u->images && !u->used_images && !u->container && !u->cache ? u->size : 0;
        bool only_cache = u->cache && !u->images && !u->container;
        cache->size += only_cache ? u->size : 0;
        cache->reclaimable += only_cache ? u->size : 0;
    }
}

static void count_containers(struct df *d)
{
    struct kind *k = &d->kinds[CONTAINERS];
    k->total = d->containers.n;
    d->wrote = xcalloc(k->total + 1, sizeof *d->wrote);
    for (size_t i = 0; i < k->total; i++) {
        const struct ctr_row *row = &d->containers.items[i];
        auto_free char *path = xasprintf("containers/%s", row->c.id);
        uint64_t bytes = 0;
        bool up = ctr_is_up(&row->state);
        if (store_usage(d->store, path, &bytes) < 0)
            bytes = 0;
        d->wrote[i] = (int64_t)bytes;
        k->active += up;
        k->size += d->wrote[i];
        k->reclaimable += up ? 0 : d->wrote[i];
    }
}

static void count_volumes(struct df *d)
{
    struct kind *k = &d->kinds[VOLUMES];
    k->total = d->volumes.n;
    d->held = xcalloc(k->total + 1, sizeof *d->held);
    for (size_t i = 0; i < k->total; i++) {
        uint64_t bytes = 0;
        if (volume_usage(d->store, d->volumes.items[i].v.name, &bytes) < 0)
            bytes = 0;
        d->held[i] = (int64_t)bytes;
        k->active += d->volumes.items[i].links > 0;
        k->size += d->held[i];
        k->reclaimable += d->volumes.items[i].links ? 0 : d->held[i];
    }
}

static void count_partial(struct df *d)
{
    struct partial_blobs p;
    partial_blobs_count(d->store, &p);
    d->kinds[PARTIAL] = (struct kind){
        .total = p.n,
        .active = p.active,
        .size = (int64_t)p.bytes,
        .reclaimable = (int64_t)(p.bytes - p.active_bytes),
    };
}

static int look(struct df *d)
{
    static const char *const types[] = {"Images", "Containers", "Local Volumes", "Build Cache", "Partial Pulls"};
    int r = image_set_load(d->store, &d->images);
    if (r == 0)
        r = image_set_load_users(&d->images);
    if (r == 0)
        r = ctr_rows_load(d->store, true, NULL, &d->containers);
    if (r == 0)
        r = volume_rows_load(d->store, NULL, &d->volumes);
    if (r == 0)
        r = load_steps(d);
    if (r < 0)
        return r;
    note_layers(d);
    count_images(d);
    count_containers(d);
    count_volumes(d);
    count_partial(d);
    for (size_t i = 0; i < N_KINDS; i++)
        d->kinds[i].type = types[i];
    err_clear();
    return 0;
}

/* ---- the table ---- */

static const struct template_column columns[] = {
    {"Type", "TYPE", true}, {"TotalCount", "TOTAL", true},        {"Active", "ACTIVE", true},
    {"Size", "SIZE", true}, {"Reclaimable", "RECLAIMABLE", true},
};

static json_t *size_json(int64_t bytes)
{
    char text[16];
    return json_string(size_format((uint64_t)bytes, text));
}

/* docker leaves out the share for the cache. */
static json_t *reclaimable_json(const struct kind *k, bool share)
{
    char text[16];
    long percent = k->size > 0 ? (long)(100 * k->reclaimable / k->size) : 0;
    auto_free char *both = share ? xasprintf("%s (%ld%%)", size_format((uint64_t)k->reclaimable, text), percent)
                                 : xstrdup(size_format((uint64_t)k->reclaimable, text));
    return json_string(both);
}

static int print_kinds(const struct df *d, const char *format)
{
    auto_json json_t *rows = json_array();
    for (size_t i = 0; i < N_KINDS; i++) {
        const struct kind *k = &d->kinds[i];
        if (i == PARTIAL && k->total == 0) /* peers have no such row */
            continue;
        auto_free char *total = xasprintf("%zu", k->total), *active = xasprintf("%zu", k->active);
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:I, s:I}", "Type", k->type, "TotalCount",
                                        total, "Total", (json_int_t)k->total, "Active", active, "Size",
                                        size_json(k->size), "Reclaimable", reclaimable_json(k, i < CACHE), "RawSize",
                                        (json_int_t)k->size, "RawReclaimable", (json_int_t)k->reclaimable));
    }
    return listing_print(format, columns, ARRAY_LEN(columns), rows, true);
}

/* ---- each object ---- */

static json_t *ago(int64_t ns)
{
    char words[40];
    auto_free char *text = xasprintf("%s ago", time_ago(time_now() - ns, words));
    return json_string(text);
}

/* One section: a headline, then a table of cells. */
static int print_section(const char *headline, const struct template_column *cols, size_t n, const json_t *rows)
{
    printf("%s\n\n", headline);
    int r = listing_print(NULL, cols, n, rows, true);
    printf("\n");
    return r;
}

static int add_image(const struct image_row *row, void *ctx)
{
    json_t **rows = ((void **)ctx)[0];
    struct df *d = ((void **)ctx)[1];
    int64_t shared, unique;
    const char *colon = row->reference ? strrchr(row->reference, ':') : NULL;
    auto_free char *name =
        row->reference ? xstrndup(row->reference, colon ? (size_t)(colon - row->reference) : strlen(row->reference))
                       : xstrdup("<none>");
    auto_free char *id = xstrndup(row->image->id, ID_SHORT);
    image_sizes(d, row->image, &shared, &unique);
    json_array_append_new(*rows, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I}", "R", name, "T",
                                           colon ? colon + 1 : "<none>", "I", id, "C", ago(row->image->created), "S",
                                           size_json(row->image->size), "H", size_json(shared), "U", size_json(unique),
                                           "N", (json_int_t)image_set_users(&d->images, row->image->id)));
    return 0;
}

static int print_images(struct df *d)
{
    static const struct template_column cols[] = {
        {"R", "REPOSITORY", true}, {"T", "TAG", true},         {"I", "IMAGE ID", true},    {"C", "CREATED", true},
        {"S", "SIZE", true},       {"H", "SHARED SIZE", true}, {"U", "UNIQUE SIZE", true}, {"N", "CONTAINERS", true}};
    auto_json json_t *rows = json_array();
    void *ctx[] = {&rows, d};
    int r = image_rows_each(&d->images, image_filters, NULL, add_image, ctx);
    return r < 0 ? r : print_section("Images space usage:", cols, ARRAY_LEN(cols), rows);
}

static int print_containers(const struct df *d)
{
    static const struct template_column cols[] = {{"I", "CONTAINER ID", true}, {"M", "IMAGE", true},
                                                  {"S", "SIZE", true},         {"C", "CREATED", true},
                                                  {"U", "STATUS", true},       {"N", "NAMES", true}};
    auto_json json_t *rows = json_array();
    for (size_t i = 0; i < d->containers.n; i++) {
        const struct ctr_row *row = &d->containers.items[i];
        auto_free char *id = xstrndup(row->c.id, ID_SHORT);
        json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:o, s:s, s:s}", "I", id, "M",
                                              json_from_str(row->c.image_ref ? row->c.image_ref : ""), "S",
                                              size_json(d->wrote[i]), "C", ago(row->c.created), "U", ctr_row_state(row),
                                              "N", row->c.name));
    }
    return print_section("Containers space usage:", cols, ARRAY_LEN(cols), rows);
}

static int print_volumes(const struct df *d)
{
    static const struct template_column cols[] = {
        {"N", "VOLUME NAME", true}, {"L", "LINKS", true}, {"S", "SIZE", true}};
    auto_json json_t *rows = json_array();
    for (size_t i = 0; i < d->volumes.n; i++)
        json_array_append_new(rows, json_pack("{s:s, s:I, s:o}", "N", d->volumes.items[i].v.name, "L",
                                              (json_int_t)d->volumes.items[i].links, "S", size_json(d->held[i])));
    return print_section("Local Volumes space usage:", cols, ARRAY_LEN(cols), rows);
}

static int print_cache(const struct df *d)
{
    static const struct template_column cols[] = {{"I", "CACHE ID", true},
                                                  {"S", "SIZE", true},
                                                  {"C", "CREATED", true},
                                                  {"U", "LAST USED", true},
                                                  {"B", "STEP", true}};
    auto_json json_t *rows = json_array();
    char size[16];
    for (size_t i = 0; i < strv_len(d->step_keys); i++) {
        const struct cache_step *step = &d->steps[i];
        auto_free char *id = xstrndup(d->step_keys[i], ID_SHORT),
                       *by = xasprintf("%.60s", step->created_by ? step->created_by : "");
        json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:o, s:o}", "I", id, "S", size_json(step->size), "C",
                                              ago(step->created), "U", ago(step->used), "B", json_from_str(by)));
    }
    auto_free char *headline = xasprintf("Build cache usage: %s", size_format((uint64_t)d->kinds[CACHE].size, size));
    return print_section(headline, cols, ARRAY_LEN(cols), rows);
}

static int run(void *opts, char **args)
{
    const struct df_opts *o = opts;
    auto_with(df_done) struct df d = {0};
    if (o->verbose && o->format)
        return err_set(-EINVAL, "--verbose and --format cannot be used together");
    int r = cmd_store(&d.store);
    if (r == 0)
        r = look(&d);
    if (r < 0 || !o->verbose)
        return r < 0 ? r : print_kinds(&d, o->format);
    r = print_images(&d);
    if (r == 0)
        r = print_containers(&d);
    if (r == 0)
        r = print_volumes(&d);
    return r < 0 ? r : print_cache(&d);
}

const struct cmd cmd_system_df = {
    .names = "system df",
    .args = "[OPTIONS]",
    .summary = "show what the store holds and what could be given back",
    .description =
        "Prints how many images, containers, volumes and cached build steps there are, how many are in use, and "
        "their size. A layer that several images have counts once.",
    .examples = "whelk system df\nwhelk system df -v\nwhelk system df --format '{{.Type}}: {{.Reclaimable}}'",
    .opts = df_table,
    .opts_size = sizeof(struct df_opts),
    .max_args = 0,
    .run = run,
};
