/* Manifests and indexes: what is taken, what is refused and why, what is written; and the choice of a platform. */
#include "whelk/manifest.h"

#include "whelk/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CONFIG "\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"sha256:" HEX_A "\",\"size\":7}"
#define LAYER_OF(type, more) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX_B "\",\"size\":9" more "}"
#define LAYERS(list) "\"layers\":[" list "]"
#define IMAGE(more) "{\"schemaVersion\":2," CONFIG "," LAYERS(LAYER_OF(MEDIA_OCI_LAYER "+gzip", "")) more "}"
#define ENTRY(platform)                                                                                                \
    "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" HEX_A "\",\"size\":7" platform "}"
#define INDEX(list) "{\"schemaVersion\":2,\"manifests\":[" list "]}"

static void test_read(void **state)
{
    static const struct {
        const char *text, *given, *type;
        size_t layers, entries;
    } cases[] = {
        {IMAGE(""), NULL, MEDIA_OCI_MANIFEST, 1, 0},
        {IMAGE(""), MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_MANIFEST, 1, 0},
        {IMAGE(""), "application/json", MEDIA_OCI_MANIFEST, 1, 0},
        {IMAGE(",\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\""), NULL, MEDIA_DOCKER_MANIFEST, 1, 0},
        {IMAGE(",\"annotations\":{\"a=b\":\"c\"},\"subject\":null,\"odd\":[1]"), NULL, MEDIA_OCI_MANIFEST, 1, 0},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":null}", NULL, MEDIA_OCI_MANIFEST, 0, 0},
        {"{\"schemaVersion\":2," CONFIG "," LAYERS(LAYER_OF(MEDIA_OCI_LAYER, ",\"urls\":null")) "}", NULL,
         MEDIA_OCI_MANIFEST, 1, 0},
        {INDEX(""), NULL, MEDIA_OCI_INDEX, 0, 0},
        {INDEX(ENTRY("") "," ENTRY("")), MEDIA_DOCKER_LIST, MEDIA_DOCKER_LIST, 0, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_with(manifest_done) struct manifest m = {0};
        if (manifest_parse(cases[i].text, strlen(cases[i].text), cases[i].given, &m) < 0)
            fail_msg("case %zu: %s", i, err_text(-1));
        assert_string_equal(m.media_type, cases[i].type);
        assert_int_equal(m.layers.n, cases[i].layers);
        assert_int_equal(m.manifests.n, cases[i].entries);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *given, *reason;
    } cases[] = {
        {"", NULL, "not valid JSON"},
        {"[]", NULL, "not a JSON object"},
        {"{}", NULL, "it is not the manifest"},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "schema 1"},
        {"{\"schemaVersion\":3," CONFIG "}", NULL, "schema version is 3"},
        {IMAGE(",\"schemaVersion\":2"), NULL, "duplicate"},
        {IMAGE(",\"manifests\":[]"), NULL, "at once"},
        {"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", NULL, "at once"},
        {IMAGE(""), MEDIA_OCI_INDEX, "it is not the index"},
        {INDEX(""), MEDIA_OCI_MANIFEST, "it is not the manifest"},
        {IMAGE(",\"mediaType\":\"" MEDIA_OCI_MANIFEST "\""), MEDIA_DOCKER_MANIFEST, "but it is given as"},
        {IMAGE(",\"mediaType\":\"text/html\""), NULL, "neither a manifest nor an index"},
        {IMAGE(",\"annotations\":{\"a\":1}"), NULL, "annotations are not strings"},
        {IMAGE(",\"annotations\":[]"), NULL, "annotations are not strings"},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha512:00\",\"size\":1}}", NULL,
         "only sha256"},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:" HEX_A "\",\"size\":-1}}", NULL,
         "below 0"},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"size\":1}}", NULL, "no digest"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[1]}", NULL, "layers"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", NULL, "layers"},
        {"{\"schemaVersion\":2," CONFIG "," LAYERS(LAYER_OF(MEDIA_OCI_LAYER, ",\"urls\":[\"http://x\"]")) "}", NULL,
         "foreign"},
        {"{\"schemaVersion\":2," CONFIG
         "," LAYERS(LAYER_OF("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "")) "}",
         NULL, "foreign"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct manifest m = {0};
        if (manifest_parse(cases[i].text, strlen(cases[i].text), cases[i].given, &m) >= 0)
            fail_msg("case %zu was taken", i);
        if (!strstr(err_text(-1), cases[i].reason))
            fail_msg("case %zu: no '%s' in: %s", i, cases[i].reason, err_text(-1));
    }
}

