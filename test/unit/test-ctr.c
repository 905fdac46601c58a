/* Containers on disk: publication and names, states by the lock, removal, and --rm containers that lost their
 * supervisor. */
#include "store-fixture.h"

#include "whelk/lock.h"

static void test_publish(void **state)
{
    struct fixture *f = *state;
    char id[65];
    struct ctr_draft d;
    struct stat st;
    id_new(id);
    auto_strv char **args = strv_split("sh -c true", " ");
    struct ctr_mount mount = {.type = (char *)"bind", .source = (char *)"/a", .target = (char *)"/b", .options = args};
    struct ctr c = {
        .id = id,
        .name = (char *)"web",
        .args = args,
        .tty = true,
        .cap_bounding = 0x800405fb,
        .stop_timeout = -1,
        .created = 1234567890,
        .mounts = {&mount, 1},
    };
    mode_t old = umask(077);
    assert_ok(ctr_draft_begin(f->s, &c, &d));
    umask(old);
    assert_int_equal(fstatat(d.fd, "upper", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    assert_int_equal(fstatat(d.fd, "alive", &st, 0), 0);
    assert_int_equal(st.st_size, 0);
    auto_free char *found = NULL;
    assert_int_equal(ctr_find(f->s, "web", &found), -ENOENT); /* not yet visible */
    assert_ok(ctr_publish(f->s, &c, &d));
    assert_int_equal(d.fd, -1);
    ctr_draft_drop(f->s, &d); /* nothing is left to drop */

    struct ctr loaded = {0};
    assert_ok(ctr_load(f->s, id, &loaded));
    assert_string_equal(loaded.name, "web");
    assert_true(loaded.tty && !loaded.open_stdin);
    assert_true(strv_eq(loaded.args, args));
    assert_int_equal(loaded.cap_bounding, 0x800405fb);
    assert_int_equal(loaded.stop_timeout, -1);
    assert_int_equal(loaded.created, 1234567890);
    assert_int_equal(loaded.mounts.n, 1);
    assert_string_equal(((struct ctr_mount *)loaded.mounts.items)->target, "/b");
    ctr_done(&loaded);
    int fd = -1;
    assert_ok(ctr_open_dir(f->s, id, &fd));
    close(fd);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    char id[65];
    struct ctr_draft d;
    struct ctr c = {.id = id, .name = (char *)"../up"};
    id_new(id);
    assert_int_equal(ctr_draft_begin(f->s, &c, &d), -EINVAL);
    c = (struct ctr){.id = (char *)"short", .name = (char *)"x"};
    assert_int_equal(ctr_draft_begin(f->s, &c, &d), -EINVAL);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
    int fd;
    struct ctr loaded = {0};
    struct ctr_state st;
    struct ctr_live live = {0};
    assert_int_equal(ctr_load(f->s, id, &loaded), -ENOENT);
    assert_int_equal(ctr_open_dir(f->s, id, &fd), -ENOENT);
    assert_int_equal(ctr_state(f->s, id, &st), -ENOENT);
    assert_int_equal(ctr_live_load(f->s, id, &live), -ENOENT);
    assert_int_equal(ctr_remove(f->s, id), -ENOENT);
}

/* ---- names ---- */

static void test_name_taken(void **state)
{
    struct fixture *f = *state;
    char holder[65], loser[65], heir[65];
    assert_ok(ctr_add(f->s, "web", false, NULL, holder));
    int r = ctr_add(f->s, "web", true, NULL, loser);
    assert_int_equal(r, -EEXIST);
    assert_non_null(strstr(err_text(r), holder));
    assert_int_equal(entries_in(f->s, "containers"), 1);
    assert_int_equal(entries_in(f->s, "tmp"), 0); /* no draft, no --rm marker */
    assert_ok(ctr_remove(f->s, holder));
    assert_int_equal(entries_in(f->s, "container-names"), 0);
    assert_ok(ctr_add(f->s, "web", false, NULL, heir));
}

/* A link whose container is neither there nor being made is taken over; one whose draft is there is not. */
static void test_dangling_name(void **state)
{
    struct fixture *f = *state;
    char dead[65], id[65];
    auto_free char *found = NULL;
    id_new(dead);
    auto_free char *draft = xasprintf("tmp/ctr-%s", dead);
    assert_int_equal(symlinkat(dead, f->s->fd, "container-names/web"), 0);
    assert_ok(dir_make(f->s->fd, draft, 0700));
    assert_int_equal(ctr_add(f->s, "web", false, NULL, id), -EEXIST);
    assert_int_equal(unlinkat(f->s->fd, draft, AT_REMOVEDIR), 0);
    assert_int_equal(ctr_find(f->s, "web", &found), -ENOENT);
    assert_ok(ctr_add(f->s, "web", false, NULL, id));
    assert_ok(ctr_find(f->s, "web", &found));
    assert_string_equal(found, id);
}

static void test_names_are_swept(void **state)
{
    struct fixture *f = *state;
    char id[65], dead[65];
    id_new(dead);
    auto_free char *draft = xasprintf("tmp/ctr-%s", dead);
    assert_ok(ctr_add(f->s, "web", false, NULL, id));
    assert_int_equal(symlinkat(dead, f->s->fd, "container-names/gone"), 0);
    assert_ok(dir_make(f->s->fd, draft, 0700));
    store_tidy(f->s);
    assert_false(present(f->s, "container-names/gone"));
    assert_true(present(f->s, "container-names/web"));
}

/* Everybody wants one name, whose link dangles at first; who gets it gives it back. At no time do two have it. */
static int fight_for_name(struct fixture *f, int i)
{
    char id[65];
    auto_free char *token = xasprintf("%s/token", f->dir);
    for (int won = 0, n = 0; won < 5; n++) {
        int r = ctr_add(f->s, "prize", false, NULL, id);
        if (r == -EEXIST && n < 100000)
            continue;
        if (r < 0)
            return r;
        if (mkdir(token, 0700) < 0)
            return 1;
        auto_free char *found = NULL;
        r = ctr_find(f->s, "prize", &found);
        if (r < 0 || !str_eq(found, id))
            return r < 0 ? r : 2;
        rmdir(token);
        r = ctr_remove(f->s, id);
        if (r < 0)
            return r;
        won++;
    }
    return 0;
}

static void test_name_race(void **state)
{
    struct fixture *f = *state;
    char dead[65];
    id_new(dead);
    assert_int_equal(symlinkat(dead, f->s->fd, "container-names/prize"), 0);
    run_parallel(fight_for_name, f, 6);
    assert_int_equal(entries_in(f->s, "containers"), 0);
    assert_int_equal(entries_in(f->s, "container-names"), 0);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

static void fake_ctr(const struct store *s, const char *id)
{
    auto_free char *path = xasprintf("containers/%s", id);
    assert_ok(dir_make(s->fd, path, 0700));
}

#define ID_A "abcd1111111111111111111111111111111111111111111111111111111111aa"
#define ID_B "abcd1111111122222222222222222222222222222222222222222222222222bb"
#define ID_C "cafe3333333333333333333333333333333333333333333333333333333333cc"

static void test_find(void **state)
{
    static const struct {
        const char *typed;
        int error;
        const char *id, *text;
    } cases[] = {
        {"web", 0, ID_A, NULL},
        {"cafe", 0, ID_B, NULL}, /* names win over prefixes */
        {ID_A, 0, ID_C, NULL},   /* also where a name looks like an id */
        {ID_B, 0, ID_B, NULL},
        {"cafe3", 0, ID_C, NULL},
        {"c", 0, ID_C, NULL},
        {"abcd", -EINVAL, NULL, "abcd11111111, abcd11111111"},
        {"abcd111111111", 0, ID_A, NULL},
        {"gone", -ENOENT, NULL, "no such container: gone"},
        {"dead", -ENOENT, NULL, "no such container: dead"},
        {"CAFE", -ENOENT, NULL, "no such container"},
        {"../containers/" ID_A, -ENOENT, NULL, "no such container"},
        {"../container-names/web", -ENOENT, NULL, "no such container"},
        {".", -ENOENT, NULL, "no such container"},
        {".lock", -ENOENT, NULL, "no such container"},
        {"", -ENOENT, NULL, "no such container"},
        {"a\033b", -ENOENT, NULL, "no such container: a\\x1bb"},
    };
    struct fixture *f = *state;
    fake_ctr(f->s, ID_A);
    fake_ctr(f->s, ID_B);
    fake_ctr(f->s, ID_C);
    assert_int_equal(symlinkat(ID_A, f->s->fd, "container-names/web"), 0);
    assert_int_equal(symlinkat(ID_B, f->s->fd, "container-names/cafe"), 0);
    assert_int_equal(symlinkat(ID_C, f->s->fd, "container-names/" ID_A), 0);
    char none[65];
    id_new(none);
    assert_int_equal(symlinkat(none, f->s->fd, "container-names/gone"), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *id = NULL;
        print_message("%s\n", cases[i].typed);
        int r = ctr_find(f->s, cases[i].typed, &id);
        assert_int_equal(r, cases[i].error);
        if (r < 0)
            assert_non_null(strstr(err_text(r), cases[i].text));
        else
            assert_string_equal(id, cases[i].id);
    }
}

/* ---- states ---- */

static int open_alive(const struct store *s, const char *id)
{
    auto_free char *path = xasprintf("containers/%s/alive", id);
    int fd = openat(s->fd, path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void write_exit(const struct store *s, const char *id, struct exit_record r)
{
    auto_close int fd = open_alive(s, id);
    assert_ok(exit_record_write(fd, &r));
}

/* A supervisor as far as the store sees one. */
static void supervise(struct fixture *f, const char *id)
{
    int fd = open_alive(f->s, id);
    if (record_lock_take(fd) < 0 || exit_record_write(fd, &(struct exit_record){.generation = 1, .started = 1000}) < 0)
        _exit(1);
}

static void test_states(void **state)
{
    struct fixture *f = *state;
    char id[65];
    struct ctr_state st;
    assert_ok(ctr_add(f->s, "web", false, NULL, id));
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_CREATED);
    assert_int_equal(st.generation, 0);

    pid_t pid = spawn_holder(supervise, f, id);
    for (int i = 0; i < 3; i++) {
        assert_ok(ctr_state(f->s, id, &st));
        assert_int_equal(st.status, CTR_RUNNING);
        assert_int_equal(st.supervisor, pid);
        assert_int_equal(st.generation, 1);
        assert_int_equal(st.started, 1000);
        assert_false(st.lost);
    }
    kill_holder(pid);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_EXITED);
    assert_int_equal(st.supervisor, 0);
    assert_true(st.lost);
    assert_int_equal(st.exit_code, 137);
    assert_string_equal(st.error, "supervisor lost");

    write_exit(f->s, id, (struct exit_record){.generation = 2, .started = 5, .finished = 7, .exit_code = 3});
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_EXITED);
    assert_int_equal(st.exit_code, 3);
    assert_int_equal(st.generation, 2);
    assert_int_equal(st.finished, 7);
    assert_false(st.lost);
    assert_string_equal(ctr_status_name(st.status), "exited");

    struct exit_record failed = {
        .generation = 3, .started = 8, .finished = 9, .exit_code = 127, .error = "no such file: x"};
    write_exit(f->s, id, failed);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.exit_code, 127);
    assert_string_equal(st.error, "no such file: x");

    auto_free char *alive = xasprintf("containers/%s/alive", id); /* torn by a power loss */
    assert_ok(file_write(f->s->fd, alive, "{\"gene", 6, 0600));
    assert_ok(ctr_state(f->s, id, &st));
    assert_true(st.status == CTR_EXITED && st.lost);
}

static void write_live(const struct store *s, const char *id, const char *boot_id, int64_t started)
{
    auto_free char *path = xasprintf("containers/%s/live.json", id);
    struct ctr_live l = {.boot_id = (char *)boot_id, .pid = 77, .pid_start = 99, .started = started};
    assert_ok(rec_save(&ctr_live_rec, s->fd, path, &l, false));
}

/* A held lock and another boot's live record: a shared home. But one that is older than this start is just old. */
static void test_elsewhere(void **state)
{
    struct fixture *f = *state;
    char id[65];
    struct ctr_state st;
    struct ctr_live live = {0};
    assert_ok(ctr_add(f->s, "web", false, NULL, id));
    write_live(f->s, id, "other-boot", 2000);
    assert_ok(ctr_live_load(f->s, id, &live));
    assert_int_equal(live.pid, 77);
    assert_int_equal(live.pid_start, 99);
    ctr_live_done(&live);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_CREATED);
    pid_t pid = spawn_holder(supervise, f, id);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_ELSEWHERE);
    assert_int_equal(st.supervisor, 0);
    write_live(f->s, id, "other-boot", 999);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_RUNNING);
    write_live(f->s, id, proc_boot_id(), 2000);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_RUNNING);
    kill_holder(pid);
}

