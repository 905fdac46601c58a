/* Layers for containers with an id map of their own (STORE, unpacking 5): where the kernel cannot show a tree with
 * other owners, it is copied once for each map, as layers/<key>+<16 hex of the map's hash>. Such a copy has no recipe,
 * nothing but containers refers to it, and it goes with its original. It is synced before it gets its name: no record
 * vouches for it (STORE, garbage and durability 4).
 *
 * Runs in: the caller; the copy is made in a worker in the store's user namespace. Lock: the caller holds the store. */
#include "layer-private.h"

#include "whelk/ctr.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/tree-copy.h"

#include <fcntl.h>

enum { HASH_HEX = 16 };

bool ctr_shifts(const struct store *s, const struct ctr *c)
{
    return c->idmap && !idmap_none(&s->map) && !idmap_single(&s->map);
}

char **ctr_layer_keys(const struct store *s, const struct ctr *c, char *const *keys)
{
    char **shifted = NULL, hash[DIGEST_BUF];
    if (!ctr_shifts(s, c))
        return strv_copy(keys);
    auto_free char *text = json_dumps(c->idmap, JSON_COMPACT | JSON_SORT_KEYS);
    digest_bytes(text, strlen(text), hash);
    strv_foreach (key, keys)
        strv_addf(&shifted, "%s+%.*s", key, HASH_HEX, hash);
    return shifted;
}

int ctr_lowers(const struct store *s, const struct ctr *c, char ***ret)
{
    auto_strv char **layers = ctr_layer_keys(s, c, c->layers);
    if (!c->rootfs)
        return layer_lowers(s, layers, ret);
    strv_add(ret, c->rootfs);
    return 0;
}

struct shift_job {
    const struct stage *st;
    const char *key, *shifted; /* of the layer, and of the copy, which is made below the stage under this name */
    struct idmap map;
};

static int shift_worker(void *arg)
{
    const struct shift_job *j = arg;
    auto_free char *from = xasprintf("layers/%s/diff", j->key);
    umask(0);
    int r = dir_make(j->st->fd, j->shifted, 0700);
    if (r < 0)
        return r;
    auto_close int dir = dir_open(j->st->fd, j->shifted);
    r = dir < 0 ? dir : dir_make(dir, "diff", 0700);
    if (r < 0)
        return r;
    auto_close int source = dir_open(j->st->store->fd, from), diff = dir_open(dir, "diff");
    if (source < 0 || diff < 0)
        return source < 0 ? source : diff;
    return tree_copy(source, diff, &(struct id_change){&j->map, false});
}

/* The record says what the original's says; the copy is never sent. */
static int shift_layer(struct stage *st, struct shift_job *j)
{
    auto_with(layer_done) struct layer l = {0};
    auto_free char *record = xasprintf("%s/layer.json", j->shifted);
    int r = layer_load(st->store, j->key, &l);
    if (r == 0)
        r = store_run(st->store, shift_worker, j);
    if (r == 0)
        r = rec_write(&layer_rec, st->fd, record, &l);
    if (r == 0)
        r = stage_sync(st);
    return r < 0 ? r : stage_publish_layer(st, j->shifted, j->shifted);
}

static int shift_all(const struct ctr *c, struct stage **st, const struct store *s, char *const *keys)
{
    auto_strv char **shifted = ctr_layer_keys(s, c, keys);
    int r = 0;
    for (size_t i = 0; keys && keys[i] && r == 0; i++) {
        struct shift_job j = {.key = keys[i], .shifted = shifted[i]};
        if (layer_exists(s, shifted[i]))
            continue;
        r = ctr_idmap(s, c, &j.map);
        if (r == 0 && !*st)
            r = stage_begin(s, st);
        j.st = *st;
        if (r == 0)
            r = shift_layer(*st, &j);
    }
    return r < 0 ? err_wrap(r, "cannot give the layers of %s the ids of its user namespace", c->image_ref) : 0;
}

int ctr_shift_layers(const struct store *s, const struct ctr *c)
{
    const struct ctr_mount *mounts = c->mounts.items;
    struct stage *st = NULL;
    size_t len = 0;
    if (!ctr_shifts(s, c))
        return 0;
    int r = shift_all(c, &st, s, c->layers);
    for (size_t i = 0; i < c->mounts.n && r == 0; i++)
        r = shift_all(c, &st, s, mounts[i].layers);
    auto_free char *packed = err_pack(r, &len); /* clearing away what failed has errors of its own */
    stage_end(st);
    return r < 0 ? err_unpack(packed, len) : 0;
}
