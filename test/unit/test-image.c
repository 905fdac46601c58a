/* Images and their names: publication, what a user may type, removal. */
#include "store-fixture.h"

#include "whelk/gc.h"
#include "whelk/hint.h"

static const char *const one_layer[] = {"one", NULL};
static const char *const two_layers[] = {"one", "two", NULL};

static void add_layers(const struct store *s)
{
    char key[65];
    layer_add(s, "one", key);
    layer_add(s, "two", key);
}

static void test_publish(void **state)
{
    struct fixture *f = *state;
    char id[65], again[65], key[65];
    struct image i = {0};
    struct image_config c = {0};
    auto_strv char **ids = NULL;
    add_layers(f->s);
    image_add_now(f->s, two_layers, id);
    assert_ok(image_load(f->s, id, &i));
    assert_string_equal(i.id, id);
    assert_int_equal(strv_len(i.layers), 2);
    assert_string_equal(i.layers[0], diffid_of("one", key));
    assert_string_equal(i.layers[1], diffid_of("two", key));
    assert_int_equal(i.size, 6);
    assert_int_equal(i.created, 1000000000);
    assert_true(i.stored > i.created);
    assert_ok(image_load_config(f->s, id, &c));
    assert_int_equal(image_config_created(&c), 1000000000);

    image_add_now(f->s, two_layers, again);
    assert_string_equal(again, id);
    struct image same = {0};
    assert_ok(image_load(f->s, id, &same));
    assert_int_equal(same.stored, i.stored); /* nothing was written */
    assert_ok(image_list(f->s, &ids));
    assert_int_equal(strv_len(ids), 1);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    image_done(&i);
    image_done(&same);
    image_config_done(&c);
}

/* Foreign bytes keep their digest, whatever order their keys have. */
static void test_publish_bytes(void **state)
{
    struct fixture *f = *state;
    auto_with(stage_auto) struct stage *st = NULL;
    char key[65], id[65], wanted[65];
    layer_add(f->s, "one", key);
    auto_free char *bytes = xasprintf("{ \"rootfs\": {\"diff_ids\": [\"sha256:%s\"], \"type\": \"layers\"},\n"
                                      "\"odd\": 1, \"os\": \"linux\", \"architecture\": \"amd64\"}\n",
                                      key);
    auto_strv char **keys = NULL;
    strv_add(&keys, key);
    assert_ok(stage_begin(f->s, &st));
    assert_ok(image_publish_bytes(st, bytes, strlen(bytes), keys, id));
    assert_string_equal(id, diffid_of(bytes, wanted));
    auto_free char *path = xasprintf("images/%s/config", id), *kept = NULL;
    assert_ok(file_read(f->s->fd, path, 10000, &kept, NULL));
    assert_string_equal(kept, bytes);
    assert_int_equal(image_publish_bytes(st, "{}", 2, keys, id), -EINVAL);
}

static void test_publish_refused(void **state)
{
    struct fixture *f = *state;
    auto_with(stage_auto) struct stage *st = NULL;
    char id[65] = "", key[65];
    struct image_config c = {0};
    image_config_new(&c);
    image_config_add_diff_id(&c, diffid_of("two", key));
    auto_strv char **none = NULL, **wrong = NULL;
    strv_add(&wrong, diffid_of("one", key));
    assert_ok(stage_begin(f->s, &st));
    assert_int_equal(image_add(st, one_layer, id), -ENOENT);
    assert_non_null(strstr(err_text(-ENOENT), "not in the store"));
    add_layers(f->s);
    assert_int_equal(image_publish(st, &c, none, id), -EINVAL);
    assert_int_equal(image_publish(st, &c, wrong, id), -EBADMSG);
    assert_string_equal(id, "");
    assert_int_equal(entries_in(f->s, "images"), 0);
    image_config_done(&c);
}

