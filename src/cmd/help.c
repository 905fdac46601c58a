/* Help texts, out of the command and option tables. */
#include "cmd.h"

enum { WIDTH = 80 };

/* Prints text with line breaks at blanks. */
static void print_wrapped(const char *text, FILE *out)
{
    size_t column = 0;
    auto_strv char **words = strv_split(text, " \n");
    strv_foreach (word, words) {
        size_t len = strlen(word);
        if (column && column + 1 + len > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%s", column ? " " : "", word);
    }
    fputc('\n', out);
}

static void print_options(const struct opt *table, FILE *out)
{
    auto_buf struct buf b = {0};
    opt_help(table, &b);
    fprintf(out, "\nOptions:\n%s", b.data);
}

void cmd_print_help(const struct cmd *c, FILE *out)
{
    auto_strv char **names = strv_split(c->names, ";");
    fprintf(out, "Usage: whelk %s%s%s\n\n", names[0], str_empty(c->args) ? "" : " ", c->args ? c->args : "");
    print_wrapped(c->description ? c->description : c->summary, out);
    if (names[1]) {
        auto_free char *others = strv_join(names + 1, ", whelk ");
        fprintf(out, "\nAlso: whelk %s\n", others);
    }
    print_options(c->opts, out);
    auto_strv char **examples = c->examples ? strv_split(c->examples, "\n") : NULL;
    if (examples)
        fputs("\nExamples:\n", out);
    strv_foreach (line, examples)
        fprintf(out, "  %s\n", line);
}

/* ---- lists of commands ---- */

struct row {
    char *name;
    const char *summary;
};

struct rows {
    struct row *rows;
    size_t n;
};

static void rows_add(struct rows *r, const char *name, const char *summary)
{
    r->rows = xrealloc(r->rows, (r->n + 1) * sizeof(r->rows[0]));
    r->rows[r->n++] = (struct row){xstrdup(name), summary};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

/* Sorts, prints and frees. */
static void rows_print(struct rows *r, FILE *out)
{
    int width = 0;
    if (r->n)
        qsort(r->rows, r->n, sizeof(r->rows[0]), by_name);
    for (size_t i = 0; i < r->n; i++)
        width = MAX(width, (int)strlen(r->rows[i].name));
    for (size_t i = 0; i < r->n; i++) {
        fprintf(out, "  %-*s  %s\n", width, r->rows[i].name, r->rows[i].summary);
        free(r->rows[i].name);
    }
    free(r->rows);
}

/* All groups, sorted, one line. */
static void print_groups(FILE *out)
{
    auto_strv char **groups = NULL;
    for (const struct cmd *const *c = commands; *c; c++) {
        auto_strv char **names = (*c)->hidden ? NULL : strv_split((*c)->names, ";");
        strv_foreach (name, names) {
            auto_free char *first = xstrndup(name, strcspn(name, " "));
            if (strchr(name, ' ') && !strv_has(groups, first))
                strv_add(&groups, first);
        }
    }
    if (!groups)
        return;
    struct rows rows = {0};
    strv_foreach (group, groups)
        rows_add(&rows, group, "");
    qsort(rows.rows, rows.n, sizeof(rows.rows[0]), by_name);
    fputs("\nGroups (each has a --help):\n ", out);
    for (size_t i = 0; i < rows.n; i++) {
        fprintf(out, " %s", rows.rows[i].name);
        free(rows.rows[i].name);
    }
    fputc('\n', out);
    free(rows.rows);
}

void cmd_print_overview(FILE *out)
{
    fputs("Usage: whelk [OPTIONS] COMMAND\n\nRuns and builds containers, without a daemon.\n\nCommands:\n", out);
    struct rows rows = {0};
    for (const struct cmd *const *c = commands; *c; c++) {
        auto_free char *name = cmd_name(*c);
        if (!(*c)->hidden && !strchr(name, ' '))
            rows_add(&rows, name, (*c)->summary);
    }
    rows_print(&rows, out);
    print_groups(out);
    print_options(global_opts, out);
    fputs("\nSee whelk COMMAND --help, or man whelk-COMMAND.\n", out);
}

int cmd_print_group(const char *group, bool alone, FILE *out)
{
    if (!cmd_is_group(group))
        return -ENOENT;
    auto_free char *prefix = xasprintf("%s ", group);
    bool has_ls = false;
    struct rows rows = {0};
    for (const struct cmd *const *c = commands; *c; c++) {
        auto_strv char **names = (*c)->hidden ? NULL : strv_split((*c)->names, ";");
        const char *shown = NULL; /* the first of its names in this group */
        strv_foreach (name, names) {
            const char *word = str_after(name, prefix);
            has_ls = has_ls || (word && str_eq(word, "ls"));
            shown = shown ? shown : word;
        }
        if (shown)
            rows_add(&rows, shown, (*c)->summary);
    }
    if (alone && has_ls)
        fprintf(out, "did you mean: whelk %s ls\n\n", group);
    fprintf(out, "Usage: whelk %s COMMAND\n\nCommands:\n", group);
    rows_print(&rows, out);
    fprintf(out, "\nSee whelk %s COMMAND --help.\n", group);
    return 0;
}
