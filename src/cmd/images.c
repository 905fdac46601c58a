/* What the commands that list images share: rows, and the filters of CV-51. */
#include "images.h"

#include "whelk/ctr.h"
#include "whelk/ref.h"

#include <fnmatch.h>

/* ---- images, names, users ---- */

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const struct image *)a)->created, y = ((const struct image *)b)->created;
    return (x < y) - (x > y);
}

static int load_images(const struct store *s, struct image_set *set)
{
    auto_strv char **ids = NULL;
    int r = image_list(s, &ids);
    if (r < 0)
        return r;
    set->items = xcalloc(strv_len(ids) + 1, sizeof *set->items);
    strv_foreach (id, ids) {
        r = image_load(s, id, &set->items[set->n]);
        if (r == 0)
            set->n++;
        else if (r != -ENOENT)
            log_warn("%s", err_text(r));
    }
    qsort(set->items, set->n, sizeof *set->items, newest_first);
    return 0;
}

int image_set_load(const struct store *s, struct image_set *ret)
{
    struct image_set set = {.store = s};
    int r = names_load(s, &set.names);
    if (r == 0)
        r = load_images(s, &set);
    if (r < 0)
        image_set_done(&set);
    else
        *ret = set;
    return r;
}

int image_set_load_users(struct image_set *set)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(set->store, &ids);
    strv_foreach (id, ids) {
        struct ctr c = {0};
        int loaded = ctr_load(set->store, id, &c);
        if (loaded == 0 && c.image)
            strv_add(&set->used, c.image);
        ctr_done(&c);
        if (loaded < 0 && loaded != -ENOENT)
            return loaded; /* nobody knows what it uses */
    }
    return r;
}

void image_set_done(struct image_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        image_done(&set->items[i]);
    free(set->items);
    names_done(&set->names);
    strv_free(set->used);
    *set = (struct image_set){0};
}

size_t image_set_users(const struct image_set *set, const char *id)
{
    size_t n = 0;
    strv_foreach (used, set->used)
        n += str_eq(used, id);
    return n;
}

/* ---- filters ---- */

static int equals_bool(bool have, const char *value)
{
    if (str_eq(value, "true") || str_eq(value, "1"))
        return have;
    return str_eq(value, "false") || str_eq(value, "0") ? !have
                                                        : err_set(-EINVAL, "\"%s\" is neither true nor false", value);
}

static int match_dangling(const void *object, const char *value, void *ctx)
{
    return equals_bool(!((const struct image_row *)object)->reference, value);
}

static int match_containers(const void *object, const char *value, void *ctx)
{
    const struct image_row *row = object;
    return equals_bool(image_set_users(row->set, row->image->id) > 0, value);
}

/* What whelk has none of. */
static int match_never(const void *object, const char *value, void *ctx)
{
    return equals_bool(false, value);
}

static int match_digest(const void *object, const char *value, void *ctx)
{
    const char *digest = ((const struct image_row *)object)->digest, *hex = str_after(value, "sha256:");
    return digest && str_after(digest + strlen("sha256:"), hex ? hex : value) != NULL;
}

static int match_id(const void *object, const char *value, void *ctx)
{
    const char *hex = str_after(value, "sha256:");
    return str_after(((const struct image_row *)object)->image->id, hex ? hex : value) != NULL;
}

static int match_label(const void *object, const char *value, void *ctx)
{
    const struct image_row *row = object;
    struct image_config config = {0};
    if (image_load_config(row->set->store, row->image->id, &config) < 0)
        return 0;
    auto_strv char **labels = image_config_map(&config, "Labels");
    image_config_done(&config);
    return filter_label(labels, value);
}

static int match_not_label(const void *object, const char *value, void *ctx)
{
    int r = match_label(object, value, ctx);
    return r < 0 ? r : !r;
}

