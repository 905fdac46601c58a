/* source -> FEED -> INFLATE -> DEFLATE -> reader, as far as they are needed. FEED verifies what the source gives: it
 * sees bytes only. INFLATE reads foreign bytes, so it is confined. Runs in: the caller's process and these three. */
#include "pipeline.h"

#include "output.h"
#include "transport-kinds.h"

#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

static const uint64_t max_plain = 64ull << 30;

struct stage_job {
    struct pipeline *p;
    const struct descriptor *d;
    enum codec codec;
    int level;
    int in, out, unused;
};

/* Runs in: FEED. */
static int feed_child(void *arg)
{
    const struct stage_job *j = arg;
    char digest[DIGEST_TEXT];
    int64_t size;
    fd_close(j->unused);
    return blob_move(&j->p->in, j->out, j->d, digest, &size);
}

/* Runs in: INFLATE. */
static int inflate_child(void *arg)
{
    const struct stage_job *j = arg;
    fd_close(j->unused);
    int r = confine_filter();
    return r < 0 ? r : codec_inflate_fd(j->codec, j->in, j->out, max_plain);
}

/* Runs in: DEFLATE. */
static int deflate_child(void *arg)
{
    const struct stage_job *j = arg;
    fd_close(j->unused);
    return codec_deflate_fd(j->codec, j->level, j->in, j->out);
}

/* Starts fn from *fd into a new pipe, whose other end takes the place of *fd. */
static int add(struct pipeline *p, int (*fn)(void *arg), struct stage_job job, int *fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    fcntl(ends[0], F_SETPIPE_SZ, 1 << 20); /* beyond the user's limit the usual size must do */
    auto_close int read_end = ends[0], write_end = ends[1];
    job.p = p;
    job.in = *fd;
    job.out = write_end;
    job.unused = read_end;
    int r = worker_start(fn, &job, &p->workers[p->n]);
    if (r < 0)
        return r;
    p->n++;
    fd_close(*fd);
    *fd = take_fd(&read_end);
    return 0;
}

static int change(struct pipeline *p, const struct descriptor *d, enum codec from, enum codec to, int level,
                  struct blob *ret)
{
    int r = codec_prepare(from), fd = -1;
    if (r == 0)
        r = codec_deflate_prepare(to, level);
    if (r < 0)
        return r;
    if (p->in.checked && !p->in.window)
        fd = take_fd(&p->in.fd);
    else
        r = add(p, feed_child, (struct stage_job){.d = d}, &fd);
    if (r == 0 && from != CODEC_NONE)
        r = add(p, inflate_child, (struct stage_job){.codec = from}, &fd);
    if (r == 0 && to != CODEC_NONE)
        r = add(p, deflate_child, (struct stage_job){.codec = to, .level = level}, &fd);
    *ret = (struct blob){.fd = fd};
    return r;
}

int pipeline_open(struct source *s, const struct descriptor *d, enum codec from, enum codec to, int level,
                  struct pipeline *ret, struct blob *ret_blob)
{
    *ret = (struct pipeline){.source = s};
    int r = source_blob_open(s, d, &ret->in);
    if (r < 0)
        return r;
    if (from == to) {
        *ret_blob = ret->in;
        ret->in.fd = -1;
        return 0;
    }
    r = change(ret, d, from, to, level, ret_blob);
    return r < 0 ? pipeline_close(ret, ret_blob, r) : 0;
}

/* A worker whose reader has gone has nothing to tell. */
static bool is_reason(int r)
{
    return r < 0 && r != -EPIPE && r != -ECHILD;
}

int pipeline_close(struct pipeline *p, struct blob *blob, int r)
{
    auto_free char *text = r < 0 ? xstrdup(err_text(r)) : NULL;
    fd_close(take_fd(&blob->fd));
    int first = 0;
    auto_free char *first_text = NULL;
    for (unsigned i = 0; i < p->n; i++) {
        int result = worker_wait(&p->workers[i]);
        if (first == 0 && (is_reason(result) || (result < 0 && r == 0))) {
            first = result;
            first_text = xstrdup(err_text(result));
        }
    }
    int closed = source_blob_close(p->source, &p->in, r == 0 && first == 0);
    if (closed < 0)
        return closed;
    if (first < 0)
        return err_set(first, "%s", first_text);
    return r < 0 ? err_set(r, "%s", text) : 0;
}
