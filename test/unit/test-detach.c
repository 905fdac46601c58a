/* Detach keys: which are taken, and what is passed on while they are awaited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "detach.h"

#include "whelk/err.h"
#include "whelk/str.h"

static void check_parses(void **state)
{
    static const struct {
        const char *text;
        int n; /* -1: refused */
        const char *keys;
    } cases[] = {
        {NULL, 2, "\x10\x11"},
        {"", 0, ""},
        {"a", 1, "a"},
        {"a,B", 2, "aB"},
        {"ctrl-a,ctrl-z", 2, "\x01\x1a"},
        {"ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", 5, "\x1b\x1c\x1d\x1e\x1f"},
        {"ctrl-@", 1, "\0"},
        {"ab", -1, ""},
        {"1", -1, ""},
        {"ctrl-", -1, ""},
        {"ctrl-A", -1, ""},
        {"ctrl-ab", -1, ""},
        {"a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", -1, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct detach_keys d;
        int r = detach_parse(cases[i].text, &d);
        assert_int_equal(r, cases[i].n < 0 ? -EINVAL : 0);
        if (r == 0) {
            assert_int_equal(d.n, cases[i].n);
            assert_memory_equal(d.keys, cases[i].keys, d.n);
        }
        err_clear();
    }
}

/* Whole and byte by byte the same comes out. */
static void check_feeds(void **state)
{
    static const struct {
        const char *keys, *in, *out;
        bool detached;
    } cases[] = {
        {NULL, "abc", "abc", false},         {NULL, "a\x10\x11z", "a", true},      {NULL, "\x10", "", false},
        {NULL, "\x10x", "\x10x", false},     {NULL, "\x10\x10\x11", "\x10", true}, {NULL, "\x11\x10", "\x11", false},
        {"", "\x10\x11", "\x10\x11", false}, {"a,a,b", "aaab", "a", true},         {"a,b,a,c", "ababac", "ab", true},
        {"a,b,a,c", "abad", "abad", false},  {"a,b,a,c", "abab", "ab", false},     {"a", "xa", "x", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step <= 16; step += 15) {
            struct detach_keys d;
            char out[64], part[16 + DETACH_MAX];
            size_t n = 0, len = strlen(cases[i].in);
            bool detached = false;
            assert_int_equal(detach_parse(cases[i].keys, &d), 0);
            for (size_t at = 0; at < len && !detached; at += step) {
                size_t got = 99;
                detached = detach_feed(&d, cases[i].in + at, MIN(step, len - at), part, &got);
                memcpy(out + n, part, got);
                n += got;
            }
            assert_int_equal(detached, cases[i].detached);
            assert_int_equal(n, strlen(cases[i].out));
            assert_memory_equal(out, cases[i].out, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_parses), cmocka_unit_test(check_feeds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
