/* What a step's key covers, told in lines that can be compared: "LABEL<tab>VALUE", or for a file
 * "file<tab>NAME<tab>MODE, OWNER, LINK<tab>HASH OF ITS CONTENTS". Values that are long, that are no plain text or that
 * are nobody's business (build arguments) stand there as hashes. Pure. Private to src/build. */
#ifndef BUILD_TOLD_H
#define BUILD_TOLD_H

#include "whelk/str.h"

#include <stdint.h>

void told_add(struct buf *t, const char *label, const char *value);
void told_add_strv(struct buf *t, const char *label, char *const *values);
void told_add_number(struct buf *t, const char *label, uint64_t value);
void told_add_file(struct buf *t, const char *name, const char *meta, const char *content);

/* The value of the first line with this label; NULL if there is none. The caller frees. */
char *told_value(const char *told, const char *label);
/* What differs, a sentence each, the important first; NULL: nothing. The caller frees. */
char **told_compare(const char *then, const char *now);

#endif
