/* Growing buffers, string vectors and predicates on strings. */
#include "whelk/str.h"

/* ---- buffers ---- */

void buf_reserve(struct buf *b, size_t more)
{
    if (more > SIZE_MAX / 4 - b->len)
        abort();                     /* no caller may ask for this: sizes from outside are bounded before */
    size_t need = b->len + more + 1; /* the NUL */
    if (need <= b->cap)
        return;
    b->cap = MAX(MAX(need, b->cap * 2), (size_t)64);
    b->data = xrealloc(b->data, b->cap);
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    buf_reserve(b, len);
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    buf_reserve(b, 80);
    int n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort(); /* only a wrong format gets here */
    if ((size_t)n >= b->cap - b->len) {
        buf_reserve(b, (size_t)n);
        vsnprintf(b->data + b->len, b->cap - b->len, fmt, again);
    }
    va_end(again);
    b->len += (size_t)n;
}

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

char *buf_take(struct buf *b)
{
    char *s = b->data ? b->data : xstrdup("");
    *b = (struct buf){0};
    return s;
}

/* ---- predicates and numbers ---- */

bool str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s), n = strlen(suffix);
    return len >= n && str_eq(s + len - n, suffix);
}

void str_hex(const void *bytes, size_t n, char *ret)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) {
        *ret++ = "0123456789abcdef"[b[i] >> 4];
        *ret++ = "0123456789abcdef"[b[i] & 15];
    }
    *ret = '\0';
}

bool str_is_hex(const char *s, size_t len)
{
    return strspn(s, "0123456789abcdef") == len && !s[len];
}

char *str_trim(char *s)
{
    static const char blanks[] = " \t\r\n\v\f";
    s += strspn(s, blanks);
    size_t len = strlen(s);
    while (len && strchr(blanks, s[len - 1]))
        len--;
    s[len] = '\0';
    return s;
}

bool str_to_u64(const char *s, uint64_t *ret)
{
    uint64_t v = 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_to_i64(const char *s, int64_t *ret)
{
    bool negative = *s == '-';
    uint64_t v = 0;
    if (!str_to_u64(s + negative, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? 0 - v : v);
    return true;
}

/* ---- typing slips ---- */

enum { DISTANCE_MAX = 64 };

/* Three rows of the matrix are enough: a swap of neighbours looks two rows back. */
unsigned str_distance(const char *a, const char *b)
{
    unsigned rows[3][DISTANCE_MAX + 1];
    size_t la = strnlen(a, DISTANCE_MAX), lb = strnlen(b, DISTANCE_MAX);

    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = rows[i % 3], *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            row[j] = MIN(up[j - 1] + (a[i - 1] != b[j - 1]), MIN(up[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], up2[j - 2] + 1);
        }
    }
    return rows[la % 3][lb];
}

const char *str_nearest(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    size_t len = strlen(word);
    /* A word of which every letter would change is no slip, hence len - 1 for the shortest. */
    unsigned limit = len < 2 ? 0 : (unsigned)MAX((size_t)1, MIN(len, (size_t)DISTANCE_MAX) / 3);
    for (; candidates && *candidates; candidates++) {
        unsigned d = str_distance(word, *candidates);
        if (d > limit || (best && d == limit))
            continue;
        best = *candidates;
        limit = d;
    }
    return best;
}

/* ---- safe for a terminal ---- */

/* The code point at s and its length; 0 if it is not valid UTF-8. */
static size_t utf8_decode(const unsigned char *s, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = *s < 0x80 ? 1 : (*s & 0xe0) == 0xc0 ? 2 : (*s & 0xf0) == 0xe0 ? 3 : (*s & 0xf8) == 0xf0 ? 4 : 0;
    if (!len)
        return 0;
    uint32_t c = len == 1 ? *s : *s & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) /* the final NUL, too */
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return len;
}

