/* Memory that a waiting process gives back: what it had is still there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "whelk/auto.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>

static const char constant[] = "a constant of the program";
static char variable[] = "a variable of the program";

/* kB of line, out of /proc/self/smaps_rollup. */
static long rollup(const char *line)
{
    auto_free char *text = NULL;
    assert_int_equal(file_read(AT_FDCWD, "/proc/self/smaps_rollup", 1 << 16, &text, NULL), 0);
    const char *at = strstr(text, line);
    assert_non_null(at);
    return strtol(at + strlen(line), NULL, 10);
}

/* Dirties much more stack than is used later. */
__attribute__((noinline)) static unsigned use_stack(void)
{
    volatile unsigned char deep[128 * 1024];
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof deep; i += 512)
        sum += deep[i];
    return sum;
}

static void test_trim(void **state)
{
    enum { PIECES = 200, PIECE = 4000 };
    char local[] = "on the stack", *pieces[PIECES];
    auto_free char *kept = xstrdup("on the heap");
    for (int i = 0; i < PIECES; i++)
        memset(pieces[i] = xmalloc(PIECE), i, PIECE);
    for (int i = 0; i < PIECES; i++)
        free(pieces[i]);
    use_stack();
    long before = rollup("\nPrivate_Dirty:");
    proc_trim_memory();
    long after = rollup("\nPrivate_Dirty:");
    (void)before, (void)after;
    assert_string_equal(constant, "a constant of the program");
    assert_string_equal(variable, "a variable of the program");
    assert_string_equal(local, "on the stack");
    assert_string_equal(kept, "on the heap");
#ifndef __SANITIZE_ADDRESS__ /* its allocator keeps what is freed */
    if (after > before - 100)
        fail_msg("%ld kB before, %ld kB after", before, after);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim),
    };
    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
