/* Whole reads and writes, files that are published, and trees that fight back. */
#include "whelk/fd.h"

#include "whelk/err.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <cmocka.h>

static char top[] = "/tmp/whelk-test-fd-XXXXXX";
static int top_fd = -1;

static int setup(void **state)
{
    umask(022);
    if (!mkdtemp(top))
        return -1;
    top_fd = dir_open(AT_FDCWD, top);
    return top_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    fd_close(top_fd);
    return tree_remove(AT_FDCWD, top);
}

static bool exists(const char *path)
{
    struct stat st;
    return fstatat(top_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(top_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static void put(const char *path, const char *text)
{
    assert_int_equal(file_write(top_fd, path, text, strlen(text), 0644), 0);
}

static void make(const char *path)
{
    assert_int_equal(dir_make(top_fd, path, 0755), 0);
}

static void test_read_all(void **state)
{
    static const struct {
        size_t size, max;
        int r;
    } cases[] = {{0, 0, 0},           {1, 0, -EFBIG},        {4096, 4096, 0},         {4097, 4096, -EFBIG},
                 {300000, 300000, 0}, {300000, SIZE_MAX, 0}, {300000, 299999, -EFBIG}};
    auto_free char *data = xmalloc(300000);
    memset(data, 'x', 300000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(file_write(top_fd, "data", data, cases[i].size, 0600), 0);
        auto_close int fd = openat(top_fd, "data", O_RDONLY);
        auto_buf struct buf b = {0};
        buf_adds(&b, "head");
        assert_int_equal(fd_read_all(fd, cases[i].max, &b), cases[i].r);
        assert_memory_equal(b.data, "head", 4);
        assert_int_equal(b.data[b.len], 0);
        if (cases[i].r == 0)
            assert_int_equal(b.len, 4 + cases[i].size);
    }
}

static void test_file_read(void **state)
{
    char *text = NULL;
    size_t len = 0;
    err_clear();
    assert_int_equal(file_read(top_fd, "absent", 10, &text, &len), -ENOENT);
    assert_true(err_is_clear());
    put("file", "12345");
    assert_int_equal(file_read(top_fd, "file", 4, &text, &len), -EFBIG);
    assert_string_equal(err_text(0), "file is larger than 4 bytes");
    assert_null(text);
    assert_int_equal(file_read(top_fd, "file", 5, &text, &len), 0);
    assert_string_equal(text, "12345");
    assert_int_equal(len, 5);
    free(text);
    assert_int_equal(file_read(AT_FDCWD, top, 5, &text, &len), -EISDIR);
    /* A file of /proc has no size, but bytes. */
    assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 1 << 16, &text, NULL), 0);
    assert_non_null(strstr(text, "Pid:"));
    free(text);
}

static void test_file_write(void **state)
{
    mode_t old = umask(077);
    put("w", "a longer text");
    put("w", "short");
    umask(old);
    assert_int_equal(mode_of("w"), 0644);
    auto_free char *text = NULL;
    assert_int_equal(file_read(top_fd, "w", 100, &text, NULL), 0);
    assert_string_equal(text, "short");
    assert_int_equal(symlinkat("w", top_fd, "w-link"), 0);
    assert_int_equal(file_write(top_fd, "w-link", "x", 1, 0644), -ELOOP);
    assert_int_equal(file_write(top_fd, "no/w", "x", 1, 0644), -ENOENT);
    assert_string_equal(err_text(0), "cannot create no/w: No such file or directory");
}

static void test_file_publish(void **state)
{
    make("pub");
    for (int durable = 0; durable < 2; durable++) {
        const char *words[] = {"first", "second"};
        assert_int_equal(file_publish(top_fd, "pub/f", words[durable], strlen(words[durable]), 0640, durable), 0);
        auto_free char *text = NULL;
        assert_int_equal(file_read(top_fd, "pub/f", 100, &text, NULL), 0);
        assert_string_equal(text, words[durable]);
        assert_int_equal(mode_of("pub/f"), 0640);
    }
    /* A reader that has the old one open keeps it. */
    auto_close int fd = openat(top_fd, "pub/f", O_RDONLY);
    assert_int_equal(file_publish(top_fd, "pub/f", "third", 5, 0640, false), 0);
    char old[10] = "";
    assert_int_equal(fd_read_full(fd, old, 10), 6);
    assert_string_equal(old, "second");
    /* A failed one leaves no temporary file. */
    make("pub/dir");
    assert_int_equal(file_publish(top_fd, "pub/dir", "x", 1, 0640, false), -EISDIR);
    auto_close int dirfd = dir_open(top_fd, "pub");
    auto_dir DIR *dir = dir_iterate(dirfd);
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));)
        n++;
    assert_int_equal(n, 4); /* . .. f dir */
}

