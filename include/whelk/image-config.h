/* The OCI image configuration (image-spec config.md; docker's superset): read from exact bytes, changed by a build as a
 * tree so that keys unknown here survive, written back. Only these fields may influence a run (H6). */
#ifndef WHELK_IMAGE_CONFIG_H
#define WHELK_IMAGE_CONFIG_H

#include "whelk/json.h"

#include <stdint.h>

struct image_config {
    json_t *root; /* the whole document */
};

/* An empty config for this platform; created 0. */
void image_config_new(struct image_config *ret);
/* Checks that bytes are an image config: object, os and architecture strings, rootfs.type "layers", diff_ids all
 * sha256, the number of non-empty history entries (if there is a history) not larger than the layers. */
int image_config_parse(const char *bytes, size_t len, struct image_config *ret);
void image_config_copy(const struct image_config *from, struct image_config *ret);
void image_config_done(struct image_config *c);
/* The bytes to store and their digest (hex). Keys in a fixed order, so equal input gives equal bytes. Caller frees. */
char *image_config_bytes(const struct image_config *c, size_t *ret_len);

/* config.X as plain values. Strings stay the config's (valid until changed), vectors are new and the caller's. */
const char *image_config_str(const struct image_config *c, const char *key); /* "User", "WorkingDir", "StopSignal" */
char **image_config_strv(const struct image_config *c, const char *key);     /* "Env", "Cmd", "Entrypoint", "Shell" */
char **image_config_map(const struct image_config *c, const char *key);      /* "Labels": KEY=VALUE vector */
char **image_config_set_keys(const struct image_config *c, const char *key); /* "Volumes", "ExposedPorts": the keys */
void image_config_put_str(struct image_config *c, const char *key, const char *value);   /* NULL removes */
void image_config_put_strv(struct image_config *c, const char *key, char *const *value); /* NULL removes; empty is [] */
void image_config_put_map(struct image_config *c, const char *key, const char *name, const char *value);
void image_config_put_json(struct image_config *c, const char *key, json_t *value); /* takes it; NULL removes */
void image_config_put_set_key(struct image_config *c, const char *key, const char *name);

const char *image_config_architecture(const struct image_config *c);
const char *image_config_os(const struct image_config *c);
const char *image_config_author(const struct image_config *c); /* or NULL */
void image_config_put_author(struct image_config *c, const char *author);
int64_t image_config_created(const struct image_config *c); /* ns since 1970, 0 if absent */
void image_config_put_created(struct image_config *c, int64_t ns);
char **image_config_diff_ids(const struct image_config *c); /* hex parts, bottom first; caller frees */
/* Adds a layer at the top (hex diffid). */
void image_config_add_diff_id(struct image_config *c, const char *hex);
/* Forgets all layers and the history. */
void image_config_clear_layers(struct image_config *c);
/* Adds a history entry; comment may be NULL. */
void image_config_add_history(struct image_config *c, int64_t created_ns, const char *created_by, const char *comment,
                              bool empty_layer);
/* history entries, borrowed array or NULL. */
const json_t *image_config_history(const struct image_config *c);

#endif
