/* Tables for people: upper-case header, columns padded to the widest cell, three blanks between (CV-24). */
#ifndef WHELK_COLUMNS_H
#define WHELK_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct columns;

/* headers: n static strings. */
struct columns *columns_new(const char *const *headers, size_t n);
/* Adds one cell (copied, made printable); rows fill left to right. */
void columns_cell(struct columns *c, const char *text);
void columns_print(const struct columns *c, bool with_header, FILE *out);
void columns_free(struct columns *c);

#endif