static void test_exit_record(void **state)
{
    struct fixture *f = *state;
    auto_free char *path = xasprintf("%s/alive", f->dir);
    auto_close int fd = open(path, O_RDWR | O_CREAT, 0600);
    struct exit_record r = {.generation = INT64_MAX, .started = INT64_MAX, .finished = INT64_MAX, .exit_code = 255},
                       back = {0};
    assert_int_equal(exit_record_read(fd, &back), -ENOENT);
    memset(r.error, 1, sizeof(r.error) - 1); /* the worst that can be in a text: six bytes each */
    for (int i = 0; i < 2; i++) {
        struct stat st;
        assert_ok(exit_record_write(fd, &r));
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, 512);
        assert_ok(exit_record_read(fd, &back));
        assert_int_equal(back.generation, r.generation);
        assert_int_equal(back.finished, r.finished);
        assert_int_equal(back.exit_code, 255);
        assert_true(strncmp(back.error, r.error, strlen(back.error)) == 0);
        assert_true(strlen(back.error) > 20);
        memset(r.error, 'x', sizeof(r.error) - 1);
    }
    assert_string_equal(back.error, r.error);
}

/* A reader meets a whole record or none, however often it is replaced. */
static int write_or_read(struct fixture *f, int i)
{
    auto_free char *path = xasprintf("%s/alive", f->dir);
    auto_close int fd = open(path, O_RDWR | O_CREAT, 0600);
    for (int64_t n = 1; n < 2000; n++) {
        struct exit_record r = {.generation = n * n, .started = n};
        int e = i == 0 ? exit_record_write(fd, &r) : exit_record_read(fd, &r);
        if (e < 0 && e != -ENOENT)
            return e;
        if (e == 0 && r.generation != r.started * r.started)
            return 1;
    }
    return 0;
}

