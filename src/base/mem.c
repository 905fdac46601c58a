/* Allocation that cannot fail: a process without memory ends here with a core, not somewhere with half a result. */
#include "whelk/auto.h"

#include <string.h>

static void *mem_or_abort(void *p)
{
    static const char text[] = "Error: out of memory\n";
    if (p)
        return p;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        abort();
    abort();
}

/* A size of 0 becomes 1, because malloc(0) may give NULL. */
void *xmalloc(size_t size)
{
    return mem_or_abort(malloc(MAX(size, (size_t)1)));
}

void *xcalloc(size_t n, size_t size)
{
    return mem_or_abort(n && size ? calloc(n, size) : calloc(1, 1));
}

void *xrealloc(void *p, size_t size)
{
    return mem_or_abort(realloc(p, MAX(size, (size_t)1)));
}

char *xstrdup(const char *s)
{
    return s ? mem_or_abort(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    return mem_or_abort(strndup(s, n));
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *s = NULL;
    if (vasprintf(&s, fmt, ap) < 0)
        s = NULL;
    return mem_or_abort(s);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = xvasprintf(fmt, ap);
    va_end(ap);
    return s;
}
