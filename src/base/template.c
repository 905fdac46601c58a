/* Templates, in four steps:
 *
 *   template-lex.c    text -> tokens: where {{ }} begin and end, comments, trim markers
 *   template-parse.c  tokens -> a tree of nodes; all names of functions and variables are known good from here on
 *   template-exec.c   walks the tree with a value for dot and for each variable
 *   template-func.c   what can be called; template-print.c: how values look
 *
 * template-list.c puts rows through it. Go has types where JSON has none, so three rules stand in for them: a member
 * that the top object lacks is an error (Go's struct), one that an object below lacks is no value (Go's map), and index
 * gives "" for a missing key where all others are strings.
 *
 * This file: what belongs to the whole template. */
#include "template-parts.h"

#include "whelk/err.h"

static void node_free(struct node *n)
{
    free(n->text);
    strv_free(n->fields);
    json_decref(n->value);
    strv_free(n->vars);
    free(n->kids);
    free(n);
}

void template_free(struct template *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_nodes; i++)
        node_free(t->nodes[i]);
    free(t->nodes);
    free(t->text);
    free(t);
}

/* The line and a caret below the place; a long line would only be confusing. */
static void add_caret(int r, const char *line, size_t column)
{
    size_t len = strcspn(line, "\n");
    if (len > 120)
        return;
    auto_free char *whole = xstrndup(line, len), *before = xstrndup(line, column);
    auto_free char *shown = str_printable(whole), *shown_before = str_printable(before);
    auto_free char *detail = xasprintf("  %s\n  %*s^", shown, (int)text_width(shown_before), "");
    err_detail(r, detail);
}

int template_error(const struct template *t, size_t pos, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    auto_free char *message = xvasprintf(fmt, ap);
    va_end(ap);
    size_t start = 0, line = 1;
    for (size_t i = 0; i < pos; i++) {
        if (t->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    auto_free char *shown = str_printable(message), *before = xstrndup(t->text + start, pos - start);
    int r = err_set(-EINVAL, "template:%zu:%zu: %s", line, text_width(before) + 1, shown);
    add_caret(r, t->text + start, pos - start);
    return r;
}

/* ---- text ---- */

size_t text_width(const char *s)
{
    size_t width = 0;
    for (; *s; s++)
        width += ((unsigned char)*s & 0xc0) != 0x80;
    return width;
}

size_t rune_encode(uint64_t rune, char s[4])
{
    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        rune = 0xfffd;
    size_t n = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, rune >>= 6)
        s[i] = (char)(0x80 | (rune & 0x3f));
    s[0] = (char)(n == 1 ? rune : (0xf00u >> n) | rune);
    return n;
}

/* ---- values ---- */

bool value_truth(const json_t *j)
{
    switch (j ? json_typeof(j) : JSON_NULL) {
    case JSON_STRING:
        return json_string_length(j) > 0;
    case JSON_INTEGER:
        return json_integer_value(j) != 0;
    case JSON_REAL:
        return json_real_value(j) != 0;
    case JSON_ARRAY:
        return json_array_size(j) > 0;
    case JSON_OBJECT:
        return json_object_size(j) > 0;
    default:
        return json_is_true(j);
    }
}

const char *value_type(const json_t *j)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "map[string]interface {}",
        [JSON_ARRAY] = "[]interface {}",
        [JSON_STRING] = "string",
        [JSON_INTEGER] = "int",
        [JSON_REAL] = "float64",
        [JSON_TRUE] = "bool",
        [JSON_FALSE] = "bool",
        [JSON_NULL] = "<nil>",
    };
    return names[j ? json_typeof(j) : JSON_NULL];
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **value_sorted_keys(const json_t *object)
{
    const char **keys = xcalloc(json_object_size(object) + 1, sizeof(*keys)), *key;
    size_t n = 0;
    json_t *member;
    json_object_foreach((json_t *)object, key, member) keys[n++] = key;
    qsort(keys, n, sizeof(*keys), compare_keys);
    return keys;
}
