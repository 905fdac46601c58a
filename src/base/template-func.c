/* Templates: the functions, Go's own and those that docker adds. Arguments come evaluated and in the right number. */
#include "template-parts.h"

#include "utf8.h"
#include "whelk/err.h"

#include <ctype.h>

enum { MAX_PIECES = 1000 * 1000 };

static int __attribute__((format(printf, 2, 3))) fail(const struct call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    auto_free char *message = xvasprintf(fmt, ap);
    va_end(ap);
    return template_error(c->t, c->node->pos, "error calling %s: %s", c->function->name, message);
}

static int get_string(const struct call *c, size_t i, const char **ret, size_t *ret_len)
{
    const json_t *j = c->args[i].j;
    if (!json_is_string(j))
        return fail(c, "argument %zu must be a string, not %s", i + 1, value_type(j));
    *ret = json_string_value(j);
    *ret_len = json_string_length(j);
    return 0;
}

static int get_int(const struct call *c, size_t i, json_int_t *ret)
{
    const json_t *j = c->args[i].j;
    if (!json_is_integer(j))
        return fail(c, "argument %zu must be a whole number, not %s", i + 1, value_type(j));
    *ret = json_integer_value(j);
    return 0;
}

/* Takes j. */
static int give(json_t *j, struct value *ret)
{
    *ret = (struct value){j, false};
    return 0;
}

static int give_buf(const struct call *c, const struct buf *b, struct value *ret)
{
    if (b->len > TEMPLATE_MAX_OUTPUT)
        return fail(c, "the result is longer than %d MiB", TEMPLATE_MAX_OUTPUT >> 20);
    return give(json_stringn_nocheck(b->data ? b->data : "", b->len), ret);
}

/* ---- truth and comparison ---- */

/* and, or: the walk stopped at the argument that decides. */
static int call_last(const struct call *c, struct value *ret)
{
    *ret = value_ref(&c->args[c->n - 1]);
    return 0;
}

static int call_not(const struct call *c, struct value *ret)
{
    return give(json_boolean(!value_truth(c->args[0].j)), ret);
}

static json_type kind_of(const json_t *j)
{
    json_type type = j ? json_typeof(j) : JSON_NULL;
    return type == JSON_FALSE ? JSON_TRUE : type;
}

static bool is_composite(const json_t *j)
{
    return json_is_array(j) || json_is_object(j);
}

/* Less than, equal or greater than 0; of one kind, and no composites. */
static int compare(const json_t *a, const json_t *b)
{
    switch (kind_of(a)) {
    case JSON_INTEGER:
        return (json_integer_value(a) > json_integer_value(b)) - (json_integer_value(a) < json_integer_value(b));
    case JSON_REAL:
        return (json_real_value(a) > json_real_value(b)) - (json_real_value(a) < json_real_value(b));
    case JSON_STRING: {
        size_t x = json_string_length(a), y = json_string_length(b);
        int r = memcmp(json_string_value(a), json_string_value(b), MIN(x, y));
        return r ? r : (x > y) - (x < y);
    }
    default:
        return json_is_true(a) - json_is_true(b);
    }
}

static int equal_any(const struct call *c, bool *ret)
{
    const json_t *first = c->args[0].j;
    if (is_composite(first))
        return fail(c, "uncomparable type %s", value_type(first));
    for (size_t i = 1; i < c->n; i++) {
        const json_t *other = c->args[i].j;
        json_type a = kind_of(first), b = kind_of(other);
        if (a != b && a != JSON_NULL && b != JSON_NULL)
            return fail(c, "incompatible types for comparison: %s and %s", value_type(first), value_type(other));
        *ret = a == b && compare(first, other) == 0;
        if (*ret)
            return 0;
    }
    return 0;
}

static int call_eq(const struct call *c, struct value *ret)
{
    bool equal = false;
    int r = equal_any(c, &equal);
    return r < 0 ? r : give(json_boolean(equal), ret);
}

static int call_ne(const struct call *c, struct value *ret)
{
    bool equal = false;
    int r = equal_any(c, &equal);
    return r < 0 ? r : give(json_boolean(!equal), ret);
}

static int call_order(const struct call *c, struct value *ret)
{
    const json_t *a = c->args[0].j, *b = c->args[1].j;
    json_type kind = kind_of(a);
    if (kind != JSON_INTEGER && kind != JSON_REAL && kind != JSON_STRING)
        return fail(c, "invalid type for comparison: %s", value_type(a));
    if (kind != kind_of(b))
        return fail(c, "incompatible types for comparison: %s and %s", value_type(a), value_type(b));
    int order = compare(a, b);
    bool or_equal = c->function->name[1] == 'e'; /* le, ge */
    bool less = c->function->name[0] == 'l';
    return give(json_boolean((less ? order < 0 : order > 0) || (or_equal && order == 0)), ret);
}

