/* Tables: alignment, missing header, control characters, wide letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/columns.h"
#include "whelk/str.h"

static const char *const headers[] = {"ID", "NAME", "SIZE"};

struct table_case {
    const char *cells[10];
    bool with_header;
    const char *text;
};

static const struct table_case cases[] = {
    {{NULL}, true, "ID   NAME   SIZE\n"},
    {{NULL}, false, ""},
    {{"1", "a", "0B"}, true, "ID   NAME   SIZE\n1    a      0B\n"},
    {{"1", "a", "0B"}, false, "1   a   0B\n"},
    {{"123", "a", "0B", "4", "focused_wing", ""},
     true,
     "ID    NAME           SIZE\n123   a              0B\n4     focused_wing   \n"},
    {{"1", "\xc3\xa9t\xc3\xa9", "x", "2", "abc", "y"}, false, "1   \xc3\xa9t\xc3\xa9   x\n2   abc   y\n"},
    {{"1", "a\033[31m\n", "x"}, false, "1   a\\x1b[31m\\x0a   x\n"},
};

static void prints(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct columns *c = columns_new(headers, ARRAY_LEN(headers));
        for (size_t k = 0; cases[i].cells[k]; k++)
            columns_cell(c, cases[i].cells[k]);
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        columns_print(c, cases[i].with_header, out);
        fclose(out);
        assert_string_equal(text, cases[i].text);
        free(text);
        columns_free(c);
    }
}

static void many_rows(void **state)
{
    enum { ROWS = 1000 };
    struct columns *c = columns_new(headers, 1);
    for (int i = 0; i < ROWS; i++)
        columns_cell(c, "row");
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    columns_print(c, true, out);
    fclose(out);
    assert_int_equal(len, 3 + 4 * ROWS);
    assert_string_equal(text + len - 8, "row\nrow\n");
    free(text);
    columns_free(c);
    columns_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prints), cmocka_unit_test(many_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
