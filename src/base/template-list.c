/* Templates over rows: what --format means for commands that list. */
#include "template-parts.h"

#include "whelk/err.h"

#include <ctype.h>

enum { GAP = 3 }; /* as columns.c has it */

/* ---- aligned tables ---- */

/* Lines of cells. A cell takes part in its column only if a tab follows it: the last one of a line does not. */
struct table {
    char ***lines;
    size_t n;
};

static void table_done(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        strv_free(t->lines[i]);
    free(t->lines);
}

static char **table_line(struct table *t)
{
    t->lines = xrealloc(t->lines, (t->n + 1) * sizeof(t->lines[0]));
    return t->lines[t->n++] = NULL;
}

/* Cells are what stands between tabs; made printable, for they come from containers. */
static void table_add_text(struct table *t, const char *text)
{
    for (const char *line = text;; line++) {
        size_t len = strcspn(line, "\n");
        const char *end = line + len;
        table_line(t);
        for (;; line++) {
            size_t cell = MIN(strcspn(line, "\t"), (size_t)(end - line));
            auto_free char *raw = xstrndup(line, cell);
            strv_add_take(&t->lines[t->n - 1], str_printable(raw));
            line += cell;
            if (line == end)
                break;
        }
        if (!*line)
            return;
    }
}

/* The widths of all columns over lines that have them, one behind the other. */
static size_t *table_widths(const struct table *t, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n = MAX(n, strv_len(t->lines[i]));
    size_t *widths = xcalloc(n + 1, sizeof(*widths));
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; t->lines[i][k] && t->lines[i][k + 1]; k++)
            widths[k] = MAX(widths[k], text_width(t->lines[i][k]));
    }
    *ret_n = n;
    return widths;
}

static void table_print(const struct table *t, struct buf *out)
{
    size_t n;
    auto_free size_t *widths = table_widths(t, &n);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; t->lines[i][k]; k++) {
            buf_adds(out, t->lines[i][k]);
            if (t->lines[i][k + 1])
                buf_addf(out, "%*s", (int)(widths[k] - text_width(t->lines[i][k]) + GAP), "");
        }
        buf_addc(out, '\n');
    }
}

/* ---- headers ---- */

struct headers {
    const struct template_column *columns;
    size_t n;
};

/* Caller frees. */
static char *field_header(const struct headers *h, char *const *fields)
{
    const char *last = NULL;
    for (size_t i = 0; i < h->n; i++) {
        if (str_eq(h->columns[i].field, fields[0]) && h->columns[i].header)
            return xstrdup(h->columns[i].header);
    }
    strv_foreach (field, fields)
        last = field;
    char *name = xstrdup(last);
    for (char *p = name; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return name;
}

/* .Label "org.example.some-name" has its own: "some name". */
static char *label_header(const struct node *command)
{
    const struct node *arg = command->n_kids == 2 ? command->kids[1] : NULL;
    if (!arg || arg->kind != NODE_CONST || !json_is_string(arg->value) || command->kids[0]->kind != NODE_FIELD)
        return NULL;
    const char *label = json_string_value(arg->value), *dot = strrchr(label, '.');
    char *name = xstrdup(dot ? dot + 1 : label);
    for (char *p = strpbrk(name, "-_"); p; p = strpbrk(p, "-_"))
        *p = ' ';
    return name;
}

/* The header of the first field in a part of the tree; NULL if there is none. */
static char *node_header(const struct headers *h, const struct node *n)
{
    char *found = n->kind == NODE_COMMAND ? label_header(n) : NULL;
    if (!found && n->fields && (n->kind == NODE_FIELD || (n->kind == NODE_VARIABLE && str_eq(n->text, "$"))))
        found = field_header(h, n->fields);
    for (size_t i = 0; i < n->n_kids && !found; i++)
        found = node_header(h, n->kids[i]);
    return found;
}

static bool is_constant(const struct node *pipe)
{
    return pipe->n_kids == 1 && pipe->kids[0]->n_kids == 1 && pipe->kids[0]->kids[0]->kind == NODE_CONST;
}

/* Text stays; each action is the header of the field that it shows, whatever it does to it. */
static char *template_header(const struct template *t, const struct headers *h)
{
    struct buf b = {0};
    for (size_t i = 0; i < t->root->n_kids; i++) {
        const struct node *n = t->root->kids[i];
        if (n->kind == NODE_TEXT) {
            buf_adds(&b, n->text);
        } else if (n->kind == NODE_ACTION && is_constant(n->pipe)) {
            print_value(&b, n->pipe->kids[0]->kids[0]->value);
        } else if (n->kind != NODE_ACTION || !n->pipe->vars) {
            auto_free char *header = node_header(h, n->pipe);
            buf_adds(&b, header ? header : "");
        }
    }
    return buf_take(&b);
}

/* ---- the kinds of format ---- */

/* A cell as a template would show it, but nothing is shown as nothing. */
static void add_cell(struct table *t, const json_t *value)
{
    auto_buf struct buf b = {0};
    if (value && !json_is_null(value))
        print_value(&b, value);
    strv_add_take(&t->lines[t->n - 1], str_printable(b.data ? b.data : ""));
}

static void list_default(const struct headers *h, const json_t *rows, bool with_header, struct buf *out)
{
    auto_with(table_done) struct table t = {0};
    if (with_header)
        table_line(&t);
    for (size_t k = 0; k < h->n && with_header; k++) {
        if (h->columns[k].in_default)
            strv_add(&t.lines[0], h->columns[k].header);
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        table_line(&t);
        for (size_t k = 0; k < h->n; k++) {
            if (h->columns[k].in_default)
                add_cell(&t, json_object_get(json_array_get(rows, i), h->columns[k].field));
        }
    }
    table_print(&t, out);
}

static int list_table(const struct template *t, const struct headers *h, const json_t *rows, bool with_header,
                      struct buf *out)
{
    auto_with(table_done) struct table table = {0};
    auto_free char *header = with_header ? template_header(t, h) : NULL;
    if (header)
        table_add_text(&table, header);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        auto_buf struct buf row = {0};
        int r = template_execute(t, json_array_get(rows, i), &row);
        if (r < 0)
            return r;
        table_add_text(&table, row.data);
    }
    table_print(&table, out);
    return 0;
}

