/* The collector: what it marks and what it takes; and a model of many commands at once, in which no reference may
 * dangle. */
#include "store-fixture.h"

#include "whelk/cache.h"
#include "whelk/gc.h"

/* ---- what is a root ---- */

static void in_image(struct fixture *f, const char *text)
{
    char id[65];
    image_add_now(f->s, (const char *const[]){text, NULL}, id);
}

static void in_named_image(struct fixture *f, const char *text)
{
    char id[65];
    image_add_now(f->s, (const char *const[]){text, NULL}, id);
    assert_ok(name_set(f->s, "localhost/x:latest", id));
}

static void in_removed_image(struct fixture *f, const char *text)
{
    char id[65];
    image_add_now(f->s, (const char *const[]){text, NULL}, id);
    assert_ok(image_remove(f->s, id));
}

static void in_container(struct fixture *f, const char *text)
{
    char id[65], key[65];
    auto_strv char **layers = NULL;
    strv_add(&layers, diffid_of(text, key));
    assert_ok(ctr_add(f->s, "web", false, layers, id));
}

static void in_container_of_removed_image(struct fixture *f, const char *text)
{
    in_removed_image(f, text);
    in_container(f, text);
}

static void in_removed_container(struct fixture *f, const char *text)
{
    char id[65], key[65];
    auto_strv char **layers = NULL;
    strv_add(&layers, diffid_of(text, key));
    assert_ok(ctr_add(f->s, "web", false, layers, id));
    assert_ok(ctr_remove(f->s, id));
}

static void in_cache(struct fixture *f, const char *text)
{
    char key[65];
    diffid_of(text, key);
    assert_ok(cache_step_put(f->s, key, &(struct cache_step){.layer = key, .diffid = key}));
}

static void in_pruned_cache(struct fixture *f, const char *text)
{
    in_cache(f, text);
    assert_ok(cache_steps_remove_all(f->s));
}

static void in_damaged_cache(struct fixture *f, const char *text)
{
    char key[65];
    auto_free char *path = xasprintf("cache/steps/%s", diffid_of(text, key));
    in_cache(f, text);
    assert_ok(file_write(f->s->fd, path, "{", 1, 0600));
}

/* The running operation of a case; ended after it. */
static struct stage *running;

static void in_own_pins(struct fixture *f, const char *text)
{
    char key[65];
    auto_free char *pin = xasprintf("layers/%s", diffid_of(text, key));
    const char *pins[] = {"images/x", pin};
    assert_ok(stage_begin(f->s, &running));
    assert_ok(stage_pin(running, pins, 2));
}

static void in_pins_of_dead(struct fixture *f, const char *text)
{
    kill_holder(spawn_holder(in_own_pins, f, text));
}

static void in_nothing(struct fixture *f, const char *text)
{
}

static void made_by_running_operation(struct fixture *f, const char *text)
{
    char key[65];
    assert_ok(store_trash(f->s, "layers", diffid_of(text, key)));
    assert_ok(stage_begin(f->s, &running));
    layer_write(running->fd, "new", text);
    assert_ok(stage_publish_layer(running, "new", key));
}

