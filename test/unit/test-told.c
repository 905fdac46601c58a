/* What keys cover, told and compared. */
#include "told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void check(const char *then, const char *now, const char *expected)
{
    auto_strv char **sentences = told_compare(then, now);
    auto_free char *all = sentences ? strv_join(sentences, "|") : xstrdup("");
    assert_string_equal(all, expected);
}

static void compares(void **state)
{
    (void)state;
    static const struct {
        const char *then, *now, *expected;
    } cases[] = {
        {"", "", ""},
        {"text\tRUN a\n", "text\tRUN a\n", ""},
        {"text\tRUN a\nargs\ta\n", "text\tRUN b\nargs\tb\n", "the instruction is another one, it was \"RUN a\""},
        {"args\ta\n", "args\tb\n", "its words: now \"b\", it was \"a\""},
        {"arguments\tA=#1\narguments\tB=#1\n", "arguments\tB=#2\narguments\tC=#1\n",
         "build argument A is gone|build argument B has another value|build argument C is new"},
        {"file\ta\tm\t1\nfile\tb\tm\t1\n", "file\tb\tm\t2\nfile\tc\tm\t1\n",
         "file a is gone|file b has other contents|file c is new"},
        {"file\ta\tm\t1\n", "file\ta\tn\t1\n", "file a has other mode, owner or kind"},
        {"before\tENV A=1\t1\nbefore\tENV B=1\t1\n", "before\tENV B=1\t1\n", "before it, \"ENV A=1\" is gone"},
        {"before\tENV A=$X\t1\n", "before\tENV A=$X\t2\n", "before it, a variable in \"ENV A=$X\" has another value"},
        {"base\tstep 1\n", "base\tstep 2\n", "the steps before it are others"},
        {"chown\t-\n", "chown\t1:1\n", "chown: now \"1:1\", it was \"-\""},
        {"heredoc\t#1\n", "heredoc\t#2\n", "its heredoc changed"},
        {"", "mount\tcache\n", "mount is new: cache"},
        {"no tab", "no tab either", "no tab is gone: |no tab either is new: "}, /* a damaged file */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(cases[i].then, cases[i].now, cases[i].expected);
}

static void tells(void **state)
{
    (void)state;
    auto_buf struct buf t = {0};
    char *pairs[] = {(char *)(uintptr_t) "A=secret", NULL};
    told_add(&t, "text", "RUN a");
    told_add(&t, "none", NULL);
    told_add(&t, "lines", "a\nb");
    told_add_strv(&t, "arguments", pairs);
    told_add_file(&t, "a\tb", "100644 0:0 0 -", "0123456789abcdef0123");
    auto_free char *text = told_value(t.data, "text"), *lines = told_value(t.data, "lines");
    auto_free char *arguments = told_value(t.data, "arguments"), *file = told_value(t.data, "file");
    assert_string_equal(text, "RUN a");
    assert_true(*lines == '#' && strlen(lines) == 17);
    assert_null(strstr(t.data, "secret"));
    assert_non_null(str_after(arguments, "A=#"));
    assert_non_null(strstr(file, "\t0123456789abcdef"));
    assert_null(told_value(t.data, "other"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(compares), cmocka_unit_test(tells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