static void test_exit_record_race(void **state)
{
    run_parallel(write_or_read, *state, 3);
}

/* ---- removal ---- */

static void test_remove(void **state)
{
    struct fixture *f = *state;
    char id[65], other[65];
    auto_free char *cid_file = xasprintf("%s/cid", f->dir), *foreign = xasprintf("%s/foreign", f->dir);
    char *const cid_files[] = {cid_file, foreign};
    for (size_t i = 0; i < ARRAY_LEN(cid_files); i++) {
        struct ctr_draft d;
        id_new(id);
        char *args[] = {(char *)"true", NULL};
        struct ctr c = {.id = id, .name = (char *)"web", .auto_remove = true, .cid_file = cid_files[i], .args = args};
        assert_ok(ctr_draft_begin(f->s, &c, &d));
        assert_ok(file_write(d.fd, "upper/file", "x", 1, 0600));
        assert_ok(ctr_publish(f->s, &c, &d));
        assert_int_equal(entries_in(f->s, "tmp"), 1);
        const char *text = i == 0 ? id : "something of the user";
        assert_ok(file_write(AT_FDCWD, cid_files[i], text, strlen(text), 0600));
        assert_ok(ctr_remove(f->s, id));
        assert_int_equal(entries_in(f->s, "containers"), 0);
        assert_int_equal(entries_in(f->s, "container-names"), 0);
        assert_int_equal(entries_in(f->s, "tmp"), 0);
    }
    assert_int_equal(access(cid_file, F_OK), -1);
    assert_int_equal(access(foreign, F_OK), 0);

    /* A damaged record does not make it stay, nor does a name that has gone to another. */
    assert_ok(ctr_add(f->s, "web", false, NULL, id));
    assert_ok(ctr_add(f->s, "db", false, NULL, other));
    auto_free char *record = xasprintf("containers/%s/container.json", id);
    assert_ok(file_write(f->s->fd, record, "", 0, 0600));
    assert_ok(ctr_remove(f->s, id));
    assert_false(present(f->s, "container-names/web"));
    assert_int_equal(unlinkat(f->s->fd, "container-names/db", 0), 0);
    assert_int_equal(symlinkat(id, f->s->fd, "container-names/db"), 0);
    assert_ok(ctr_remove(f->s, other));
    assert_true(present(f->s, "container-names/db"));
}

