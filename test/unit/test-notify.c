/* What a container may say to systemd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "notify.h"

#include "whelk/err.h"

static void check_filter(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"READY=1", "READY=1\n"},
        {"READY=1\nSTOPPING=1\nRELOADING=1", "READY=1\nSTOPPING=1\nRELOADING=1\n"},
        {"READY=0\nREADY=\nREADY=11\nREADY\n=1\n READY=1\nready=1", ""},
        {"READYX=1\nREAD=1", ""},
        {"STATUS=all is well\n", "STATUS=all is well\n"},
        {"STATUS=", "STATUS=\n"},
        {"STATUS=a\033[2Jb", "STATUS=a\\x1b[2Jb\n"},
        {"STATUS=a=b", "STATUS=a=b\n"},
        {"MAINPID=1\nMAINPIDFDID=1\nFDSTORE=1\nFDNAME=x\nNOTIFYACCESS=all\nBUSERROR=x\nEXIT_STATUS=0\nBARRIER=1", ""},
        {"EXTEND_TIMEOUT_USEC=1000000", "EXTEND_TIMEOUT_USEC=1000000\n"},
        {"EXTEND_TIMEOUT_USEC=-1\nERRNO=x\nWATCHDOG_USEC= 1", ""},
        {"MONOTONIC_USEC=18446744073709551615\nERRNO=2", "MONOTONIC_USEC=18446744073709551615\nERRNO=2\n"},
        {"WATCHDOG=1\nWATCHDOG=trigger\nWATCHDOG=2", "WATCHDOG=1\nWATCHDOG=trigger\n"},
        {"X=1\r\nREADY=1\r\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out = {0};
        notify_filter(cases[i].in, strlen(cases[i].in), &out);
        assert_string_equal(out.data ? out.data : "", cases[i].out);
    }
}

/* The length counts, not a NUL, and a text is cut. */
static void check_bounds(void **state)
{
    static const char half[] = "READY=1\nSTOPPING=1";
    char longest[NOTIFY_MAX * 2];
    auto_buf struct buf out = {0}, cut = {0}, nul = {0};
    notify_filter(half, 7, &out);
    assert_string_equal(out.data, "READY=1\n");
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "STATUS=", 7);
    notify_filter(longest, sizeof longest, &cut);
    assert_true(cut.len > 100 && cut.len < 1200);
    notify_filter("READY=1\0\nSTOPPING=1", 19, &nul);
    assert_string_equal(nul.data, "READY=1\n");
}

static void check_modes(void **state)
{
    static const struct {
        const char *text;
        int r;
        enum sdnotify mode;
    } cases[] = {
        {NULL, 0, SDNOTIFY_CONMON},       {"conmon", 0, SDNOTIFY_CONMON}, {"container", 0, SDNOTIFY_CONTAINER},
        {"healthy", 0, SDNOTIFY_HEALTHY}, {"ignore", 0, SDNOTIFY_IGNORE}, {"", -EINVAL, 0},
        {"Conmon", -EINVAL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum sdnotify mode = 0;
        assert_int_equal(sdnotify_parse(cases[i].text, &mode), cases[i].r);
        assert_int_equal(mode, cases[i].mode);
        err_clear();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_filter),
        cmocka_unit_test(check_bounds),
        cmocka_unit_test(check_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
