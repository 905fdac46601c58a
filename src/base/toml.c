/* A reader of TOML 1.0: recursive descent over bytes that end with a NUL, one line of error text with the line's
 * number.
 *
 * What TOML forbids twice, by who made a table: a header [a] may come once (DEFINED); inline tables and arrays written
 * out are complete (CLOSED); what dotted keys made may not be opened by a header (DOTTED). Notes about tables are kept
 * beside the tree, by address. */
#include "whelk/toml.h"

#include "utf8.h"
#include "whelk/err.h"
#include "whelk/str.h"

#include <ctype.h>

enum { TOML_MAX = 1 << 20, DEPTH_MAX = 32, NOTES_MAX = 4000, KEY_PARTS_MAX = 16, NUMBER_MAX = 64 };
enum note { NOTE_DEFINED = 1, NOTE_CLOSED = 2, NOTE_DOTTED = 4, NOTE_ARRAY = 8 };

struct toml {
    const char *what;
    const char *p, *end;
    unsigned line, depth;
    struct {
        const json_t *of;
        unsigned bits;
    } * notes;
    size_t n_notes;
};

static int bad(const struct toml *t, const char *text)
{
    return err_set(-EBADMSG, "%s: line %u: %s", t->what, t->line, text);
}

/* ---- notes ---- */

static unsigned note_get(const struct toml *t, const json_t *of)
{
    for (size_t i = 0; i < t->n_notes; i++)
        if (t->notes[i].of == of)
            return t->notes[i].bits;
    return 0;
}

static int note_add(struct toml *t, const json_t *of, unsigned bits)
{
    for (size_t i = 0; i < t->n_notes; i++)
        if (t->notes[i].of == of) {
            t->notes[i].bits |= bits;
            return 0;
        }
    if (t->n_notes == NOTES_MAX)
        return bad(t, "too many tables");
    if (!t->notes)
        t->notes = xcalloc(NOTES_MAX, sizeof(*t->notes));
    t->notes[t->n_notes].of = of;
    t->notes[t->n_notes++].bits = bits;
    return 0;
}

/* ---- blanks, comments, ends of lines ---- */

static void skip_blanks(struct toml *t)
{
    while (*t->p == ' ' || *t->p == '\t')
        t->p++;
}

static int skip_comment(struct toml *t)
{
    if (*t->p != '#')
        return 0;
    for (; *t->p && *t->p != '\n'; t->p++)
        if ((iscntrl((unsigned char)*t->p) && *t->p != '\t' && !(t->p[0] == '\r' && t->p[1] == '\n')))
            return bad(t, "a control character in a comment");
    return 0;
}

static bool at_newline(const struct toml *t)
{
    return *t->p == '\n' || (t->p[0] == '\r' && t->p[1] == '\n');
}

static void take_newline(struct toml *t)
{
    t->p += *t->p == '\r' ? 2 : 1;
    t->line++;
}

/* Blanks, comments and newlines, as between the elements of an array. */
static int skip_space(struct toml *t)
{
    int r = 0;
    while (r == 0) {
        skip_blanks(t);
        r = skip_comment(t);
        if (!at_newline(t))
            break;
        take_newline(t);
    }
    return r;
}

static int expect_line_end(struct toml *t)
{
    skip_blanks(t);
    int r = skip_comment(t);
    if (r < 0)
        return r;
    if (t->p == t->end)
        return 0;
    if (!at_newline(t))
        return bad(t, "something stands where the line should end");
    take_newline(t);
    return 0;
}

/* ---- strings ---- */

static int add_code_point(struct toml *t, struct buf *b, unsigned digits)
{
    unsigned long c = 0;
    for (unsigned i = 0; i < digits; i++, t->p++) {
        if (!isxdigit((unsigned char)*t->p))
            return bad(t, "\\u wants 4 hexadecimal digits, \\U wants 8");
        c = c << 4 | (unsigned)(isdigit((unsigned char)*t->p) ? *t->p - '0' : tolower((unsigned char)*t->p) - 'a' + 10);
    }
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return bad(t, "\\u of something that is no character");
    if (c < 0x80) {
        buf_addc(b, (char)c);
        return 0;
    }
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    buf_addc(b, (char)(leads[more] | c >> (6 * more)));
    while (more--)
        buf_addc(b, (char)(0x80 | (c >> (6 * more) & 63)));
    return 0;
}

