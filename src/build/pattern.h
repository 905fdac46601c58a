/* The patterns of ${v#p}, ${v%p} and ${v/p/w} (DF-04): * is any text, ? one character, and a backslash makes the next
 * character an ordinary one. Pure. Private to src/build. */
#ifndef BUILD_PATTERN_H
#define BUILD_PATTERN_H

#include "whelk/str.h"

enum pattern_what {
    PATTERN_PREFIX, /* # and ## */
    PATTERN_SUFFIX, /* % and %% */
};

/* Appends value without what the pattern matches at its beginning or end: the longest or the shortest match. */
void pattern_strip(const char *pattern, const char *value, enum pattern_what what, bool longest, struct buf *out);
/* Appends value with with in the place of the first match, or of all; of those at one place the longest counts, and an
 * empty match is none. -E2BIG without text if it would take too long. */
int pattern_replace(const char *pattern, const char *value, const char *with, bool all, struct buf *out);

#endif
