/* whelk images: the table of images, a row for each name. */
#include "cmd.h"

#include "whelk/columns.h"
#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/ref.h"
#include "whelk/units.h"

struct images_opts {
    bool all, quiet, no_trunc;
};

static const struct opt images_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct images_opts, all), .help = "all images (whelk has no intermediate ones: the same list)"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct images_opts, no_trunc), .help = "show whole ids, with sha256:"},
    {"quiet", 'q', OPT_BOOL, OPT(struct images_opts, quiet), .help = "only ids, each once"},
    OPT_END,
};

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const struct image *)a)->created, y = ((const struct image *)b)->created;
    return (x < y) - (x > y);
}

static int load_images(const struct store *s, struct image **ret, size_t *ret_n)
{
    auto_strv char **ids = NULL;
    int r = image_list(s, &ids);
    if (r < 0)
        return r;
    struct image *images = xcalloc(strv_len(ids) + 1, sizeof *images);
    size_t n = 0;
    strv_foreach (id, ids) {
        r = image_load(s, id, &images[n]);
        if (r == 0)
            n++;
        else if (r != -ENOENT)
            log_warn("%s", err_text(r));
    }
    qsort(images, n, sizeof *images, newest_first);
    *ret = images;
    *ret_n = n;
    return 0;
}

static char *id_cell(const struct image *image, bool whole)
{
    return whole ? xasprintf("sha256:%s", image->id) : xstrndup(image->id, ID_SHORT);
}

static void print_row(struct columns *t, const struct image *image, const char *reference, bool whole)
{
    char ago[40], size[16];
    auto_free char *repository = NULL, *tag = NULL, *id = id_cell(image, whole);
    if (reference)
        ref_split_display(reference, &repository, &tag);
    auto_free char *created = image->created ? xasprintf("%s ago", time_ago(time_now() - image->created, ago)) : xstrdup("N/A");
    const char *cells[] = {repository ? repository : "<none>", tag ? tag : "<none>", id, created,
                           size_format((uint64_t)image->size, size)};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        columns_cell(t, cells[i]);
}

static void print_image(struct columns *t, const struct image *image, const struct rec_list *names, bool whole)
{
    const struct image_name *n = names->items;
    bool named = false;
    for (size_t i = 0; i < names->n; i++) {
        if (!str_eq(n[i].image, image->id))
            continue;
        named = true;
        print_row(t, image, n[i].reference, whole);
    }
    if (!named)
        print_row(t, image, NULL, whole);
}

static void print_table(const struct image *images, size_t n, const struct rec_list *names, bool whole)
{
    static const char *const headers[] = {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"};
    struct columns *t = columns_new(headers, ARRAY_LEN(headers));
    for (size_t i = 0; i < n; i++)
        print_image(t, &images[i], names, whole);
    columns_print(t, true, stdout);
    columns_free(t);
}

static int run(void *opts, char **args)
{
    const struct images_opts *o = opts;
    struct store *s;
    struct image *images = NULL;
    struct rec_list names = {0};
    size_t n = 0;
    int r = cmd_store(&s);
    if (r == 0)
        r = names_load(s, &names);
    if (r == 0)
        r = load_images(s, &images, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; o->quiet && i < n; i++) {
        auto_free char *id = id_cell(&images[i], o->no_trunc);
        printf("%s\n", id);
    }
    if (!o->quiet)
        print_table(images, n, &names, o->no_trunc);
    for (size_t i = 0; i < n; i++)
        image_done(&images[i]);
    free(images);
    names_done(&names);
    return 0;
}

const struct cmd cmd_images = {
    .names = "images;image ls;image list;image images",
    .args = "[OPTIONS]",
    .summary = "list images",
    .description = "Lists the images of the store, newest first, with a row for each name that an image has. SIZE is what the image's layers "
                   "hold unpacked; layers that images share are stored once.",
    .examples = "whelk images\nwhelk images -q --no-trunc\nwhelk rmi $(whelk images -q)",
    .opts = images_table,
    .opts_size = sizeof(struct images_opts),
    .max_args = 0,
    .run = run,
};
