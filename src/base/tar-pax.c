/* PAX extended headers: "LENGTH KEY=VALUE\n" records, taken by a table of keys. */
#include "tar-parts.h"

#include "whelk/err.h"

#include <ctype.h>

/* Key and value of one record; both may hold any byte. */
struct pax_record {
    const char *key; /* behind the prefix of its row */
    size_t key_len;
    const char *value;
    size_t len;
};

struct pax_key {
    const char *key; /* a prefix if it ends with a dot */
    size_t offset;   /* of the member in struct tar_meta */
    size_t has;      /* of its has_ flag, or 0 */
    bool in_global;
    bool (*take)(const struct pax_record *rec, void *member, struct tar_meta *m);
};

static bool pax_text(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    if (memchr(rec->value, '\0', rec->len))
        return false;
    free(*(char **)member);
    *(char **)member = rec->len ? xstrndup(rec->value, rec->len) : NULL;
    return true;
}

/* Digits from *p to the first other byte; false without any or beyond what payloads can have. */
static bool digits(const char **p, const char *end, uint64_t *ret)
{
    const char *start = *p;
    uint64_t n = 0;
    for (; *p < end && isdigit((unsigned char)**p); ++*p) {
        if (n > (INT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (**p - '0');
    }
    *ret = n;
    return *p > start;
}

static bool pax_u64(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    const char *p = rec->value, *end = p + rec->len;
    return digits(&p, end, member) && p == end;
}

static bool pax_u32(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    uint64_t n;
    if (!pax_u64(rec, &n, m) || n > UINT32_MAX)
        return false;
    *(uint32_t *)member = n;
    return true;
}

/* [-]SECONDS[.FRACTION]; of the fraction nine digits count. */
static bool pax_time(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    const char *p = rec->value, *end = p + rec->len;
    bool negative = p < end && *p == '-';
    uint64_t seconds;
    int32_t ns = 0, unit = 100 * 1000 * 1000;
    p += negative;
    if (!digits(&p, end, &seconds))
        return false;
    if (p < end && *p == '.') {
        for (p++; p < end && isdigit((unsigned char)*p); p++, unit /= 10)
            ns += (*p - '0') * unit;
    }
    *(int64_t *)member = negative ? tar_time(-(int64_t)seconds, -ns) : tar_time((int64_t)seconds, ns);
    return p == end;
}

/* GNU tar writes '=' and '%' in the name of an attribute as %3D and %25. */
static char *xattr_name(const struct pax_record *rec)
{
    char *name = xstrndup(rec->key, rec->key_len), *to = name;
    for (const char *from = name; *from; to++) {
        bool equals = strncmp(from, "%3D", 3) == 0, percent = strncmp(from, "%25", 3) == 0;
        *to = equals ? '=' : *from;
        from += equals || percent ? 3 : 1;
    }
    *to = '\0';
    return name;
}

static bool pax_xattr(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    if (rec->key_len == 0 || memchr(rec->key, '\0', rec->key_len))
        return false;
    if (m->n_xattrs == TAR_MAX_XATTRS)
        return false;
    auto_free char *name = xattr_name(rec);
    tar_xattr_set(&m->xattrs, &m->n_xattrs, name, rec->value, rec->len);
    return true;
}

static bool pax_sparse_offset(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    uint64_t n;
    return !m->sparse.half && pax_u64(rec, &n, m) && tar_sparse_add(&m->sparse, n) == 0;
}

static bool pax_sparse_len(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    uint64_t n;
    return m->sparse.half && pax_u64(rec, &n, m) && tar_sparse_add(&m->sparse, n) == 0;
}

/* OFFSET,LENGTH,OFFSET,LENGTH ... */
static bool pax_sparse_map(const struct pax_record *rec, void *member, struct tar_meta *m)
{
    const char *p = rec->value, *end = p + rec->len;
    uint64_t n;
    tar_sparse_done(&m->sparse);
    while (p < end) {
        if (!digits(&p, end, &n) || tar_sparse_add(&m->sparse, n) < 0 || (p < end && *p++ != ','))
            return false;
    }
    return true;
}

#define PAX_KEY(name, member, in_global, take)                                                                         \
    {                                                                                                                  \
        name, offsetof(struct tar_meta, member), offsetof(struct tar_meta, has_##member), in_global, take              \
    }
#define PAX_TEXT(name, member, in_global)                                                                              \
    {                                                                                                                  \
        name, offsetof(struct tar_meta, member), 0, in_global, pax_text                                                \
    }

static const struct pax_key keys[] = {
    PAX_TEXT("path", path, true),
    PAX_TEXT("linkpath", link, true),
    PAX_KEY("size", size, true, pax_u64),
    PAX_KEY("uid", uid, true, pax_u32),
    PAX_KEY("gid", gid, true, pax_u32),
    PAX_KEY("mtime", mtime, true, pax_time),
    {"SCHILY.xattr.", 0, 0, false, pax_xattr},
    PAX_TEXT("GNU.sparse.name", sparse_path, false),
    PAX_KEY("GNU.sparse.major", sparse_major, false, pax_u64),
    PAX_KEY("GNU.sparse.minor", sparse_minor, false, pax_u64),
    PAX_KEY("GNU.sparse.size", real_size, false, pax_u64),
    PAX_KEY("GNU.sparse.realsize", real_size, false, pax_u64),
    PAX_KEY("GNU.sparse.numblocks", sparse_count, false, pax_u64),
    {"GNU.sparse.offset", 0, 0, false, pax_sparse_offset},
    {"GNU.sparse.numbytes", 0, 0, false, pax_sparse_len},
    {"GNU.sparse.map", 0, 0, false, pax_sparse_map},
};

static const struct pax_key *key_find(const char *key, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        size_t n = strlen(keys[i].key);
        bool prefix = keys[i].key[n - 1] == '.';
        if (len >= n && memcmp(key, keys[i].key, n) == 0 && (prefix || len == n))
            return &keys[i];
    }
    return NULL;
}

static int record_take(struct pax_record rec, bool global, struct tar_meta *m)
{
    const struct pax_key *k = key_find(rec.key, rec.key_len);
    if (!k || (global && !k->in_global))
        return 0;
    /* An empty value takes a record back (POSIX); only an attribute can really be empty. */
    bool empty = rec.len == 0 && k->take != pax_xattr;
    rec.key += strlen(k->key);
    rec.key_len -= strlen(k->key);
    if (!(empty && k->has) && !k->take(&rec, (char *)m + k->offset, m))
        return err_set(-EBADMSG, "the extended header has a bad \"%s\"", k->key);
    if (k->has)
        *((bool *)m + k->has) = !empty;
    return 0;
}

int tar_pax_read(const char *data, size_t len, bool global, struct tar_meta *m)
{
    const char *end = data + len;
    while (data < end) {
        const char *p = data;
        uint64_t record_len;
        if (!digits(&p, end, &record_len) || record_len > (uint64_t)(end - data) || p >= end || *p++ != ' ')
            return err_set(-EBADMSG, "the extended header is damaged");
        const char *next = data + record_len;
        const char *equals = next > p ? memchr(p, '=', next - p) : NULL;
        if (!equals || equals == p || next[-1] != '\n')
            return err_set(-EBADMSG, "the extended header is damaged");
        struct pax_record rec = {p, equals - p, equals + 1, next - 1 - (equals + 1)};
        int r = record_take(rec, global, m);
        if (r < 0)
            return r;
        data = next;
    }
    return 0;
}

void tar_meta_done(struct tar_meta *m)
{
    free(m->path);
    free(m->link);
    free(m->long_path);
    free(m->long_link);
    free(m->sparse_path);
    tar_xattrs_free(m->xattrs, m->n_xattrs);
    tar_sparse_done(&m->sparse);
    *m = (struct tar_meta){};
}

void tar_xattrs_free(struct tar_xattr *xattrs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(xattrs[i].name);
        free(xattrs[i].value);
    }
    free(xattrs);
}

static char *bytes_copy(const void *data, size_t len)
{
    char *copy = xmalloc(len + 1);
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

void tar_xattr_set(struct tar_xattr **xattrs, size_t *n, const char *name, const void *value, size_t len)
{
    size_t i = 0;
    while (i < *n && !str_eq((*xattrs)[i].name, name))
        i++;
    if (i == *n) {
        *xattrs = xrealloc(*xattrs, (*n + 1) * sizeof(**xattrs));
        (*xattrs)[(*n)++] = (struct tar_xattr){.name = xstrdup(name)};
    }
    struct tar_xattr *x = *xattrs + i;
    free(x->value);
    x->value = bytes_copy(value, len);
    x->len = len;
}
