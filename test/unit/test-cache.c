/* The build cache: step records, and digests of files remembered by stat. */
#include "store-fixture.h"

#include "whelk/cache.h"
#include "whelk/units.h"

#include <linux/magic.h>
#include <sys/vfs.h>

/* ---- steps ---- */

static void test_steps(void **state)
{
    struct fixture *f = *state;
    char key[65], other[65], layer[65];
    struct cache_step got = {0};
    diffid_of("step", key);
    diffid_of("other", other);
    layer_add(f->s, "one", layer);
    int64_t now = time_now();
    struct cache_step step = {
        .layer = layer, .diffid = layer, .size = 3, .created = 5, .used = now, .created_by = (char *)"RUN true"};
    assert_int_equal(cache_step_get(f->s, key, &got), -ENOENT);
    assert_ok(cache_step_put(f->s, key, &step));
    assert_ok(cache_step_put(f->s, other, &(struct cache_step){.created = 6}));
    assert_ok(cache_step_get(f->s, key, &got));
    assert_string_equal(got.layer, layer);
    assert_string_equal(got.created_by, "RUN true");
    assert_int_equal(got.size, 3);
    assert_int_equal(got.created, 5);
    assert_int_equal(got.used, now); /* a recent use is not noted again */
    cache_step_done(&got);
    assert_ok(cache_step_get(f->s, other, &got));
    assert_null(got.layer);
    cache_step_done(&got);

    step.used = 1;
    assert_ok(cache_step_put(f->s, key, &step));
    for (int i = 0; i < 2; i++) { /* an old one is, and is kept */
        assert_ok(cache_step_get(f->s, key, &got));
        assert_true(got.used >= now);
        cache_step_done(&got);
    }

    auto_free char *path = xasprintf("layers/%s", layer);
    assert_ok(store_trash(f->s, "layers", layer));
    assert_int_equal(cache_step_get(f->s, key, &got), -ENOENT);
    assert_int_equal(cache_step_get(f->s, "../../x", &got), -ENOENT);
    assert_int_equal(cache_step_put(f->s, "../../x", &step), -EINVAL);
    path = (free(path), xasprintf("cache/steps/%s", other));
    assert_ok(file_write(f->s->fd, path, "\0\0\0", 3, 0600)); /* as a power loss leaves it */
    assert_int_equal(cache_step_get(f->s, other, &got), -ENOENT);
    assert_ok(cache_steps_remove_all(f->s));
    assert_int_equal(entries_in(f->s, "cache/steps"), 0);
    assert_ok(cache_steps_remove_all(f->s));
}

/* ---- digests of files ---- */

/* One look-up with a table of its own. */
static void digest_of_path(struct fixture *f, const char *name, bool trust, char ret[65])
{
    struct file_digests *t = NULL;
    struct stat st;
    auto_free char *path = xasprintf("%s/%s", f->dir, name);
    auto_close int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_ok(file_digests_open(f->s, &t));
    assert_ok(file_digests_get(t, fd, &st, trust, ret));
    assert_ok(file_digests_close(t));
}

static void put(struct fixture *f, const char *name, const char *text)
{
    auto_free char *path = xasprintf("%s/%s", f->dir, name);
    assert_ok(file_write(AT_FDCWD, path, text, strlen(text), 0600));
}

static bool keeps_times(const char *dir)
{
    struct statfs fs;
    assert_int_equal(statfs(dir, &fs), 0);
    return (uint32_t)fs.f_type == EXT4_SUPER_MAGIC || (uint32_t)fs.f_type == BTRFS_SUPER_MAGIC ||
           (uint32_t)fs.f_type == F2FS_SUPER_MAGIC || (uint32_t)fs.f_type == 0x58465342;
}

static const struct timespec quiet_time = {.tv_sec = 2, .tv_nsec = 100000000};

/* A later write within the same tick of the clock would not show. */
static void test_young_files_are_read(void **state)
{
    struct fixture *f = *state;
    char got[65], wanted[65];
    put(f, "a", "text");
    digest_of_path(f, "a", true, got);
    assert_string_equal(got, diffid_of("text", wanted));
    assert_false(present(f->s, "cache/files")); /* nothing to remember yet */
}

/* A hit writes nothing; and where content differs with size and mtime as before, ctime gives it away. */
static void test_remembered(void **state)
{
    struct fixture *f = *state;
    char got[65], wanted[65], old[65];
    if (!keeps_times(f->dir)) {
        print_message("needs ext4, xfs, btrfs or f2fs below /tmp\n");
        skip();
    }
    put(f, "a", "text");
    put(f, "b", "other");
    nanosleep(&quiet_time, NULL);
    digest_of_path(f, "a", true, got);
    assert_true(present(f->s, "cache/files"));
    digest_of_path(f, "b", true, got);
    assert_string_equal(got, diffid_of("other", wanted));
    struct stat table, st;
    assert_int_equal(fstatat(f->s->fd, "cache/files", &table, 0), 0);

    auto_free char *path = xasprintf("%s/a", f->dir);
    assert_int_equal(stat(path, &st), 0);
    digest_of_path(f, "a", true, got);
    assert_string_equal(got, diffid_of("text", old));
    struct stat after;
    assert_int_equal(fstatat(f->s->fd, "cache/files", &after, 0), 0);
    assert_int_equal(after.st_ino, table.st_ino); /* a hit writes nothing */

    put(f, "a", "tex!");
    const struct timespec times[] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    digest_of_path(f, "a", true, got);
    assert_string_equal(got, diffid_of("tex!", wanted));
}

