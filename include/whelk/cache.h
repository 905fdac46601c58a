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
/* The same for what lies in a staging directory: the record as steps/KEY and, if there is one, what is told of it as
 * told/KEY. What is not there was adopted by somebody else. */
int cache_step_adopt(const struct store *s, int dir, const char *key);
void cache_step_done(struct cache_step *step);
int cache_steps_remove_all(const struct store *s); /* rmi -af */
int cache_step_remove(const struct store *s, const char *key);

/* What the key of a step covers, as text beside its record, for build --explain: cache/told/<key>. It may be missing,
 * and nothing relies on it. Absence is -ENOENT without text. */
int cache_told_get(const struct store *s, const char *key, char **ret);
int cache_told_keys(const struct store *s, char ***ret); /* the newest first */

/* What is given up: records of steps whose layers no image has, with all of any step; unreadable ones always. */
struct cache_prune {
    bool all;
    int64_t before;                            /* ns: only what was last used before; 0: whenever */
    uint64_t keep;                             /* bytes that may stay, of what was used last; 0: none */
    void (*told)(void *ctx, const char *what); /* called for each one that went; or NULL */
    void *ctx;
};
int cache_steps_prune(const struct store *s, const struct cache_prune *p);
/* The same for directories of RUN --mount=type=cache that no build uses; keep does not count. */
int cache_mounts_prune(const struct store *s, const struct cache_prune *p);
/* Once a day, after a build: what is above the budget goes, least recently used first (STORE, garbage 3). Its layers
 * go with the next collection. */
int cache_keep_budget(const struct store *s);
uint64_t cache_budget(const struct store *s); /* 10 GB, or a tenth of the file system */
#define CACHE_MOUNTS "cache/mounts"

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
