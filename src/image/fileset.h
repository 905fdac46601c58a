/* A set of named files, in a directory or in a tar archive: what the file transports read. Private to src/image. */
#ifndef WHELK_IMAGE_FILESET_H
#define WHELK_IMAGE_FILESET_H

#include "whelk/transport.h"

struct fileset;
/* path: a directory, or an archive of any compression; "-": o->path, or an archive from o->std_fd. An archive
 * that is compressed or comes by a pipe is kept meanwhile as an unnamed file below o->tmp. */
int fileset_open_dir(const char *path, struct fileset **ret);
int fileset_open_archive(const char *path, const struct transport_options *o, struct fileset **ret);
void fileset_free(struct fileset *f);
DEFINE_AUTO(struct fileset *, fileset_free)
bool fileset_has(const struct fileset *f, const char *name);
/* A window of its bytes. -ENOENT with text that names it. */
int fileset_open(const struct fileset *f, const char *name, struct blob *ret);
/* All its bytes, NUL-terminated; caller frees. */
int fileset_read(const struct fileset *f, const char *name, size_t max, char **ret, size_t *ret_len);
/* The size, or -ENOENT with text. */
int64_t fileset_size(const struct fileset *f, const char *name);

#endif
