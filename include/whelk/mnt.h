/* The new mount API (Linux 5.2, mount_setattr 5.12): detached mounts on descriptors; targets are held descriptors,
 * never paths (SECURITY H1, H2). Attributes are MOUNT_ATTR_* bits. Errors have text. */
#ifndef WHELK_MNT_H
#define WHELK_MNT_H

#include <stdbool.h>
#include <stdint.h>

/* A new file system instance: options as "key", "value" pairs ended by NULL (value NULL: a flag). Returns the detached
 * mount. */
int mnt_new(const char *fstype, uint64_t attrs, const char *const *options, int *ret_fd);
/* A detached copy of the mount at path below dirfd. With recursive also what is mounted below it. */
int mnt_clone(int dirfd, const char *path, bool recursive, int *ret_fd);
/* Sets and clears attributes on a mount (recursive: all below too). */
int mnt_attrs(int mnt_fd, uint64_t set, uint64_t clear, bool recursive);
/* Owners as a user namespace has them: what is id 0 on disk is the namespace's root. For a detached mount; needs rights
 * over the file system. */
int mnt_idmap(int mnt_fd, int userns_fd);
/* "private", "rslave", ... by number: MS_PRIVATE, MS_SLAVE, MS_SHARED. */
int mnt_propagation(int mnt_fd, uint64_t propagation, bool recursive);
/* Attaches a detached mount at the directory or file that target_fd (O_PATH) is open on. */
int mnt_attach(int mnt_fd, int target_fd);
/* Takes an attached mount away again; what was opened in it stays. The working directory is as before. */
int mnt_detach(int mnt_fd);
/* Makes new_root (an attached mount's directory) the root of this mount namespace and lets the old one go. */
int mnt_pivot(int new_root_fd);

/* openat2 below root_fd with RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS. flags as open(2), O_CLOEXEC added. No text. */
int open_in_root(int root_fd, const char *path, uint64_t flags, unsigned mode);
/* An O_PATH descriptor of path in the root, made if missing: a directory 0755, or an empty file 0644, as its parents;
 * resolved in the root only. */
int open_target(int root_fd, const char *path, bool directory, int *ret_fd);
/* Makes directory path (and parents, 0755) in the root and opens it. */
int make_dirs_in_root(int root_fd, const char *path, int *ret_fd);

#endif
