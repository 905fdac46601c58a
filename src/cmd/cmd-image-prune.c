/* whelk image prune: removes the images that nobody needs. */
#include "confirm.h"
#include "images.h"
#include "prune.h"

#include "whelk/event.h"
#include "whelk/gc.h"

struct prune_opts {
    bool all, build_cache, external, force;
    char **filters;
};

static const struct opt prune_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct prune_opts, all),
     .help = "also images that have a name, unless a container uses them"},
    {"build-cache", 0, OPT_BOOL, OPT(struct prune_opts, build_cache),
     .help = "also cached build steps that no image has; with --all every one"},
    {"external", 0, OPT_BOOL, OPT(struct prune_opts, external)}, /* podman's: builds leave no containers here */
    {"filter", 0, OPT_LIST, OPT(struct prune_opts, filters), .arg = "KEY=VALUE",
     .help = "only images that match: dangling, label, label!, until", .complete = COMPLETE_WORDS,
     .words = "dangling= label= until="},
    {"force", 'f', OPT_BOOL, OPT(struct prune_opts, force), .help = "do not ask"},
    OPT_END,
};

/* A name of an image that nobody uses; one that was moved to another image meanwhile is left alone. */
static int untag_row(const struct image_row *row, void *ctx)
{
    auto_free char *id = NULL;
    if (!row->reference || image_set_users(row->set, row->image->id))
        return 0;
    if (name_get(row->set->store, row->reference, &id) < 0 || !str_eq(id, row->image->id))
        return 0;
    int r = name_remove(row->set->store, row->reference);
    if (r == 0)
        prune_line(ctx, "Untagged: %s", row->reference);
    return r == -ENOENT ? 0 : r;
}

static int remove_row(const struct image_row *row, void *ctx)
{
    if (row->reference || image_set_users(row->set, row->image->id))
        return 0;
    int r = image_remove(row->set->store, row->image->id);
    if (r == 0)
        prune_line(ctx, "Deleted: sha256:%s", row->image->id);
    return r == -ENOENT ? 0 : r;
}

/* What there is now, through fn. */
static int each(const struct store *s, char *const *filters, int (*fn)(const struct image_row *row, void *ctx),
                struct prune_out *out)
{
    struct image_set set = {0};
    int r = image_set_load(s, &set);
    if (r == 0)
        r = image_set_load_users(&set);
    if (r == 0)
        r = image_rows_each(&set, image_prune_filters, filters, fn, out);
    image_set_done(&set);
    return r;
}

/* dangling=false among the filters is docker's other word for --all; it is taken out. */
static int take_dangling(struct prune_opts *o)
{
    for (size_t i = 0; o->filters && o->filters[i];) {
        const char *value = str_after(o->filters[i], "dangling=");
        if (!value) {
            i++;
            continue;
        }
        bool no = str_eq(value, "false") || str_eq(value, "0");
        if (!no && !str_eq(value, "true") && !str_eq(value, "1"))
            return err_set(-EINVAL, "--filter dangling=%s is neither true nor false", value);
        o->all = o->all || no;
        strv_remove(o->filters, i);
    }
    return 0;
}

/* Names first, then the images that have none, or none any more. */
int prune_images(struct store *s, bool all, char *const *filters, struct prune_out *out)
{
    struct gc_result freed = {0};
    int r = all ? each(s, filters, untag_row, out) : 0;
    if (r == 0)
        r = each(s, filters, remove_row, out);
    if (r == 0)
        r = gc_run(s, &freed);
    out->bytes += freed.bytes;
    gc_result_done(&freed);
    if (r == 0 && out->begun)
        event_object(s, "image", "prune", "", "");
    return r;
}

static int prune(struct store *s, const struct prune_opts *o)
{
    struct prune_out out = {0};
    store_tidy(s);
    int r = o->build_cache ? prune_steps(s, o->all, &out) : 0;
    if (r == 0)
        r = prune_images(s, o->all, o->filters, &out);
    if (r == 0)
        prune_total(out.bytes);
    return r;
}

static int run(void *opts, char **args)
{
    struct prune_opts *o = opts;
    struct store *s;
    int r = filter_check(image_prune_filters, o->filters);
    if (r == 0)
        r = take_dangling(o);
    if (r == 0 && o->build_cache && strv_len(o->filters))
        r = err_set(-EINVAL, "--build-cache goes with no --filter: cached steps have no labels");
    if (r < 0)
        return r;
    r = o->force ? 1
                 : cmd_confirm(o->all ? "This will remove all images that no container uses."
                                      : "This will remove all images without a name.");
    if (r <= 0)
        return r;
    r = cmd_store(&s);
    return r < 0 ? r : prune(s, o);
}

const struct cmd cmd_image_prune = {
    .names = "image prune",
    .args = "[OPTIONS]",
    .summary = "remove images that nobody needs",
    .description = "Removes the images without a name, with --all every image, that no container uses, and prints them "
                   "and what that freed. The build cache is "
                   "left alone. Asks before, on a terminal; elsewhere --force is needed.",
    .examples = "whelk image prune\nwhelk image prune -f --filter label=job\nwhelk image prune -af --filter until=240h",
    .opts = prune_table,
    .opts_size = sizeof(struct prune_opts),
    .max_args = 0,
    .run = run,
};
