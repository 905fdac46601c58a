/* Opening and making a store, whom it refuses, its lock, its trash, and what tidying takes. */
#include "store-fixture.h"

#include "whelk/lock.h"

static void test_made(void **state)
{
    static const char *const dirs[] = {
        ".",        "layers", "images",      "names", "containers", "volumes", "container-names",
        "networks", "cache",  "cache/steps", "tmp",
    };
    struct fixture *f = *state;
    struct store *again = NULL;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        struct stat st;
        assert_int_equal(fstatat(f->s->fd, dirs[i], &st, 0), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0700);
    }
    assert_int_equal(*f->s->path, '/');
    assert_ok(store_open(f->s->path, NULL, &again));
    assert_string_equal(again->uuid, f->s->uuid);
    assert_int_equal(strlen(again->uuid), 36);
    store_close(again);
    store_close(NULL);
}

static void test_relative_path(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    auto_free char *cwd = getcwd(NULL, 0), *wanted = xasprintf("%s/a/b/c", f->dir);
    assert_int_equal(chdir(f->dir), 0);
    assert_ok(store_open("a/b/c", NULL, &s));
    assert_int_equal(chdir(cwd), 0);
    assert_string_equal(s->path, wanted);
    assert_true(present(s, "whelk-store.json"));
    store_close(s);
}

/* ---- places that are refused; each case prepares a directory ---- */

static void put(const char *dir, const char *name, const char *text)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    assert_ok(file_write(AT_FDCWD, path, text, strlen(text), 0600));
}

static void put_dir(const char *dir, const char *name)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    assert_ok(dir_make(AT_FDCWD, path, 0700));
}

static void put_marker(const char *dir, const char *rest)
{
    auto_free char *text = xasprintf("{\"schema\": 1, \"uuid\": \"x\"%s}", rest);
    put(dir, "whelk-store.json", text);
}

static void has_file(const char *dir)
{
    put(dir, "letter.txt", "dear");
}

static void has_hidden_file(const char *dir)
{
    put(dir, ".bashrc", "");
}

static void has_store_like_dir(const char *dir)
{
    put_dir(dir, "images");
}

static void is_half_made_with_more(const char *dir)
{
    put(dir, "gc.lock", "");
    put_dir(dir, "images");
    put_dir(dir, "photos");
}

static void has_newer_version(const char *dir)
{
    put_marker(dir, ", \"version\": 2");
}

static void has_newer_schema(const char *dir)
{
    put(dir, "whelk-store.json", "{\"schema\": 2, \"version\": 1, \"uuid\": \"x\"}");
}

static void has_no_uuid(const char *dir)
{
    auto_free char *text = xasprintf("{\"schema\": 1, \"version\": 1, \"uid\": %u}", (unsigned)geteuid());
    put(dir, "whelk-store.json", text);
}

static void has_damaged_marker(const char *dir)
{
    put(dir, "whelk-store.json", "{\"schema\": 1, \"ver");
}

static void has_other_uid(const char *dir)
{
    auto_free char *rest = xasprintf(", \"version\": 1, \"uid\": %u", (unsigned)geteuid() + 1);
    put_marker(dir, rest);
}

static void has_marker_with_map(const char *dir, const char *map)
{
    auto_free char *rest = xasprintf(", \"version\": 1, \"uid\": %u, \"idmap\": %s", (unsigned)geteuid(), map);
    put_marker(dir, rest);
}

static void has_short_range(const char *dir)
{
    has_marker_with_map(dir, "{\"uid\": [[0, 5]], \"gid\": [[0, 5, 1]]}");
}

static void has_large_range(const char *dir)
{
    has_marker_with_map(dir, "{\"uid\": [[0, 4294967290, 100]], \"gid\": [[0, 5, 1]]}");
}

static void has_no_gids(const char *dir)
{
    has_marker_with_map(dir, "{\"uid\": [[0, 5, 1]]}");
}

static void is_writable_by_others(const char *dir)
{
    put_marker(dir, ", \"version\": 1");
    assert_int_equal(chmod(dir, 0777), 0);
}

static void is_home(const char *dir)
{
    setenv("HOME", dir, 1);
}