/* Each case has a store of its own with one layer and says what names it. */
static void test_roots(void **state)
{
    static const struct {
        const char *what;
        void (*prepare)(struct fixture *f, const char *text);
        bool stays;
    } cases[] = {
        {"nothing", in_nothing, false},
        {"an unnamed image", in_image, true},
        {"a named image", in_named_image, true},
        {"a removed image", in_removed_image, false},
        {"a container", in_container, true},
        {"a container of a removed image", in_container_of_removed_image, true},
        {"a removed container", in_removed_container, false},
        {"the cache", in_cache, true},
        {"the pruned cache", in_pruned_cache, false},
        {"a damaged cache record", in_damaged_cache, false},
        {"pins of a running operation", in_own_pins, true},
        {"pins of a dead operation", in_pins_of_dead, false},
        {"made by a running operation", made_by_running_operation, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        void *own = NULL;
        char key[65];
        struct gc_result result = {0};
        assert_int_equal(fixture_setup(&own), 0);
        struct fixture *f = own;
        print_message("%s\n", cases[i].what);
        auto_free char *path = xasprintf("layers/%s", layer_add(f->s, "text", key));
        cases[i].prepare(f, "text");
        assert_ok(gc_run(f->s, &result));
        assert_int_equal(present(f->s, path), cases[i].stays);
        assert_int_equal(strv_len(result.layers), cases[i].stays ? 0 : 1);
        assert_int_equal(result.bytes, cases[i].stays ? 0 : 4);
        assert_ok(gc_run(f->s, NULL));
        assert_int_equal(present(f->s, path), cases[i].stays);
        gc_result_done(&result);
        stage_end(take_ptr(&running));
        assert_int_equal(fixture_teardown(&own), 0);
    }
}

/* ---- keys, leftovers, damage ---- */

#define DIFFID "abcd1111111111111111111111111111111111111111111111111111111111aa"

static void test_keys(void **state)
{
    static const struct {
        const char *key;
        bool stays;
    } cases[] = {
        {DIFFID, false},
        {DIFFID "-0123456789abcdef", false},
        {DIFFID "-fedcba9876543210", true},      /* in use */
        {DIFFID "-fedcba9876543210+00ff", true}, /* a shifted copy of it */
        {DIFFID "+00ff", false},
        {DIFFID "-short", true}, /* not a key: not ours */
        {"empty", true},
        {"notes", true},
    };
    struct fixture *f = *state;
    char id[65];
    auto_strv char **used = NULL;
    strv_add(&used, DIFFID "-fedcba9876543210");
    assert_ok(ctr_add(f->s, "web", false, used, id));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *path = xasprintf("layers/%s", cases[i].key);
        layer_write(f->s->fd, path, "x");
    }
    assert_ok(gc_run(f->s, NULL));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *path = xasprintf("layers/%s", cases[i].key);
        print_message("%s\n", cases[i].key);
        assert_int_equal(present(f->s, path), cases[i].stays);
    }
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

static void test_leftovers(void **state)
{
    struct fixture *f = *state;
    static const struct timespec old[] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_ok(dir_make(f->s->fd, "tmp/op-dead", 0700));
    assert_ok(dir_make(f->s->fd, "tmp/ctr-dead", 0700));
    assert_ok(dir_make(f->s->fd, "tmp/trash-dead", 0700));
    assert_ok(file_write(f->s->fd, "names/.tmp-old", "", 0, 0600));
    assert_ok(file_write(f->s->fd, "names/.tmp-new", "", 0, 0600));
    assert_int_equal(utimensat(f->s->fd, "names/.tmp-old", old, 0), 0);
    assert_ok(gc_run(f->s, NULL));
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    assert_false(present(f->s, "names/.tmp-old"));
    assert_true(present(f->s, "names/.tmp-new"));
}

/* Where a record cannot be read nothing is taken; once it is removed, all is well again. */
static void test_damaged_records(void **state)
{
    struct fixture *f = *state;
    char used[65], image[65], ctr[65];
    layer_add(f->s, "garbage", used);
    in_image(f, "garbage");
    image_add_now(f->s, (const char *const[]){"garbage", NULL}, image);
    assert_ok(ctr_add(f->s, "web", false, NULL, ctr));
    auto_free char *records[] = {xasprintf("images/%s/image.json", image),
                                 xasprintf("containers/%s/container.json", ctr)};
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        auto_free char *record = records[i];
        assert_ok(file_write(f->s->fd, record, "", 0, 0600));
        int r = gc_run(f->s, NULL);
        assert_int_equal(r, -EBADMSG);
        assert_non_null(strstr(err_text(r), record));
        assert_int_equal(unlinkat(f->s->fd, record, 0), 0);
        assert_int_equal(gc_run(f->s, NULL), -EBADMSG);
        assert_int_equal(entries_in(f->s, "layers"), 1);
        assert_ok(i == 0 ? image_remove(f->s, image) : ctr_remove(f->s, ctr));
        records[i] = NULL;
    }
    assert_ok(gc_run(f->s, NULL));
    assert_int_equal(entries_in(f->s, "layers"), 0);
}

static void test_busy(void **state)
{
    struct fixture *f = *state;
    auto_close int hold = -1;
    assert_ok(store_hold(f->s, &hold));
    int r = gc_run(f->s, NULL);
    assert_int_equal(r, -EWOULDBLOCK);
    assert_non_null(strstr(err_text(r), "busy"));
}

/* ---- the model ---- */

enum { PROCESSES = 8, ROUNDS = 60, TEXTS = 6 };

static const char *const all_texts[TEXTS] = {"a", "b", "c", "d", "e", "f"};

