/* From an archive to a layer (STORE, unpacking 1).
 *
 *     in --> PARENT --> [INFLATE] --> PARENT --> APPLY
 *
 * The parent has the archive's source and does the hashing, of the bytes as they come and of the plain ones; it never
 * parses a byte of the archive. INFLATE has two
 * pipes and nothing else. APPLY has one pipe and one directory. Neither names an object: the key is the parent's own
 * hash. What APPLY says about the tree is read as a record of bounded size, and the directory is looked at after APPLY
 * has ended. All pipes are served by one poll loop of two flows, each with one buffer. Runs in: the caller's process
 * outside the store's user namespace (PARENT), INFLATE, APPLY (layer-apply.c). */
#include "layer-private.h"
#include "whelk/codec.h"
#include "whelk/confine.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

enum {
    PIPE_SIZE = 1 << 20,
    FLOW_SIZE = 256 * 1024,
    FIRST_SIZE = 512, /* to tell formats apart */
    FACTS_MAX = 4 << 20,
    MAX_ENTRIES = 10 * 1000 * 1000,
};
static const uint64_t max_bytes_default = 64ull << 30;

/* ---- flows ---- */

/* Bytes on their way from one descriptor to another. */
struct flow {
    int from, to;  /* -1: not there, or done with */
    bool own_from; /* else it is the caller's: never closed, and read only when poll says so */
    char *data;
    size_t pos, len;
    bool window; /* from is read by offset, left bytes of it */
    uint64_t offset, left;
    struct digest *digest; /* or NULL: neither hashed nor counted */
    uint64_t count, max;
    const char *what; /* that has the limit max, for the text */
    bool broken;      /* the reader went away before the end */
};

static void flow_close(struct flow *f)
{
    if (f->own_from)
        fd_close(f->from);
    f->from = -1;
    fd_close(take_fd(&f->to));
}

static void flow_done(struct flow *f)
{
    flow_close(f);
    free(f->data);
    digest_free(f->digest);
}

static int flow_count(struct flow *f)
{
    if (f->len > f->max - f->count)
        return err_set(-EFBIG, "the archive is larger than %llu bytes%s", (unsigned long long)f->max, f->what);
    f->count += f->len;
    digest_add(f->digest, f->data, f->len);
    return 0;
}

static int flow_fill(struct flow *f)
{
    size_t room = f->window ? MIN(f->left, (uint64_t)FLOW_SIZE) : FLOW_SIZE;
    ssize_t n = f->window ? pread(f->from, f->data, room, (off_t)f->offset) : read(f->from, f->data, room);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : err_sys("cannot read the archive");
    f->offset += (uint64_t)n;
    f->left -= f->window ? (uint64_t)n : 0;
    if (n == 0)
        flow_close(f);
    f->pos = 0;
    f->len = n;
    return f->digest && n > 0 ? flow_count(f) : 0;
}

static int flow_drain(struct flow *f)
{
    ssize_t n = write(f->to, f->data + f->pos, f->len - f->pos);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        f->broken = true;
        flow_close(f);
        return errno == EPIPE ? 0 : err_sys("cannot pass on the archive");
    }
    f->pos += MAX(n, (ssize_t)0);
    return 0;
}

static struct pollfd flow_wants(const struct flow *f)
{
    bool full = f->pos < f->len;
    if (f->from < 0)
        return (struct pollfd){.fd = -1};
    return (struct pollfd){.fd = full ? f->to : f->from, .events = full ? POLLOUT : POLLIN};
}

static int flow_step(struct flow *f, const struct pollfd *p)
{
    if (p->fd < 0 || !p->revents)
        return 0;
    return p->events == POLLOUT ? flow_drain(f) : flow_fill(f);
}

