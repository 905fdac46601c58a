/* Compressed streams: told by their first bytes, inflated and deflated as filters between two descriptors. gzip is
 * always there (zlib, ISA-L where found); libzstd, liblzma and libbz2 are loaded at their first use.
 * Foreign bytes are inflated in a worker under confine_filter; it calls codec_prepare before. */
#ifndef WHELK_CODEC_H
#define WHELK_CODEC_H

#include <stddef.h>
#include <stdint.h>

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_ZSTD, CODEC_XZ, CODEC_BZIP2 };

enum { CODEC_MAGIC_MAX = 6 }; /* bytes that tell */

enum codec codec_detect(const void *data, size_t len);
const char *codec_name(enum codec c); /* "gzip"; "none" */
/* By name ("gzip", "zstd", ...); -EINVAL with text. */
int codec_find(const char *name, enum codec *ret);
/* Loads what is needed for inflating. -ENOPKG with text that names the package. */
int codec_prepare(enum codec c);

/* Inflates all members or frames from in to out; writes at most max bytes (-EFBIG beyond: a bomb). A zstd window of
 * more than 128 MiB is refused, as is an xz stream that needs more memory than that. Damage is -EBADMSG with text. */
int codec_inflate_fd(enum codec c, int in, int out, uint64_t max);
/* Deflates (gzip, zstd) all of in to out. level 0: the usual one. The same bytes give the same result with the same
 * libraries. */
int codec_deflate_fd(enum codec c, int level, int in, int out);
int codec_deflate_prepare(enum codec c, int level); /* also says what is wrong with a level */

#endif