/* ---- lists and maps ---- */

static int call_len(const struct call *c, struct value *ret)
{
    const json_t *j = c->args[0].j;
    if (json_is_string(j))
        return give(json_integer((json_int_t)json_string_length(j)), ret);
    if (is_composite(j))
        return give(json_integer((json_int_t)(json_array_size(j) + json_object_size(j))), ret);
    if (j && json_is_null(j)) /* an empty list or map of docker's */
        return give(json_integer(0), ret);
    return fail(c, "len of type %s", value_type(j));
}

/* What a map of Go gives for a key that it lacks: nothing of the type that all members have. */
static json_t *zero_member(const json_t *object)
{
    json_type type = JSON_NULL;
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member)
    {
        if (type != JSON_NULL && kind_of(member) != type)
            return json_null();
        type = kind_of(member);
    }
    if (type == JSON_STRING || json_object_size(object) == 0) /* most often the map of labels */
        return json_string("");
    return type == JSON_INTEGER ? json_integer(0)
           : type == JSON_REAL  ? json_real(0)
           : type == JSON_TRUE  ? json_false()
                                : json_null();
}

static int index_object(const struct call *c, const json_t *object, const json_t *key, struct value *ret)
{
    if (!json_is_string(key))
        return fail(c, "a key must be a string, not %s", value_type(key));
    json_t *member = json_object_get(object, json_string_value(key));
    return give(member ? json_incref(member) : zero_member(object), ret);
}

static int index_list(const struct call *c, const struct value *list, const json_t *index, struct value *ret)
{
    size_t size = json_is_string(list->j) ? json_string_length(list->j) : json_array_size(list->j);
    json_int_t i = json_integer_value(index);
    if (!json_is_integer(index))
        return fail(c, "cannot index a list with type %s", value_type(index));
    if (i < 0 || (uint64_t)i >= size)
        return fail(c, "index out of range: %" JSON_INTEGER_FORMAT, i);
    if (json_is_string(list->j))
        return give(json_integer((unsigned char)json_string_value(list->j)[i]), ret);
    *ret = (struct value){json_incref(json_array_get(list->j, (size_t)i)), list->strict};
    return 0;
}

static int index_one(const struct call *c, const struct value *from, const json_t *key, struct value *ret)
{
    if (json_is_object(from->j) || (from->j && json_is_null(from->j) && json_is_string(key)))
        return index_object(c, from->j, key, ret);
    if (json_is_array(from->j) || json_is_string(from->j) || (from->j && json_is_null(from->j)))
        return index_list(c, from, key, ret);
    return fail(c, !from->j ? "index of untyped nil" : "can't index item of type %s", value_type(from->j));
}

static int call_index(const struct call *c, struct value *ret)
{
    auto_value struct value v = value_ref(&c->args[0]);
    for (size_t i = 1; i < c->n; i++) {
        struct value next;
        int r = index_one(c, &v, c->args[i].j, &next);
        if (r < 0)
            return r;
        value_done(&v);
        v = next;
    }
    *ret = (struct value){take_ptr(&v.j), v.strict};
    return 0;
}

static int call_slice(const struct call *c, struct value *ret)
{
    const json_t *j = c->args[0].j;
    bool string = json_is_string(j);
    if (!string && !json_is_array(j))
        return fail(c, "can't slice item of type %s", value_type(j));
    if (string && c->n > 3)
        return fail(c, "cannot 3-index slice a string");
    json_int_t size = (json_int_t)(string ? json_string_length(j) : json_array_size(j)), bounds[3] = {0, size, size};
    for (size_t i = 1; i < c->n; i++) {
        int r = get_int(c, i, &bounds[i - 1]);
        if (r < 0)
            return r;
        if (bounds[i - 1] < 0 || bounds[i - 1] > size)
            return fail(c, "index out of range: %" JSON_INTEGER_FORMAT, bounds[i - 1]);
    }
    for (int i = 0; i < 2; i++) {
        if (bounds[i] > bounds[i + 1])
            return fail(c, "invalid slice index: %" JSON_INTEGER_FORMAT " > %" JSON_INTEGER_FORMAT, bounds[i],
                        bounds[i + 1]);
    }
    if (string)
        return give(json_stringn_nocheck(json_string_value(j) + bounds[0], (size_t)(bounds[1] - bounds[0])), ret);
    json_t *part = json_array();
    for (json_int_t i = bounds[0]; i < bounds[1]; i++)
        json_array_append(part, json_array_get(j, (size_t)i));
    *ret = (struct value){part, c->args[0].strict};
    return 0;
}