static void test_copy(void **state)
{
    enum { SIZE = 200000 };
    auto_free char *data = xmalloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + i / 251);
    assert_int_equal(file_write(top_fd, "from", data, SIZE, 0600), 0);

    for (int piped = 0; piped < 2; piped++) {
        auto_close int in = openat(top_fd, "from", O_RDONLY);
        auto_close int out = openat(top_fd, "to", O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(lseek(in, 5, SEEK_SET), 5);
        if (piped) { /* file -> pipe in a child, pipe -> file here */
            int ends[2];
            assert_int_equal(pipe(ends), 0);
            pid_t pid = fork();
            if (pid == 0) {
                close(ends[0]);
                _exit(fd_copy(in, ends[1]) != 0);
            }
            close(ends[1]);
            assert_int_equal(fd_copy(ends[0], out), 0);
            close(ends[0]);
            int status = 1;
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_int_equal(status, 0);
        } else {
            assert_int_equal(fd_copy(in, out), 0);
        }
        auto_free char *copy = NULL;
        size_t len = 0;
        assert_int_equal(file_read(top_fd, "to", SIZE, &copy, &len), 0);
        assert_int_equal(len, SIZE - 5);
        assert_memory_equal(copy, data + 5, len);
    }
    auto_close int proc = open("/proc/self/status", O_RDONLY);
    auto_close int out = openat(top_fd, "to", O_RDWR | O_TRUNC);
    assert_int_equal(fd_copy(proc, out), 0);
    assert_true(lseek(out, 0, SEEK_END) > 100);
    assert_int_equal(fd_copy(proc, -1), 0); /* at its end there is nothing to write */
    assert_int_equal(lseek(proc, 0, SEEK_SET), 0);
    assert_int_equal(fd_copy(proc, -1), -EBADF);
}

static void test_nonblocking_write_is_whole(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fd_set_nonblock(ends[1], true), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char data[300000] = "";
        close(ends[0]);
        _exit(fd_write_all(ends[1], data, sizeof(data)) != 0);
    }
    close(ends[1]);
    auto_buf struct buf b = {0};
    usleep(20000); /* lets the pipe fill */
    assert_int_equal(fd_read_all(ends[0], 1 << 20, &b), 0);
    assert_int_equal(b.len, 300000);
    close(ends[0]);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_dirs(void **state)
{
    char **names = NULL;
    auto_free char *deep = xasprintf("%s//d/e///f/", top);
    assert_int_equal(dir_make_all(deep, 0700), 0);
    assert_int_equal(dir_make_all(deep, 0755), 0);
    assert_int_equal(mode_of("d/e"), 0700);
    put("d/plain", "");
    assert_int_equal(dir_make(top_fd, "d/plain", 0755), -ENOTDIR);
    auto_free char *below = xasprintf("%s/d/plain/x", top);
    assert_int_equal(dir_make_all(below, 0755), -ENOTDIR);
    put("d/.hidden", "");
    put("d/b", "");
    put("d/a", "");
    assert_int_equal(dir_names(top_fd, "d", &names), 0);
    auto_free char *joined = strv_join(names, " ");
    assert_string_equal(joined, "a b e plain");
    strv_free(names);
    assert_int_equal(dir_names(top_fd, "d/e/f", &names), 0);
    assert_int_equal(strv_len(names), 0);
    strv_free(names);
    err_clear();
    assert_int_equal(dir_names(top_fd, "nowhere", &names), -ENOENT);
    assert_true(err_is_clear());
    assert_int_equal(symlinkat("d", top_fd, "d-link"), 0);
    assert_true(dir_open(top_fd, "d-link") < 0);
}

