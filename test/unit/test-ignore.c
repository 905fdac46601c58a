/* .dockerignore: patterns, exceptions, and what a walker may skip. */
#include "whelk/ignore.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ignore *parse(const char *text)
{
    struct ignore *g = NULL;

    if (ignore_parse(".dockerignore", text, strlen(text), &g) < 0)
        fail_msg("%s: %s", text, err_text(-EINVAL));
    return g;
}

static const struct {
    const char *patterns, *path;
    bool excluded;
} cases[] = {
    {"", "a", false},
    {"a", "a", true},
    {"a", "b/a", false},
    {"a", "a/b/c", true}, /* below an excluded directory */
    {"a", "ab", false},
    {"/a", "a", true},
    {"a/", "a", true},
    {"./a//b/../c", "a/c", true},
    {"..", "a", false},
    {".", "a", false},
    {"/", "a", false},
    {"#a", "#a", false},
    {" #a", "#a", true}, /* a comment begins in column 1 */
    {"\t a \r\n", "a", true},
    {"\xef\xbb\xbf"
     "a",
     "a", true},
    {"*", "a", true},
    {"*", "a/b", true}, /* through a */
    {"*.o", "x.o", true},
    {"*.o", "d/x.o", false},
    {"*/*.o", "d/x.o", true},
    {"*/*.o", "x.o", false},
    {"a*c", "abbc", true},
    {"a*c", "ab/c", false},
    {"?", "a", true},
    {"?", "ab", false},
    {"?", "\xc3\xa4", true}, /* a character and not a byte */
    {"?/b", "//b", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[^a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"a[^b]c", "a/c", false},
    {"[\\]\\-]x", "]x", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a.c", "abc", false},
    {"(a|b)+{1}$", "(a|b)+{1}$", true},
    {"]", "]", true},
    {"**", "a/b/c", true},
    {"**/x", "x", true},
    {"**/x", "a/b/x", true},
    {"**/x", "a/bx", false},
    {"**x", "a/bx", true}, /* docker: ends with x */
    {"**x*", "a/bx", false},
    {"**x*", "a/xb", true},
    {"**/*.go", "a/b.go", true},
    {"**/*.go", "b.go", true},
    {"a/**", "a/b", true},
    {"a/**", "a", false},
    {"a/**/z", "a/z", true},
    {"a/**/z", "a/b/c/z", true},
    {"a/**/z", "a/bz", false},
    {"a**/z", "ab/z", true}, /* ** and its slash: nothing, or up to a slash */
    {"a**/z", "az", true},
    {"a**/z", "abz", false},
    {"**/.git/**", "x/.git/y/z", true},
    {"**/.git/**", ".git/y", true},
    {"**/.git/**", "x/.git", false},
    {"*\n!keep", "keep", false},
    {"*\n!keep", "keep/x", false},
    {"*\n!keep", "other", true},
    {"*\n!keep\nkeep/no", "keep/no/x", true},
    {"!keep\n*", "keep", true}, /* the last match wins */
    {"d\n!d/keep", "d/keep", false},
    {"d\n!d/keep", "d/other", true},
    {"*.md\n!README*.md\nREADME-secret.md", "README.md", false},
    {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
    {"! /a\n", "a", false},
    {"*\n! /a\n", "a", false},
};

static void test_matches(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ignore *g = parse(cases[i].patterns);

        if (ignore_matches(g, cases[i].path) != cases[i].excluded)
            fail_msg("row %zu: \"%s\" and %s", i, cases[i].patterns, cases[i].path);
        ignore_free(g);
    }
}

static const struct {
    const char *patterns, *dir;
    bool may;
} below[] = {
    {"d", "d", false},
    {"d\n!d/keep", "d", true},
    {"d\n!d/keep", "d/other", false},
    {"d\n!d/a/b/c", "d/a", true},
    {"d\n!dd/keep", "d", false},
    {"d\n!*/keep", "d", true},
    {"d\n!*/keep", "d/e", false},
    {"d\n!**/keep", "d/e/f", true},
    {"d\n!d/**", "d", true},
    {"!d/keep\nd", "d", false}, /* too early to help */
    {"*\n!keep", "other", false},
    {"x", "d", true}, /* not excluded at all */
};

static void test_may_include_below(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(below); i++) {
        struct ignore *g = parse(below[i].patterns);

        if (ignore_may_include_below(g, below[i].dir) != below[i].may)
            fail_msg("row %zu: \"%s\" and %s", i, below[i].patterns, below[i].dir);
        ignore_free(g);
    }
}

static void test_rule(void **state)
{
    struct ignore *g = parse("*.md\n  ! README.md  \n");

    assert_string_equal(ignore_rule(g, "x.md"), "*.md");
    assert_string_equal(ignore_rule(g, "README.md"), "! README.md");
    assert_null(ignore_rule(g, "x.c"));
    ignore_free(g);
}

static void test_bad(void **state)
{
    static const char *const bad[] = {"a\n[", "a\n[]a]", "a\n[a", "a\n[a-", "a\n[-a]", "a\na\\", "a\n!", "a\n! "};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ignore *g = NULL;

        assert_int_equal(ignore_parse("x.ignore", bad[i], strlen(bad[i]), &g), -EINVAL);
        assert_null(g);
        assert_non_null(str_after(err_text(-EINVAL), "x.ignore:2: "));
    }
}

static void test_path_match(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } rows[] = {
        {"*.c", "a.c", true}, {"*.c", "d/a.c", false},   {"d/*", "d/x", true},  {"d/*", "d/x/y", false},
        {"**", "a/b", false}, {"a?c", "abc", true},      {"a?c", "a/c", false}, {"[a-b]", "b", true},
        {"a", "a/b", false},  {"[", "[", false},         {"\\[x", "[x", true},  {"", "", true},
        {"*", "", true},      {"x*y*z", "x12y3z", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (path_match(rows[i].pattern, rows[i].path) != rows[i].matches)
            fail_msg("%s and %s", rows[i].pattern, rows[i].path);
}

/* Takes forever with a matcher that tries one way after the other. */
static void test_hostile_pattern(void **state)
{
    char path[201], pattern[201];

    memset(path, 'a', 200);
    path[200] = '\0';
    for (int i = 0; i < 199; i += 2)
        memcpy(pattern + i, "*a", 2);
    strcpy(pattern + 198, "*b");
    assert_false(path_match(pattern, path));
    pattern[199] = 'a';
    assert_true(path_match(pattern, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),    cmocka_unit_test(test_may_include_below),
        cmocka_unit_test(test_rule),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_path_match), cmocka_unit_test(test_hostile_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
