/* The build cache: cache/steps/<key> says what a step made, cache/files remembers digests of context files by stat
 * (STORE, durability 5). A record is a root for its layer until it is pruned. */
#ifndef WHELK_CACHE_H
#define WHELK_CACHE_H

#include "whelk/record.h"
#include "whelk/store.h"

#include <sys/stat.h>

struct cache_step {
    struct rec_head head;
    char *layer; /* key, or NULL: the step changed nothing in the tree */
    char *diffid;
    int64_t size;
    int64_t created; /* ns: becomes the history entry's time */
    int64_t used;
    char *created_by; /* for people */
};
extern const struct rec_type cache_step_rec;

/* key: 64 hex. -ENOENT without text if there is none or its layer is gone. The caller has store_hold until it has
 * pinned the layer. */
int cache_step_get(const struct store *s, const char *key, struct cache_step *ret);
/* Only after stage_sync: the record is what makes its layer trusted. */
int cache_step_put(const struct store *s, const char *key, const struct cache_step *step);
void cache_step_done(struct cache_step *step);
int cache_steps_remove_all(const struct store *s); /* rmi -af and prune */

/* Digests of files by (device, inode, size, mtime ns, ctime ns): load the table for one build, look up, add, save if
 * changed. */
struct file_digests;
int file_digests_open(const struct store *s, struct file_digests **ret);
/* The hex digest of the regular file open at fd; st is its fstat. */
int file_digests_get(struct file_digests *t, int fd, const struct stat *st, bool trust_stat, char ret[65]);
/* The same without opening the file: false if it is not remembered. */
bool file_digests_known(struct file_digests *t, const struct stat *st, char ret[65]);
int file_digests_close(struct file_digests *t);

#endif
