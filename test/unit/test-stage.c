/* Staging directories, pins, and which layers are trusted. */
#include "store-fixture.h"

#include "whelk/cache.h"
#include "whelk/lock.h"

static void begin_stage(struct fixture *f, const char *arg)
{
    struct stage *st = NULL;
    static const char *const pins[] = {"layers/x"};
    if (stage_begin(f->s, &st) < 0 || stage_pin(st, pins, 1) < 0)
        _exit(1);
}

static char *only_entry(const struct store *s, const char *dir)
{
    auto_strv char **names = NULL;
    assert_ok(dir_names(s->fd, dir, &names));
    assert_int_equal(strv_len(names), 1);
    return xstrdup(names[0]);
}

static void test_life(void **state)
{
    struct fixture *f = *state;
    struct stage *st = NULL;
    assert_ok(stage_begin(f->s, &st));
    auto_free char *name = only_entry(f->s, "tmp"), *pins = NULL;
    assert_string_equal(name, st->name);
    assert_non_null(str_after(name, "op-"));
    assert_false(stage_is_stale(f->s, name));
    assert_ok(stage_pin(st, (const char *const[]){"layers/a", "images/b"}, 2));
    assert_ok(stage_pin(st, (const char *const[]){"layers/c"}, 1));
    assert_ok(stage_pin(st, NULL, 0));
    assert_ok(file_read(st->fd, "pins", 1000, &pins, NULL));
    assert_string_equal(pins, "layers/a\nimages/b\nlayers/c\n");
    assert_ok(stage_sync(st));
    assert_ok(dir_make(st->fd, "left", 0700));
    assert_ok(file_write(st->fd, "left/over", "x", 1, 0600));
    stage_end(st);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    stage_end(NULL);
    assert_false(stage_is_stale(f->s, "op-none"));
}

