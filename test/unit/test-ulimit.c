/* --ulimit: names, numbers, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ulimit.h"

#include "whelk/err.h"
#include "whelk/str.h"

static void check_parses(void **state)
{
    static const struct {
        const char *word;
        int resource; /* -1: refused */
        rlim_t soft, hard;
    } cases[] = {
        {"nofile=1024", RLIMIT_NOFILE, 1024, 1024},
        {"nofile=1024:2048", RLIMIT_NOFILE, 1024, 2048},
        {"core=0", RLIMIT_CORE, 0, 0},
        {"core=0:-1", RLIMIT_CORE, 0, RLIM_INFINITY},
        {"stack=unlimited", RLIMIT_STACK, RLIM_INFINITY, RLIM_INFINITY},
        {"nofile=2:1", -1, 0, 0},
        {"nofile=-1:1", -1, 0, 0},
        {"nofile", -1, 0, 0},
        {"nofile=", -1, 0, 0},
        {"nofile=x", -1, 0, 0},
        {"nofile=1:2:3", -1, 0, 0},
        {"nofile=-2", -1, 0, 0},
        {"nosuch=1", -1, 0, 0},
        {"", -1, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ulimit u;
        assert_int_equal(ulimit_parse(cases[i].word, &u), cases[i].resource < 0 ? -EINVAL : 0);
        if (cases[i].resource >= 0) {
            assert_int_equal(u.resource, cases[i].resource);
            assert_true(u.value.rlim_cur == cases[i].soft && u.value.rlim_max == cases[i].hard);
        }
        err_clear();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(check_parses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