/* What a power loss tore is made whole by publishing again. */
static void test_damaged(void **state)
{
    static const char *const files[] = {"config", "image.json"};
    struct fixture *f = *state;
    char id[65], again[65];
    struct image_config c = {0};
    struct image i = {0};
    add_layers(f->s);
    image_add_now(f->s, one_layer, id);
    for (size_t n = 0; n < ARRAY_LEN(files); n++) {
        auto_free char *path = xasprintf("images/%s/%s", id, files[n]);
        assert_ok(file_write(f->s->fd, path, "{}", 2, 0600));
        assert_int_equal(n ? image_load(f->s, id, &i) : image_load_config(f->s, id, &c), -EBADMSG);
        image_add_now(f->s, one_layer, again);
        assert_string_equal(again, id);
        assert_ok(image_load(f->s, id, &i));
        assert_ok(image_load_config(f->s, id, &c));
        image_done(&i);
        image_config_done(&c);
    }
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    assert_int_equal(entries_in(f->s, "images"), 1);
}

static int publish_same(struct fixture *f, int i)
{
    struct stage *st = NULL;
    char id[65];
    int r = stage_begin(f->s, &st);
    if (r == 0)
        r = image_add(st, two_layers, id);
    if (r == 0)
        r = name_set(f->s, "localhost/same:latest", id);
    stage_end(st);
    return r;
}

static void test_publish_race(void **state)
{
    struct fixture *f = *state;
    auto_free char *id = NULL;
    struct image i = {0};
    add_layers(f->s);
    run_parallel(publish_same, f, 12);
    assert_int_equal(entries_in(f->s, "images"), 1);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    assert_ok(name_get(f->s, "localhost/same:latest", &id));
    assert_ok(image_load(f->s, id, &i));
    image_done(&i);
}

/* ---- names ---- */

static void test_names(void **state)
{
    struct fixture *f = *state;
    char a[65], b[65];
    auto_free char *id = NULL, *moved = NULL;
    struct rec_list names;
    add_layers(f->s);
    image_add_now(f->s, one_layer, a);
    image_add_now(f->s, two_layers, b);
    assert_int_equal(name_get(f->s, "localhost/x:1", &id), -ENOENT);
    assert_ok(name_set(f->s, "localhost/x:1", a));
    assert_ok(name_set(f->s, "docker.io/library/y:2", a));
    assert_ok(name_get(f->s, "localhost/x:1", &id));
    assert_string_equal(id, a);
    assert_ok(name_set(f->s, "localhost/x:1", b));
    assert_ok(name_get(f->s, "localhost/x:1", &moved));
    assert_string_equal(moved, b);

    assert_ok(file_write(f->s->fd, "names/damaged", "{", 1, 0600)); /* must not hide the others */
    assert_ok(names_load(f->s, &names));
    assert_int_equal(names.n, 2);
    const struct image_name *n = names.items;
    assert_string_equal(n[0].reference, "docker.io/library/y:2");
    assert_string_equal(n[1].reference, "localhost/x:1");
    names_done(&names);

    assert_ok(name_remove(f->s, "localhost/x:1"));
    assert_int_equal(name_remove(f->s, "localhost/x:1"), -ENOENT);
    assert_int_equal(name_set(f->s, "localhost/z:1", diffid_of("no image", a)), -ENOENT);
    assert_non_null(strstr(err_text(-ENOENT), "not in the store"));
}

