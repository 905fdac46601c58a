/* Images: images/<config digest>/{image.json, config, manifests/<hex>}. Built in staging, made durable with everything
 * that it refers to, and published by one rename (STORE, durability 4). */
#include "store-private.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/manifest.h"
#include "whelk/units.h"
#include "whelk/view.h"

#include <fcntl.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600, PATIENCE_MS = 5000 };

static const struct rec_field image_fields[] = {
    REC_FIELD(struct image, STR, id, "id"),          REC_FIELD(struct image, STRV, layers, "layers"),
    REC_FIELD(struct image, INT, size, "size"),      REC_FIELD(struct image, TIME, created, "created"),
    REC_FIELD(struct image, TIME, stored, "stored"), REC_END,
};
const struct rec_type image_rec = {"image", 1, sizeof(struct image), image_fields};

void image_done(struct image *i)
{
    rec_done(&image_rec, i);
}

/* ---- reading ---- */

int image_load(const struct store *s, const char *id, struct image *ret)
{
    auto_free char *path = xasprintf("images/%s/image.json", id);
    int r = rec_load(&image_rec, s->fd, path, ret);
    if (r == 0 && (!ret->id || !str_eq(ret->id, id))) {
        image_done(ret);
        r = err_set(-EBADMSG, "%s: its id is missing or wrong", path);
    }
    return r;
}

/* Hashed before it is parsed, even though it is ours (H7). */
int image_load_config(const struct store *s, const char *id, struct image_config *ret)
{
    auto_free char *path = xasprintf("images/%s/config", id);
    auto_free char *bytes = NULL;
    size_t len;
    char hex[DIGEST_BUF];
    int r = file_read(s->fd, path, CONFIG_MAX, &bytes, &len);
    if (r < 0)
        return r;
    digest_bytes(bytes, len, hex);
    if (!str_eq(hex, id))
        return err_set(-EBADMSG, "the config of image %.12s is damaged: remove the image and get it again", id);
    r = image_config_parse(bytes, len, ret);
    return r < 0 ? err_wrap(r, "image %.12s", id) : 0;
}

int image_list(const struct store *s, char ***ret_ids)
{
    return ids_with_prefix(s, "images", "", ret_ids);
}

/* ---- manifests ---- */

int manifest_file_read(const struct store *s, const char *path, const char *digest, char **ret, size_t *ret_len)
{
    auto_free char *bytes = NULL;
    char hex[DIGEST_BUF];
    size_t len;
    int r = file_read(s->fd, path, MANIFEST_MAX, &bytes, &len);
    if (r < 0)
        return r;
    digest_bytes(bytes, len, hex);
    if (!str_eq(hex, digest_hex(digest)))
        return err_set(-EBADMSG, "%s/%s is damaged: its digest is sha256:%s", s->path, path, hex);
    *ret = take_ptr(&bytes);
    *ret_len = len;
    return 0;
}

int image_read_manifest(const struct store *s, const char *id, const char *digest, char **ret, size_t *ret_len)
{
    auto_free char *path = xasprintf("images/%s/manifests/%s", id, digest_hex(digest));
    return manifest_file_read(s, path, digest, ret, ret_len);
}

