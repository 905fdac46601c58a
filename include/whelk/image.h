/* Images and their names in the store (STORE, images and names). */
#ifndef WHELK_IMAGE_H
#define WHELK_IMAGE_H

#include "whelk/image-config.h"
#include "whelk/record.h"
#include "whelk/stage.h"

struct image {
    struct rec_head head;
    char *id;        /* hex of the config digest */
    char **layers;   /* keys, bottom first; one per diffid of the config */
    int64_t size;    /* sum of the layers' payloads */
    int64_t created; /* of the config, for tables */
    int64_t stored;  /* when it came into the store */
};
extern const struct rec_type image_rec;

int image_load(const struct store *s, const char *id, struct image *ret); /* -ENOENT without text */
int image_load_config(const struct store *s, const char *id, struct image_config *ret);
void image_done(struct image *i);
/* All ids, newest creation first is the caller's matter. */
int image_list(const struct store *s, char ***ret_ids);

/* Publishes images/<digest of config>: syncs the file system first (durable), checks that each layer is there. Same
 * image again is success and syncs nothing. ret_id: 65 bytes. */
int image_publish(struct stage *st, const struct image_config *config, char *const *layer_keys, char ret_id[65]);
/* The same from the exact bytes of a config, for images that come from elsewhere: the id is the digest of these bytes.
 */
int image_publish_bytes(struct stage *st, const char *config, size_t len, char *const *layer_keys, char ret_id[65]);
/* Removes the image record (to trash) and the names that still point to it; -ENOENT without text. Its layers become
 * garbage when nothing else names them. The caller has no store_hold. */
int image_remove(const struct store *s, const char *id);

/* Names: full references ("localhost/app:latest"). */
struct image_name {
    struct rec_head head;
    char *reference;
    char *image; /* id */
};
int name_set(const struct store *s, const char *reference, const char *image_id); /* moves an existing one; durable */
int name_remove(const struct store *s, const char *reference);                    /* -ENOENT without text */
/* All names, sorted by reference; list of struct image_name; free with names_done. */
int names_load(const struct store *s, struct rec_list *ret);
void names_done(struct rec_list *names);
/* One reference's image id; -ENOENT without text. Caller frees. */
int name_get(const struct store *s, const char *reference, char **ret_id);

/* What a user typed (name, full or short; id or prefix; sha256:id): finds the image. Short names: localhost/NAME first,
 * then docker.io/library (CV-73). -ENOENT with text "no such image: X" and what to do; ambiguous prefixes list the
 * candidates. *ret_reference: the full name that matched, NULL when an id did; may be NULL. Callers free. */
int image_find(const struct store *s, const char *typed, char **ret_id, char **ret_reference);

#endif
