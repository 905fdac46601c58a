/* xz by liblzma, loaded at first use: inflating only. */
#include "gzip-backend.h"

#if HAVE_LIBLZMA

#include "whelk/auto.h"
#include "whelk/dl.h"

#include <lzma.h>

static const uint64_t memory_max = 128 << 20;

DL_FUNCTION(lzma_stream_decoder);
DL_FUNCTION(lzma_code);
DL_FUNCTION(lzma_end);

static const struct dl_symbol lzma_symbols[] = {
    DL_SYMBOL(lzma_stream_decoder),
    DL_SYMBOL(lzma_code),
    DL_SYMBOL(lzma_end),
    DL_END,
};
static struct dl_library lzma = {"liblzma.so.5", "liblzma5", lzma_symbols};
DL_NOTE(liblzma, "suggested", "xz archives", "liblzma.so.5");

static bool xz_ready(void)
{
    return dl_ready(&lzma);
}

static void xz_next_member(void *state)
{
    if (dl_lzma_stream_decoder(state, memory_max, 0) != LZMA_OK)
        abort(); /* no memory, as the x-allocators */
}

static void *xz_start(void)
{
    lzma_stream *z = xcalloc(1, sizeof(*z));
    xz_next_member(z);
    return z;
}

static enum inflate_result xz_step(void *state, struct inflate_io *io)
{
    lzma_stream *z = state;
    z->next_in = io->in;
    z->avail_in = io->in_len;
    z->next_out = io->out;
    z->avail_out = io->out_len;
    lzma_ret r = dl_lzma_code(z, LZMA_RUN);
    io->in = z->next_in;
    io->in_len = z->avail_in;
    io->out = z->next_out;
    io->out_len = z->avail_out;
    if (r == LZMA_STREAM_END)
        return INFLATE_MEMBER_END;
    return r == LZMA_OK || r == LZMA_BUF_ERROR ? INFLATE_MORE : INFLATE_DAMAGED;
}

static void xz_end(void *state)
{
    dl_lzma_end(state);
    free(state);
}

const struct inflate_backend inflate_xz = {"liblzma",      xz_ready, xz_start, xz_step,
                                           xz_next_member, xz_end,   "xz",     "\xfd"};

#else

static bool xz_ready(void)
{
    return false;
}

const struct inflate_backend inflate_xz = {.name = "liblzma", .ready = xz_ready};

#endif
