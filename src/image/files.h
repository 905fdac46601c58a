/* A set of named files, in a directory or in a tar archive: what the file transports read. Private to src/image. */
#ifndef WHELK_IMAGE_FILES_H
#define WHELK_IMAGE_FILES_H

#include "whelk/transport.h"

struct files;
/* path: a directory, or an archive of any compression; "-" with std_fd: an archive from that descriptor. An archive
 * that is compressed or comes by a pipe is kept meanwhile as an unnamed file below o->tmp. */
int files_open_dir(const char *path, struct files **ret);
int files_open_archive(const char *path, const struct transport_options *o, struct files **ret);
void files_free(struct files *f);
DEFINE_AUTO(struct files *, files_free)
bool files_has(const struct files *f, const char *name);
/* A window of its bytes. -ENOENT with text that names it. */
int files_open(const struct files *f, const char *name, struct blob *ret);
/* All its bytes, NUL-terminated; caller frees. */
int files_read(const struct files *f, const char *name, size_t max, char **ret, size_t *ret_len);
/* The size, or -ENOENT with text. */
int64_t files_size(const struct files *f, const char *name);

#endif
