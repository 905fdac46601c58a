/* Lists of manifests that are made here (manifest create): an index under a name, whose entries are images of the store
 * by the manifests that are kept with them. */
#ifndef WHELK_LIST_H
#define WHELK_LIST_H

#include "whelk/copy.h"
#include "whelk/image.h"
#include "whelk/manifest.h"

struct list {
    struct image_name name;
    struct manifest m;
};
void list_done(struct list *l);

/* By name, short or full; -ENOENT with text. */
int list_load(const struct store *s, const char *typed, struct list *ret);
/* An empty one; not yet stored. reference: full. */
void list_new(const char *reference, struct list *ret);
/* Stores it under its name. ret_digest: of the index. */
int list_save(const struct store *s, const struct list *l, char ret_digest[DIGEST_TEXT]);

/* Adds image id by one of its manifests (wanted: "sha256:...", or NULL: any that is kept, or a new one of plain
 * layers), with the platform of its configuration; in place of an entry of the same digest. *ret: the entry, the
 * list's. */
int list_add_image(const struct store *s, struct list *l, const char *id, const char *wanted, struct descriptor **ret);
/* The entry that a digest, the start of one, or an image of the store means; -ENOENT with text. */
int list_find(const struct store *s, struct list *l, const char *typed, size_t *ret);
void list_remove(struct list *l, size_t i);

/* Puts all images of the list, then the list under name (NULL: as the destination was opened). */
int list_copy(const struct store *s, const struct list *l, struct dest *dst, const struct copy_options *o,
              char ret_digest[DIGEST_TEXT]);

#endif