/* Behind a backslash. */
static int add_escape(struct toml *t, struct buf *b, bool multi)
{
    static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\033\"\\";
    const char *at = *t->p ? strchr(from, *t->p) : NULL;
    if (*t->p == 'u' || *t->p == 'U')
        return add_code_point(t, b, *t->p++ == 'u' ? 4 : 8);
    if (at) {
        buf_addc(b, to[at - from]);
        t->p++;
        return 0;
    }
    const char *q = t->p + strspn(t->p, " \t");
    if (!multi || !(*q == '\n' || (q[0] == '\r' && q[1] == '\n')))
        return bad(t, "an unknown escape in a string");
    for (t->p = q; *t->p == ' ' || *t->p == '\t' || at_newline(t);)
        if (at_newline(t))
            take_newline(t);
        else
            t->p++;
    return 0;
}

static int add_character(struct toml *t, struct buf *b)
{
    size_t n = utf8_len(t->p);
    if (!n)
        return bad(t, "not valid UTF-8");
    if (iscntrl((unsigned char)*t->p) && *t->p != '\t')
        return bad(t, "a control character in a string");
    buf_add(b, t->p, n);
    t->p += n;
    return 0;
}

/* The end of a multi-line string may have one or two quotes of its own before it. */
static bool multi_end(struct toml *t, struct buf *b, char quote)
{
    size_t n = strspn(t->p, (char[]){quote, 0});
    if (n < 3)
        return false;
    for (size_t extra = MIN(n, (size_t)5) - 3; extra; extra--)
        buf_addc(b, quote);
    t->p += MIN(n, (size_t)5);
    return true;
}

static int read_string(struct toml *t, bool may_multi, struct buf *b)
{
    char quote = *t->p;
    bool multi = t->p[1] == quote && t->p[2] == quote;
    int r = 0;
    if (multi && !may_multi)
        return bad(t, "a key cannot span lines");
    t->p += multi ? 3 : 1;
    if (multi && at_newline(t))
        take_newline(t);
    buf_add(b, "", 0);
    while (r == 0) {
        if (multi && multi_end(t, b, quote))
            return 0;
        if (!multi && *t->p == quote) {
            t->p++;
            return 0;
        }
        if (t->p == t->end || (at_newline(t) && !multi))
            return bad(t, "a string without an end");
        if (at_newline(t)) {
            buf_addc(b, '\n');
            take_newline(t);
        } else if (*t->p == '\\' && quote == '"') {
            t->p++;
            r = add_escape(t, b, multi);
        } else {
            r = add_character(t, b);
        }
    }
    return r;
}

/* ---- keys ---- */

