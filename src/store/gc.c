/* The collector. Under gc.lock exclusive it marks the layers that records and the pins of running operations name and
 * renames the others to trash; it deletes after the lock is gone. Images are roots whether they have a name or not:
 * removing them is a command's matter.
 *
 * Why nothing in use can go: whoever extends references does it under gc.lock shared (a container from its image's
 * look-up to its publication) or has pinned under it what it is going to use (stage.c). */
#include "whelk/gc.h"

#include "marks.h"
#include "store-private.h"

#include "whelk/cache.h"
#include "whelk/ctr.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/hint.h"
#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/log.h"
#include "whelk/stage.h"

#include <fcntl.h>
#include <time.h>

enum { PATIENCE_MS = 5000, CHAIN_HEX = 16, TEMP_MAX_AGE = 3600 };

/* ---- roots ---- */

static int mark_container(const struct store *s, const char *id, struct marks *m)
{
    struct ctr c = {0};
    int r = ctr_load(s, id, &c);
    if (r == -ENOENT && store_has(s, "containers", id))
        return err_set(-EBADMSG, "containers/%s has no container.json", id);
    if (r < 0)
        return r == -ENOENT ? 0 : r; /* removed meanwhile: that takes no lock */
    strv_foreach (key, c.layers)
        mark(m, key);
    const struct ctr_mount *mounts = c.mounts.items;
    for (size_t i = 0; i < c.mounts.n; i++)
        strv_foreach (layer, mounts[i].layers)
            mark(m, layer);
    ctr_done(&c);
    return 0;
}

/* What a running operation pinned and what it made. */
static int mark_operation(const struct store *s, const char *name, struct marks *m)
{
    if (!str_after(name, "op-") || stage_is_stale(s, name))
        return 0;
    int r = mark_notes(s, name, "pins", m);
    return r < 0 ? r : mark_notes(s, name, "made", m);
}

static const struct {
    const char *dir;
    int (*mark)(const struct store *s, const char *name, struct marks *m);
} roots[] = {
    {"images", mark_image},
    {"containers", mark_container},
    {"cache/steps", mark_step},
    {"tmp", mark_operation},
};

static int mark_all(const struct store *s, struct marks *m)
{
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        auto_strv char **names = NULL;
        int r = dir_names(s->fd, roots[i].dir, &names);
        if (r < 0 && r != -ENOENT)
            return r;
        strv_foreach (name, names) {
            r = roots[i].mark(s, name, m);
            if (r < 0)
                return err_wrap(r, "cannot tell what is in use");
        }
    }
    marks_sort(m);
    return 0;
}

/* ---- layers ---- */

/* A key is <diffid>[-<16 hex>]; a copy with shifted owners adds "+<hash>" and lives as long as its base. Other names
 * are not ours to judge. *ret_base: caller frees. */
static bool parse_key(const char *name, char **ret_base)
{
    auto_free char *base = xstrndup(name, strcspn(name, "+"));
    const char *chain = strlen(base) > ID_LEN ? base + ID_LEN : "";
    auto_free char *diffid = xstrndup(base, ID_LEN);
    if (!str_is_hex(diffid, ID_LEN) || (*chain && (*chain != '-' || !str_is_hex(chain + 1, CHAIN_HEX))))
        return false;
    *ret_base = take_ptr(&base);
    return true;
}

static int collect_layer(const struct store *s, const char *key, struct gc_result *result)
{
    struct layer l = {0};
    int64_t size = layer_load(s, key, &l) == 0 ? l.size : 0;
    layer_done(&l);
    int r = trash_move(s, "layers", key, NULL);
    if (r < 0)
        return r;
    strv_add(&result->layers, key);
    result->bytes += (uint64_t)size;
    return 0;
}

static int collect_layers(const struct store *s, const struct marks *m, struct gc_result *result)
{
    auto_strv char **names = NULL;
    int r = dir_names(s->fd, "layers", &names);
    if (r < 0)
        return r;
    strv_foreach (name, names) {
        auto_free char *base = NULL;
        if (!parse_key(name, &base) || is_marked(m, name) || is_marked(m, base))
            continue;
        r = collect_layer(s, name, result);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- indexes ---- */

/* They live by the names that refer to them. Under the exclusive lock none is on its way to its name. */
static int collect_indexes(const struct store *s)
{
    auto_strv char **files = NULL, **used = NULL;
    int r = dir_names(s->fd, "indexes", &files);
    if (r < 0 || !files)
        return r == -ENOENT ? 0 : r;
    r = names_indexes(s, &used);
    strv_foreach (file, files) {
        auto_free char *path = xasprintf("indexes/%s", file);
        if (r == 0 && !strv_has(used, file))
            unlinkat(s->fd, path, 0);
    }
    return r;
}

/* ---- temporary files of killed writers ---- */

/* Records are replaced by way of ".tmp-*" files beside them; one that is an hour old has no writer any more. */
static void sweep_temps(const struct store *s)
{
    static const char *const dirs[] = {".", "names", "indexes", "networks", "cache", "cache/steps", "cache/told",
                                       "cache/hints"};
    time_t limit = time(NULL) - TEMP_MAX_AGE;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        auto_close int fd = dir_open(s->fd, dirs[i]);
        auto_dir DIR *dir = fd < 0 ? NULL : dir_iterate(fd);
        struct stat st;
        for (struct dirent *e; dir && (e = readdir(dir));) {
            if (str_after(e->d_name, ".tmp-") && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(st.st_mode) && st.st_mtime < limit)
                unlinkat(fd, e->d_name, 0);
        }
    }
}

/* ---- the run ---- */

static int mark_and_move(const struct store *s, struct gc_result *result)
{
    auto_with(marks_done) struct marks m = {0};
    auto_close int lock = -1;
    int r = store_lock_all(s, PATIENCE_MS, &lock);
    if (r == -EWOULDBLOCK)
        return err_set(r, "cannot collect garbage: other commands keep the store busy; try again");
    if (r < 0)
        return r;
    sweep_stale(s);
    sweep_temps(s);
    r = mark_all(s, &m);
    if (r == 0)
        r = collect_layers(s, &m, result);
    if (r == 0)
        r = collect_indexes(s);
    if (r == 0)
        blob_hints_sweep(s);
    return r;
}

int gc_run(struct store *s, struct gc_result *ret)
{
    struct gc_result result = {0};
    int r = mark_and_move(s, &result);
    trash_empty(s);
    if (r == 0 && ret) {
        *ret = result;
        return 0;
    }
    gc_result_done(&result);
    return r;
}

void gc_result_done(struct gc_result *r)
{
    strv_free(r->layers);
    *r = (struct gc_result){0};
}
