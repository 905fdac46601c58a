/* Inflating and deflating with ISA-L, loaded at first use; several times as fast as zlib. */
#include "gzip-backend.h"

#if HAVE_ISAL

#include "whelk/auto.h"
#include "whelk/dl.h"

#include <isa-l/igzip_lib.h>

DL_FUNCTION(isal_inflate_init);
DL_FUNCTION(isal_inflate_reset);
DL_FUNCTION(isal_read_gzip_header);
DL_FUNCTION(isal_inflate);
DL_FUNCTION(isal_deflate_init);
DL_FUNCTION(isal_deflate);

static const struct dl_symbol isal_symbols[] = {
    DL_SYMBOL(isal_inflate_init),
    DL_SYMBOL(isal_inflate_reset),
    DL_SYMBOL(isal_read_gzip_header),
    DL_SYMBOL(isal_inflate),
    DL_SYMBOL(isal_deflate_init),
    DL_SYMBOL(isal_deflate),
    DL_END,
};
static struct dl_library isal = {"libisal.so.2", "libisal2", isal_symbols};
DL_NOTE(libisal, "recommended", "fast gzip", "libisal.so.2");

/* The header is read by a call of its own: isal_inflate would lose what it knows of a header that comes in pieces. */
struct isal_member {
    struct inflate_state state;
    struct isal_gzip_header header;
    bool in_body;
};

static bool isal_ready(void)
{
    return dl_ready(&isal);
}

static void isal_next_member(void *state)
{
    struct isal_member *m = state;
    dl_isal_inflate_reset(&m->state);
    m->state.crc_flag = ISAL_GZIP_NO_HDR_VER;
    m->header = (struct isal_gzip_header){};
    m->in_body = false;
}

static void *isal_start(void)
{
    struct isal_member *m = xcalloc(1, sizeof(*m));
    dl_isal_inflate_init(&m->state);
    isal_next_member(m);
    return m;
}

static enum inflate_result isal_step(void *state, struct inflate_io *io)
{
    struct isal_member *m = state;
    struct inflate_state *s = &m->state;
    s->next_in = (unsigned char *)io->in;
    s->avail_in = MIN(io->in_len, UINT32_MAX);
    s->next_out = io->out;
    s->avail_out = MIN(io->out_len, UINT32_MAX);
    int r = ISAL_DECOMP_OK;
    if (!m->in_body) {
        r = dl_isal_read_gzip_header(s, &m->header);
        m->in_body = r == ISAL_DECOMP_OK;
    }
    if (m->in_body)
        r = dl_isal_inflate(s);
    io->in_len -= s->next_in - io->in;
    io->in = s->next_in;
    io->out_len -= s->next_out - io->out;
    io->out = s->next_out;
    if (r < 0 || r > ISAL_OUT_OVERFLOW)
        return INFLATE_DAMAGED;
    return m->in_body && s->block_state == ISAL_BLOCK_FINISH ? INFLATE_MEMBER_END : INFLATE_MORE;
}

static void isal_end(void *state)
{
    free(state);
}

const struct inflate_backend inflate_isal = {"ISA-L",          isal_ready, isal_start, isal_step,
                                             isal_next_member, isal_end,   "gzip",     "\x1f"};

static const size_t level_sizes[] = {0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};

static void *isal_deflate_start(int level)
{
    struct isal_zstream *z = xcalloc(1, sizeof(*z));
    dl_isal_deflate_init(z);
    z->level = (uint32_t)level;
    z->level_buf_size = (uint32_t)level_sizes[level];
    z->level_buf = xcalloc(1, level_sizes[level]);
    z->gzip_flag = IGZIP_GZIP;
    return z;
}

static bool isal_deflate_step(void *state, struct inflate_io *io, bool last)
{
    struct isal_zstream *z = state;
    z->next_in = (unsigned char *)io->in;
    z->avail_in = (uint32_t)MIN(io->in_len, UINT32_MAX);
    z->next_out = io->out;
    z->avail_out = (uint32_t)MIN(io->out_len, UINT32_MAX);
    z->end_of_stream = last;
    if (dl_isal_deflate(z) != COMP_OK)
        abort(); /* no other fault is possible with these values */
    io->in_len -= z->next_in - io->in;
    io->in = z->next_in;
    io->out_len -= z->next_out - io->out;
    io->out = z->next_out;
    return last ? z->internal_state.state == ZSTATE_END : io->in_len == 0 && io->out_len > 0;
}

static void isal_deflate_end(void *state)
{
    struct isal_zstream *z = state;
    free(z->level_buf);
    free(z);
}

const struct deflate_backend deflate_isal = {"ISA-L",           isal_ready,      1, 3, 1, isal_deflate_start,
                                             isal_deflate_step, isal_deflate_end};

#else

static bool isal_ready(void)
{
    return false;
}

const struct inflate_backend inflate_isal = {.name = "ISA-L", .ready = isal_ready};
const struct deflate_backend deflate_isal = {.name = "ISA-L", .ready = isal_ready};

#endif
