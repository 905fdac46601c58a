/* Tables for people. Cells are kept until print: the widest one of a column decides. */
#include "whelk/columns.h"

#include "whelk/str.h"

enum { GAP = 3 };

struct columns {
    const char *const *headers;
    size_t n;
    char **cells; /* row by row */
    size_t n_cells, cap;
};

struct columns *columns_new(const char *const *headers, size_t n)
{
    struct columns *c = xcalloc(1, sizeof(*c));
    c->headers = headers;
    c->n = n;
    return c;
}

void columns_cell(struct columns *c, const char *text)
{
    if (c->n_cells == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->cells = xrealloc(c->cells, c->cap * sizeof(c->cells[0]));
    }
    c->cells[c->n_cells++] = str_printable(text ? text : "");
}

/* Code points: continuation bytes of UTF-8 take no place. */
static size_t text_width(const char *s)
{
    size_t width = 0;
    for (; *s; s++)
        width += ((unsigned char)*s & 0xc0) != 0x80;
    return width;
}

/* The last column is not padded: no blanks at line ends. */
static void print_cell(const struct columns *c, size_t column, const char *text, const size_t *widths, FILE *out)
{
    fputs(text, out);
    if (column + 1 == c->n)
        fputc('\n', out);
    else
        fprintf(out, "%*s", (int)(widths[column] - text_width(text) + GAP), "");
}

void columns_print(const struct columns *c, bool with_header, FILE *out)
{
    if (c->n == 0)
        return;
    auto_free size_t *widths = xcalloc(c->n, sizeof(widths[0]));
    for (size_t i = 0; with_header && i < c->n; i++)
        widths[i] = text_width(c->headers[i]);
    for (size_t i = 0; i < c->n_cells; i++)
        widths[i % c->n] = MAX(widths[i % c->n], text_width(c->cells[i]));

    for (size_t i = 0; with_header && i < c->n; i++)
        print_cell(c, i, c->headers[i], widths, out);
    for (size_t i = 0; i < c->n_cells; i++)
        print_cell(c, i % c->n, c->cells[i], widths, out);
}

void columns_free(struct columns *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_cells; i++)
        free(c->cells[i]);
    free(c->cells);
    free(c);
}
