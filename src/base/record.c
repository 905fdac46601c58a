/* Records. One row per kind says how a member is loaded, saved and freed; everything else walks the field tables.
 *
 * Strings of a record can be arbitrary bytes (arguments, environment, paths), JSON text cannot. A byte that is not part
 * of valid UTF-8 is kept as the code point U+10FF00 + byte, which nobody uses; one that is there already is kept byte
 * by byte likewise. So every string comes back as it was. */
#include "whelk/record.h"

#include "utf8.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/units.h"

enum { RECORD_MAX_BYTES = 4 * 1024 * 1024, RECORD_MODE = 0600 };
enum { BYTE_LEN = 4 };

/* Is there a U+10FF80..U+10FFFF at s? Then *ret is its byte. */
static bool byte_at(const char *s, char *ret)
{
    const unsigned char *p = (const unsigned char *)s;
    if (p[0] != 0xf4 || p[1] != 0x8f || (p[2] != 0xbe && p[2] != 0xbf))
        return false;
    *ret = (char)((p[2] == 0xbf ? 0xc0 : 0x80) | (p[3] & 0x3f));
    return true;
}

/* The string as valid UTF-8. Caller frees. */
static char *text_encode(const char *s)
{
    struct buf b = {};
    while (*s) {
        char byte;
        size_t n = utf8_len(s);
        if (n && !(n == BYTE_LEN && byte_at(s, &byte))) {
            buf_add(&b, s, n);
            s += n;
            continue;
        }
        unsigned char c = *s++;
        const char escaped[] = {'\xf4', '\x8f', (char)(c >= 0xc0 ? 0xbf : 0xbe), (char)(0x80 | (c & 0x3f))};
        buf_add(&b, escaped, sizeof(escaped));
    }
    return buf_take(&b);
}

