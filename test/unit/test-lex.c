/* Logical lines of a Dockerfile: directives, joining, comments, places, words. */
#include "lex.h"

#include "whelk/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int lex(const char *text, struct source *s, struct lex_line **lines, size_t *n)
{
    *s = (struct source){.file = "f", .bytes = text, .len = strlen(text)};
    return lex_file(s, lines, n);
}

/* Every line as "NUMBER:TEXT;". */
static const struct {
    const char *text, *lines;
    size_t warnings;
} cases[] = {
    {"", "", 0},
    {"\n \n\t\n", "", 0},
    {"# c\n  # d\n", "", 0},
    {"FROM a", "1:FROM a;", 0},
    {"FROM a \t \nRUN b\n", "1:FROM a;2:RUN b;", 0},
    {"\xef\xbb\xbf"
     "FROM a\r\n\r\nRUN b\\\r\n c\r\n",
     "1:FROM a;3:RUN b c;", 0},
    {"  \tRUN  a  b", "1:RUN  a  b;", 0},
    {"RUN a \\\n  b", "1:RUN a   b;", 0},
    {"RUN a\\\nb", "1:RUN ab;", 0},
    {"RUN a \\  \t\nb", "1:RUN a b;", 0},
    {"RUN a \\\n# c\n  # d \\\nb", "1:RUN a b;", 0},
    {"RUN a \\\n\n   \nb\nRUN c", "1:RUN a b;5:RUN c;", 1},
    {"RUN a \\", "1:RUN a;", 0},
    {"RUN a \\\n", "1:RUN a;", 0},
    {"RUN a \\\\\nRUN b", "1:RUN a \\\\;2:RUN b;", 0}, /* a doubled one does not continue */
    {"RUN \\git \\x", "1:RUN \\git \\x;", 0},
    {"RUN a `\nb", "1:RUN a `;2:b;", 0},
    {"# escape=`\nRUN a `\nb \\\nRUN c", "2:RUN a b \\;4:RUN c;", 0},
    {"#ESCAPE = ` \nRUN a`\nb", "2:RUN ab;", 0},
    {"# escape=\\\nRUN a\\\nb", "2:RUN ab;", 0},
    {"# comment\n# escape=`\nRUN a`\nRUN b", "3:RUN a`;4:RUN b;", 0}, /* too late */
    {"\n# escape=`\nRUN a`\nRUN b", "3:RUN a`;4:RUN b;", 0},
    {"# other=x\n# escape=`\nRUN a`\nRUN b", "3:RUN a`;4:RUN b;", 0},
    {"# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=`\nRUN a`\nb", "4:RUN ab;", 0},
    {"# syntax=docker.io/docker/dockerfile:1.7-labs\nRUN a", "2:RUN a;", 0},
    {"# syntax=example/other\nRUN a", "2:RUN a;", 1},
    {"\\\nRUN a\\\n b", "2:RUN a b;", 0},
    {"\\\n\\\n", "", 0},
    {"RUN a#b \\\n #c\n d", "1:RUN a#b  d;", 0},
};

static void test_lines(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf got = {0};
        struct lex_line *lines;
        struct source s;
        size_t n;

        if (lex(cases[i].text, &s, &lines, &n) < 0)
            fail_msg("row %zu: %s", i, err_text(-EINVAL));
        for (size_t k = 0; k < n; k++)
            buf_addf(&got, "%u:%s;", lines[k].line, lines[k].text);
        if (!str_eq(got.data ? got.data : "", cases[i].lines))
            fail_msg("row %zu: %s", i, got.data);
        if (s.n_warnings != cases[i].warnings)
            fail_msg("row %zu: %zu warnings", i, s.n_warnings);
        lex_lines_free(lines, n);
        strv_free(s.warnings);
        strv_free(s.rules);
        free(s.check);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"# escape=x\n", "f:1: the escape character can only be \\ or `"},
        {"# escape=`\n# escape=`\n", "f:2: this directive stands in the file twice"},
        {"# syntax=a\n# check=b\n# SYNTAX=a\n", "f:3: this directive stands in the file twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct lex_line *lines;
        struct source s;
        size_t n;

        assert_int_equal(lex(bad[i].text, &s, &lines, &n), -EINVAL);
        assert_string_equal(err_text(-EINVAL), bad[i].message);
        lex_lines_free(lines, n);
        strv_free(s.warnings);
        strv_free(s.rules);
        free(s.check);
    }
}

