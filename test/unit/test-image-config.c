/* Image configurations: what is refused, that unknown keys survive, that equal content gives equal bytes. */
#include "whelk/image-config.h"

#include "whelk/err.h"
#include "whelk/platform.h"
#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEX1 "1111111111111111111111111111111111111111111111111111111111111111"
#define HEX2 "2222222222222222222222222222222222222222222222222222222222222222"
#define HEAD "\"architecture\":\"amd64\",\"os\":\"linux\""
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX1 "\"]}"

static void assert_bytes(const struct image_config *c, const char *expected)
{
    size_t len;
    auto_free char *bytes = image_config_bytes(c, &len);

    assert_string_equal(bytes, expected);
    assert_int_equal(len, strlen(expected));
}

static void assert_strv(char **v, const char *joined)
{
    auto_free char *text = strv_join(v, "|");

    assert_string_equal(text, joined);
    strv_free(v);
}

static void test_reorder_keeps_unknown(void **state)
{
    static const char in[] =
        "{\"x.unknown\":{\"z\":1,\"a\":[2]},\"history\":[{\"created_by\":\"one\"},{\"empty_layer\":true}]," ROOTFS
        ",\"config\":{\"Other\":null,\"OnBuild\":[\"RUN x\"],\"Labels\":{\"b\":\"1\",\"a\":\"2\"},\"Cmd\":[\"sh\"],"
        "\"Env\":[\"A=b\"],\"Volumes\":{\"/w\":{},\"/v\":{}}},\"created\":\"2026-01-02T03:04:05Z\",\"os\":\"linux\","
        "\"author\":null,\"architecture\":\"amd64\"}";
    static const char out[] =
        "{" HEAD ",\"created\":\"2026-01-02T03:04:05Z\",\"config\":{\"Env\":[\"A=b\"],\"Cmd\":[\"sh\"],"
        "\"Volumes\":{\"/v\":{},\"/w\":{}},\"Labels\":{\"a\":\"2\",\"b\":\"1\"},\"OnBuild\":[\"RUN x\"]}," ROOTFS
        ",\"history\":[{\"created_by\":\"one\"},{\"empty_layer\":true}],\"x.unknown\":{\"z\":1,\"a\":[2]}}";
    auto_with(image_config_done) struct image_config c = {0}, again = {0}, copy = {0};

    assert_int_equal(image_config_parse(in, strlen(in), &c), 0);
    assert_bytes(&c, out);
    assert_int_equal(image_config_parse(out, strlen(out), &again), 0);
    assert_bytes(&again, out);
    image_config_copy(&c, &copy);
    image_config_put_str(&copy, "User", "u");
    assert_bytes(&c, out);
}

static void test_getters(void **state)
{
    static const char in[] =
        "{" HEAD ",\"author\":\"Some One\",\"created\":\"1970-01-01T00:00:01.5+00:00\",\"config\":{"
        "\"User\":\"1:2\",\"Env\":[\"A=b\",\"C=\"],\"Labels\":{\"k\":\"v w\"},"
        "\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},\"Entrypoint\":null}," ROOTFS "}";
    auto_with(image_config_done) struct image_config c = {0};

    assert_int_equal(image_config_parse(in, strlen(in), &c), 0);
    assert_string_equal(image_config_architecture(&c), "amd64");
    assert_string_equal(image_config_os(&c), "linux");
    assert_string_equal(image_config_author(&c), "Some One");
    assert_true(image_config_created(&c) == 1500000000);
    assert_string_equal(image_config_str(&c, "User"), "1:2");
    assert_null(image_config_str(&c, "WorkingDir"));
    assert_strv(image_config_strv(&c, "Env"), "A=b|C=");
    assert_null(image_config_strv(&c, "Entrypoint"));
    assert_strv(image_config_map(&c, "Labels"), "k=v w");
    assert_strv(image_config_set_keys(&c, "ExposedPorts"), "80/tcp|53/udp");
    assert_strv(image_config_diff_ids(&c), HEX1);
    assert_null(image_config_history(&c));
}

