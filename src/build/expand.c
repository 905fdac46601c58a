/* Variables in words, after docker's rules and not the shell's (DF-04): no word splitting, and quotes that do not nest
 * within the quotes of a ${...} word. One recursive reader; the depth and the size of what comes out are bounded,
 * because ENV A=$A$A doubles with every line. */
#include "whelk/dockerfile.h"

#include "pattern.h"

#include "whelk/err.h"

#include <ctype.h>

enum { RESULT_MAX = 1 << 20, DEPTH_MAX = 32 };

struct expander {
    const char *p;    /* what is not read yet */
    const char *word; /* for messages */
    char escape;
    unsigned depth;
    bool quotes;      /* are quotes special? */
    bool raw_escapes; /* in a pattern they keep their meaning */
    const char *(*lookup)(void *ctx, const char *name);
    void *ctx;
};

static int expand_until(struct expander *x, char stop, struct buf *out);

static int fail(const struct expander *x, const char *what)
{
    auto_free char *shown = str_printable(x->word);
    return err_set(-EINVAL, "%s in %.200s", what, shown);
}

static int add(const struct expander *x, struct buf *out, const char *s)
{
    if (out->len + strlen(s) > RESULT_MAX)
        return fail(x, "more than 1 MiB of text");
    buf_adds(out, s);
    return 0;
}

/* A name at x->p: letters, digits and _; or digits only; or one special character of the shell, which is never set
 * here. Empty if there is none. */
static char *read_name(struct expander *x)
{
    const char *start = x->p;

    if (isdigit((unsigned char)*x->p))
        while (isdigit((unsigned char)*x->p))
            x->p++;
    else if (*x->p && strchr("@*#?-$!", *x->p))
        x->p++;
    else
        while (isalnum((unsigned char)*x->p) || *x->p == '_')
            x->p++;
    return xstrndup(start, (size_t)(x->p - start));
}

/* What ${name<colon><mod>word} stands for, given the word's expansion. */
static int apply_modifier(struct expander *x, const char *name, bool colon, char mod, const char *word, struct buf *out)
{
    const char *value = x->lookup(x->ctx, name);
    bool unset = !value || (colon && !*value);

    if (mod == '+')
        return add(x, out, unset ? "" : word);
    if (!unset)
        return add(x, out, value);
    if (mod == '-')
        return add(x, out, word);
    if (!*word)
        word = value ? "must not be empty" : "must be set";
    return err_set(-EINVAL, "%s: %s", name, word);
}

/* A part of ${...}, up to stop. */
static int read_part(struct expander *x, char stop, bool pattern, struct buf *out)
{
    bool outer = x->raw_escapes;
    int r;

    if (++x->depth > DEPTH_MAX)
        return fail(x, "too many nested ${");
    x->raw_escapes = pattern;
    r = expand_until(x, stop, out);
    x->raw_escapes = outer;
    x->depth--;
    if (!out->data)
        buf_reserve(out, 1);
    return r;
}

/* ${name#pattern} and ${name%pattern}, with the operator doubled for the longest match. */
static int expand_strip(struct expander *x, const char *name, struct buf *out)
{
    const char *value = x->lookup(x->ctx, name);
    auto_buf struct buf pattern = {0}, result = {0};
    char op = *x->p++;
    bool longest = *x->p == op;
    int r;

    x->p += longest;
    r = read_part(x, '}', true, &pattern);
    if (r < 0 || !value)
        return r;
    pattern_strip(pattern.data, value, op == '#' ? PATTERN_PREFIX : PATTERN_SUFFIX, longest, &result);
    return add(x, out, result.data ? result.data : "");
}

/* ${name/pattern/replacement}, with two slashes for all matches. */
static int expand_replace(struct expander *x, const char *name, struct buf *out)
{
    const char *value = x->lookup(x->ctx, name);
    auto_buf struct buf pattern = {0}, with = {0}, result = {0};
    bool all = x->p[1] == '/';
    int r;

    x->p += 1 + all;
    r = read_part(x, '/', true, &pattern);
    if (r == 0)
        r = read_part(x, '}', false, &with);
    if (r < 0 || !value)
        return r;
    if (strlen(value) * (with.len + 1) > RESULT_MAX)
        return fail(x, "more than 1 MiB of text");
    if (pattern_replace(pattern.data, value, with.data, all, &result) < 0)
        return fail(x, "too long a value for this pattern");
    return add(x, out, result.data ? result.data : "");
}

