/* .dockerignore patterns, with docker's meaning (DF-10).
 *
 * A pattern is compiled into a row of tokens, and a path is held against it by moving a set of live tokens over the
 * path's characters, all alternatives at once. So the time is pattern times path, whatever a hostile pattern says; and
 * a set that is still alive at the end of "dir/" answers whether anything below dir could match. */
#include "whelk/ignore.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <stdint.h>

enum { FILE_MAX = 1 << 20, PATTERN_MAX = 4096, RAW_BYTE = 0x110000 };

enum token_kind {
    LITERAL,   /* one character */
    ANY_ONE,   /* ?: one character but not / */
    CLASS,     /* [...] */
    ANY_RUN,   /* *: any number of characters without / */
    ANY_DIRS,  /* ** and the slash behind it: nothing, or anything up to a slash */
    ANY_REST,  /* ** at the end: anything */
    MATCH_END, /* behind the last */
};

struct token {
    enum token_kind kind;
    uint32_t c;        /* LITERAL */
    const char *class; /* CLASS: behind the [ */
};

struct pattern {
    char *text; /* as written, trimmed, with its ! */
    char *clean;
    bool include; /* ! */
    bool literal; /* clean has nothing special: compared as it stands */
    struct token *tokens;
    size_t n; /* without MATCH_END */
};

struct ignore {
    struct pattern *v;
    size_t n, cap;
};

/* ---- characters ---- */

/* The character at *p, which moves on. Bytes that are no UTF-8 stand for themselves alone. */
static uint32_t next_char(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    unsigned more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc2 ? 1 : 0;
    uint32_t c = s[0] & (0x3fu >> more);

    ++*p;
    if (s[0] < 0x80)
        return s[0];
    for (unsigned i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return RAW_BYTE + s[0];
        c = c << 6 | (s[i] & 0x3f);
    }
    if (!more)
        return RAW_BYTE + s[0];
    *p += more;
    return c;
}

/* A character of a class, maybe behind a backslash. False where none may stand. */
static bool class_char(const char **p, uint32_t *ret)
{
    if (!**p || **p == '-' || **p == ']')
        return false;
    if (**p == '\\' && !*++*p)
        return false;
    *ret = next_char(p);
    return true;
}

/* Reads a class from behind its [ to behind its ]; tells whether c is in it. False if it is broken. */
static bool read_class(const char **p, uint32_t c, bool *ret_in)
{
    bool negated = **p == '^', in = false;
    uint32_t lo, hi;

    *p += negated;
    do {
        if (!class_char(p, &lo))
            return false;
        hi = lo;
        if (**p == '-') {
            ++*p;
            if (!class_char(p, &hi))
                return false;
        }
        in |= lo <= c && c <= hi;
    } while (**p != ']');
    ++*p;
    *ret_in = in != negated && c != '/';
    return true;
}

/* ---- compiling ---- */

/* The token for a ** that is read already. docker takes "**name" at the beginning, with nothing special in the name, as
 * "ends with name" and not as "a component of this name". */
static enum token_kind deep_token(const char **p, bool first)
{
    if (!**p || (first && **p != '/' && !strpbrk(*p, "*?[]\\")))
        return ANY_REST;
    *p += **p == '/';
    return ANY_DIRS;
}

/* One token at *p. False if the pattern is broken. */
static bool next_token(const char **p, bool deep, bool first, struct token *ret)
{
    bool in;
    char c = **p;

    *ret = (struct token){0};
    if (c == '*') {
        ++*p;
        ret->kind = ANY_RUN;
        if (deep && **p == '*') {
            ++*p;
            ret->kind = deep_token(p, first);
        }
    } else if (c == '?') {
        ++*p;
        ret->kind = ANY_ONE;
    } else if (c == '[') {
        ++*p;
        ret->kind = CLASS;
        ret->class = *p;
        return read_class(p, 0, &in);
    } else {
        if (c == '\\' && !*++*p)
            return false;
        ret->kind = LITERAL;
        ret->c = next_char(p);
    }
    return true;
}

