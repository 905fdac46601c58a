/* .dockerignore patterns (DF-10): Go's filepath.Match per component plus **, ! exceptions, last match wins. Pure. */
#ifndef WHELK_IGNORE_H
#define WHELK_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct ignore;

/* name: for messages. -EINVAL with text for a bad pattern. */
int ignore_parse(const char *name, const char *bytes, size_t len, struct ignore **ret);
void ignore_free(struct ignore *g);
/* Is path (relative, no leading /) excluded? A match of a parent directory excludes what is below unless re-included.
 */
bool ignore_matches(const struct ignore *g, const char *path);
/* May something below the excluded directory path be re-included? If not, a walker need not enter it. */
bool ignore_may_include_below(const struct ignore *g, const char *path);
/* The text of the pattern that decided about path last, or NULL: for error messages. */
const char *ignore_rule(const struct ignore *g, const char *path);

/* Go's path.Match for one whole path: * and ? do not match '/'; [a-z], [^x], \c. For COPY wildcards. */
bool path_match(const char *pattern, const char *path);

#endif
