/* Id maps as values: words of --uidmap, the user's own id kept, insertion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/userns.h"

#include "whelk/err.h"
#include "whelk/str.h"

static const struct id_set pool = {.r = {{0, 0, 65537}}, .n = 1};

static char *set_text(const struct id_set *s)
{
    struct buf b = {0};
    for (unsigned i = 0; i < s->n; i++)
        buf_addf(&b, "%s%u:%u:%u", i ? " " : "", s->r[i].inside, s->r[i].outside, s->r[i].count);
    return buf_take(&b);
}

static void assert_set(const struct id_set *s, const char *wanted)
{
    auto_free char *text = set_text(s);
    assert_string_equal(text, wanted);
}

static void test_keep(void **state)
{
    static const struct {
        uint32_t id;
        uint64_t size;
        const char *map;
    } cases[] = {
        {1000, 0, "0:1:1000 1000:0:1 1001:1001:64536"},
        {0, 0, "0:0:1 1:1:65536"},
        {1000, 10, "0:1:10 1000:0:1"},
        {5, 10, "0:1:5 5:0:1 6:6:5"},
        {100000, 0, "0:1:65536 100000:0:1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct id_set s = {0};
        assert_int_equal(ids_keep(&pool, cases[i].id, cases[i].size, &s), 0);
        assert_set(&s, cases[i].map);
        assert_int_equal(ids_check(&s), 0);
    }
    struct id_set single = {.r = {{0, 0, 1}}, .n = 1}, s = {0};
    assert_int_equal(ids_keep(&single, 1000, 0, &s), 0);
    assert_set(&s, "1000:0:1");
}

static void test_words(void **state)
{
    static const struct {
        const char *words, *map; /* NULL: refused */
    } cases[] = {
        {"0:1:1000", "0:1:1000"}, {"0:1:1000 1000:0:1", "0:1:1000 1000:0:1"},
        {"5:0", "5:0:1"},         {"g0:1:5 0:2:5", "0:2:5"},
        {"u0:1:5", "0:1:5"},      {"+1000:0:1", "1:1:999 1001:1001:64536 1000:0:1"},
        {"0:@7:1", "0:7:1"},      {"0:65536:1", "0:65536:1"},
        {"0:65537:1", NULL},      {"0:65530:100", NULL},
        {"0:@70000", NULL},       {"0", NULL},
        {"0:1:0", NULL},          {"0:1:2:3", NULL},
        {"a:1:2", NULL},          {"@0:1:2", NULL},
        {"4294967295:0:1", NULL}, {"4294967290:0:10", NULL},
        {"-1:0:1", NULL},         {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_strv char **words = strv_split(cases[i].words, " ");
        struct id_set s = {0};
        int r = words ? 0 : -EINVAL;
        strv_foreach (word, words) {
            struct id_word w;
            r = r < 0 ? r : id_word_parse(word, &w);
            if (r == 0 && w.uids)
                r = ids_add_word(&pool, &w, &s);
        }
        assert_int_equal(r < 0, !cases[i].map);
        if (cases[i].map)
            assert_set(&s, cases[i].map);
        err_clear();
    }
}

static void test_check(void **state)
{
    static const struct {
        struct id_set s;
        bool ok;
    } cases[] = {
        {{.n = 0}, false},
        {{.r = {{0, 0, 1}}, .n = 1}, true},
        {{.r = {{0, 0, 10}, {10, 10, 5}}, .n = 2}, true},
        {{.r = {{0, 0, 10}, {9, 20, 5}}, .n = 2}, false},
        {{.r = {{0, 0, 10}, {20, 9, 5}}, .n = 2}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(ids_check(&cases[i].s) == 0, cases[i].ok);
        err_clear();
    }
}

static void test_look_up(void **state)
{
    static const struct id_range r[] = {{0, 1, 1000}, {1000, 0, 1}};
    static const uint32_t cases[][2] = {{0, 1}, {999, 1000}, {1000, 0}, {1001, ID_NONE}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(id_outside(r, 2, cases[i][0]), cases[i][1]);
        if (cases[i][1] != ID_NONE)
            assert_int_equal(id_inside(r, 2, cases[i][1]), cases[i][0]);
    }
    assert_int_equal(id_inside(r, 2, 5000), ID_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
