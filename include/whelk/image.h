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

/* The manifests under which an image came or went: images/<id>/manifests/<hex>, exact bytes, for sending the same again
 * (an image id is not one manifest: the same config comes with gzip and with zstd layers). Durable. */
int image_add_manifest(const struct store *s, const char *id, const char *bytes, size_t len);
/* Verified (H7). digest: "sha256:<hex>". -ENOENT without text. Caller frees. */
int image_read_manifest(const struct store *s, const char *id, const char *digest, char **ret, size_t *ret_len);
/* Digests ("sha256:<hex>"), sorted. */
int image_manifests(const struct store *s, const char *id, char ***ret);
/* The image that came by a manifest; -ENOENT without text. Caller frees. */
int image_by_manifest(const struct store *s, const char *digest, char **ret_id);
/* Indexes, which names refer to: indexes/<hex>. Read as image_read_manifest. */
int index_read(const struct store *s, const char *digest, char **ret, size_t *ret_len);

/* Names: full references ("localhost/app:latest"). */
struct image_name {
    struct rec_head head;
    char *reference;
    char *image;    /* id; NULL: a list that was made here (manifest create) */
    char *manifest; /* "sha256:<hex>": that it came by or went by, or NULL */
    char *index;    /* "sha256:<hex>": the index that the manifest is of, or NULL */
};
void image_name_done(struct image_name *n);
int name_set(const struct store *s, const char *reference, const char *image_id); /* moves an existing one; durable */
/* The same with all that a name says. index_bytes: of n->index, stored with it; NULL: it is there. */
int name_put(const struct store *s, const struct image_name *n, const char *index_bytes, size_t index_len);
int name_remove(const struct store *s, const char *reference); /* -ENOENT without text */
/* All names of images, sorted by reference; list of struct image_name; free with names_done. */
int names_load(const struct store *s, struct rec_list *ret);
/* Those of lists alone. */
int names_load_lists(const struct store *s, struct rec_list *ret);
void names_done(struct rec_list *names);
/* One reference's image id; -ENOENT without text. Caller frees. */
int name_get(const struct store *s, const char *reference, char **ret_id);
/* All that one says; -ENOENT without text. */
int name_get_all(const struct store *s, const char *reference, struct image_name *ret);
/* The name that a user means by typed (short or full, with a tag or a digest) among those of images (list false) or
 * lists; -ENOENT without text. */
int name_find(const struct store *s, const char *typed, bool list, struct image_name *ret);
/* "repository@digest" for each manifest and index that the names of an image say, each once. Caller frees. */
char **names_digests(const struct rec_list *names, const char *image_id);

/* What a user typed (name, full or short, with a tag or a digest; id or prefix; sha256:id): finds the image. Short
 * names: localhost/NAME first, then docker.io/library (CV-73). -ENOENT with text "no such image: X" and what to do;
 * ambiguous prefixes list the candidates. *ret_reference: the full name that matched, NULL when an id did; may be NULL.
 * Callers free. */
int image_find(const struct store *s, const char *typed, char **ret_id, char **ret_reference);

#endif
