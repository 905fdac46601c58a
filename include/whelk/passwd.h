/* Lines of passwd(5) and group(5) texts of an image or container: bounded, no NSS (SECURITY H5). Pure. */
#ifndef WHELK_PASSWD_H
#define WHELK_PASSWD_H

#include <stdbool.h>
#include <stdint.h>

/* The line whose field `index` is key, as a vector of at most eight fields with empty ones kept; NULL if there is none.
 * Caller frees. */
char **passwd_line(const char *text, unsigned index, const char *key);
/* A whole decimal id; not the one that means "no id" (-1). */
bool passwd_id(const char *s, uint32_t *ret);

#endif