static void test_remove(void **state)
{
    struct fixture *f = *state;
    char a[65], b[65];
    struct rec_list names;
    add_layers(f->s);
    image_add_now(f->s, one_layer, a);
    image_add_now(f->s, two_layers, b);
    assert_ok(name_set(f->s, "localhost/a:1", a));
    assert_ok(name_set(f->s, "localhost/a:2", a));
    assert_ok(name_set(f->s, "localhost/b:1", b));
    assert_ok(image_remove(f->s, a));
    assert_int_equal(image_remove(f->s, a), -ENOENT);
    assert_ok(names_load(f->s, &names));
    assert_int_equal(names.n, 1);
    assert_string_equal(((struct image_name *)names.items)->reference, "localhost/b:1");
    names_done(&names);
    assert_int_equal(entries_in(f->s, "images"), 1);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

/* ---- what a user typed ---- */

/* Images of which only the ids matter. */
static void fake_image(const struct store *s, const char *id)
{
    auto_free char *dir = xasprintf("images/%s", id), *path = xasprintf("images/%s/image.json", id);
    struct image i = {.id = (char *)id};
    assert_ok(dir_make(s->fd, dir, 0700));
    assert_ok(rec_write(&image_rec, s->fd, path, &i));
}

#define ID_A "abcd1111111111111111111111111111111111111111111111111111111111aa"
#define ID_B "abcd1111111122222222222222222222222222222222222222222222222222bb"
#define ID_C "cafe3333333333333333333333333333333333333333333333333333333333cc"
#define ID_D "fade4444444444444444444444444444444444444444444444444444444444dd"

static void test_find(void **state)
{
    static const struct {
        const char *reference, *id;
    } names[] = {
        {"localhost/app:latest", ID_A},           {"localhost/cafe:latest", ID_A},
        {"docker.io/library/app:latest", ID_B},   {"docker.io/library/busybox:latest", ID_B},
        {"docker.io/library/busybox:1.36", ID_C}, {"docker.io/u/n:v2", ID_C},
        {"localhost/u/n:latest", ID_D},           {"localhost:5000/app:latest", ID_D},
    };
    static const struct {
        const char *typed;
        int error;
        const char *id, *reference, *text;
    } cases[] = {
        {"app", 0, ID_A, "localhost/app:latest", NULL},
        {"localhost/app", 0, ID_A, "localhost/app:latest", NULL},
        {"docker.io/app", 0, ID_B, "docker.io/library/app:latest", NULL},
        {"busybox", 0, ID_B, "docker.io/library/busybox:latest", NULL},
        {"busybox:1.36", 0, ID_C, "docker.io/library/busybox:1.36", NULL},
        {"library/busybox", 0, ID_B, "docker.io/library/busybox:latest", NULL},
        {"u/n", 0, ID_D, "localhost/u/n:latest", NULL},
        {"u/n:v2", 0, ID_C, "docker.io/u/n:v2", NULL},
        {"localhost:5000/app", 0, ID_D, "localhost:5000/app:latest", NULL},
        {ID_C, 0, ID_C, NULL, NULL},
        {"sha256:" ID_C, 0, ID_C, NULL, NULL},
        {"sha256:cafe", 0, ID_C, NULL, NULL},
        {"cafe", 0, ID_A, "localhost/cafe:latest", NULL}, /* names win over prefixes */
        {"cafe3", 0, ID_C, NULL, NULL},
        {"f", 0, ID_D, NULL, NULL},
        {"abcd", -EINVAL, NULL, NULL, "abcd11111111, abcd11111111"},
        {"abcd111111112", 0, ID_B, NULL, NULL},
        {"abc11111", -ENOENT, NULL, NULL, "no such image: abc11111"},
        {"busybox:9", -ENOENT, NULL, NULL, "no such image: busybox:9"},
        {"nothing", -ENOENT, NULL, NULL, "no such image: nothing"},
        {"quay.io/app", -ENOENT, NULL, NULL, "no such image: quay.io/app"},
        {"app@sha256:" ID_A, -ENOENT, NULL, NULL, "no such image"},
        {"sha256:" ID_C "00", -ENOENT, NULL, NULL, "no such image"},
        {"UPPER", -EINVAL, NULL, NULL, "UPPER"},
        {"../../etc", -EINVAL, NULL, NULL, "../../etc"},
        {"", -EINVAL, NULL, NULL, ""},
    };
    static const char *const ids[] = {ID_A, ID_B, ID_C, ID_D};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        fake_image(f->s, ids[i]);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_ok(name_set(f->s, names[i].reference, names[i].id));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *id = NULL, *reference = NULL;
        print_message("%s\n", cases[i].typed);
        err_clear();
        int r = image_find(f->s, cases[i].typed, &id, &reference);
        assert_int_equal(r, cases[i].error);
        if (r < 0) {
            assert_non_null(strstr(err_text(r), cases[i].text));
            assert_null(id);
            continue;
        }
        assert_string_equal(id, cases[i].id);
        if (cases[i].reference)
            assert_string_equal(reference, cases[i].reference);
        else
            assert_null(reference);
        auto_free char *plain = NULL;
        assert_ok(image_find(f->s, cases[i].typed, &plain, NULL));
    }
}

