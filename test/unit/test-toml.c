/* TOML: every form of the language as JSON, every refusal with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/err.h"
#include "whelk/str.h"
#include "whelk/toml.h"

static void takes(void **state)
{
    static const struct {
        const char *toml, *json;
    } cases[] = {
        {"", "{}"},
        {"# only\n\n  # comments\r\n", "{}"},
        {"a = 1", "{\"a\":1}"},
        {"a = 0x1F\nb = 0o17\nc = 0b101\nd = -12_000\ne = +7\nf = 0\n",
         "{\"a\":31,\"b\":15,\"c\":5,\"d\":-12000,\"e\":7,\"f\":0}"},
        {"a = 1.5\nb = -2e3\nc = 5.0E-1", "{\"a\":1.5,\"b\":-2000.0,\"c\":0.5}"},
        {"a = true # yes\nb = false", "{\"a\":true,\"b\":false}"},
        {"a = \"x \\\"y\\\" \\\\ \\t \\u00e4 \\U0001F41A\"",
         "{\"a\":\"x \\\"y\\\" \\\\ \\t \xc3\xa4 \xf0\x9f\x90\x9a\"}"},
        {"a = 'c:\\d'", "{\"a\":\"c:\\\\d\"}"},
        {"a = \"\"\"\none\ntwo \\\n   three\"\"\"", "{\"a\":\"one\\ntwo three\"}"},
        {"a = '''x''y'''", "{\"a\":\"x''y\"}"},
        {"a = \"\"\"\"\"x\"\"\"\"\"", "{\"a\":\"\\\"\\\"x\\\"\\\"\"}"},
        {"a = []\nb = [1, 2,]\nc = [ # one\n 'x',\n\n 'y'\n]", "{\"a\":[],\"b\":[1,2],\"c\":[\"x\",\"y\"]}"},
        {"a = {}\nb = {x = 1, y.z = 2}", "{\"a\":{},\"b\":{\"x\":1,\"y\":{\"z\":2}}}"},
        {"a.b.c = 1\na.b.d = 2", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}"},
        {"\"a b\".'c' = 1\n1-2 = 3", "{\"a b\":{\"c\":1},\"1-2\":3}"},
        {"\"\" = 1", "{\"\":1}"},
        {"[a]\nx=1\n[a.b]\ny=2\n[c.d]\n", "{\"a\":{\"x\":1,\"b\":{\"y\":2}},\"c\":{\"d\":{}}}"},
        {"[a.b]\nx=1\n[a]\ny=2", "{\"a\":{\"b\":{\"x\":1},\"y\":2}}"},
        {"[[r]]\nx=1\n[[r.m]]\ny=1\n[[r.m]]\ny=2\n[[r]]\nx=2",
         "{\"r\":[{\"x\":1,\"m\":[{\"y\":1},{\"y\":2}]},{\"x\":2}]}"},
        {"a = 1979-05-27T07:32:00Z\nb = 07:32:00\nc = 1979-05-27\nd = 1979-05-27 07:32:00",
         "{\"a\":\"1979-05-27T07:32:00Z\",\"b\":\"07:32:00\",\"c\":\"1979-05-27\",\"d\":\"1979-05-27 07:32:00\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_json json_t *j = NULL;
        int r = toml_parse("f", cases[i].toml, strlen(cases[i].toml), &j);
        if (r < 0)
            print_message("%s: %s\n", cases[i].toml, err_text(r));
        assert_int_equal(r, 0);
        auto_free char *text = json_text(j, false);
        assert_string_equal(text, cases[i].json);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *toml, *error;
    } cases[] = {
        {"a", "f: line 1: a key without ="},
        {"= 1", "f: line 1: a key is missing"},
        {"a = ", "f: line 1: a value is missing"},
        {"\n\na = b", "f: line 3: neither a number nor true, false, a string, an array or a table"},
        {"a = 1 b = 2", "f: line 1: something stands where the line should end"},
        {"a = 1\na = 2", "f: line 2: a key for the second time"},
        {"a = 1\na.b = 2", "f: line 2: a key that would change what is complete already"},
        {"[a]\n[a]", "f: line 2: a table for the second time"},
        {"a = {}\n[a]", "f: line 2: a table for the second time"},
        {"a = {}\n[a.b]", "f: line 2: a table that would change what is complete already"},
        {"a.b = 1\n[a]", "f: line 2: a table for the second time"},
        {"a = [{}]\n[[a]]", "f: line 2: an array of tables that would change what is complete already"},
        {"[a]\n[[a]]", "f: line 2: an array of tables that would change what is complete already"},
        {"[a", "f: line 1: the name of a table wants ]"},
        {"[[a]", "f: line 1: the name of a table wants ]"},
        {"a = \"x", "f: line 1: a string without an end"},
        {"a = \"x\ny\"", "f: line 1: a string without an end"},
        {"a = \"\\q\"", "f: line 1: an unknown escape in a string"},
        {"a = \"\\uD800\"", "f: line 1: \\u of something that is no character"},
        {"a = \"\\u00\"", "f: line 1: \\u wants 4 hexadecimal digits, \\U wants 8"},
        {"a = \"\xff\"", "f: line 1: not valid UTF-8"},
        {"a = \"\x01\"", "f: line 1: a control character in a string"},
        {"\"\"\"a\"\"\" = 1", "f: line 1: a key cannot span lines"},
        {"a = [1 2]", "f: line 1: an array wants , or ]"},
        {"a = {x=1,}", "f: line 1: an inline table ends without a comma"},
        {"a = {x=1 y=2}", "f: line 1: an inline table wants , or }"},
        {"a = 1__0", "f: line 1: an underscore that is not between digits"},
        {"a = -0x1F", "f: line 1: neither a number nor true, false, a string, an array or a table"},
        {"a = 012", "f: line 1: neither a number nor true, false, a string, an array or a table"},
        {"a = 99999999999999999999", "f: line 1: neither a number nor true, false, a string, an array or a table"},
        {"a = 1.", "f: line 1: not a number that can be read"},
        {"a = .5", "f: line 1: not a number that can be read"},
        {"# \x01", "f: line 1: a control character in a comment"},
        {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", "f: line 1: a key with too many parts"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *j = NULL;
        int r = toml_parse("f", cases[i].toml, strlen(cases[i].toml), &j);
        if (r != -EBADMSG || strcmp(err_text(r), cases[i].error) != 0)
            print_message("%s: %s\n", cases[i].toml, r < 0 ? err_text(r) : "taken");
        assert_int_equal(r, -EBADMSG);
        assert_string_equal(err_text(r), cases[i].error);
    }
}

static void is_bounded(void **state)
{
    auto_buf struct buf deep = {0}, many = {0}, large = {0};
    json_t *j = NULL;
    buf_adds(&deep, "a = ");
    for (int i = 0; i < 100000; i++)
        buf_addc(&deep, '[');
    assert_int_equal(toml_parse("f", deep.data, deep.len, &j), -EBADMSG);
    assert_string_equal(err_text(-1), "f: line 1: values nested too deeply");
    for (int i = 0; i < 5000; i++)
        buf_addf(&many, "[t%d]\n", i);
    assert_int_equal(toml_parse("f", many.data, many.len, &j), -EBADMSG);
    assert_string_equal(err_text(-1), "f: line 4001: too many tables");
    buf_reserve(&large, 2 << 20);
    memset(large.data, '\n', 2 << 20);
    assert_int_equal(toml_parse("f", large.data, 2 << 20, &j), -EFBIG);
    assert_int_equal(toml_parse("f", "a = 1\0b", 7, &j), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(takes), cmocka_unit_test(refuses),
                                       cmocka_unit_test(is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
