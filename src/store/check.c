/* Looking for damage in a store. Objects in the order of what refers to what: a layer that is removed makes its images
 * damaged, and these their containers. What is looked at:
 *
 *     layers       the record can be read; the tar of the recipe hashes to the diffid
 *     images       the record can be read, the configuration hashes to the id, all layers are there
 *     names        lead to images that are there
 *     containers   the record can be read, all layers and volumes are there, the name leads here
 *     volumes, secrets, cached steps   the record can be read; a step's layer is there
 *     directories and records          belong to the user and are nobody else's to read
 *
 * What killed commands left is no damage: it is swept before. */
#include "whelk/check.h"

#include "store-private.h"

#include "whelk/cache.h"
#include "whelk/ctr.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/secret.h"
#include "whelk/volume.h"

#include <fcntl.h>

enum { CONFIG_MAX = 8 << 20, DIR_MODE = 0700, FILE_MODE = 0600 };

struct check {
    struct store *store;
    const struct check_options *o;
    size_t found, left;
};

/* Tells of a damage; true if it is to be mended now, by what `mend` says. mend NULL: it cannot be. */
static bool damage(struct check *c, const char *mend, bool allowed, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool damage(struct check *c, const char *mend, bool allowed, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    auto_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    bool now = mend && allowed && c->o->repair;
    auto_free char *line = now ? xasprintf("%s: %s", text, mend) : xstrdup(text);
    c->found++;
    c->left += !now;
    c->o->tell(c->o->ctx, line);
    err_clear();
    return now;
}

/* What could not be mended after all. */
static void mended(struct check *c, int r, const char *object)
{
    if (r >= 0)
        return;
    auto_free char *line = xasprintf("%s: cannot be mended: %s", object, err_text(r));
    c->left++;
    c->o->tell(c->o->ctx, line);
    err_clear();
}

/* ---- layers ---- */

struct hash {
    const struct store *store;
    const char *key;
};

static int hash_worker(void *arg)
{
    const struct hash *h = arg;
    return layer_send(h->store, h->key, -1);
}

static void check_layer(struct check *c, const char *key)
{
    struct layer l = {0};
    bool shifted = strchr(key, '+') != NULL; /* a copy of one that is looked at itself */
    if (str_eq(key, "empty")) /* no layer, but what stands for none (layer_lowers) */
        return;
    int r = layer_load(c->store, key, &l);
    layer_done(&l);
    if (r == 0 && !c->o->quick && !shifted)
        r = store_run(c->store, hash_worker, &(struct hash){c->store, key});
    if (r == 0)
        return;
    auto_free char *why = xstrdup(err_is_clear() ? "its record is missing" : err_text(r));
    if (damage(c, "removed", true, "layer %.12s: %s", key, why))
        mended(c, store_trash(c->store, "layers", key), key);
}

/* ---- images ---- */

/* What is wrong with it, or NULL. Caller frees. */
static char *image_damage(const struct store *s, const char *id)
{
    struct image i = {0};
    auto_free char *path = xasprintf("images/%s/config", id), *bytes = NULL;
    size_t len = 0;
    char digest[DIGEST_BUF];
    int r = image_load(s, id, &i);
    if (r < 0)
        return xstrdup(r == -ENOENT ? "its record is missing" : err_text(r));
    char *text = NULL;
    if (file_read(s->fd, path, CONFIG_MAX, &bytes, &len) < 0)
        text = xstrdup("its configuration is missing");
    else {
        digest_bytes(bytes, len, digest);
        text = str_eq(digest, id) ? NULL : xstrdup("its configuration was changed");
    }
    strv_foreach (key, i.layers)
        if (!text && !layer_exists(s, key))
            text = xasprintf("its layer %.12s is missing", key);
    image_done(&i);
    return text;
}

static void check_image(struct check *c, const char *id)
{
    auto_free char *text = image_damage(c->store, id);
    if (!text || !damage(c, "removed; pull or build it again", true, "image %.12s: %s", id, text))
        return;
    int r = image_remove(c->store, id);
    mended(c, r == -ENOENT ? store_trash(c->store, "images", id) : r, id);
}

static int check_names(struct check *c)
{
    struct rec_list names = {0};
    int r = names_load(c->store, &names);
    const struct image_name *n = names.items;
    for (size_t i = 0; r == 0 && i < names.n; i++)
        if (n[i].image && !store_has(c->store, "images", n[i].image) &&
            damage(c, "removed", true, "name %s: its image %.12s is missing", n[i].reference, n[i].image))
            mended(c, name_remove(c->store, n[i].reference), n[i].reference);
    names_done(&names);
    return r;
}

/* ---- containers ---- */

static void check_link(struct check *c, const struct ctr *ctr)
{
    char id[ID_LEN + 1] = "";
    auto_free char *path = xasprintf("container-names/%s", ctr->name);
    bool there = readlinkat(c->store->fd, path, id, ID_LEN) == ID_LEN;
    if (there && str_eq(id, ctr->id))
        return;
    bool free_name = !there || !store_has(c->store, "containers", id);
    if (damage(c, "made again", free_name, "container %.12s: its name %s %s", ctr->id, ctr->name,
               there ? "leads to another one" : "leads nowhere")) {
        unlinkat(c->store->fd, path, 0);
        mended(c, symlinkat(ctr->id, c->store->fd, path) < 0 ? err_sys("cannot make %s", path) : 0, ctr->name);
    }
}

static char *ctr_damage(const struct store *s, const struct ctr *ctr)
{
    const struct ctr_mount *mounts = ctr->mounts.items;
    strv_foreach (key, ctr->layers)
        if (!layer_exists(s, key))
            return xasprintf("its layer %.12s is missing", key);
    for (size_t i = 0; i < ctr->mounts.n; i++)
        if (str_eq(mounts[i].type, "volume") && mounts[i].source && !store_has(s, "volumes", mounts[i].source))
            return xasprintf("its volume %s is missing", mounts[i].source);
    return NULL;
}

static void check_container(struct check *c, const char *id)
{
    struct ctr ctr = {0};
    struct ctr_state st = {0};
    int r = ctr_load(c->store, id, &ctr);
    auto_free char *text =
        r == 0 ? ctr_damage(c->store, &ctr) : xstrdup(r == -ENOENT ? "its record is missing" : err_text(r));
    bool up = ctr_state(c->store, id, &st) == 0 && ctr_is_up(&st);
    if (r == 0)
        check_link(c, &ctr);
    if (text && damage(c, "removed", c->o->force && !up, "container %.12s: %s", id, text))
        mended(c, ctr_remove(c->store, id), id);
    ctr_done(&ctr);
    err_clear();
}

static int check_links(struct check *c)
{
    auto_strv char **names = NULL;
    bool sweep = false;
    int r = dir_names(c->store->fd, "container-names", &names);
    strv_foreach (name, names) {
        char id[ID_LEN + 1] = "";
        auto_free char *path = xasprintf("container-names/%s", name);
        bool link = readlinkat(c->store->fd, path, id, ID_LEN) == ID_LEN;
        if (link && !store_has(c->store, "containers", id))
            sweep = damage(c, "removed", true, "container name %s: there is no such container", name) || sweep;
    }
    if (sweep)
        ctr_names_sweep(c->store);
    return r == -ENOENT ? 0 : r;
}

/* ---- the rest ---- */

static void check_volume(struct check *c, const char *name)
{
    struct volume v = {0};
    int r = volume_load(c->store, name, &v);
    volume_done(&v);
    if (r < 0) /* what is in it may be all there is: it is left */
        damage(c, NULL, false, "volume %s: %s", name, r == -ENOENT ? "its record is missing" : err_text(r));
}

static void check_secret(struct check *c, const char *name)
{
    struct secret x = {0};
    auto_free char *data = xasprintf("secrets/%s/data", name);
    int r = secret_load(c->store, name, &x);
    secret_done(&x);
    auto_free char *why = r < 0 ? xstrdup(r == -ENOENT ? "its record is missing" : err_text(r)) : NULL;
    if (!why && faccessat(c->store->fd, data, R_OK, 0) < 0)
        why = xstrdup("what it held is missing");
    if (why && damage(c, "removed", c->o->force, "secret %s: %s", name, why))
        mended(c, secret_remove(c->store, name), name);
}

static void check_step(struct check *c, const char *key)
{
    struct cache_step step = {0};
    auto_free char *path = xasprintf("cache/steps/%s", key);
    int r = rec_load(&cache_step_rec, c->store->fd, path, &step);
    bool lost = r == 0 && step.layer && !layer_exists(c->store, step.layer);
    cache_step_done(&step);
    if (r < 0 || lost)
        if (damage(c, "removed", true, "build step %.12s: %s", key,
                   lost ? "its layer is missing" : "its record is damaged"))
            unlinkat(c->store->fd, path, 0);
}

/* ---- whose they are (I11) ---- */

static void check_mode(struct check *c, const char *path, mode_t mode)
{
    struct stat st;
    if (fstatat(c->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (st.st_uid != geteuid())
        damage(c, NULL, false, "%s: belongs to user %u", path, st.st_uid);
    else if ((st.st_mode & 0077) && damage(c, "closed", true, "%s: mode %03o lets others in", path, st.st_mode & 0777))
        mended(c, fchmodat(c->store->fd, path, mode, 0) < 0 ? err_sys("cannot set its mode") : 0, path);
}

static void check_modes_of(struct check *c, const char *dir, const char *record)
{
    auto_strv char **names = NULL;
    if (dir_names(c->store->fd, dir, &names) < 0) {
        err_clear();
        return;
    }
    strv_foreach (name, names) {
        auto_free char *path = xasprintf("%s/%s", dir, name), *file = xasprintf("%s/%s", path, record);
        check_mode(c, path, DIR_MODE);
        check_mode(c, file, FILE_MODE);
    }
}

static void check_modes(struct check *c)
{
    static const char *const dirs[] = {"layers",  "images",   "names", "containers", "container-names",
                                       "volumes", "networks", "cache", "tmp",        "secrets"};
    check_mode(c, ".", DIR_MODE);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        check_mode(c, dirs[i], DIR_MODE);
    check_modes_of(c, "containers", "container.json");
    check_modes_of(c, "volumes", "volume.json");
    check_modes_of(c, "secrets", "secret.json");
}

/* ---- all ---- */

static const struct {
    const char *dir;
    void (*one)(struct check *c, const char *name);
    int (*all)(struct check *c);
} kinds[] = {
    {"layers", check_layer, NULL},         {"images", check_image, NULL},     {NULL, NULL, check_names},
    {"containers", check_container, NULL}, {NULL, NULL, check_links},         {"volumes", check_volume, NULL},
    {"secrets", check_secret, NULL},       {"cache/steps", check_step, NULL},
};

int store_check(struct store *s, const struct check_options *o, size_t *ret_found, size_t *ret_left)
{
    struct check c = {.store = s, .o = o};
    store_tidy(s);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        auto_strv char **names = NULL;
        int r = kinds[i].all ? kinds[i].all(&c) : dir_names(s->fd, kinds[i].dir, &names);
        if (r < 0 && r != -ENOENT)
            return err_wrap(r, "cannot check the store");
        strv_foreach (name, names)
            kinds[i].one(&c, name);
    }
    check_modes(&c);
    *ret_found = c.found;
    *ret_left = c.left;
    return 0;
}
