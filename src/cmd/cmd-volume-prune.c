/* whelk volume prune */
#include "confirm.h"
#include "volumes.h"

#include "whelk/units.h"

struct prune_opts {
    bool all, force, dry_run;
    char **filters;
};

static const struct opt prune_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct prune_opts, all), .help = "also volumes that have a name"},
    {"dry-run", 0, OPT_BOOL, OPT(struct prune_opts, dry_run), .help = "only print what would be removed"},
    {"filter", 0, OPT_LIST, OPT(struct prune_opts, filters), .arg = "KEY=VALUE",
     .help = "only volumes that match: all, anonymous, label, label!, since, until", .complete = COMPLETE_WORDS,
     .words = "all= anonymous= label= since= until="},
    {"force", 'f', OPT_BOOL, OPT(struct prune_opts, force), .help = "do not ask"},
    OPT_END,
};

/* all=true among the filters is --all; it is no property of a volume. */
static int take_all(struct prune_opts *o)
{
    for (size_t i = 0; o->filters && o->filters[i];) {
        const char *value = str_after(o->filters[i], "all=");
        if (!value) {
            i++;
            continue;
        }
        if (!str_eq(value, "true") && !str_eq(value, "1") && !str_eq(value, "false") && !str_eq(value, "0"))
            return err_set(-EINVAL, "--filter all=%s is neither true nor false", value);
        o->all = *value == 't' || *value == '1';
        strv_remove(o->filters, i);
    }
    return 0;
}

static int prune(struct store *s, const struct prune_opts *o, const struct volume_rows *rows)
{
    uint64_t total = 0;
    char text[16];
    int status = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const struct volume_row *row = &rows->items[i];
        uint64_t bytes = 0;
        if (row->links || (!row->v.anonymous && !o->all))
            continue;
        if (volume_usage(s, row->v.name, &bytes) < 0)
            bytes = 0;
        int r = o->dry_run ? 0 : volume_remove(s, row->v.name);
        if (r == 0) {
            printf("%s\n", row->v.name);
            total += bytes;
        } else if (r != -ENOENT && r != -EBUSY) { /* gone or taken meanwhile */
            cmd_report(r);
            status = cmd_worse(status, err_status());
        }
    }
    printf("Total reclaimed space: %s\n", size_format(total, text));
    return status;
}

static int run(void *opts, char **args)
{
    struct prune_opts *o = opts;
    struct store *s;
    struct volume_rows rows = {0};
    int r = take_all(o);
    if (r == 0)
        r = filter_check(volume_filters, o->filters);
    if (r == 0 && !o->force && !o->dry_run)
        r = cmd_confirm(o->all ? "This will remove all volumes that no container has."
                               : "This will remove all anonymous volumes that no container has.");
    else if (r == 0)
        r = 1;
    if (r <= 0)
        return r;
    r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    r = volume_rows_load(s, o->filters, &rows);
    if (r == 0)
        r = prune(s, o, &rows);
    volume_rows_done(&rows);
    return r;
}

const struct cmd cmd_volume_prune = {
    .names = "volume prune",
    .args = "[OPTIONS]",
    .summary = "remove volumes that no container has",
    .description = "Removes the anonymous volumes, with --all every volume, that no container has, and prints their "
                   "names and what that freed. Asks first; where "
                   "nobody can be asked, --force is needed.",
    .examples = "whelk volume prune\nwhelk volume prune -f --filter until=24h\nwhelk volume prune --all --dry-run",
    .opts = prune_table,
    .opts_size = sizeof(struct prune_opts),
    .max_args = 0,
    .run = run,
};
