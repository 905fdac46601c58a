/* Strings: a growing buffer, NULL-terminated string vectors, and small predicates. */
#ifndef WHELK_STR_H
#define WHELK_STR_H

#include "whelk/auto.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A growing byte buffer. Zero-initialised is empty. data is NUL-terminated after the first add or reserve. */
struct buf {
    char *data;
    size_t len, cap;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_reserve(struct buf *b, size_t more); /* room for more bytes behind len */
void buf_done(struct buf *b);
char *buf_take(struct buf *b); /* the string ("" if nothing was added); caller frees; b is empty afterwards */
#define auto_buf auto_with(buf_done)

static inline bool str_eq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static inline bool str_empty(const char *s)
{
    return !s || !*s;
}

/* What follows prefix in s, or NULL if s does not start with it. */
static inline const char *str_after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends(const char *s, const char *suffix);
void str_hex(const void *bytes, size_t n, char *ret); /* 2 * n lower-case digits and a NUL */
bool str_is_hex(const char *s, size_t len);           /* s is len lower-case hex digits and nothing else */
char *str_trim(char *s);                              /* in place, blanks at both ends; returns within s */
bool str_to_u64(const char *s, uint64_t *ret);        /* whole decimal string */
bool str_to_i64(const char *s, int64_t *ret);
unsigned str_distance(const char *a, const char *b); /* Damerau-Levenshtein; at most 64 bytes each are looked at */
/* The candidate nearest to word if it is near enough to be a typing slip, else NULL. */
const char *str_nearest(const char *word, const char *const *candidates);
/* s with control characters and invalid UTF-8 shown as \xNN, so that a terminal is safe (H10). Caller frees. */
char *str_printable(const char *s);

/* A NULL-terminated vector of strings; NULL is the empty one. Vector and strings belong to the holder. */
size_t strv_len(char *const *v);
void strv_add(char ***v, const char *s); /* adds a copy */
void strv_add_take(char ***v, char *s);  /* adds s itself */
void strv_addf(char ***v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_extend(char ***v, char *const *more);
char **strv_copy(char *const *v);
char **strv_split(const char *s, const char *separators); /* empty pieces dropped */
/* The comma-separated fields of a line of CSV (RFC 4180): a field that begins with a quote ends with one, and "" in it
 * is one quote; empty fields stay. -EINVAL without text if quotes are elsewhere or do not end. */
int strv_split_csv(const char *line, char ***ret);
char *strv_join(char *const *v, const char *separator); /* caller frees */
bool strv_has(char *const *v, const char *s);
bool strv_eq(char *const *a, char *const *b);
void strv_remove(char **v, size_t i); /* frees element i and closes the gap */
void strv_free(char **v);
/* For vectors of KEY=VALUE: the value of key, or NULL; and set, replacing an equal key in place. */
const char *strv_env_get(char *const *v, const char *key);
void strv_env_set(char ***v, const char *key, const char *value);
DEFINE_AUTO(char **, strv_free)
#define auto_strv auto_with(strv_free_auto)

#define strv_foreach(s, v) for (char *const *s##_p_ = (v), *s = s##_p_ ? *s##_p_ : NULL; s; s = *++s##_p_)

#endif
