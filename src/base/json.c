/* JSON in and out, on jansson. */
#include "whelk/json.h"

#include "utf8.h"
#include "whelk/err.h"
#include "whelk/str.h"

enum { JSON_MAX_BYTES = 4 * 1024 * 1024 };

int json_parse(const char *what, const char *data, size_t len, json_t **ret)
{
    json_error_t error;
    if (len > JSON_MAX_BYTES)
        return err_set(-EFBIG, "%s: %zu bytes of JSON are too many", what, len);
    json_t *j = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);
    if (!j) {
        auto_free char *text = str_printable(error.text);
        return err_set(-EBADMSG, "%s: not valid JSON, line %d: %s", what, error.line, text);
    }
    *ret = j;
    return 0;
}

char *json_text(const json_t *j, bool pretty)
{
    char *text = json_dumps(j, JSON_ENCODE_ANY | (pretty ? JSON_INDENT(4) : JSON_COMPACT));
    if (!text)
        abort(); /* no memory, as the x-allocators: json_from_str lets no other reason come up */
    return text;
}

const char *json_str(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(obj, key));
}

int64_t json_int(const json_t *obj, const char *key, int64_t fallback)
{
    const json_t *j = json_object_get(obj, key);
    return json_is_integer(j) ? json_integer_value(j) : fallback;
}

bool json_bool(const json_t *obj, const char *key, bool fallback)
{
    const json_t *j = json_object_get(obj, key);
    return json_is_boolean(j) ? json_is_true(j) : fallback;
}

json_t *json_from_str(const char *s)
{
    json_t *j = json_string(s);
    if (j)
        return j;
    auto_buf struct buf b = {};
    while (*s) {
        size_t n = utf8_len(s);
        buf_add(&b, n ? s : "\xef\xbf\xbd", n ? n : 3);
        s += n ? n : 1;
    }
    return json_string(b.data);
}

json_t *json_from_strv(char *const *v)
{
    json_t *array = json_array();
    strv_foreach (s, v)
        json_array_append_new(array, json_from_str(s));
    return array;
}

json_t *json_from_map(char *const *v)
{
    json_t *o = json_object();
    strv_foreach (pair, v) {
        auto_free char *key = xstrndup(pair, strcspn(pair, "="));
        const char *eq = strchr(pair, '=');
        json_object_set_new(o, key, json_from_str(eq ? eq + 1 : ""));
    }
    return o;
}

int json_to_strv(const json_t *array, char ***ret)
{
    size_t i;
    json_t *element;
    if (!json_is_array(array))
        return err_set(-EINVAL, "not an array of strings");
    auto_strv char **v = xcalloc(json_array_size(array) + 1, sizeof(*v));
    json_array_foreach(array, i, element)
    {
        if (!json_is_string(element))
            return err_set(-EINVAL, "element %zu is not a string", i);
        v[i] = xstrdup(json_string_value(element));
    }
    *ret = take_ptr(&v);
    return 0;
}
