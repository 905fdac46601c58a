/* whelk builder prune: gives up the build cache. */
#include "confirm.h"
#include "prune.h"

#include "whelk/cache.h"
#include "whelk/filter.h"
#include "whelk/gc.h"
#include "whelk/units.h"

struct prune_opts {
    bool all, force;
    char *keep;
    char **filters;
};

static const struct filter_key keys[] = {{"until", NULL, false}, {NULL, NULL, false}};

static const struct opt prune_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct prune_opts, all),
     .help = "also steps whose layers an image has, and the directories of RUN --mount=type=cache"},
    {"filter", 0, OPT_LIST, OPT(struct prune_opts, filters), .arg = "until=TIME",
     .help = "only what was last used before", .complete = COMPLETE_WORDS, .words = "until="},
    {"force", 'f', OPT_BOOL, OPT(struct prune_opts, force), .help = "do not ask"},
    {"keep-storage|max-used-space", 0, OPT_STR, OPT(struct prune_opts, keep), .arg = "SIZE",
     .help = "leave so much, of what was used last"},
    OPT_END,
};

static void tell(void *ctx, const char *what)
{
    prune_line(ctx, "%s", what);
}

static int read_options(const struct prune_opts *o, struct cache_prune *ret)
{
    int r = filter_check(keys, o->filters);
    strv_foreach (word, o->filters)
        r = r < 0 ? r : filter_time(strchr(word, '=') + 1, &ret->before);
    if (r == 0 && o->keep)
        r = size_parse(o->keep, &ret->keep);
    return r;
}

/* A mount has no size that is known without a walk: one that is left out by --keep-storage stays. */
static int prune(struct store *s, const struct prune_opts *o, struct cache_prune *p, struct prune_out *out)
{
    struct gc_result freed = {0};
    uint64_t mounts = 0, left = 0;
    store_tidy(s);
    int r = cache_steps_prune(s, p);
    if (r == 0 && o->all && !o->keep) {
        if (store_usage(s, CACHE_MOUNTS, &mounts) < 0)
            mounts = 0;
        r = cache_mounts_prune(s, p);
        if (mounts && store_usage(s, CACHE_MOUNTS, &left) < 0)
            left = 0;
    }
    if (r == 0)
        r = gc_run(s, &freed);
    out->bytes = freed.bytes + mounts - MIN(left, mounts);
    gc_result_done(&freed);
    return r;
}

static int run(void *opts, char **args)
{
    const struct prune_opts *o = opts;
    struct prune_out out = {0};
    struct cache_prune p = {.all = o->all, .told = tell, .ctx = &out};
    struct store *s;
    int r = read_options(o, &p);
    if (r < 0)
        return r;
    r = o->force ? 1
                 : cmd_confirm(o->all ? "This will remove the whole build cache."
                                      : "This will remove the build cache that no image shares.");
    if (r <= 0)
        return r;
    r = cmd_store(&s);
    if (r == 0)
        r = prune(s, o, &p, &out);
    if (r == 0)
        prune_total(out.bytes);
    return r;
}

const struct cmd cmd_builder_prune = {
    .names = "builder prune;buildx prune",
    .args = "[OPTIONS]",
    .summary = "remove the build cache",
    .description =
        "Removes the records of build steps whose layers no image has, or with --all of every step, and the layers "
        "that "
        "nothing else needs. The next build makes those steps anew. Prints what it removes, and what that freed.",
    .examples = "whelk builder prune -f\nwhelk builder prune -af --filter until=240h\nwhelk builder prune -f "
                "--keep-storage 2g",
    .opts = prune_table,
    .opts_size = sizeof(struct prune_opts),
    .run = run,
};