static void test_bytes(void **state)
{
    auto_free char *big = xcalloc(1, (1 << 20) + 1);
    struct source s = {.file = "f", .bytes = "FROM a\nRUN \0b", .len = 13};
    struct lex_line *lines;
    size_t n;

    assert_int_equal(lex_file(&s, &lines, &n), -EINVAL);
    assert_string_equal(err_text(-EINVAL), "f:2: a zero byte: this is no text file");
    memset(big, '\n', (1 << 20) + 1);
    s = (struct source){.file = "f", .bytes = big, .len = (1 << 20) + 1};
    assert_int_equal(lex_file(&s, &lines, &n), -EINVAL);
    s.len--;
    assert_int_equal(lex_file(&s, &lines, &n), 0);
    assert_int_equal(n, 0);
}

/* A caret below a continued line points into the physical line. */
static void test_caret(void **state)
{
    struct lex_line *lines;
    struct source s;
    size_t n;

    assert_int_equal(lex("RUN a \\\n\t\xc3\xa4 \x1b"
                         "b\n",
                         &s, &lines, &n),
                     0);
    assert_string_equal(lines[0].text, "RUN a \t\xc3\xa4 \x1b"
                                       "b");
    lex_error(&s, &lines[0], strlen("RUN "), "do that", "no %s", "a");
    assert_string_equal(err_text(-EINVAL), "f:1: no a");
    assert_string_equal(err_detail_text(), "  RUN a \\\n      ^\nhint: do that");
    lex_error(&s, &lines[0], strlen(lines[0].text) - 1, NULL, "no b");
    assert_string_equal(err_text(-EINVAL), "f:2: no b");
    assert_string_equal(err_detail_text(), "   \xc3\xa4 \\x1bb\n         ^");
    lex_lines_free(lines, n);
}

static void test_long_line(void **state)
{
    auto_buf struct buf text = {0};
    struct lex_line *lines;
    struct source s;
    size_t n;

    for (int i = 0; i < 10000; i++)
        buf_adds(&text, "0123456789");
    assert_int_equal(lex(text.data, &s, &lines, &n), 0);
    lex_error(&s, &lines[0], 50005, NULL, "here");
    assert_true(strlen(err_detail_text()) < 300);
    assert_int_equal(strchr(err_detail_text(), '\n')[3 + 80], '^');
    assert_int_equal(err_detail_text()[2 + 80], '5');
    lex_lines_free(lines, n);
}

static void test_words(void **state)
{
    static const struct {
        const char *text, *plain, *quoted;
    } rows[] = {
        {"", "", ""},
        {" a\t b ", "a|b", "a|b"},
        {"'a b' c", "'a|b'|c", "'a b'|c"},
        {"\"a\\\" b\" c", "\"a\\\"|b\"|c", "\"a\\\" b\"|c"},
        {"'a\\' b", "'a\\'|b", "'a\\'|b"}, /* nothing is escaped in single quotes */
        {"a\\ b c", "a\\|b|c", "a\\ b|c"},
        {"k='a b'\"c d\"", "k='a|b'\"c|d\"", "k='a b'\"c d\""},
        {"'a b", "'a|b", "'a b"},
        {"a \\", "a|\\", "a|\\"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int quoted = 0; quoted < 2; quoted++) {
            auto_with(lex_words_done) struct lex_words w = {0};
            auto_buf struct buf got = {0};

            if (quoted)
                lex_words_quoted(rows[i].text, '\\', &w);
            else
                lex_words_plain(rows[i].text, &w);
            for (size_t k = 0; k < w.n; k++)
                buf_addf(&got, "%s%.*s", k ? "|" : "", (int)w.v[k].len, w.v[k].start);
            assert_string_equal(got.data ? got.data : "", quoted ? rows[i].quoted : rows[i].plain);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_bad),       cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_caret), cmocka_unit_test(test_long_line), cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