/* Only a --rm container that was started and is over goes. */
static void test_tidy_removes_dead(void **state)
{
    struct fixture *f = *state;
    char created[65], running[65], ended[65], lost[65], plain[65];
    assert_ok(ctr_add(f->s, "created", true, NULL, created));
    assert_ok(ctr_add(f->s, "running", true, NULL, running));
    assert_ok(ctr_add(f->s, "ended", true, NULL, ended));
    assert_ok(ctr_add(f->s, "lost", true, NULL, lost));
    assert_ok(ctr_add(f->s, "plain", false, NULL, plain));
    pid_t supervisor = spawn_holder(supervise, f, running);
    kill_holder(spawn_holder(supervise, f, lost));
    write_exit(f->s, ended, (struct exit_record){.generation = 1, .started = 1, .finished = 2});
    write_exit(f->s, plain, (struct exit_record){.generation = 1, .started = 1, .finished = 2});
    auto_close int hold = -1;
    assert_ok(store_hold(f->s, &hold)); /* needs no lock */
    store_tidy(f->s);
    static const struct {
        const char *name;
        bool there;
    } cases[] = {{"created", true}, {"running", true}, {"ended", false}, {"lost", false}, {"plain", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *found = NULL;
        print_message("%s\n", cases[i].name);
        assert_int_equal(ctr_find(f->s, cases[i].name, &found), cases[i].there ? 0 : -ENOENT);
    }
    assert_int_equal(entries_in(f->s, "tmp"), 2);
    kill_holder(supervisor);
}

/* Holds a claim until it is killed: the STARTER of `run --rm`. */
static void claim(struct fixture *f, const char *id)
{
    struct ctr_draft d;
    char *args[] = {(char *)"true", NULL};
    struct ctr c = {.id = (char *)(uintptr_t)id, .name = (char *)"web", .auto_remove = true, .args = args};
    int fd = -1;
    if (ctr_draft_begin(f->s, &c, &d) < 0 || ctr_claim(&d, &fd) < 0 || ctr_publish(f->s, &c, &d) < 0)
        _exit(1);
}

/* It goes when who wanted to start it has been killed, but not while somebody has it locked. */
static void test_tidy_removes_abandoned(void **state)
{
    struct fixture *f = *state;
    struct ctr_state st;
    char id[65];
    int lock = -1;
    id_new(id);
    pid_t starter = spawn_holder(claim, f, id);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_CREATED);
    assert_true(st.claimed && !st.abandoned);
    store_tidy(f->s);
    kill_holder(starter);
    assert_ok(ctr_state(f->s, id, &st));
    assert_int_equal(st.status, CTR_CREATED);
    assert_true(!st.claimed && st.abandoned);
    assert_ok(ctr_lock(f->s, id, false, &lock));
    store_tidy(f->s);
    assert_int_equal(entries_in(f->s, "containers"), 1);
    ctr_unlock(f->s, id, lock);
    store_tidy(f->s);
    assert_int_equal(entries_in(f->s, "containers"), 0);
    assert_int_equal(entries_in(f->s, "container-names"), 0);
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

/* Who had the directory locked deletes it. */
static void test_unlock_of_removed(void **state)
{
    struct fixture *f = *state;
    char id[65], trash[80];
    int lock = -1;
    assert_ok(ctr_add(f->s, "web", true, NULL, id));
    assert_ok(ctr_lock(f->s, id, true, &lock));
    assert_ok(ctr_retire(f->s, id, trash));
    ctr_delete_retired(f->s, trash);
    assert_int_equal(entries_in(f->s, "tmp"), 1);
    err_set(-EBUSY, "kept");
    ctr_unlock(f->s, id, lock);
    assert_string_equal(err_text(-EBUSY), "kept");
    assert_int_equal(entries_in(f->s, "tmp"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_publish),
        store_test(test_refused),
        store_test(test_name_taken),
        store_test(test_dangling_name),
        store_test(test_names_are_swept),
        store_test(test_name_race),
        store_test(test_find),
        store_test(test_states),
        store_test(test_elsewhere),
        store_test(test_exit_record),
        store_test(test_exit_record_race),
        store_test(test_remove),
        store_test(test_tidy_removes_dead),
        store_test(test_tidy_removes_abandoned),
        store_test(test_unlock_of_removed),
    };
    return cmocka_run_group_tests_name("ctr", tests, NULL, NULL);
}
