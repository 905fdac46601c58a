/* A store in a directory of its own for each test, and small objects to put there. */
#ifndef WHELK_TEST_STORE_FIXTURE_H
#define WHELK_TEST_STORE_FIXTURE_H

#include "whelk/ctr.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        int r_ = (call);                                                                                               \
        if (r_ < 0)                                                                                                    \
            fail_msg("%s: %d %s", #call, r_, err_text(r_));                                                            \
    } while (0)

struct fixture {
    char dir[64];
    struct store *s;
};

static inline int fixture_setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/whelk-test-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    auto_free char *root = xasprintf("%s/store", f->dir);
    auto_free char *run = xasprintf("%s/run", f->dir);
    if (store_open(root, run, &f->s) < 0)
        return -1;
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->s);
    int r = tree_remove(AT_FDCWD, f->dir);
    free(f);
    return r;
}

#define store_test(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

static inline bool present(const struct store *s, const char *path)
{
    return faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* How many entries dir has. */
static inline size_t entries_in(const struct store *s, const char *dir)
{
    auto_strv char **names = NULL;
    assert_ok(dir_names(s->fd, dir, &names));
    return strv_len(names);
}

/* The diffid that stands for text. */
static inline const char *diffid_of(const char *text, char ret[65])
{
    digest_bytes(text, strlen(text), ret);
    return ret;
}

/* A layer's directory at path; its diffid is the digest of text. */
static inline void layer_write(int dirfd, const char *path, const char *text)
{
    char diffid[65];
    struct layer l = {
        .diffid = (char *)diffid_of(text, diffid), .size = (int64_t)strlen(text), .owners = (char *)"exact"};
    auto_free char *diff = xasprintf("%s/diff", path), *file = xasprintf("%s/diff/text", path);
    auto_free char *record = xasprintf("%s/layer.json", path);
    assert_ok(dir_make(dirfd, path, 0700));
    assert_ok(dir_make(dirfd, diff, 0755));
    assert_ok(file_write(dirfd, file, text, strlen(text), 0644));
    assert_ok(rec_write(&layer_rec, dirfd, record, &l));
}

static inline const char *layer_add(const struct store *s, const char *text, char ret[65])
{
    auto_free char *path = xasprintf("layers/%s", diffid_of(text, ret));
    layer_write(s->fd, path, text);
    return ret;
}

/* An image with one layer for each text, and the image's id. The layers must be there. */
static inline int image_add(struct stage *st, const char *const *texts, char ret_id[65])
{
    struct image_config c = {0};
    auto_strv char **keys = NULL;
    image_config_new(&c);
    for (; *texts; texts++) {
        char diffid[65];
        strv_add(&keys, diffid_of(*texts, diffid));
        image_config_add_diff_id(&c, diffid);
    }
    image_config_put_created(&c, 1000000000);
    int r = image_publish(st, &c, keys, ret_id);
    image_config_done(&c);
    return r;
}

static inline void image_add_now(const struct store *s, const char *const *texts, char ret_id[65])
{
    struct stage *st = NULL;
    assert_ok(stage_begin(s, &st));
    assert_ok(image_add(st, texts, ret_id));
    stage_end(st);
}

/* A published container with these layers (NULL: none). */
static inline int ctr_add(const struct store *s, const char *name, bool auto_remove, char **layers, char ret_id[65])
{
    struct ctr_draft d;
    id_new(ret_id);
    char *args[] = {(char *)"true", NULL};
    struct ctr c = {.id = ret_id, .name = (char *)name, .auto_remove = auto_remove, .layers = layers, .args = args};
    int r = ctr_draft_begin(s, &c, &d);
    if (r == 0)
        r = ctr_publish(s, &c, &d);
    if (r < 0)
        ctr_draft_drop(s, &d);
    return r;
}

/* Forks fn and waits until it says that it is ready (by closing ret's end); the child then sleeps until it is killed.
 */
static inline pid_t spawn_holder(void (*fn)(struct fixture *f, const char *arg), struct fixture *f, const char *arg)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ready[0]);
        fn(f, arg);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 0);
    close(ready[0]);
    return pid;
}

static inline void kill_holder(pid_t pid)
{
    assert_true(pid > 0);
    kill(pid, SIGKILL);
    assert_true(proc_reap(pid) >= 0);
}

/* Runs fn(f, i) in n processes at once; all must end with status 0. */
static inline void run_parallel(int (*fn)(struct fixture *f, int i), struct fixture *f, int n)
{
    pid_t *pids = xcalloc((size_t)n, sizeof(*pids));
    int failed = 0;
    for (int i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            int r = fn(f, i);
            if (r)
                fprintf(stderr, "process %d: %d %s\n", i, r, r < 0 ? err_text(r) : "");
            _exit(r ? 1 : 0);
        }
        assert_true(pids[i] > 0);
    }
    for (int i = 0; i < n; i++)
        failed += proc_reap(pids[i]) != 0;
    free(pids);
    assert_int_equal(failed, 0);
}

#endif
