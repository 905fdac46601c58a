/* Sizes, durations and times: every printed form and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/err.h"
#include "whelk/str.h"
#include "whelk/units.h"

static void size_parse_takes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"512", 512},
        {"512b", 512},
        {"512B", 512},
        {"1k", 1024},
        {"1K", 1024},
        {"1kB", 1024},
        {"1KiB", 1024},
        {"64m", 64u << 20},
        {"64 MB", 64u << 20},
        {"1.5g", 1536u << 20},
        {".5k", 512},
        {"0.1g", 107374182},
        {"2t", UINT64_C(2) << 40},
        {"15e", UINT64_C(15) << 60},
        {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t bytes = 7;
        assert_int_equal(size_parse(cases[i].text, &bytes), 0);
        assert_true(bytes == cases[i].bytes);
    }
}

static void size_parse_refuses(void **state)
{
    static const char *const cases[] = {"",
                                        "m",
                                        "-1",
                                        "+1",
                                        "1x",
                                        "1mm",
                                        "1bk",
                                        "1 m ",
                                        " 1",
                                        "1  m",
                                        "0x10",
                                        "1,5",
                                        "16e1",
                                        "1e3k",
                                        "1im",
                                        "16e",
                                        "18446744073709551616",
                                        "."};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t bytes = 7;
        assert_int_equal(size_parse(cases[i], &bytes), -EINVAL);
        assert_true(bytes == 7);
        assert_non_null(strstr(err_text(-EINVAL), "\""));
    }
    uint64_t bytes;
    size_parse("lots", &bytes);
    assert_string_equal(err_text(-EINVAL),
                        "\"lots\" is not a size; write bytes or a number with b, k, m or g, like 64m");
    size_parse("17e", &bytes);
    assert_string_equal(err_text(-EINVAL), "the size \"17e\" is too large");
}

static void size_format_is_dockers(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0B"},
        {1, "1B"},
        {999, "999B"},
        {1000, "1kB"},
        {1024, "1.02kB"},
        {12000, "12kB"},
        {999499, "999kB"},
        {999500, "1MB"},
        {4261000, "4.26MB"},
        {72800000, "72.8MB"},
        {1140000000, "1.14GB"},
        {UINT64_C(123456789012345), "123TB"},
        {UINT64_MAX, "18.4EB"},
    };
    char buf[16];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(size_format(cases[i].bytes, buf), cases[i].text);
}

static void duration_parse_takes(void **state)
{
    static const int64_t sec = 1000000000;
    const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"10s", 10 * sec},
        {"1.5s", 3 * sec / 2},
        {"500ms", sec / 2},
        {"1h30m", 5400 * sec},
        {"2h3m4s", (7200 + 180 + 4) * sec},
        {"7us", 7000},
        {"7\xc2\xb5s", 7000},
        {"7\xce\xbcs", 7000},
        {"7ns", 7},
        {"1m500ms", 60 * sec + sec / 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 7;
        assert_int_equal(duration_parse(cases[i].text, &ns), 0);
        assert_true(ns == cases[i].ns);
    }
}

static void duration_parse_refuses(void **state)
{
    static const char *const cases[] = {"", "10", "s", "-1s", "1d", "1h 30m", "1h30", "1..5s", "10000000h", "ms1"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 7;
        assert_int_equal(duration_parse(cases[i], &ns), -EINVAL);
        assert_true(ns == 7);
    }
    int64_t ns;
    duration_parse("10", &ns);
    assert_string_equal(err_text(-EINVAL),
                        "\"10\" is not a duration; write a number with its unit, like 500ms, 10s or 1h30m");
}

static void time_format_is_rfc3339(void **state)
{
    char buf[40];
    assert_string_equal(time_format(0, buf), "0001-01-01T00:00:00Z");
    assert_string_equal(time_format(1, buf), "1970-01-01T00:00:00.000000001Z");
    assert_string_equal(time_format(-1, buf), "1969-12-31T23:59:59.999999999Z");
    assert_string_equal(time_format(INT64_C(1767323045000000006), buf), "2026-01-02T03:04:05.000000006Z");
}

static void time_parse_takes(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-02T03:04:05Z", INT64_C(1767323045000000000)},
        {"2026-01-02T03:04:05.000000006Z", INT64_C(1767323045000000006)},
        {"2026-01-02t03:04:05.5z", INT64_C(1767323045500000000)},
        {"2026-01-02 03:04:05.1234567899Z", INT64_C(1767323045123456789)},
        {"2026-01-02T04:34:05+01:30", INT64_C(1767323045000000000)},
        {"2026-01-01T22:04:05-05:00", INT64_C(1767323045000000000)},
        {"0001-01-01T00:00:00Z", 0},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000000)},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 7;
        assert_int_equal(time_parse(cases[i].text, &ns), 0);
        assert_true(ns == cases[i].ns);
    }
}

static void time_parse_refuses(void **state)
{
    static const char *const cases[] = {
        "",
        "2026",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04Z",
        "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z",
        "2026-02-30T03:04:05Z",
        "2025-02-29T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-01-02T24:04:05Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05Zx",
        "2300-01-01T00:00:00Z",
        "1600-01-01T00:00:00Z",
        "26-01-02T03:04:05Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = 7;
        assert_int_equal(time_parse(cases[i], &ns), -EINVAL);
        assert_true(ns == 7);
    }
}

static void time_round_trip(void **state)
{
    static const int64_t times[] = {1, -1, INT64_MAX, INT64_C(1767323045000000006), INT64_C(-86400000000000)};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char buf[40];
        int64_t ns = 7;
        assert_int_equal(time_parse(time_format(times[i], buf), &ns), 0);
        assert_true(ns == times[i]);
    }
    assert_true(time_now() > INT64_C(1700000000) * 1000000000);
}

static void time_ago_is_dockers(void **state)
{
    enum { M = 60, H = 3600, D = 86400 };
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-5, "Less than a second"},  {0, "Less than a second"},   {1, "1 second"},           {2, "2 seconds"},
        {59, "59 seconds"},          {60, "About a minute"},      {119, "About a minute"},   {120, "2 minutes"},
        {59 * M + 59, "59 minutes"}, {H, "About an hour"},        {89 * M, "About an hour"}, {90 * M, "2 hours"},
        {47 * H, "47 hours"},        {47 * H + 31 * M, "2 days"}, {13 * D, "13 days"},       {14 * D, "2 weeks"},
        {59 * D, "8 weeks"},         {60 * D, "2 months"},        {729 * D, "24 months"},    {730 * D, "2 years"},
        {3650 * D, "10 years"},
    };
    char buf[40];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(time_ago(cases[i].seconds * 1000000000, buf), cases[i].text);
    assert_string_equal(time_ago(999999999, buf), "Less than a second");
    assert_string_equal(time_ago(INT64_MAX, buf), "292 years");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_parse_takes),       cmocka_unit_test(size_parse_refuses),
        cmocka_unit_test(size_format_is_dockers), cmocka_unit_test(duration_parse_takes),
        cmocka_unit_test(duration_parse_refuses), cmocka_unit_test(time_format_is_rfc3339),
        cmocka_unit_test(time_parse_takes),       cmocka_unit_test(time_parse_refuses),
        cmocka_unit_test(time_round_trip),        cmocka_unit_test(time_ago_is_dockers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
