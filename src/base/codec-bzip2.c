/* bzip2 by libbz2, loaded at first use: inflating only. */
#include "gzip-backend.h"

#if HAVE_LIBBZ2

#include "whelk/auto.h"
#include "whelk/dl.h"

#include <bzlib.h>
#include <limits.h>

DL_FUNCTION(BZ2_bzDecompressInit);
DL_FUNCTION(BZ2_bzDecompress);
DL_FUNCTION(BZ2_bzDecompressEnd);

static const struct dl_symbol bz2_symbols[] = {
    DL_SYMBOL(BZ2_bzDecompressInit),
    DL_SYMBOL(BZ2_bzDecompress),
    DL_SYMBOL(BZ2_bzDecompressEnd),
    DL_END,
};
static struct dl_library bz2 = {"libbz2.so.1.0", "libbz2-1.0", bz2_symbols};
DL_NOTE(libbz2, "suggested", "bzip2 archives", "libbz2.so.1.0");

static bool bzip2_ready(void)
{
    return dl_ready(&bz2);
}

static void *bzip2_start(void)
{
    bz_stream *z = xcalloc(1, sizeof(*z));
    if (dl_BZ2_bzDecompressInit(z, 0, 0) != BZ_OK)
        abort(); /* no memory, as the x-allocators */
    return z;
}

static void bzip2_next_member(void *state)
{
    bz_stream *z = state;
    dl_BZ2_bzDecompressEnd(z);
    *z = (bz_stream){0};
    if (dl_BZ2_bzDecompressInit(z, 0, 0) != BZ_OK)
        abort();
}

static enum inflate_result bzip2_step(void *state, struct inflate_io *io)
{
    bz_stream *z = state;
    z->next_in = (char *)(uintptr_t)io->in;
    z->avail_in = MIN(io->in_len, UINT_MAX);
    z->next_out = (char *)io->out;
    z->avail_out = MIN(io->out_len, UINT_MAX);
    int r = dl_BZ2_bzDecompress(z);
    io->in_len -= (unsigned char *)z->next_in - io->in;
    io->in = (unsigned char *)z->next_in;
    io->out_len -= (unsigned char *)z->next_out - io->out;
    io->out = (unsigned char *)z->next_out;
    if (r == BZ_STREAM_END)
        return INFLATE_MEMBER_END;
    return r == BZ_OK ? INFLATE_MORE : INFLATE_DAMAGED;
}

static void bzip2_end(void *state)
{
    dl_BZ2_bzDecompressEnd(state);
    free(state);
}

const struct inflate_backend inflate_bzip2 = {"libbz2",          bzip2_ready, bzip2_start, bzip2_step,
                                              bzip2_next_member, bzip2_end,   "bzip2",     "B"};

#else

static bool bzip2_ready(void)
{
    return false;
}

const struct inflate_backend inflate_bzip2 = {.name = "libbz2", .ready = bzip2_ready};

#endif
