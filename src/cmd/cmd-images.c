/* whelk images: the table of images, a row for each name. */
#include "images.h"
#include "listing.h"

#include "whelk/id.h"
#include "whelk/ref.h"
#include "whelk/units.h"

struct images_opts {
    bool all, digests, no_trunc, noheading, quiet;
    char *format, *sort;
    char **filters;
};

static const struct opt images_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct images_opts, all),
     .help = "all images (whelk has no intermediate ones: the same list)"},
    {"digests", 0, OPT_BOOL, OPT(struct images_opts, digests), .help = "show the digests of the manifests too"},
    {"filter", 'f', OPT_LIST, OPT(struct images_opts, filters), .arg = "KEY=VALUE",
     .help = "only those that match, as dangling=true or label=KEY", .complete = COMPLETE_WORDS,
     .words = "after= before= containers= dangling= digest= id= intermediate= label= manifest= readonly= reference= "
              "since= until="},
    {"format", 0, OPT_STR, OPT(struct images_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each image, as '{{.Repository}}'"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct images_opts, no_trunc), .help = "show whole ids, with sha256:"},
    {"noheading", 'n', OPT_BOOL, OPT(struct images_opts, noheading), .help = "leave out the header line"},
    {"quiet", 'q', OPT_BOOL, OPT(struct images_opts, quiet), .help = "only ids, each once"},
    {"sort", 0, OPT_STR, OPT(struct images_opts, sort), .arg = "BY", .help = "order", .def = "created",
     .complete = COMPLETE_WORDS, .words = "created id repository size tag"},
    OPT_END,
};

enum { DIGEST_COLUMN = 2 }; /* shown with --digests */

static const struct template_column columns[] = {
    {"Repository", "REPOSITORY", true},   {"Tag", "TAG", true},
    {"Digest", "DIGEST", false},          {"ID", "IMAGE ID", true},
    {"CreatedSince", "CREATED", true},    {"Size", "SIZE", true},
    {"CreatedAt", "CREATED AT", false},   {"SharedSize", "SHARED SIZE", false},
    {"UniqueSize", "UNIQUE SIZE", false}, {"VirtualSize", "VIRTUAL SIZE", false},
};

static const struct sort_key sort_keys[] = {
    {"created", "Created", true}, {"id", "ID", false},   {"repository", "Repository", false},
    {"size", "Bytes", false},     {"tag", "Tag", false}, {NULL, NULL, false},
};

struct context {
    const struct images_opts *opts;
    int64_t now;
    bool full;
    json_t *rows;
};

static json_t *text(const char *s)
{
    return json_from_str(s ? s : "");
}

static json_t *text_take(char *s)
{
    json_t *j = text(s);
    free(s);
    return j;
}

static void add_basic(const struct context *x, const struct image_row *row, json_t *o)
{
    char ago[40], size[16];
    const struct image *image = row->image;
    auto_free char *repository = NULL, *tag = NULL;
    if (row->reference)
        ref_split_display(row->reference, &repository, &tag);
    json_object_set_new(o, "Repository", text(repository ? repository : "<none>"));
    json_object_set_new(o, "Tag", text(tag ? tag : "<none>"));
    json_object_set_new(
        o, "ID", text_take(x->opts->no_trunc ? xasprintf("sha256:%s", image->id) : xstrndup(image->id, ID_SHORT)));
    json_object_set_new(o, "CreatedSince",
                        image->created ? text_take(xasprintf("%s ago", time_ago(x->now - image->created, ago)))
                                       : text("N/A"));
    json_object_set_new(o, "Size", text(size_format((uint64_t)image->size, size)));
    json_object_set_new(o, "Digest", text(row->digest ? row->digest : "<none>"));
}

static json_t *names_json(const struct image_row *row)
{
    const struct image_name *n = row->set->names.items;
    json_t *a = json_array();
    for (size_t i = 0; i < row->set->names.n; i++)
        if (str_eq(n[i].image, row->image->id))
            json_array_append_new(a, text(n[i].reference));
    return a;
}

static json_t *labels_json(const struct image_row *row)
{
    struct image_config config = {0};
    json_t *o = NULL;
    if (image_load_config(row->set->store, row->image->id, &config) == 0)
        o = json_deep_copy(json_object_get(json_object_get(config.root, "config"), "Labels"));
    image_config_done(&config);
    return o ? o : json_null();
}

/* docker's and podman's further fields. */
static void add_full(const struct image_row *row, json_t *o)
{
    const struct image *image = row->image;
    char size[16], created[40];
    auto_free char *users = xasprintf("%zu", image_set_users(row->set, image->id)), *at = listing_time(image->created);
    size_format((uint64_t)image->size, size);
    json_object_set_new(o, "CreatedAt", text(image->created ? at : "N/A"));
    json_object_set_new(o, "Containers", text(users));
    json_object_set_new(o, "SharedSize", text("N/A"));
    json_object_set_new(o, "UniqueSize", text("N/A"));
    json_object_set_new(o, "VirtualSize", text(size));
    json_object_set_new(o, "CreatedTime", text(time_format(image->created, created)));
    json_object_set_new(o, "Dangling", json_boolean(!row->reference));
    json_object_set_new(o, "IsDangling", json_boolean(!row->reference));
    json_object_set_new(o, "IsReadOnly", json_false());
    json_object_set_new(o, "ReadOnly", json_false());
    json_object_set_new(o, "Labels", labels_json(row));
    json_object_set_new(o, "Names", names_json(row));
    json_object_set_new(o, "RepoTags", names_json(row));
    auto_strv char **digests = names_digests(&row->set->names, image->id);
    json_object_set_new(o, "RepoDigests", json_from_strv(digests));
    json_object_set_new(o, "ParentId", text(""));
}

static int add_row(const struct image_row *row, void *ctx)
{
    const struct context *x = ctx;
    json_t *o = json_object();
    add_basic(x, row, o);
    if (x->full)
        add_full(row, o);
    json_object_set_new(o, "Created", json_integer(row->image->created / 1000000000));
    json_object_set_new(o, "Bytes", json_integer(row->image->size));
    json_array_append_new(x->rows, o);
    return 0;
}

static void print_ids(const json_t *rows)
{
    auto_strv char **shown = NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *id = json_str(json_array_get(rows, i), "ID");
        if (strv_has(shown, id))
            continue;
        strv_add(&shown, id);
        printf("%s\n", id);
    }
}

