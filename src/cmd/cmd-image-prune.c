/* whelk image prune: removes the images that nobody needs. */
#include "confirm.h"
#include "images.h"

#include "whelk/gc.h"
#include "whelk/units.h"

struct prune_opts {
    bool all, force;
    char **filters;
};

static const struct opt prune_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct prune_opts, all),
     .help = "also images that have a name, unless a container uses them"},
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
        printf("Untagged: %s\n", row->reference);
    return r == -ENOENT ? 0 : r;
}

static int remove_row(const struct image_row *row, void *ctx)
{
    if (row->reference || image_set_users(row->set, row->image->id))
        return 0;
    int r = image_remove(row->set->store, row->image->id);
    if (r == 0)
        printf("Deleted: sha256:%s\n", row->image->id);
    return r == -ENOENT ? 0 : r;
}

/* What there is now, through fn. */
static int each(const struct store *s, const struct prune_opts *o, int (*fn)(const struct image_row *row, void *ctx))
{
    struct image_set set = {0};
    int r = image_set_load(s, &set);
    if (r == 0)
        r = image_set_load_users(&set);
    if (r == 0)
        r = image_rows_each(&set, image_prune_filters, o->filters, fn, NULL);
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
static int prune(struct store *s, const struct prune_opts *o)
{
    struct gc_result freed = {0};
    char size[16];
    store_tidy(s);
    int r = o->all ? each(s, o, untag_row) : 0;
    if (r == 0)
        r = each(s, o, remove_row);
    if (r == 0)
        r = gc_run(s, &freed);
    if (r == 0)
        printf("Total reclaimed space: %s\n", size_format(freed.bytes, size));
    gc_result_done(&freed);
    return r;
}

static int run(void *opts, char **args)
{
    struct prune_opts *o = opts;
    struct store *s;
    int r = filter_check(image_prune_filters, o->filters);
    if (r == 0)
        r = take_dangling(o);
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