static void test_build_up(void **state)
{
    auto_with(image_config_done) struct image_config c = {0};
    char *cmd[] = {(char *)"sh", NULL}, *none[] = {NULL};
    auto_free char *expected = NULL, *variant = NULL;

    image_config_new(&c);
    assert_true(image_config_created(&c) == 0);
    image_config_put_set_key(&c, "ExposedPorts", "80/tcp");
    image_config_put_map(&c, "Labels", "b", "2");
    image_config_put_map(&c, "Labels", "a", "1");
    image_config_put_map(&c, "Labels", "b", "3");
    image_config_put_strv(&c, "Cmd", cmd);
    image_config_put_strv(&c, "Entrypoint", none);
    image_config_put_strv(&c, "Env", cmd);
    image_config_put_strv(&c, "Env", NULL);
    image_config_put_str(&c, "WorkingDir", "/w");
    image_config_put_str(&c, "User", "u");
    image_config_put_str(&c, "User", NULL);
    image_config_put_author(&c, "bad \xff byte");
    image_config_put_created(&c, 1000000000);
    image_config_add_diff_id(&c, HEX2);
    image_config_add_history(&c, 1000000000, "RUN x", NULL, false);
    image_config_add_history(&c, 1000000000, "CMD y", "note", true);
    variant = platform_variant() ? xasprintf("\"variant\":\"%s\",", platform_variant()) : xstrdup("");
    expected = xasprintf(
        "{\"architecture\":\"%s\",\"os\":\"linux\",%s\"author\":\"bad \\\\xff byte\","
        "\"created\":\"1970-01-01T00:00:01.000000000Z\",\"config\":{\"ExposedPorts\":{\"80/tcp\":{}},\"Entrypoint\":[],"
        "\"Cmd\":[\"sh\"],\"WorkingDir\":\"/w\",\"Labels\":{\"a\":\"1\",\"b\":\"3\"}},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX2 "\"]},\"history\":["
        "{\"created\":\"1970-01-01T00:00:01.000000000Z\",\"created_by\":\"RUN x\"},"
        "{\"created\":\"1970-01-01T00:00:01.000000000Z\",\"created_by\":\"CMD "
        "y\",\"comment\":\"note\",\"empty_layer\":true}]}",
        platform_architecture(), variant);
    assert_bytes(&c, expected);
}

static const struct {
    const char *text, *part_of_message;
} bad[] = {
    {"", ""},
    {"[]", "not a JSON object"},
    {"{\"architecture\":\"amd64\"," ROOTFS "}", "\"os\""},
    {"{\"os\":\"linux\"," ROOTFS "}", "\"architecture\""},
    {"{\"os\":\"linux\",\"architecture\":1," ROOTFS "}", "\"architecture\""},
    {"{" HEAD "}", "rootfs"},
    {"{" HEAD ",\"rootfs\":{\"type\":\"other\"}}", "rootfs"},
    {"{" HEAD ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":{}}}", "diff_ids"},
    {"{" HEAD ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:12\"]}}", "diff_ids[0]"},
    {"{" HEAD ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:../../../../../../../../../../../../../../../../"
     "../../../../etc\"]}}",
     "diff_ids[0]"},
    {"{" HEAD ",\"config\":[]," ROOTFS "}", "\"config\""},
    {"{" HEAD ",\"config\":{\"Env\":\"A=b\"}," ROOTFS "}", "\"Env\" is not an array of strings"},
    {"{" HEAD ",\"config\":{\"Cmd\":[1]}," ROOTFS "}", "\"Cmd\""},
    {"{" HEAD ",\"config\":{\"User\":0}," ROOTFS "}", "\"User\" is not a string"},
    {"{" HEAD ",\"config\":{\"Labels\":{\"a\":1}}," ROOTFS "}", "\"Labels\" is not an object of strings"},
    {"{" HEAD ",\"config\":{\"Volumes\":[\"/v\"]}," ROOTFS "}", "\"Volumes\""},
    {"{" HEAD ",\"history\":{}," ROOTFS "}", "\"history\""},
    {"{" HEAD ",\"history\":[1]," ROOTFS "}", "history[0]"},
    {"{" HEAD ",\"history\":[{},{}]," ROOTFS "}", "history has 2 layers, the image 1"},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct image_config c = {0};

        assert_true(image_config_parse(bad[i].text, strlen(bad[i].text), &c) < 0);
        assert_null(c.root);
        if (!strstr(err_text(-EINVAL), bad[i].part_of_message))
            fail_msg("%s: %s", bad[i].text, err_text(-EINVAL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reorder_keeps_unknown),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_build_up),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
