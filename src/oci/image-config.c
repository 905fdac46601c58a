/* Image configurations as a tree. Everything that a run may read is checked once, in image_config_parse, so that the
 * getters can trust the types. Keys that are not known here are carried along and never looked at (H6). */
#include "whelk/image-config.h"

#include "whelk/err.h"
#include "whelk/platform.h"
#include "whelk/str.h"
#include "whelk/units.h"

enum { SHA256_HEX = 64 };

/* The order in which keys are written: the image-spec's own. Other keys follow in the order in which they came. */
static const char *const root_order[] = {"architecture", "os",     "variant", "author", "created",
                                         "config",       "rootfs", "history", NULL};
static const char *const config_order[] = {"User",        "ExposedPorts", "Env",        "Entrypoint",
                                           "Cmd",         "Volumes",      "WorkingDir", "Labels",
                                           "Healthcheck", "StopSignal",   "Shell",      NULL};

enum shape { STRING, STRINGS, STRING_MAP, SET, OBJECT };

static const char *const shape_text[] = {
    [STRING] = "a string",
    [STRINGS] = "an array of strings",
    [STRING_MAP] = "an object of strings",
    [SET] = "an object",
    [OBJECT] = "an object",
};

/* The keys of "config" that may influence a run, and what they must be if they are there and not null. */
static const struct config_key {
    const char *name;
    enum shape shape;
} config_keys[] = {
    {"User", STRING},       {"WorkingDir", STRING},  {"StopSignal", STRING}, {"Env", STRINGS},
    {"Cmd", STRINGS},       {"Entrypoint", STRINGS}, {"Shell", STRINGS},     {"OnBuild", STRINGS},
    {"Labels", STRING_MAP}, {"Volumes", SET},        {"ExposedPorts", SET},  {"Healthcheck", OBJECT},
};

static bool all_strings(const json_t *value)
{
    const char *key;
    json_t *element;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach((json_t *)value, i, element) if (!json_is_string(element)) return false;
    } else {
        json_object_foreach((json_t *)value, key, element) if (!json_is_string(element)) return false;
    }
    return true;
}

static bool has_shape(const json_t *value, enum shape shape)
{
    switch (shape) {
    case STRING:
        return json_is_string(value);
    case STRINGS:
        return json_is_array(value) && all_strings(value);
    case STRING_MAP:
        return json_is_object(value) && all_strings(value);
    case SET:
    case OBJECT:
        return json_is_object(value);
    }
    return false;
}

static int check_config(const json_t *config)
{
    if (!config || json_is_null(config))
        return 0;
    if (!json_is_object(config))
        return err_set(-EINVAL, "image config: \"config\" is not an object");
    for (size_t i = 0; i < ARRAY_LEN(config_keys); i++) {
        const struct config_key *k = &config_keys[i];
        const json_t *value = json_object_get(config, k->name);

        if (value && !json_is_null(value) && !has_shape(value, k->shape))
            return err_set(-EINVAL, "image config: \"%s\" is not %s", k->name, shape_text[k->shape]);
    }
    return 0;
}

/* The hex part of a sha256 digest, or NULL if it is not one. */
static const char *digest_hex(const json_t *digest)
{
    const char *s = json_string_value(digest), *hex = s ? str_after(s, "sha256:") : NULL;
    return hex && strlen(hex) == SHA256_HEX && str_is_hex(hex, SHA256_HEX) ? hex : NULL;
}

static int check_rootfs(const json_t *rootfs)
{
    const char *type = json_is_object(rootfs) ? json_str(rootfs, "type") : NULL;
    json_t *ids = json_object_get(rootfs, "diff_ids"), *id;
    size_t i;

    if (!type || !str_eq(type, "layers"))
        return err_set(-EINVAL, "image config: \"rootfs\" has not the type \"layers\"");
    if (ids && !json_is_null(ids) && !json_is_array(ids))
        return err_set(-EINVAL, "image config: \"diff_ids\" is not an array");
    json_array_foreach(ids, i, id) if (!digest_hex(id)) return err_set(
        -EINVAL, "image config: diff_ids[%zu] is not a sha256 digest", i);
    return 0;
}

static int check_history(const json_t *root)
{
    json_t *history = json_object_get(root, "history"), *entry;
    size_t i, layers = json_array_size(json_object_get(json_object_get(root, "rootfs"), "diff_ids")), full = 0;

    if (!history || json_is_null(history))
        return 0;
    if (!json_is_array(history))
        return err_set(-EINVAL, "image config: \"history\" is not an array");
    json_array_foreach(history, i, entry)
    {
        if (!json_is_object(entry))
            return err_set(-EINVAL, "image config: history[%zu] is not an object", i);
        full += !json_bool(entry, "empty_layer", false);
    }
    if (full > layers)
        return err_set(-EINVAL, "image config: the history has %zu layers, the image %zu", full, layers);
    return 0;
}