/* Until the last flow has ended. One that broke ends the others: their ends close behind it. */
static int flows_run(struct flow *flows, unsigned n)
{
    struct flow *last = &flows[n - 1];
    while (last->from >= 0) {
        struct pollfd polls[2];
        for (unsigned i = 0; i < n; i++)
            polls[i] = flow_wants(&flows[i]);
        if (poll(polls, n, -1) < 0 && errno != EINTR)
            return err_sys("cannot wait for the archive");
        for (unsigned i = 0; i < n; i++) {
            int r = flow_step(&flows[i], &polls[i]);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* ---- the import ---- */

struct import {
    struct stage *st;
    char name[40]; /* below the stage */
    int dir;       /* tmp/<stage>/<name> */
    struct layer_limits limits;
    struct apply_job job;
    struct worker apply, inflate; /* pid 0: none */
    int apply_err, inflate_err;   /* own ends for their results */
    struct flow flows[2];         /* in -> INFLATE (not for a plain archive); plain -> APPLY */
    const struct layer_blob *blob;
    enum codec codec;
};

struct inflate_job {
    enum codec codec;
    int in, out, err;
    uint64_t max;
};

static int inflate_run(void *arg)
{
    struct inflate_job *job = arg;
    const int keep[] = {job->in, job->out, job->err};
    fd_close_except(keep, ARRAY_LEN(keep)); /* the error pipe of worker_start goes too: results come over our own */
    int r = confine_filter();
    worker_finish(job->err, r < 0 ? r : codec_inflate_fd(job->codec, job->in, job->out, job->max));
}

static int apply_run(void *arg)
{
    struct import *im = arg;
    const int keep[] = {im->job.in, im->job.dir, im->job.recipe, im->job.facts, im->apply_err};
    fd_close_except(keep, ARRAY_LEN(keep));
    worker_finish(im->apply_err, layer_apply(&im->job));
}

/* A pipe whose end at our side does not block. */
static int pipe_make(bool ours_reads, int *ret_ours, int *ret_theirs)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE); /* beyond the user's limit the usual size must do */
    *ret_ours = ends[ours_reads ? 0 : 1];
    *ret_theirs = ends[ours_reads ? 1 : 0];
    fd_set_nonblock(*ret_ours, true);
    return 0;
}

/* An own pipe for a worker's result, then the worker. */
static int worker_with_result(struct import *im, int (*fn)(void *), void *arg, bool in_store, int *err_slot,
                              struct worker *ret)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    auto_close int read_end = ends[0], write_end = ends[1];
    *err_slot = write_end;
    int r = in_store ? userns_worker_start(&im->st->store->map, fn, arg, ret) : worker_start(fn, arg, ret);
    *err_slot = r < 0 ? -1 : take_fd(&read_end);
    return r;
}

static int start_inflate(struct import *im)
{
    struct inflate_job job = {.codec = im->codec, .max = im->limits.max_bytes};
    auto_close int worker_in = -1, worker_out = -1;
    im->flows[1].own_from = true;
    int r = codec_prepare(im->codec);
    if (r == 0)
        r = pipe_make(false, &im->flows[0].to, &worker_in);
    if (r == 0)
        r = pipe_make(true, &im->flows[1].from, &worker_out);
    if (r < 0)
        return r;
    job.in = worker_in;
    job.out = worker_out;
    r = worker_with_result(im, inflate_run, &job, false, &job.err, &im->inflate);
    im->inflate_err = r < 0 ? -1 : job.err;
    return r;
}

