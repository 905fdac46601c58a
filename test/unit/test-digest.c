/* SHA-256: the published vectors, by both backends and in pieces. */
#include "whelk/auto.h"
#include "whelk/digest.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    size_t times;
    const char *hex;
} vectors[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

static void test_vectors(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        for (int bulk = 0; bulk < 2; bulk++) {
            char hex[DIGEST_BUF];
            struct digest *d = digest_new(bulk);
            for (size_t n = 0; n < vectors[i].times; n++)
                digest_add(d, vectors[i].text, strlen(vectors[i].text));
            digest_finish(d, hex);
            digest_free(d);
            assert_string_equal(hex, vectors[i].hex);
        }
        if (vectors[i].times == 1) {
            char hex[DIGEST_BUF];
            digest_bytes(vectors[i].text, strlen(vectors[i].text), hex);
            assert_string_equal(hex, vectors[i].hex);
        }
    }
}

static void test_pieces_and_backends_agree(void **state)
{
    enum { SIZE = 300000 };
    auto_free char *data = xmalloc(SIZE);
    char whole[DIGEST_BUF], pieces[DIGEST_BUF];
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + i / 251);
    digest_bytes(data, SIZE, whole);
    for (int bulk = 0; bulk < 2; bulk++) {
        struct digest *d = digest_new(bulk);
        for (size_t at = 0, n = 1; at < SIZE; at += n, n = n * 3 + 1) {
            digest_add(d, data + at, MIN(n, SIZE - at));
            digest_add(d, NULL, 0);
        }
        digest_finish(d, pieces);
        digest_free(d);
        assert_string_equal(pieces, whole);
    }
    digest_free(NULL);
    digest_free(digest_new(true)); /* never finished */
}

static void test_hex_of_digest(void **state)
{
#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert_string_equal(digest_hex("sha256:" HEX), HEX);
    static const char *const bad[] = {
        "",
        HEX,
        "sha256:",
        "sha512:" HEX,
        "sha256:" HEX "0",
        "SHA256:" HEX,
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
        "sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:../0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null(digest_hex(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces_and_backends_agree),
        cmocka_unit_test(test_hex_of_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
