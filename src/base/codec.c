/* What is known about each way to compress, and the loop for deflating. */
#include "whelk/codec.h"

#include "gzip-backend.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/gzip.h"

enum { BUF_SIZE = 512 * 1024, BACKENDS_MAX = 2 };

static const struct codec_info {
    const char *name, *magic;
    size_t magic_len;
    /* The first that is ready is taken. */
    const struct inflate_backend *inflate[BACKENDS_MAX];
    const struct deflate_backend *deflate[BACKENDS_MAX];
    const char *package; /* of the library, where it may be missing */
} codecs[] = {
    [CODEC_NONE] = {.name = "none"},
    [CODEC_GZIP] = {"gzip", "\x1f\x8b", 2, {&inflate_isal, &inflate_zlib}, {&deflate_isal, &deflate_zlib}},
    [CODEC_ZSTD] = {"zstd", "\x28\xb5\x2f\xfd", 4, {&inflate_zstd}, {&deflate_zstd}, "libzstd1"},
    [CODEC_XZ] = {"xz", "\xfd\x37\x7a\x58\x5a\0", 6, {&inflate_xz}, .package = "liblzma5"},
    [CODEC_BZIP2] = {"bzip2", "BZh", 3, {&inflate_bzip2}, .package = "libbz2-1.0"},
};

enum codec codec_detect(const void *data, size_t len)
{
    for (size_t i = 1; i < ARRAY_LEN(codecs); i++)
        if (len >= codecs[i].magic_len && memcmp(data, codecs[i].magic, codecs[i].magic_len) == 0)
            return (enum codec)i;
    return CODEC_NONE;
}

const char *codec_name(enum codec c)
{
    return codecs[c].name;
}

int codec_find(const char *name, enum codec *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++)
        if (str_eq(name, codecs[i].name)) {
            *ret = (enum codec)i;
            return 0;
        }
    auto_free char *shown = str_printable(name);
    return err_set(-EINVAL, "\"%s\" is no known compression: gzip, zstd, xz, bzip2 or none", shown);
}

static int missing(const struct codec_info *c)
{
    return err_set(-ENOPKG, "the data is %s, which needs the package %s (and whelk built with it)", c->name,
                   c->package);
}

/* ---- inflating ---- */

static const struct inflate_backend *inflate_of(const struct codec_info *c)
{
    for (size_t i = 0; i < BACKENDS_MAX && c->inflate[i]; i++)
        if (c->inflate[i]->ready())
            return c->inflate[i];
    return NULL;
}

int codec_prepare(enum codec c)
{
    return c == CODEC_NONE || inflate_of(&codecs[c]) ? 0 : missing(&codecs[c]);
}

int codec_inflate_fd(enum codec c, int in, int out, uint64_t max)
{
    const struct inflate_backend *backend = inflate_of(&codecs[c]);
    return backend ? inflate_fd(backend, BUF_SIZE, in, out, max) : missing(&codecs[c]);
}

/* ---- deflating ---- */

static const struct deflate_backend *deflate_of(const struct codec_info *c, int level)
{
    for (size_t i = 0; i < BACKENDS_MAX && c->deflate[i]; i++) {
        const struct deflate_backend *d = c->deflate[i];
        if ((level == 0 || (level >= d->min_level && level <= d->max_level)) && d->ready())
            return d;
    }
    return NULL;
}

int codec_deflate_prepare(enum codec c, int level)
{
    const struct codec_info *info = &codecs[c];
    const struct deflate_backend *last = NULL;
    if (c == CODEC_NONE || deflate_of(info, level))
        return 0;
    for (size_t i = 0; i < BACKENDS_MAX && info->deflate[i]; i++)
        last = info->deflate[i];
    if (!last)
        return err_set(-ENOTSUP, "whelk does not compress with %s: gzip or zstd", info->name);
    if (!last->ready())
        return missing(info);
    return err_set(-EINVAL, "%s has the levels %d to %d, not %d", info->name, last->min_level, last->max_level, level);
}

struct deflate_run {
    const struct deflate_backend *backend;
    void *state;
    unsigned char *in, *out;
    int from, to;
};

/* All that the library gives for what is in io. */
static int deflate_piece(struct deflate_run *run, struct inflate_io *io, bool last)
{
    for (bool done = false; !done;) {
        io->out = run->out;
        io->out_len = BUF_SIZE;
        done = run->backend->step(run->state, io, last);
        int r = fd_write_all(run->to, run->out, BUF_SIZE - io->out_len);
        if (r < 0)
            return err_set(r, "cannot write the compressed data: %s", strerror(-r));
    }
    return 0;
}

static int deflate_loop(struct deflate_run *run)
{
    for (bool last = false; !last;) {
        ssize_t n = fd_read_full(run->from, run->in, BUF_SIZE);
        if (n < 0)
            return err_set((int)n, "cannot read the data to compress: %s", strerror((int)-n));
        last = n < BUF_SIZE;
        struct inflate_io io = {.in = run->in, .in_len = (size_t)n};
        int r = deflate_piece(run, &io, last);
        if (r < 0)
            return r;
    }
    return 0;
}

int codec_deflate_fd(enum codec c, int level, int in, int out)
{
    int r = codec_deflate_prepare(c, level);
    if (r < 0)
        return r;
    const struct deflate_backend *backend = deflate_of(&codecs[c], level);
    struct deflate_run run = {
        .backend = backend,
        .state = backend->start(level ? level : backend->usual_level),
        .in = xmalloc(BUF_SIZE),
        .out = xmalloc(BUF_SIZE),
        .from = in,
        .to = out,
    };
    r = deflate_loop(&run);
    backend->end(run.state);
    free(run.in);
    free(run.out);
    return r;
}
