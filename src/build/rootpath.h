/* Paths inside a tree that somebody else made: a context, or an image's merged layers. Symbolic links are resolved by
 * walking, with the tree's root as "/", so nothing outside is ever reached (H1). Private to src/build. */
#ifndef BUILD_ROOTPATH_H
#define BUILD_ROOTPATH_H

#include "whelk/fd.h"

/* The real path (no leading slash, no link, "" for the root) of path below root. Components that do not exist are taken
 * as they stand; then st_mode is 0. A link as the last component is followed if asked for. -ELOOP, -ENOTDIR and the
 * like without text. Whiteouts (character devices 0:0) count as absent. *ret: the caller frees. */
int rootpath_resolve(int root, const char *path, bool follow_last, char **ret, struct stat *ret_st);
/* Opens a real path below root, never through a link; "" is the root. -errno without text. */
int rootpath_open(int root, const char *real, int flags);
/* path without ".", ".." (never above the root), empty components and slashes at its ends. The caller frees. */
char *rootpath_clean(const char *path);
/* a/b; either may be "". The caller frees. */
char *rootpath_join(const char *a, const char *b);
bool stat_is_whiteout(const struct stat *st);

#endif
