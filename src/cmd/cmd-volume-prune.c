/* whelk volume prune */
#include "confirm.h"
#include "prune.h"
#include "volumes.h"

#include "whelk/event.h"

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

static int remove_unused(const struct store *s, const struct volume_row *row, bool dry_run, struct prune_out *out)
{
    uint64_t bytes = 0;
    if (volume_usage(s, row->v.name, &bytes) < 0)
        bytes = 0;
    int r = dry_run ? 0 : volume_remove(s, row->v.name);
    if (r == 0) {
        prune_line(out, "%s", row->v.name);
        out->bytes += bytes;
    }
    return r == -ENOENT || r == -EBUSY ? 0 : r; /* gone or taken meanwhile */
}

int prune_volumes(const struct store *s, bool all, bool dry_run, char *const *filters, struct prune_out *out)
{
    struct volume_rows rows = {0};
    int status = 0;
    int r = volume_rows_load(s, filters, &rows);
    for (size_t i = 0; r == 0 && i < rows.n; i++) {
        const struct volume_row *row = &rows.items[i];
        if (row->links || (!row->v.anonymous && !all))
            continue;
        int one = remove_unused(s, row, dry_run, out);
        if (one < 0) {
            cmd_report(one);
            status = cmd_worse(status, err_status());
        }
    }
    volume_rows_done(&rows);
    if (r == 0 && out->begun && !dry_run)
        event_object(s, "volume", "prune", "", "");
    return r < 0 ? r : status;
}

static int run(void *opts, char **args)
{
    struct prune_opts *o = opts;
    struct prune_out out = {0};
    struct store *s;
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
    r = prune_volumes(s, o->all, o->dry_run, o->filters, &out);
    if (r >= 0)
        prune_total(out.bytes);
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
