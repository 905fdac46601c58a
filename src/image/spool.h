/* What has come of a blob, kept for another time: cache/blobs/<hex> (STORE, images 4). Private to src/image.
 *
 * The flock belongs to the one process that fills the file; others read behind it, and whoever finds the lock free goes
 * on filling. When the layer is in, the file is unlinked; who still reads it has it open. */
#ifndef WHELK_IMAGE_SPOOL_H
#define WHELK_IMAGE_SPOOL_H

#include "whelk/store.h"

#include <stdint.h>

struct spool {
    int dir, fd; /* fd -1: none */
    char name[65];
    bool owner;
};

/* Opens or makes the file of a digest (hex) and takes the lock if it is free. */
int spool_open(const struct store *s, const char *hex, struct spool *ret);
/* For a reader at the end of the file: 1: this process is the owner now; 2: the file has been given up or finished,
 * nobody will add to it; 0: another process is at work. */
int spool_try_own(struct spool *sp);
void spool_close(struct spool *sp);
/* Removes the file of a digest, whoever has it open. */
void spool_remove(const struct store *s, const char *hex);
/* Removes files that nobody has touched for a week. */
void spool_tidy(const struct store *s);

#endif