/* ---- docker's ---- */

static int call_json(const struct call *c, struct value *ret)
{
    auto_buf struct buf b = {0};
    print_json(&b, c->args[0].j);
    return give_buf(c, &b, ret);
}

/* The length of the piece at s; without a separator each character is one. */
static size_t piece_len(const char *s, size_t len, const char *separator, size_t separator_len)
{
    if (!separator_len)
        return MIN(MAX(utf8_len(s), (size_t)1), len);
    const char *at = memmem(s, len, separator, separator_len);
    return at ? (size_t)(at - s) : len;
}

static int call_split(const struct call *c, struct value *ret)
{
    const char *s, *separator;
    size_t len, separator_len;
    int r = get_string(c, 0, &s, &len);
    if (r == 0)
        r = get_string(c, 1, &separator, &separator_len);
    if (r < 0)
        return r;
    auto_json json_t *pieces = json_array();
    bool more = separator_len || len; /* nothing has no characters, but one piece */
    while (more) {
        size_t piece = piece_len(s, len, separator, separator_len), step = MIN(piece + separator_len, len);
        json_array_append_new(pieces, json_stringn_nocheck(s, piece));
        more = separator_len ? piece < len : step < len;
        s += step;
        len -= step;
        if (json_array_size(pieces) > MAX_PIECES)
            return fail(c, "too many pieces");
    }
    return give(take_ptr(&pieces), ret);
}