/* Only ext2 to ext4 have the flag. */
static void test_spread(void **state)
{
    int flags = 0;
    struct statfs fs;
    make("apart");
    auto_close int fd = dir_open(top_fd, "apart");
    dir_spread(fd);
    dir_spread(fd);
    assert_int_equal(fstatfs(fd, &fs), 0);
    if (fs.f_type != EXT4_SUPER_MAGIC)
        skip(); /* no ext4 below /tmp */
    assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
    assert_true(flags & FS_TOPDIR_FL);
}

static void test_remove(void **state)
{
    make("keep");
    put("keep/me", "x");
    make("t");
    make("t/a");
    make("t/a/b");
    put("t/a/b/file", "x");
    put("t/a/read-only", "x");
    assert_int_equal(symlinkat("../keep", top_fd, "t/link"), 0);
    assert_int_equal(mkfifoat(top_fd, "t/fifo", 0600), 0);
    assert_int_equal(tree_remove(top_fd, "t/"), 0);
    assert_false(exists("t"));
    assert_true(exists("keep/me"));
    assert_int_equal(tree_remove(top_fd, "t"), 0); /* absent */
    assert_int_equal(tree_remove(top_fd, "no/such"), 0);
    put("file", "x");
    assert_int_equal(tree_remove(top_fd, "file"), 0);
    assert_false(exists("file"));
    assert_int_equal(symlinkat("keep", top_fd, "l"), 0);
    assert_int_equal(tree_remove(top_fd, "l"), 0);
    assert_true(exists("keep/me"));
    static const char *const bad[] = {"", ".", "..", "/", "keep/..", "keep/./"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(tree_remove(top_fd, bad[i]), -EINVAL);
    assert_true(exists("keep/me"));
}

/* As an ordinary user, since root passes every mode. */
static int remove_closed_child(void)
{
    if (fchmod(top_fd, 0777) < 0 || (geteuid() == 0 && (setgid(12345) < 0 || setuid(12345) < 0)))
        return 1;
    make("closed");
    make("closed/zero");
    make("closed/zero/sub");
    put("closed/zero/sub/f", "x");
    make("closed/no-write");
    put("closed/no-write/f", "x");
    if (fchmodat(top_fd, "closed/zero/sub", 0, 0) < 0 || fchmodat(top_fd, "closed/zero", 0, 0) < 0 ||
        fchmodat(top_fd, "closed/no-write", 0444, 0) < 0 || fchmodat(top_fd, "closed", 0, 0) < 0)
        return 2;
    int r = tree_remove(top_fd, "closed");
    if (r < 0)
        fprintf(stderr, "%s\n", err_text(r));
    return r < 0 || exists("closed") ? 3 : 0;
}

static void test_remove_closed_modes(void **state)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(remove_closed_child());
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_deep_trees(void **state)
{
    enum { DEPTH = 3000 };
    make("deep");
    int fd = dir_open(top_fd, "deep");
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdirat(fd, "d", 0755), 0);
        int sub = openat(fd, "d", O_RDONLY | O_DIRECTORY);
        assert_true(sub >= 0);
        close(fd);
        fd = sub;
    }
    assert_int_equal(file_write(fd, "bottom", "x", 1, 0644), 0);
    close(fd);
    uint64_t bytes = 0;
    assert_int_equal(tree_usage(top_fd, "deep", &bytes), 0);
    assert_true(bytes >= 512);
    assert_int_equal(tree_remove(top_fd, "deep"), 0);
    assert_false(exists("deep"));
}

