/* Go's text/template over JSON values, as docker's and podman's --format use it (FEATURES 3.3): literal text, {{.A.B}},
 * pipelines, if/else/range/with, break, continue, variables, comments, trim markers, and the functions json split join
 * title lower upper pad truncate print println printf len index slice and or not eq ne lt le gt ge html js urlquery.
 * Not: define, template, block. Pure: no file is read, nothing but the data can be reached. Template, depth, steps and
 * output are bounded. */
#ifndef WHELK_TEMPLATE_H
#define WHELK_TEMPLATE_H

#include "whelk/json.h"
#include "whelk/str.h"

struct template;

/* "\t" and "\n" in text are those characters. -EINVAL with text that shows the place. */
int template_parse(const char *text, struct template **ret);
void template_free(struct template *t);
/* Appends the result for one value; nothing on an error. An unknown field of data itself (or of an element, if data is
 * an array) is an error that names the fields there are; further down it is <no value>, but an error where a key
 * differs in case only. Field names are case-sensitive, but ID and Id at their end are the same. A method-like member:
 * .Label "k" looks k up in the object or comma list under "Labels". Maps print as map[k:v] in the order of their keys,
 * arrays as [a b], null as <no value>. len of null is 0, and index "k" of it or of an object with strings only "", as
 * docker's empty lists and missing labels are. */
int template_execute(const struct template *t, const json_t *data, struct buf *out);

/* What --format means for a command that lists: rows is an array of objects.
 *
 *     NULL        the default table: headers and fields of columns
 *     "json"      one JSON array
 *     "table T"   T for each row below a header line made of columns' headers (or the field's name in capitals),
 *                 aligned
 *     T           T for each row, a line each; {{json .}} gives an object a line. {{range .}}...: once, with all rows
 *                 (podman)
 *
 * Appends to out. */
struct template_column {
    const char *field;  /* "Names" */
    const char *header; /* "NAMES" */
    bool in_default;    /* a column of the default table */
};
int template_list(const char *format, const struct template_column *columns, size_t n_columns, const json_t *rows,
                  bool with_header, struct buf *out);

#endif
