/* Owners that are kept beside files. */
#include "whelk/kept-owner.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        bool good;
        struct kept_owner owner;
    } table[] = {
        {"0:0", true, {0, 0}},
        {"1000:50", true, {1000, 50}},
        {"4294967294:4294967294", true, {4294967294, 4294967294}},
        {"4294967295:0", false},
        {"0:4294967295", false},
        {"4294967296:0", false},
        {"1000", false},
        {"", false},
        {":", false},
        {"1:", false},
        {":1", false},
        {"-1:1", false},
        {"1:1:1", false},
        {"a:b", false},
        {" 1:1", false},
        {"00000000000000000001:0000000000001", false}, /* longer than any that whelk writes */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct kept_owner owner = {7, 7};
        assert_int_equal(kept_owner_parse(table[i].text, strlen(table[i].text), &owner), table[i].good);
        if (table[i].good)
            assert_memory_equal(&owner, &table[i].owner, sizeof owner);
        else
            assert_int_equal(owner.uid, 7);
    }
}

static void test_set_and_get(void **state)
{
    const char *dir = getenv("TMPDIR");
    struct kept_owner owner;
    int fd = open(dir ? dir : "/tmp", O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_false(kept_owner_get(fd, &owner));
    int r = kept_owner_set(fd, (struct kept_owner){12, 34});
    if (r == -ENOTSUP)
        skip(); /* a file system without attributes of users */
    assert_int_equal(r, 0);
    assert_true(kept_owner_get(fd, &owner));
    assert_int_equal(owner.uid, 12);
    assert_int_equal(owner.gid, 34);
    assert_int_equal(kept_owner_set(fd, (struct kept_owner){0, 0}), 0);
    assert_false(kept_owner_get(fd, &owner));
    assert_int_equal(fgetxattr(fd, KEPT_OWNER_XATTR, NULL, 0), -1);
    assert_int_equal(kept_owner_set(fd, (struct kept_owner){0, 0}), 0); /* twice is fine */
    assert_int_equal(fsetxattr(fd, KEPT_OWNER_XATTR, "rubbish", 7, 0), 0);
    assert_false(kept_owner_get(fd, &owner));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_set_and_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