/* Pulls or builds an image of two layers out of few, so that they meet: pins, looks, makes what is missing, publishes.
 */
static int model_publish(struct fixture *f, unsigned *seed)
{
    const char *texts[] = {all_texts[rand_r(seed) % TEXTS], all_texts[rand_r(seed) % TEXTS], NULL};
    auto_with(stage_auto) struct stage *st = NULL;
    char id[65];
    if (texts[0] == texts[1])
        texts[1] = NULL;
    int r = stage_begin(f->s, &st);
    for (const char **t = texts; r == 0 && *t; t++) {
        char key[65];
        auto_free char *pin = xasprintf("layers/%s", diffid_of(*t, key));
        const char *pins[] = {pin};
        r = stage_pin(st, pins, 1);
        if (r < 0 || (present(f->s, pin) && layer_trusted(f->s, key)))
            continue;
        layer_write(st->fd, *t, *t);
        r = stage_publish_layer(st, *t, key);
    }
    if (r == 0)
        r = image_add(st, texts, id);
    return r;
}

/* All layers of what is named must be there, and stay while it is. */
static int check_present(struct fixture *f, char *const *layers)
{
    strv_foreach (key, layers) {
        auto_free char *path = xasprintf("layers/%s/layer.json", key);
        if (!present(f->s, path))
            return err_set(-EUCLEAN, "layer %.12s dangles", key);
    }
    return 0;
}

static int model_run(struct fixture *f, unsigned *seed)
{
    auto_strv char **ids = NULL, **layers = NULL;
    auto_close int hold = -1;
    struct image image = {0};
    char ctr[65];
    int r = store_hold(f->s, &hold);
    if (r == 0)
        r = image_list(f->s, &ids);
    if (r < 0 || !strv_len(ids))
        return r;
    r = image_load(f->s, ids[(size_t)rand_r(seed) % strv_len(ids)], &image);
    if (r < 0)
        return r;
    layers = strv_copy(image.layers);
    image_done(&image);
    auto_free char *name = xasprintf("c%d", (int)getpid());
    r = ctr_add(f->s, name, false, layers, ctr);
    close(take_fd(&hold));
    for (int i = 0; r == 0 && i < 20; i++)
        r = check_present(f, layers);
    return r < 0 ? r : ctr_remove(f->s, ctr);
}

/* A command may be told that others keep the store busy; that is no fault here. */
static int model_remove(struct fixture *f, unsigned *seed)
{
    auto_strv char **ids = NULL;
    int r = image_list(f->s, &ids);
    if (r == 0 && strv_len(ids))
        r = image_remove(f->s, ids[(size_t)rand_r(seed) % strv_len(ids)]);
    return r == -ENOENT || r == -EWOULDBLOCK ? 0 : r;
}

static int model_collect(struct fixture *f, unsigned *seed)
{
    int r = gc_run(f->s, NULL);
    return r == -EWOULDBLOCK ? 0 : r;
}

static int model_tidy(struct fixture *f, unsigned *seed)
{
    store_tidy(f->s);
    return 0;
}

static int model(struct fixture *f, int i)
{
    static int (*const commands[])(struct fixture * f, unsigned *seed) = {
        model_publish, model_publish, model_run, model_run, model_remove, model_collect, model_tidy,
    };
    unsigned seed = (unsigned)i * 7919;
    for (int n = 0; n < ROUNDS; n++) {
        size_t which = (size_t)rand_r(&seed) % ARRAY_LEN(commands);
        int r = commands[which](f, &seed);
        if (r < 0)
            return err_wrap(r, "command %zu", which);
    }
    return 0;
}

static void test_model(void **state)
{
    struct fixture *f = *state;
    auto_strv char **ids = NULL;
    run_parallel(model, f, PROCESSES);
    assert_ok(gc_run(f->s, NULL));
    assert_ok(image_list(f->s, &ids));
    strv_foreach (id, ids) {
        struct image image = {0};
        assert_ok(image_load(f->s, id, &image));
        assert_ok(check_present(f, image.layers));
        image_done(&image);
    }
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    assert_int_equal(entries_in(f->s, "containers"), 0);
    assert_int_equal(entries_in(f->s, "container-names"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_roots),           store_test(test_keys), store_test(test_leftovers),
        store_test(test_damaged_records), store_test(test_busy), store_test(test_model),
    };
    return cmocka_run_group_tests_name("gc", tests, NULL, NULL);
}
