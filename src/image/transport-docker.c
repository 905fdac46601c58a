/* docker://: registries as sources and destinations.
 *
 * A blob that is fetched has a worker, FETCH: it holds the connection and the credentials, hashes what arrives, keeps
 * it in the spool and writes it into the reader's pipe. The last piece is written only when size and digest are right,
 * so that whoever reads to the end has the right bytes; what is wrong is an error of the worker, and the spool of it is
 * removed. A fetch that breaks leaves the spool for another time.
 * Small blobs that are no layers come whole into memory. Runs in: the process of a pull or push; FETCH; the workers
 * that put blobs. */
#include "whelk/transport-docker.h"

#include "spool.h"
#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/policy.h"
#include "whelk/ref.h"
#include "whelk/registries.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    PIPE_SIZE = 1 << 20,
    PIECE = 256 << 10,
    FOLLOW_MS = 10,
    GIVE_UP_MS = 2000,
    SMALL_PUT = 1 << 20,
    MOUNTS_MAX = 3,
    ASK_AT_ONCE = 16
};

/* "//host/path:tag" made full, and what a manifest is asked for by. */
static int parse_name(const char *rest, char **ret_reference, char **ret_which, char **ret_repository)
{
    auto_with(ref_done) struct ref short_ref = {0}, ref = {0};
    const char *name = str_after(rest, "//");
    if (!name)
        return err_set(-EINVAL, "a registry's image is written docker://NAME[:TAG]");
    int r = ref_parse(name, &short_ref);
    if (r < 0)
        return r;
    auto_free char *full = ref_full(&short_ref, "docker.io");
    r = ref_parse(full, &ref);
    if (r < 0)
        return r;
    *ret_repository = xasprintf("%s/%s", ref.domain, ref.path);
    *ret_which = xstrdup(ref.digest ?: ref.tag);
    *ret_reference = take_ptr(&full);
    return 0;
}

static const struct docker_options *options_of(const struct transport_options *o)
{
    static const struct docker_options none = {.registry = {.tls_verify = -1, .retries = REGISTRY_RETRIES}};
    return o->registry ?: &none;
}

/* ---- fetching ---- */

struct docker_source {
    struct source base;
    struct registry *registry;
    char *reference, *which;
    const struct docker_options *o;
};

/* One blob on its way: in the parent for blob_close, in FETCH for the work. */
struct fetch {
    struct docker_source *source;
    char *digest;
    uint64_t size, pos;
    int out;
    struct spool spool;
    struct digest *hash;
    unsigned slot;
    bool whole; /* FETCH: size and digest are right */
};

static void fetch_free(struct fetch *f)
{
    digest_free(f->hash);
    free(f->digest);
    free(f);
}

/* The last piece is there: is it what it should be? */
static int fetch_check(struct fetch *f)
{
    char hex[DIGEST_BUF];
    digest_finish(f->hash, hex);
    f->whole = str_eq(hex, digest_hex(f->digest));
    if (f->whole)
        return 0;
    if (f->spool.fd >= 0)
        unlinkat(f->spool.dir, f->spool.name, 0);
    return err_set(-EBADMSG, "the blob %s is damaged: what came has the digest sha256:%s", f->digest, hex);
}

/* Hashes a piece and hands it to the reader. */
static int feed(struct fetch *f, const char *data, size_t len)
{
    if (f->pos + len > f->size)
        return err_set(-EBADMSG, "the blob %s has more bytes than its manifest says", f->digest);
    digest_add(f->hash, data, len);
    f->pos += len;
    progress_move(f->source->o->progress, f->slot, len);
    int r = f->pos == f->size ? fetch_check(f) : 0;
    if (r < 0)
        return r;
    r = fd_write_all(f->out, data, len);
    return r < 0 ? err_set(r, "the reader of blob %s went away", f->digest) : 0;
}

/* From the network: into the spool first, so that nothing is handed on that is not kept. */
static int take(void *ctx, const char *data, size_t len)
{
    struct fetch *f = ctx;
    for (size_t done = 0; f->spool.fd >= 0 && done < len;) {
        ssize_t n = pwrite(f->spool.fd, data + done, len - done, (off_t)(f->pos + done));
        if (n < 0 && errno != EINTR)
            return err_sys("cannot keep blob %s", f->digest);
        done += (size_t)MAX(n, (ssize_t)0);
    }
    return feed(f, data, len);
}

