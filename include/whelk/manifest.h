/* Manifests and indexes of images, OCI and docker schema 2 (image-spec manifest.md, image-index.md): given bytes in,
 * values out, and back. The caller has held the bytes against their digest before (H7). Pure. */
#ifndef WHELK_MANIFEST_H
#define WHELK_MANIFEST_H

#include "whelk/codec.h"
#include "whelk/platform.h"
#include "whelk/record.h"

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"

#define ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"

enum { MANIFEST_MAX = 4 << 20, CONFIG_MAX = 4 << 20 };

struct descriptor {
    char *media_type;
    char *digest; /* "sha256:<hex>" */
    int64_t size; /* -1: not known beforehand (only layers of some archives) */
    char **urls;
    json_t *annotations; /* object of strings, or NULL */
    char *artifact_type;
    struct platform platform; /* in an index */
};
extern const struct rec_type descriptor_rec;
void descriptor_done(struct descriptor *d);
void descriptor_copy(const struct descriptor *from, struct descriptor *ret);
const char *descriptor_annotation(const struct descriptor *d, const char *key); /* or NULL */
void descriptor_annotate(struct descriptor *d, const char *key, const char *value);

struct manifest {
    int64_t schema_version;
    char *media_type;          /* always set: by the document, the transport, or its shape */
    struct descriptor config;  /* of an image */
    struct rec_list layers;    /* of struct descriptor, bottom first */
    struct rec_list manifests; /* of an index */
    char *artifact_type;
    json_t *subject, *annotations;
};

/* Reads a manifest or an index. media_type: what the transport says it is, or NULL. Refused, each with a text: more
 * than 4 MiB, duplicate keys, deep nesting, what says to be both or neither, another type than the transport's, digests
 * that are not sha256, sizes below 0, layers that are to be fetched from foreign urls, docker's schema 1. */
int manifest_parse(const char *bytes, size_t len, const char *media_type, struct manifest *ret);
void manifest_new(const char *media_type, struct manifest *ret);
void manifest_done(struct manifest *m);
bool manifest_is_index(const struct manifest *m);
bool manifest_is_docker(const struct manifest *m);
/* The bytes to store: compact, keys in a fixed order. Caller frees. */
char *manifest_bytes(const struct manifest *m, size_t *ret_len);
const struct descriptor *manifest_layer(const struct manifest *m, size_t i);
const struct descriptor *manifest_entry(const struct manifest *m, size_t i); /* of an index */
struct descriptor *manifest_add_layer(struct manifest *m, const char *media_type, const char *digest, int64_t size);
struct descriptor *manifest_add_entry(struct manifest *m, const char *media_type, const char *digest, int64_t size);

/* The entry of an index that serves platform want best. -ENOENT with text that lists what there is. */
int manifest_pick(const struct manifest *index, const struct platform *want, const struct descriptor **ret);

/* Is it the media type of a manifest or an index? */
bool media_is_manifest(const char *media_type);
bool media_is_index(const char *media_type);
bool media_is_config(const char *media_type); /* of an image */
/* The compression that a layer's media type says; -EINVAL with text for what is not a layer. */
int media_layer_codec(const char *media_type, enum codec *ret);
/* And the other way; docker has no type for zstd. Static; NULL if there is none. */
const char *media_layer_type(bool docker, enum codec codec);

#endif