/* C0, DEL and C1 can steer a terminal; the others reorder or break a line so that it reads as something else. */
static bool code_point_unsafe(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

char *str_printable(const char *s)
{
    auto_buf struct buf b = {0};
    while (*s) {
        uint32_t c = 0;
        size_t len = utf8_decode((const unsigned char *)s, &c);
        if (len && !code_point_unsafe(c))
            buf_add(&b, s, len);
        else
            for (size_t i = 0; i < MAX(len, (size_t)1); i++)
                buf_addf(&b, "\\x%02x", (unsigned char)s[i]);
        s += MAX(len, (size_t)1);
    }
    return buf_take(&b);
}

/* ---- vectors ---- */

size_t strv_len(char *const *v)
{
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

void strv_add_take(char ***v, char *s)
{
    size_t n = strv_len(*v);
    *v = xrealloc(*v, (n + 2) * sizeof(char *));
    (*v)[n] = s;
    (*v)[n + 1] = NULL;
}

void strv_add(char ***v, const char *s)
{
    strv_add_take(v, xstrdup(s));
}

void strv_addf(char ***v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strv_add_take(v, xvasprintf(fmt, ap));
    va_end(ap);
}

void strv_extend(char ***v, char *const *more)
{
    size_t n = strv_len(*v), k = strv_len(more);
    if (!k)
        return;
    *v = xrealloc(*v, (n + k + 1) * sizeof(char *));
    for (size_t i = 0; i < k; i++)
        (*v)[n + i] = xstrdup(more[i]);
    (*v)[n + k] = NULL;
}

char **strv_copy(char *const *v)
{
    char **copy = NULL;
    strv_extend(&copy, v);
    return copy;
}

char **strv_split(const char *s, const char *separators)
{
    char **v = NULL;
    for (s += strspn(s, separators); *s; s += strspn(s, separators)) {
        size_t len = strcspn(s, separators);
        strv_add_take(&v, xstrndup(s, len));
        s += len;
    }
    return v;
}

/* A field in quotes, from behind the first one. NULL: it does not end. */
static const char *quoted_field(const char *p, struct buf *field)
{
    for (; *p; p++) {
        if (*p != '"')
            buf_addc(field, *p);
        else if (p[1] == '"')
            buf_addc(field, *p++);
        else
            return p + 1;
    }
    return NULL;
}

int strv_split_csv(const char *line, char ***ret)
{
    auto_strv char **fields = NULL;
    for (const char *p = line;; p++) {
        auto_buf struct buf field = {0};
        size_t plain = strcspn(p, ",");
        if (*p == '"') {
            p = quoted_field(p + 1, &field);
        } else if (!memchr(p, '"', plain)) {
            buf_add(&field, p, plain);
            p += plain;
        }
        if (!p || (*p && *p != ','))
            return -EINVAL;
        strv_add_take(&fields, buf_take(&field));
        if (!*p)
            break;
    }
    *ret = take_ptr(&fields);
    return 0;
}

char *strv_join(char *const *v, const char *separator)
{
    struct buf b = {0};
    for (size_t i = 0; v && v[i]; i++) {
        if (i)
            buf_adds(&b, separator);
        buf_adds(&b, v[i]);
    }
    return buf_take(&b);
}

bool strv_has(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (str_eq(*v, s))
            return true;
    return false;
}

bool strv_eq(char *const *a, char *const *b)
{
    size_t n = strv_len(a);
    if (n != strv_len(b))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return true;
}

void strv_remove(char **v, size_t i)
{
    free(v[i]);
    memmove(v + i, v + i + 1, strv_len(v + i + 1) * sizeof(char *) + sizeof(char *));
}

void strv_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

/* The index of key's entry, or the length of v. */
static size_t strv_env_find(char *const *v, const char *key)
{
    size_t i = 0, len = strlen(key);
    while (v && v[i] && !(strncmp(v[i], key, len) == 0 && v[i][len] == '='))
        i++;
    return i;
}

const char *strv_env_get(char *const *v, const char *key)
{
    size_t i = strv_env_find(v, key);
    return v && v[i] ? v[i] + strlen(key) + 1 : NULL;
}

void strv_env_set(char ***v, const char *key, const char *value)
{
    size_t i = strv_env_find(*v, key);
    char *entry = xasprintf("%s=%s", key, value);
    if (!*v || !(*v)[i]) {
        strv_add_take(v, entry);
        return;
    }
    free((*v)[i]);
    (*v)[i] = entry;
}
