/* From a source to a destination.
 *
 * Theory of operation. A manifest is kept, byte for byte, if none of its blobs has to change; then its digest stays
 * too. Layers change where the destination takes only plain ones (docker-archive), where another compression is asked
 * for, and where the source cannot send them as the manifest says: the store has layers unpacked, so it sends them
 * plain or freshly compressed, unless the destination has the very blobs already. Then a new manifest is made of what
 * was put. An index is written again likewise, if one of its entries changed.
 *
 * Blobs are put first, then manifests, then the index: what a name refers to is there. Runs in: the caller's process,
 * and PUT, a fork for each blob where the destination is not sequential. */
#include "whelk/copy.h"

#include "output.h"
#include "pipeline.h"
#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

enum { JOBS_USUAL = 3, JOBS_MAX = 16, DEPTH_MAX = 4, LAYERS_MAX = 1000 };

struct copy {
    struct source *src;
    struct dest *dst;
    const struct copy_options *o;
};

/* What a PUT process found out, in memory that it shares with its parent. */
struct put_result {
    char digest[DIGEST_TEXT];
    int64_t size;
};

/* A layer on its way. */
struct layer_plan {
    struct copy *x;
    size_t i;
    struct descriptor from; /* as the source sends it */
    enum codec from_codec, codec;
    const char *type; /* media type when it is there */
    bool changes;     /* digest and size are not known before */
    bool done;        /* is there already; from says as what */
    struct put_result *result;
    struct worker worker;
};

static void tell(const struct copy *x, const struct descriptor *d, bool there)
{
    if (x->o->blob)
        x->o->blob(x->o->arg, d, there);
}

/* ---- one blob ---- */

