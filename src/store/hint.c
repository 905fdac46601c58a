/* Hints: cache/hints/<diffid>. Replaced by rename without a lock: of two writers one's news is lost, which costs a
 * question more, another time. */
#include "whelk/hint.h"

#include "store-private.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

enum { HINTS_MAX = 16, REPOSITORIES_MAX = 16 };

struct hints {
    struct rec_head head;
    struct rec_list blobs;
};

static const struct rec_field hint_fields[] = {
    REC_FIELD(struct blob_hint, STR, digest, "digest"),
    REC_FIELD(struct blob_hint, INT, size, "size"),
    REC_FIELD(struct blob_hint, STR, media_type, "mediaType"),
    REC_FIELD(struct blob_hint, STRV, repositories, "repositories"),
    REC_END,
};
static const struct rec_type hint_rec = {"blob hint", 0, sizeof(struct blob_hint), hint_fields};

static const struct rec_field hints_fields[] = {
    REC_NESTED(struct hints, LIST, blobs, "blobs", &hint_rec),
    REC_END,
};
static const struct rec_type hints_rec = {"blob hints", 1, sizeof(struct hints), hints_fields};

static char *hints_path(const char *diffid)
{
    return xasprintf("cache/hints/%s", diffid);
}

static bool is_whole(const struct rec_list *hints)
{
    const struct blob_hint *h = hints->items;
    for (size_t i = 0; i < hints->n; i++)
        if (!h[i].digest || !digest_hex(h[i].digest) || !h[i].media_type || h[i].size < 0)
            return false;
    return true;
}

/* What is damaged counts as absent. */
static void load(const struct store *s, const char *diffid, struct hints *ret)
{
    auto_free char *path = hints_path(diffid);
    *ret = (struct hints){0};
    if (rec_load(&hints_rec, s->fd, path, ret) == 0 && !is_whole(&ret->blobs))
        rec_done(&hints_rec, ret);
}

static void save(const struct store *s, const char *diffid, const struct hints *h)
{
    auto_free char *path = hints_path(diffid);
    if (h->blobs.n == 0)
        unlinkat(s->fd, path, 0);
    else if (dir_make(s->fd, "cache/hints", 0700) == 0)
        rec_save(&hints_rec, s->fd, path, h, false);
}

int blob_hints_load(const struct store *s, const char *diffid, struct rec_list *ret)
{
    struct hints h;
    load(s, diffid, &h);
    *ret = h.blobs;
    h.blobs = (struct rec_list){0};
    rec_done(&hints_rec, &h);
    return 0;
}

void blob_hints_done(struct rec_list *hints)
{
    struct hints h = {.blobs = *hints};
    rec_done(&hints_rec, &h);
    *hints = (struct rec_list){0};
}

static struct blob_hint *find(const struct hints *h, const char *digest)
{
    struct blob_hint *list = h->blobs.items;
    for (size_t i = 0; i < h->blobs.n; i++)
        if (str_eq(list[i].digest, digest))
            return &list[i];
    return NULL;
}

/* The oldest goes where there are too many. */
static void make_room(struct hints *h)
{
    struct blob_hint *list = h->blobs.items;
    if (h->blobs.n < HINTS_MAX)
        return;
    rec_done(&hint_rec, &list[0]);
    memmove(&list[0], &list[1], (h->blobs.n - 1) * sizeof(*list));
    h->blobs.n--;
}

void blob_hint_add(const struct store *s, const char *diffid, const struct blob_hint *hint, const char *repository)
{
    struct hints h;
    load(s, diffid, &h);
    struct blob_hint *there = find(&h, hint->digest);
    bool known = there && (!repository || strv_has(there->repositories, repository));
    if (!there) {
        make_room(&h);
        there = rec_list_add(&hint_rec, &h.blobs);
        there->digest = xstrdup(hint->digest);
        there->media_type = xstrdup(hint->media_type);
        there->size = hint->size;
    }
    if (repository && !known) {
        if (strv_len(there->repositories) >= REPOSITORIES_MAX)
            strv_remove(there->repositories, 0);
        strv_add(&there->repositories, repository);
    }
    if (!known)
        save(s, diffid, &h);
    rec_done(&hints_rec, &h);
}

void blob_hint_drop(const struct store *s, const char *diffid, const char *digest, const char *repository)
{
    struct hints h;
    load(s, diffid, &h);
    struct blob_hint *there = find(&h, digest);
    bool found = false;
    for (size_t i = 0; there && there->repositories && there->repositories[i] && !found; i++) {
        found = str_eq(there->repositories[i], repository);
        if (found)
            strv_remove(there->repositories, i);
    }
    if (found)
        save(s, diffid, &h);
    rec_done(&hints_rec, &h);
}

static bool has_layer(char *const *layers, const char *diffid)
{
    strv_foreach (key, layers)
        if (str_after(key, diffid))
            return true;
    return false;
}

void blob_hints_sweep(const struct store *s)
{
    auto_strv char **names = NULL, **layers = NULL;
    if (dir_names(s->fd, "cache/hints", &names) < 0 || dir_names(s->fd, "layers", &layers) < 0)
        return;
    strv_foreach (name, names) {
        auto_free char *path = hints_path(name);
        if (!has_layer(layers, name))
            unlinkat(s->fd, path, 0);
    }
}