static bool is_bare(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* a . "b" . c into a vector. */
static int read_key(struct toml *t, char ***ret)
{
    for (;;) {
        auto_buf struct buf b = {0};
        int r = 0;
        skip_blanks(t);
        if (*t->p == '"' || *t->p == '\'')
            r = read_string(t, false, &b);
        else
            while (is_bare(*t->p))
                buf_addc(&b, *t->p++);
        if (r < 0)
            return r;
        if (!b.data)
            return bad(t, "a key is missing");
        if (strv_len(*ret) == KEY_PARTS_MAX)
            return bad(t, "a key with too many parts");
        strv_add_take(ret, buf_take(&b));
        skip_blanks(t);
        if (*t->p != '.')
            return 0;
        t->p++;
    }
}

/* ---- values ---- */

static int read_value(struct toml *t, json_t **ret);
static int read_pair(struct toml *t, json_t *into);

static int read_array(struct toml *t, json_t **ret)
{
    auto_json json_t *array = json_array();
    for (t->p++;;) {
        json_t *value;
        int r = skip_space(t);
        if (r < 0)
            return r;
        if (*t->p == ']')
            break;
        r = read_value(t, &value);
        if (r == 0 && json_array_append_new(array, value) < 0)
            r = -ENOMEM;
        if (r == 0)
            r = skip_space(t);
        if (r < 0)
            return r;
        if (*t->p == ',')
            t->p++;
        else if (*t->p != ']')
            return bad(t, "an array wants , or ]");
    }
    t->p++;
    *ret = take_ptr(&array);
    return 0;
}

static int read_inline(struct toml *t, json_t **ret)
{
    auto_json json_t *table = json_object();
    t->p++;
    skip_blanks(t);
    for (bool first = true; first || *t->p != '}'; first = false) {
        if (first && *t->p == '}')
            break;
        int r = read_pair(t, table);
        if (r < 0)
            return r;
        skip_blanks(t);
        if (*t->p == '}')
            break;
        if (*t->p != ',')
            return bad(t, "an inline table wants , or }");
        t->p++;
        skip_blanks(t);
        if (*t->p == '}')
            return bad(t, "an inline table ends without a comma");
    }
    t->p++;
    int r = note_add(t, table, NOTE_CLOSED);
    if (r == 0)
        *ret = take_ptr(&table);
    return r;
}

/* Underscores stand between digits only. */
static bool drop_underscores(char *s)
{
    char *to = s;
    for (char *from = s; *from; from++) {
        bool between = from > s && isxdigit((unsigned char)from[-1]) && isxdigit((unsigned char)from[1]);
        if (*from == '_' && !between)
            return false;
        if (*from != '_')
            *to++ = *from;
    }
    *to = '\0';
    return true;
}

static bool is_time(const char *s)
{
    return (strlen(s) >= 8 && s[2] == ':' && isdigit((unsigned char)s[0])) ||
           (strlen(s) >= 10 && s[4] == '-' && s[7] == '-' && isdigit((unsigned char)s[0]));
}

static int read_integer(struct toml *t, const char *s, json_t **ret)
{
    static const struct {
        const char *prefix;
        int base;
    } forms[] = {{"0x", 16}, {"0o", 8}, {"0b", 2}};
    char *end = NULL;
    int base = 10;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (str_after(s, forms[i].prefix)) {
            base = forms[i].base;
            s += 2;
        }
    const char *digits = s + (base == 10 && (*s == '+' || *s == '-'));
    bool zero = base == 10 && digits[0] == '0' && digits[1];
    errno = 0;
    long long v = isxdigit((unsigned char)*digits) && !zero ? strtoll(s, &end, base) : 0;
    if (!end || *end || errno)
        return bad(t, "neither a number nor true, false, a string, an array or a table");
    *ret = json_integer(v);
    return 0;
}

static int read_float(struct toml *t, const char *s, json_t **ret)
{
    const char *digits = s + (*s == '+' || *s == '-');
    bool fits = isdigit((unsigned char)*digits) && strspn(digits, "0123456789.eE+-") == strlen(digits) &&
                !(digits[0] == '0' && isdigit((unsigned char)digits[1]));
    const char *dot = strchr(digits, '.');
    char *end = NULL;
    double v = fits && (!dot || (isdigit((unsigned char)dot[1]) && dot > digits)) ? strtod(s, &end) : 0;
    *ret = end && !*end ? json_real(v) : NULL;
    return *ret ? 0 : bad(t, "not a number that can be read");
}

/* What is neither quoted nor bracketed. */
static int read_scalar(struct toml *t, json_t **ret)
{
    size_t n = strcspn(t->p, " \t\r\n,]}#");
    bool date = n == 10 && t->p[4] == '-' && t->p[10] == ' ' && isdigit((unsigned char)t->p[11]);
    if (date) /* "1979-05-27 07:32:00" */
        n += 1 + strcspn(t->p + 11, " \t\r\n,]}#");
    if (n == 0 || n >= NUMBER_MAX)
        return bad(t, n ? "a value that is too long" : "a value is missing");
    auto_free char *s = xstrndup(t->p, n);
    t->p += n;
    if (str_eq(s, "true") || str_eq(s, "false")) {
        *ret = json_boolean(*s == 't');
        return 0;
    }
    if (is_time(s)) {
        *ret = json_string(s);
        return *ret ? 0 : bad(t, "not valid UTF-8");
    }
    if (!drop_underscores(s))
        return bad(t, "an underscore that is not between digits");
    return strpbrk(s, ".eE") && !str_after(s, "0x") ? read_float(t, s, ret) : read_integer(t, s, ret);
}

static int read_text(struct toml *t, json_t **ret)
{
    auto_buf struct buf b = {0};
    int r = read_string(t, true, &b);
    if (r == 0 && !(*ret = json_string(b.data)))
        r = bad(t, "not valid UTF-8");
    return r;
}

static int read_value(struct toml *t, json_t **ret)
{
    static const struct {
        char first;
        int (*read)(struct toml *, json_t **);
    } forms[] = {{'"', read_text}, {'\'', read_text}, {'[', read_array}, {'{', read_inline}};
    int r = -1;
    if (t->depth == DEPTH_MAX)
        return bad(t, "values nested too deeply");
    t->depth++;
    size_t i = 0;
    while (i < ARRAY_LEN(forms) && forms[i].first != *t->p)
        i++;
    r = i < ARRAY_LEN(forms) ? forms[i].read(t, ret) : read_scalar(t, ret);
    t->depth--;
    return r;
}

/* ---- tables ---- */

/* Goes into (or makes) the tables that all but the last part of a dotted key name. */
static int walk_dotted(struct toml *t, json_t **table, char *const *key)
{
    for (size_t i = 0; key[i + 1]; i++) {
        json_t *next = json_object_get(*table, key[i]);
        int r = 0;
        if (!next) {
            next = json_object();
            json_object_set_new(*table, key[i], next);
            r = note_add(t, next, NOTE_DOTTED);
        } else if (!json_is_object(next) || note_get(t, next) & (NOTE_CLOSED | NOTE_DEFINED)) {
            return bad(t, "a key that would change what is complete already");
        }
        if (r < 0)
            return r;
        *table = next;
    }
    return 0;
}

static int read_pair(struct toml *t, json_t *into)
{
    auto_strv char **key = NULL;
    json_t *value;
    int r = read_key(t, &key);
    if (r < 0)
        return r;
    if (*t->p != '=')
        return bad(t, "a key without =");
    t->p++;
    skip_blanks(t);
    r = read_value(t, &value);
    if (r < 0)
        return r;
    r = walk_dotted(t, &into, key);
    const char *last = key[strv_len(key) - 1];
    if (r == 0 && json_object_get(into, last))
        r = bad(t, "a key for the second time");
    if (r == 0 && json_object_set(into, last, value) < 0)
        r = bad(t, "a key that is not valid UTF-8");
    json_decref(value);
    return r;
}

/* One part of a header: a table, or the last table of an array of tables; made where missing. */
static int enter(struct toml *t, json_t **table, const char *part)
{
    json_t *next = json_object_get(*table, part);
    if (!next) {
        next = json_object();
        if (json_object_set_new(*table, part, next) < 0)
            return bad(t, "a key that is not valid UTF-8");
    }
    if (json_is_array(next) && note_get(t, next) & NOTE_ARRAY)
        next = json_array_get(next, json_array_size(next) - 1);
    if (!json_is_object(next) || note_get(t, next) & NOTE_CLOSED)
        return bad(t, "a table that would change what is complete already");
    *table = next;
    return 0;
}

static int open_table(struct toml *t, json_t **table, const char *last)
{
    json_t *there = json_object_get(*table, last);
    if (there && (!json_is_object(there) || note_get(t, there) & (NOTE_DEFINED | NOTE_DOTTED | NOTE_CLOSED)))
        return bad(t, "a table for the second time");
    int r = enter(t, table, last);
    return r < 0 ? r : note_add(t, *table, NOTE_DEFINED);
}

static int open_array(struct toml *t, json_t **table, const char *last)
{
    json_t *there = json_object_get(*table, last), *item = json_object();
    int r = 0;
    if (!there) {
        there = json_array();
        if (json_object_set_new(*table, last, there) < 0)
            r = bad(t, "a key that is not valid UTF-8");
        else
            r = note_add(t, there, NOTE_ARRAY);
    } else if (!json_is_array(there) || !(note_get(t, there) & NOTE_ARRAY)) {
        r = bad(t, "an array of tables that would change what is complete already");
    }
    if (r == 0)
        json_array_append(there, item);
    json_decref(item);
    *table = item; /* kept by the array */
    return r;
}

static int read_header(struct toml *t, json_t *root, json_t **ret)
{
    auto_strv char **key = NULL;
    bool array = t->p[1] == '[';
    json_t *table = root;
    t->p += array ? 2 : 1;
    int r = read_key(t, &key);
    if (r < 0)
        return r;
    if (*t->p != ']' || (array && t->p[1] != ']'))
        return bad(t, "the name of a table wants ]");
    t->p += array ? 2 : 1;
    size_t n = strv_len(key);
    for (size_t i = 0; i + 1 < n && r == 0; i++)
        r = enter(t, &table, key[i]);
    if (r == 0)
        r = array ? open_array(t, &table, key[n - 1]) : open_table(t, &table, key[n - 1]);
    *ret = table;
    return r;
}

static int read_document(struct toml *t, json_t *root)
{
    json_t *table = root;
    for (;;) {
        int r = skip_space(t);
        if (r < 0 || t->p == t->end)
            return r;
        r = *t->p == '[' ? read_header(t, root, &table) : read_pair(t, table);
        if (r == 0)
            r = expect_line_end(t);
        if (r < 0)
            return r;
    }
}

int toml_parse(const char *what, const char *data, size_t len, json_t **ret)
{
    if (len > TOML_MAX)
        return err_set(-EFBIG, "%s: %zu bytes of TOML are too many", what, len);
    auto_free char *copy = xstrndup(data, len);
    auto_json json_t *root = json_object();
    struct toml t = {.what = what, .p = copy, .end = copy + strlen(copy), .line = 1};
    int r = strlen(copy) == len ? read_document(&t, root) : bad(&t, "a NUL byte");
    free(t.notes);
    if (r == 0)
        *ret = take_ptr(&root);
    return r;
}
