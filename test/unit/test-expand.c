/* Variables and quotes in the words of a Dockerfile (DF-04). */
#include "whelk/dockerfile.h"

#include "whelk/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A=one, EMPTY is empty, Q holds quotes and a $, the rest is unset. */
static const char *lookup(void *ctx, const char *name)
{
    static const char *const vars[] = {"A",
                                       "one",
                                       "A_1",
                                       "two",
                                       "EMPTY",
                                       "",
                                       "Q",
                                       "'\"$A",
                                       "1",
                                       "digit",
                                       "PATH_",
                                       "/usr/local/bin.tar.gz",
                                       "STAR",
                                       "*b*c",
                                       "UTF",
                                       "\xc3\xa4"
                                       "b",
                                       NULL};

    static char longest[20001];

    ++*(unsigned *)ctx;
    if (str_eq(name, "LONG"))
        return memset(longest, 'a', sizeof(longest) - 1);
    for (size_t i = 0; vars[i]; i += 2)
        if (str_eq(vars[i], name))
            return vars[i + 1];
    return NULL;
}

static const struct {
    const char *word, *result;
} cases[] = {
    {"", ""},
    {"plain", "plain"},
    {"$A", "one"},
    {"${A}x", "onex"},
    {"$A_1", "two"},
    {"$A-1", "one-1"},
    {"$Ax", ""},
    {"x${NO}y", "xy"},
    {"$1x", "digitx"},
    {"$12", ""},
    {"/$A/$A", "/one/one"},
    {"$", "$"},
    {"a$/b", "a$/b"},
    {"\\$A", "$A"},
    {"\\\\$A", "\\one"},
    {"a\\ b", "a b"},
    {"a\\", "a"},
    {"\\a", "a"},
    {"'$A'", "$A"},
    {"'a\\'", "a\\"},
    {"\"$A\"", "one"},
    {"\"a b\"c", "a bc"},
    {"\"\\$A \\\" \\\\ \\n\"", "$A \" \\ \\n"},
    {"\"'$A'\"", "'one'"},
    {"'\"'", "\""},
    {"$Q", "'\"$A"},
    {"\"\"", ""},
    {"${A:-w}", "one"},
    {"${NO:-w}", "w"},
    {"${EMPTY:-w}", "w"},
    {"${EMPTY-w}", ""},
    {"${NO-w}", "w"},
    {"${A:+w}", "w"},
    {"${NO:+w}", ""},
    {"${EMPTY:+w}", ""},
    {"${EMPTY+w}", "w"},
    {"${NO+w}", ""},
    {"${A:?w}", "one"},
    {"${EMPTY?w}", ""},
    {"${NO:-}", ""},
    {"${NO:-$A}", "one"},
    {"${NO:-a${NO2:-${A}}b}c", "aonebc"},
    {"${NO:-\"}\"}", "}"},
    {"${NO:-'$A'}", "$A"},
    {"${NO:-a b}", "a b"},
    {"\"${NO:-x y}\"", "x y"},
    {"${PATH_#*/}", "usr/local/bin.tar.gz"},
    {"${PATH_##*/}", "bin.tar.gz"},
    {"${PATH_%.*}", "/usr/local/bin.tar"},
    {"${PATH_%%.*}", "/usr/local/bin"},
    {"${PATH_%/*}", "/usr/local"},
    {"${PATH_%nothing}", "/usr/local/bin.tar.gz"},
    {"${PATH_#?usr}", "/local/bin.tar.gz"},
    {"${PATH_/l*l/X}", "/usr/X/bin.tar.gz"},
    {"${PATH_/\\//_}", "_usr/local/bin.tar.gz"},
    {"${PATH_//\\//_}", "_usr_local_bin.tar.gz"},
    {"${PATH_//a/$A}", "/usr/loconel/bin.toner.gz"},
    {"${PATH_//?/x}", "xxxxxxxxxxxxxxxxxxxxx"},
    {"${PATH_//x*/y}", "/usr/local/bin.tar.gz"},
    {"${NO#x}${NO/a/b}", ""},
    {"${A#'o'}", "ne"},
    {"${STAR#\\*}", "b*c"},
    {"${STAR%%\\**}", ""},
    {"${UTF#?}", "b"},
    {"${UTF%?b}", ""},
    {"${A/o/}", "ne"},
    {"${A//}/x}", "one"},
};

