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

static void test_parse(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        {"linux/amd64", "linux/amd64"},
        {"linux/arm/v6", "linux/arm/v6"},
        {"Linux/AMD64", "linux/amd64"},
        {"linux/x86_64", "linux/amd64"},
        {"linux/armhf", "linux/arm/v7"},
        {"windows/amd64", "windows/amd64"},
        {"s390x", "linux/s390x"},
        {"", NULL},
        {"linux/", "linux"},
        {"linux/amd64/v1/x", NULL},
        {"li nux/amd64", NULL},
        {"amd64/linux", NULL},
        {"linux/../x", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_with(platform_done) struct platform p = {0};
        int r = platform_parse(cases[i].text, &p);
        assert_int_equal(r, cases[i].want ? 0 : -EINVAL);
        if (r < 0)
            continue;
        auto_free char *text = platform_text(&p);
        if (strncmp(text, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s gives %s", cases[i].text, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_platform), cmocka_unit_test(test_parse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
