/* An image as docker's JSON. */
#include "inspect.h"

#include "whelk/err.h"
#include "whelk/image.h"
#include "whelk/manifest.h"
#include "whelk/str.h"
#include "whelk/units.h"

static json_t *time_json(int64_t ns)
{
    char text[40];
    return json_string(time_format(ns, text));
}

static json_t *names_json(const struct rec_list *names, const char *id)
{
    json_t *a = json_array();
    const struct image_name *n = names->items;
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(n[i].image, id))
            json_array_append_new(a, json_from_str(n[i].reference));
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

/* The comment of the last step. */
static const char *comment_of(const struct image_config *config)
{
    const json_t *history = image_config_history(config);
    size_t n = json_array_size(history);
    const char *comment = n ? json_str(json_array_get(history, n - 1), "comment") : NULL;
    return comment ? comment : "";
}

/* What the manifest says that the image came by: the first that a name tells, else any that is kept. */
static int load_manifest(const struct store *s, const char *id, const struct rec_list *names, char **ret_digest,
                         size_t *ret_len, struct manifest *ret)
{
    const struct image_name *n = names->items;
    auto_strv char **kept = NULL;
    auto_free char *bytes = NULL;
    const char *digest = NULL;
    for (size_t i = 0; i < names->n && !digest; i++)
        digest = str_eq(n[i].image, id) ? n[i].manifest : NULL;
    int r = digest ? 0 : image_manifests(s, id, &kept);
    digest = digest ? digest : kept ? kept[0] : NULL;
    if (r < 0 || !digest)
        return r < 0 ? r : -ENOENT;
    r = image_read_manifest(s, id, digest, &bytes, ret_len);
    if (r == 0)
        r = manifest_parse(bytes, *ret_len, NULL, ret);
    if (r == 0)
        *ret_digest = xstrdup(digest);
    return r;
}

static void add_manifest(const struct store *s, const char *id, const struct rec_list *names, json_t *o)
{
    auto_with(manifest_done) struct manifest m = {0};
    auto_strv char **digests = names_digests(names, id);
    auto_free char *digest = NULL;
    size_t len;
    bool known = load_manifest(s, id, names, &digest, &len, &m) == 0;
    json_object_set_new(o, "RepoDigests", json_from_strv(digests));
    json_object_set_new(o, "Digest", json_from_str(known ? digest : ""));
    json_object_set_new(o, "ManifestType", json_from_str(known ? m.media_type : ""));
    json_object_set_new(o, "Annotations", known && m.annotations ? json_incref(m.annotations) : json_object());
    if (known)
        json_object_set_new(
            o, "Descriptor",
            json_pack("{s:s, s:s, s:I}", "mediaType", m.media_type, "digest", digest, "size", (json_int_t)len));
}

static json_t *healthcheck_json(const struct image_config *config)
{
    json_t *check = json_object_get(json_object_get(config->root, "config"), "Healthcheck");
    return check ? json_incref(check) : json_null();
}

static json_t *object(const struct store *s, const struct image *image, const struct image_config *config,
                      const struct rec_list *names)
{
    auto_free char *id = xasprintf("sha256:%s", image->id);
    const char *author = image_config_author(config);
    const char *variant = json_str(config->root, "variant");
    json_t *o = json_pack("{s:s, s:o, s:[], s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I}", "Id", id, "RepoTags",
                          names_json(names, image->id), "RepoDigests", "Parent", "", "Comment", comment_of(config),
                          "Created", time_json(image->created), "Author", author ? author : "", "Architecture",
                          image_config_architecture(config), "Os", image_config_os(config), "Size",
                          (json_int_t)image->size, "VirtualSize", (json_int_t)image->size);
    if (variant)
        json_object_set_new(o, "Variant", json_from_str(variant));
    json_t *settings = config_json(config);
    json_object_set(o, "Labels", json_object_get(settings, "Labels"));
    json_object_set(o, "User", json_object_get(settings, "User"));
    json_object_set_new(o, "Config", settings);
    json_object_set_new(o, "NamesHistory", names_json(names, image->id));
    json_object_set_new(o, "HealthCheck", healthcheck_json(config));
    add_manifest(s, image->id, names, o);
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
    struct rec_list names = {0};
    int r = image_load(s, id, &image);
    if (r == 0)
        r = image_load_config(s, id, &config);
    if (r == 0)
        r = names_load(s, &names);
    if (r == 0)
        *ret = object(s, &image, &config, &names);
    names_done(&names);
    image_config_done(&config);
    image_done(&image);
    return r;
}