/* Feeds what the spool holds from pos on, up to its end. */
static int feed_spool(struct fetch *f)
{
    auto_free char *piece = xmalloc(PIECE);
    for (;;) {
        ssize_t n = pread(f->spool.fd, piece, PIECE, (off_t)f->pos);
        if (n < 0)
            return err_sys("cannot read what was kept of blob %s", f->digest);
        if (n == 0)
            return 0;
        int r = feed(f, piece, (size_t)n);
        if (r < 0)
            return r;
    }
}

/* Behind another process that fills the spool, until this one has to: 0 with f->spool.owner, or all is fed, or there is
 * no spool any more and the rest comes without. */
static int follow(struct fetch *f)
{
    while (!f->spool.owner && f->pos < f->size) {
        int r = feed_spool(f);
        int owned = r < 0 || f->pos == f->size ? 0 : spool_try_own(&f->spool);
        if (r < 0)
            return r;
        if (owned == 2) {
            r = feed_spool(f); /* what came in between */
            spool_close(&f->spool);
            return r;
        }
        if (!owned)
            poll(NULL, 0, FOLLOW_MS);
    }
    return f->spool.owner ? feed_spool(f) : 0;
}

static int fetch_begin(struct fetch *f)
{
    struct stat st;
    f->hash = digest_new(true);
    f->spool = (struct spool){.fd = -1, .dir = -1};
    if (!f->source->o->store)
        return 0;
    int r = spool_open(f->source->o->store, digest_hex(f->digest), &f->spool);
    if (r < 0 || !f->spool.owner)
        return r < 0 ? r : follow(f);
    if (fstat(f->spool.fd, &st) < 0 || ((uint64_t)st.st_size > f->size && ftruncate(f->spool.fd, 0) < 0))
        return err_sys("cannot read what was kept of blob %s", f->digest);
    return feed_spool(f);
}

static int fetch_run(void *arg)
{
    struct fetch *f = arg;
    signal(SIGPIPE, SIG_IGN);
    registry_forked(f->source->registry);
    int r = f->size == 0 ? (f->hash = digest_new(false), fetch_check(f)) : fetch_begin(f);
    if (r == 0 && f->pos < f->size)
        r = registry_blob(f->source->registry, f->digest, f->size, f->pos, take, f);
    return r;
}

static int blob_fetch(struct docker_source *s, const struct descriptor *d, struct blob *ret)
{
    int ends[2];
    struct fetch *f = xcalloc(1, sizeof(*f));
    *f = (struct fetch){.source = s, .digest = xstrdup(d->digest), .size = (uint64_t)d->size};
    if (pipe2(ends, O_CLOEXEC) < 0) {
        fetch_free(f);
        return err_sys("cannot make a pipe");
    }
    auto_close int read_end = ends[0], write_end = ends[1];
    fcntl(write_end, F_SETPIPE_SZ, PIPE_SIZE);
    f->out = write_end;
    f->slot = progress_add(s->o->progress, d->digest, f->size);
    int r = worker_start(fetch_run, f, &ret->worker);
    if (r < 0) {
        fetch_free(f);
        return r;
    }
    ret->fd = take_fd(&read_end);
    ret->checked = true;
    ret->state = f;
    return 0;
}

/* ---- the source ---- */

static int docker_manifest(struct source *base, const char *digest, struct manifest_blob *ret)
{
    struct docker_source *s = (struct docker_source *)base;
    auto_free char *bytes = NULL, *type = NULL;
    char found[DIGEST_TEXT];
    size_t len;
    int r = registry_manifest(s->registry, digest ?: s->which, &bytes, &len, &type, found);
    if (r == 0 && !digest) /* what an index names is vouched for by it */
        r = policy_check(s->registry, s->reference, found);
    return r < 0 ? r : manifest_blob_set(ret, bytes, len, str_empty(type) ? NULL : type, digest);
}

