/* Buffers, vectors, numbers, typing slips, and what a terminal may see. */
#include "whelk/str.h"

#include <setjmp.h>

#include <cmocka.h>

static void test_buf(void **state)
{
    auto_buf struct buf b = {0};
    auto_free char *empty = buf_take(&b);
    assert_string_equal(empty, "");
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "%d,", i);
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(b.data), b.len);
    buf_addc(&b, 'x');
    buf_adds(&b, "yz");
    buf_add(&b, "a\0b", 3);
    assert_memory_equal(b.data + b.len - 6, "xyza\0b", 7);
    size_t before = b.len;
    buf_addf(&b, "%500s|", "");
    assert_int_equal(b.len, before + 501);
    assert_true(str_ends(b.data + before, " |"));
    auto_free char *s = buf_take(&b);
    assert_non_null(s);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *s;
        bool u_ok, i_ok;
        uint64_t u;
        int64_t i;
    } cases[] = {
        {"0", true, true, 0, 0},
        {"007", true, true, 7, 7},
        {"18446744073709551615", true, false, UINT64_MAX, 0},
        {"18446744073709551616", false, false, 0, 0},
        {"99999999999999999999", false, false, 0, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", true, false, 9223372036854775808u, 0},
        {"-9223372036854775808", false, true, 0, INT64_MIN},
        {"-9223372036854775809", false, false, 0, 0},
        {"-1", false, true, 0, -1},
        {"--1", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"", false, false, 0, 0},
        {"+1", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"1 ", false, false, 0, 0},
        {"0x1", false, false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t u = 42;
        int64_t n = 42;
        print_message("%s\n", cases[i].s);
        assert_int_equal(str_to_u64(cases[i].s, &u), cases[i].u_ok);
        assert_true(u == (cases[i].u_ok ? cases[i].u : 42));
        assert_int_equal(str_to_i64(cases[i].s, &n), cases[i].i_ok);
        assert_true(n == (cases[i].i_ok ? cases[i].i : 42));
    }
}

static void test_predicates(void **state)
{
    assert_true(str_ends("a.tar", ".tar"));
    assert_false(str_ends("tar", ".tar"));
    assert_string_equal(str_after("sha256:ab", "sha256:"), "ab");
    assert_null(str_after("sha", "sha256:"));
    assert_true(str_is_hex("0af9", 4));
    assert_false(str_is_hex("0af9", 3));
    assert_false(str_is_hex("0af9", 5));
    assert_false(str_is_hex("0aF9", 4));
    assert_true(str_empty(NULL) && str_empty("") && !str_empty("x"));
    char blank[] = " \t\n", word[] = "\r\n a b \n";
    assert_string_equal(str_trim(blank), "");
    assert_string_equal(str_trim(word), "a b");
}

static void test_distance(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned d;
    } cases[] = {
        {"", "", 0},      {"", "abc", 3},     {"run", "run", 0},        {"rnu", "run", 1},    {"buidl", "build", 1},
        {"ru", "run", 1}, {"runn", "run", 1}, {"kitten", "sitting", 3}, {"images", "img", 3}, {"ab", "ba", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(str_distance(cases[i].a, cases[i].b), cases[i].d);
        assert_int_equal(str_distance(cases[i].b, cases[i].a), cases[i].d);
    }
    char a[201] = "", b[301] = "";
    memset(a, 'x', 200);
    memset(b, 'y', 300);
    assert_int_equal(str_distance(a, b), 64);
}

static void test_nearest(void **state)
{
    static const char *const words[] = {"run", "rm", "rmi", "build", "inspect", "images", NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"rnu", "run"},      {"biuld", "build"}, {"insepct", "inspect"},
        {"image", "images"}, {"rm", "rm"},       {"inspct", "inspect"},
        {"x", NULL},         {"", NULL},         {"volume", NULL},
        {"bui", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = str_nearest(cases[i].word, words);
        print_message("%s -> %s\n", cases[i].word, got ? got : "-");
        if (cases[i].nearest)
            assert_string_equal(got, cases[i].nearest);
        else
            assert_null(got);
    }
    assert_null(str_nearest("run", NULL));
}

static void test_printable(void **state)
{
    static const struct {
        const char *s, *safe;
    } cases[] = {
        {"", ""},
        {"plain ~ text", "plain ~ text"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9a", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9a"}, /* umlaut, euro, shell */
        {"a\x1b[31m\n\t\x7f", "a\\x1b[31m\\x0a\\x09\\x7f"},
        {"\xc2\x9b", "\\xc2\\x9b"},                   /* C1: CSI */
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},          /* right-to-left override */
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond the last code point */
        {"\xe2\x82", "\\xe2\\x82"},                   /* cut off */
        {"\xff\x41", "\\xff"
                     "A"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *got = str_printable(cases[i].s);
        assert_string_equal(got, cases[i].safe);
    }
}

static void test_strv(void **state)
{
    auto_strv char **v = NULL;
    assert_int_equal(strv_len(v), 0);
    strv_add(&v, "a");
    strv_addf(&v, "b%d", 2);
    strv_add_take(&v, xstrdup("c"));
    auto_strv char **copy = strv_copy(v);
    assert_true(strv_eq(v, copy));
    strv_remove(v, 1);
    assert_false(strv_eq(v, copy));
    assert_true(strv_has(v, "c"));
    assert_false(strv_has(v, "b2"));
    strv_extend(&v, copy);
    auto_free char *joined = strv_join(v, ", ");
    assert_string_equal(joined, "a, c, a, b2, c");
    auto_free char *nothing = strv_join(NULL, ", ");
    assert_string_equal(nothing, "");

    auto_strv char **split = strv_split(",a,, b,c ", ", ");
    auto_free char *again = strv_join(split, "|");
    assert_string_equal(again, "a|b|c");
    assert_null(strv_split(" , ", ", "));
    assert_null(strv_copy(NULL));
    assert_true(strv_eq(NULL, NULL));

    size_t n = 0;
    strv_foreach (s, v)
        n += strlen(s);
    assert_int_equal(n, 6);
    strv_foreach (s, (char *const *)NULL)
        fail_msg("%s", s);
}

static void test_csv(void **state)
{
    static const struct {
        const char *line, *fields; /* joined by |; NULL: refused */
    } table[] = {
        {"a,b", "a|b"}, {"", ""},       {"a,,b,", "a||b|"}, {"\"a,b\",c", "a,b|c"}, {"\"say \"\"x\"\"\"", "say \"x\""},
        {"\"\"", ""},   {"a\"b", NULL}, {"\"a", NULL},      {"\"a\"b", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        auto_strv char **fields = NULL;
        assert_int_equal(strv_split_csv(table[i].line, &fields), table[i].fields ? 0 : -EINVAL);
        auto_free char *joined = strv_join(fields, "|");
        assert_string_equal(joined, table[i].fields ? table[i].fields : "");
    }
}

static void test_strv_env(void **state)
{
    auto_strv char **v = NULL;
    assert_null(strv_env_get(v, "PATH"));
    strv_env_set(&v, "PATH", "/bin");
    strv_env_set(&v, "PATHS", "x");
    strv_env_set(&v, "E", "");
    strv_env_set(&v, "PATH", "/a=b");
    assert_int_equal(strv_len(v), 3);
    assert_string_equal(v[0], "PATH=/a=b");
    assert_string_equal(strv_env_get(v, "PATHS"), "x");
    assert_string_equal(strv_env_get(v, "E"), "");
    assert_null(strv_env_get(v, "PAT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf),      cmocka_unit_test(test_numbers), cmocka_unit_test(test_predicates),
        cmocka_unit_test(test_distance), cmocka_unit_test(test_nearest), cmocka_unit_test(test_printable),
        cmocka_unit_test(test_strv),     cmocka_unit_test(test_csv),     cmocka_unit_test(test_strv_env),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