static void test_text(void **state)
{
    auto_free char *result = NULL;
    unsigned asked = 0;

    assert_int_equal(expand_text("it's \"$A\" ${NO:-'x'} \\$A \\\\n", '\\', lookup, &asked, &result), 0);
    assert_string_equal(result, "it's \"one\" 'x' $A \\n");
}

static void test_hostile_pattern(void **state)
{
    auto_free char *result = NULL;
    auto_buf struct buf word = {0};
    unsigned asked = 0;

    buf_adds(&word, "${LONG//");
    for (int i = 0; i < 1000; i++)
        buf_adds(&word, "*a");
    buf_adds(&word, "b/x}");
    assert_int_equal(expand_word(word.data, '\\', lookup, &asked, &result), -EINVAL);
    assert_non_null(strstr(err_text(-EINVAL), "too long a value for this pattern"));
}

static void test_expand(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *result = NULL;
        unsigned asked = 0;

        if (expand_word(cases[i].word, '\\', lookup, &asked, &result) < 0)
            fail_msg("%s: %s", cases[i].word, err_text(-EINVAL));
        if (!str_eq(result, cases[i].result))
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].word, result, cases[i].result);
    }
}

static const struct {
    const char *word, *part_of_message;
} bad[] = {
    {"${A", "missing }"},
    {"${", "missing }"},
    {"${}", "no variable's name"},
    {"${A:-x", "missing }"},
    {"${A:", "missing }"},
    {"${A:=x}", "unknown operator"},
    {"${A#x", "missing }"},
    {"${A/x}", "missing / behind the pattern"},
    {"${A/x/y", "missing }"},
    {"${A x}", "unknown operator"},
    {"'a", "missing ' at the end in 'a"},
    {"\"a", "missing \""},
    {"\"a\\\"", "missing \""},
    {"${NO:?}", "NO: must be set"},
    {"${NO?give NO}", "NO: give NO"},
    {"${EMPTY:?}", "EMPTY: must not be empty"},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *result = (char *)"untouched";
        unsigned asked = 0;

        assert_int_equal(expand_word(bad[i].word, '\\', lookup, &asked, &result), -EINVAL);
        assert_string_equal(result, "untouched");
        if (!strstr(err_text(-EINVAL), bad[i].part_of_message))
            fail_msg("%s: %s", bad[i].word, err_text(-EINVAL));
    }
}

static void test_other_escape(void **state)
{
    auto_free char *result = NULL;
    unsigned asked = 0;

    assert_int_equal(expand_word("`$A\\$A c:\\x", '`', lookup, &asked, &result), 0);
    assert_string_equal(result, "$A\\one c:\\x");
}

static const char *lookup_long(void *ctx, const char *name)
{
    return ctx;
}

/* What a hostile file could use against memory and stack. */
static void test_bounds(void **state)
{
    auto_buf struct buf nested = {0};
    auto_free char *big = xmalloc(600001), *result = NULL;

    memset(big, 'x', 600000);
    big[600000] = '\0';
    assert_int_equal(expand_word("$A", '\\', lookup_long, big, &result), 0);
    assert_int_equal(strlen(result), 600000);
    assert_int_equal(expand_word("$A$A", '\\', lookup_long, big, &result), -EINVAL);
    for (int i = 0; i < 100000; i++)
        buf_adds(&nested, "${NO:-");
    assert_int_equal(expand_word(nested.data, '\\', lookup_long, big, &result), -EINVAL);
    assert_non_null(strstr(err_text(-EINVAL), "nested"));
}

static void test_pair(void **state)
{
    static const struct {
        const char *pair, *name, *value;
    } pairs[] = {
        {"K=v", "K", "v"},
        {"K=$A", "K", "one"},
        {"\"a.b\"=\"c d\"", "a.b", "c d"},
        {"K=", "K", ""},
        {"K", "K", NULL},
        {"K=a=b", "K", "a=b"},
        {"$A=x", "one", "x"},
        {"K=it is 'raw'", "K", "it is raw"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        auto_free char *name = NULL, *value = NULL;
        unsigned asked = 0;

        assert_int_equal(expand_pair(pairs[i].pair, '\\', lookup, &asked, &name, &value), 0);
        assert_string_equal(name, pairs[i].name);
        if (pairs[i].value)
            assert_string_equal(value, pairs[i].value);
        else
            assert_null(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),          cmocka_unit_test(test_bad),  cmocka_unit_test(test_other_escape),
        cmocka_unit_test(test_bounds),          cmocka_unit_test(test_pair), cmocka_unit_test(test_text),
        cmocka_unit_test(test_hostile_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
