/* Filters: which words are taken, how several of them go together, and what the usual keys compare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/err.h"
#include "whelk/filter.h"
#include "whelk/units.h"

#include <time.h>

struct thing {
    const char *name;
    const char *status;
    char *const *labels;
};

static int match_name(const void *object, const char *value, void *ctx)
{
    return filter_regex(((const struct thing *)object)->name, value);
}

static int match_status(const void *object, const char *value, void *ctx)
{
    ++*(int *)ctx;
    if (str_eq(value, "nonsense"))
        return err_set(-EINVAL, "there is no status %s", value);
    return str_eq(((const struct thing *)object)->status, value);
}

static int match_label(const void *object, const char *value, void *ctx)
{
    return filter_label(((const struct thing *)object)->labels, value);
}

static int match_no_label(const void *object, const char *value, void *ctx)
{
    return !match_label(object, value, ctx);
}

static const struct filter_key keys[] = {
    {"name", match_name, false},
    {"status", match_status, false},
    {"label", match_label, true},
    {"label!", match_no_label, true},
    {0},
};

static void check_takes_known_keys(void **state)
{
    static const struct {
        const char *word, *error; /* NULL: it is good */
    } cases[] = {
        {"name=web", NULL},
        {"name=", NULL},
        {"label=a=b", NULL},
        {"label!=a", NULL},
        {"naem=x", "there is no filter \"naem\"; did you mean name? Known: name, status, label, label!"},
        {"frobnicate=x", "there is no filter \"frobnicate\"; known: name, status, label, label!"},
        {"status!=x", "there is no filter \"status!\"; did you mean status?"},
        {"name", "the filter \"name\" is not of the form KEY=VALUE"},
        {"=x", "the filter \"=x\" is not of the form KEY=VALUE"},
        {"", "is not of the form KEY=VALUE"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *words[] = {(char *)"name=y", (char *)cases[i].word, NULL};
        int r = filter_check(keys, words);
        assert_int_equal(r, cases[i].error ? -EINVAL : 0);
        if (cases[i].error && !strstr(err_text(r), cases[i].error))
            fail_msg("%s: %s", cases[i].word, err_text(r));
    }
    assert_int_equal(filter_check(keys, NULL), 0);
}

