/* Inflating and deflating with zlib, which is always there. */
#include "gzip-backend.h"

#include "whelk/auto.h"
#include "whelk/err.h"
#include "whelk/gzip.h"

#include <limits.h>
#include <zlib.h>

enum { GZIP_WRAPPER = 16 + MAX_WBITS };

static bool zlib_ready(void)
{
    return true;
}

static void *zlib_start(void)
{
    z_stream *z = xcalloc(1, sizeof(*z));
    if (inflateInit2(z, GZIP_WRAPPER) != Z_OK)
        abort(); /* no memory, as the x-allocators */
    return z;
}

static enum inflate_result zlib_step(void *state, struct inflate_io *io)
{
    z_stream *z = state;
    z->next_in = (unsigned char *)io->in;
    z->avail_in = MIN(io->in_len, UINT_MAX);
    z->next_out = io->out;
    z->avail_out = MIN(io->out_len, UINT_MAX);
    int r = inflate(z, Z_NO_FLUSH);
    io->in_len -= z->next_in - io->in;
    io->in = z->next_in;
    io->out_len -= z->next_out - io->out;
    io->out = z->next_out;
    if (r == Z_STREAM_END)
        return INFLATE_MEMBER_END;
    return r == Z_OK || r == Z_BUF_ERROR ? INFLATE_MORE : INFLATE_DAMAGED;
}

static void zlib_next_member(void *state)
{
    inflateReset(state);
}

static void zlib_end(void *state)
{
    inflateEnd(state);
    free(state);
}

const struct inflate_backend inflate_zlib = {"zlib",           zlib_ready, zlib_start, zlib_step,
                                             zlib_next_member, zlib_end,   "gzip",     "\x1f"};

static void *zlib_deflate_start(int level)
{
    z_stream *z = xcalloc(1, sizeof(*z));
    if (deflateInit2(z, level, Z_DEFLATED, GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* no memory */
    return z;
}

static bool zlib_deflate_step(void *state, struct inflate_io *io, bool last)
{
    z_stream *z = state;
    z->next_in = (unsigned char *)io->in;
    z->avail_in = MIN(io->in_len, UINT_MAX);
    z->next_out = io->out;
    z->avail_out = MIN(io->out_len, UINT_MAX);
    int r = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
    io->in_len -= z->next_in - io->in;
    io->in = z->next_in;
    io->out_len -= z->next_out - io->out;
    io->out = z->next_out;
    return last ? r == Z_STREAM_END : io->in_len == 0 && io->out_len > 0;
}

static void zlib_deflate_end(void *state)
{
    deflateEnd(state);
    free(state);
}

const struct deflate_backend deflate_zlib = {
    "zlib", zlib_ready, 1, 9, 6, zlib_deflate_start, zlib_deflate_step, zlib_deflate_end};

int gzip_deflate_bytes(const void *data, size_t len, int level, char **ret, size_t *ret_len)
{
    z_stream z = {};
    if (len > UINT_MAX)
        return err_set(-EFBIG, "%zu bytes are too many to compress at once", len);
    if (deflateInit2(&z, level, Z_DEFLATED, GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(-EINVAL, "cannot compress at level %d", level);
    size_t room = deflateBound(&z, len);
    char *out = xmalloc(room);
    z.next_in = (unsigned char *)data;
    z.avail_in = len;
    z.next_out = (unsigned char *)out;
    z.avail_out = room;
    int r = deflate(&z, Z_FINISH);
    *ret_len = room - z.avail_out;
    deflateEnd(&z);
    if (r != Z_STREAM_END)
        abort(); /* deflateBound promised the room */
    *ret = out;
    return 0;
}
