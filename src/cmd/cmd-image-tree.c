/* whelk image tree: the layers of an image, or what lies on it, as a tree. */
#include "image-names.h"
#include "images.h"

#include "whelk/id.h"
#include "whelk/layer.h"
#include "whelk/units.h"

struct tree_opts {
    bool above;
};

static const struct opt tree_table[] = {
    {"whatrequires", 0, OPT_BOOL, OPT(struct tree_opts, above), .help = "show the layers that other images have on it"},
    OPT_END,
};

static bool begins_with(const struct image *image, char *const *layers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!image->layers || !image->layers[i] || !str_eq(image->layers[i], layers[i]))
            return false;
    return true;
}

/* "[a:latest b:v1]": the names of the images whose topmost layer is the n-th of layers. Caller frees. */
static char *tops(const struct image_set *set, char *const *layers, size_t n)
{
    const struct image_name *names = set->names.items;
    auto_strv char **found = NULL;
    for (size_t i = 0; i < set->n; i++) {
        const struct image *image = &set->items[i];
        if (strv_len(image->layers) != n || !begins_with(image, layers, n))
            continue;
        size_t before = strv_len(found);
        for (size_t j = 0; j < set->names.n; j++)
            if (str_eq(names[j].image, image->id))
                strv_add(&found, names[j].reference);
        if (strv_len(found) == before)
            strv_addf(&found, "%.*s", ID_SHORT, image->id);
    }
    auto_free char *list = strv_join(found, " ");
    return found ? xasprintf("[%s]", list) : NULL;
}

/* One line: the n-th of layers. */
static void print_layer(const struct image_set *set, char *const *layers, size_t n, const char *indent, bool last)
{
    auto_with(layer_done) struct layer l = {0};
    auto_free char *top = tops(set, layers, n);
    char size[16];
    int r = layer_load(set->store, layers[n - 1], &l);
    printf("%s%s ID: %.*s Size: %s", indent, last ? "└──" : "├──", ID_SHORT, layers[n - 1],
           r < 0 ? "unknown" : size_format((uint64_t)l.size, size));
    printf(top ? " Top Layer of: %s\n" : "\n", top);
    err_clear();
}

/* The images that go on above the first n layers, one for each next layer. Caller frees the vector. */
static const struct image **next_images(const struct image_set *set, char *const *layers, size_t n, size_t *ret_n)
{
    const struct image **found = xcalloc(set->n + 1, sizeof *found);
    size_t count = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct image *image = &set->items[i];
        bool known = strv_len(image->layers) <= n || !begins_with(image, layers, n);
        for (size_t j = 0; j < count && !known; j++)
            known = str_eq(found[j]->layers[n], image->layers[n]);
        if (!known)
            found[count++] = image;
    }
    *ret_n = count;
    return found;
}

static void print_above(const struct image_set *set, char *const *layers, size_t n, const char *indent)
{
    size_t count;
    auto_free const struct image **next = next_images(set, layers, n, &count);
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        auto_free char *deeper = xasprintf("%s%s", indent, last ? "    " : "│   ");
        print_layer(set, next[i]->layers, n + 1, indent, last);
        print_above(set, next[i]->layers, n + 1, deeper);
    }
}

static void print_tree(const struct image_set *set, const struct image *image, bool above)
{
    const struct image_name *names = set->names.items;
    auto_strv char **tags = NULL;
    size_t n = strv_len(image->layers);
    char size[16];
    for (size_t i = 0; i < set->names.n; i++)
        if (str_eq(names[i].image, image->id))
            strv_add(&tags, names[i].reference);
    auto_free char *list = strv_join(tags, " ");
    printf("Image ID: %.*s\nTags:     [%s]\nSize:     %s\n%s\n", ID_SHORT, image->id, list,
           size_format((uint64_t)image->size, size), n ? "Image Layers" : "No Image Layers");
    for (size_t i = above && n ? n - 1 : 0; i < n; i++)
        print_layer(set, image->layers, i + 1, "", i + 1 == n);
    if (above)
        print_above(set, image->layers, n, "    ");
}

static int run(void *opts, char **args)
{
    const struct tree_opts *o = opts;
    struct store *s;
    struct image_set set = {0};
    auto_free char *id = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = image_find(s, args[0], &id, NULL);
    if (r == 0)
        r = image_set_load(s, &set);
    for (size_t i = 0; r == 0 && i < set.n; i++)
        if (str_eq(set.items[i].id, id))
            print_tree(&set, &set.items[i], o->above);
    image_set_done(&set);
    return r;
}

const struct cmd cmd_image_tree = {
    .names = "image tree",
    .args = "[OPTIONS] IMAGE",
    .summary = "show the layers of an image as a tree",
    .description = "Shows the layers of an image, lowest first, with what each holds and which images end there; with "
                   "--whatrequires the layers that other images have on top of it.",
    .examples = "whelk image tree web\nwhelk image tree --whatrequires debian:12\nwhelk image tree 3f5a",
    .opts = tree_table,
    .opts_size = sizeof(struct tree_opts),
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
