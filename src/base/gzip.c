/* Inflating, of gzip and of what codec.c knows besides: the loop over buffers and members. The libraries stop behind
 * the first member of a stream, so what follows it is looked at here: another member, zero bytes (tapes pad with them),
 * or damage. */
#include "whelk/gzip.h"

#include "gzip-backend.h"
#include "whelk/err.h"
#include "whelk/fd.h"

enum { BUF_SIZE = 512 * 1024, MAGIC_1 = 0x1f, MAGIC_2 = 0x8b };

/* Where compressed bytes come from and where plain ones go. */
struct inflate_ends {
    ssize_t (*fill)(void *arg, void *data, size_t len);
    int (*drain)(void *arg, const void *data, size_t len);
    void *arg;
    uint64_t max;
};

struct inflate_run {
    const struct inflate_backend *backend;
    const struct inflate_ends *ends;
    void *state;
    enum { AT_START, IN_MEMBER, BETWEEN, IN_ZEROS } place;
    struct inflate_io io;
    uint64_t total;
    unsigned char *in, *out;
    size_t buf_size;
};

/* Decides by the next byte what follows a member. Bytes are taken only if they are padding. */
static int inflate_between(struct inflate_run *run)
{
    struct inflate_io *io = &run->io;
    if (run->place == BETWEEN && *io->in && strchr(run->backend->starts, *io->in)) {
        run->backend->next_member(run->state);
        run->place = IN_MEMBER;
        return 0;
    }
    run->place = IN_ZEROS;
    while (io->in_len && *io->in == 0) {
        io->in++;
        io->in_len--;
    }
    return io->in_len ? err_set(-EBADMSG, "the %s stream is followed by other data", run->backend->format) : 0;
}

static int inflate_drain(struct inflate_run *run)
{
    size_t len = run->buf_size - run->io.out_len;
    uint64_t max = run->ends->max;
    if (len > max - run->total)
        return err_set(-EFBIG, "the %s stream inflates to more than %llu bytes", run->backend->format,
                       (unsigned long long)max);
    run->total += len;
    return len ? run->ends->drain(run->ends->arg, run->out, len) : 0;
}

/* Inflates what there is of input, at most to the end of a member. */
static int inflate_member(struct inflate_run *run)
{
    struct inflate_io *io = &run->io;
    enum inflate_result result;
    run->place = IN_MEMBER;
    do {
        io->out = run->out;
        io->out_len = run->buf_size;
        result = run->backend->step(run->state, io);
        int r = inflate_drain(run);
        if (r < 0)
            return r;
    } while (result == INFLATE_MORE && io->out_len == 0);
    /* With room left, a step that leaves input has come to a stop for another reason than the two allowed. */
    if (result == INFLATE_DAMAGED || (result == INFLATE_MORE && io->in_len > 0))
        return err_set(-EBADMSG, "the %s stream is damaged", run->backend->format);
    if (result == INFLATE_MEMBER_END)
        run->place = BETWEEN;
    return 0;
}

static int inflate_loop(struct inflate_run *run)
{
    for (;;) {
        ssize_t n = run->ends->fill(run->ends->arg, run->in, run->buf_size);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        run->io.in = run->in;
        run->io.in_len = n;
        while (run->io.in_len > 0) {
            int r = run->place == BETWEEN || run->place == IN_ZEROS ? inflate_between(run) : inflate_member(run);
            if (r < 0)
                return r;
        }
    }
    if (run->place == BETWEEN || run->place == IN_ZEROS)
        return 0;
    return err_set(-EBADMSG, "the %s stream is cut short", run->backend->format);
}

static int inflate_all(const struct inflate_backend *backend, size_t buf_size, const struct inflate_ends *ends)
{
    struct inflate_run run = {
        .backend = backend,
        .ends = ends,
        .state = backend->start(),
        .in = xmalloc(buf_size),
        .out = xmalloc(buf_size),
        .buf_size = buf_size,
    };
    int r = inflate_loop(&run);
    backend->end(run.state);
    free(run.in);
    free(run.out);
    return r;
}

static const struct inflate_backend *inflate_best(void)
{
    return inflate_isal.ready() ? &inflate_isal : &inflate_zlib;
}

struct fd_ends {
    int in, out;
};

static ssize_t fd_fill(void *arg, void *data, size_t len)
{
    struct fd_ends *fds = arg;
    ssize_t n;
    do
        n = read(fds->in, data, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_sys("cannot read the compressed data") : n;
}

static int fd_drain(void *arg, const void *data, size_t len)
{
    struct fd_ends *fds = arg;
    int r = fd_write_all(fds->out, data, len);
    return r < 0 ? err_set(r, "cannot write the inflated data: %s", strerror(-r)) : 0;
}

int inflate_fd(const struct inflate_backend *backend, size_t buf_size, int in, int out, uint64_t max)
{
    struct fd_ends fds = {in, out};
    return inflate_all(backend, buf_size, &(struct inflate_ends){fd_fill, fd_drain, &fds, max});
}

int gzip_inflate_fd(int in, int out, uint64_t max)
{
    return inflate_fd(inflate_best(), BUF_SIZE, in, out, max);
}

void gzip_prepare(void)
{
    inflate_best();
}

bool gzip_magic(const void *data, size_t len)
{
    const unsigned char *p = data;
    return len >= 2 && p[0] == MAGIC_1 && p[1] == MAGIC_2;
}

struct byte_ends {
    const char *in;
    size_t in_len;
    struct buf out;
};

static ssize_t byte_fill(void *arg, void *data, size_t len)
{
    struct byte_ends *b = arg;
    size_t n = MIN(len, b->in_len);
    if (n)
        memcpy(data, b->in, n);
    b->in += n;
    b->in_len -= n;
    return n;
}

static int byte_drain(void *arg, const void *data, size_t len)
{
    struct byte_ends *b = arg;
    buf_add(&b->out, data, len);
    return 0;
}

int gzip_inflate_bytes(const void *data, size_t len, size_t max, char **ret, size_t *ret_len)
{
    struct byte_ends bytes = {.in = data, .in_len = len};
    int r = inflate_all(&inflate_zlib, 64 * 1024, &(struct inflate_ends){byte_fill, byte_drain, &bytes, max});
    if (r < 0) {
        buf_done(&bytes.out);
        return r;
    }
    *ret_len = bytes.out.len;
    *ret = buf_take(&bytes.out);
    return 0;
}