/* A bind mount of the same file system: its device number is the same, but it is not ours to empty. */
static int remove_mount_child(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return 77;
    auto_free char *from = xasprintf("%s/user-data", top), *to = xasprintf("%s/m/a/mnt", top);
    if (mount(from, to, NULL, MS_BIND, NULL) < 0)
        return 77;
    uint64_t without = 0, with = 0;
    int measured = tree_usage(top_fd, "m", &without); /* in the old mount namespace */
    top_fd = dir_open(AT_FDCWD, top);
    if (measured < 0 || tree_usage(top_fd, "m", &with) < 0 || with != without)
        return 4;
    int r = tree_remove(top_fd, "m");
    if (r != -EXDEV || !str_eq(err_text(r), "cannot remove m/a/mnt: something is mounted there")) {
        fprintf(stderr, "%d %s\n", r, err_text(r));
        return 1;
    }
    /* The rest is gone; the mount itself is refused, too. */
    if (exists("m/z") || !exists("user-data/f") || tree_remove(AT_FDCWD, to) != -EXDEV || !exists("user-data/f"))
        return 2;
    umount2(to, MNT_DETACH);
    return tree_remove(top_fd, "m") == 0 ? 0 : 3;
}

static void test_remove_stops_at_mounts(void **state)
{
    make("user-data");
    put("user-data/f", "x");
    make("m");
    make("m/a");
    make("m/a/mnt");
    make("m/z");
    pid_t pid = fork();
    if (pid == 0)
        _exit(remove_mount_child());
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status == 77 << 8) {
        print_message("mounting is not allowed here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void test_remove_concurrently(void **state)
{
    make("c");
    for (int i = 0; i < 60; i++) {
        char path[64];
        snprintf(path, sizeof(path), "c/%d", i);
        make(path);
        for (int j = 0; j < 20; j++) {
            snprintf(path, sizeof(path), "c/%d/%d", i, j);
            put(path, "");
        }
    }
    pid_t pids[3];
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            int r = tree_remove(top_fd, "c");
            if (r < 0)
                fprintf(stderr, "%s\n", err_text(r));
            _exit(r < 0);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(pids); i++) {
        int status = 1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_false(exists("c"));
}

static void test_usage(void **state)
{
    make("u");
    make("u/sub");
    uint64_t empty = 0, one = 0, linked = 0;
    char data[65536];
    memset(data, 'x', sizeof(data));
    assert_int_equal(tree_usage(top_fd, "u", &empty), 0);
    assert_int_equal(file_write(top_fd, "u/a", data, sizeof(data), 0644), 0);
    auto_close int fd = openat(top_fd, "u/a", O_RDONLY);
    fsync(fd); /* some file systems give blocks late */
    assert_int_equal(tree_usage(top_fd, "u", &one), 0);
    assert_in_range(one - empty, sizeof(data), sizeof(data) + 8192);
    assert_int_equal(linkat(top_fd, "u/a", top_fd, "u/sub/b", 0), 0);
    assert_int_equal(tree_usage(top_fd, "u", &linked), 0);
    assert_int_equal(linked, one);
    assert_int_equal(tree_usage(top_fd, "u/sub/b", &linked), 0);
    assert_in_range(linked, sizeof(data), sizeof(data) + 8192);
    assert_int_equal(tree_usage(top_fd, "nowhere", &linked), -ENOENT);
    assert_true(tree_is_small(top_fd, "u", one + (64 << 10)));
    assert_false(tree_is_small(top_fd, "u", one / 2));
    assert_false(tree_is_small(top_fd, "nowhere", 1 << 20));
}

static void test_descriptors(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_set_cloexec(fd, false), 0);
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    assert_int_equal(fd_set_cloexec(fd, true), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    int moved = fd_move_above(fd, 50);
    assert_true(moved >= 50);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(fcntl(moved, F_GETFD), FD_CLOEXEC);
    close(moved);
    assert_int_equal(fd_set_nonblock(moved, true), -EBADF);
    pid_t pid = fork();
    if (pid == 0) {
        close(0);
        close(2);
        fd_sanitize_std();
        _exit(fcntl(0, F_GETFD) != 0 || fcntl(2, F_GETFD) != 0 || open("/dev/null", O_RDONLY) <= 2);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_all),
        cmocka_unit_test(test_file_read),
        cmocka_unit_test(test_file_write),
        cmocka_unit_test(test_file_publish),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_nonblocking_write_is_whole),
        cmocka_unit_test(test_dirs),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_remove_closed_modes),
        cmocka_unit_test(test_deep_trees),
        cmocka_unit_test(test_remove_stops_at_mounts),
        cmocka_unit_test(test_remove_concurrently),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
