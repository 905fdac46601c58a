/* Shell patterns over a value. A pattern is a row of elements; a set of live ones is moved over the value's characters,
 * so that the time is pattern times value, whatever they say. */
#include "pattern.h"

#include <errno.h>

/* Elements that may be asked in one replacement: a match is tried at each place of the value. */
static const uint64_t work_max = UINT64_C(1) << 25;

struct element {
    enum { LITERAL, ANY_ONE, ANY_RUN } kind;
    const char *p; /* LITERAL: the character */
    size_t len;
};

struct matcher {
    struct element *e; /* reversed, to match from the end */
    size_t n;
    bool *now, *next;
    bool back;
    uint64_t work;
};

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the character at p, or of the one that ends before it. */
static size_t char_len(const char *p, size_t left)
{
    size_t n = 1;
    while (n < left && is_continuation(p[n]))
        n++;
    return n;
}

static size_t char_len_back(const char *end, size_t left)
{
    size_t n = 1;
    while (n < left && is_continuation(end[-(ptrdiff_t)n]))
        n++;
    return n;
}

static void matcher_begin(struct matcher *m, const char *pattern, bool back)
{
    size_t len = strlen(pattern), n = 0;
    *m = (struct matcher){.e = xcalloc(len + 1, sizeof(*m->e)), .back = back};
    for (const char *p = pattern; *p; p += m->e[n++].len) {
        struct element *e = &m->e[n];
        *e = (struct element){*p == '*' ? ANY_RUN : *p == '?' ? ANY_ONE : LITERAL, p, 1};
        if (*p == '\\' && p[1])
            e->p = ++p;
        if (e->kind == LITERAL)
            e->len = char_len(p, strlen(p));
    }
    for (size_t i = 0; back && i < n / 2; i++) {
        struct element swap = m->e[i];
        m->e[i] = m->e[n - 1 - i];
        m->e[n - 1 - i] = swap;
    }
    m->n = n;
    m->now = xcalloc(2 * (n + 1), sizeof(bool));
    m->next = m->now + n + 1;
}

static void matcher_done(struct matcher *m)
{
    free(MIN(m->now, m->next));
    free(m->e);
}

/* Makes element i live, and those behind it that need no character. */
static void enter(struct matcher *m, size_t i, bool *live)
{
    while (!live[i]) {
        live[i] = true;
        if (i == m->n || m->e[i].kind != ANY_RUN)
            return;
        i++;
    }
}

/* Moves the set over one character; false: nothing lives any more. */
static bool step(struct matcher *m, const char *c, size_t len)
{
    bool alive = false;
    memset(m->next, 0, m->n + 1);
    for (size_t i = 0; i < m->n; i++) {
        const struct element *e = &m->e[i];
        if (!m->now[i] || (e->kind == LITERAL && (e->len != len || memcmp(e->p, c, len) != 0)))
            continue;
        enter(m, e->kind == ANY_RUN ? i : i + 1, m->next);
        alive = true;
    }
    bool *swap = m->now;
    m->now = m->next;
    m->next = swap;
    m->work += m->n;
    return alive;
}

/* How many bytes at the beginning of s (with back: at its end) match; false: none do, not even zero. */
static bool match(struct matcher *m, const char *s, size_t len, bool longest, size_t *ret)
{
    bool found = false, alive = true;
    size_t done = 0;
    memset(m->now, 0, m->n + 1);
    enter(m, 0, m->now);
    for (;;) {
        if (m->now[m->n]) {
            found = true;
            *ret = done;
            if (!longest)
                return true;
        }
        if (!alive || done == len)
            return found;
        size_t left = len - done;
        size_t n = m->back ? char_len_back(s + left, left) : char_len(s + done, left);
        alive = step(m, m->back ? s + left - n : s + done, n);
        done += n;
    }
}

void pattern_strip(const char *pattern, const char *value, enum pattern_what what, bool longest, struct buf *out)
{
    struct matcher m;
    size_t len = strlen(value), cut = 0;
    matcher_begin(&m, pattern, what == PATTERN_SUFFIX);
    match(&m, value, len, longest, &cut);
    buf_add(out, value + (what == PATTERN_PREFIX ? cut : 0), len - cut);
    matcher_done(&m);
}

int pattern_replace(const char *pattern, const char *value, const char *with, bool all, struct buf *out)
{
    struct matcher m;
    size_t left = strlen(value);
    bool more = true;
    matcher_begin(&m, pattern, false);
    while (left && m.work <= work_max) {
        size_t n = 0;
        if (more && match(&m, value, left, true, &n) && n) {
            buf_adds(out, with);
            more = all;
        } else {
            n = char_len(value, left);
            buf_add(out, value, n);
        }
        value += n;
        left -= n;
    }
    matcher_done(&m);
    return left ? -E2BIG : 0;
}
