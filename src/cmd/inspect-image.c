/* An image as docker's JSON. */
#include "inspect.h"

#include "whelk/err.h"
#include "whelk/image.h"
#include "whelk/str.h"
#include "whelk/units.h"

static json_t *time_json(int64_t ns)
{
    char text[40];
    return json_string(time_format(ns, text));
}

static json_t *names_json(const struct store *s, const char *id)
{
    json_t *a = json_array();
    struct rec_list names = {0};
    if (names_load(s, &names) < 0)
        return a;
    const struct image_name *n = names.items;
    for (size_t i = 0; i < names.n; i++)
        if (str_eq(n[i].image, id))
            json_array_append_new(a, json_from_str(n[i].reference));
    names_done(&names);
    return a;
}

static json_t *layers_json(const struct image_config *config)
{
    auto_strv char **ids = image_config_diff_ids(config);
    json_t *a = json_array();
    strv_foreach (id, ids) {
        auto_free char *digest = xasprintf("sha256:%s", id);
        json_array_append_new(a, json_string(digest));
    }
    return a;
}

static json_t *history_json(const struct image_config *config)
{
    const json_t *history = image_config_history(config);
    return history ? json_deep_copy(history) : json_array();
}

/* docker's keys are there when the image says nothing about them. */
static json_t *config_json(const struct image_config *config)
{
    static const struct {
        const char *key, *value; /* as JSON */
    } usual[] = {
        {"Cmd", "null"},  {"Entrypoint", "null"}, {"Env", "[]"},       {"ExposedPorts", "null"},
        {"Labels", "{}"}, {"User", "\"\""},       {"Volumes", "null"}, {"WorkingDir", "\"\""},
    };
    const json_t *inner = json_object_get(config->root, "config");
    json_t *o = inner ? json_deep_copy(inner) : json_object();
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        if (!json_object_get(o, usual[i].key))
            json_object_set_new(o, usual[i].key, json_loads(usual[i].value, JSON_DECODE_ANY, NULL));
    return o;
}

static json_t *object(const struct store *s, const struct image *image, const struct image_config *config)
{
    auto_free char *id = xasprintf("sha256:%s", image->id);
    const char *author = image_config_author(config);
    const char *variant = json_str(config->root, "variant");
    json_t *o = json_pack("{s:s, s:o, s:[], s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I}", "Id", id, "RepoTags",
                          names_json(s, image->id), "RepoDigests", "Parent", "", "Comment", "", "Created",
                          time_json(image->created), "Author", author ? author : "", "Architecture",
                          image_config_architecture(config), "Os", image_config_os(config), "Size",
                          (json_int_t)image->size, "VirtualSize", (json_int_t)image->size);
    if (variant)
        json_object_set_new(o, "Variant", json_from_str(variant));
    json_t *settings = config_json(config);
    json_object_set(o, "Labels", json_object_get(settings, "Labels"));
    json_object_set(o, "User", json_object_get(settings, "User"));
    json_object_set_new(o, "Config", settings);
    json_object_set_new(o, "NamesHistory", names_json(s, image->id));
    json_object_set_new(o, "GraphDriver", json_pack("{s:s, s:{}}", "Name", "overlay", "Data"));
    json_object_set_new(o, "RootFS", json_pack("{s:s, s:o}", "Type", "layers", "Layers", layers_json(config)));
    json_object_set_new(o, "History", history_json(config));
    json_object_set_new(o, "Metadata", json_pack("{s:o}", "LastTagTime", time_json(image->stored)));
    return o;
}

int inspect_image(const struct store *s, const char *id, json_t **ret)
{
    struct image image = {0};
    struct image_config config = {0};
    int r = image_load(s, id, &image);
    if (r == 0)
        r = image_load_config(s, id, &config);
    if (r == 0)
        *ret = object(s, &image, &config);
    image_config_done(&config);
    image_done(&image);
    return r;
}