/* Behind the {. */
static int expand_braces(struct expander *x, struct buf *out)
{
    auto_free char *name = read_name(x);
    auto_buf struct buf word = {0};
    bool colon = false;
    char mod;
    int r;

    if (!*x->p)
        return fail(x, "missing }");
    if (!*name)
        return fail(x, "no variable's name behind ${");
    if (*x->p == '}') {
        const char *value = x->lookup(x->ctx, name);
        x->p++;
        return add(x, out, value ? value : "");
    }
    if (*x->p == '#' || *x->p == '%')
        return expand_strip(x, name, out);
    if (*x->p == '/')
        return expand_replace(x, name, out);
    if (*x->p == ':') {
        colon = true;
        x->p++;
    }
    mod = *x->p;
    if (!mod || !strchr("+-?", mod))
        return fail(x, mod ? "unknown operator behind the name" : "missing }");
    x->p++;
    r = read_part(x, '}', false, &word);
    return r < 0 ? r : apply_modifier(x, name, colon, mod, word.data, out);
}

/* Behind the $. */
static int expand_dollar(struct expander *x, struct buf *out)
{
    auto_free char *name = NULL;
    const char *value;

    if (*x->p == '{') {
        x->p++;
        return expand_braces(x, out);
    }
    name = read_name(x);
    if (!*name)
        return add(x, out, "$");
    value = x->lookup(x->ctx, name);
    return add(x, out, value ? value : "");
}

static int read_single_quotes(struct expander *x, struct buf *out)
{
    const char *end = strchr(x->p, '\'');

    if (!end)
        return fail(x, "missing ' at the end");
    buf_add(out, x->p, (size_t)(end - x->p));
    x->p = end + 1;
    return 0;
}

/* Within double quotes the escape character protects only itself, the quote and the $; before others it stays. */
static int read_double_quotes(struct expander *x, struct buf *out)
{
    while (*x->p && *x->p != '"') {
        char c = *x->p++;
        int r;

        if (c == '$') {
            if ((r = expand_dollar(x, out)) < 0)
                return r;
            continue;
        }
        if (c == x->escape && *x->p && (*x->p == '"' || *x->p == '$' || *x->p == x->escape))
            c = *x->p++;
        buf_addc(out, c);
    }
    if (!*x->p)
        return fail(x, "missing \" at the end");
    x->p++;
    return 0;
}

/* One character or quoted part or variable. */
static int expand_one(struct expander *x, struct buf *out)
{
    char c = *x->p++;

    if (c == '\'' && x->quotes)
        return read_single_quotes(x, out);
    if (c == '"' && x->quotes)
        return read_double_quotes(x, out);
    if (c == '$')
        return expand_dollar(x, out);
    if (c == x->escape) {
        if (x->raw_escapes)
            buf_addc(out, '\\');
        if (!*x->p)
            return 0;
        c = *x->p++;
    }
    buf_addc(out, c);
    return 0;
}

/* Up to the end, or to stop, which is read. */
static int expand_until(struct expander *x, char stop, struct buf *out)
{
    while (*x->p && *x->p != stop) {
        int r = expand_one(x, out);

        if (r < 0)
            return r;
        if (out->len > RESULT_MAX)
            return fail(x, "more than 1 MiB of text");
    }
    if (stop && !*x->p)
        return fail(x, stop == '}' ? "missing }" : "missing / behind the pattern");
    if (stop)
        x->p++;
    return 0;
}

static int expand_all(struct expander x, char **ret)
{
    auto_buf struct buf out = {0};
    int r = expand_until(&x, '\0', &out);

    if (r < 0)
        return r;
    *ret = buf_take(&out);
    return 0;
}

int expand_word(const char *word, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret)
{
    return expand_all(
        (struct expander){.p = word, .word = word, .escape = escape, .quotes = true, .lookup = lookup, .ctx = ctx},
        ret);
}

int expand_text(const char *text, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret)
{
    return expand_all((struct expander){.p = text, .word = text, .escape = escape, .lookup = lookup, .ctx = ctx}, ret);
}

int expand_pair(const char *pair, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret_name, char **ret_value)
{
    const char *eq = strchrnul(pair, '=');
    auto_free char *written = xstrndup(pair, (size_t)(eq - pair)), *name = NULL, *value = NULL;
    int r = expand_word(written, escape, lookup, ctx, &name);

    if (r == 0 && *eq)
        r = expand_word(eq + 1, escape, lookup, ctx, &value);
    if (r < 0)
        return r;
    *ret_name = take_ptr(&name);
    *ret_value = take_ptr(&value);
    return 0;
}
