/* --chown and --chmod. */
#include "owner.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static const struct {
    const char *text;
    mode_t from, to;
} modes[] = {
    {"755", S_IFREG | 0644, 0755},         {"0", S_IFREG | 0644, 0},
    {"4755", S_IFREG | 0644, 04755},       {"01777", S_IFDIR | 0700, 01777},
    {"u+x", S_IFREG | 0644, 0744},         {"+x", S_IFREG | 0644, 0755},
    {"a+x,go-r", S_IFREG | 0644, 0711},    {"go=", S_IFREG | 0777, 0700},
    {"u=rwX,go=rX", S_IFREG | 0600, 0644}, {"u=rwX,go=rX", S_IFREG | 0700, 0755},
    {"u=rwX,go=rX", S_IFDIR | 0600, 0755}, {"u+s", S_IFREG | 0755, 04755},
    {"g+s", S_IFREG | 0755, 02755},        {"+t", S_IFDIR | 0777, 01777},
    {"o+s", S_IFREG | 0755, 0755},         {"a-s", S_IFREG | 06755, 0755},
    {"u=rw-w+x", S_IFREG | 0000, 0500},
};

static void mode_rows(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct mode_change m;
        if (mode_parse(modes[i].text, &m) < 0 || mode_apply(&m, modes[i].from) != modes[i].to)
            fail_msg("%s of %o is %o, expected %o", modes[i].text, modes[i].from, mode_apply(&m, modes[i].from),
                     modes[i].to);
    }
}

static void bad_modes(void **state)
{
    static const char *const texts[] = {"",    "8",    "77777", "100000", "rwx",     "u",
                                        "u+q", "u+x,", ",u+x",  "z+x",    "u+x go-r"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct mode_change m;
        if (mode_parse(texts[i], &m) != -EINVAL)
            fail_msg("%s is taken", texts[i]);
    }
}

static const char passwd[] = "root:x:0:0::/root:/bin/sh\nuser:x:1000:100::/:/bin/sh\nbroken:x:\n77:x:78:79:::\n";
static const char group[] = "root:x:0:\nstaff:x:50:user\nbroken\n";

static const struct {
    const char *text;
    int r;
    uid_t uid;
    gid_t gid;
} owners[] = {
    {"0", 0, 0, 0},
    {"12", 0, 12, 12},
    {"12:34", 0, 12, 34},
    {"user", 0, 1000, 100},
    {"user:staff", 0, 1000, 50},
    {"5:staff", 0, 5, 50},
    {"user:7", 0, 1000, 7},
    {"77", 0, 77, 77}, /* a number is a number, whatever passwd calls its users */
    {"nosuch", -ENOENT, 0, 0},
    {"broken", -ENOENT, 0, 0},
    {"user:nosuch", -ENOENT, 0, 0},
    {"user:broken", -ENOENT, 0, 0},
    {"4294967295", -ENOENT, 0, 0},
    {"-1", -ENOENT, 0, 0},
    {"", -EINVAL, 0, 0},
    {":5", -EINVAL, 0, 0},
    {"5:", -EINVAL, 0, 0},
    {"1:2:3", -EINVAL, 0, 0},
};

static void owner_rows(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
        uid_t uid = 0;
        gid_t gid = 0;
        int r = owner_parse(owners[i].text, passwd, group, &uid, &gid);
        if (r != owners[i].r || uid != owners[i].uid || gid != owners[i].gid)
            fail_msg("\"%s\" is %d %u:%u", owners[i].text, r, uid, gid);
    }
    assert_int_equal(owner_parse("user", "", "", &(uid_t){0}, &(gid_t){0}), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mode_rows),
        cmocka_unit_test(bad_modes),
        cmocka_unit_test(owner_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