static void test_bounds(void **state)
{
    struct manifest m = {0};
    auto_buf struct buf deep = {0};
    buf_adds(&deep, "{\"schemaVersion\":2," CONFIG ",\"odd\":");
    for (int i = 0; i < 100; i++)
        buf_adds(&deep, "[");
    for (int i = 0; i < 100; i++)
        buf_adds(&deep, "]");
    buf_adds(&deep, "}");
    assert_int_equal(manifest_parse(deep.data, deep.len, NULL, &m), -EBADMSG);
    assert_non_null(strstr(err_text(-1), "nested"));
    auto_free char *large = xmalloc(MANIFEST_MAX + 1);
    memset(large, ' ', MANIFEST_MAX + 1);
    assert_int_equal(manifest_parse(large, MANIFEST_MAX + 1, NULL, &m), -EFBIG);
}

static void test_write(void **state)
{
    auto_with(manifest_done) struct manifest m = {0}, again = {0};
    manifest_new(MEDIA_OCI_INDEX, &m);
    size_t len;
    auto_free char *empty = manifest_bytes(&m, &len);
    assert_string_equal(empty, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}");
    struct descriptor *d = manifest_add_entry(&m, MEDIA_OCI_MANIFEST, "sha256:" HEX_A, 0);
    d->platform.os = xstrdup("linux");
    d->platform.architecture = xstrdup("arm");
    descriptor_annotate(d, ANNOTATION_REF_NAME, "one");
    auto_free char *bytes = manifest_bytes(&m, &len);
    assert_non_null(strstr(bytes, "\"size\":0"));
    assert_int_equal(manifest_parse(bytes, len, NULL, &again), 0);
    assert_string_equal(manifest_entry(&again, 0)->platform.architecture, "arm");
    assert_string_equal(descriptor_annotation(manifest_entry(&again, 0), ANNOTATION_REF_NAME), "one");
    size_t second_len;
    auto_free char *second = manifest_bytes(&again, &second_len);
    assert_string_equal(second, bytes);
}

static void test_pick(void **state)
{
    static const struct {
        const char *there, *want, *got; /* NULL: refused */
    } cases[] = {
        {"linux/amd64 linux/arm64", "linux/arm64", "linux/arm64"},
        {"linux/amd64 linux/arm64/v8", "linux/arm64", "linux/arm64/v8"},
        {"linux/arm/v5 linux/arm/v7 linux/arm/v6", "linux/arm/v7", "linux/arm/v7"},
        {"linux/arm/v5 linux/arm/v6 linux/amd64", "linux/arm/v7", "linux/arm/v6"},
        {"linux/arm/v5 linux/arm/v7", "linux/arm/v6", "linux/arm/v5"},
        {"linux/arm linux/arm/v6", "linux/arm/v7", "linux/arm"},
        {"linux/amd64/v3 linux/amd64", "linux/amd64", "linux/amd64"},
        {"linux/amd64/v3 linux/amd64/v2 linux/amd64", "linux/amd64/v4", "linux/amd64/v3"},
        {"linux/amd64/v3", "linux/amd64", NULL},
        {"windows/amd64", "linux/amd64", NULL},
        {"linux/s390x", "linux/ppc64le", NULL},
        {"", "linux/amd64", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_with(manifest_done) struct manifest m = {0};
        auto_with(platform_done) struct platform want = {0};
        const struct descriptor *got = NULL;
        manifest_new(MEDIA_OCI_INDEX, &m);
        auto_strv char **there = strv_split(cases[i].there, " ");
        strv_foreach (text, there) {
            struct descriptor *d = manifest_add_entry(&m, MEDIA_OCI_MANIFEST, "sha256:" HEX_A, 1);
            auto_strv char **words = strv_split(text, "/");
            d->platform.os = xstrdup(words[0]);
            d->platform.architecture = xstrdup(words[1]);
            d->platform.variant = xstrdup(words[2]);
        }
        assert_int_equal(platform_parse(cases[i].want, &want), 0);
        int r = manifest_pick(&m, &want, &got);
        assert_int_equal(r, cases[i].got ? 0 : -ENOENT);
        if (!cases[i].got)
            continue;
        auto_free char *text = platform_text(&got->platform);
        assert_string_equal(text, cases[i].got);
    }
}

static void test_layer_types(void **state)
{
    enum codec codec;
    assert_int_equal(media_layer_codec(MEDIA_DOCKER_LAYER ".gzip", &codec), 0);
    assert_int_equal(codec, CODEC_GZIP);
    assert_int_equal(media_layer_codec("text/plain", &codec), -EINVAL);
    assert_string_equal(media_layer_type(false, CODEC_ZSTD), MEDIA_OCI_LAYER "+zstd");
    assert_null(media_layer_type(true, CODEC_ZSTD));
    assert_null(media_layer_type(false, CODEC_XZ));
    assert_true(media_is_index(MEDIA_DOCKER_LIST));
    assert_false(media_is_index(MEDIA_DOCKER_MANIFEST));
    assert_false(media_is_manifest(MEDIA_OCI_LAYER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),  cmocka_unit_test(test_refused), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_write), cmocka_unit_test(test_pick),    cmocka_unit_test(test_layer_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