/* -EINVAL without text for a broken pattern. The tokens point into text. */
static int compile(const char *text, bool deep, struct token **ret, size_t *ret_n)
{
    auto_free struct token *tokens = xcalloc(strlen(text) + 1, sizeof(*tokens));
    size_t n = 0;

    for (const char *p = text; *p; n++)
        if (!next_token(&p, deep, n == 0, &tokens[n]))
            return -EINVAL;
    tokens[n].kind = MATCH_END;
    *ret = take_ptr(&tokens);
    *ret_n = n;
    return 0;
}

/* ---- matching ---- */

struct set {
    bool *now, *next; /* live tokens */
    bool alive;
};

/* Makes token i live, and those behind it that need no character to be reached. */
static void enter(const struct token *t, size_t i, bool *live)
{
    while (!live[i]) {
        live[i] = true;
        if (t[i].kind != ANY_RUN && t[i].kind != ANY_DIRS && t[i].kind != ANY_REST)
            return;
        i++;
    }
}

/* Can token t read c? */
static bool reads(const struct token *t, uint32_t c)
{
    const char *class = t->class;
    bool in = false;

    switch (t->kind) {
    case LITERAL:
        return c == t->c;
    case ANY_ONE:
    case ANY_RUN:
        return c != '/';
    case CLASS:
        return read_class(&class, c, &in) && in;
    case ANY_DIRS:
    case ANY_REST:
        return true;
    case MATCH_END:
        return false;
    }
    return false;
}

/* Moves the set over one character. ANY_DIRS is special: once begun it must go on to a /, so it has two slots: i, where
 * it may still be left for nothing, and n + 1 + i, where it is under way. */
static void step(const struct token *t, size_t n, struct set *s, uint32_t c)
{
    bool *under_way = s->now + n + 1, *next_under_way = s->next + n + 1;

    memset(s->next, 0, 2 * (n + 1));
    s->alive = false;
    for (size_t i = 0; i < n; i++) {
        if (t[i].kind == ANY_DIRS && (s->now[i] || under_way[i])) {
            next_under_way[i] = s->alive = true;
            if (c == '/')
                enter(t, i + 1, s->next);
        } else if (s->now[i] && reads(&t[i], c)) {
            bool stays = t[i].kind == ANY_RUN || t[i].kind == ANY_REST;
            enter(t, stays ? i : i + 1, s->next);
            s->alive = true;
        }
    }
    bool *swap = s->now;
    s->now = s->next;
    s->next = swap;
}

/* Does the pattern match path (len bytes)? Or with below: could it match path, a slash and something more? */
static bool run(const struct token *t, size_t n, const char *path, size_t len, bool below)
{
    auto_free bool *slots = xcalloc(4 * (n + 1), sizeof(bool));
    struct set s = {slots, slots + 2 * (n + 1), true};
    const char *p = path, *end = path + len;

    enter(t, 0, s.now);
    while (p < end && s.alive)
        step(t, n, &s, next_char(&p));
    if (!below)
        return s.alive && s.now[n];
    step(t, n, &s, '/');
    for (size_t i = 0; i < n; i++) /* a token that is still to be read */
        if (s.now[i] || s.now[n + 1 + i])
            return true;
    return false;
}

static bool pattern_matches(const struct pattern *p, const char *path, size_t len)
{
    if (p->literal)
        return strlen(p->clean) == len && memcmp(p->clean, path, len) == 0;
    return run(p->tokens, p->n, path, len, false);
}

/* The path itself, or a directory above it. */
static bool matches_or_parent(const struct pattern *p, const char *path)
{
    size_t len = strlen(path);

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
        if (pattern_matches(p, path, (size_t)(slash - path)))
            return true;
    return pattern_matches(p, path, len);
}

/* ---- the file ---- */

/* The shortest spelling of a path, by its text alone: no //, no ., no x/.., no / at the end; "." if nothing is left. */
static char *clean_path(const char *path)
{
    bool rooted = *path == '/';
    auto_strv char **parts = strv_split(path, "/"), **kept = NULL;
    auto_free char *joined = NULL;
    size_t n = 0;

    strv_foreach (part, parts) {
        bool up = str_eq(part, "..");

        if (str_eq(part, ".") || (up && rooted && n == 0))
            continue;
        if (up && n && !str_eq(kept[n - 1], "..")) {
            strv_remove(kept, --n);
            continue;
        }
        strv_add(&kept, part);
        n++;
    }
    joined = n ? strv_join(kept, "/") : xstrdup("");
    if (rooted)
        return xasprintf("/%s", joined);
    return xstrdup(n ? joined : ".");
}

