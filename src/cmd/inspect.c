/* What the inspect commands share: finding objects and printing the array. */
#include "inspect.h"

#include "cmd.h"
#include "image-names.h"
#include "listing.h"
#include "networks.h"
#include "volumes.h"

#include "whelk/ctr.h"
#include "whelk/image.h"

struct context {
    struct store *store;
    const struct inspect_request *q;
    json_t *found;
};

static int find_container(const struct context *x, const char *arg, json_t **ret)
{
    auto_free char *id = NULL;
    int r = ctr_find(x->store, arg, &id);
    return r < 0 ? r : inspect_container(x->store, id, x->q->size, ret);
}

static int find_image(const struct context *x, const char *arg, json_t **ret)
{
    auto_free char *id = NULL;
    int r = image_find_platform(x->store, arg, x->q->platform, &id, NULL);
    return r < 0 ? r : inspect_image(x->store, id, ret);
}

static int find_volume(const struct context *x, const char *arg, json_t **ret)
{
    auto_free char *name = NULL;
    auto_strv char **used = NULL;
    auto_with(volume_done) struct volume v = {0};
    size_t links = 0;
    int r = volume_find(x->store, arg, &name);
    if (r == 0)
        r = volume_load(x->store, name, &v);
    if (r == 0)
        r = volumes_used(x->store, &used);
    strv_foreach (user, used)
        links += str_eq(user, name);
    if (r == 0)
        *ret = volume_json(x->store, &v, links);
    return r;
}

static int find_network(const struct context *x, const char *arg, json_t **ret)
{
    auto_with(network_done) struct network n = {0};
    int r = network_load_typed(x->store, arg, &n);
    if (r == 0)
        *ret = network_json(x->store, &n);
    return r;
}

static int inspect_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    json_t *o = NULL;
    int r = x->q->containers ? find_container(x, arg, &o) : -ENOENT;
    if (r == -ENOENT && x->q->images)
        r = find_image(x, arg, &o);
    if (r == -ENOENT && x->q->volumes)
        r = find_volume(x, arg, &o);
    if (r == -ENOENT && x->q->networks)
        r = find_network(x, arg, &o);
    if (r == -ENOENT && x->q->containers && x->q->images)
        r = err_set(r, "no such container or image: %s", arg);
    if (r == -ENOENT && str_eq(program_invocation_short_name, "docker")) /* who is called so answers so (CV-06) */
        r = err_with_status(r, 1);
    if (r == 0)
        json_array_append_new(x->found, o);
    return r;
}

static int print(const char *format, const json_t *found)
{
    if (format && !str_eq(format, "json")) {
        int r = 0;
        for (size_t i = 0; i < json_array_size(found) && r == 0; i++)
            r = listing_print_object(format, json_array_get(found, i));
        return r;
    }
    auto_free char *text = json_text(found, true);
    printf("%s\n", text);
    return 0;
}

int inspect_print(const struct inspect_request *q, char **args)
{
    auto_json json_t *found = json_array();
    struct context x = {.q = q, .found = found};
    int r = cmd_store(&x.store);
    if (r < 0)
        return r;
    int status = cmd_each(args, inspect_one, &x);
    r = print(q->format, found);
    return r < 0 ? r : status;
}