static int call_join(const struct call *c, struct value *ret)
{
    const json_t *list = c->args[0].j;
    const char *separator;
    size_t separator_len;
    auto_buf struct buf b = {0};
    int r = get_string(c, 1, &separator, &separator_len);
    if (r < 0)
        return r;
    if (!json_is_array(list) && !(list && json_is_null(list)))
        return fail(c, "argument 1 must be a list of strings, not %s", value_type(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *element = json_array_get(list, i);
        if (!json_is_string(element))
            return fail(c, "element %zu must be a string, not %s", i, value_type(element));
        buf_add(&b, separator, i ? separator_len : 0);
        buf_add(&b, json_string_value(element), json_string_length(element));
        if (b.len > TEMPLATE_MAX_OUTPUT)
            break;
    }
    return give_buf(c, &b, ret);
}

/* Letters of ASCII only: there is no locale. */
static int change_case(const struct call *c, int (*convert)(int c), bool first_only, struct value *ret)
{
    const char *s;
    size_t len;
    auto_buf struct buf b = {0};
    int r = get_string(c, 0, &s, &len);
    if (r < 0)
        return r;
    for (size_t i = 0; i < len; i++) {
        unsigned char before = i ? (unsigned char)s[i - 1] : ' ', byte = (unsigned char)s[i];
        bool inside = isalnum(before) || before == '_' || before >= 0x80;
        buf_addc(&b, byte < 0x80 && !(first_only && inside) ? (char)convert(byte) : s[i]);
    }
    return give_buf(c, &b, ret);
}

static int call_lower(const struct call *c, struct value *ret)
{
    return change_case(c, tolower, false, ret);
}

static int call_upper(const struct call *c, struct value *ret)
{
    return change_case(c, toupper, false, ret);
}

static int call_title(const struct call *c, struct value *ret)
{
    return change_case(c, toupper, true, ret);
}

static int call_pad(const struct call *c, struct value *ret)
{
    const char *s;
    size_t len;
    json_int_t blanks[2];
    auto_buf struct buf b = {0};
    int r = get_string(c, 0, &s, &len);
    for (size_t i = 0; i < 2 && r == 0; i++) {
        r = get_int(c, i + 1, &blanks[i]);
        if (r == 0 && (blanks[i] < 0 || blanks[i] > TEMPLATE_MAX_OUTPUT))
            r = fail(c, "%" JSON_INTEGER_FORMAT " blanks make no sense", blanks[i]);
    }
    if (r < 0)
        return r;
    if (len) /* nothing stays nothing */
        buf_addf(&b, "%*s", (int)blanks[0], "");
    buf_add(&b, s, len);
    if (len)
        buf_addf(&b, "%*s", (int)blanks[1], "");
    return give_buf(c, &b, ret);
}

static int call_truncate(const struct call *c, struct value *ret)
{
    const char *s;
    size_t len;
    json_int_t n;
    int r = get_string(c, 0, &s, &len);
    if (r == 0)
        r = get_int(c, 1, &n);
    if (r == 0 && n < 0)
        r = fail(c, "the length must not be negative");
    return r < 0 ? r : give(json_stringn_nocheck(s, MIN(len, (size_t)n)), ret);
}

/* ---- text ---- */

/* Blanks between all operands, or only where neither is a string. */
static void add_operands(const struct call *c, bool always, struct buf *out)
{
    for (size_t i = 0; i < c->n && out->len <= TEMPLATE_MAX_OUTPUT; i++) {
        if (i && (always || (!json_is_string(c->args[i].j) && !json_is_string(c->args[i - 1].j))))
            buf_addc(out, ' ');
        print_value(out, c->args[i].j);
    }
}

static int call_print(const struct call *c, struct value *ret)
{
    auto_buf struct buf b = {0};
    add_operands(c, false, &b);
    return give_buf(c, &b, ret);
}

static int call_println(const struct call *c, struct value *ret)
{
    auto_buf struct buf b = {0};
    add_operands(c, true, &b);
    buf_addc(&b, '\n');
    return give_buf(c, &b, ret);
}

static int call_printf(const struct call *c, struct value *ret)
{
    const char *format;
    size_t len;
    auto_buf struct buf b = {0};
    int r = get_string(c, 0, &format, &len);
    if (r < 0)
        return r;
    print_format(&b, format, len, c->args + 1, c->n - 1);
    return give_buf(c, &b, ret);
}

static void add_html(struct buf *out, char byte)
{
    static const char letters[] = "\"'&<>", *const names[] = {"&#34;", "&#39;", "&amp;", "&lt;", "&gt;"};
    const char *at = byte ? strchr(letters, byte) : NULL;
    if (at)
        buf_adds(out, names[at - letters]);
    else if (!byte)
        buf_adds(out, "\xef\xbf\xbd");
    else
        buf_addc(out, byte);
}

static void add_js(struct buf *out, char byte)
{
    if (byte && strchr("\\'\"", byte))
        buf_addf(out, "\\%c", byte);
    else if ((unsigned char)byte < 0x20 || strchr("<>&=", byte))
        buf_addf(out, "\\u%04X", byte);
    else
        buf_addc(out, byte);
}

static void add_url(struct buf *out, char byte)
{
    if (isalnum((unsigned char)byte) || (byte && strchr("-_.~", byte)))
        buf_addc(out, byte);
    else if (byte == ' ')
        buf_addc(out, '+');
    else
        buf_addf(out, "%%%02X", (unsigned char)byte);
}

static int escape(const struct call *c, void (*add)(struct buf *out, char byte), struct value *ret)
{
    auto_buf struct buf plain = {0}, b = {0};
    add_operands(c, false, &plain);
    for (size_t i = 0; i < plain.len && b.len <= TEMPLATE_MAX_OUTPUT; i++)
        add(&b, plain.data[i]);
    return give_buf(c, &b, ret);
}

static int call_html(const struct call *c, struct value *ret)
{
    return escape(c, add_html, ret);
}

static int call_js(const struct call *c, struct value *ret)
{
    return escape(c, add_js, ret);
}

static int call_urlquery(const struct call *c, struct value *ret)
{
    return escape(c, add_url, ret);
}

/* ---- the table ---- */

static const struct template_function functions[] = {
    {"and", 1, SIZE_MAX, call_last, 0},
    {"eq", 2, SIZE_MAX, call_eq, -1},
    {"ge", 2, 2, call_order, -1},
    {"gt", 2, 2, call_order, -1},
    {"html", 1, SIZE_MAX, call_html, -1},
    {"index", 1, SIZE_MAX, call_index, -1},
    {"join", 2, 2, call_join, -1},
    {"js", 1, SIZE_MAX, call_js, -1},
    {"json", 1, 1, call_json, -1},
    {"le", 2, 2, call_order, -1},
    {"len", 1, 1, call_len, -1},
    {"lower", 1, 1, call_lower, -1},
    {"lt", 2, 2, call_order, -1},
    {"ne", 2, 2, call_ne, -1},
    {"not", 1, 1, call_not, -1},
    {"or", 1, SIZE_MAX, call_last, 1},
    {"pad", 3, 3, call_pad, -1},
    {"print", 0, SIZE_MAX, call_print, -1},
    {"printf", 1, SIZE_MAX, call_printf, -1},
    {"println", 0, SIZE_MAX, call_println, -1},
    {"slice", 1, 4, call_slice, -1},
    {"split", 2, 2, call_split, -1},
    {"title", 1, 1, call_title, -1},
    {"truncate", 2, 2, call_truncate, -1},
    {"upper", 1, 1, call_upper, -1},
    {"urlquery", 1, SIZE_MAX, call_urlquery, -1},
};

const struct template_function *template_function(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (str_eq(functions[i].name, name))
            return &functions[i];
    }
    return NULL;
}