/* With a table that is known to hold the file: is it asked, and what when it is torn? */
static void test_table_is_used(void **state)
{
    struct fixture *f = *state;
    char got[65], wanted[65];
    if (!keeps_times(f->dir)) {
        print_message("needs ext4, xfs, btrfs or f2fs below /tmp\n");
        skip();
    }
    put(f, "a", "text");
    nanosleep(&quiet_time, NULL);
    digest_of_path(f, "a", true, got);
    diffid_of("text", wanted);

    /* A hit reads nothing: a descriptor that cannot be read will do. */
    struct file_digests *t = NULL;
    struct stat st;
    auto_free char *path = xasprintf("%s/a", f->dir);
    auto_close int fd = open(path, O_PATH);
    assert_int_equal(fstat(fd, &st), 0);
    assert_ok(file_digests_open(f->s, &t));
    memset(got, 0, sizeof(got));
    assert_ok(file_digests_get(t, fd, &st, true, got));
    assert_string_equal(got, wanted);
    assert_int_equal(file_digests_get(t, fd, &st, false, got), -EBADF); /* --no-cache does read */
    struct stat moved = st;
    moved.st_ctim.tv_nsec ^= 1;
    assert_int_equal(file_digests_get(t, fd, &moved, true, got), -EBADF);
    assert_ok(file_digests_close(t));

    /* Any torn byte is noticed. */
    auto_free char *bytes = NULL;
    size_t len;
    assert_ok(file_read(f->s->fd, "cache/files", 1 << 20, &bytes, &len));
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 0x10;
        assert_ok(file_publish(f->s->fd, "cache/files", bytes, len, 0600, false));
        bytes[i] ^= 0x10;
        assert_ok(file_digests_open(f->s, &t));
        assert_int_equal(file_digests_get(t, fd, &st, true, got), -EBADF);
        assert_ok(file_digests_close(t));
    }
    static const size_t sizes[] = {0, 1, 87};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_ok(file_publish(f->s->fd, "cache/files", bytes, sizes[i], 0600, false));
        digest_of_path(f, "a", true, got);
        assert_string_equal(got, wanted);
    }
}

/* Many files, added by several builds at once: all are found afterwards, in a sorted table. */
enum { FILES = 300, BUILDS = 4 };

static int hash_some(struct fixture *f, int build)
{
    struct file_digests *t = NULL;
    int r = file_digests_open(f->s, &t);
    for (int i = build; r == 0 && i < FILES; i += BUILDS) {
        char name[32], got[65], wanted[65];
        struct stat st;
        snprintf(name, sizeof(name), "file-%d", i);
        auto_free char *path = xasprintf("%s/%s", f->dir, name);
        auto_close int fd = open(path, O_RDONLY);
        if (fd < 0 || fstat(fd, &st) < 0)
            return 1;
        r = file_digests_get(t, fd, &st, true, got);
        if (r == 0 && !str_eq(got, diffid_of(name, wanted)))
            return 2;
    }
    int c = file_digests_close(t);
    return r < 0 ? r : c;
}

static void test_many(void **state)
{
    struct fixture *f = *state;
    if (!keeps_times(f->dir)) {
        print_message("needs ext4, xfs, btrfs or f2fs below /tmp\n");
        skip();
    }
    for (int i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "file-%d", i);
        put(f, name, name);
    }
    nanosleep(&quiet_time, NULL);
    run_parallel(hash_some, f, BUILDS);
    for (int i = 0; i < BUILDS; i++)
        assert_int_equal(hash_some(f, i), 0);
    struct file_digests *t = NULL;
    assert_ok(file_digests_open(f->s, &t));
    for (int i = 0; i < FILES; i++) {
        char name[32], got[65], wanted[65];
        struct stat st;
        snprintf(name, sizeof(name), "file-%d", i);
        auto_free char *path = xasprintf("%s/%s", f->dir, name);
        auto_close int fd = open(path, O_PATH);
        assert_int_equal(fstat(fd, &st), 0);
        assert_ok(file_digests_get(t, fd, &st, true, got));
        assert_string_equal(got, diffid_of(name, wanted));
    }
    assert_ok(file_digests_close(t));
}

/* The descriptor's offset is the caller's. */
static void test_offset(void **state)
{
    struct fixture *f = *state;
    struct file_digests *t = NULL;
    struct stat st;
    char got[65], wanted[65], bytes[3] = "";
    put(f, "a", "text");
    auto_free char *path = xasprintf("%s/a", f->dir);
    auto_close int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, bytes, 2), 2);
    assert_int_equal(fstat(fd, &st), 0);
    assert_ok(file_digests_open(f->s, &t));
    assert_ok(file_digests_get(t, fd, &st, true, got));
    assert_string_equal(got, diffid_of("text", wanted));
    assert_int_equal(read(fd, bytes, 2), 2);
    assert_string_equal(bytes, "xt");
    assert_ok(file_digests_close(t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_steps),      store_test(test_young_files_are_read),
        store_test(test_remembered), store_test(test_table_is_used),
        store_test(test_many),       store_test(test_offset),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
