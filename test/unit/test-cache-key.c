/* Keys of build steps: equal for what is equal, and different for all that could be taken for it. */
#include "cache-key.h"

#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Texts after the parent and the kind; a vector where there is one. */
struct part {
    const char *label, *value;
    const char *strv[4];
    bool is_strv;
};

struct row {
    const char *parent, *kind;
    struct part parts[3];
};

/* Each of these is something else. */
static const struct row rows[] = {
    {"", "RUN", {{0}}},
    {"p", "RUN", {{0}}},
    {"pR", "UN", {{0}}},
    {"p", "COPY", {{0}}},
    {"p", "RUN", {{"a", "b"}}},
    {"p", "RUN", {{"ab", ""}}},
    {"p", "RUN", {{"a", ""}}},
    {"p", "RUN", {{"a", NULL}}},
    {"p", "RUN", {{"a", "b"}, {"c", "d"}}},
    {"p", "RUN", {{"c", "d"}, {"a", "b"}}},
    {"p", "RUN", {{"a", "bcd"}}},
    {"p", "RUN", {{.label = "a", .is_strv = true}}},
    {"p", "RUN", {{.label = "a", .is_strv = true, .strv = {"b"}}}},
    {"p", "RUN", {{.label = "a", .is_strv = true, .strv = {"b", "c"}}}},
    {"p", "RUN", {{.label = "a", .is_strv = true, .strv = {"bc"}}}},
    {"p", "RUN", {{.label = "a", .is_strv = true, .strv = {"b", ""}}}},
    {"p", "RUN", {{.label = "a", .is_strv = true, .strv = {"", "b"}}}},
    {"p", "RUN", {{.label = "a", .is_strv = true, .strv = {"b"}}, {"c", NULL}}},
};

static void make(const struct row *row, char ret[CACHE_KEY])
{
    struct cache_key k;
    cache_key_begin(&k, row->parent, row->kind);
    for (const struct part *p = row->parts; p < row->parts + ARRAY_LEN(row->parts) && p->label; p++) {
        if (p->is_strv)
            cache_key_add_strv(&k, p->label, (char *const *)p->strv);
        else
            cache_key_add(&k, p->label, p->value);
    }
    cache_key_end(&k, ret);
}

static void all_differ(void **state)
{
    char keys[ARRAY_LEN(rows)][CACHE_KEY];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make(&rows[i], keys[i]);
        assert_true(str_is_hex(keys[i], DIGEST_HEX));
        for (size_t j = 0; j < i; j++)
            if (str_eq(keys[i], keys[j]))
                fail_msg("rows %zu and %zu have the same key", i, j);
    }
}

static void same_is_same(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char a[CACHE_KEY], b[CACHE_KEY];
        make(&rows[i], a);
        make(&rows[i], b);
        assert_string_equal(a, b);
    }
}

/* What stores hold must be found by the next version too, unless somebody means to forget it. */
static void is_stable(void **state)
{
    struct cache_key k;
    char key[CACHE_KEY];
    cache_key_begin(&k, "parent", "RUN");
    cache_key_add(&k, "label", "value");
    cache_key_add_number(&k, "number", 258);
    cache_key_end(&k, key);
    assert_string_equal(key, "7432279005f3e24fb9f4d3dcff040bc1487a993ebb17cbeba65a72ce5fbc5305");
}

static void dropped_is_ended(void **state)
{
    struct cache_key k;
    cache_key_begin(&k, "", "RUN");
    cache_key_drop(&k);
    assert_null(k.digest);
    cache_key_drop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_differ),
        cmocka_unit_test(same_is_same),
        cmocka_unit_test(is_stable),
        cmocka_unit_test(dropped_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
