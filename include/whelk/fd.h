/* Descriptors and files: whole reads and writes, trees by descriptor. Every descriptor made here is O_CLOEXEC. */
#ifndef WHELK_FD_H
#define WHELK_FD_H

#include "whelk/str.h"

#include <sys/stat.h>
#include <sys/types.h>

/* Writes all of data; for pipes and sockets a short write goes on. Returns 0 or -errno (no text). */
int fd_write_all(int fd, const void *data, size_t len);
/* Reads until EOF or len bytes; returns the count or -errno (no text). */
ssize_t fd_read_full(int fd, void *data, size_t len);
/* Reads all of fd, at most max bytes (-EFBIG beyond), behind what b holds. No text. */
int fd_read_all(int fd, size_t max, struct buf *b);
/* Copies everything from in (from its offset) to out by copy_file_range, splice or read/write. 0 or -errno (no text).
 */
int fd_copy(int in, int out);

/* The whole file; *ret is NUL-terminated, the caller frees; len may be NULL. -ENOENT without text if absent. */
int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len);
/* Creates or replaces a file in place, mode as given whatever the umask; never through a link in the last component.
 * For bytes nobody reads yet (staging): no temp, no sync. */
int file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode);
/* Replaces path by temp file (".tmp-..." beside it) and rename, synced with its directory if durable. Readers see old
 * or new. Mode as for file_write. */
int file_publish(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool durable);

/* mkdirat that takes an existing directory as success; and the same for all components, mode for each made. The umask
 * applies. */
int dir_make(int dirfd, const char *path, mode_t mode);
int dir_make_all(const char *path, mode_t mode);
/* Opens a directory O_RDONLY|O_DIRECTORY|O_NOFOLLOW; -errno with text, for -ENOENT too. */
int dir_open(int dirfd, const char *path);
/* An own DIR for dirfd (which stays open, with its offset untouched); NULL with text. */
DIR *dir_iterate(int dirfd);
/* The names in a directory without . and .., sorted; hidden ones (leading dot) left out. -ENOENT without text. */
int dir_names(int dirfd, const char *path, char ***ret);
/* Removes path and everything below by descriptor, never following a link, never crossing a mount;
 * gives itself rwx on directories that it owns where needed. Absent is success, also of what others remove meanwhile.
 * On an error it removes what it can and tells of the first. */
int tree_remove(int dirfd, const char *path);
/* Bytes of disk that a tree holds (st_blocks * 512), hard links once, without what is mounted in it; -ENOENT without
 * text. */
int tree_usage(int dirfd, const char *path, uint64_t *ret);

/* Does a tree hold less than about so many bytes and few entries? Looks no further once it does not. */
bool tree_is_small(int dirfd, const char *path, uint64_t bytes);

/* Tells the file system that what is made in this directory belongs apart: ext4 then puts each new directory where it
 * has most room, and not beside the others. Without effect elsewhere. */
void dir_spread(int fd);

/* Makes 0, 1 and 2 open on /dev/null where they are closed, so that no opened file lands there. */
void fd_sanitize_std(void);
/* Closes every descriptor of the process that is not in keep (negative ones there are ignored). */
void fd_close_except(const int *keep, size_t n);
/* Close-on-exec off or on; returns -errno. */
int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);
/* Moves fd to at least min (as F_DUPFD_CLOEXEC) and closes the old; returns the new one. */
int fd_move_above(int fd, int min);

#endif
