/* Compression: what the distribution's tools write is told apart and inflated; several members, damage and the bound;
 * what is deflated here is read there. A library that is missing skips its rows. */
#include "whelk/codec.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>

#include <cmocka.h>

static const struct {
    enum codec codec;
    const char *pack, *unpack;
    const char *more; /* a command that makes another, harmless form of stdin, or NULL */
} tools[] = {
    {CODEC_GZIP, "gzip -n", "gzip -dc", "gzip -n -9"},
    {CODEC_ZSTD, "zstd -qc", "zstd -dqc", "zstd -qc -12 --no-check"},
    {CODEC_XZ, "xz -c", NULL, "xz -c -T2 --block-size=100000"},
    {CODEC_BZIP2, "bzip2 -c", NULL, "bzip2 -c -1"},
};

static char dir[64];

static void run_ok(const char *command)
{
    auto_free char *line = xasprintf("cd %s && { %s; }", dir, command);
    if (system(line) != 0)
        fail_msg("failed: %s", command);
}

static int open_in(const char *name, int flags)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static int inflate(enum codec c, const char *name, uint64_t max)
{
    auto_close int in = open_in(name, O_RDONLY), out = open_in("out", O_WRONLY | O_CREAT | O_TRUNC);
    return codec_inflate_fd(c, in, out, max);
}

static enum codec detected(const char *name)
{
    char first[CODEC_MAGIC_MAX];
    auto_close int in = open_in(name, O_RDONLY);
    ssize_t n = fd_read_full(in, first, sizeof(first));
    return codec_detect(first, (size_t)MAX(n, (ssize_t)0));
}

#define foreach_tool(i)                                                                                                \
    for (size_t i = 0; i < ARRAY_LEN(tools); i++)                                                                      \
        if (codec_prepare(tools[i].codec) == 0)

static int setup(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/whelk-codec-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    run_ok("seq 200000 >plain; head -c 100000 /dev/urandom >>plain; cat plain plain >twice; : >empty");
    return 0;
}

static int teardown(void **state)
{
    return tree_remove(AT_FDCWD, dir);
}

static void test_inflate(void **state)
{
    foreach_tool(i)
    {
        const char *forms[] = {tools[i].pack, tools[i].more};
        for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
            auto_free char *pack =
                xasprintf("%s <plain >packed; cat packed packed >both; %s <empty >none", forms[f], forms[f]);
            run_ok(pack);
            assert_int_equal(detected("packed"), tools[i].codec);
            assert_int_equal(inflate(tools[i].codec, "packed", UINT64_MAX), 0);
            run_ok("cmp out plain");
            assert_int_equal(inflate(tools[i].codec, "both", UINT64_MAX), 0);
            run_ok("cmp out twice");
            assert_int_equal(inflate(tools[i].codec, "none", UINT64_MAX), 0);
            run_ok("cmp out empty");
        }
    }
}

static void test_damage(void **state)
{
    foreach_tool(i)
    {
        auto_free char *pack = xasprintf("%s <plain >packed; head -c 70000 packed >cut; cp packed wrong; "
                                         "printf XXXXXXXX | dd of=wrong bs=1 seek=60000 conv=notrunc status=none; "
                                         "{ cat packed; echo follows; } >followed",
                                         tools[i].pack);
        run_ok(pack);
        static const char *const bad[] = {"cut", "wrong", "followed"};
        for (size_t b = 0; b < ARRAY_LEN(bad); b++)
            if (inflate(tools[i].codec, bad[b], UINT64_MAX) != -EBADMSG)
                fail_msg("%s: %s was taken", codec_name(tools[i].codec), bad[b]);
    }
}

static void test_bound(void **state)
{
    run_ok("head -c 50000000 /dev/zero >zeros");
    foreach_tool(i)
    {
        struct stat st;
        auto_free char *pack = xasprintf("%s <zeros >packed", tools[i].pack);
        run_ok(pack);
        assert_int_equal(inflate(tools[i].codec, "packed", 1000000), -EFBIG);
        auto_close int out = open_in("out", O_RDONLY);
        assert_int_equal(fstat(out, &st), 0);
        assert_true(st.st_size <= 1000000);
    }
}

/* A window of 256 MiB is more than anybody has to give to a stranger's stream. */
static void test_window(void **state)
{
    if (codec_prepare(CODEC_ZSTD) < 0)
        skip();
    run_ok("zstd -qc --long=28 <zeros >packed"); /* of test_bound */
    run_ok("zstd -qc --long=28 --no-content-size - <zeros >packed");
    assert_int_equal(inflate(CODEC_ZSTD, "packed", UINT64_MAX), -EBADMSG);
}

static void test_deflate(void **state)
{
    static const int levels[] = {0, 1, 3, 9};
    foreach_tool(i)
    {
        for (size_t l = 0; tools[i].unpack && l < ARRAY_LEN(levels); l++) {
            auto_close int in = open_in("plain", O_RDONLY), out = open_in("packed", O_WRONLY | O_CREAT | O_TRUNC);
            assert_int_equal(codec_deflate_fd(tools[i].codec, levels[l], in, out), 0);
            auto_free char *check = xasprintf("%s <packed | cmp - plain", tools[i].unpack);
            run_ok(check);
            auto_close int none = open_in("empty", O_RDONLY), to = open_in("packed", O_WRONLY | O_TRUNC);
            assert_int_equal(codec_deflate_fd(tools[i].codec, levels[l], none, to), 0);
            auto_free char *check_empty = xasprintf("%s <packed | cmp - empty", tools[i].unpack);
            run_ok(check_empty);
        }
    }
    assert_int_equal(codec_deflate_prepare(CODEC_XZ, 0), -ENOTSUP);
    assert_int_equal(codec_deflate_prepare(CODEC_GZIP, 10), -EINVAL);
    assert_non_null(strstr(err_text(-1), "1 to 9"));
}

static void test_names(void **state)
{
    enum codec c;
    assert_int_equal(codec_find("zstd", &c), 0);
    assert_int_equal(c, CODEC_ZSTD);
    assert_int_equal(codec_find("lzip", &c), -EINVAL);
    assert_int_equal(codec_detect("", 0), CODEC_NONE);
    assert_int_equal(codec_detect("\x28\xb5\x2f", 3), CODEC_NONE);
    assert_int_equal(codec_detect("BZh9", 4), CODEC_BZIP2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inflate), cmocka_unit_test(test_damage),  cmocka_unit_test(test_bound),
        cmocka_unit_test(test_window),  cmocka_unit_test(test_deflate), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