/* ---- manifests, indexes, digests in names ---- */

static const char manifest_text[] = "{\"a manifest\":1}", index_text[] = "{\"an index\":1}";

static char *digest_text(const char *bytes)
{
    char hex[65];
    digest_bytes(bytes, strlen(bytes), hex);
    return xasprintf("sha256:%s", hex);
}

static void test_manifests(void **state)
{
    struct fixture *f = *state;
    char id[65];
    size_t len;
    auto_free char *digest = digest_text(manifest_text), *bytes = NULL, *found = NULL, *none = NULL;
    auto_strv char **before = NULL, **all = NULL;
    add_layers(f->s);
    image_add_now(f->s, one_layer, id);
    assert_ok(image_manifests(f->s, id, &before));
    assert_int_equal(strv_len(before), 0);
    assert_int_equal(image_read_manifest(f->s, id, digest, &none, &len), -ENOENT);
    assert_int_equal(image_by_manifest(f->s, digest, &none), -ENOENT);
    assert_ok(image_add_manifest(f->s, id, manifest_text, strlen(manifest_text)));
    assert_ok(image_add_manifest(f->s, id, manifest_text, strlen(manifest_text)));
    assert_ok(image_read_manifest(f->s, id, digest, &bytes, &len));
    assert_string_equal(bytes, manifest_text);
    assert_ok(image_manifests(f->s, id, &all));
    assert_int_equal(strv_len(all), 1);
    assert_string_equal(all[0], digest);
    assert_ok(image_by_manifest(f->s, digest, &found));
    assert_string_equal(found, id);
    auto_free char *path = xasprintf("images/%s/manifests/%s", id, digest + strlen("sha256:"));
    assert_ok(file_write(f->s->fd, path, "other", 5, 0600));
    assert_int_equal(image_read_manifest(f->s, id, digest, &none, &len), -EBADMSG);
}

static void test_digests(void **state)
{
    static const char *const references[] = {"example.org/app:v0", "docker.io/library/app:v1"};
    static const struct {
        const char *repository;
        bool by_index, found;
    } cases[] = {
        {"example.org/app", false, true},      {"example.org/app", true, true},
        {"example.org/app:other", true, true}, {"app", false, true},
        {"docker.io/library/app", true, true}, {"example.org/ap", true, false},
        {"localhost/app", true, false},
    };
    struct fixture *f = *state;
    char id[65];
    size_t len;
    auto_free char *manifest = digest_text(manifest_text), *index = digest_text(index_text), *bytes = NULL;
    add_layers(f->s);
    image_add_now(f->s, one_layer, id);
    for (size_t i = 0; i < ARRAY_LEN(references); i++) {
        struct image_name n = {
            .reference = (char *)(uintptr_t)references[i], .image = id, .manifest = manifest, .index = index};
        assert_ok(name_put(f->s, &n, i == 0 ? index_text : NULL, strlen(index_text)));
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *typed = xasprintf("%s@%s", cases[i].repository, cases[i].by_index ? index : manifest);
        auto_free char *found = NULL;
        assert_int_equal(image_find(f->s, typed, &found, NULL), cases[i].found ? 0 : -ENOENT);
        assert_true(!cases[i].found || str_eq(found, id));
    }
    struct rec_list names = {0};
    assert_ok(names_load(f->s, &names));
    auto_strv char **digests = names_digests(&names, id);
    assert_int_equal(strv_len(digests), 4);
    names_done(&names);
    assert_ok(index_read(f->s, index, &bytes, &len));
    assert_string_equal(bytes, index_text);
}

