/* registries.conf: what names mean and where they are asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/registries.h"

#include <fcntl.h>

static void use(const char *text)
{
    static char path[200];
    snprintf(path, sizeof(path), "%s/whelk-test-registries-%d.conf", getenv("TMPDIR") ?: "/tmp", getpid());
    assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0600), 0);
    setenv("CONTAINERS_REGISTRIES_CONF", path, 1);
}

static int drop(void **state)
{
    const char *path = getenv("CONTAINERS_REGISTRIES_CONF");
    return path ? unlink(path) : 0;
}

/* "host/path" of each place, "!" behind insecure ones. */
static char *places(const char *name, bool pulling)
{
    auto_with(ref_done) struct ref ref = {0};
    auto_buf struct buf b = {0};
    struct place *all;
    size_t n;
    assert_int_equal(ref_parse(name, &ref), 0);
    int r = registries_places(&ref, pulling, &all, &n);
    if (r < 0)
        return xasprintf("error: %s", err_text(r));
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s%s/%s%s", i ? " " : "", all[i].host, all[i].path, all[i].insecure ? "!" : "");
    places_free(all, n);
    return buf_take(&b);
}

static void finds_places(void **state)
{
    static const char conf[] = "[[registry]]\nlocation = 'a.example'\ninsecure = true\n"
                               "[[registry]]\nprefix = 'a.example/team'\nlocation = 'b.example:5000/t'\n"
                               "[[registry.mirror]]\nlocation = 'm.example/t'\n"
                               "[[registry.mirror]]\nlocation = 'n.example/t'\ninsecure = true\n"
                               "pull-from-mirror = 'digest-only'\n"
                               "[[registry]]\nprefix = '*.wild.example'\ninsecure = true\n"
                               "[[registry]]\nprefix = 'bad.example'\nblocked = true\n"
                               "[[registry]]\nprefix = 'bad.example/good'\nlocation = 'good.example'\n";
#define DIGEST "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    static const struct {
        const char *name;
        bool pulling;
        const char *places;
    } cases[] = {
        {"c.example/x", true, "c.example/x"},
        {"a.example/x:1", true, "a.example/x!"},
        {"a.example:80/x", true, "a.example:80/x"},
        {"a.example/team/x:1", true, "m.example/t/x b.example:5000/t/x"},
        {"a.example/team/x" DIGEST, true, "m.example/t/x n.example/t/x! b.example:5000/t/x"},
        {"a.example/team/x:1", false, "b.example:5000/t/x"},
        {"a.example/teams/x", true, "a.example/teams/x!"},
        {"x.wild.example/x", true, "x.wild.example/x!"},
        {"x.y.wild.example/x", true, "x.y.wild.example/x!"},
        {"wild.example/x", true, "wild.example/x"},
        {"bad.example/x", true, "error: registry bad.example is blocked by registries.conf"},
        {"bad.example/good/x", true, "good.example/x"},
    };
    use(conf);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *found = places(cases[i].name, cases[i].pulling);
        assert_string_equal(found, cases[i].places);
    }
}

static char *candidates(const char *typed)
{
    auto_with(ref_done) struct ref ref = {0};
    auto_strv char **found = NULL;
    assert_int_equal(ref_parse(typed, &ref), 0);
    int r = registries_candidates(&ref, &found);
    return r < 0 ? xasprintf("error: %s", err_text(r)) : strv_join(found, " ");
}

static void finds_candidates(void **state)
{
    static const struct {
        const char *conf, *typed, *found;
    } cases[] = {
        {"", "x", "docker.io/library/x:latest"},
        {"", "u/x:1", "docker.io/u/x:1"},
        {"", "r.example/x", "r.example/x:latest"},
        {"unqualified-search-registries = ['a.example', 'docker.io']", "x:2", "a.example/x:2 docker.io/library/x:2"},
        {"unqualified-search-registries = []", "x", "docker.io/library/x:latest"},
        {"unqualified-search-registries = ['a.example']\n[aliases]\nx = 'b.example/y/x'", "x:3", "b.example/y/x:3"},
        {"[aliases]\nx = 'b.example/y/x'", "z", "docker.io/library/z:latest"},
        {"unqualified-search-registries = [1]", "x", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        use(cases[i].conf);
        auto_free char *found = candidates(cases[i].typed);
        if (cases[i].found)
            assert_string_equal(found, cases[i].found);
        else
            assert_non_null(strstr(found, "error: registries.conf"));
    }
}

static void refuses(void **state)
{
    static const char *const cases[][2] = {
        {"[registries.search]\nregistries = ['x']", "version 1 of the format"},
        {"[[registry]]\ninsecure = true", "a [[registry]] needs a prefix or a location"},
        {"[[registry]]\nprefix = 'x.example'", "the [[registry]] with prefix x.example needs a location"},
        {"[[registry]]\nlocation = 'x.example'\n[[registry.mirror]]\ninsecure = true",
         "a [[registry.mirror]] needs a location"},
        {"x", "line 1: a key without ="},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        use(cases[i][0]);
        auto_free char *text = places("x.example/y", true);
        assert_non_null(strstr(text, cases[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_places), cmocka_unit_test(finds_candidates),
                                       cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, drop);
}