/* An archive has to know the size before: the bytes wait in a file. */
static int put_by_file(struct layer_plan *p, struct blob *in)
{
    const char *tmp = getenv("TMPDIR");
    auto_close int fd = open(str_empty(tmp) ? "/var/tmp" : tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys("cannot keep a layer in %s (TMPDIR names another directory)", str_empty(tmp) ? "/var/tmp" : tmp);
    int r = blob_move(in, fd, NULL, p->result->digest, &p->result->size);
    if (r < 0)
        return r;
    struct blob file = {.fd = fd, .window = true, .len = (uint64_t)p->result->size};
    const struct descriptor known = {
        .media_type = (char *)(uintptr_t)p->type, .digest = p->result->digest, .size = p->result->size};
    char digest[DIGEST_TEXT];
    int64_t size;
    if (p->x->dst->ops->has_blob(p->x->dst, &known, NULL) > 0)
        return 0;
    return p->x->dst->ops->put_blob(p->x->dst, &file, &known, digest, &size);
}

static int put_layer_once(struct layer_plan *p)
{
    struct dest *dst = p->x->dst;
    struct pipeline line;
    struct blob b;
    int r = pipeline_open(p->x->src, &p->from, p->from_codec, p->codec, p->x->o->level, &line, &b);
    if (r < 0)
        return r;
    if (p->changes && dst->sequential)
        r = put_by_file(p, &b);
    else
        r = dst->ops->put_blob(dst, &b, p->changes ? NULL : &p->from, p->result->digest, &p->result->size);
    return pipeline_close(&line, &b, r);
}

/* Runs in: PUT, or the caller's process. The destination ends what breaks again and again. */
static int put_layer(void *arg)
{
    struct layer_plan *p = arg;
    int r = -ERESTART;
    while (r == -ERESTART)
        r = put_layer_once(p);
    return r < 0 ? err_wrap(r, "layer %s", p->from.digest) : 0;
}

static int put_config(struct copy *x, const struct descriptor *d)
{
    auto_free char *bytes = NULL;
    size_t len;
    int r = x->dst->ops->has_blob(x->dst, d, NULL);
    if (r != 0)
        return MIN(r, 0);
    r = source_blob_read(x->src, d, CONFIG_MAX, &bytes, &len);
    if (r < 0)
        return r;
    auto_close int fd = memfd_create("whelk-config", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot make a file for a configuration");
    r = fd_write_all(fd, bytes, len);
    if (r < 0)
        return err_set(r, "cannot keep a configuration: %s", strerror(-r));
    char digest[DIGEST_TEXT];
    int64_t size;
    for (r = -ERESTART; r == -ERESTART;) {
        struct blob b = {.fd = fd, .window = true, .len = len};
        r = x->dst->ops->put_blob(x->dst, &b, d, digest, &size);
    }
    return r;
}

/* ---- what is to be done with each layer ---- */

struct hint_search {
    struct layer_plan *p;
    enum codec codec;
};

/* Another form of the layer that is at the destination, or can be taken over there. */
static int try_hint(const struct descriptor *d, char *const *repositories, void *arg)
{
    struct hint_search *h = arg;
    enum codec codec;
    if (media_layer_codec(d->media_type, &codec) < 0 || codec != h->codec)
        return 0;
    int there = h->p->x->dst->ops->has_blob(h->p->x->dst, d, repositories);
    if (there > 0) { /* its compression is that of p->type, which is static then */
        descriptor_done(&h->p->from);
        descriptor_copy(d, &h->p->from);
        h->p->done = true;
    }
    return there;
}

static enum codec wanted_codec(const struct copy *x, enum codec have, bool docker)
{
    enum codec c = have;
    if (x->src->ops->plain_layer)
        c = x->dst->usual;
    if (x->o->recompress)
        c = x->o->codec;
    if (x->dst->docker_only)
        c = CODEC_NONE;
    return docker && !media_layer_type(true, c) ? CODEC_GZIP : c;
}

static bool keeps_all(const struct copy *x, const struct manifest *m, bool docker)
{
    return !x->src->ops->plain_layer && !x->o->recompress && !x->dst->docker_only && docker == manifest_is_docker(m);
}

/* How the layer comes and how it is wanted. What is no layer (an artifact, an attestation) stays what it is. */
static int plan_codecs(struct layer_plan *p, const struct manifest *m, bool docker)
{
    struct copy *x = p->x;
    int r = media_layer_codec(p->from.media_type, &p->from_codec);
    if (r < 0 && !keeps_all(x, m, docker))
        return r;
    p->codec = r < 0 ? p->from_codec : wanted_codec(x, p->from_codec, docker);
    p->changes = p->codec != p->from_codec;
    bool same_type = !p->changes && docker == manifest_is_docker(m);
    p->type = same_type ? p->from.media_type : media_layer_type(docker, p->codec);
    return p->type ? 0 : err_set(-ENOTSUP, "layers are not compressed with %s in images", codec_name(p->codec));
}

/* Fills p->from, codecs and type. */
static int plan_layer(struct layer_plan *p, const struct manifest *m, bool docker)
{
    struct copy *x = p->x;
    int r = x->src->ops->plain_layer ? x->src->ops->plain_layer(x->src, p->i, &p->from) : 0;
    if (r == 0 && !p->from.digest)
        descriptor_copy(manifest_layer(m, p->i), &p->from);
    if (r == 0)
        r = plan_codecs(p, m, docker);
    if (r < 0)
        return r;
    if (x->src->ops->hints && p->changes) {
        struct hint_search h = {p, p->codec};
        r = x->src->ops->hints(x->src, p->i, try_hint, &h);
    }
    if (r == 0 && !p->changes)
        r = x->dst->ops->has_blob(x->dst, &p->from, NULL);
    p->done = p->done || r > 0;
    return MIN(r, 0);
}

/* ---- layers side by side ---- */

static int put_one(struct layer_plan *p)
{
    tell(p->x, &p->from, p->done);
    if (p->done)
        return 0;
    return p->x->dst->sequential ? put_layer(p) : worker_start(put_layer, p, &p->worker);
}

/* Waits for one of the first n that is at work. */
static int wait_one(struct layer_plan *plans, size_t n)
{
    struct pollfd polls[LAYERS_MAX];
    for (size_t i = 0; i < n; i++)
        polls[i] = (struct pollfd){.fd = plans[i].worker.pid > 0 ? plans[i].worker.err_fd : -1, .events = POLLIN};
    while (poll(polls, n, -1) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < n; i++)
        if (polls[i].revents) {
            int r = worker_wait(&plans[i].worker);
            plans[i].worker = (struct worker){0};
            return r;
        }
    return 0;
}

static unsigned at_work(const struct layer_plan *plans, size_t n)
{
    unsigned count = 0;
    for (size_t i = 0; i < n; i++)
        count += plans[i].worker.pid > 0;
    return count;
}

static int stop_all(struct layer_plan *plans, size_t n, int r)
{
    auto_free char *text = xstrdup(err_text(r));
    for (size_t i = 0; i < n; i++)
        if (plans[i].worker.pid > 0) {
            kill(plans[i].worker.pid, SIGKILL);
            worker_wait(&plans[i].worker);
        }
    return err_set(r, "%s", text);
}

static bool is_repeated(const struct layer_plan *plans, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (str_eq(plans[j].from.digest, plans[i].from.digest))
            return true;
    return false;
}

static int put_layers(struct copy *x, struct layer_plan *plans, size_t n)
{
    unsigned max = MIN(x->o->jobs ? x->o->jobs : JOBS_USUAL, (unsigned)JOBS_MAX);
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        while (r == 0 && at_work(plans, i) >= max)
            r = wait_one(plans, i);
        if (r == 0 && !is_repeated(plans, i))
            r = put_one(&plans[i]);
    }
    while (r == 0 && at_work(plans, n) > 0)
        r = wait_one(plans, n);
    return r < 0 ? stop_all(plans, n, r) : 0;
}

/* ---- an image ---- */

/* What the layer is called at the destination. */
static void descriptor_of(const struct layer_plan *plans, size_t i, struct descriptor *ret)
{
    const struct layer_plan *p = &plans[i];
    for (size_t j = 0; j < i; j++)
        if (str_eq(plans[j].from.digest, p->from.digest) && plans[j].codec == p->codec)
            p = &plans[j];
    bool as_is = p->done || !p->changes;
    *ret = (struct descriptor){
        .media_type = (char *)(uintptr_t)p->type,
        .digest = as_is ? p->from.digest : p->result->digest,
        .size = as_is ? p->from.size : p->result->size,
    };
}

static bool is_docker(const struct copy *x, const struct manifest *m)
{
    if (x->o->format == FORMAT_KEEP)
        return manifest_is_docker(m);
    return x->o->format == FORMAT_DOCKER;
}

static void learn(struct copy *x, size_t i, const struct descriptor *d)
{
    if (x->src->ops->learn && x->dst->repository)
        x->src->ops->learn(x->src, i, d, x->dst->repository);
}

/* The manifest with the layers as they are at the destination; the given one itself if that is the same. */
static int new_manifest(struct copy *x, const struct manifest_blob *blob, const struct manifest *m, bool docker,
                        const struct layer_plan *plans, struct manifest_blob *ret)
{
    auto_with(manifest_done) struct manifest new = {0};
    bool same = docker == manifest_is_docker(m);
    manifest_new(docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST, &new);
    descriptor_copy(&m->config, &new.config);
    for (size_t i = 0; i < m->layers.n; i++) {
        struct descriptor d;
        descriptor_of(plans, i, &d);
        learn(x, i, &d);
        same = same && str_eq(d.digest, manifest_layer(m, i)->digest);
        manifest_add_layer(&new, d.media_type, d.digest, d.size);
    }
    if (same)
        return manifest_blob_set(ret, blob->bytes, blob->len, m->media_type, NULL);
    if (media_is_config(new.config.media_type)) {
        free(new.config.media_type);
        new.config.media_type = xstrdup(docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG);
    }
    if (!docker)
        new.annotations = json_incref(m->annotations);
    size_t len;
    auto_free char *bytes = manifest_bytes(&new, &len);
    return manifest_blob_set(ret, bytes, len, new.media_type, NULL);
}

static int note_hint(const struct descriptor *d, char *const *repositories, void *arg)
{
    char ***digests = arg;
    if (!strv_has(*digests, d->digest))
        strv_add(digests, d->digest);
    return 0;
}

/* What the destination is going to be asked about for this image: for layers out of the store, their known forms. */
static int ask_all(struct copy *x, const struct manifest *m)
{
    auto_strv char **digests = NULL;
    if (!x->dst->ops->ask)
        return 0;
    strv_add(&digests, m->config.digest);
    for (size_t i = 0; i < m->layers.n; i++) {
        int r = x->src->ops->hints ? x->src->ops->hints(x->src, i, note_hint, &digests)
                                   : note_hint(manifest_layer(m, i), NULL, &digests);
        if (r < 0)
            return r;
    }
    return x->dst->ops->ask(x->dst, digests);
}

/* A registry that has the manifest has its blobs. */
static int has_manifest(struct copy *x, const struct manifest_blob *blob)
{
    return x->dst->ops->has_manifest ? x->dst->ops->has_manifest(x->dst, blob) : 0;
}

/* 1: all the blobs of the manifest are at the destination, just as they are. */
static int has_all(struct copy *x, const struct manifest *m)
{
    int r = x->dst->ops->has_blob(x->dst, &m->config, NULL);
    for (size_t i = 0; r > 0 && i < m->layers.n; i++)
        r = x->dst->ops->has_blob(x->dst, manifest_layer(m, i), NULL);
    return r;
}

static void plans_done(struct layer_plan *plans, size_t n)
{
    for (size_t i = 0; i < n; i++)
        descriptor_done(&plans[i].from);
    free(plans);
}

/* Puts the layers and gives the manifest that names them. */
static int copy_layers(struct copy *x, const struct manifest_blob *blob, const struct manifest *m, bool docker,
                       struct manifest_blob *ret)
{
    size_t n = m->layers.n, room = (n + 1) * sizeof(struct put_result);
    struct put_result *results = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED)
        return err_sys("cannot map memory");
    struct layer_plan *plans = xcalloc(n + 1, sizeof(*plans));
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        plans[i] = (struct layer_plan){.x = x, .i = i, .result = &results[i]};
        r = plan_layer(&plans[i], m, docker);
    }
    if (r == 0)
        r = put_layers(x, plans, n);
    if (r == 0)
        r = put_config(x, &m->config);
    if (r == 0)
        r = new_manifest(x, blob, m, docker, plans, ret);
    plans_done(plans, n);
    munmap(results, room);
    return r;
}

