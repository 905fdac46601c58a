/* The build cache's step records: cache/steps/<key>. Derived data: what is damaged counts as absent and is made again.
 */
#include "whelk/cache.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/log.h"
#include "whelk/units.h"

#include <fcntl.h>

enum { TOLD_MAX = 256 << 20 }; /* a million files */

/* How exactly the time of last use is kept; a hit within it writes nothing. */
static const int64_t used_grain_ns = 3600 * INT64_C(1000000000);

static const struct rec_field step_fields[] = {
    REC_FIELD(struct cache_step, STR, layer, "layer"),
    REC_FIELD(struct cache_step, STR, diffid, "diffid"),
    REC_FIELD(struct cache_step, INT, size, "size"),
    REC_FIELD(struct cache_step, TIME, created, "created"),
    REC_FIELD(struct cache_step, TIME, used, "used"),
    REC_FIELD(struct cache_step, STR, created_by, "created_by"),
    REC_END,
};
const struct rec_type cache_step_rec = {"build step", 1, sizeof(struct cache_step), step_fields};

void cache_step_done(struct cache_step *step)
{
    rec_done(&cache_step_rec, step);
}

static int check_key(const char *key)
{
    return str_is_hex(key, ID_LEN) ? 0 : err_set(-EINVAL, "the key of a build step is %d hexadecimal digits", ID_LEN);
}

/* A hit that cannot be noted is still a hit. */
static void note_use(const struct store *s, const char *path, struct cache_step *step)
{
    int64_t now = time_now();
    if (now - step->used < used_grain_ns)
        return;
    step->used = now;
    if (rec_save(&cache_step_rec, s->fd, path, step, false) < 0)
        log_debug("cannot note the use of %s: %s", path, err_text(-EIO));
}

int cache_step_get(const struct store *s, const char *key, struct cache_step *ret)
{
    auto_free char *path = xasprintf("cache/steps/%s", key);
    struct cache_step step = {0};
    int r = check_key(key);
    if (r == 0)
        r = rec_load(&cache_step_rec, s->fd, path, &step);
    if (r < 0) {
        if (r != -ENOENT)
            log_debug("%s is not used: %s", path, err_text(r));
        return -ENOENT;
    }
    if (step.layer && !store_has(s, "layers", step.layer)) {
        cache_step_done(&step);
        return -ENOENT;
    }
    note_use(s, path, &step);
    *ret = step;
    return 0;
}

int cache_step_put(const struct store *s, const char *key, const struct cache_step *step)
{
    auto_free char *path = xasprintf("cache/steps/%s", key);
    int r = check_key(key);
    return r < 0 ? r : rec_save(&cache_step_rec, s->fd, path, step, false);
}

static int move_in(const struct store *s, int dir, const char *kind, const char *key)
{
    auto_free char *from = xasprintf("%s/%s", kind, key), *to = xasprintf("cache/%s", from);
    return renameat(dir, from, s->fd, to) < 0 && errno != ENOENT ? err_sys("cannot publish %s/%s", s->path, to) : 0;
}

int cache_step_adopt(const struct store *s, int dir, const char *key)
{
    int r = check_key(key);
    if (r == 0)
        r = dir_make(s->fd, "cache/told", 0700);
    if (r == 0)
        r = move_in(s, dir, "told", key);
    return r < 0 ? r : move_in(s, dir, "steps", key);
}

int cache_step_remove(const struct store *s, const char *key)
{
    auto_free char *path = xasprintf("cache/steps/%s", key), *told = xasprintf("cache/told/%s", key);
    if (unlinkat(s->fd, path, 0) < 0 && errno != ENOENT)
        return err_sys("cannot remove %s/%s", s->path, path);
    if (unlinkat(s->fd, told, 0) < 0 && errno != ENOENT)
        return err_sys("cannot remove %s/%s", s->path, told);
    return 0;
}

int cache_steps_remove_all(const struct store *s)
{
    auto_strv char **keys = NULL;
    int r = dir_names(s->fd, "cache/steps", &keys);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    strv_foreach (key, keys) {
        r = cache_step_remove(s, key);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- what a key covers ---- */

int cache_told_get(const struct store *s, const char *key, char **ret)
{
    auto_free char *path = xasprintf("cache/told/%s", key);
    int r = check_key(key);
    return r < 0 ? r : file_read(s->fd, path, TOLD_MAX, ret, NULL);
}

struct aged {
    char *key;
    struct timespec time;
};

static int newest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const struct aged *)a)->time, *y = &((const struct aged *)b)->time;
    return x->tv_sec != y->tv_sec ? (x->tv_sec < y->tv_sec) - (x->tv_sec > y->tv_sec)
                                  : (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

int cache_told_keys(const struct store *s, char ***ret)
{
    auto_strv char **keys = NULL;
    int r = dir_names(s->fd, "cache/told", &keys);
    size_t n = strv_len(keys);
    auto_free struct aged *v = xcalloc(n + 1, sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        auto_free char *path = xasprintf("cache/told/%s", keys[i]);
        struct stat st = {0};
        fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW); /* one that is gone is found to be absent */
        v[i] = (struct aged){keys[i], st.st_mtim};
    }
    if (n)
        qsort(v, n, sizeof(*v), newest_first);
    for (size_t i = 0; i < n; i++)
        strv_add(ret, v[i].key);
    return r;
}
