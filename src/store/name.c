/* Names of images: names/<sha256 of the full reference>, so that long ones and case-folding file systems do not matter.
 * Replaced by rename, one file a name, no index. */
#include "store-private.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/log.h"

#include <fcntl.h>

static const struct rec_field name_fields[] = {
    REC_FIELD(struct image_name, STR, reference, "reference"),
    REC_FIELD(struct image_name, STR, image, "image"),
    REC_END,
};
static const struct rec_type name_rec = {"image name", 1, sizeof(struct image_name), name_fields};

static char *name_path(const char *reference)
{
    char hex[DIGEST_BUF];
    digest_bytes(reference, strlen(reference), hex);
    return xasprintf("names/%s", hex);
}

static int name_load(const struct store *s, const char *path, struct image_name *ret)
{
    int r = rec_load(&name_rec, s->fd, path, ret);
    if (r == 0 && (str_empty(ret->reference) || !ret->image || !str_is_hex(ret->image, ID_LEN))) {
        rec_done(&name_rec, ret);
        return err_set(-EBADMSG, "%s: an image name without reference or image", path);
    }
    return r;
}

/* image_remove takes gc.lock exclusive and drops the names that it finds, so under the shared one a name never outlives
 * its image. */
int name_set(const struct store *s, const char *reference, const char *image_id)
{
    auto_free char *path = name_path(reference);
    auto_close int hold = -1;
    int r = store_hold(s, &hold);
    if (r < 0)
        return r;
    if (!store_has(s, "images", image_id))
        return err_set(-ENOENT, "cannot name image %.12s %s: it is not in the store", image_id, reference);
    struct image_name n = {.reference = (char *)reference, .image = (char *)image_id};
    return rec_save(&name_rec, s->fd, path, &n, true);
}

int name_remove(const struct store *s, const char *reference)
{
    auto_free char *path = name_path(reference);
    if (unlinkat(s->fd, path, 0) < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot remove the name %s", reference);
    return 0;
}

int name_get(const struct store *s, const char *reference, char **ret_id)
{
    auto_free char *path = name_path(reference);
    struct image_name n = {0};
    int r = name_load(s, path, &n);
    if (r < 0)
        return r;
    *ret_id = take_ptr(&n.image);
    rec_done(&name_rec, &n);
    return 0;
}

static int compare_references(const void *a, const void *b)
{
    return strcmp(((const struct image_name *)a)->reference, ((const struct image_name *)b)->reference);
}

int names_load(const struct store *s, struct rec_list *ret)
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
        if (r == 0)
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
