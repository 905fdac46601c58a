/* Names of images: names/<sha256 of the full reference>, so that long ones and case-folding file systems do not matter.
 * Replaced by rename, one file a name, no index. And indexes/<hex>, the lists of manifests, which live by the names
 * that refer to them. */
#include "store-private.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/log.h"
#include "whelk/ref.h"

#include <fcntl.h>

static const struct rec_field name_fields[] = {
    REC_FIELD(struct image_name, STR, reference, "reference"),
    REC_FIELD(struct image_name, STR, image, "image"),
    REC_FIELD(struct image_name, STR, manifest, "manifest"),
    REC_FIELD(struct image_name, STR, index, "index"),
    REC_END,
};
const struct rec_type name_rec = {"image name", 1, sizeof(struct image_name), name_fields};

static char *name_path(const char *reference)
{
    char hex[DIGEST_BUF];
    digest_bytes(reference, strlen(reference), hex);
    return xasprintf("names/%s", hex);
}

static int name_load(const struct store *s, const char *path, struct image_name *ret)
{
    int r = rec_load(&name_rec, s->fd, path, ret);
    if (r < 0)
        return r;
    bool fine = !str_empty(ret->reference) && (ret->image ? str_is_hex(ret->image, ID_LEN) : ret->index != NULL);
    fine = fine && (!ret->manifest || digest_hex(ret->manifest)) && (!ret->index || digest_hex(ret->index));
    if (!fine) {
        rec_done(&name_rec, ret);
        return err_set(-EBADMSG, "%s: an image name without reference or image", path);
    }
    return 0;
}

void image_name_done(struct image_name *n)
{
    rec_done(&name_rec, n);
}

static int index_write(const struct store *s, const char *digest, const char *bytes, size_t len)
{
    auto_free char *path = xasprintf("indexes/%s", digest_hex(digest));
    int r = dir_make(s->fd, "indexes", 0700);
    if (r == 0)
        r = file_publish(s->fd, path, bytes, len, 0600, true);
    return r < 0 ? err_set(r, "cannot write %s/%s: %s", s->path, path, strerror(-r)) : 0;
}

/* image_remove and the collector take gc.lock exclusive and drop what they find, so under the shared one a name never
 * outlives its image, and an index waits for its name. */
int name_put(const struct store *s, const struct image_name *n, const char *index_bytes, size_t index_len)
{
    auto_free char *path = name_path(n->reference);
    auto_close int hold = -1;
    int r = store_hold(s, &hold);
    if (r < 0)
        return r;
    if (n->image && !store_has(s, "images", n->image))
        return err_set(-ENOENT, "cannot name image %.12s %s: it is not in the store", n->image, n->reference);
    if (index_bytes)
        r = index_write(s, n->index, index_bytes, index_len);
    if (r == 0)
        r = rec_save(&name_rec, s->fd, path, n, true);
    if (r == 0 && n->image)
        event_object(s, "image", "tag", n->image, n->reference);
    return r;
}

int name_set(const struct store *s, const char *reference, const char *image_id)
{
    return name_put(s, &(struct image_name){.reference = (char *)reference, .image = (char *)image_id}, NULL, 0);
}

int index_read(const struct store *s, const char *digest, char **ret, size_t *ret_len)
{
    auto_free char *path = xasprintf("indexes/%s", digest_hex(digest));
    return manifest_file_read(s, path, digest, ret, ret_len);
}

int name_remove(const struct store *s, const char *reference)
{
    auto_free char *path = name_path(reference);
    struct image_name n = {0};
    int r = 0;
    if (name_load(s, path, &n) < 0) /* a damaged one goes too */
        err_clear();
    if (unlinkat(s->fd, path, 0) < 0)
        r = errno == ENOENT ? -ENOENT : err_sys("cannot remove the name %s", reference);
    if (r == 0)
        event_object(s, "image", "untag", n.image ? n.image : reference, reference);
    rec_done(&name_rec, &n);
    return r;
}

int name_get_all(const struct store *s, const char *reference, struct image_name *ret)
{
    auto_free char *path = name_path(reference);
    struct image_name n = {0};
    int r = name_load(s, path, &n);
    if (r == 0)
        *ret = n;
    return r;
}

int name_get(const struct store *s, const char *reference, char **ret_id)
{
    struct image_name n = {0};
    int r = name_get_all(s, reference, &n);
    if (r == 0 && !n.image)
        r = -ENOENT;
    if (r == 0)
        *ret_id = take_ptr(&n.image);
    image_name_done(&n);
    return r;
}

static int compare_references(const void *a, const void *b)
{
    return strcmp(((const struct image_name *)a)->reference, ((const struct image_name *)b)->reference);
}