static bool may_keep(const struct copy *x, const struct manifest *m)
{
    return x->src->ops->plain_layer && !x->o->recompress && !x->dst->docker_only &&
           is_docker(x, m) == manifest_is_docker(m);
}

/* *ret: as it was put. */
static int copy_image(struct copy *x, const struct manifest_blob *blob, const struct manifest *m, const char *name,
                      struct manifest_blob *ret)
{
    if (m->layers.n > LAYERS_MAX)
        return err_set(-E2BIG, "the image has %zu layers, more than %d", m->layers.n, LAYERS_MAX);
    bool keep = may_keep(x, m);
    int r = keep ? has_manifest(x, blob) : 0;
    if (r == 0)
        r = ask_all(x, m);
    if (r == 0 && keep)
        r = has_all(x, m);
    if (r > 0)
        r = manifest_blob_set(ret, blob->bytes, blob->len, m->media_type, NULL);
    else if (r == 0)
        r = copy_layers(x, blob, m, is_docker(x, m), ret);
    return r < 0 ? r : x->dst->ops->put_manifest(x->dst, ret, name);
}

/* ---- an index ---- */

static int copy_any(struct copy *x, const char *digest, const char *name, unsigned depth, struct manifest_blob *ret);

/* The entry as it is at the destination. *changed is set if that is another one. */
static int copy_entry(struct copy *x, struct descriptor *d, unsigned depth, bool *changed)
{
    auto_with(manifest_blob_done) struct manifest_blob put = {0};
    int r = copy_any(x, d->digest, NULL, depth + 1, &put);
    if (r < 0 || str_eq(put.digest, d->digest))
        return r;
    free(d->digest);
    free(d->media_type);
    d->digest = xstrdup(put.digest);
    d->media_type = xstrdup(put.media_type);
    d->size = (int64_t)put.len;
    *changed = true;
    return 0;
}

