/* whelk volume ls */
#include "volumes.h"

#include "whelk/template.h"

struct ls_opts {
    bool quiet, noheading;
    char *format;
    char **filters;
};

static const struct opt ls_table[] = {
    {"filter", 'f', OPT_LIST, OPT(struct ls_opts, filters), .arg = "KEY=VALUE",
     .help = "only volumes that match: anonymous, dangling, driver, label, label!, name, opt, scope, since, until",
     .complete = COMPLETE_WORDS, .words = "anonymous= dangling= driver= label= name= opt= scope= since= until="},
    {"format", 0, OPT_STR, OPT(struct ls_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each volume, as '{{.Name}}'"},
    {"noheading", 'n', OPT_BOOL, OPT(struct ls_opts, noheading), .help = "leave out the header line"},
    {"quiet", 'q', OPT_BOOL, OPT(struct ls_opts, quiet), .help = "only names"},
    OPT_END,
};

static const struct template_column columns[] = {
    {"Driver", "DRIVER", true},
    {"Name", "VOLUME NAME", true},
    {"Mountpoint", "MOUNTPOINT", false},
    {"Scope", "SCOPE", false},
    {"Labels", "LABELS", false},
    {"Links", "LINKS", false},
    {"Size", "SIZE", false},
    {"CreatedAt", "CREATED AT", false},
    {"Anonymous", "ANONYMOUS", false},
    {"Options", "OPTIONS", false},
    {"Status", "STATUS", false},
    {"Group", "GROUP", false},
    {"Availability", "AVAILABILITY", false},
    {"MountCount", "MOUNT COUNT", false},
    {"NeedsCopyUp", "NEEDS COPY UP", false},
};

/* docker's row: labels are one text there, and sizes are not measured. */
static json_t *row_json(const struct store *s, const struct volume_row *row)
{
    static const char *const unknown[] = {"Availability", "Group", "Size", "Status"};
    auto_free char *labels = strv_join(row->v.labels, ","), *links = xasprintf("%zu", row->links);
    json_t *o = volume_json(s, &row->v, row->links);
    json_object_set_new(o, "Labels", json_from_str(labels));
    json_object_set_new(o, "Links", json_string(links));
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        json_object_set_new(o, unknown[i], json_string("N/A"));
    return o;
}

static int print_rows(const struct store *s, const struct ls_opts *o, const struct volume_rows *rows)
{
    auto_json json_t *array = json_array();
    auto_buf struct buf out = {0};
    for (size_t i = 0; i < rows->n; i++)
        json_array_append_new(array, row_json(s, &rows->items[i]));
    int r = template_list(o->format, columns, ARRAY_LEN(columns), array, !o->noheading, &out);
    if (r == 0)
        fwrite(out.data, 1, out.len, stdout);
    return r;
}

static int run(void *opts, char **args)
{
    const struct ls_opts *o = opts;
    struct store *s;
    struct volume_rows rows = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = volume_rows_load(s, o->filters, &rows);
    for (size_t i = 0; o->quiet && i < rows.n; i++)
        printf("%s\n", rows.items[i].v.name);
    if (r == 0 && !o->quiet)
        r = print_rows(s, o, &rows);
    volume_rows_done(&rows);
    return r;
}

const struct cmd cmd_volume_ls = {
    .names = "volume ls;volume list",
    .args = "[OPTIONS]",
    .summary = "list volumes",
    .description = "Lists the volumes of the store by name.",
    .examples =
        "whelk volume ls\nwhelk volume ls -q -f dangling=true\nwhelk volume ls --format '{{.Name}} {{.Mountpoint}}'",
    .opts = ls_table,
    .opts_size = sizeof(struct ls_opts),
    .max_args = 0,
    .run = run,
};