static void words_go_together(void **state)
{
    char *labels[] = {(char *)"env=prod", (char *)"tier=", NULL};
    struct thing web = {"web-1", "running", labels};
    static const struct {
        const char *words; /* with blanks between */
        int result;
    } cases[] = {
        {"", 1},
        {"name=web", 1},
        {"name=db", 0},
        {"name=db name=web", 1}, /* one key: any */
        {"status=exited status=running status=paused", 1},
        {"name=web status=exited", 0}, /* keys: all */
        {"name=web status=running", 1},
        {"label=env", 1},
        {"label=env label=nope", 0}, /* labels: all */
        {"label=env=prod label=tier=", 1},
        {"label=env=test", 0},
        {"label!=env", 0},
        {"label!=nope label!=other", 1},
        {"label!=nope label!=env", 0},
        {"label!=env=test label=env", 1},
        {"status=nonsense", -EINVAL},
        {"status=exited status=nonsense", -EINVAL},
        {"nope=1", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_strv char **words = strv_split(cases[i].words, " ");
        int calls = 0;
        int r = filter_match(keys, words, &web, &calls);
        if (r != cases[i].result)
            fail_msg("%s gives %d", cases[i].words, r);
    }
}

static void the_context_is_handed_on(void **state)
{
    struct thing web = {"web", "running", NULL};
    char *words[] = {(char *)"status=exited", (char *)"status=paused", NULL};
    int calls = 0;
    assert_int_equal(filter_match(keys, words, &web, &calls), 0);
    assert_int_equal(calls, 2);
}

static void labels(void **state)
{
    char *have[] = {(char *)"a=1", (char *)"b=", (char *)"c=x=y", NULL};
    static const struct {
        const char *value;
        int result;
    } cases[] = {{"a", 1},   {"a=1", 1},   {"a=2", 0}, {"a=", 0}, {"b", 1}, {"b=", 1},
                 {"b=1", 0}, {"c=x=y", 1}, {"c=x", 0}, {"d", 0},  {"A", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(filter_label(have, cases[i].value), cases[i].result);
    assert_int_equal(filter_label(NULL, "a"), 0);
}

static void regular_expressions(void **state)
{
    static const struct {
        const char *text, *value;
        int result;
    } cases[] = {
        {"web-1", "web", 1},     {"web-1", "^web-[0-9]+$", 1},
        {"web-1", "^eb", 0},     {"web-1", "db|web", 1},
        {"web-1", "", 1},        {"a+b", "a+b", 1},
        {"a[b", "a[b", 1}, /* equal text, if no expression */
        {"web", "a[b", -EINVAL}, {NULL, "^$", 1},
        {"x", "(", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(filter_regex(cases[i].text, cases[i].value), cases[i].result);
    filter_regex("x", "(");
    assert_non_null(strstr(err_text(-EINVAL), "\"(\" is not a regular expression: "));
}

static void times(void **state)
{
    static const int64_t sec = 1000000000;
    static const struct {
        const char *value;
        int64_t seconds, ns;
    } cases[] = {
        {"0", 0, 0},
        {"1700000000", 1700000000, 0},
        {"1700000000.5", 1700000000, 500000000},
        {"1700000000.123456789", 1700000000, 123456789},
        {"2023-11-14T22:13:20Z", 1700000000, 0},
        {"2023-11-14T22:13:20.25Z", 1700000000, 250000000},
        {"2023-11-14T23:13:20+01:00", 1700000000, 0},
        {"2023-11-14T22:13Z", 1699999980, 0},
        {"2023-11-14T22Z", 1699999200, 0},
        {"2023-11-14Z", 1699920000, 0},
        {"2023-11-14", 1699920000 + 5 * 3600, 0},
        {"2023-11-14T22:13:20", 1700000000 + 5 * 3600, 0},
        {"2023-11-14T22:13:20.25", 1700000000 + 5 * 3600, 250000000},
        {"2023-11-14T22:13", 1699999980 + 5 * 3600, 0},
    };
    setenv("TZ", "XXX+5", 1); /* five hours behind */
    tzset();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = -1;
        if (filter_time(cases[i].value, &ns) < 0)
            fail_msg("%s: %s", cases[i].value, err_text(-EINVAL));
        if (ns != cases[i].seconds * sec + cases[i].ns)
            fail_msg("%s gives %lld", cases[i].value, (long long)ns);
    }
}

static void durations_count_back(void **state)
{
    int64_t before = time_now(), ns;
    assert_int_equal(filter_time("1h30m", &ns), 0);
    int64_t ago = time_now() - ns, wanted = INT64_C(5400000000000);
    assert_true(ago >= wanted && ago <= wanted + (time_now() - before));
}

static void nonsense_is_no_time(void **state)
{
    static const char *const cases[] = {"",
                                        "yesterday",
                                        "2h3",
                                        "-5",
                                        "1.",
                                        "2023-13-01",
                                        "2023-11-14T25:00:00Z",
                                        "2023-11",
                                        "99999999999999999999",
                                        "2023-11-14T22:13:20Zx",
                                        "12x",
                                        "2023-02-30"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 7;
        if (filter_time(cases[i], &ns) != -EINVAL)
            fail_msg("%s gives %lld", cases[i], (long long)ns);
        assert_true(strstr(err_text(-EINVAL), "is not a time"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_takes_known_keys),   cmocka_unit_test(words_go_together),
        cmocka_unit_test(the_context_is_handed_on), cmocka_unit_test(labels),
        cmocka_unit_test(regular_expressions),      cmocka_unit_test(times),
        cmocka_unit_test(durations_count_back),     cmocka_unit_test(nonsense_is_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
