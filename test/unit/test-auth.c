/* Challenges of registries, base64, and what is looked up in files of logins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

static void challenges(void **state)
{
    static const struct {
        const char *header;
        int kind;
        const char *realm, *service;
    } cases[] = {
        {"", CHALLENGE_NONE, NULL, NULL},
        {"Negotiate", CHALLENGE_NONE, NULL, NULL},
        {"Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL},
        {"basic", CHALLENGE_BASIC, NULL, NULL},
        {"Bearer realm=\"https://a/token\",service=\"s\",scope=\"repository:x:pull\"", CHALLENGE_BEARER,
         "https://a/token", "s"},
        {"bearer service=s , realm = \"https://a\"", CHALLENGE_BEARER, "https://a", "s"},
        {"Bearer realm=\"a\\\"b\"", CHALLENGE_BEARER, "a\"b", NULL},
        {"Bearer service=\"s\"", CHALLENGE_NONE, NULL, NULL},
        {"Bearer realm=\"no end", CHALLENGE_NONE, NULL, NULL},
        {"Basic realm=\"b\", Bearer realm=\"t\",service=\"s\"", CHALLENGE_BEARER, "t", "s"},
        {"Bearer realm=\"t\", Basic realm=\"b\"", CHALLENGE_BEARER, "t", NULL},
        {"Bearer realm=\"one\",realm=\"two\"", CHALLENGE_BEARER, "one", NULL},
        {"Negotiate abc==, Basic realm=\"b\"", CHALLENGE_NONE, NULL, NULL}, /* ends at what is not understood */
        {"\"", CHALLENGE_NONE, NULL, NULL},
        {",,, ,Basic,,", CHALLENGE_BASIC, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_with(challenge_done) struct challenge c = {0};
        challenge_parse(cases[i].header, &c);
        if ((int)c.kind != cases[i].kind)
            print_message("%s\n", cases[i].header);
        assert_int_equal(c.kind, cases[i].kind);
        assert_true(cases[i].realm ? c.realm && str_eq(c.realm, cases[i].realm) : !c.realm);
        assert_true(cases[i].service ? c.service && str_eq(c.service, cases[i].service) : !c.service);
    }
}

static void base64(void **state)
{
    static const char *const cases[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe~?>", "//5+Pz4="},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len;
        auto_free char *code = base64_encode(cases[i][0], strlen(cases[i][0]));
        assert_string_equal(code, cases[i][1]);
        auto_free char *back = base64_decode(code, &len);
        assert_string_equal(back, cases[i][0]);
        assert_int_equal(len, strlen(cases[i][0]));
    }
    static const char *const bad[] = {"Z", "Zg=", "Zg", "=g==", "Z===", "Zg==Zg==", "Zm9v\n", "Zm9*"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null(base64_decode(bad[i], NULL));
}

static char *make_file(const char *text)
{
    const char *dir = getenv("TMPDIR") ?: "/tmp";
    char *path = xasprintf("%s/whelk-test-auth-%d.json", dir, getpid());
    assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0600), 0);
    return path;
}

/* alice:one is YWxpY2U6b25l, bob:two Ym9iOnR3bw==, carl:three Y2FybDp0aHJlZQ== */
static void lookup(void **state)
{
    static const char text[] = "{\"auths\": {\"registry.example\": {\"auth\": \"YWxpY2U6b25l\"},"
                               "\"registry.example/team\": {\"auth\": \"Ym9iOnR3bw==\"},"
                               "\"https://index.docker.io/v1/\": {\"auth\": \"Y2FybDp0aHJlZQ==\"},"
                               "\"https://other.example:5000/v2/\": {\"username\": \"dora\", \"password\": \"four\"},"
                               "\"token.example\": {\"auth\": \"\", \"identitytoken\": \"tok\"},"
                               "\"empty.example\": {}}}";
    static const struct {
        const char *repository, *user, *password;
    } cases[] = {
        {"registry.example", "alice", "one"},
        {"registry.example/other/app", "alice", "one"},
        {"registry.example/team", "bob", "two"},
        {"registry.example/team/app", "bob", "two"},
        {"registry.example/teams", "alice", "one"},
        {"registry.example.org/team", NULL, NULL},
        {"docker.io/library/busybox", "carl", "three"},
        {"other.example:5000/x", "dora", "four"},
        {"other.example/x", NULL, NULL},
        {"empty.example", NULL, NULL},
    };
    auto_free char *path = make_file(text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_with(credential_done) struct credential c = {0};
        assert_int_equal(credentials_find(path, cases[i].repository, &c), 0);
        assert_true(cases[i].user ? c.user && str_eq(c.user, cases[i].user) : !c.user);
        if (cases[i].password)
            assert_string_equal(c.password, cases[i].password);
    }
    auto_with(credential_done) struct credential c = {0};
    assert_int_equal(credentials_find(path, "token.example/x", &c), 0);
    assert_string_equal(c.identity_token, "tok");
    unlink(path);
}

static void damaged_files(void **state)
{
    static const char *const cases[][2] = {
        {"[]", "the file of logins is not a JSON object"},
        {"{", "not valid JSON"},
        {"{\"auths\": {\"r.example\": {\"auth\": \"*\"}}}", "an \"auth\" in it is not base64 of USER:PASSWORD"},
        {"{\"auths\": {\"r.example\": {\"auth\": \"Zm9v\"}}}", "an \"auth\" in it is not base64 of USER:PASSWORD"},
        {"{\"credHelpers\": {\"r.example\": \"../x\"}}", "is not the name of a credential helper"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *path = make_file(cases[i][0]);
        struct credential c = {0};
        int r = credentials_find(path, "r.example/x", &c);
        assert_true(r < 0);
        assert_non_null(strstr(err_text(r), cases[i][1]));
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(challenges), cmocka_unit_test(base64), cmocka_unit_test(lookup),
                                       cmocka_unit_test(damaged_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
