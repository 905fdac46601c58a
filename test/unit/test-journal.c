/* Entries for systemd's journal as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/journal.h"

#define BYTES(s) (s), sizeof(s) - 1

static void check_fields(void **state)
{
    static const struct {
        const char *value;
        size_t len;
        const char *out;
        size_t out_len;
    } cases[] = {
        {BYTES(""), BYTES("KEY=\n")},
        {BYTES("text"), BYTES("KEY=text\n")},
        {BYTES("a=b\r\t\x80"), BYTES("KEY=a=b\r\t\x80\n")},
        {BYTES("nul\0nul"), BYTES("KEY=nul\0nul\n")},
        {BYTES("two\nlines"), BYTES("KEY\n\x09\0\0\0\0\0\0\0two\nlines\n")},
        {BYTES("\n"), BYTES("KEY\n\x01\0\0\0\0\0\0\0\n\n")},
        {BYTES("x\nPRIORITY=0\n"), BYTES("KEY\n\x0d\0\0\0\0\0\0\0x\nPRIORITY=0\n\n")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf b = {0};
        journal_field(&b, "KEY", cases[i].value, cases[i].len);
        assert_int_equal(b.len, cases[i].out_len);
        assert_memory_equal(b.data, cases[i].out, b.len);
    }
}

static void check_several(void **state)
{
    auto_buf struct buf b = {0};
    journal_field(&b, "A", "1", 1);
    journal_field(&b, "B", "2", 1);
    assert_string_equal(b.data, "A=1\nB=2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_fields),
        cmocka_unit_test(check_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
