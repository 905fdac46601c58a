/* JSON: what is refused, the getters, and strings that are not UTF-8. */
#include "whelk/err.h"
#include "whelk/json.h"
#include "whelk/str.h"

#include <setjmp.h>

#include <cmocka.h>

static int parse(const char *text, json_t **ret)
{
    return json_parse("thing", text, strlen(text), ret);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "thing: not valid JSON, line 1: "},
        {"{", "thing: not valid JSON, line 1: "},
        {"{}x", "thing: not valid JSON, line 1: end of file expected near 'x'"},
        {"{} {}", "thing: not valid JSON, line 1: end of file expected near '{'"},
        {"{\"a\":1,\n\"a\":2}", "thing: not valid JSON, line 2: duplicate object key near '\"a\"'"},
        {"\"text\"", "thing: not valid JSON, line 1: "},
        {"{\"a\":\"\\u0000\"}", "thing: not valid JSON, line 1: "},
        {"{\"a\":\"\xff\"}", "thing: not valid JSON, line 1: "},
        {"{\"a\x1b[31m", "thing: not valid JSON, line 1: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *j = NULL;
        assert_int_equal(parse(cases[i].text, &j), -EBADMSG);
        assert_null(j);
        assert_non_null(str_after(err_text(-EBADMSG), cases[i].message));
        assert_null(strchr(err_text(-EBADMSG), '\x1b'));
    }
}

static void test_bounds(void **state)
{
    enum { MAX = 4 * 1024 * 1024 };
    auto_free char *text = xmalloc(MAX + 1);
    auto_json json_t *j = NULL;
    memset(text, ' ', MAX + 1);
    memcpy(text, "{}", 2);
    assert_int_equal(json_parse("thing", text, MAX, &j), 0);
    assert_int_equal(json_parse("thing", text, MAX + 1, &j), -EFBIG);
    /* Deep nesting must not eat the stack. */
    memset(text, '[', MAX);
    assert_int_equal(json_parse("thing", text, MAX, &j), -EBADMSG);
}

static void test_getters(void **state)
{
    auto_json json_t *j = NULL;
    assert_int_equal(parse("{\"s\":\"x\",\"i\":-5,\"r\":1.5,\"t\":true,\"f\":false,\"n\":null}", &j), 0);
    assert_string_equal(json_str(j, "s"), "x");
    assert_null(json_str(j, "i"));
    assert_null(json_str(j, "none"));
    assert_null(json_str(NULL, "s"));
    assert_int_equal(json_int(j, "i", 9), -5);
    assert_int_equal(json_int(j, "r", 9), 9);
    assert_int_equal(json_int(j, "none", 9), 9);
    assert_true(json_bool(j, "t", false));
    assert_false(json_bool(j, "f", true));
    assert_true(json_bool(j, "n", true));
    assert_false(json_bool(j, "s", false));
}

static void test_text(void **state)
{
    auto_json json_t *j = NULL;
    assert_int_equal(parse("{\"z\":[1,\"\xc3\xa4/\"],\"a\":{}}", &j), 0);
    auto_free char *compact = json_text(j, false), *pretty = json_text(j, true);
    assert_string_equal(compact, "{\"z\":[1,\"\xc3\xa4/\"],\"a\":{}}");
    assert_string_equal(pretty, "{\n    \"z\": [\n        1,\n        \"\xc3\xa4/\"\n    ],\n    \"a\": {}\n}");
}

static void test_strv(void **state)
{
    auto_strv char **v = NULL, **back = NULL, **none = NULL;
    strv_add(&v, "");
    strv_add(&v, "two words");
    auto_json json_t *j = json_from_strv(v), *empty = json_from_strv(NULL), *mixed = NULL;
    assert_int_equal(json_to_strv(j, &back), 0);
    assert_true(strv_eq(v, back));
    assert_int_equal(json_array_size(empty), 0);
    assert_int_equal(json_to_strv(empty, &none), 0);
    assert_int_equal(strv_len(none), 0);
    char **untouched = NULL;
    assert_int_equal(parse("[\"a\",1]", &mixed), 0);
    assert_int_equal(json_to_strv(mixed, &untouched), -EINVAL);
    assert_int_equal(json_to_strv(NULL, &untouched), -EINVAL);
    assert_null(untouched);
}

static void test_not_utf8(void **state)
{
#define BAD "\xef\xbf\xbd"
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"\xf0\x9f\x90\x9a", "\xf0\x9f\x90\x9a"},
        {"a\xff", "a" BAD},
        {"\xc3", BAD},
        {"\xe2\x82", BAD BAD},
        {"\xc0\xaf", BAD BAD},
        {"\xed\xa0\x80", BAD BAD BAD},
        {"\xf4\x90\x80\x80!", BAD BAD BAD BAD "!"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_json json_t *j = json_from_str(cases[i].in);
        assert_non_null(j);
        assert_string_equal(json_string_value(j), cases[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused), cmocka_unit_test(test_bounds), cmocka_unit_test(test_getters),
        cmocka_unit_test(test_text),    cmocka_unit_test(test_strv),   cmocka_unit_test(test_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