static int check_root(const json_t *root)
{
    if (!json_is_object(root))
        return err_set(-EINVAL, "image config: not a JSON object");
    if (str_empty(json_str(root, "os")))
        return err_set(-EINVAL, "image config: no \"os\"");
    if (str_empty(json_str(root, "architecture")))
        return err_set(-EINVAL, "image config: no \"architecture\"");
    return 0;
}

/* null stands for absence in what Go programs write; without it a later put finds a place of the right type. */
static void drop_nulls(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value) if (json_is_null(value)) json_object_del(object, key);
}

static json_t *config_of(const struct image_config *c)
{
    return json_object_get(c->root, "config");
}

/* The container under key, made if it is missing. Borrowed. */
static json_t *container(json_t *parent, const char *key, json_t *(*make)(void))
{
    json_t *value = json_object_get(parent, key);

    if (!value) {
        value = make();
        json_object_set_new(parent, key, value);
    }
    return value;
}

void image_config_new(struct image_config *ret)
{
    json_t *root = json_object(), *rootfs = json_object();

    json_object_set_new(root, "architecture", json_string(platform_architecture()));
    json_object_set_new(root, "os", json_string(platform_os()));
    if (platform_variant())
        json_object_set_new(root, "variant", json_string(platform_variant()));
    json_object_set_new(root, "config", json_object());
    json_object_set_new(rootfs, "type", json_string("layers"));
    json_object_set_new(rootfs, "diff_ids", json_array());
    json_object_set_new(root, "rootfs", rootfs);
    ret->root = root;
}

int image_config_parse(const char *bytes, size_t len, struct image_config *ret)
{
    auto_json json_t *root = NULL;
    int r = json_parse("image config", bytes, len, &root);

    if (r < 0)
        return r;
    if ((r = check_root(root)) < 0)
        return r;
    if ((r = check_config(json_object_get(root, "config"))) < 0)
        return r;
    if ((r = check_rootfs(json_object_get(root, "rootfs"))) < 0)
        return r;
    if ((r = check_history(root)) < 0)
        return r;
    drop_nulls(root);
    drop_nulls(container(root, "config", json_object));
    drop_nulls(json_object_get(root, "rootfs"));
    container(json_object_get(root, "rootfs"), "diff_ids", json_array);
    ret->root = take_ptr(&root);
    return 0;
}

void image_config_copy(const struct image_config *from, struct image_config *ret)
{
    ret->root = json_deep_copy(from->root);
}

void image_config_done(struct image_config *c)
{
    json_decref(c->root);
    c->root = NULL;
}

/* A new object with the keys of order first, each in its place, and then the others. */
static json_t *ordered(const json_t *object, const char *const *order)
{
    json_t *sorted = json_object();

    for (; *order; order++) {
        json_t *value = json_object_get(object, *order);
        if (value)
            json_object_set(sorted, *order, value);
    }
    json_object_update_missing(sorted, (json_t *)object);
    return sorted;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A new object with the keys in byte order: maps mean the same in any order, so one order is the right one. */
static json_t *sorted_map(const json_t *object)
{
    size_t n = 0, count = json_object_size(object);
    auto_free const char **keys = xcalloc(count + 1, sizeof(*keys));
    json_t *sorted = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)object, key, value) keys[n++] = key;
    qsort(keys, n, sizeof(*keys), compare_strings);
    for (size_t i = 0; i < n; i++)
        json_object_set(sorted, keys[i], json_object_get(object, keys[i]));
    return sorted;
}

char *image_config_bytes(const struct image_config *c, size_t *ret_len)
{
    auto_json json_t *root = ordered(c->root, root_order);
    auto_json json_t *config = ordered(config_of(c), config_order);
    char *text;

    for (size_t i = 0; i < ARRAY_LEN(config_keys); i++) {
        const json_t *value = json_object_get(config, config_keys[i].name);
        if (value && (config_keys[i].shape == SET || config_keys[i].shape == STRING_MAP))
            json_object_set_new(config, config_keys[i].name, sorted_map(value));
    }
    json_object_set(root, "config", config);
    text = json_text(root, false);
    *ret_len = strlen(text);
    return text;
}

const char *image_config_str(const struct image_config *c, const char *key)
{
    return json_str(config_of(c), key);
}

/* An empty vector with room for n strings: sizes come from outside, so no vector may be walked for each addition. */
static char **vector(size_t n)
{
    return n ? xcalloc(n + 1, sizeof(char *)) : NULL;
}

