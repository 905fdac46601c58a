/* The platform in OCI words. */
#include "whelk/platform.h"

#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_platform(void **state)
{
    assert_string_equal(platform_os(), "linux");
#if defined(__x86_64__)
    assert_string_equal(platform_architecture(), "amd64");
    assert_null(platform_variant());
#elif defined(__aarch64__)
    assert_string_equal(platform_architecture(), "arm64");
    assert_string_equal(platform_variant(), "v8");
#else
    assert_false(str_empty(platform_architecture()));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_platform)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