/* The owner's death makes it stale, whatever way it dies; not earlier. */
static void test_owner_killed(void **state)
{
    struct fixture *f = *state;
    pid_t owner = spawn_holder(begin_stage, f, NULL);
    auto_free char *name = only_entry(f->s, "tmp");
    assert_false(stage_is_stale(f->s, name));
    store_tidy(f->s);
    assert_int_equal(entries_in(f->s, "tmp"), 1);
    kill_holder(owner);
    assert_true(stage_is_stale(f->s, name));
    assert_true(stage_is_stale(f->s, name)); /* testing it changes nothing */
    store_tidy(f->s);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

static void test_pin_waits_for_collector(void **state)
{
    struct fixture *f = *state;
    auto_close int all = -1;
    assert_ok(lock_file(f->s->fd, "gc.lock", true, true, &all));
    pid_t pid = fork();
    if (pid == 0) {
        struct stage *st = NULL;
        alarm(20);
        close(all);
        _exit(stage_begin(f->s, &st) < 0);
    }
    usleep(50000);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    close(take_fd(&all));
    assert_int_equal(proc_reap(pid), 0);
    assert_int_equal(entries_in(f->s, "tmp"), 1);
}

/* ---- trust ---- */

static void make_layer(struct fixture *f, const char *text)
{
    struct stage *st = NULL;
    char key[65];
    if (stage_begin(f->s, &st) < 0)
        _exit(1);
    layer_write(st->fd, "new", text);
    if (stage_publish_layer(st, "new", diffid_of(text, key)) < 0)
        _exit(1);
}

/* By either way of asking. */
static bool trusted(const struct store *s, const char *key)
{
    struct trusted_layers *all = trusted_layers_read(s);
    bool among = trusted_layers_has(all, key), alone = layer_trusted(s, key);
    trusted_layers_free(all);
    assert_int_equal(among, alone);
    return alone;
}

/* The first publisher's death makes its layer worth nothing until a record names it. */
static void test_trust(void **state)
{
    struct fixture *f = *state;
    char key[65], id[65];
    diffid_of("one", key);
    assert_false(trusted(f->s, key));
    pid_t owner = spawn_holder(make_layer, f, "one");
    assert_true(trusted(f->s, key));
    kill_holder(owner);
    assert_false(trusted(f->s, key));
    image_add_now(f->s, (const char *const[]){"one", NULL}, id);
    assert_true(trusted(f->s, key));
    assert_ok(image_remove(f->s, id));
    assert_false(trusted(f->s, key));
    assert_ok(cache_step_put(f->s, key, &(struct cache_step){.layer = key, .diffid = key}));
    assert_true(trusted(f->s, key));
}

/* What was read once is about the layers that were pinned before: it outlives the record that vouched for them. */
static void test_trust_of_many(void **state)
{
    struct fixture *f = *state;
    char one[65], two[65], id[65];
    layer_add(f->s, "one", one);
    layer_add(f->s, "two", two);
    image_add_now(f->s, (const char *const[]){"one", NULL}, id);
    auto_free char *damaged = xasprintf("images/%s", two);
    assert_ok(dir_make(f->s->fd, damaged, 0700)); /* no image.json */
    struct trusted_layers *all = trusted_layers_read(f->s);
    assert_true(err_is_clear());
    assert_ok(image_remove(f->s, id));
    assert_true(trusted_layers_has(all, one));
    assert_false(trusted_layers_has(all, two));
    trusted_layers_free(all);
}

static char *layer_text(const struct store *s, const char *key)
{
    auto_free char *path = xasprintf("layers/%s/diff/text", key);
    char *text = NULL;
    assert_ok(file_read(s->fd, path, 1000, &text, NULL));
    return text;
}

static void test_publish_over_existing(void **state)
{
    struct fixture *f = *state;
    char key[65];
    auto_with(stage_auto) struct stage *a = NULL, *b = NULL;
    layer_add(f->s, "one", key);
    auto_free char *torn = xasprintf("layers/%s/diff/text", key);
    assert_ok(file_write(f->s->fd, torn, "", 0, 0644)); /* as a power loss leaves it */
    assert_ok(stage_begin(f->s, &a));
    assert_ok(stage_begin(f->s, &b));

    layer_write(a->fd, "mine", "one");
    assert_ok(stage_publish_layer(a, "mine", key));
    auto_free char *whole = layer_text(f->s, key);
    assert_string_equal(whole, "one");

    layer_write(b->fd, "mine", "one"); /* the loser keeps the winner's, which may be mounted */
    assert_ok(file_write(b->fd, "mine/diff/text", "two", 3, 0644));
    assert_ok(stage_publish_layer(b, "mine", key));
    auto_free char *still = layer_text(f->s, key);
    assert_string_equal(still, "one");
}

/* Many publish the same layer over a torn one while readers look: it is there at every moment, and whole at the end. */
static int publish_same(struct fixture *f, int i)
{
    struct stage *st = NULL;
    char key[65];
    auto_free char *path = xasprintf("layers/%s/layer.json", diffid_of("same", key));
    if (i % 4 == 0) {
        for (int n = 0; n < 500; n++)
            if (!present(f->s, path))
                return 1;
        return 0;
    }
    int r = stage_begin(f->s, &st);
    if (r < 0)
        return r;
    layer_write(st->fd, "new", "same");
    r = stage_publish_layer(st, "new", key);
    stage_end(st);
    return r;
}

static void test_publish_race(void **state)
{
    struct fixture *f = *state;
    char key[65];
    layer_add(f->s, "same", key);
    run_parallel(publish_same, f, 24);
    auto_free char *text = layer_text(f->s, key);
    assert_string_equal(text, "same");
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_life),         store_test(test_owner_killed),  store_test(test_pin_waits_for_collector),
        store_test(test_trust),        store_test(test_trust_of_many), store_test(test_publish_over_existing),
        store_test(test_publish_race),
    };
    return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