static int print(const struct context *x, const struct sort_key *order)
{
    const struct images_opts *o = x->opts;
    if (order)
        listing_sort(x->rows, order);
    if (o->quiet && listing_is_default(o->format)) {
        print_ids(x->rows);
        return 0;
    }
    struct template_column shown[ARRAY_LEN(columns)];
    memcpy(shown, columns, sizeof(columns));
    shown[DIGEST_COLUMN].in_default = o->digests;
    return listing_print(o->format, shown, ARRAY_LEN(shown), x->rows, !o->noheading);
}

static bool needs_users(const struct images_opts *o)
{
    strv_foreach (word, o->filters)
        if (str_after(word, "containers="))
            return true;
    return !listing_is_default(o->format);
}

static int run(void *opts, char **args)
{
    struct images_opts *o = opts;
    const struct sort_key *order = NULL;
    struct store *s;
    struct image_set set = {0};
    auto_json json_t *rows = json_array();
    struct context x = {.opts = o, .now = time_now(), .full = !listing_is_default(o->format), .rows = rows};
    strv_foreach (pattern, args)
        strv_addf(&o->filters, "reference=%s", pattern);
    int r = o->sort ? listing_find_sort(sort_keys, o->sort, &order) : 0;
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = image_set_load(s, &set);
    if (r == 0 && needs_users(o))
        r = image_set_load_users(&set);
    if (r == 0)
        r = image_rows_each(&set, image_filters, o->filters, add_row, &x);
    if (r == 0)
        r = print(&x, order);
    image_set_done(&set);
    return r;
}

const struct cmd cmd_images = {
    .names = "images;image ls;image list;image images",
    .args = "[OPTIONS] [REPOSITORY[:TAG]]",
    .summary = "list images",
    .description = "Lists the images of the store, newest first, with a row for each name that an image has; with an "
                   "argument, which may have * in it, "
                   "only the names that are like it. SIZE is what the image's layers hold unpacked; layers that images "
                   "share are stored once.",
    .examples = "whelk images\nwhelk images 'web*'\nwhelk images -f dangling=true\nwhelk images --format "
                "'{{.Repository}}:{{.Tag}} {{.Size}}'\nwhelk rmi $(whelk images -q)",
    .opts = images_table,
    .opts_size = sizeof(struct images_opts),
    .max_args = 1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