/* Every entry, then the index. */
static int copy_index(struct copy *x, const struct manifest_blob *blob, const struct manifest *m, const char *name,
                      unsigned depth, struct manifest_blob *ret)
{
    auto_with(manifest_done) struct manifest new = {0};
    bool docker = is_docker(x, m), changed = docker != manifest_is_docker(m);
    if (depth >= DEPTH_MAX)
        return err_set(-EBADMSG, "indexes are nested more than %d deep", DEPTH_MAX);
    manifest_new(docker ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX, &new);
    new.annotations = docker ? NULL : json_incref(m->annotations);
    int r = 0;
    for (size_t i = 0; r == 0 && i < m->manifests.n; i++) {
        struct descriptor *d = rec_list_add(&descriptor_rec, &new.manifests);
        descriptor_copy(manifest_entry(m, i), d);
        r = copy_entry(x, d, depth, &changed);
    }
    if (r < 0)
        return r;
    size_t len;
    auto_free char *bytes = manifest_bytes(&new, &len);
    r = changed ? manifest_blob_set(ret, bytes, len, new.media_type, NULL)
                : manifest_blob_set(ret, blob->bytes, blob->len, m->media_type, NULL);
    return r < 0 ? r : x->dst->ops->put_manifest(x->dst, ret, name);
}

