/* The recipe: what was written is read again, moved files are found, and damage is an error. */
#include "recipe.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/gzip.h"

#include <setjmp.h>
#include <sys/mman.h>

#include <cmocka.h>

struct step {
    enum { BYTES, FILE_, MOVED } kind;
    const char *text; /* bytes or path */
    uint64_t len;     /* of the file; of zeros behind the bytes */
};

/* A recipe made of steps (kind BYTES with NULL text ends them). */
static int write_steps(const struct step *steps)
{
    int fd = memfd_create("recipe", MFD_CLOEXEC);
    struct recipe_writer *w = recipe_writer_new(fd);
    uint64_t number;
    for (; steps->text; steps++) {
        auto_free char *zeros = xcalloc(1, steps->len + 1);
        if (steps->kind == MOVED) {
            assert_int_equal(recipe_add_moved(w, steps->text, &number), 0);
            assert_int_equal(number, steps->len);
        } else if (steps->kind == FILE_) {
            assert_int_equal(recipe_add_file(w, steps->text, steps->len), 0);
        } else {
            assert_int_equal(recipe_add_bytes(w, steps->text, strlen(steps->text)), 0);
            assert_int_equal(recipe_add_bytes(w, zeros, steps->len), 0);
        }
    }
    assert_int_equal(recipe_finish(w), 0);
    recipe_writer_free(w);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* The stream that a recipe stands for, files as <path:length>. */
static int read_all(int fd, struct buf *ret)
{
    struct recipe_reader *r = NULL;
    struct recipe_item item;
    int n = recipe_reader_new(fd, &r);
    while (n >= 0 && (n = recipe_next(r, &item)) > 0) {
        if (item.path)
            buf_addf(ret, "<%s:%llu>", item.path, (unsigned long long)item.len);
        else
            buf_add(ret, item.data, item.len);
    }
    recipe_reader_free(r);
    return n;
}

static void test_round_trip(void **state)
{
    static const struct {
        struct step steps[8];
        const char *text; /* zeros are not shown: see below */
        size_t zeros;
    } cases[] = {
        {{{BYTES, "", 0}}, "", 0},
        {{{BYTES, "one", 0}, {BYTES, "two", 0}}, "onetwo", 0},
        {{{BYTES, "a", 100}, {FILE_, "x/y", 7}, {BYTES, "b", 1000000}}, "a<diff/x/y:7>b", 1000100},
        {{{FILE_, "x", 1}, {MOVED, "x", 0}, {FILE_, "x", 2}}, "<lost/0:1><diff/x:2>", 0},
        {{{FILE_, "x", 1}, {MOVED, "x", 0}, {FILE_, "x", 2}, {MOVED, "x", 1}, {FILE_, "x", 3}},
         "<lost/0:1><lost/1:2><diff/x:3>",
         0},
        {{{FILE_, "b", 1}, {FILE_, "a", 1}, {MOVED, "b", 0}, {MOVED, "a", 1}, {FILE_, "c", 1}},
         "<lost/0:1><lost/1:1><diff/c:1>",
         0},
        {{{MOVED, "x", 0}, {FILE_, "x", 1}, {FILE_, "x/y", 2}}, "<diff/x:1><diff/x/y:2>", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_close int fd = write_steps(cases[i].steps);
        auto_buf struct buf b = {0}, text = {0};
        assert_int_equal(read_all(fd, &b), 0);
        size_t zeros = 0;
        for (size_t at = 0; at < b.len; at++) {
            zeros += b.data[at] == 0;
            if (b.data[at])
                buf_addc(&text, b.data[at]);
        }
        assert_string_equal(text.len ? text.data : "", cases[i].text);
        assert_int_equal(zeros, cases[i].zeros);
    }
}

/* Many frames, bytes that do not compress, rows of zeros at every place. */
static void test_large(void **state)
{
    enum { SIZE = 3000000 };
    auto_free char *data = xcalloc(1, SIZE);
    int fd = memfd_create("recipe", MFD_CLOEXEC);
    struct recipe_writer *w = recipe_writer_new(fd);
    unsigned x = 1;
    for (size_t i = 0; i < SIZE; i++) {
        x = x * 1103515245 + 12345;
        data[i] = i / 700 % 3 ? x >> 16 : i / 100 % 7 ? 0 : 'z';
    }
    for (size_t at = 0, n = 1; at < SIZE; at += n, n = n * 7 % 300007 + 1) {
        n = MIN(n, SIZE - at);
        assert_int_equal(recipe_add_bytes(w, data + at, n), 0);
    }
    assert_int_equal(recipe_finish(w), 0);
    recipe_writer_free(w);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    auto_buf struct buf b = {0};
    assert_int_equal(read_all(fd, &b), 0);
    assert_int_equal(b.len, SIZE);
    assert_memory_equal(b.data, data, SIZE);
    close(fd);
}

/* A recipe with one frame of these plain bytes. */
static int frame_fd(const void *plain, size_t len, uint64_t moved)
{
    int fd = memfd_create("recipe", MFD_CLOEXEC);
    auto_free char *stored = NULL;
    size_t stored_len;
    assert_int_equal(gzip_deflate_bytes(plain, len, 1, &stored, &stored_len), 0);
    uint32_t head[2] = {len, stored_len}, end[2] = {0, 0};
    fd_write_all(fd, "whelk-recipe 1\n", 16);
    fd_write_all(fd, &moved, 8);
    fd_write_all(fd, head, 8);
    fd_write_all(fd, stored, stored_len);
    fd_write_all(fd, end, 8);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void test_damage(void **state)
{
    static const struct {
        const char *plain;
        size_t len;
        uint64_t moved;
    } cases[] = {
        {"X", 1, 0},                         /* no such record */
        {"B\5\0\0\0abcd", 9, 0},             /* bytes that are not there */
        {"B\377\377\377\377abcd", 9, 0},     /* far beyond */
        {"Z\377\377\377\377", 5, 0},         /* more zeros than a writer writes at once */
        {"F\1\0\0\0\0\0\0\0\0\0", 11, 0},    /* a path of no bytes */
        {"F\1\0\0\0\0\0\0\0\2\0a\0", 13, 0}, /* a NUL in a path */
        {"F\1\0\0", 4, 0},                   /* cut short */
        {"M\1\0aM\1\0b", 8, 1},              /* more moves than were announced */
        {"B\0\0\0\0", 5, 1ull << 40},        /* moves beyond all reason */
    };
    static const struct step good[] = {{BYTES, "abc", 100}, {FILE_, "a", 5}, {BYTES, NULL, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_close int fd = frame_fd(cases[i].plain, cases[i].len, cases[i].moved);
        auto_buf struct buf b = {0};
        assert_int_equal(read_all(fd, &b), -EBADMSG);
    }
    auto_close int fd = write_steps(good);
    for (off_t len = lseek(fd, 0, SEEK_END) - 1; len >= 0; len--) {
        auto_buf struct buf b = {0};
        assert_int_equal(ftruncate(fd, len), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(read_all(fd, &b), -EBADMSG);
    }
}

/* A writer that was killed leaves nothing that could be read. */
static void test_unfinished(void **state)
{
    auto_close int fd = memfd_create("recipe", MFD_CLOEXEC);
    auto_buf struct buf b = {0};
    auto_free char *data = xmalloc(600000);
    memset(data, 'x', 600000);
    struct recipe_writer *w = recipe_writer_new(fd);
    for (int i = 0; i < 3; i++)
        assert_int_equal(recipe_add_bytes(w, data, 600000), 0);
    recipe_writer_free(w);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(read_all(fd, &b), -EBADMSG);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_unfinished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
