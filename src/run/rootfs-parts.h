/* What the parts of rootfs.h share. Private to src/run. */
#ifndef RUN_ROOTFS_PARTS_H
#define RUN_ROOTFS_PARTS_H

#include "whelk/rootfs.h"

/* In a worker that is root in the store's user namespace: an own mount namespace, with the store opened in it; and the
 * layers of a container, merged and read-only. upper NULL: without its own changes. */
int rootfs_unshare_worker(const struct store *s, int *ret_store);
int rootfs_merge_worker(const struct store *s, int store_fd, const struct ctr *c, const char *upper, int *ret_fd);

/* The places where whelk mounts into this container that its layers (lower: merged) do not have, parents first: what is
 * empty there was made by whelk. Caller frees. */
char **rootfs_stubs(const struct ctr *c, int lower);

#endif
