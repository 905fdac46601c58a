/* zstd by libzstd, loaded at first use. Skippable frames (seekable formats end with them) are passed over. */
#include "gzip-backend.h"

#if HAVE_LIBZSTD

#include "whelk/auto.h"
#include "whelk/dl.h"

#include <zstd.h>

enum { WINDOW_LOG_MAX = 27 /* 128 MiB */ };

DL_FUNCTION(ZSTD_createDCtx);
DL_FUNCTION(ZSTD_freeDCtx);
DL_FUNCTION(ZSTD_DCtx_setParameter);
DL_FUNCTION(ZSTD_decompressStream);
DL_FUNCTION(ZSTD_createCCtx);
DL_FUNCTION(ZSTD_freeCCtx);
DL_FUNCTION(ZSTD_CCtx_setParameter);
DL_FUNCTION(ZSTD_compressStream2);
DL_FUNCTION(ZSTD_isError);

static const struct dl_symbol zstd_symbols[] = {
    DL_SYMBOL(ZSTD_createDCtx),        DL_SYMBOL(ZSTD_freeDCtx),
    DL_SYMBOL(ZSTD_DCtx_setParameter), DL_SYMBOL(ZSTD_decompressStream),
    DL_SYMBOL(ZSTD_createCCtx),        DL_SYMBOL(ZSTD_freeCCtx),
    DL_SYMBOL(ZSTD_CCtx_setParameter), DL_SYMBOL(ZSTD_compressStream2),
    DL_SYMBOL(ZSTD_isError),           DL_END,
};
static struct dl_library zstd = {"libzstd.so.1", "libzstd1", zstd_symbols};
DL_NOTE(libzstd, "recommended", "zstd layers", "libzstd.so.1");

static bool zstd_ready(void)
{
    return dl_ready(&zstd);
}

static void *zstd_start(void)
{
    ZSTD_DCtx *d = dl_ZSTD_createDCtx();
    if (!d || dl_ZSTD_isError(dl_ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
        abort(); /* no memory, as the x-allocators */
    return d;
}

static enum inflate_result zstd_step(void *state, struct inflate_io *io)
{
    ZSTD_inBuffer in = {io->in, io->in_len, 0};
    ZSTD_outBuffer out = {io->out, io->out_len, 0};
    size_t r = 1;
    while (r != 0 && in.pos < in.size && out.pos < out.size && !dl_ZSTD_isError(r))
        r = dl_ZSTD_decompressStream(state, &out, &in);
    if (in.size == 0 && out.size > 0) /* only what it still holds */
        r = dl_ZSTD_decompressStream(state, &out, &in);
    io->in += in.pos;
    io->in_len -= in.pos;
    io->out += out.pos;
    io->out_len -= out.pos;
    if (dl_ZSTD_isError(r))
        return INFLATE_DAMAGED;
    return r == 0 ? INFLATE_MEMBER_END : INFLATE_MORE;
}

static void zstd_next_member(void *state)
{
}

static void zstd_end(void *state)
{
    dl_ZSTD_freeDCtx(state);
}

const struct inflate_backend inflate_zstd = {
    "libzstd",        zstd_ready, zstd_start, zstd_step,
    zstd_next_member, zstd_end,   "zstd",     "\x28\x50\x51\x52\x53\x54\x55\x56\x57\x58\x59\x5a\x5b\x5c\x5d\x5e\x5f"};

static void *zstd_deflate_start(int level)
{
    ZSTD_CCtx *c = dl_ZSTD_createCCtx();
    if (!c || dl_ZSTD_isError(dl_ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level)) ||
        dl_ZSTD_isError(dl_ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)))
        abort(); /* no memory */
    return c;
}

static bool zstd_deflate_step(void *state, struct inflate_io *io, bool last)
{
    ZSTD_inBuffer in = {io->in, io->in_len, 0};
    ZSTD_outBuffer out = {io->out, io->out_len, 0};
    size_t r = dl_ZSTD_compressStream2(state, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (dl_ZSTD_isError(r))
        abort(); /* no memory is the only reason */
    io->in += in.pos;
    io->in_len -= in.pos;
    io->out += out.pos;
    io->out_len -= out.pos;
    return last ? r == 0 : io->in_len == 0;
}

static void zstd_deflate_end(void *state)
{
    dl_ZSTD_freeCCtx(state);
}

const struct deflate_backend deflate_zstd = {"libzstd",         zstd_ready,      1, 19, 3, zstd_deflate_start,
                                             zstd_deflate_step, zstd_deflate_end};

#else

static bool zstd_ready(void)
{
    return false;
}

const struct inflate_backend inflate_zstd = {.name = "libzstd", .ready = zstd_ready};
const struct deflate_backend deflate_zstd = {.name = "libzstd", .ready = zstd_ready};

#endif
