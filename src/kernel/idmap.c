/* Id maps as values: what a container's map is, made out of the ids that its user may give away (the pool, as the
 * store's map numbers them: 0 is the user's own id, the subordinate ones follow; for root every id is its own number).
 * Pure. */
#include "whelk/userns.h"

#include "whelk/err.h"
#include "whelk/str.h"

uint32_t id_outside(const struct id_range *r, unsigned n, uint32_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (id >= r[i].inside && id - r[i].inside < r[i].count)
            return r[i].outside + (id - r[i].inside);
    return ID_NONE;
}

uint32_t id_inside(const struct id_range *r, unsigned n, uint32_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (id >= r[i].outside && id - r[i].outside < r[i].count)
            return r[i].inside + (id - r[i].outside);
    return ID_NONE;
}

uint64_t ids_size(const struct id_range *r, unsigned n)
{
    uint64_t size = 0;
    for (unsigned i = 0; i < n; i++)
        size += r[i].count;
    return size;
}

static int add_range(struct id_set *s, struct id_range range)
{
    if (s->n == IDMAP_MAX)
        return err_set(-E2BIG, "the id map has more than %d ranges", IDMAP_MAX);
    s->r[s->n++] = range;
    return 0;
}

int ids_slice(const struct id_set *pool, uint32_t from, uint32_t inside, uint64_t count, struct id_set *to)
{
    int r = 0;
    for (unsigned i = 0; i < pool->n && count && r == 0; i++) {
        const struct id_range *p = &pool->r[i];
        if (from < p->inside || from - p->inside >= p->count)
            continue;
        uint32_t skip = from - p->inside, n = (uint32_t)MIN((uint64_t)(p->count - skip), count);
        if (inside + (uint64_t)n > UINT32_MAX)
            return err_set(-ERANGE, "id %u and those behind it are too large", inside);
        r = add_range(to, (struct id_range){inside, p->outside + skip, n});
        from += n;
        inside += n;
        count -= n;
    }
    return r;
}

/* What is left of a range without the numbers from begin on, count many, on one of its sides. */
static int cut(const struct id_range *r, bool outside, uint32_t begin, uint32_t count, struct id_set *to)
{
    uint64_t at = outside ? r->outside : r->inside, end = at + r->count, cut_end = (uint64_t)begin + count;
    if (begin >= end || cut_end <= at)
        return add_range(to, *r);
    int ret = 0;
    if (begin > at)
        ret = add_range(to, (struct id_range){r->inside, r->outside, (uint32_t)(begin - at)});
    uint32_t skip = (uint32_t)(MIN(cut_end, end) - at);
    if (ret == 0 && cut_end < end)
        ret = add_range(to, (struct id_range){r->inside + skip, r->outside + skip, r->count - skip});
    return ret;
}

static int cut_all(struct id_set *s, bool outside, uint32_t begin, uint32_t count)
{
    struct id_set left = {0};
    int r = 0;
    for (unsigned i = 0; i < s->n && r == 0; i++)
        r = cut(&s->r[i], outside, begin, count, &left);
    if (r == 0)
        *s = left;
    return r;
}

int ids_insert(struct id_set *s, const struct id_set *more)
{
    int r = 0;
    for (unsigned i = 0; i < more->n && r == 0; i++) {
        const struct id_range *m = &more->r[i];
        r = cut_all(s, false, m->inside, m->count);
        if (r == 0)
            r = cut_all(s, true, m->outside, m->count);
        if (r == 0)
            r = add_range(s, *m);
    }
    return r;
}

static bool crosses(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b)
{
    return a < (uint64_t)b + n_b && b < (uint64_t)a + n_a;
}

int ids_check(const struct id_set *s)
{
    for (unsigned i = 0; i < s->n; i++)
        for (unsigned j = 0; j < i; j++)
            if (crosses(s->r[i].inside, s->r[i].count, s->r[j].inside, s->r[j].count) ||
                crosses(s->r[i].outside, s->r[i].count, s->r[j].outside, s->r[j].count))
                return err_set(-EINVAL, "the id map has an id twice: %u:%u:%u and %u:%u:%u", s->r[j].inside,
                               s->r[j].outside, s->r[j].count, s->r[i].inside, s->r[i].outside, s->r[i].count);
    return s->n ? 0 : err_set(-EINVAL, "the id map is empty");
}

int ids_keep(const struct id_set *pool, uint32_t id, uint64_t size, struct id_set *ret)
{
    struct id_set s = {0};
    uint64_t others = ids_size(pool->r, pool->n) - 1;
    if (size && size < others)
        others = size;
    uint64_t before = MIN(others, (uint64_t)id);
    int r = ids_slice(pool, 1, 0, before, &s);
    if (r == 0)
        r = ids_slice(pool, 0, id, 1, &s);
    if (r == 0)
        r = ids_slice(pool, (uint32_t)(1 + before), id + 1, others - before, &s);
    if (r == 0)
        *ret = s;
    return r;
}

/* [+ug]CONTAINER:[@]FROM[:COUNT] */
int id_word_parse(const char *word, struct id_word *ret)
{
    struct id_word w = {.count = 1};
    size_t flags = strspn(word, "+ug");
    auto_strv char **fields = strv_split(word + flags, ":");
    size_t n = strv_len(fields);
    uint64_t v[3] = {0, 0, 1};
    for (const char *p = word; p < word + flags; p++) {
        w.extends |= *p == '+';
        w.uids |= *p == 'u';
        w.gids |= *p == 'g';
    }
    bool ok = n == 2 || n == 3;
    for (size_t i = 0; ok && i < n; i++) {
        const char *text = fields[i];
        w.host |= i == 1 && *text == '@';
        ok = str_to_u64(text + (i == 1 && *text == '@'), &v[i]) && v[i] < UINT32_MAX;
    }
    if (!ok || v[2] == 0 || v[0] + v[2] > UINT32_MAX || v[1] + v[2] > UINT32_MAX)
        return err_set(-EINVAL, "%s: write CONTAINER:FROM[:COUNT], as 0:1:1000", word);
    if (!w.uids && !w.gids)
        w.uids = w.gids = true;
    w.inside = (uint32_t)v[0];
    w.from = (uint32_t)v[1];
    w.count = (uint32_t)v[2];
    *ret = w;
    return 0;
}

int ids_add_word(const struct id_set *pool, const struct id_word *w, struct id_set *s)
{
    struct id_set piece = {0};
    int r = ids_slice(pool, w->from, w->inside, w->count, &piece);
    if (r == 0 && ids_size(piece.r, piece.n) != w->count)
        r = err_set(-ERANGE, "%u ids from %u on are more than there are; more are given in /etc/subuid and /etc/subgid",
                    w->count, w->from);
    if (r == 0 && w->extends && !s->n)
        r = ids_slice(pool, 0, 0, ids_size(pool->r, pool->n), s);
    if (r < 0 || w->extends)
        return r < 0 ? r : ids_insert(s, &piece);
    for (unsigned i = 0; i < piece.n && r == 0; i++)
        r = add_range(s, piece.r[i]);
    return r;
}
