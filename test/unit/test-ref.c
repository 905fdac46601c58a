/* Image references: parts, rules, completion, display. */
#include "whelk/ref.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void assert_same(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_true(a == b);
}

static const struct {
    const char *text, *domain, *path, *tag, *digest;
    const char *full;  /* completed with docker.io */
    const char *local; /* as a new local name; NULL: refused */
} good[] = {
    {"busybox", NULL, "busybox", NULL, NULL, "docker.io/library/busybox:latest", "localhost/busybox:latest"},
    {"busybox:1.36", NULL, "busybox", "1.36", NULL, "docker.io/library/busybox:1.36", "localhost/busybox:1.36"},
    {"user/app", NULL, "user/app", NULL, NULL, "docker.io/user/app:latest", "localhost/user/app:latest"},
    {"localhost/app", "localhost", "app", NULL, NULL, "localhost/app:latest", "localhost/app:latest"},
    {"localhost", NULL, "localhost", NULL, NULL, "docker.io/library/localhost:latest", "localhost/localhost:latest"},
    {"host:5000/a/b:t", "host:5000", "a/b", "t", NULL, "host:5000/a/b:t", "host:5000/a/b:t"},
    {"host:5000", NULL, "host", "5000", NULL, "docker.io/library/host:5000", "localhost/host:5000"},
    {"quay.io/a", "quay.io", "a", NULL, NULL, "quay.io/a:latest", "quay.io/a:latest"},
    {"docker.io/a", "docker.io", "a", NULL, NULL, "docker.io/library/a:latest", "docker.io/library/a:latest"},
    {"index.docker.io/a:1", "index.docker.io", "a", "1", NULL, "docker.io/library/a:1", "docker.io/library/a:1"},
    {"Reg.Example/a", "Reg.Example", "a", NULL, NULL, "Reg.Example/a:latest", "Reg.Example/a:latest"},
    {"[2001:db8::1]:5000/a", "[2001:db8::1]:5000", "a", NULL, NULL, "[2001:db8::1]:5000/a:latest",
     "[2001:db8::1]:5000/a:latest"},
    {"f/a.b_c__d---e:T.-_9", NULL, "f/a.b_c__d---e", "T.-_9", NULL, "docker.io/f/a.b_c__d---e:T.-_9",
     "localhost/f/a.b_c__d---e:T.-_9"},
    {"busybox@" DIGEST, NULL, "busybox", NULL, DIGEST, "docker.io/library/busybox@" DIGEST, NULL},
    {"h.x/b:1@" DIGEST, "h.x", "b", "1", DIGEST, "h.x/b:1@" DIGEST, NULL},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        auto_with(ref_done) struct ref r = {0};
        auto_free char *full = NULL, *local = NULL;

        assert_int_equal(ref_parse(good[i].text, &r), 0);
        assert_same(r.domain, good[i].domain);
        assert_same(r.path, good[i].path);
        assert_same(r.tag, good[i].tag);
        assert_same(r.digest, good[i].digest);
        full = ref_full(&r, "docker.io");
        assert_same(full, good[i].full);
        assert_int_equal(ref_normalize_local(good[i].text, &local), good[i].local ? 0 : -EINVAL);
        assert_same(local, good[i].local);
    }
}

static const struct {
    const char *text, *part_of_message;
} bad[] = {
    {"", "empty"},
    {":tag", "empty"},
    {"Busybox", "lower case"},
    {"a/Busybox", "lower case"},
    {"a/-Busybox", "letters or digits"},
    {"a..b", "letters or digits"},
    {"h.x/a___b", "letters or digits"},
    {"h.x/a._b", "letters or digits"},
    {"h.x/a-", "letters or digits"},
    {"/a", "letters or digits"},
    {"a//b", "letters or digits"},
    {"a/", "letters or digits"},
    {"a b", "a-z, 0-9"},
    {"a\x1b[0m", "a\\x1b[0m"},
    {"a:", "tag is empty"},
    {"a:.x", "tag begins"},
    {"a:x+y", "a tag has only"},
    {"a:" A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "at most 128"},
    {"h.x/" A50 A50 A50 A50 A50 "aa", "at most 255"},
    {"-h.x/a", "begins and ends"},
    {"h-.x/a", "begins and ends"},
    {"h..x/a", "begins and ends"},
    {"a.b_c/d", "registry's name has only"},
    {"h_.x/a", "registry's name has only"},
    {"h:port/a", "port"},
    {"h:65536/a", "port"},
    {"h:/a", "port"},
    {"[::1/a", "IPv6"},
    {"[::1]x/a", "only a port"},
    {"a@sha256:123", "64 lower-case"},
    {"a@md5:123", "a digest is"},
    {"a@" DIGEST "0", "64 lower-case"},
    {"a@", "a digest is"},
    {HEX, "image id"},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ref r = {.tag = (char *)"untouched"};

        assert_int_equal(ref_parse(bad[i].text, &r), -EINVAL);
        assert_string_equal(r.tag, "untouched");
        if (!strstr(err_text(-EINVAL), bad[i].part_of_message))
            fail_msg("\"%s\": %s", bad[i].text, err_text(-EINVAL));
    }
}

static const struct {
    const char *full, *repository, *tag;
} shown[] = {
    {"localhost/app:latest", "localhost/app", "latest"},
    {"host:5000/app", "host:5000/app", "<none>"},
    {"host:5000/app:1", "host:5000/app", "1"},
    {"docker.io/library/b@" DIGEST, "docker.io/library/b", "<none>"},
    {"docker.io/library/b:2@" DIGEST, "docker.io/library/b", "2"},
};

static void test_split_display(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        auto_free char *repository = NULL, *tag = NULL;

        ref_split_display(shown[i].full, &repository, &tag);
        assert_string_equal(repository, shown[i].repository);
        assert_string_equal(tag, shown[i].tag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_split_display),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