/* The inverse. Caller frees. */
static char *text_decode(const char *s)
{
    char *text = xstrdup(s), *to = text;
    for (const char *from = text; *from;) {
        if (byte_at(from, to)) {
            to++;
            from += BYTE_LEN;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return text;
}

static json_t *json_from_text(const char *s)
{
    auto_free char *text = text_encode(s);
    return json_string(text);
}

/* The loaders: at is the member. WRONG_TYPE is not yet an error with text: field_load knows the key. */
enum { WRONG_TYPE = 1 };

static int str_load(const struct rec_field *f, const json_t *j, void *at)
{
    if (!json_is_string(j))
        return WRONG_TYPE;
    *(char **)at = text_decode(json_string_value(j));
    return 0;
}

static json_t *str_save(const struct rec_field *f, const void *at)
{
    const char *s = *(char *const *)at;
    return s ? json_from_text(s) : NULL;
}

static void str_done(const struct rec_field *f, void *at)
{
    free(*(char **)at);
}

static int strv_load(const struct rec_field *f, const json_t *j, void *at)
{
    size_t i;
    json_t *element;
    if (!json_is_array(j))
        return WRONG_TYPE;
    char **v = *(char ***)at = xcalloc(json_array_size(j) + 1, sizeof(*v));
    json_array_foreach(j, i, element)
    {
        if (!json_is_string(element))
            return WRONG_TYPE;
        v[i] = text_decode(json_string_value(element));
    }
    return 0;
}

static json_t *strv_save(const struct rec_field *f, const void *at)
{
    char *const *v = *(char **const *)at;
    if (strv_len(v) == 0)
        return NULL;
    json_t *array = json_array();
    strv_foreach (s, v)
        json_array_append_new(array, json_from_text(s));
    return array;
}

static void strv_done(const struct rec_field *f, void *at)
{
    strv_free(*(char ***)at);
}

static int map_load(const struct rec_field *f, const json_t *j, void *at)
{
    size_t n = 0;
    const char *key;
    json_t *value;
    if (!json_is_object(j))
        return WRONG_TYPE;
    char **v = *(char ***)at = xcalloc(json_object_size(j) + 1, sizeof(*v));
    json_object_foreach((json_t *)j, key, value)
    {
        if (!json_is_string(value) || strchr(key, '='))
            return WRONG_TYPE;
        auto_free char *left = text_decode(key), *right = text_decode(json_string_value(value));
        v[n++] = xasprintf("%s=%s", left, right);
    }
    return 0;
}

static json_t *map_save(const struct rec_field *f, const void *at)
{
    char *const *v = *(char **const *)at;
    if (strv_len(v) == 0)
        return NULL;
    json_t *object = json_object();
    strv_foreach (s, v) {
        size_t n = strcspn(s, "=");
        auto_free char *raw = xstrndup(s, n), *key = text_encode(raw);
        json_object_set_new(object, key, json_from_text(s[n] ? s + n + 1 : ""));
    }
    return object;
}

static int int_load(const struct rec_field *f, const json_t *j, void *at)
{
    if (!json_is_integer(j))
        return WRONG_TYPE;
    *(int64_t *)at = json_integer_value(j);
    return 0;
}

static json_t *int_save(const struct rec_field *f, const void *at)
{
    int64_t n = *(const int64_t *)at;
    return n ? json_integer(n) : NULL;
}

static int bool_load(const struct rec_field *f, const json_t *j, void *at)
{
    if (!json_is_boolean(j))
        return WRONG_TYPE;
    *(bool *)at = json_is_true(j);
    return 0;
}

static json_t *bool_save(const struct rec_field *f, const void *at)
{
    return *(const bool *)at ? json_true() : NULL;
}

static int time_load(const struct rec_field *f, const json_t *j, void *at)
{
    return json_is_string(j) && time_parse(json_string_value(j), at) == 0 ? 0 : WRONG_TYPE;
}

static json_t *time_save(const struct rec_field *f, const void *at)
{
    char text[40];
    int64_t ns = *(const int64_t *)at;
    return ns ? json_string(time_format(ns, text)) : NULL;
}

static int any_load(const struct rec_field *f, const json_t *j, void *at)
{
    *(json_t **)at = json_incref((json_t *)j);
    return 0;
}

static json_t *any_save(const struct rec_field *f, const void *at)
{
    return json_incref(*(json_t *const *)at);
}

static void any_done(const struct rec_field *f, void *at)
{
    json_decref(*(json_t **)at);
}

static int sub_load(const struct rec_field *f, const json_t *j, void *at)
{
    return json_is_object(j) ? rec_from_json(f->sub, j, at) : WRONG_TYPE;
}

static json_t *sub_save(const struct rec_field *f, const void *at)
{
    json_t *j = rec_to_json(f->sub, at);
    if (json_object_size(j) > 0)
        return j;
    json_decref(j);
    return NULL;
}

static void sub_done(const struct rec_field *f, void *at)
{
    rec_done(f->sub, at);
}

static int list_load(const struct rec_field *f, const json_t *j, void *at)
{
    size_t i;
    json_t *element;
    if (!json_is_array(j))
        return WRONG_TYPE;
    json_array_foreach(j, i, element)
    {
        int r = json_is_object(element) ? rec_from_json(f->sub, element, rec_list_add(f->sub, at)) : WRONG_TYPE;
        if (r != 0)
            return r;
    }
    return 0;
}

static json_t *list_save(const struct rec_field *f, const void *at)
{
    const struct rec_list *list = at;
    if (list->n == 0)
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(array, rec_to_json(f->sub, (char *)list->items + i * f->sub->size));
    return array;
}

static void list_done(const struct rec_field *f, void *at)
{
    struct rec_list *list = at;
    for (size_t i = 0; i < list->n; i++)
        rec_done(f->sub, (char *)list->items + i * f->sub->size);
    free(list->items);
}

static const struct rec_kind_ops {
    const char *wanted; /* for the error text */
    int (*load)(const struct rec_field *f, const json_t *j, void *at);
    json_t *(*save)(const struct rec_field *f, const void *at); /* a new value, NULL for the zero one */
    void (*done)(const struct rec_field *f, void *at);          /* may be NULL */
} kinds[] = {
    [REC_STR] = {"a string", str_load, str_save, str_done},
    [REC_STRV] = {"an array of strings", strv_load, strv_save, strv_done},
    [REC_MAP] = {"an object of strings", map_load, map_save, strv_done},
    [REC_INT] = {"an integer", int_load, int_save, NULL},
    [REC_BOOL] = {"true or false", bool_load, bool_save, NULL},
    [REC_TIME] = {"a time", time_load, time_save, NULL},
    [REC_JSON] = {"a value", any_load, any_save, any_done},
    [REC_SUB] = {"an object", sub_load, sub_save, sub_done},
    [REC_LIST] = {"an array of objects", list_load, list_save, list_done},
};
_Static_assert(ARRAY_LEN(kinds) == REC_STOP_, "every kind has its row");

static const struct rec_field *field_find(const struct rec_type *t, const char *key)
{
    for (const struct rec_field *f = t->fields; f->key; f++) {
        if (str_eq(f->key, key))
            return f;
    }
    return NULL;
}

static int field_load(const struct rec_type *t, const struct rec_field *f, const json_t *j, void *rec)
{
    int r = kinds[f->kind].load(f, j, (char *)rec + f->offset);
    if (r == WRONG_TYPE)
        return err_set(-EBADMSG, "%s: key \"%s\" is not %s", t->name, f->key, kinds[f->kind].wanted);
    return r < 0 ? err_wrap(r, "%s: key \"%s\"", t->name, f->key) : 0;
}

/* Every known key into its member, every unknown one into the head. */
static int fields_load(const struct rec_type *t, const json_t *j, void *rec)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)j, key, value)
    {
        const struct rec_field *f = field_find(t, key);
        struct rec_head *head = rec;
        if (f) {
            int r = field_load(t, f, value, rec);
            if (r < 0)
                return r;
        } else if (t->schema && !str_eq(key, "schema")) {
            if (!head->unknown)
                head->unknown = json_object();
            json_object_set(head->unknown, key, value);
        }
    }
    return 0;
}

