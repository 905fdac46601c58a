/* overlayfs in whelk's one on-disk form (STORE, layers 4 and 5): userxattr, index=off, nfs_export=off, xino=off. */
#ifndef WHELK_OVERLAY_H
#define WHELK_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

/* A detached overlay mount. Paths are relative to the store's root base_fd (the process's working directory is moved
 * there); lower: top first, n_lower >= 1. upper and work NULL: read-only. On kernels without lowerdir+ (before 6.7)
 * falls back to mount(2) and needs an own mount namespace either way. -EINVAL with text if there are too many layers
 * for this kernel. */
int overlay_mount(int base_fd, const char *const *lower, unsigned n_lower, const char *upper, const char *work,
                  uint64_t attrs, int *ret_fd);

#endif