char **image_config_strv(const struct image_config *c, const char *key)
{
    const json_t *array = json_object_get(config_of(c), key);
    char **v = vector(json_array_size(array));

    for (size_t i = 0; i < json_array_size(array); i++)
        v[i] = xstrdup(json_string_value(json_array_get(array, i)));
    return v;
}

char **image_config_map(const struct image_config *c, const char *key)
{
    json_t *map = json_object_get(config_of(c), key), *value;
    char **v = vector(json_object_size(map));
    const char *name;
    size_t n = 0;

    json_object_foreach(map, name, value) v[n++] = xasprintf("%s=%s", name, json_string_value(value));
    return v;
}

char **image_config_set_keys(const struct image_config *c, const char *key)
{
    json_t *set = json_object_get(config_of(c), key), *value;
    char **v = vector(json_object_size(set));
    const char *name;
    size_t n = 0;

    json_object_foreach(set, name, value) v[n++] = xstrdup(name);
    return v;
}

/* jansson takes only UTF-8; what is not is shown as \xNN rather than lost. */
static json_t *text_value(const char *s)
{
    json_t *value = json_string(s);
    auto_free char *shown = NULL;

    if (value)
        return value;
    shown = str_printable(s);
    return json_string(shown);
}

/* Takes value. */
static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set(object, key, value) < 0) { /* a key that is not UTF-8 either */
        auto_free char *shown = str_printable(key);
        json_object_set(object, shown, value);
    }
    json_decref(value);
}

static void put_text(json_t *object, const char *key, const char *value)
{
    if (value)
        put(object, key, text_value(value));
    else
        json_object_del(object, key);
}

void image_config_put_str(struct image_config *c, const char *key, const char *value)
{
    put_text(config_of(c), key, value);
}

void image_config_put_strv(struct image_config *c, const char *key, char *const *value)
{
    json_t *array;

    if (!value) {
        json_object_del(config_of(c), key);
        return;
    }
    array = json_array();
    strv_foreach (s, value)
        json_array_append_new(array, text_value(s));
    json_object_set_new(config_of(c), key, array);
}

void image_config_put_map(struct image_config *c, const char *key, const char *name, const char *value)
{
    put_text(container(config_of(c), key, json_object), name, value);
}

void image_config_put_json(struct image_config *c, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(config_of(c), key, value);
    else
        json_object_del(config_of(c), key);
}

void image_config_put_set_key(struct image_config *c, const char *key, const char *name)
{
    put(container(config_of(c), key, json_object), name, json_object());
}

const char *image_config_architecture(const struct image_config *c)
{
    return json_str(c->root, "architecture");
}

const char *image_config_os(const struct image_config *c)
{
    return json_str(c->root, "os");
}

const char *image_config_author(const struct image_config *c)
{
    return json_str(c->root, "author");
}

void image_config_put_author(struct image_config *c, const char *author)
{
    put_text(c->root, "author", author);
}

int64_t image_config_created(const struct image_config *c)
{
    const char *text = json_str(c->root, "created");
    int64_t ns;

    return text && time_parse(text, &ns) == 0 ? ns : 0;
}

void image_config_put_created(struct image_config *c, int64_t ns)
{
    char buf[40];
    json_object_set_new(c->root, "created", json_string(time_format(ns, buf)));
}

static json_t *diff_ids(const struct image_config *c)
{
    return json_object_get(json_object_get(c->root, "rootfs"), "diff_ids");
}

char **image_config_diff_ids(const struct image_config *c)
{
    const json_t *ids = diff_ids(c);
    char **v = vector(json_array_size(ids));

    for (size_t i = 0; i < json_array_size(ids); i++)
        v[i] = xstrdup(digest_hex(json_array_get(ids, i)));
    return v;
}

void image_config_add_diff_id(struct image_config *c, const char *hex)
{
    auto_free char *digest = xasprintf("sha256:%s", hex);
    json_array_append_new(diff_ids(c), json_string(digest));
}

void image_config_clear_layers(struct image_config *c)
{
    json_array_clear(diff_ids(c));
    json_object_del(c->root, "history");
}

void image_config_add_history(struct image_config *c, int64_t created_ns, const char *created_by, const char *comment,
                              bool empty_layer)
{
    json_t *entry = json_object();
    char buf[40];

    json_object_set_new(entry, "created", json_string(time_format(created_ns, buf)));
    put_text(entry, "created_by", created_by);
    put_text(entry, "comment", comment);
    if (empty_layer)
        json_object_set_new(entry, "empty_layer", json_true());
    json_array_append_new(container(c->root, "history", json_array), entry);
}

const json_t *image_config_history(const struct image_config *c)
{
    return json_object_get(c->root, "history");
}