static int load_created(const struct image_row *row, const char *value, int64_t *ret)
{
    struct image other = {0};
    auto_free char *id = NULL;
    int r = image_find(row->set->store, value, &id, NULL);
    if (r == 0)
        r = image_load(row->set->store, id, &other);
    if (r == 0)
        *ret = other.created;
    image_done(&other);
    return r;
}

static int match_before(const void *object, const char *value, void *ctx)
{
    int64_t created = 0;
    int r = load_created(object, value, &created);
    return r < 0 ? r : ((const struct image_row *)object)->image->created < created;
}

static int match_since(const void *object, const char *value, void *ctx)
{
    int64_t created = 0;
    int r = load_created(object, value, &created);
    return r < 0 ? r : ((const struct image_row *)object)->image->created > created;
}

static int match_until(const void *object, const char *value, void *ctx)
{
    int64_t until;
    int r = filter_time(value, &until);
    return r < 0 ? r : ((const struct image_row *)object)->image->created < until;
}

/* "*" ends at a slash, "**" does not. */
static bool glob(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, strstr(pattern, "**") ? 0 : FNM_PATHNAME) == 0;
}

/* REPO[:TAG] as people write it: in full, or without the part that short names get. */
static int match_reference(const void *object, const char *value, void *ctx)
{
    static const char *const left_out[] = {"", "localhost/", "docker.io/", "docker.io/library/"};
    const struct image_row *row = object;
    if (!row->reference)
        return 0;
    auto_free char *repository = NULL, *tag = NULL;
    ref_split_display(row->reference, &repository, &tag);
    for (size_t i = 0; i < ARRAY_LEN(left_out); i++) {
        const char *full = str_after(row->reference, left_out[i]), *bare = str_after(repository, left_out[i]);
        if ((full && glob(value, full)) || (bare && glob(value, bare)))
            return 1;
    }
    return 0;
}

const struct filter_key image_filters[] = {
    {"after", match_since, false},        {"before", match_before, false},  {"containers", match_containers, false},
    {"dangling", match_dangling, false},  {"digest", match_digest, false},  {"id", match_id, false},
    {"intermediate", match_never, false}, {"label", match_label, true},     {"label!", match_not_label, true},
    {"manifest", match_never, false},     {"readonly", match_never, false}, {"reference", match_reference, false},
    {"since", match_since, false},        {"until", match_until, false},    {NULL, NULL, false},
};

const struct filter_key image_prune_filters[] = {
    {"dangling", match_dangling, false}, {"label", match_label, true}, {"label!", match_not_label, true},
    {"until", match_until, false},       {NULL, NULL, false},
};

/* ---- rows ---- */

struct walk {
    const struct filter_key *keys;
    char *const *filters;
    int (*fn)(const struct image_row *row, void *ctx);
    void *ctx;
};

static int each_row(const struct walk *w, const struct image_row *row)
{
    int r = filter_match(w->keys, w->filters, row, NULL);
    return r > 0 ? w->fn(row, w->ctx) : r;
}

static int each_name(const struct walk *w, struct image_row row)
{
    const struct image_name *n = row.set->names.items;
    bool named = false;
    for (size_t i = 0; i < row.set->names.n; i++) {
        if (!str_eq(n[i].image, row.image->id))
            continue;
        named = true;
        row.reference = n[i].reference;
        row.digest = n[i].index ? n[i].index : n[i].manifest;
        int r = each_row(w, &row);
        if (r < 0)
            return r;
    }
    return named ? 0 : each_row(w, &row);
}

int image_rows_each(const struct image_set *set, const struct filter_key *keys, char *const *filters,
                    int (*fn)(const struct image_row *row, void *ctx), void *ctx)
{
    struct walk w = {keys, filters, fn, ctx};
    int r = filter_check(keys, filters);
    for (size_t i = 0; i < set->n && r >= 0; i++)
        r = each_name(&w, (struct image_row){.set = set, .image = &set->items[i]});
    return r < 0 ? r : 0;
}
