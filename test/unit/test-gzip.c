/* Inflating: members, padding, damage and the bound, by each backend and with buffers from one byte on. */
#include "gzip-backend.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/gzip.h"

#include <setjmp.h>
#include <sys/mman.h>

#include <cmocka.h>

static const struct inflate_backend *const backends[] = {&inflate_zlib, &inflate_isal};
static const size_t buf_sizes[] = {1, 2, 9, 100, 64 * 1024, 512 * 1024};

#define foreach_backend(b)                                                                                             \
    for (size_t b##_i = 0; b##_i < ARRAY_LEN(backends); b##_i++)                                                       \
        for (const struct inflate_backend *b = backends[b##_i]; b && b->ready(); b = NULL)

static void member_add(struct buf *b, const char *text, size_t len, int level)
{
    char *data;
    size_t data_len;
    assert_int_equal(gzip_deflate_bytes(text, len, level, &data, &data_len), 0);
    buf_add(b, data, data_len);
    free(data);
}

/* Inflates in (of len bytes) through descriptors; what came out is in *ret, freed first. */
static int inflate(const struct inflate_backend *backend, size_t buf_size, const char *in, size_t len, uint64_t max,
                   struct buf *ret)
{
    auto_close int from = memfd_create("in", MFD_CLOEXEC), to = memfd_create("out", MFD_CLOEXEC);
    assert_int_equal(fd_write_all(from, in, len), 0);
    lseek(from, 0, SEEK_SET);
    int r = inflate_fd(backend, buf_size, from, to, max);
    buf_done(ret);
    buf_adds(ret, "");
    lseek(to, 0, SEEK_SET);
    assert_int_equal(fd_read_all(to, 1 << 30, ret), 0);
    return r;
}

/* Pseudo-random words: compressible, but not to nothing. */
static char *sample(size_t len)
{
    char *data = xmalloc(len);
    uint32_t x = 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (x >> 24) % 11 ? (char)('a' + (x >> 16) % 5) : (char)(x >> 20);
    }
    return data;
}

/* Pieces: M a member "hello", E an empty one, H one with every optional header field, 0 zero bytes, G garbage, X the
 * first byte of the magic only. */
static void pieces_add(struct buf *b, const char *pieces)
{
    /* name, comment, extra field and header CRC, stored block "hello" */
    static const char full[] = "\x1f\x8b\x08\x1e\0\0\0\0\0\xff\x04\0abcdname\0comment\0\x1d\x6e\x01\x05\0\xfa\xffhello"
                               "\x86\xa6\x10\x36\x05\0\0";
    for (; *pieces; pieces++) {
        switch (*pieces) {
        case 'M':
            member_add(b, "hello", 5, 9);
            break;
        case 'E':
            member_add(b, "", 0, 9);
            break;
        case 'H':
            buf_add(b, full, sizeof(full));
            break;
        case '0':
            buf_add(b, "\0\0\0", 3);
            break;
        default:
            buf_addc(b, *pieces == 'X' ? '\x1f' : 'g');
        }
    }
}

static void test_members(void **state)
{
    static const struct {
        const char *pieces, *text;
        int r;
    } cases[] = {
        {"M", "hello", 0},
        {"E", "", 0},
        {"H", "hello", 0},
        {"MM", "hellohello", 0},
        {"MHEEM", "hellohellohello", 0},
        {"M0", "hello", 0},
        {"MM0000", "hellohello", 0},
        {"", "", -EBADMSG},
        {"0", "", -EBADMSG},
        {"G", "", -EBADMSG},
        {"0M", "", -EBADMSG},
        {"MG", "hello", -EBADMSG},
        {"MX", "hello", -EBADMSG},
        {"M0G", "hello", -EBADMSG},
        {"M0M", "hello", -EBADMSG},
        {"MXG", "hello", -EBADMSG},
    };
    foreach_backend(backend)
    {
        for (size_t i = 0; i < ARRAY_LEN(cases) * ARRAY_LEN(buf_sizes); i++) {
            size_t c = i / ARRAY_LEN(buf_sizes);
            auto_buf struct buf in = {}, out = {};
            buf_adds(&in, "");
            pieces_add(&in, cases[c].pieces);
            int r = inflate(backend, buf_sizes[i % ARRAY_LEN(buf_sizes)], in.data, in.len, 1000, &out);
            if (r != cases[c].r)
                fail_msg("%s \"%s\": %d (%s)", backend->name, cases[c].pieces, r, err_text(r));
            assert_string_equal(out.data, cases[c].text);
        }
    }
}

static void test_every_cut_and_flip_is_seen(void **state)
{
    auto_free char *data = sample(3000);
    auto_buf struct buf in = {}, out = {};
    member_add(&in, data, 3000, 6);
    foreach_backend(backend)
    {
        int meaningless = 0;
        for (size_t n = 0; n < in.len; n++)
            assert_int_equal(inflate(backend, 64, in.data, n, 1 << 20, &out), -EBADMSG);
        /* Behind the ten bytes of header, which hold a time and hints that nothing protects. */
        for (size_t i = 10; i < in.len; i++) {
            in.data[i] ^= 0x10;
            int r = inflate(backend, 4096, in.data, in.len, 1 << 20, &out);
            in.data[i] ^= 0x10;
            /* A few bits of deflate mean nothing: the length of a code that is not used, what fills the last byte. */
            if (r == 0) {
                assert_true(i < in.len - 8 && ++meaningless < 5);
                assert_memory_equal(out.data, data, 3000);
            }
        }
    }
}

static void test_crc_and_length_of_each_member(void **state)
{
    foreach_backend(backend)
    {
        for (size_t field = 0; field < 8; field++) {
            for (int member = 1; member <= 3; member++) {
                auto_buf struct buf in = {}, out = {};
                for (int i = 1; i <= 3; i++) {
                    pieces_add(&in, "M");
                    if (i == member)
                        in.data[in.len - 8 + field]++;
                }
                assert_int_equal(inflate(backend, 4096, in.data, in.len, 1 << 20, &out), -EBADMSG);
                assert_string_equal(err_text(-EBADMSG), "the gzip stream is damaged");
            }
        }
    }
}

static void test_large(void **state)
{
    enum { SIZE = 3 * 1024 * 1024 + 17 };
    auto_free char *data = sample(SIZE);
    auto_buf struct buf in = {}, out = {};
    member_add(&in, data, SIZE / 2, 1);
    member_add(&in, data + SIZE / 2, SIZE - SIZE / 2, 9);
    foreach_backend(backend)
    {
        for (size_t i = 2; i < ARRAY_LEN(buf_sizes); i++) {
            assert_int_equal(inflate(backend, buf_sizes[i], in.data, in.len, SIZE, &out), 0);
            assert_int_equal(out.len, SIZE);
            assert_memory_equal(out.data, data, SIZE);
        }
    }
}

static void test_bound(void **state)
{
    enum { SIZE = 5 * 1000 * 1000 };
    auto_free char *zeros = xcalloc(1, SIZE);
    auto_buf struct buf in = {}, out = {};
    member_add(&in, zeros, SIZE - 10, 9);
    member_add(&in, zeros, 10, 9);
    foreach_backend(backend)
    {
        assert_int_equal(inflate(backend, 65536, in.data, in.len, SIZE, &out), 0);
        assert_int_equal(out.len, SIZE);
        static const uint64_t bounds[] = {0, 1, SIZE - 11, SIZE - 1};
        for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
            assert_int_equal(inflate(backend, 65536, in.data, in.len, bounds[i], &out), -EFBIG);
            assert_true(out.len <= bounds[i]);
        }
        assert_string_equal(err_text(-EFBIG), "the gzip stream inflates to more than 4999999 bytes");
    }
}

static void test_face(void **state)
{
    auto_close int from = memfd_create("in", MFD_CLOEXEC), to = memfd_create("out", MFD_CLOEXEC);
    auto_buf struct buf in = {}, out = {};
    pieces_add(&in, "MHM");
    gzip_prepare();
    assert_int_equal(fd_write_all(from, in.data, in.len), 0);
    lseek(from, 0, SEEK_SET);
    assert_int_equal(gzip_inflate_fd(from, to, 15), 0);
    lseek(to, 0, SEEK_SET);
    assert_int_equal(fd_read_all(to, 100, &out), 0);
    assert_string_equal(out.data, "hellohellohello");
    lseek(from, 0, SEEK_SET);
    assert_int_equal(gzip_inflate_fd(from, -1, 15), -EBADF);
    assert_int_equal(gzip_inflate_fd(-1, to, 15), -EBADF);
}

static void test_bytes(void **state)
{
    auto_free char *data = sample(100000), *small = NULL, *again = NULL, *back = NULL;
    size_t small_len, again_len, back_len = 77;
    for (int level = 1; level <= 9; level++) {
        assert_int_equal(gzip_deflate_bytes(data, 100000, level, &small, &small_len), 0);
        assert_int_equal(gzip_deflate_bytes(data, 100000, level, &again, &again_len), 0);
        assert_true(gzip_magic(small, small_len));
        assert_int_equal(small_len, again_len);
        assert_memory_equal(small, again, small_len);
        assert_int_equal(gzip_inflate_bytes(small, small_len, 100000, &back, &back_len), 0);
        assert_int_equal(back_len, 100000);
        assert_memory_equal(back, data, back_len);
        assert_int_equal(gzip_inflate_bytes(small, small_len, 99999, &back, &back_len), -EFBIG);
        assert_int_equal(gzip_inflate_bytes(small, small_len - 1, 100000, &back, &back_len), -EBADMSG);
        free(take_ptr(&small));
        free(take_ptr(&again));
        free(take_ptr(&back));
    }
    assert_int_equal(gzip_inflate_bytes("", 0, 10, &back, &back_len), -EBADMSG);
    assert_int_equal(gzip_deflate_bytes("", 0, 9, &small, &small_len), 0);
    assert_int_equal(gzip_inflate_bytes(small, small_len, 0, &back, &back_len), 0);
    assert_int_equal(back_len, 0);
    assert_string_equal(back, "");
}

static void test_magic(void **state)
{
    assert_true(gzip_magic("\x1f\x8b", 2));
    assert_false(gzip_magic("\x1f\x8b", 1));
    assert_false(gzip_magic("\x1f\x8c..", 4));
    assert_false(gzip_magic("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_every_cut_and_flip_is_seen),
        cmocka_unit_test(test_crc_and_length_of_each_member),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_face),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_magic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