static int start_apply(struct import *im)
{
    auto_close int worker_in = -1;
    int r = pipe_make(false, &im->flows[1].to, &worker_in);
    if (r < 0)
        return r;
    auto_close int recipe = openat(im->dir, "recipe", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (recipe < 0)
        return err_sys("cannot make the recipe of a layer");
    im->job.in = worker_in;
    im->job.recipe = recipe;
    im->job.dir = im->dir;
    im->job.map = &im->st->store->map;
    im->job.limits = im->limits;
    return worker_with_result(im, apply_run, im, true, &im->apply_err, &im->apply);
}

/* Waits for a worker; its result came over err, or it did not live to send one. */
static int finish_worker(struct worker *w, int *err)
{
    if (w->pid <= 0)
        return 0;
    int r = worker_result(*err);
    fd_close(take_fd(err));
    if (r != -ECHILD) {
        fd_close(take_fd(&w->err_fd));
        proc_reap(w->pid);
        w->pid = 0;
        return r;
    }
    r = worker_wait(w); /* knows what became of it */
    return r == 0 ? err_set(-ECHILD, "a worker process gave no result") : r;
}

/* Whose error is the reason for the others: a broken flow has been left by its reader, which knows why; else what fails
 * first in the direction of the bytes. */
static int finish_workers(struct import *im, int r)
{
    bool apply_left = im->flows[1].broken;
    auto_free char *own = r < 0 ? xstrdup(err_text(r)) : NULL;
    for (int i = 0; i < 2; i++)
        flow_close(&im->flows[i]);
    int second = apply_left ? finish_worker(&im->apply, &im->apply_err) : finish_worker(&im->inflate, &im->inflate_err);
    auto_free char *text = second < 0 ? xstrdup(err_text(second)) : NULL;
    int third = apply_left ? finish_worker(&im->inflate, &im->inflate_err) : finish_worker(&im->apply, &im->apply_err);
    if (own)
        return err_set(r, "%s", own);
    return text ? err_set(second, "%s", text) : third;
}

/* ---- the directory ---- */

static int import_dir(struct import *im)
{
    char id[ID_LEN + 1];
    id_new(id);
    snprintf(im->name, sizeof(im->name), "layer-%.16s", id);
    if (mkdirat(im->st->fd, im->name, 0700) < 0)
        return err_sys("cannot make a directory for a layer");
    im->dir = dir_open(im->st->fd, im->name);
    if (im->dir < 0 || mkdirat(im->dir, "diff", 0755) < 0 || mkdirat(im->dir, "lost", 0700) < 0 ||
        fchmodat(im->dir, "diff", 0755, 0) < 0)
        return err_sys("cannot make a directory for a layer");
    return 0;
}

static int import_remove(void *arg)
{
    struct import *im = arg;
    return tree_remove(im->st->fd, im->name);
}

/* Only the three names that were made for the worker may be there, and they must still be what they were: it has ended,
 * so nothing changes any more. */
static int import_check(struct import *im)
{
    auto_dir DIR *d = dir_iterate(im->dir);
    struct stat now;
    for (struct dirent *e; d && (e = readdir(d));) {
        static const char *const known[] = {".", "..", "diff", "lost", "recipe", NULL};
        bool found = false;
        for (size_t i = 0; known[i]; i++)
            found |= str_eq(known[i], e->d_name);
        if (!found)
            return err_set(-EBADMSG, "unpacking left a file that does not belong to a layer");
    }
    auto_close int recipe = openat(im->dir, "recipe", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    auto_close int diff = openat(im->dir, "diff", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    auto_close int lost = openat(im->dir, "lost", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!d || recipe < 0 || diff < 0 || lost < 0 || fstat(recipe, &now) < 0)
        return err_sys("cannot look at an unpacked layer");
    if (!S_ISREG(now.st_mode) || fchmod(recipe, 0600) < 0 || fchmod(im->dir, 0700) < 0)
        return err_set(-EBADMSG, "unpacking left something that is not a layer");
    unlinkat(im->dir, "lost", AT_REMOVEDIR); /* mostly empty */
    return 0;
}

static bool facts_ok(const struct layer *l)
{
    if (l->diffid || l->size < 0 || l->head.unknown || !l->owners)
        return false;
    if (!str_eq(l->owners, OWNERS_EXACT) && !str_eq(l->owners, OWNERS_SQUASHED))
        return false;
    strv_foreach (path, l->implicit) {
        auto_free char *normal = xmalloc(strlen(path) + 1);
        if (!layer_path_normal(path, normal) || !str_eq(normal, path) || !*path)
            return false;
    }
    return true;
}

/* Plain facts from a worker that may be hostile: bounded, typed, nothing that names an object. */
static int facts_read(struct import *im, struct layer *ret)
{
    auto_buf struct buf b = {0};
    auto_json json_t *j = NULL;
    if (lseek(im->job.facts, 0, SEEK_SET) < 0)
        return err_sys("cannot read the facts of a layer");
    int r = fd_read_all(im->job.facts, FACTS_MAX, &b);
    if (r < 0)
        return err_set(r, "cannot read the facts of a layer: %s", strerror(-r));
    r = json_parse("the facts of a layer", b.data ? b.data : "", b.len, &j);
    if (r == 0)
        r = rec_from_json(&layer_rec, j, ret);
    if (r == 0 && !facts_ok(ret)) {
        layer_done(ret);
        r = err_set(-EBADMSG, "unpacking gave facts that are none");
    }
    return r;
}

/* ---- the order of things ---- */

static const char when_unpacked[] = " when unpacked, which is more than the limit or the free space";
static const char than_said[] = ", more than its manifest says";

/* What tells formats apart: the first bytes, behind which a window starts again. */
static int read_first(struct flow *f, char *data, size_t len)
{
    ssize_t n = f->window ? pread(f->from, data, MIN(f->left, (uint64_t)len), (off_t)f->offset)
                          : fd_read_full(f->from, data, len);
    if (n < 0)
        return err_set(f->window ? -errno : (int)n, "cannot read the archive: %s",
                       strerror(f->window ? errno : (int)-n));
    f->offset += (uint64_t)n;
    f->left -= f->window ? (uint64_t)n : 0;
    f->len = (size_t)n;
    return n == 0 ? err_set(-EBADMSG, "the archive is empty") : 0;
}

/* Reads the first bytes into the flow that begins with them. */
static int import_open(struct import *im)
{
    const struct layer_blob *b = im->blob;
    auto_free char *first = xmalloc(FLOW_SIZE);
    struct flow in = {.from = b->fd,
                      .to = -1,
                      .window = b->window,
                      .offset = b->offset,
                      .left = b->len,
                      .max = UINT64_MAX,
                      .what = ""};
    int r = read_first(&in, first, FIRST_SIZE);
    if (r < 0)
        return r;
    im->codec = codec_detect(first, in.len);
    bool plain = im->codec == CODEC_NONE;
    in.data = take_ptr(&first);
    if (!plain) {
        in.digest = b->digest ? digest_new(true) : NULL;
        in.max = b->size >= 0 ? (uint64_t)b->size : UINT64_MAX;
        in.what = than_said;
        im->flows[0] = in;
    }
    struct flow *out = &im->flows[1];
    *out = plain ? in : (struct flow){.from = -1, .to = -1, .data = xmalloc(FLOW_SIZE)};
    out->digest = digest_new(true);
    out->max = im->limits.max_bytes;
    out->what = when_unpacked;
    struct flow *start = &im->flows[plain ? 1 : 0];
    return start->digest ? flow_count(start) : 0;
}

static void limits_fill(struct import *im, const struct layer_limits *limits)
{
    struct statvfs fs;
    im->limits = limits ? *limits : (struct layer_limits){0};
    im->limits.max_bytes = im->limits.max_bytes ?: max_bytes_default;
    im->limits.max_entries = im->limits.max_entries ?: MAX_ENTRIES;
    if (fstatvfs(im->st->fd, &fs) == 0)
        im->limits.max_bytes = MIN(im->limits.max_bytes, (uint64_t)fs.f_bavail * fs.f_frsize);
}

/* A reader that goes away is an error of ours and no signal. */
static int import_pump(struct import *im)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    int r = im->codec ? flows_run(im->flows, 2) : flows_run(&im->flows[1], 1);
    sigaction(SIGPIPE, &before, NULL);
    return r;
}

static int import_unpack(struct import *im)
{
    int r = import_open(im);
    if (r == 0)
        r = import_dir(im);
    if (r == 0 && im->codec)
        r = start_inflate(im);
    if (r == 0)
        r = start_apply(im);
    if (r == 0)
        r = import_pump(im);
    return finish_workers(im, r);
}

/* The bytes as they came, against what the manifest says of them. plain: the digest of the plain ones. */
static int check_blob(struct import *im, const char *plain)
{
    const struct layer_blob *b = im->blob;
    const struct flow *in = &im->flows[im->codec ? 0 : 1];
    char hex[DIGEST_BUF];
    if (!b->digest)
        return 0;
    if (im->codec)
        digest_finish(in->digest, hex);
    else
        snprintf(hex, sizeof(hex), "%s", plain);
    if (!str_eq(hex, b->digest))
        return err_set(-EBADMSG, "the blob's digest is sha256:%s, but sha256:%s is expected", hex, b->digest);
    if (b->size >= 0 && in->count != (uint64_t)b->size)
        return err_set(-EBADMSG, "the blob has %llu bytes, but %lld are expected", (unsigned long long)in->count,
                       (long long)b->size);
    return 0;
}

static int import_publish(struct import *im, char **ret_key)
{
    auto_with(layer_done) struct layer l = {0};
    const char *expect = im->blob->diffid;
    char hex[DIGEST_BUF];
    digest_finish(im->flows[1].digest, hex);
    int r = check_blob(im, hex);
    if (r < 0)
        return r;
    if (expect && !str_eq(expect, hex))
        return err_set(-EBADMSG, "the layer's digest is sha256:%s, but sha256:%s is expected", hex, expect);
    r = import_check(im);
    if (r == 0)
        r = facts_read(im, &l);
    if (r < 0)
        return r;
    l.diffid = xstrdup(hex);
    r = rec_write(&layer_rec, im->dir, "layer.json", &l);
    if (r < 0)
        return r;
    r = stage_publish_layer(im->st, im->name, hex);
    if (r == 0)
        *ret_key = xstrdup(hex);
    return r;
}

static void import_done(struct import *im)
{
    for (int i = 0; i < 2; i++)
        flow_done(&im->flows[i]);
    fd_close(im->dir);
    fd_close(im->job.facts);
}

/* What is still in the stage: all of it after an error, the own copy of a layer that was there. Keeps the error. */
static void import_clean(struct import *im)
{
    struct stat st;
    if (!*im->name || fstatat(im->st->fd, im->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    size_t len;
    auto_free char *error = err_pack(0, &len);
    if (idmap_none(&im->st->store->map))
        import_remove(im);
    else
        userns_run(&im->st->store->map, import_remove, im);
    err_unpack(error, len);
}

int layer_import_blob(struct stage *st, const struct layer_blob *blob, const struct layer_limits *limits,
                      char **ret_key)
{
    auto_with(import_done) struct import im = {
        .st = st,
        .blob = blob,
        .dir = -1,
        .apply_err = -1,
        .inflate_err = -1,
        .flows = {{.from = -1, .to = -1}, {.from = -1, .to = -1}},
        .job = {.facts = memfd_create("whelk-layer", MFD_CLOEXEC)},
    };
    if (im.job.facts < 0)
        return err_sys("cannot make a file for the facts of a layer");
    limits_fill(&im, limits);
    int r = import_unpack(&im);
    if (r == 0)
        r = import_publish(&im, ret_key);
    import_clean(&im);
    return r;
}

int layer_import(struct stage *st, int in, const char *expect_diffid, const struct layer_limits *limits, char **ret_key)
{
    return layer_import_blob(st, &(struct layer_blob){.fd = in, .size = -1, .diffid = expect_diffid}, limits, ret_key);
}
