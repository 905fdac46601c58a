/* What the files of transports share. Private to src/image. */
#ifndef WHELK_IMAGE_TRANSPORT_KINDS_H
#define WHELK_IMAGE_TRANSPORT_KINDS_H

#include "whelk/transport.h"

extern const struct transport_kind transport_docker;
extern const struct transport_kind transport_oci, transport_oci_archive, transport_docker_archive, transport_dir;

/* The path that a transport's name means: "-" may stand for o->path. */
static inline const char *kind_path(const char *path, const struct transport_options *o)
{
    return str_eq(path, "-") && o->path ? o->path : path;
}

/* The next bytes of a blob, from its pipe or its window: the count, 0 at the end, negative with text. */
ssize_t blob_read(struct blob *b, void *data, size_t len);

#endif
