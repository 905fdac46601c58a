/* whelk secret ls */
#include "listing.h"
#include "secrets.h"

#include "whelk/filter.h"
#include "whelk/id.h"
#include "whelk/units.h"

struct ls_opts {
    bool quiet, noheading;
    char *format;
    char **filters;
};

static const struct opt ls_table[] = {
    {"filter", 'f', OPT_LIST, OPT(struct ls_opts, filters), .arg = "KEY=VALUE",
     .help = "only secrets that match: id, label, name", .complete = COMPLETE_WORDS, .words = "id= label= name="},
    {"format", 0, OPT_STR, OPT(struct ls_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each secret, as '{{.Name}}'"},
    {"noheading", 'n', OPT_BOOL, OPT(struct ls_opts, noheading), .help = "leave out the header line"},
    {"quiet", 'q', OPT_BOOL, OPT(struct ls_opts, quiet), .help = "only ids"},
    OPT_END,
};

static const struct template_column columns[] = {
    {"ID", "ID", true},
    {"Name", "NAME", true},
    {"Driver", "DRIVER", true},
    {"CreatedAt", "CREATED", true},
    {"UpdatedAt", "UPDATED", true},
    {"Labels", "LABELS", false},
};

static int match_id(const void *object, const char *value, void *ctx)
{
    return str_after(((const struct secret *)object)->id, value) != NULL;
}

static int match_name(const void *object, const char *value, void *ctx)
{
    return filter_regex(((const struct secret *)object)->name, value);
}

static int match_label(const void *object, const char *value, void *ctx)
{
    return filter_label(((const struct secret *)object)->labels, value);
}

static const struct filter_key keys[] = {
    {"id", match_id, false}, {"label", match_label, true}, {"name", match_name, false}, {NULL, NULL, false}};

static json_t *ago(int64_t ns)
{
    char words[40];
    auto_free char *text = xasprintf("%s ago", time_ago(time_now() - ns, words));
    return json_from_str(text);
}

static json_t *row_json(const struct secret *x, bool whole)
{
    auto_free char *labels = strv_join(x->labels, ","), *id = xstrndup(x->id, whole ? ID_LEN : ID_SHORT);
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o}", "ID", json_from_str(id), "Name", json_from_str(x->name),
                     "Driver", x->driver ? x->driver : "file", "CreatedAt", ago(x->created), "UpdatedAt",
                     ago(x->updated), "Labels", json_from_str(labels));
}

static int add_row(const struct store *s, const char *name, const struct ls_opts *o, json_t *rows)
{
    struct secret x = {0};
    int r = secret_load(s, name, &x);
    if (r == 0)
        r = filter_match(keys, o->filters, &x, NULL);
    if (r > 0)
        json_array_append_new(rows, row_json(&x, o->quiet));
    secret_done(&x);
    return r == -ENOENT ? 0 : MIN(r, 0);
}

static int run(void *opts, char **args)
{
    const struct ls_opts *o = opts;
    struct store *s;
    auto_strv char **names = NULL;
    auto_json json_t *rows = json_array();
    int r = filter_check(keys, o->filters);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = secret_list(s, &names);
    strv_foreach (name, names)
        r = r < 0 ? r : add_row(s, name, o, rows);
    if (r < 0)
        return r;
    const char *format = o->quiet && listing_is_default(o->format) ? "{{.ID}}" : o->format;
    return listing_print(format, columns, ARRAY_LEN(columns), rows, !o->noheading);
}

const struct cmd cmd_secret_ls = {
    .names = "secret ls;secret list",
    .args = "[OPTIONS]",
    .summary = "list secrets",
    .description = "Lists the secrets of the store by name; what is in them is not shown.",
    .examples = "whelk secret ls\nwhelk secret ls -f name=db\nwhelk secret rm $(whelk secret ls -q)",
    .opts = ls_table,
    .opts_size = sizeof(struct ls_opts),
    .max_args = 0,
    .run = run,
};
