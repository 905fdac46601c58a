/* The first line is a path, the rest a .dockerignore. */
#include "whelk/ignore.h"

#include "whelk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
    size_t len = nl ? (size_t)(nl - data) : size;
    auto_free char *path = xstrndup((const char *)data, len), *child = xasprintf("%s/x", path);
    struct ignore *g;

    path_match(path, child);
    if (!nl || ignore_parse("f", (const char *)nl + 1, size - len - 1, &g) < 0)
        return 0;
    if (ignore_matches(g, path) && !ignore_rule(g, path))
        abort();
    if (ignore_matches(g, path) && !ignore_may_include_below(g, path) && !ignore_matches(g, child))
        abort(); /* a walker would have missed it */
    ignore_free(g);
    return 0;
}