static int take_small(void *ctx, const char *data, size_t len)
{
    int r = fd_write_all(*(int *)ctx, data, len);
    return r < 0 ? err_set(r, "cannot keep a blob: %s", strerror(-r)) : 0;
}

/* Whole, into memory. The reader verifies. */
static int blob_small(struct docker_source *s, const struct descriptor *d, struct blob *ret)
{
    auto_close int fd = memfd_create("whelk-blob", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot make a file in memory");
    int r = registry_blob(s->registry, d->digest, (uint64_t)d->size, 0, take_small, &fd);
    if (r < 0)
        return r;
    *ret = (struct blob){.fd = take_fd(&fd), .window = true, .len = (uint64_t)d->size};
    return 0;
}

static int docker_blob_open(struct source *base, const struct descriptor *d, struct blob *ret)
{
    struct docker_source *s = (struct docker_source *)base;
    enum codec codec;
    if (d->size < 0)
        return err_set(-EBADMSG, "the blob %s has no size", d->digest);
    bool layer = media_layer_codec(d->media_type, &codec) == 0;
    err_clear();
    return layer || d->size > CONFIG_MAX ? blob_fetch(s, d, ret) : blob_small(s, d, ret);
}

/* The reader has closed its end. FETCH ends by itself, or at its next write; one that waits for the network is ended.
 */
static int fetch_end(struct worker *w, bool patient)
{
    struct pollfd p = {.fd = w->err_fd, .events = POLLIN};
    if (!patient && poll(&p, 1, GIVE_UP_MS) == 0 && w->pid > 0)
        kill(w->pid, SIGKILL);
    return worker_wait(w);
}

static int docker_blob_close(struct source *base, struct blob *b, bool verified)
{
    struct fetch *f = b->state;
    if (!f)
        return 0;
    const struct docker_options *o = f->source->o;
    int r = fetch_end(&b->worker, verified);
    bool reader_left = !verified && (r == 0 || r == -EPIPE || r == -ECHILD);
    bool useless = r == 0 || r == -EPIPE || r == -EBADMSG || r == -EFBIG; /* done with, or nobody can use it */
    if (o->store && useless)
        spool_remove(o->store, digest_hex(f->digest));
    progress_close(o->progress, f->slot, verified && r == 0 ? "pulled" : NULL);
    fetch_free(f);
    b->state = NULL;
    if (reader_left)
        err_clear();
    return reader_left ? 0 : r;
}

static void docker_source_free(struct source *base)
{
    struct docker_source *s = (struct docker_source *)base;
    if (s->registry)
        registry_free(s->registry);
    free(s->reference);
    free(s->which);
    free(s);
}

static const struct source_ops source_ops = {
    .manifest = docker_manifest,
    .blob_open = docker_blob_open,
    .blob_close = docker_blob_close,
    .free = docker_source_free,
};

static int docker_source(const char *rest, const struct transport_options *o, struct source **ret)
{
    struct docker_source *s = xcalloc(1, sizeof(*s));
    *s = (struct docker_source){.base.ops = &source_ops, .o = options_of(o)};
    int r = parse_name(rest, &s->reference, &s->which, &s->base.repository);
    if (r == 0)
        r = registry_open(s->reference, false, &s->o->registry, &s->registry);
    if (r == 0)
        r = registry_prepare();
    if (r < 0) {
        free(s->base.repository);
        docker_source_free(&s->base);
        return r;
    }
    if (s->o->store)
        spool_tidy(s->o->store);
    *ret = &s->base;
    return 0;
}

/* ---- the destination ---- */

struct docker_dest {
    struct dest base;
    struct registry *registry;
    char *which;
    pid_t pid;                  /* whose connections the registry has */
    struct upload_place upload; /* of the blob that this process puts */
    char **asked;               /* digests that were looked for side by side */
    bool *there;                /* of each */
    const struct docker_options *o;
};

/* Put side by side, each blob is put by a fork of the process that opened this. */
static void own_connections(struct docker_dest *d)
{
    if (d->pid != getpid())
        registry_forked(d->registry);
    d->pid = getpid();
}

/* The path of a repository on the same registry, or NULL. */
static const char *same_host_path(const struct docker_dest *d, const char *repository)
{
    const char *own = d->base.repository;
    size_t host = strcspn(own, "/") + 1;
    return strncmp(own, repository, host) == 0 && !str_eq(own, repository) ? repository + host : NULL;
}

static int try_mounts(struct docker_dest *d, const char *digest, char *const *repositories)
{
    unsigned tried = 0;
    strv_foreach (repository, repositories) {
        auto_free char *location = NULL;
        const char *path = same_host_path(d, repository);
        if (!path || tried++ == MOUNTS_MAX)
            continue;
        int r = registry_upload_begin(d->registry, digest, path, &location);
        if (r != 0) /* a refusal concerns the other repository, perhaps: then it is uploaded */
            return r > 0;
    }
    return 0;
}

static void answers_forget(struct docker_dest *d)
{
    strv_free(take_ptr(&d->asked));
    free(take_ptr(&d->there));
}

static int docker_ask(struct dest *base, char *const *digests)
{
    struct docker_dest *d = (struct docker_dest *)base;
    size_t n = strv_len(digests);
    int r = 0;
    own_connections(d);
    answers_forget(d);
    d->asked = strv_copy(digests);
    d->there = xcalloc(n + 1, sizeof(*d->there));
    for (size_t i = 0; r == 0 && i < n; i += ASK_AT_ONCE)
        r = registry_has_blobs(d->registry, &d->asked[i], MIN(n - i, (size_t)ASK_AT_ONCE), &d->there[i]);
    if (r < 0)
        answers_forget(d);
    return r;
}

static int is_there(struct docker_dest *d, char *digest, bool *ret)
{
    for (size_t i = 0; d->asked && d->asked[i]; i++)
        if (str_eq(d->asked[i], digest)) {
            *ret = d->there[i];
            return 0;
        }
    return registry_has_blobs(d->registry, &digest, 1, ret);
}

static int docker_has_blob(struct dest *base, const struct descriptor *blob, char *const *repositories)
{
    struct docker_dest *d = (struct docker_dest *)base;
    bool there = false;
    own_connections(d);
    int r = is_there(d, blob->digest, &there);
    if (r < 0)
        return r;
    const char *word = there ? "already there" : NULL;
    enum codec codec;
    if (!there && try_mounts(d, blob->digest, repositories))
        word = "taken over";
    if (word && media_layer_codec(blob->media_type, &codec) == 0)
        progress_close(d->o->progress,
                       progress_add(d->o->progress, blob->digest, (uint64_t)MAX(blob->size, INT64_C(0))), word);
    err_clear();
    return word != NULL;
}

static int docker_has_manifest(struct dest *base, const struct manifest_blob *m)
{
    struct docker_dest *d = (struct docker_dest *)base;
    char found[DIGEST_TEXT];
    own_connections(d);
    int r = registry_manifest_digest(d->registry, m->digest, found);
    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

struct put {
    struct docker_dest *dest;
    struct blob *in;
    const struct descriptor *known;
    struct digest *hash;
    int64_t size;
    char digest[DIGEST_TEXT];
    unsigned slot;
};

static ssize_t put_read(void *ctx, char *data, size_t len)
{
    struct put *p = ctx;
    ssize_t n = blob_read(p->in, data, len);
    if (n > 0) {
        digest_add(p->hash, data, (size_t)n);
        p->size += n;
        progress_move(p->dest->o->progress, p->slot, (uint64_t)n);
    }
    return n;
}

static const char *put_digest(void *ctx)
{
    struct put *p = ctx;
    memcpy(p->digest, "sha256:", 7);
    digest_finish(p->hash, p->digest + 7);
    const struct descriptor *k = p->known;
    if (k && (!str_eq(k->digest, p->digest) || (k->size >= 0 && k->size != p->size))) {
        err_set(-EBADMSG, "the blob %s is damaged: it has %lld bytes and the digest %s", k->digest, (long long)p->size,
                p->digest);
        return NULL;
    }
    return p->digest;
}

/* Read whole, sent in one request that can be repeated. */
static int put_small(struct put *p, const char *location)
{
    auto_buf struct buf all = {0};
    for (ssize_t n = 1; n > 0;) {
        buf_reserve(&all, PIECE);
        n = put_read(p, all.data + all.len, PIECE);
        if (n < 0)
            return (int)n;
        all.len += (size_t)n;
        if (all.len > SMALL_PUT)
            return err_set(-EBADMSG, "the blob %s is larger than it says", p->known->digest);
    }
    const char *digest = put_digest(p);
    return digest ? registry_upload_bytes(p->dest->registry, location, digest, all.data ?: "", all.len) : -EBADMSG;
}

/* In one stream. Of bytes that the registry has from an earlier try only the digest is wanted. */
static int put_large(struct put *p, struct upload_place *at)
{
    auto_free char *piece = xmalloc(PIECE);
    while ((uint64_t)p->size < at->have) {
        ssize_t n = put_read(p, piece, MIN(at->have - (uint64_t)p->size, (uint64_t)PIECE));
        if (n < 0)
            return (int)n;
        if (n == 0)
            return err_set(-EPROTO, "the registry says that it has more of a blob than there is");
    }
    return registry_upload_stream(p->dest->registry, at, &(struct upload){put_read, put_digest, p});
}

static void upload_forget(struct upload_place *at)
{
    free(at->location);
    *at = (struct upload_place){0};
}

static int docker_put_blob(struct dest *base, struct blob *in, const struct descriptor *known,
                           char ret_digest[DIGEST_TEXT], int64_t *ret_size)
{
    struct docker_dest *d = (struct docker_dest *)base;
    struct put p = {.dest = d, .in = in, .known = known};
    own_connections(d);
    int r = d->upload.location ? 0 : registry_upload_begin(d->registry, NULL, NULL, &d->upload.location);
    if (r < 0)
        return r;
    p.hash = digest_new(true);
    p.slot = progress_add(d->o->progress, known ? known->digest : "layer",
                          known && known->size > 0 ? (uint64_t)known->size : 0);
    bool small = known && known->size >= 0 && known->size < SMALL_PUT;
    r = small ? put_small(&p, d->upload.location) : put_large(&p, &d->upload);
    digest_free(p.hash);
    progress_close(d->o->progress, p.slot, r == 0 ? "pushed" : NULL);
    if (r != -ERESTART)
        upload_forget(&d->upload);
    if (r < 0)
        return r;
    memcpy(ret_digest, p.digest, sizeof(p.digest));
    *ret_size = p.size;
    return 0;
}

static int docker_put_manifest(struct dest *base, const struct manifest_blob *m, const char *name)
{
    struct docker_dest *d = (struct docker_dest *)base;
    own_connections(d);
    return registry_put_manifest(d->registry, name ? d->which : m->digest, m->media_type, m->bytes, m->len);
}

static void docker_dest_free(struct dest *base)
{
    struct docker_dest *d = (struct docker_dest *)base;
    if (d->registry)
        registry_free(d->registry);
    upload_forget(&d->upload);
    answers_forget(d);
    free(d->which);
    free(d);
}

static const struct dest_ops dest_ops = {
    .has_blob = docker_has_blob,
    .ask = docker_ask,
    .has_manifest = docker_has_manifest,
    .put_blob = docker_put_blob,
    .put_manifest = docker_put_manifest,
    .free = docker_dest_free,
};

static int docker_dest(const char *rest, const struct transport_options *o, struct dest **ret)
{
    struct docker_dest *d = xcalloc(1, sizeof(*d));
    *d = (struct docker_dest){.base = {.ops = &dest_ops, .usual = CODEC_GZIP}, .o = options_of(o), .pid = getpid()};
    int r = parse_name(rest, &d->base.reference, &d->which, &d->base.repository);
    if (r == 0)
        r = registry_open(d->base.reference, true, &d->o->registry, &d->registry);
    if (r == 0)
        r = registry_prepare();
    if (r < 0) {
        free(d->base.reference);
        free(d->base.repository);
        docker_dest_free(&d->base);
        return r;
    }
    *ret = &d->base;
    return 0;
}

const struct transport_kind transport_docker = {"docker", "docker://NAME[:TAG]", docker_source, docker_dest};