static void test_refused(void **state)
{
    static const struct {
        void (*prepare)(const char *dir);
        int error;
        const char *text;
    } cases[] = {
        {has_file, -ENOTEMPTY, "letter.txt"},
        {has_hidden_file, -ENOTEMPTY, ".bashrc"},
        {has_store_like_dir, -ENOTEMPTY, "images"},
        {is_half_made_with_more, -ENOTEMPTY, "photos"},
        {has_newer_version, -EPROTO, "version 2"},
        {has_newer_schema, -EPROTO, "schema 2"},
        {has_no_uuid, -EBADMSG, "no uuid"},
        {has_damaged_marker, -EBADMSG, "whelk-store.json"},
        {has_other_uid, -EPERM, "belongs to uid"},
        {has_short_range, -EBADMSG, "range 1"},
        {has_large_range, -EBADMSG, "range 1"},
        {has_no_gids, -EBADMSG, "ranges"},
        {is_writable_by_others, -EPERM, "written by others"},
        {is_home, -EINVAL, "cannot be a store"},
    };
    struct fixture *f = *state;
    auto_free char *home = xstrdup(getenv("HOME"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *dir = xasprintf("%s/case-%zu", f->dir, i);
        auto_strv char **before = NULL, **after = NULL;
        struct store *s = NULL;
        assert_ok(dir_make(AT_FDCWD, dir, 0700));
        cases[i].prepare(dir);
        assert_ok(dir_names(AT_FDCWD, dir, &before));
        print_message("%s\n", cases[i].text);
        int r = store_open(dir, NULL, &s);
        if (home)
            setenv("HOME", home, 1);
        assert_int_equal(r, cases[i].error);
        assert_non_null(strstr(err_text(r), cases[i].text));
        assert_null(s);
        assert_ok(dir_names(AT_FDCWD, dir, &after));
        assert_true(strv_eq(before, after));
    }
}

static void test_root_that_is_a_file(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    auto_free char *path = xasprintf("%s/file", f->dir);
    put(f->dir, "file", "");
    assert_int_equal(store_open(path, NULL, &s), -ENOTDIR);
}

/* A creation that was killed is finished by the next. */
static void test_half_made(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    auto_free char *dir = xasprintf("%s/half", f->dir);
    assert_ok(dir_make(AT_FDCWD, dir, 0755));
    put(dir, "gc.lock", "");
    put(dir, ".tmp-0123456789abcdef", "{");
    put_dir(dir, "layers");
    assert_ok(store_open(dir, NULL, &s));
    assert_true(present(s, "cache/steps") && present(s, "whelk-store.json"));
    store_close(s);
}

static void test_map_of_marker(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    auto_free char *dir = xasprintf("%s/mapped", f->dir);
    assert_ok(dir_make(AT_FDCWD, dir, 0700));
    has_marker_with_map(dir,
                        "{\"uid\": [[0, 1000, 1], [1, 100000, 65536]], \"gid\": [[0, 1001, 1], [1, 200000, 65536]]}");
    assert_ok(store_open(dir, NULL, &s));
    assert_int_equal(s->map.n_uid, 2);
    assert_int_equal(s->map.n_gid, 2);
    assert_int_equal(s->map.uid[1].outside, 100000);
    assert_int_equal(s->map.gid[1].outside, 200000);
    assert_int_equal(s->map.gid[1].count, 65536);
    store_close(s);
}

/* ---- a first invocation, a hundred times at once ---- */

static int open_and_tell(struct fixture *f, int i)
{
    auto_free char *root = xasprintf("%s/new/store", f->dir), *name = xasprintf("%s/uuid-%d", f->dir, i);
    struct store *s = NULL;
    int r = store_open(root, NULL, &s);
    if (r < 0)
        return r;
    bool whole = present(s, "tmp") && present(s, "cache/steps");
    r = file_write(AT_FDCWD, name, s->uuid, strlen(s->uuid), 0600);
    store_close(s);
    return r < 0 ? r : whole ? 0 : 1;
}

static void test_concurrent_first_open(void **state)
{
    enum { PROCESSES = 100 };
    struct fixture *f = *state;
    auto_free char *first = NULL;
    run_parallel(open_and_tell, f, PROCESSES);
    for (int i = 0; i < PROCESSES; i++) {
        auto_free char *name = xasprintf("%s/uuid-%d", f->dir, i), *uuid = NULL;
        assert_ok(file_read(AT_FDCWD, name, 64, &uuid, NULL));
        if (!first)
            first = xstrdup(uuid);
        assert_string_equal(uuid, first);
    }
}

/* Where an ordinary user's store is. */
static int open_as_nobody(struct fixture *f, int i)
{
    enum { NOBODY = 65534 };
    struct store *s = NULL;
    auto_free char *data = xasprintf("%s/data-%d", f->dir, i), *wanted = xasprintf("%s/whelk", data);
    if (dir_make(AT_FDCWD, data, 0700) < 0)
        return 1;
    if (geteuid() == 0 && (chmod(f->dir, 0711) < 0 || chown(data, NOBODY, NOBODY) < 0 ||
                           setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
        return 2;
    setenv("XDG_DATA_HOME", data, 1);
    int r = store_open(NULL, NULL, &s);
    if (r < 0)
        return r;
    bool good = str_eq(s->path, wanted) && s->map.n_uid >= 1 && s->map.uid[0].outside == geteuid();
    store_close(s);
    r = store_open(NULL, NULL, &s); /* the map comes from the marker now */
    if (r < 0)
        return r;
    good = good && s->map.n_uid >= 1 && s->map.uid[0].outside == geteuid() && s->map.uid[0].count == 1;
    store_close(s);
    return good ? 0 : 3;
}

static void test_user_store(void **state)
{
    run_parallel(open_as_nobody, *state, 1);
}

/* ---- the rest of the face ---- */

static void test_hold(void **state)
{
    struct fixture *f = *state;
    auto_close int a = -1, b = -1, all = -1;
    assert_ok(store_hold(f->s, &a));
    assert_ok(store_hold(f->s, &b));
    assert_int_equal(lock_file(f->s->fd, "gc.lock", true, false, &all), -EWOULDBLOCK);
    close(take_fd(&a));
    assert_int_equal(lock_file(f->s->fd, "gc.lock", true, false, &all), -EWOULDBLOCK);
    close(take_fd(&b));
    assert_ok(lock_file(f->s->fd, "gc.lock", true, false, &all));
}

static void test_run_dir(void **state)
{
    struct fixture *f = *state;
    auto_free char *path = xasprintf("%s/run", f->dir);
    struct stat st;
    int fd = -1;
    assert_ok(store_run_dir(f->s, &fd));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    assert_string_equal(f->s->run_path, path);
    close(fd);
    assert_ok(tree_remove(AT_FDCWD, path)); /* wiped at log-out */
    assert_ok(store_run_dir(f->s, &fd));
    close(fd);
    assert_int_equal(chmod(path, 0755), 0);
    int r = store_run_dir(f->s, &fd);
    assert_int_equal(r, -EPERM);
    assert_non_null(strstr(err_text(r), "0755"));
    assert_ok(tree_remove(AT_FDCWD, path));
    assert_int_equal(symlink(f->s->path, path), 0);
    assert_true(store_run_dir(f->s, &fd) < 0);
}

static int fail_with_text(void *arg)
{
    return err_set(-ENOLINK, "told by %s", (const char *)arg);
}

static void test_worker(void **state)
{
    struct fixture *f = *state;
    int r = store_run(f->s, fail_with_text, (char *)"the worker");
    assert_int_equal(r, -ENOLINK);
    assert_string_equal(err_text(r), "told by the worker");
}

static void test_trash(void **state)
{
    struct fixture *f = *state;
    assert_ok(dir_make(f->s->fd, "volumes/v", 0700));
    assert_ok(dir_make(f->s->fd, "volumes/v/data", 0000));
    assert_ok(file_write(f->s->fd, "networks/n.json", "{}", 2, 0600));
    assert_ok(store_trash(f->s, "volumes", "v"));
    assert_ok(store_trash(f->s, "networks", "n.json"));
    assert_false(present(f->s, "volumes/v") || present(f->s, "networks/n.json"));
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    assert_int_equal(store_trash(f->s, "volumes", "v"), -ENOENT);
}

static void test_tidy(void **state)
{
    struct fixture *f = *state;
    assert_ok(dir_make(f->s->fd, "tmp/trash-1", 0700));
    assert_ok(dir_make(f->s->fd, "tmp/trash-1/deep", 0700));
    assert_ok(file_write(f->s->fd, "tmp/trash-2", "x", 1, 0600));
    assert_ok(dir_make(f->s->fd, "tmp/op-dead", 0700));
    assert_ok(dir_make(f->s->fd, "tmp/ctr-dead", 0700));
    assert_int_equal(symlinkat("dead", f->s->fd, "tmp/rm-dead"), 0);
    assert_ok(dir_make(f->s->fd, "tmp/other", 0700));
    auto_close int hold = -1;
    assert_ok(store_hold(f->s, &hold));
    store_tidy(f->s); /* somebody works: only what needs no lock */
    assert_int_equal(entries_in(f->s, "tmp"), 4);
    assert_true(present(f->s, "tmp/op-dead") && present(f->s, "tmp/ctr-dead") && present(f->s, "tmp/rm-dead"));
    close(take_fd(&hold));
    store_tidy(f->s);
    assert_int_equal(entries_in(f->s, "tmp"), 1);
    assert_true(present(f->s, "tmp/other"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_made),
        store_test(test_relative_path),
        store_test(test_refused),
        store_test(test_root_that_is_a_file),
        store_test(test_half_made),
        store_test(test_map_of_marker),
        store_test(test_concurrent_first_open),
        store_test(test_user_store),
        store_test(test_hold),
        store_test(test_run_dir),
        store_test(test_worker),
        store_test(test_trash),
        store_test(test_tidy),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
