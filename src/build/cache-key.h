/* Keys of build steps: SHA-256 over a serialisation that cannot be read in two ways. Every text has its length before
 * it, every vector its count. Pure. Private to src/build. */
#ifndef BUILD_CACHE_KEY_H
#define BUILD_CACHE_KEY_H

#include "whelk/digest.h"
#include "whelk/str.h"

#include <stddef.h>

enum { CACHE_KEY = DIGEST_BUF };

struct cache_key {
    struct digest *digest;
    unsigned char data[4096]; /* that is not hashed yet */
    size_t len;
    struct buf *told; /* what is added to it is told there (told.h), or NULL */
};

/* Begins the key of what follows from parent (a key, or what names a base) by an instruction of this kind. */
void cache_key_begin(struct cache_key *k, const char *parent, const char *kind);
/* label says what value is; a NULL value differs from "". */
void cache_key_add(struct cache_key *k, const char *label, const char *value);
void cache_key_add_strv(struct cache_key *k, const char *label, char *const *values);
void cache_key_add_number(struct cache_key *k, const char *label, uint64_t value);
/* Writes the key and ends k. */
void cache_key_end(struct cache_key *k, char ret[CACHE_KEY]);
/* Ends k without a key. An ended or zeroed one is fine. */
void cache_key_drop(struct cache_key *k);

#endif