/* Text that ends the line itself gets no second end. */
static int list_lines(const struct template *t, const json_t *rows, struct buf *out)
{
    const struct node *last = t->root->n_kids ? t->root->kids[t->root->n_kids - 1] : NULL;
    bool ended = last && last->kind == NODE_TEXT && str_ends(last->text, "\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        int r = template_execute(t, json_array_get(rows, i), out);
        if (r < 0)
            return r;
        if (!ended)
            buf_addc(out, '\n');
    }
    return 0;
}

/* podman's way to see all rows at once: the whole template is one {{range .}}. */
static bool is_over_rows(const struct template *t)
{
    const struct node *first = t->root->n_kids ? t->root->kids[0] : NULL;
    if (!first || first->kind != NODE_RANGE)
        return false;
    const struct node *pipe = first->pipe;
    return pipe->n_kids == 1 && pipe->kids[0]->n_kids == 1 && pipe->kids[0]->kids[0]->kind == NODE_DOT;
}

/* What follows "table", NULL if format does not start with that word. */
static const char *after_table(const char *format)
{
    const char *rest = str_after(format, "table");
    return rest && (!*rest || isspace((unsigned char)*rest) || str_after(rest, "{{") || str_after(rest, "\\t")) ? rest
                                                                                                                : NULL;
}

int template_list(const char *format, const struct template_column *columns, size_t n_columns, const json_t *rows,
                  bool with_header, struct buf *out)
{
    auto_free char *copy = xstrdup(format ? format : "");
    const char *text = str_trim(copy), *rest = after_table(text);
    struct headers h = {columns, n_columns};
    struct template *t;
    while (rest && isspace((unsigned char)*rest))
        rest++;
    if (!*text || (rest && !*rest)) {
        list_default(&h, rows, with_header, out);
        return 0;
    }
    if (str_eq(text, "json")) {
        auto_free char *json = json_text(rows, true);
        buf_addf(out, "%s\n", json);
        return 0;
    }
    int r = template_parse(rest ? rest : text, &t);
    if (r < 0)
        return r;
    size_t start = out->len;
    buf_reserve(out, 0);
    r = rest              ? list_table(t, &h, rows, with_header, out)
        : is_over_rows(t) ? template_execute(t, rows, out)
                          : list_lines(t, rows, out);
    if (r < 0) {
        out->len = start;
        out->data[start] = '\0';
    }
    template_free(t);
    return r;
}
