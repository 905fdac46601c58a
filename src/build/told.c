/* Lines of what a key covers, and the comparison of two such texts (see told.h). */
#include "told.h"

#include "whelk/digest.h"

#include <ctype.h>

enum { SHOWN_VALUE = 200, HASH_SHOWN = 16 };

/* ---- telling ---- */

static void add_hash(struct buf *t, const char *value)
{
    char hex[DIGEST_BUF];
    digest_bytes(value, strlen(value), hex);
    buf_addf(t, "#%.*s", HASH_SHOWN, hex);
}

static bool is_plain(const char *value)
{
    size_t n = 0;
    for (; value[n] && n <= SHOWN_VALUE; n++)
        if (iscntrl((unsigned char)value[n]))
            return false;
    return n <= SHOWN_VALUE && *value != '#';
}

static void add_value(struct buf *t, const char *value)
{
    if (!value)
        buf_adds(t, "-");
    else if (is_plain(value))
        buf_adds(t, value);
    else
        add_hash(t, value);
}

void told_add(struct buf *t, const char *label, const char *value)
{
    buf_addf(t, "%s\t", label);
    add_value(t, value);
    buf_addc(t, '\n');
}

/* The value of a build argument may be a password that somebody should not have given that way. */
static void add_argument(struct buf *t, const char *label, const char *pair)
{
    auto_free char *name = xstrndup(pair, strcspn(pair, "="));
    buf_addf(t, "%s\t%s=", label, name);
    add_hash(t, pair);
    buf_addc(t, '\n');
}

void told_add_strv(struct buf *t, const char *label, char *const *values)
{
    bool secret = str_eq(label, "arguments");
    strv_foreach (value, values) {
        if (secret)
            add_argument(t, label, value);
        else
            told_add(t, label, value);
    }
}

void told_add_number(struct buf *t, const char *label, uint64_t value)
{
    buf_addf(t, "%s\t%llu\n", label, (unsigned long long)value);
}

void told_add_file(struct buf *t, const char *name, const char *meta, const char *content)
{
    auto_free char *shown = str_printable(*name ? name : "."), *how = str_printable(meta);
    buf_addf(t, "file\t%s\t%s\t%.*s\n", shown, how, HASH_SHOWN, content);
}

/* ---- reading ---- */

