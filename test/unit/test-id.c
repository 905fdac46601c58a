/* Ids, random names, the grammar of names; and the log, which prints them. */
#include "whelk/id.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/log.h"

#include <setjmp.h>

#include <cmocka.h>

static void test_id(void **state)
{
    char a[ID_LEN + 1], b[ID_LEN + 1];
    for (int i = 0; i < 2000; i++) { /* one of 281 would have a short form of digits only */
        id_new(a);
        assert_true(str_is_hex(a, ID_LEN));
        assert_true(strspn(a, "0123456789") < ID_SHORT);
    }
    id_new(b);
    assert_string_not_equal(a, b);
}

static void test_random_names(void **state)
{
    auto_strv char **seen = NULL;
    for (int i = 0; i < 200; i++) {
        auto_free char *name = id_random_name();
        assert_int_equal(name_check("container", name), 0);
        assert_non_null(strchr(name, '_'));
        if (!strv_has(seen, name))
            strv_add(&seen, name);
    }
    assert_true(strv_len(seen) > 150);
}

static void test_name_check(void **state)
{
    char len128[129] = "", len129[130] = "";
    memset(len128, 'a', 128);
    memset(len129, 'a', 129);
    const struct {
        const char *name;
        bool ok;
    } cases[] = {
        {"a", true},    {"9", true},    {"web-1.x_Y", true}, {len128, true}, {len129, false}, {"", false},
        {"-a", false},  {".a", false},  {"_a", false},       {"a/b", false}, {"..", false},   {"a b", false},
        {"a\n", false}, {"a:b", false}, {"\xc3\xa4", false}, {"a@b", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        print_message("'%s'\n", cases[i].name);
        assert_int_equal(name_check("volume", cases[i].name), cases[i].ok ? 0 : -EINVAL);
    }
    name_check("volume", "a\x1b]");
    assert_true(str_after(err_text(0), "invalid volume name 'a\\x1b]': ") != NULL);
}

static void test_id_prefix(void **state)
{
    char id[ID_LEN + 2] = "";
    id_new(id);
    assert_true(id_prefix_like(id));
    id[ID_LEN] = 'a';
    assert_false(id_prefix_like(id));
    assert_true(id_prefix_like("0"));
    assert_true(id_prefix_like("deadbeef"));
    assert_false(id_prefix_like(""));
    assert_false(id_prefix_like("DEAD"));
    assert_false(id_prefix_like("web"));
}

static void test_log_levels(void **state)
{
    static const struct {
        const char *name;
        int r;
        enum log_level level;
    } cases[] = {
        {"debug", 0, LOG_DEBUG_}, {"trace", 0, LOG_DEBUG_}, {"info", 0, LOG_INFO_},       {"Warning", 0, LOG_WARN_},
        {"fatal", 0, LOG_ERROR_}, {"panic", 0, LOG_ERROR_}, {"loud", -EINVAL, LOG_WARN_}, {"", -EINVAL, LOG_WARN_},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum log_level level = LOG_WARN_;
        assert_int_equal(log_level_parse(cases[i].name, &level), cases[i].r);
        assert_int_equal(level, cases[i].level);
    }
}

static void log_some(void)
{
    log_debug("hidden");
    log_warn("name %s", "a\x1b[2J\nb");
    log_set_level(LOG_DEBUG_);
    errno = EXDEV;
    log_debug("shown %d", 1);
    log_set_level(LOG_ERROR_);
    log_warn("hidden");
    log_set_level(LOG_WARN_);
}

static void test_log_lines(void **state)
{
    int ends[2], saved = dup(2);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], 2);
    close(ends[1]);
    log_some();
    int errno_after = errno;
    dup2(saved, 2);
    close(saved);
    auto_buf struct buf b = {0};
    assert_int_equal(fd_read_all(ends[0], 4096, &b), 0);
    close(ends[0]);
    assert_string_equal(b.data, "Warning: name a\\x1b[2J\\x0ab\nDebug: shown 1\n");
    assert_int_equal(errno_after, EXDEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id),        cmocka_unit_test(test_random_names), cmocka_unit_test(test_name_check),
        cmocka_unit_test(test_id_prefix), cmocka_unit_test(test_log_levels),   cmocka_unit_test(test_log_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
