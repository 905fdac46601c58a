/* whelk history: how an image came to be, newest step first. */
#include "cmd.h"
#include "image-names.h"
#include "listing.h"

#include "whelk/id.h"
#include "whelk/layer.h"
#include "whelk/units.h"

enum { CREATED_BY_SHOWN = 45 };

struct history_opts {
    bool no_trunc, quiet, human;
    char *format, *platform;
};

static const struct opt history_table[] = {
    {"format", 0, OPT_STR, OPT(struct history_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each step, as '{{.CreatedBy}}'"},
    {"human", 'H', OPT_BOOL, OPT(struct history_opts, human),
     .help = "ages and sizes with units; =false: times and bytes", .def = "true"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct history_opts, no_trunc), .help = "show whole ids and commands"},
    {"platform", 0, OPT_STR, OPT(struct history_opts, platform), .arg = "OS/ARCH[/VARIANT]",
     .help = "the image of this platform that the name's index lists"},
    {"quiet", 'q', OPT_BOOL, OPT(struct history_opts, quiet), .help = "only ids"},
    OPT_END,
};

static void defaults(void *opts)
{
    ((struct history_opts *)opts)->human = true;
}

static const struct template_column columns[] = {
    {"ID", "IMAGE", true},  {"CreatedSince", "CREATED", true}, {"CreatedBy", "CREATED BY", true},
    {"Size", "SIZE", true}, {"Comment", "COMMENT", true},      {"CreatedAt", "CREATED AT", false},
};

struct context {
    const struct history_opts *opts;
    struct store *store;
    struct image image;
    struct image_config config;
    char **names;
    json_t *rows;
};

static void put_text(json_t *o, const char *key, const char *text)
{
    json_object_set_new(o, key, json_from_str(text ? text : ""));
}

static void put_created(const struct context *x, json_t *o, const char *text)
{
    char ago[40];
    int64_t created = 0;
    if (!text || time_parse(text, &created) < 0)
        created = 0;
    auto_free char *since = created ? xasprintf("%s ago", time_ago(time_now() - created, ago)) : xstrdup("N/A");
    char rfc[40];
    put_text(o, "CreatedAt", created ? time_format(created, rfc) : "N/A");
    put_text(o, "CreatedSince", x->opts->human ? since : created ? time_format(created, rfc) : "N/A");
    json_object_set_new(o, "Created", json_integer(created / 1000000000));
}

/* As docker cuts it, by characters. */
static char *shortened(const char *text)
{
    const char *p = text;
    for (size_t n = 0; *p && n < CREATED_BY_SHOWN - 1; n++)
        for (p++; (*p & 0xc0) == 0x80; p++)
            ;
    const char *last = p;
    for (size_t n = 0; *last && n < 2; n++)
        for (last++; (*last & 0xc0) == 0x80; last++)
            ;
    return last > p && *p && p[1] ? xasprintf("%.*s…", (int)(p - text), text) : xstrdup(text);
}

static void add_row(struct context *x, const json_t *entry, int64_t size, bool top)
{
    char text[16];
    json_t *o = json_object();
    const char *by = json_str(entry, "created_by");
    auto_free char *flat = xstrdup(by ? by : "");
    for (char *p = flat; *p; p++)
        *p = (char)(*p == '\t' || *p == '\n' ? ' ' : *p);
    auto_free char *cut = x->opts->no_trunc ? xstrdup(flat) : shortened(flat);
    auto_free char *id = !top                ? xstrdup("<missing>")
                         : x->opts->no_trunc ? xasprintf("sha256:%s", x->image.id)
                                             : xstrndup(x->image.id, ID_SHORT);
    auto_free char *bytes = xasprintf("%lld", (long long)size);
    put_text(o, "ID", id);
    put_created(x, o, json_str(entry, "created"));
    put_text(o, "CreatedBy", cut);
    put_text(o, "Size", x->opts->human ? size_format((uint64_t)size, text) : bytes);
    put_text(o, "Comment", json_str(entry, "comment"));
    json_object_set_new(o, "Tags", top ? json_from_strv(x->names) : json_array());
    json_array_append_new(x->rows, o);
}

static int layer_size(const struct context *x, size_t i, int64_t *ret)
{
    auto_with(layer_done) struct layer l = {0};
    int r = layer_load(x->store, x->image.layers[i], &l);
    *ret = l.size;
    return r < 0 ? err_wrap(r, "layer %.12s", x->image.layers[i]) : 0;
}

/* From the top down. Layers that the history does not tell of have rows of their own, at the bottom of it. */
static int add_rows(struct context *x)
{
    const json_t *history = image_config_history(&x->config);
    size_t layers = strv_len(x->image.layers), n = json_array_size(history);
    bool top = true;
    int64_t size;
    for (size_t i = n; i-- > 0; top = false) {
        const json_t *entry = json_array_get(history, i);
        size = 0;
        if (!json_bool(entry, "empty_layer", false) && layers > 0) {
            int r = layer_size(x, --layers, &size);
            if (r < 0)
                return r;
        }
        add_row(x, entry, size, top);
    }
    for (; layers > 0; top = false) {
        int r = layer_size(x, --layers, &size);
        if (r < 0)
            return r;
        add_row(x, NULL, size, top);
    }
    return 0;
}

static int load(struct context *x, const char *typed)
{
    struct rec_list names = {0};
    auto_free char *id = NULL;
    int r = image_find_platform(x->store, typed, x->opts->platform, &id, NULL);
    if (r == 0)
        r = image_load(x->store, id, &x->image);
    if (r == 0)
        r = image_load_config(x->store, id, &x->config);
    if (r == 0)
        r = names_load(x->store, &names);
    const struct image_name *n = names.items;
    for (size_t i = 0; r == 0 && i < names.n; i++)
        if (str_eq(n[i].image, id))
            strv_add(&x->names, n[i].reference);
    names_done(&names);
    return r;
}

static int print(const struct context *x)
{
    if (!x->opts->quiet || !listing_is_default(x->opts->format))
        return listing_print(x->opts->format, columns, ARRAY_LEN(columns), x->rows, true);
    for (size_t i = 0; i < json_array_size(x->rows); i++)
        printf("%s\n", json_str(json_array_get(x->rows, i), "ID"));
    return 0;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts, .rows = json_array()};
    int r = cmd_store(&x.store);
    if (r == 0)
        r = load(&x, args[0]);
    if (r == 0)
        r = add_rows(&x);
    if (r == 0)
        r = print(&x);
    image_done(&x.image);
    image_config_done(&x.config);
    strv_free(x.names);
    json_decref(x.rows);
    return r;
}

const struct cmd cmd_history = {
    .names = "history;image history",
    .args = "[OPTIONS] IMAGE",
    .summary = "show the steps that an image was made by",
    .description =
        "Shows a row for each step of the image's history, newest first, with what its layer holds. Only the "
        "image itself has an id here; the steps below it are <missing>.",
    .examples = "whelk history web\nwhelk history -q web\nwhelk history --no-trunc --format '{{.CreatedBy}}' web",
    .opts = history_table,
    .opts_size = sizeof(struct history_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
