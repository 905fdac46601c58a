/* Streaming gzip: inflate as a filter between two descriptors. Multi-member streams are read to their end; behind the
 * last member only zero bytes may follow. */
#ifndef WHELK_GZIP_H
#define WHELK_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does data (at least 2 bytes) start like gzip? */
bool gzip_magic(const void *data, size_t len);
/* Inflates all members from in to out; writes at most max bytes (-EFBIG beyond: a bomb). Uses ISA-L through dlopen
 * where found, else zlib. Damage is -EBADMSG with text. */
int gzip_inflate_fd(int in, int out, uint64_t max);
/* Loads the fast backend now, for a process that soon may open no more files. */
void gzip_prepare(void);

/* A whole buffer, for records and recipes (zlib, level 1..9). Same bytes, same result. Caller frees *ret; inflated data
 * is NUL-terminated behind its length. */
int gzip_deflate_bytes(const void *data, size_t len, int level, char **ret, size_t *ret_len);
int gzip_inflate_bytes(const void *data, size_t len, size_t max, char **ret, size_t *ret_len);

#endif