/* A list has no image: what looks for images does not trip over it. Its index goes with it. */
static void test_lists(void **state)
{
    struct fixture *f = *state;
    auto_free char *index = digest_text(index_text), *id = NULL;
    struct image_name n = {.reference = (char *)(uintptr_t) "localhost/list:latest", .index = index}, found = {0};
    struct rec_list names = {0};
    assert_ok(name_put(f->s, &n, index_text, strlen(index_text)));
    assert_ok(names_load(f->s, &names));
    assert_int_equal(names.n, 0);
    assert_ok(names_load_lists(f->s, &names));
    assert_int_equal(names.n, 1);
    names_done(&names);
    assert_int_equal(name_find(f->s, "list", false, &found), -ENOENT);
    assert_ok(name_find(f->s, "list", true, &found));
    assert_string_equal(found.index, index);
    image_name_done(&found);
    assert_int_equal(name_get(f->s, "localhost/list:latest", &id), -ENOENT);
    assert_int_equal(image_find(f->s, "list", &id, NULL), -EINVAL);
    assert_ok(gc_run(f->s, NULL));
    assert_int_equal(entries_in(f->s, "indexes"), 1);
    assert_ok(name_remove(f->s, "localhost/list:latest"));
    assert_ok(gc_run(f->s, NULL));
    assert_int_equal(entries_in(f->s, "indexes"), 0);
}

static size_t hints_of(const struct store *s, const char *diffid, size_t *ret_repositories)
{
    struct rec_list hints = {0};
    assert_ok(blob_hints_load(s, diffid, &hints));
    size_t n = hints.n;
    *ret_repositories = n ? strv_len(((struct blob_hint *)hints.items)->repositories) : 0;
    blob_hints_done(&hints);
    return n;
}

static void test_hints(void **state)
{
    struct fixture *f = *state;
    char diffid[65], id[65];
    size_t repositories;
    auto_free char *digest = digest_text("a blob");
    struct blob_hint hint = {.digest = digest, .size = 6, .media_type = (char *)(uintptr_t) "type"};
    add_layers(f->s);
    image_add_now(f->s, one_layer, id);
    diffid_of("one", diffid);
    assert_int_equal(hints_of(f->s, diffid, &repositories), 0);
    blob_hint_add(f->s, diffid, &hint, "example.org/a");
    blob_hint_add(f->s, diffid, &hint, "example.org/b");
    blob_hint_add(f->s, diffid, &hint, "example.org/b");
    assert_int_equal(hints_of(f->s, diffid, &repositories), 1);
    assert_int_equal(repositories, 2);
    blob_hint_drop(f->s, diffid, digest, "example.org/a");
    assert_int_equal(hints_of(f->s, diffid, &repositories), 1);
    assert_int_equal(repositories, 1);
    for (int i = 0; i < 40; i++) { /* the oldest go */
        auto_free char *text = xasprintf("blob %d", i), *other = digest_text(text);
        hint.digest = other;
        blob_hint_add(f->s, diffid, &hint, NULL);
    }
    assert_in_range(hints_of(f->s, diffid, &repositories), 2, 39);
    assert_ok(gc_run(f->s, NULL));
    assert_int_equal(entries_in(f->s, "cache/hints"), 1);
    assert_ok(image_remove(f->s, id));
    assert_ok(gc_run(f->s, NULL));
    assert_int_equal(entries_in(f->s, "cache/hints"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_publish), store_test(test_publish_bytes), store_test(test_publish_refused),
        store_test(test_damaged), store_test(test_publish_race),  store_test(test_names),
        store_test(test_remove),  store_test(test_find),          store_test(test_manifests),
        store_test(test_digests), store_test(test_lists),         store_test(test_hints),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
