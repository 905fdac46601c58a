/* What oci: and oci-archive: share: the names of an OCI layout (image-spec image-layout.md). Private to src/image. */
#ifndef WHELK_IMAGE_LAYOUT_H
#define WHELK_IMAGE_LAYOUT_H

#include "fileset.h"

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define LAYOUT_INDEX "index.json"
#define LAYOUT_BLOBS "blobs/sha256"

/* Where a blob lies. digest is sha256. Caller frees. */
char *layout_blob_path(const char *digest);
/* Takes f. reference: which of its images, or NULL: the only one. */
int layout_source(struct fileset *f, const char *reference, struct source **ret);
/* The same for what docker save writes (transport-docker-archive.c). */
int docker_fileset_source(struct fileset *f, const char *reference, struct source **ret);
/* "PATH[:REFERENCE]": the path ends at the first colon. Callers free; *ret_reference is NULL if there is none. */
void layout_split(const char *rest, char **ret_path, char **ret_reference);
/* Puts the image m into an index of a layout under name (or none), in place of one that has this name. */
void layout_index_put(struct manifest *index, const struct manifest_blob *m, const char *name);

#endif
