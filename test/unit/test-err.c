/* The error slot: texts, wrapping, details, and the way through a pipe. */
#include "whelk/err.h"
#include "whelk/auto.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    err_clear();
    errno = 0;
    return 0;
}

static void test_empty_slot_gives_strerror(void **state)
{
    assert_string_equal(err_text(-ENOENT), "No such file or directory");
    assert_int_equal(err_status(), 125);
    assert_null(err_detail_text());
}

static void test_sys_reads_errno(void **state)
{
    errno = EACCES;
    assert_int_equal(err_sys("cannot open %s", "x"), -EACCES);
    assert_string_equal(err_text(-EACCES), "cannot open x: Permission denied");
    errno = 0;
    assert_int_equal(err_sys("odd"), -EIO);
}

static void test_wrap(void **state)
{
    int r = err_set(-EINVAL, "no such option: %s", "--x");
    assert_int_equal(err_wrap(r, "in %s", "file"), -EINVAL);
    assert_string_equal(err_text(r), "in file: no such option: --x");
    /* The slot's own text as an argument. */
    assert_int_equal(err_set(-EIO, "again: %s", err_text(r)), -EIO);
    assert_string_equal(err_text(-EIO), "again: in file: no such option: --x");
    /* A text that belongs to another error is not the reason for this one. */
    assert_int_equal(err_wrap(-ENOSPC, "cannot write"), -ENOSPC);
    assert_string_equal(err_text(-ENOSPC), "cannot write: No space left on device");
}

static void test_new_error_drops_the_old(void **state)
{
    int r = err_with_status(err_set(-ENOENT, "a"), 127);
    err_detail(r, "line 1\n");
    err_detail(r, "line 2\n\n");
    err_detail(r, "");
    assert_int_equal(err_status(), 127);
    assert_string_equal(err_detail_text(), "line 1\nline 2");
    err_wrap(r, "b");
    assert_string_equal(err_text(r), "b: a");
    assert_int_equal(err_status(), 127);
    assert_string_equal(err_detail_text(), "line 1\nline 2");
    err_set(-EIO, "c");
    assert_int_equal(err_status(), 125);
    assert_null(err_detail_text());
}

static void test_pack(void **state)
{
    static const struct {
        int r;
        const char *text, *detail;
        int status;
    } cases[] = {
        {0, NULL, NULL, 0},
        {7, NULL, NULL, 0},
        {-ENOENT, NULL, NULL, 0},
        {-EINVAL, "text: with 100% \xff", NULL, 0},
        {-EINVAL, "text", "two\nlines", 126},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        err_clear();
        if (cases[i].text)
            err_set(cases[i].r, "%s", cases[i].text);
        err_detail(cases[i].r, cases[i].detail);
        err_with_status(cases[i].r, cases[i].status);
        size_t len = 0;
        auto_free char *bytes = err_pack(cases[i].r, &len);

        err_set(-EBUSY, "something else");
        assert_int_equal(err_unpack(bytes, len), cases[i].r);
        assert_string_equal(err_text(cases[i].r), cases[i].text ? cases[i].text : strerror(abs(cases[i].r)));
        assert_int_equal(err_status(), cases[i].status ? cases[i].status : 125);
        if (cases[i].detail)
            assert_string_equal(err_detail_text(), cases[i].detail);
        else
            assert_null(err_detail_text());
        if (cases[i].text) { /* the number came along, so wrapping keeps the text */
            err_wrap(cases[i].r, "w");
            assert_string_equal(err_text(0) + 3, cases[i].text);
        }
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(err_unpack(bytes, cut), -EPROTO);
    }
    assert_int_equal(err_unpack("x\0y\0\0", 6), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty_slot_gives_strerror, setup),
        cmocka_unit_test_setup(test_sys_reads_errno, setup),
        cmocka_unit_test_setup(test_wrap, setup),
        cmocka_unit_test_setup(test_new_error_drops_the_old, setup),
        cmocka_unit_test_setup(test_pack, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
