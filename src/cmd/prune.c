/* What the prune commands share, and the build cache's and the broken pulls' part of system prune. */
#include "prune.h"

#include "whelk/cache.h"
#include "whelk/pull.h"
#include "whelk/units.h"

void prune_line(struct prune_out *out, const char *fmt, ...)
{
    va_list ap;
    if (out->headline && !out->begun)
        printf("%s\n", out->headline);
    out->begun = true;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

void prune_total(uint64_t bytes)
{
    char size[16];
    printf("Total reclaimed space: %s\n", size_format(bytes, size));
}

static void tell_step(void *ctx, const char *key)
{
    prune_line(ctx, "%s", key);
}

int prune_steps(const struct store *s, bool all, struct prune_out *out)
{
    struct cache_prune p = {.all = all, .told = tell_step, .ctx = out};
    int r = cache_steps_prune(s, &p);
    return r == 0 && all ? cache_mounts_prune(s, &p) : r;
}

static void tell_partial_blob(void *ctx, const char *hex, uint64_t bytes)
{
    struct prune_out *out = ctx;
    prune_line(out, "sha256:%s", hex);
    out->bytes += bytes;
}

void prune_partial_blobs(const struct store *s, struct prune_out *out)
{
    partial_blobs_prune(s, tell_partial_blob, out);
}
