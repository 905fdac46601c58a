/* Owners that the file system cannot hold. In a store with a single mapped id every file is the user's own; whose it is
 * in the image is kept beside it, in an extended attribute of files and directories. Overlayfs copies the attribute up,
 * renames and links take it along, and it leaves the store only as the owner of a tar entry: so the layers equal those
 * of a store with ranges. Symbolic links and pipes have no such attributes: theirs is kept by whoever makes a layer of
 * them (struct pack_owner). */
#ifndef WHELK_KEPT_OWNER_H
#define WHELK_KEPT_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEPT_OWNER_XATTR "user.whelk.owner"

struct kept_owner {
    uint32_t uid, gid;
};

/* Keeps the owner of the file or directory fd (not O_PATH); 0:0, which needs no keeping, takes a kept one away. -errno
 * without text. */
int kept_owner_set(int fd, struct kept_owner owner);
/* The kept owner of fd; false: none, or a damaged one. */
bool kept_owner_get(int fd, struct kept_owner *ret);
/* The attribute's value as an owner. */
bool kept_owner_parse(const char *value, size_t len, struct kept_owner *ret);

#endif