static int load_kind(const struct store *s, bool lists, struct rec_list *ret)
{
    auto_strv char **files = NULL;
    struct rec_list names = {0};
    int r = dir_names(s->fd, "names", &files);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "the store %s has no directory names", s->path) : r;
    strv_foreach (file, files) {
        auto_free char *path = xasprintf("names/%s", file);
        struct image_name n = {0};
        r = name_load(s, path, &n);
        if (r == 0 && lists == (n.image != NULL))
            image_name_done(&n);
        else if (r == 0)
            *(struct image_name *)rec_list_add(&name_rec, &names) = n;
        else if (r != -ENOENT) /* one that was removed meanwhile is no matter; a damaged one must not hide the others */
            log_warn("%s", err_text(r));
    }
    if (names.n)
        qsort(names.items, names.n, sizeof(struct image_name), compare_references);
    *ret = names;
    return 0;
}

void names_done(struct rec_list *names)
{
    for (size_t i = 0; i < names->n; i++)
        rec_done(&name_rec, (struct image_name *)names->items + i);
    free(names->items);
    *names = (struct rec_list){0};
}

int names_load(const struct store *s, struct rec_list *ret)
{
    return load_kind(s, false, ret);
}

int names_load_lists(const struct store *s, struct rec_list *ret)
{
    return load_kind(s, true, ret);
}

int names_indexes(const struct store *s, char ***ret_hex)
{
    auto_strv char **used = NULL;
    for (int lists = 0; lists < 2; lists++) {
        struct rec_list names = {0};
        int r = load_kind(s, lists, &names);
        if (r < 0)
            return r;
        const struct image_name *n = names.items;
        for (size_t i = 0; i < names.n; i++)
            if (n[i].index)
                strv_add(&used, digest_hex(n[i].index));
        names_done(&names);
    }
    *ret_hex = take_ptr(&used);
    return 0;
}

/* ---- what a user typed ---- */

static bool has_digest(const struct image_name *n, const char *digest)
{
    return (n->manifest && str_eq(n->manifest, digest)) || (n->index && str_eq(n->index, digest));
}

/* A name of the repository that says the digest, whatever its tag: a digest says more. */
static int find_by_digest(const struct store *s, const struct ref *ref, const char *domain, bool list,
                          struct image_name *ret)
{
    struct rec_list names = {0};
    const struct ref bare = {.domain = ref->domain, .path = ref->path, .digest = ref->digest};
    auto_free char *wanted = ref_full(&bare, domain);
    int r = load_kind(s, list, &names);
    struct image_name *n = names.items;
    bool found = false;
    for (size_t i = 0; r == 0 && !found && i < names.n; i++) {
        auto_free char *repository = NULL, *tag = NULL;
        ref_split_display(n[i].reference, &repository, &tag);
        auto_free char *have = xasprintf("%s@%s", repository, ref->digest);
        found = has_digest(&n[i], ref->digest) && str_eq(have, wanted);
        if (found) {
            *ret = n[i];
            n[i] = (struct image_name){0};
        }
    }
    names_done(&names);
    return r < 0 || found ? r : -ENOENT;
}

int name_find(const struct store *s, const char *typed, bool list, struct image_name *ret)
{
    static const char *const domains[] = {"localhost", "docker.io"}; /* CV-73 */
    auto_with(ref_done) struct ref ref = {0};
    int r = ref_parse(typed, &ref);
    if (r < 0)
        return r;
    for (size_t i = 0; i < (ref.domain ? 1 : ARRAY_LEN(domains)); i++) {
        struct image_name n = {0};
        auto_free char *full = ref_full(&ref, domains[i]);
        r = name_get_all(s, full, &n);
        if (r == 0 && list == (n.image != NULL)) {
            image_name_done(&n);
            r = -ENOENT;
        }
        if (r == -ENOENT && ref.digest)
            r = find_by_digest(s, &ref, domains[i], list, &n);
        if (r == 0)
            *ret = n;
        if (r != -ENOENT)
            return r;
    }
    return -ENOENT;
}

char **names_digests(const struct rec_list *names, const char *image_id)
{
    const struct image_name *n = names->items;
    char **found = NULL;
    for (size_t i = 0; i < names->n; i++) {
        const char *digests[] = {n[i].index, n[i].manifest};
        auto_free char *repository = NULL, *tag = NULL;
        if (!str_eq(n[i].image, image_id))
            continue;
        ref_split_display(n[i].reference, &repository, &tag);
        for (size_t d = 0; d < ARRAY_LEN(digests); d++) {
            auto_free char *text = digests[d] ? xasprintf("%s@%s", repository, digests[d]) : NULL;
            if (text && !strv_has(found, text))
                strv_add_take(&found, take_ptr(&text));
        }
    }
    return found;
}
