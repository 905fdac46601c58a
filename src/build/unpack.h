/* Archives into directories, by confined workers. Private to src/build. */
#ifndef BUILD_UNPACK_H
#define BUILD_UNPACK_H

#include "whelk/layer.h"
#include "whelk/userns.h"

/* Is the regular file open at fd a tar archive, plain or compressed in a way that is known? By its contents, not its
 * name. 1, 0, or -errno with text. Its offset is at the beginning afterwards. */
int unpack_is_archive(int fd);
/* Unpacks it into the directory dir. owners: with those of the archive, as far as map has them (NULL: all belongs to
 * the caller, and no file is setuid: for the host's side). *special: the owners that no file can keep, sorted, where a
 * single id is mapped; the caller's. NULL: not wanted. */
int unpack_archive(int fd, int dir, const struct idmap *owners, struct pack_owners *special);

/* The same of a plain tar stream, for the host's side. */
int unpack_stream(int in, int dir);

#endif