int image_add_manifest(const struct store *s, const char *id, const char *bytes, size_t len)
{
    char hex[DIGEST_BUF];
    digest_bytes(bytes, len, hex);
    auto_free char *dir = xasprintf("images/%s/manifests", id), *path = xasprintf("%s/%s", dir, hex);
    if (faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    int r = dir_make(s->fd, dir, DIR_MODE);
    if (r == 0)
        r = file_publish(s->fd, path, bytes, len, FILE_MODE, true);
    return r < 0 ? err_set(r, "cannot write %s/%s: %s", s->path, path, strerror(-r)) : 0;
}

int image_manifests(const struct store *s, const char *id, char ***ret)
{
    auto_free char *dir = xasprintf("images/%s/manifests", id);
    auto_strv char **names = NULL, **digests = NULL;
    int r = dir_names(s->fd, dir, &names);
    if (r < 0 && r != -ENOENT)
        return r;
    strv_foreach (name, names)
        if (str_is_hex(name, DIGEST_HEX))
            strv_addf(&digests, "sha256:%s", name);
    *ret = take_ptr(&digests);
    return 0;
}

int image_by_manifest(const struct store *s, const char *digest, char **ret_id)
{
    auto_strv char **ids = NULL;
    int r = image_list(s, &ids);
    strv_foreach (id, ids) {
        auto_free char *path = xasprintf("images/%s/manifests/%s", id, digest_hex(digest));
        if (faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            *ret_id = xstrdup(id);
            return 0;
        }
    }
    return r < 0 ? r : -ENOENT;
}

/* ---- publishing ---- */

/* Each layer must be there, and be the one that the config has at its place. Sums up their sizes. */
static int check_layers(const struct store *s, char *const *diffids, char *const *keys, int64_t *ret_size)
{
    int64_t size = 0;
    if (strv_len(diffids) != strv_len(keys))
        return err_set(-EINVAL, "the image config names %zu layers, %zu are given", strv_len(diffids), strv_len(keys));
    for (size_t i = 0; keys && keys[i]; i++) {
        struct layer l = {0};
        int r = layer_load(s, keys[i], &l);
        if (r == -ENOENT)
            return err_set(r, "layer %.12s of the image is not in the store", keys[i]);
        if (r < 0)
            return r;
        bool same = l.diffid && str_eq(l.diffid, diffids[i]);
        size += l.size;
        layer_done(&l);
        if (!same)
            return err_set(-EBADMSG, "layer %.12s is not the one that the image config names", keys[i]);
    }
    *ret_size = size;
    return 0;
}

/* The same image with the same layers, and whole: nothing to do. */
static bool is_published(const struct store *s, const char *id, char *const *keys)
{
    struct image there = {0};
    struct image_config config = {0};
    bool same = image_load(s, id, &there) == 0 && strv_eq(there.layers, keys) && image_load_config(s, id, &config) == 0;
    image_done(&there);
    image_config_done(&config);
    return same;
}

static const char staged[] = "image";

static int fill_staged(struct stage *st, const struct image *i, const char *config, size_t len)
{
    int r = dir_make(st->fd, staged, DIR_MODE);
    if (r < 0)
        return r;
    auto_close int fd = dir_open(st->fd, staged);
    if (fd < 0)
        return fd;
    r = file_write(fd, "config", config, len, FILE_MODE);
    return r < 0 ? r : rec_write(&image_rec, fd, "image.json", i);
}

static int dir_sync(const struct store *s, const char *path)
{
    auto_close int fd = dir_open(s->fd, path);
    if (fd < 0)
        return fd;
    return fsync(fd) < 0 ? err_sys("cannot write %s/%s to disk", s->path, path) : 0;
}

/* A record that is there already has other layers, or is damaged, or came this instant: ours takes its place. */
static int rename_staged(struct stage *st, const char *id)
{
    auto_free char *path = xasprintf("images/%s", id);
    int r = renameat(st->fd, staged, st->store->fd, path);
    if (r < 0 && (errno == ENOTEMPTY || errno == EEXIST))
        r = renameat2(st->fd, staged, st->store->fd, path, RENAME_EXCHANGE);
    if (r < 0)
        return err_sys("cannot publish %s/%s", st->store->path, path);
    tree_remove(st->fd, staged);
    return dir_sync(st->store, "images");
}

static int publish_new(struct stage *st, const struct image *i, const char *config, size_t len)
{
    int r = fill_staged(st, i, config, len);
    if (r == 0)
        r = stage_sync(st);
    return r < 0 ? r : rename_staged(st, i->id);
}

static int publish(struct stage *st, const struct image_config *c, const char *bytes, size_t len, char *const *keys,
                   char ret_id[65])
{
    auto_strv char **diffids = image_config_diff_ids(c);
    char id[DIGEST_BUF];
    digest_bytes(bytes, len, id);
    struct image i = {
        .id = id,
        .layers = (char **)keys,
        .created = image_config_created(c),
        .stored = time_now(),
    };
    if (len > CONFIG_MAX)
        return err_set(-EFBIG, "the image config is larger than %d bytes", CONFIG_MAX);
    int r = check_layers(st->store, diffids, keys, &i.size);
    if (r == 0 && !is_published(st->store, id, keys))
        r = publish_new(st, &i, bytes, len);
    if (r < 0)
        return err_wrap(r, "cannot store image %.12s", id);
    memcpy(ret_id, id, sizeof(id));
    return 0;
}

int image_publish(struct stage *st, const struct image_config *config, char *const *layer_keys, char ret_id[65])
{
    size_t len;
    auto_free char *bytes = image_config_bytes(config, &len);
    return publish(st, config, bytes, len, layer_keys, ret_id);
}

int image_publish_bytes(struct stage *st, const char *config, size_t len, char *const *layer_keys, char ret_id[65])
{
    struct image_config c = {0};
    int r = image_config_parse(config, len, &c);
    if (r < 0)
        return r;
    r = publish(st, &c, config, len, layer_keys, ret_id);
    image_config_done(&c);
    return r;
}

/* ---- removal ---- */

static int remove_names_of(const struct store *s, const char *id)
{
    struct rec_list names;
    int r = names_load(s, &names);
    if (r < 0)
        return r;
    const struct image_name *n = names.items;
    for (size_t i = 0; r == 0 && i < names.n; i++) {
        if (str_eq(n[i].image, id))
            r = name_remove(s, n[i].reference);
        r = r == -ENOENT ? 0 : r;
    }
    names_done(&names);
    return r;
}

int image_remove(const struct store *s, const char *id)
{
    auto_close int lock = -1;
    char trash[TRASH_NAME];
    int r = store_lock_all(s, PATIENCE_MS, &lock);
    if (r == -EWOULDBLOCK)
        return err_set(r, "cannot remove image %.12s: other commands keep the store busy; try again", id);
    if (r < 0)
        return r;
    if (!store_has(s, "images", id))
        return -ENOENT;
    r = remove_names_of(s, id);
    view_drop(s, "images", id);
    if (r == 0)
        r = trash_move(s, "images", id, trash);
    fd_close(take_fd(&lock));
    if (r == 0)
        event_object(s, "image", "remove", id, id);
    if (r == 0)
        trash_remove(s, trash, TRASH_WAIT);
    return r;
}

/* ---- what a user typed ---- */

static int find_by_prefix(const struct store *s, const char *prefix, char **ret_id)
{
    auto_strv char **ids = NULL;
    int r = ids_with_prefix(s, "images", prefix, &ids);
    if (r < 0)
        return r;
    if (strv_len(ids) == 1) {
        *ret_id = xstrdup(ids[0]);
        return 0;
    }
    if (strv_len(ids) == 0)
        return -ENOENT;
    auto_free char *candidates = candidates_text(ids, prefix);
    return err_set(-EINVAL, "\"%s\" is the start of more than one image id: %s", prefix, candidates);
}

/* ref_parse says what is wrong with a text that is neither name nor id. */
static int find_typed(const struct store *s, const char *typed, char **ret_id, char **ret_reference)
{
    const char *hex = str_after(typed, "sha256:");
    if (hex && id_prefix_like(hex))
        return find_by_prefix(s, hex, ret_id);
    if (str_is_hex(typed, ID_LEN))
        return find_by_prefix(s, typed, ret_id);
    struct image_name n = {0};
    int r = name_find(s, typed, false, &n);
    if (r == 0) {
        *ret_id = take_ptr(&n.image);
        *ret_reference = take_ptr(&n.reference);
    }
    image_name_done(&n);
    return r == -ENOENT && id_prefix_like(typed) ? find_by_prefix(s, typed, ret_id) : r;
}

int image_find(const struct store *s, const char *typed, char **ret_id, char **ret_reference)
{
    auto_free char *id = NULL, *reference = NULL;
    struct image_name list = {0};
    int r = find_typed(s, typed, &id, &reference);
    if (r == -ENOENT) {
        auto_free char *shown = str_printable(typed);
        bool is_list = name_find(s, typed, true, &list) == 0;
        image_name_done(&list);
        if (is_list)
            return err_set(-EINVAL, "%s is a list of manifests and no image (whelk manifest inspect shows it)", shown);
        return err_set(r, "no such image: %s (whelk images lists what is here; whelk import and whelk build make more)",
                       shown);
    }
    if (r < 0)
        return r;
    *ret_id = take_ptr(&id);
    if (ret_reference)
        *ret_reference = take_ptr(&reference);
    return 0;
}