char *told_value(const char *told, const char *label)
{
    size_t len = strlen(label);
    for (const char *line = told; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (strncmp(line, label, len) == 0 && line[len] == '\t')
            return xstrndup(line + len + 1, strcspn(line + len + 1, "\n"));
    return NULL;
}

/* ---- comparing ---- */

/* Two lines are about the same thing if they have the same name: of a file, of an argument, or else the label. */
struct line {
    const char *text; /* ends with a newline */
    size_t len, name; /* of the whole, and of its name with the label */
    size_t number;
};
struct lines {
    struct line *v;
    size_t n;
};

static size_t name_length(const char *text, size_t len)
{
    size_t label = strcspn(text, "\t\n");
    bool file = strncmp(text, "file\t", label + 1) == 0, argument = strncmp(text, "arguments\t", label + 1) == 0;
    if (label >= len || (!file && !argument))
        return label;
    return label + 1 + strcspn(text + label + 1, file ? "\t\n" : "=\n");
}

static int by_name(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = memcmp(x->text, y->text, MIN(x->name, y->name));
    if (order == 0)
        order = (x->name > y->name) - (x->name < y->name);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static struct lines split(const char *told)
{
    struct lines l = {0};
    for (const char *at = told; *at;) {
        size_t len = strcspn(at, "\n");
        if ((l.n & (l.n + 1)) == 0)
            l.v = xrealloc(l.v, (2 * l.n + 2) * sizeof(*l.v));
        l.v[l.n] = (struct line){at, len, name_length(at, len), l.n};
        l.n++;
        at += len + (at[len] == '\n');
    }
    if (l.n)
        qsort(l.v, l.n, sizeof(*l.v), by_name);
    return l;
}

static char *value_of(const struct line *l)
{
    size_t label = strcspn(l->text, "\t\n") + 1;
    return label > l->len ? xstrdup("") : xstrndup(l->text + label, l->len - label);
}

/* "file\tsrc/a.c\t100644 0:0 0 -\t1234" and its like. */
static char *file_sentence(const char *then, const char *now)
{
    const char *any = now ? now : then;
    auto_free char *name = xstrndup(any, strcspn(any, "\t"));
    if (!then || !now)
        return xasprintf("file %s %s", name, now ? "is new" : "is gone");
    const char *was = strrchr(then, '\t'), *is = strrchr(now, '\t');
    bool content = was && is && !str_eq(was, is);
    bool meta = was && is && (was - then != is - now || strncmp(then, now, (size_t)(was - then)) != 0);
    return xasprintf("file %s has other %s", name,
                     content && meta ? "contents, and another mode, owner or kind"
                     : content       ? "contents"
                                     : "mode, owner or kind");
}

static char *argument_sentence(const char *then, const char *now)
{
    const char *any = now ? now : then;
    auto_free char *name = xstrndup(any, strcspn(any, "="));
    return xasprintf("build argument %s %s", name, !then ? "is new" : !now ? "is gone" : "has another value");
}

/* A value of "before" has a hash of what the instruction came to behind a tab. */
static char *before_sentence(const char *then, const char *now)
{
    auto_free char *was = then ? xstrndup(then, strcspn(then, "\t")) : NULL;
    auto_free char *is = now ? xstrndup(now, strcspn(now, "\t")) : NULL;
    if (!was)
        return xasprintf("before it, \"%s\" is new", is);
    if (!is)
        return xasprintf("before it, \"%s\" is gone", was);
    return str_eq(was, is) ? xasprintf("before it, a variable in \"%s\" has another value", is)
                           : xasprintf("before it, \"%s\" was \"%s\"", is, was);
}

static char *text_sentence(const char *then, const char *now)
{
    (void)now;
    return xasprintf("the instruction is another one, it was \"%s\"", then ? then : "");
}

static char *base_sentence(const char *then, const char *now)
{
    if (then && now && str_after(then, "step ") && str_after(now, "step "))
        return xstrdup("the steps before it are others");
    return xasprintf("it follows %s, where it was %s", now ? now : "nothing", then ? then : "nothing");
}

/* What most people look for stands first. text: it follows from a changed instruction and is not told then. */
static const struct kind {
    const char *label, *words;
    char *(*sentence)(const char *then, const char *now);
    bool text;
} kinds[] = {
    {"text", NULL, text_sentence, false},
    {"base", NULL, base_sentence, false},
    {"before", NULL, before_sentence, false},
    {"arguments", NULL, argument_sentence, false},
    {"file", NULL, file_sentence, false},
    {"args", "its words", NULL, true},
    {"heredoc", "its heredoc", NULL, false},
    {"heredoc-", "its heredoc", NULL, false},
    {"json", NULL, NULL, true},
    {"diffids", "layers of what it takes from", NULL, false},
    {"network", "--network", NULL, false},
    {"epoch", "--source-date-epoch", NULL, false},
    {"timestamp", "--timestamp", NULL, false},
};

static const struct kind *kind_of(const struct line *l)
{
    static const struct kind other = {NULL, NULL, NULL, false};
    size_t label = strcspn(l->text, "\t\n");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strlen(kinds[i].label) == label && strncmp(l->text, kinds[i].label, label) == 0)
            return &kinds[i];
    return &other;
}

static char *plain_sentence(const char *words, const char *then, const char *now)
{
    if (!then || !now)
        return xasprintf("%s %s: %s", words, now ? "is new" : "is gone", now ? now : then);
    if (*then == '#' || *now == '#')
        return xasprintf("%s changed", words);
    return xasprintf("%s: now \"%s\", it was \"%s\"", words, now, then);
}

struct difference {
    const struct kind *kind;
    char *sentence;
};
struct differences {
    struct difference *v;
    size_t n;
};

static void differ(struct differences *d, const struct line *then, const struct line *now)
{
    const struct line *any = now ? now : then;
    const struct kind *kind = kind_of(any);
    auto_free char *was = then ? value_of(then) : NULL, *is = now ? value_of(now) : NULL;
    auto_free char *label = xstrndup(any->text, strcspn(any->text, "\t\n"));
    if ((d->n & (d->n + 1)) == 0)
        d->v = xrealloc(d->v, (2 * d->n + 2) * sizeof(*d->v));
    d->v[d->n++] = (struct difference){
        kind, kind->sentence ? kind->sentence(was, is) : plain_sentence(kind->words ? kind->words : label, was, is)};
}

static bool same_line(const struct line *a, const struct line *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool same_name(const struct line *a, const struct line *b)
{
    return a->name == b->name && memcmp(a->text, b->text, a->name) == 0;
}

static size_t group_end(const struct lines *l, size_t at)
{
    size_t end = at;
    while (end < l->n && same_name(&l->v[at], &l->v[end]))
        end++;
    return end;
}

/* Lines of one name, in their order: what is equal at either end is left out, the rest is compared one by one. */
static void compare_group(struct differences *d, const struct line *a, size_t n, const struct line *b, size_t m)
{
    for (; n && m && same_line(a, b); n--, m--)
        a++, b++;
    for (; n && m && same_line(&a[n - 1], &b[m - 1]); n--)
        m--;
    for (size_t i = 0; i < MAX(n, m); i++)
        if (i >= n || i >= m || !same_line(&a[i], &b[i]))
            differ(d, i < n ? &a[i] : NULL, i < m ? &b[i] : NULL);
}

static void compare_lines(struct differences *d, const struct lines *a, const struct lines *b)
{
    size_t i = 0, k = 0;
    while (i < a->n || k < b->n) {
        size_t i_end = group_end(a, i), k_end = group_end(b, k);
        struct line left = i < a->n ? a->v[i] : (struct line){0}, right = k < b->n ? b->v[k] : (struct line){0};
        left.number = right.number = 0;
        int order = i == a->n ? 1 : k == b->n ? -1 : by_name(&left, &right);
        compare_group(d, a->v + i, order <= 0 ? i_end - i : 0, b->v + k, order >= 0 ? k_end - k : 0);
        i = order <= 0 ? i_end : i;
        k = order >= 0 ? k_end : k;
    }
}

static bool has_kind(const struct differences *d, const struct kind *kind)
{
    bool found = false;
    for (size_t i = 0; i < d->n; i++)
        found |= d->v[i].kind == kind;
    return found;
}

static void take_kind(struct differences *d, const struct kind *kind, char ***ret)
{
    bool dropped = kind && kind->text && has_kind(d, &kinds[0]);
    for (size_t i = 0; i < d->n; i++) {
        bool known = d->v[i].kind->label != NULL;
        if (!d->v[i].sentence || (kind ? d->v[i].kind != kind : known))
            continue;
        if (!dropped)
            strv_add(ret, d->v[i].sentence);
        free(d->v[i].sentence);
        d->v[i].sentence = NULL;
    }
}

char **told_compare(const char *then, const char *now)
{
    struct lines a = split(then), b = split(now);
    struct differences d = {0};
    char **sentences = NULL;
    compare_lines(&d, &a, &b);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        take_kind(&d, &kinds[i], &sentences);
    take_kind(&d, NULL, &sentences);
    free(d.v);
    free(a.v);
    free(b.v);
    return sentences;
}