static void pattern_done(struct pattern *p)
{
    free(p->text);
    free(p->clean);
    free(p->tokens);
}

/* One trimmed line that is not empty. */
static int parse_pattern(const char *name, unsigned line, const char *text, struct pattern *ret)
{
    auto_with(pattern_done) struct pattern p = {.text = xstrdup(text), .include = *text == '!'};
    const char *body = text + p.include;
    auto_free char *cleaned = NULL, *shown = str_printable(text);

    while (*body == ' ' || *body == '\t')
        body++;
    if (!*body)
        return err_set(-EINVAL, "%s:%u: a ! without a pattern", name, line);
    if (strlen(body) > PATTERN_MAX)
        return err_set(-EINVAL, "%s:%u: a pattern of more than %d bytes", name, line, PATTERN_MAX);
    cleaned = clean_path(body);
    p.clean = xstrdup(cleaned + (cleaned[0] == '/' && cleaned[1]));
    p.literal = !strpbrk(p.clean, "*?[\\");
    if (compile(p.clean, true, &p.tokens, &p.n) < 0)
        return err_set(-EINVAL, "%s:%u: bad pattern \"%.200s\"", name, line, shown);
    *ret = p;
    p = (struct pattern){0};
    return 0;
}

static void add_pattern(struct ignore *g, const struct pattern *p)
{
    if (g->n == g->cap) {
        g->cap = MAX(g->cap * 2, (size_t)16);
        g->v = xrealloc(g->v, g->cap * sizeof(*g->v));
    }
    g->v[g->n++] = *p;
}

static int parse_line(const char *name, unsigned number, const char *start, size_t len, struct ignore *g)
{
    auto_free char *line = xstrndup(start, len);
    const char *text = str_trim(line);
    struct pattern p;
    int r;

    if (*line == '#' || !*text)
        return 0;
    if ((r = parse_pattern(name, number, text, &p)) == 0)
        add_pattern(g, &p);
    return r;
}

DEFINE_AUTO(struct ignore *, ignore_free)

int ignore_parse(const char *name, const char *bytes, size_t len, struct ignore **ret)
{
    auto_with(ignore_free_auto) struct ignore *g = xcalloc(1, sizeof(*g));
    const char *p = bytes, *end = bytes + len;

    if (len > FILE_MAX)
        return err_set(-EINVAL, "%s: larger than 1 MiB", name);
    if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    for (unsigned number = 1; p < end; number++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        int r = parse_line(name, number, p, (size_t)((nl ? nl : end) - p), g);

        if (r < 0)
            return r;
        p = nl ? nl + 1 : end;
    }
    *ret = take_ptr(&g);
    return 0;
}

void ignore_free(struct ignore *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n; i++)
        pattern_done(&g->v[i]);
    free(g->v);
    free(g);
}

/* The last pattern that changed the verdict about path, or NULL. A pattern is asked only if it could change it. */
static const struct pattern *decisive(const struct ignore *g, const char *path)
{
    const struct pattern *last = NULL;
    bool excluded = false;

    for (size_t i = 0; i < g->n; i++) {
        const struct pattern *p = &g->v[i];

        if (p->include != excluded || !matches_or_parent(p, path))
            continue;
        excluded = !excluded;
        last = p;
    }
    return last;
}

bool ignore_matches(const struct ignore *g, const char *path)
{
    const struct pattern *p = decisive(g, path);
    return p && !p->include;
}

bool ignore_may_include_below(const struct ignore *g, const char *path)
{
    const struct pattern *p = decisive(g, path);

    if (!p || p->include)
        return true;
    while (++p <
           g->v + g->n) /* an exception before the pattern that excludes path is overruled by it below path, too */
        if (p->include && run(p->tokens, p->n, path, strlen(path), true))
            return true;
    return false;
}

const char *ignore_rule(const struct ignore *g, const char *path)
{
    const struct pattern *p = decisive(g, path);
    return p ? p->text : NULL;
}

bool path_match(const char *pattern, const char *path)
{
    auto_free struct token *tokens = NULL;
    size_t n;

    if (strlen(pattern) > PATTERN_MAX || compile(pattern, false, &tokens, &n) < 0)
        return false;
    return run(tokens, n, path, strlen(path), false);
}
