/* What commands that list have in common: an array of row objects in, columns, order and text out. */
#ifndef CMD_LISTING_H
#define CMD_LISTING_H

#include "whelk/json.h"
#include "whelk/template.h"

/* What --sort may name: the word, and the member that is compared (numbers as numbers). */
struct sort_key {
    const char *word, *field;
    bool descending;
};
/* -EINVAL with text that lists the words; a table ends with a row without a word. */
int listing_find_sort(const struct sort_key *keys, const char *word, const struct sort_key **ret);
void listing_sort(json_t *rows, const struct sort_key *key);

/* template_list to standard output. */
int listing_print(const char *format, const struct template_column *columns, size_t n_columns, const json_t *rows,
                  bool with_header);
/* Is format absent or docker's "table" alone: what -q replaces by ids? */
bool listing_is_default(const char *format);
/* One object through a format ("json" is "{{json .}}"), with a newline behind it. */
int listing_print_object(const char *format, const json_t *object);

/* "2026-01-02 03:04:05 +0000 UTC", as docker shows times in lists. Caller frees. */
char *listing_time(int64_t ns);

#endif