static int schema_check(const struct rec_type *t, const json_t *j)
{
    const json_t *schema = json_object_get(j, "schema");
    if (!t->schema)
        return 0;
    if (!json_is_integer(schema) || json_integer_value(schema) < 1)
        return err_set(-EBADMSG, "%s: key \"schema\" is not a positive integer", t->name);
    if (json_integer_value(schema) > t->schema)
        return err_set(-EPROTO, "%s: the record has schema %lld, this version knows up to %d", t->name,
                       (long long)json_integer_value(schema), t->schema);
    return 0;
}

int rec_from_json(const struct rec_type *t, const json_t *j, void *ret)
{
    if (!json_is_object(j))
        return err_set(-EBADMSG, "%s: not a JSON object", t->name);
    int r = schema_check(t, j);
    if (r < 0)
        return r;
    r = fields_load(t, j, ret);
    if (r < 0)
        rec_done(t, ret);
    return r;
}

json_t *rec_to_json(const struct rec_type *t, const void *rec)
{
    json_t *j = json_object();
    if (t->schema)
        json_object_set_new(j, "schema", json_integer(t->schema));
    for (const struct rec_field *f = t->fields; f->key; f++) {
        json_t *value = kinds[f->kind].save(f, (const char *)rec + f->offset);
        if (value)
            json_object_set_new(j, f->key, value);
    }
    if (t->schema)
        json_object_update_missing(j, ((const struct rec_head *)rec)->unknown);
    return j;
}

void rec_done(const struct rec_type *t, void *rec)
{
    for (const struct rec_field *f = t->fields; f->key; f++) {
        if (kinds[f->kind].done)
            kinds[f->kind].done(f, (char *)rec + f->offset);
    }
    if (t->schema)
        json_decref(((struct rec_head *)rec)->unknown);
    memset(rec, 0, t->size);
}

void *rec_list_add(const struct rec_type *t, struct rec_list *list)
{
    list->items = xrealloc(list->items, (list->n + 1) * t->size);
    return memset((char *)list->items + list->n++ * t->size, 0, t->size);
}

int rec_load(const struct rec_type *t, int dirfd, const char *path, void *ret)
{
    auto_free char *data = NULL;
    auto_json json_t *j = NULL;
    size_t len;
    int r = file_read(dirfd, path, RECORD_MAX_BYTES, &data, &len);
    if (r < 0)
        return r;
    r = json_parse(path, data, len, &j);
    if (r < 0)
        return r;
    r = rec_from_json(t, j, ret);
    return r < 0 ? err_wrap(r, "%s", path) : 0;
}

static char *rec_text(const struct rec_type *t, const void *rec, size_t *ret_len)
{
    auto_json json_t *j = rec_to_json(t, rec);
    auto_free char *text = json_text(j, true);
    char *line = xasprintf("%s\n", text);
    *ret_len = strlen(line);
    return line;
}

int rec_save(const struct rec_type *t, int dirfd, const char *path, const void *rec, bool durable)
{
    size_t len;
    auto_free char *text = rec_text(t, rec, &len);
    return file_publish(dirfd, path, text, len, RECORD_MODE, durable);
}

int rec_write(const struct rec_type *t, int dirfd, const char *path, const void *rec)
{
    size_t len;
    auto_free char *text = rec_text(t, rec, &len);
    return file_write(dirfd, path, text, len, RECORD_MODE);
}
