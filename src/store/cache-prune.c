/* What the build cache gives up (STORE, garbage 3): records of steps, whose layers then are garbage where nothing else
 * names them, and the directories of RUN --mount=type=cache. */
#include "whelk/cache.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/lock.h"
#include "whelk/units.h"

#include <fcntl.h>
#include <sys/statvfs.h>

enum { DAY_S = 86400 };

struct found {
    char *key;
    struct cache_step step;
    bool readable;
};

static int newest_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return (x->step.used < y->step.used) - (x->step.used > y->step.used);
}

static int image_layers(const struct store *s, char ***ret)
{
    auto_strv char **ids = NULL;
    int r = image_list(s, &ids);
    strv_foreach (id, ids) {
        struct image i = {0};
        r = r < 0 ? r : image_load(s, id, &i);
        if (r == 0)
            strv_extend(ret, i.layers);
        r = r == -ENOENT ? 0 : r;
        image_done(&i);
    }
    return r;
}

static struct found *load_all(const struct store *s, char *const *keys, size_t n)
{
    struct found *v = xcalloc(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        auto_free char *path = xasprintf("cache/steps/%s", keys[i]);
        v[i].key = keys[i];
        v[i].readable = rec_load(&cache_step_rec, s->fd, path, &v[i].step) == 0;
    }
    err_clear();
    if (n)
        qsort(v, n, sizeof *v, newest_first);
    return v;
}

/* held: layers that images have; sum: bytes of what was kept so far. A layer that several records name counts once for
 * each, which errs on the small side. */
static bool keeps(const struct cache_prune *p, const struct found *f, char *const *held, uint64_t *sum)
{
    if (!f->readable)
        return false;
    if (p->before && f->step.used >= p->before)
        return true;
    if (!p->all && f->step.layer && strv_has(held, f->step.layer))
        return true;
    *sum += (uint64_t)f->step.size;
    return p->keep && *sum <= p->keep;
}

/* What is told of records that are no more. */
static int drop_orphans(const struct store *s)
{
    auto_strv char **told = NULL;
    int r = dir_names(s->fd, "cache/told", &told);
    strv_foreach (key, told)
        if (!store_has(s, "cache/steps", key))
            r = r < 0 ? r : cache_step_remove(s, key);
    return r == -ENOENT ? 0 : r;
}

int cache_steps_prune(const struct store *s, const struct cache_prune *p)
{
    auto_strv char **keys = NULL, **held = NULL;
    uint64_t sum = 0;
    int r = dir_names(s->fd, "cache/steps", &keys);
    if (r == 0 && !p->all)
        r = image_layers(s, &held);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    size_t n = strv_len(keys);
    struct found *v = load_all(s, keys, n);
    for (size_t i = 0; i < n; i++) {
        if (!keeps(p, &v[i], held, &sum) && cache_step_remove(s, v[i].key) == 0 && p->told)
            p->told(p->ctx, v[i].key);
        cache_step_done(&v[i].step);
    }
    free(v);
    return drop_orphans(s);
}

uint64_t cache_budget(const struct store *s)
{
    const uint64_t most = UINT64_C(10) * 1000 * 1000 * 1000;
    struct statvfs fs;
    if (fstatvfs(s->fd, &fs) < 0)
        return most;
    return MIN(most, (uint64_t)fs.f_blocks * fs.f_frsize / 10);
}

int cache_keep_budget(const struct store *s)
{
    struct stat st;
    if (fstatat(s->fd, "cache/pruned", &st, 0) == 0 && time_now() / 1000000000 - st.st_mtime < DAY_S)
        return 0;
    int r = file_write(s->fd, "cache/pruned", "", 0, 0600);
    return r < 0 ? r : cache_steps_prune(s, &(struct cache_prune){.all = true, .keep = cache_budget(s)});
}

/* ---- directories of RUN --mount=type=cache ---- */

/* Nobody sets it up and nobody has it mounted. */
static int hold_mount(int dir, int *ret_setup, int *ret_lock)
{
    int r = lock_file(dir, "setup", true, false, ret_setup);
    return r < 0 ? r : lock_file(dir, "lock", true, false, ret_lock);
}

static bool is_old(int dir, int64_t before)
{
    struct stat st; /* written anew at each use */
    return !before || fstatat(dir, "id", &st, 0) < 0 || st.st_mtime < before / 1000000000;
}

static int prune_mount(const struct store *s, const struct cache_prune *p, const char *name)
{
    auto_free char *path = xasprintf(CACHE_MOUNTS "/%s", name), *id = NULL;
    auto_close int dir = dir_open(s->fd, path), setup = -1, lock = -1;
    if (dir < 0)
        return dir;
    if (!is_old(dir, p->before) || hold_mount(dir, &setup, &lock) < 0) {
        err_clear();
        return 0;
    }
    if (file_read(dir, "id", 4096, &id, NULL) < 0)
        id = xstrdup(name);
    int r = store_trash(s, CACHE_MOUNTS, name);
    if (r == 0 && p->told)
        p->told(p->ctx, id);
    return r;
}

int cache_mounts_prune(const struct store *s, const struct cache_prune *p)
{
    auto_strv char **names = NULL;
    int r = dir_names(s->fd, CACHE_MOUNTS, &names);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    strv_foreach (name, names)
        r = r < 0 ? r : prune_mount(s, p, name);
    return r;
}
