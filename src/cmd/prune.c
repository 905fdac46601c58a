/* What the prune commands share, and the build cache's part of system prune. */
#include "prune.h"

#include "whelk/cache.h"
#include "whelk/fd.h"
#include "whelk/image.h"
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

static int image_layers(const struct store *s, char ***ret)
{
    auto_strv char **ids = NULL;
    int r = image_list(s, &ids);
    strv_foreach (id, ids) {
        struct image i = {0};
        r = r < 0 ? r : image_load(s, id, &i);
        if (r == 0)
            strv_extend(ret, i.layers);
        r = r == -ENOENT ? 0 : r;
        image_done(&i);
    }
    return r;
}

int prune_steps(const struct store *s, bool all, struct prune_out *out)
{
    auto_strv char **keys = NULL, **kept = NULL;
    int r = dir_names(s->fd, "cache/steps", &keys);
    if (r == -ENOENT)
        return 0;
    if (r == 0 && !all)
        r = image_layers(s, &kept);
    strv_foreach (key, keys) {
        struct cache_step step = {0};
        auto_free char *path = xasprintf("cache/steps/%s", key);
        if (r < 0)
            break;
        bool readable = rec_load(&cache_step_rec, s->fd, path, &step) == 0;
        bool keep = readable && step.layer && strv_has(kept, step.layer);
        err_clear();
        if (!keep && unlinkat(s->fd, path, 0) == 0)
            prune_line(out, "%s", key);
        cache_step_done(&step);
    }
    return r;
}