static int copy_any(struct copy *x, const char *digest, const char *name, unsigned depth, struct manifest_blob *ret)
{
    auto_with(manifest_blob_done) struct manifest_blob blob = {0};
    auto_with(manifest_done) struct manifest m = {0};
    bool whole = x->o->all && !x->dst->docker_only;
    int r = whole ? source_manifest(x->src, digest, &blob) : source_image(x->src, digest, x->o->platform, &blob, NULL);
    if (r == 0)
        r = manifest_blob_parse(&blob, &m);
    if (r < 0)
        return r;
    return manifest_is_index(&m) ? copy_index(x, &blob, &m, name, depth, ret) : copy_image(x, &blob, &m, name, ret);
}

int image_copy(struct source *src, const char *digest, struct dest *dst, const struct copy_options *o,
               char ret_digest[DIGEST_TEXT])
{
    struct copy x = {src, dst, o};
    auto_with(manifest_blob_done) struct manifest_blob put = {0};
    const char *name = o->name ? o->name : dst->reference ? dst->reference : "";
    if (o->all && dst->docker_only)
        return err_set(-ENOTSUP, "%s takes one platform of an image: leave out --all, or choose another kind",
                       dst->name);
    int r = copy_any(&x, digest, name, 0, &put);
    if (r < 0)
        return r;
    snprintf(ret_digest, DIGEST_TEXT, "%s", put.digest);
    if (o->manifest) {
        *o->manifest = put;
        put = (struct manifest_blob){0};
    }
    return 0;
}

int image_copy_entry(struct source *src, const char *digest, struct dest *dst, const struct copy_options *o,
                     struct manifest_blob *ret)
{
    struct copy x = {src, dst, o};
    return copy_any(&x, digest, NULL, 0, ret);
}
