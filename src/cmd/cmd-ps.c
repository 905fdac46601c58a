/* whelk ps: the table of containers. Only reads; enters no namespace. */
#include "cmd.h"

#include "whelk/columns.h"
#include "whelk/ctr.h"
#include "whelk/units.h"

struct ps_opts {
    bool all, quiet, no_trunc;
};

static const struct opt ps_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct ps_opts, all), .help = "also those that do not run"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct ps_opts, no_trunc), .help = "show whole ids and commands"},
    {"quiet", 'q', OPT_BOOL, OPT(struct ps_opts, quiet), .help = "only ids"},
    OPT_END,
};

struct row {
    struct ctr c;
    struct ctr_state state;
};

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const struct row *)a)->c.created, y = ((const struct row *)b)->c.created;
    return (x < y) - (x > y);
}

/* A dead --rm container is only waiting to be swept (RUNTIME, life and death 5). */
static bool shown(const struct row *r, bool all)
{
    if (ctr_is_up(&r->state) || r->state.status == CTR_ELSEWHERE)
        return true;
    return all && !(r->c.auto_remove && r->state.status == CTR_EXITED);
}

static int load_rows(const struct store *s, bool all, struct row **ret, size_t *ret_n)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(s, &ids);
    if (r < 0)
        return r;
    struct row *rows = xcalloc(strv_len(ids) + 1, sizeof *rows);
    size_t n = 0;
    strv_foreach (id, ids) {
        struct row row = {0};
        /* The state first: most are not shown without --all, and a record that went meanwhile is no error. */
        if (ctr_state(s, id, &row.state) < 0 || (!all && !ctr_is_up(&row.state) && row.state.status != CTR_ELSEWHERE))
            continue;
        r = ctr_load(s, id, &row.c);
        if (r < 0 && r != -ENOENT)
            log_warn("%s", err_text(r));
        if (r == 0 && shown(&row, all))
            rows[n++] = row;
        else if (r == 0)
            ctr_done(&row.c);
    }
    qsort(rows, n, sizeof *rows, newest_first);
    *ret = rows;
    *ret_n = n;
    return 0;
}

/* "sleep 100" in quotes, cut to 20 characters with an ellipsis. Caller frees. */
static char *command_cell(const struct ctr *c, bool whole)
{
    auto_free char *text = strv_join(c->args, " ");
    if (whole || strlen(text) <= 20)
        return xasprintf("\"%s\"", text);
    return xasprintf("\"%.19s…\"", text);
}

static char *status_cell(const struct ctr_state *st, int64_t now)
{
    char ago[40];
    switch (st->status) {
    case CTR_RUNNING:
        return xasprintf("Up %s", time_ago(now - st->started, ago));
    case CTR_RESTARTING:
        return xasprintf("Restarting (%d) %s ago", st->exit_code, time_ago(now - st->finished, ago));
    case CTR_ELSEWHERE:
        return xstrdup("Up on another host");
    case CTR_EXITED:
        return st->finished ? xasprintf("Exited (%d) %s ago", st->exit_code, time_ago(now - st->finished, ago))
                            : xasprintf("Exited (%d) (supervisor lost)", st->exit_code);
    default:
        return xstrdup("Created");
    }
}

static void print_row(struct columns *t, const struct row *r, bool whole, int64_t now)
{
    char id[ID_LEN + 1], ago[40];
    snprintf(id, sizeof id, "%.*s", whole ? ID_LEN : ID_SHORT, r->c.id);
    auto_free char *command = command_cell(&r->c, whole);
    auto_free char *created = xasprintf("%s ago", time_ago(now - r->c.created, ago));
    auto_free char *status = status_cell(&r->state, now);
    const char *cells[] = {id, r->c.image_ref ? r->c.image_ref : "", command, created, status, "", r->c.name};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        columns_cell(t, cells[i]);
}

static void print_table(const struct row *rows, size_t n, bool whole)
{
    static const char *const headers[] = {"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"};
    struct columns *t = columns_new(headers, ARRAY_LEN(headers));
    int64_t now = time_now();
    for (size_t i = 0; i < n; i++)
        print_row(t, &rows[i], whole, now);
    columns_print(t, true, stdout);
    columns_free(t);
}

static int run(void *opts, char **args)
{
    const struct ps_opts *o = opts;
    struct store *s;
    struct row *rows = NULL;
    size_t n = 0;
    int r = cmd_store(&s);
    if (r == 0)
        r = load_rows(s, o->all, &rows, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; o->quiet && i < n; i++)
        printf("%.*s\n", o->no_trunc ? ID_LEN : ID_SHORT, rows[i].c.id);
    if (!o->quiet)
        print_table(rows, n, o->no_trunc);
    for (size_t i = 0; i < n; i++)
        ctr_done(&rows[i].c);
    free(rows);
    return 0;
}

const struct cmd cmd_ps = {
    .names = "ps;container ls;container list;container ps",
    .args = "[OPTIONS]",
    .summary = "list containers",
    .description = "Lists running containers, newest first; with --all also created and ended ones.",
    .examples = "whelk ps\nwhelk ps -a\nwhelk rm $(whelk ps -aq)",
    .opts = ps_table,
    .opts_size = sizeof(struct ps_opts),
    .max_args = 0,
    .run = run,
};
