/* What the inspect commands share: finding objects and printing the array. */
#include "inspect.h"

#include "cmd.h"

#include "whelk/ctr.h"
#include "whelk/image.h"

struct context {
    struct store *store;
    bool containers, images;
    json_t *found;
};

static int find_container(const struct context *x, const char *arg, json_t **ret)
{
    auto_free char *id = NULL;
    int r = ctr_find(x->store, arg, &id);
    return r < 0 ? r : inspect_container(x->store, id, ret);
}

static int find_image(const struct context *x, const char *arg, json_t **ret)
{
    auto_free char *id = NULL;
    int r = image_find(x->store, arg, &id, NULL);
    return r < 0 ? r : inspect_image(x->store, id, ret);
}

static int inspect_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    json_t *o = NULL;
    int r = x->containers ? find_container(x, arg, &o) : -ENOENT;
    if (r == -ENOENT && x->images)
        r = find_image(x, arg, &o);
    if (r == -ENOENT && x->containers && x->images)
        return err_set(r, "no such container or image: %s", arg);
    if (r == 0)
        json_array_append_new(x->found, o);
    return r;
}

int inspect_print(bool containers, bool images, char **args)
{
    auto_json json_t *found = json_array();
    struct context x = {.containers = containers, .images = images, .found = found};
    int r = cmd_store(&x.store);
    if (r < 0)
        return r;
    r = cmd_each(args, inspect_one, &x);
    auto_free char *text = json_text(found, true);
    printf("%s\n", text);
    return r;
}

