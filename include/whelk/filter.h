/* --filter KEY=VALUE (FEATURES 3.4): the same key repeated is OR, but for label (AND); different keys are AND. */
#ifndef WHELK_FILTER_H
#define WHELK_FILTER_H

#include "whelk/str.h"

/* One key that a command knows (a table ends with a row without a name): does the object match value? Negative errno
 * for a value that makes no sense. */
struct filter_key {
    const char *name;
    int (*match)(const void *object, const char *value, void *ctx); /* 1, 0 */
    bool all;                                                       /* every value must match (label) */
};

/* Checks words ("key=value", "key!=value" is the key "key!") against the table: -EINVAL with text that lists the keys.
 */
int filter_check(const struct filter_key *keys, char *const *words);
/* 1 if object passes all filters, 0 if not, negative on a bad value. */
int filter_match(const struct filter_key *keys, char *const *words, const void *object, void *ctx);

/* For match functions: "key" or "key=value" against a KEY=VALUE vector; a POSIX extended regular expression found in s
 * (or equal text); a time "2h", "1700000000", RFC 3339 or a date as ns (durations count back from now). */
int filter_label(char *const *labels, const char *value);
int filter_regex(const char *s, const char *value);
int filter_time(const char *value, int64_t *ret_ns);

#endif
