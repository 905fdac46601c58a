/* Restart policies: which are taken, who goes on, and how the pauses grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "restart.h"

#include "whelk/err.h"
#include "whelk/str.h"

static void check_parses(void **state)
{
    static const struct {
        const char *text, *policy;
        int64_t max;
    } cases[] = {
        {"no", "no", 0},
        {"never", "never", 0},
        {"always", "always", 0},
        {"unless-stopped", "unless-stopped", 0},
        {"on-failure", "on-failure", 0},
        {"on-failure:7", "on-failure", 7},
        {"", NULL, 0},
        {"always:1", NULL, 0},
        {"on-failure:", NULL, 0},
        {"on-failure:-1", NULL, 0},
        {"on-failure:x", NULL, 0},
        {"On-Failure", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *policy = NULL;
        int64_t max = -5;
        int r = restart_parse(cases[i].text, &policy, &max);
        assert_int_equal(r, cases[i].policy ? 0 : -EINVAL);
        if (cases[i].policy) {
            assert_string_equal(policy, cases[i].policy);
            assert_int_equal(max, cases[i].max);
        } else {
            assert_int_equal(max, -5);
        }
        err_clear();
    }
}

static void check_counts(void **state)
{
    struct ctr c = {.restart = (char *)"on-failure", .restart_max = 2};
    struct restarts r = {0};
    assert_false(restart_wanted(&c, &r, 0, 0));
    assert_true(restart_wanted(&c, &r, 1, 0));
    assert_true(restart_wanted(&c, &r, 1, 0));
    assert_false(restart_wanted(&c, &r, 1, 0));
    assert_int_equal(r.count, 2);
    c.restart_max = 0;
    assert_true(restart_wanted(&c, &r, 1, 0));
    c.restart = (char *)"always";
    assert_true(restart_wanted(&c, &r, 0, 0));
    c.restart = (char *)"no";
    assert_false(restart_wanted(&c, &r, 1, 0));
    c.restart = NULL;
    assert_false(restart_wanted(&c, &r, 1, 0));
}

static void check_pauses(void **state)
{
    static const int64_t delays[] = {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000};
    struct ctr c = {.restart = (char *)"always"};
    struct restarts r = {0};
    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        assert_true(restart_wanted(&c, &r, 1, 9999));
        assert_int_equal(r.delay_ms, delays[i]);
    }
    assert_true(restart_wanted(&c, &r, 1, 10000));
    assert_int_equal(r.delay_ms, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_parses), cmocka_unit_test(check_counts),
                                       cmocka_unit_test(check_pauses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
