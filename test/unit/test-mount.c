/* The value of RUN --mount. */
#include "mount.h"

#include "whelk/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct expected {
    enum mount_kind kind;
    const char *target, *source, *from, *id, *env;
    enum mount_sharing sharing;
    bool read_only, required;
    int64_t uid, gid, mode, size;
};

static void test_good(void **state)
{
    static const struct {
        const char *text;
        struct expected flag;
    } table[] = {
        {"target=/x", {MOUNT_BIND, "/x", .read_only = true, .uid = -1, .gid = -1, .mode = -1, .size = -1}},
        {"type=bind,source=a/b,dst=x,rw", {MOUNT_BIND, "x", "a/b", .uid = -1, .gid = -1, .mode = -1, .size = -1}},
        {"type=bind,from=stage,destination=/x,rw=false",
         {MOUNT_BIND, "/x", .from = "stage", .read_only = true, .uid = -1, .gid = -1, .mode = -1, .size = -1}},
        {"\"target=/a,b\",\"source=say \"\"x\"\"\"",
         {MOUNT_BIND, "/a,b", "say \"x\"", .read_only = true, .uid = -1, .gid = -1, .mode = -1, .size = -1}},
        {"type=cache,target=/c,id=n,sharing=locked,uid=1,gid=2,mode=0700",
         {MOUNT_CACHE, "/c", .id = "n", .sharing = SHARING_LOCKED, .uid = 1, .gid = 2, .mode = 0700, .size = -1}},
        {"type=cache,target=/c,ro",
         {MOUNT_CACHE, "/c", .read_only = true, .uid = -1, .gid = -1, .mode = -1, .size = -1}},
        {"type=tmpfs,target=/t,size=1m", {MOUNT_TMPFS, "/t", .uid = -1, .gid = -1, .mode = -1, .size = 1 << 20}},
        {"type=secret,id=s,required,mode=0440",
         {MOUNT_SECRET, .id = "s", .required = true, .uid = -1, .gid = -1, .mode = 0440, .size = -1}},
        {"type=secret,id=s,env=TOKEN",
         {MOUNT_SECRET, .id = "s", .env = "TOKEN", .uid = -1, .gid = -1, .mode = -1, .size = -1}},
        {"type=ssh", {MOUNT_SSH, .uid = -1, .gid = -1, .mode = -1, .size = -1}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mount_flag f;
        const struct expected *e = &table[i].flag;
        assert_int_equal(mount_flag_parse(table[i].text, &f), 0);
        const char *const got[] = {f.target, f.source, f.from, f.id, f.env};
        const char *const expected[] = {e->target, e->source, e->from, e->id, e->env};
        for (size_t k = 0; k < 5; k++) {
            assert_int_equal(got[k] != NULL, expected[k] != NULL);
            if (got[k])
                assert_string_equal(got[k], expected[k]);
        }
        assert_int_equal(f.kind, e->kind);
        assert_int_equal(f.sharing, e->sharing);
        assert_int_equal(f.read_only, e->read_only);
        assert_int_equal(f.required, e->required);
        assert_int_equal(f.uid, e->uid);
        assert_int_equal(f.gid, e->gid);
        assert_int_equal(f.mode, e->mode);
        assert_int_equal(f.size, e->size);
        mount_flag_done(&f);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *text, *says;
    } table[] = {
        {"type=bnid,target=/x", "did you mean bind?"},
        {"type=volume,target=/x", "known: bind, cache, tmpfs, secret, ssh"},
        {"type=bind", "needs target=PATH"},
        {"target=", "a path"},
        {"target", "needs a value"},
        {"type=cache,target=/x,sharing=some", "shared, private or locked"},
        {"type=cache,target=/x,mode=9", "an octal number"},
        {"type=cache,target=/x,uid=-1", "a number"},
        {"type=cache,target=/x,source=a", "from="},
        {"type=bind,target=/x,rw=maybe", "true or false"},
        {"type=bind,target=/x,size=1", "known: target"},
        {"type=bind,target=/x,sorce=a", "did you mean source?"},
        {"type=tmpfs,target=/x,size=big", "a size"},
        {"type=secret", "needs id=NAME"},
        {"target=/x,\"a", "quotes"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct mount_flag f;
        assert_true(mount_flag_parse(table[i].text, &f) < 0);
        if (!strstr(err_text(-1), table[i].says))
            fail_msg("%s: %s", table[i].text, err_text(-1));
        err_clear();
    }
}

static void test_from(void **state)
{
    char *from = mount_flag_from("type=bind,from=$X,target=/x");
    assert_string_equal(from, "$X");
    free(from);
    assert_null(mount_flag_from("target=/from=x"));
    assert_null(mount_flag_from("\"target"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
