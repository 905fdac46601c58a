/* Copies of trees, for what a new volume or a tmpfs takes over from the image. */
#ifndef WHELK_COPY_TREE_H
#define WHELK_COPY_TREE_H

#include <sys/types.h>

/* Copies what is in the directory from_fd into to_fd, with owners, modes, times and extended attributes: plain files,
 * directories and symbolic links; everything else is left out. Works on descriptors only and follows no link. Error
 * with text. */
int copy_tree(int from_fd, int to_fd);
/* Owner, mode, attributes and times of a file or directory. */
int copy_metadata(int from_fd, int to_fd);
/* Gives a file, or a directory and what is below it on the same file system, to uid:gid; links are not followed. fd may
 * be O_PATH. */
int own_tree(int fd, uid_t uid, gid_t gid);

#endif
