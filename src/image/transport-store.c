/* An image of the store as a source. Its layers are written again from their recipes by a worker in the store's user
 * namespace, which verifies them before the last byte leaves. */
#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/hint.h"
#include "whelk/image.h"
#include "whelk/layer.h"

#include <fcntl.h>

struct store_source {
    struct source base;
    const struct store *store;
    struct image image;
    struct image_config config;
    char **diffids;
    char *manifest; /* that is kept and wanted, or NULL */
    bool docker;
};

/* ---- layers ---- */

struct send_job {
    const struct store *store;
    const char *key;
    int out, unused;
};

/* Runs in: SEND. */
static int send_child(void *arg)
{
    const struct send_job *j = arg;
    fd_close(j->unused);
    return layer_send(j->store, j->key, j->out);
}

static int layer_open(struct store_source *x, size_t i, struct blob *ret)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    fcntl(ends[0], F_SETPIPE_SZ, 1 << 20); /* beyond the user's limit the usual size must do */
    auto_close int read_end = ends[0], write_end = ends[1];
    struct send_job job = {x->store, x->image.layers[i], write_end, read_end};
    struct blob b = {.checked = true};
    int r = userns_worker_start(&x->store->map, send_child, &job, &b.worker);
    if (r < 0)
        return r;
    b.fd = take_fd(&read_end);
    *ret = b;
    return 0;
}

static int config_open(struct store_source *x, struct blob *ret)
{
    auto_free char *path = xasprintf("images/%s/config", x->image.id);
    struct stat st;
    auto_close int fd = openat(x->store->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys("cannot open the configuration of image %.12s", x->image.id);
    *ret = (struct blob){.fd = take_fd(&fd), .window = true, .len = (uint64_t)st.st_size};
    return 0;
}

static int store_blob_open(struct source *s, const struct descriptor *d, struct blob *ret)
{
    struct store_source *x = (struct store_source *)s;
    const char *hex = digest_hex(d->digest);
    if (str_eq(hex, x->image.id))
        return config_open(x, ret);
    for (size_t i = 0; x->diffids && x->diffids[i]; i++)
        if (str_eq(hex, x->diffids[i]))
            return layer_open(x, i, ret);
    return err_set(-ENOENT, "image %.12s has no plain layer %s", x->image.id, d->digest);
}

/* A worker that found nobody to read any more is not the reason of anything. */
static int store_blob_close(struct source *s, struct blob *b, bool verified)
{
    if (b->worker.pid <= 0)
        return 0;
    int r = worker_wait(&b->worker);
    return r == -EPIPE || (r == -ECHILD && !verified) ? 0 : r;
}

static int store_plain_layer(struct source *s, size_t i, struct descriptor *ret)
{
    const struct store_source *x = (struct store_source *)s;
    int64_t size;
    int r = layer_tar_size(x->store, x->image.layers[i], &size);
    if (r < 0)
        return r;
    *ret = (struct descriptor){
        .media_type = xstrdup(media_layer_type(x->docker, CODEC_NONE)),
        .digest = xasprintf("sha256:%s", x->diffids[i]),
        .size = size,
    };
    return 0;
}

static int store_hints(struct source *s, size_t i,
                       int (*fn)(const struct descriptor *d, char *const *repositories, void *arg), void *arg)
{
    const struct store_source *x = (struct store_source *)s;
    struct rec_list hints = {0};
    int r = blob_hints_load(x->store, x->diffids[i], &hints);
    const struct blob_hint *h = hints.items;
    for (size_t j = hints.n; r == 0 && j-- > 0;)
        r = fn(&(struct descriptor){.digest = h[j].digest, .size = h[j].size, .media_type = h[j].media_type},
               h[j].repositories, arg);
    blob_hints_done(&hints);
    return r;
}

static void store_learn(struct source *s, size_t i, const struct descriptor *d, const char *repository)
{
    const struct store_source *x = (struct store_source *)s;
    const struct blob_hint hint = {.digest = d->digest, .size = d->size, .media_type = d->media_type};
    blob_hint_add(x->store, x->diffids[i], &hint, repository);
}

/* ---- manifests ---- */

static int make_manifest(struct store_source *x, struct manifest_blob *ret)
{
    auto_with(manifest_done) struct manifest m = {0};
    auto_free char *path = xasprintf("images/%s/config", x->image.id);
    struct stat st;
    if (fstatat(x->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys("cannot look at the configuration of image %.12s", x->image.id);
    manifest_new(x->docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST, &m);
    m.config = (struct descriptor){
        .media_type = xstrdup(x->docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG),
        .digest = xasprintf("sha256:%s", x->image.id),
        .size = st.st_size,
    };
    for (size_t i = 0; x->diffids && x->diffids[i]; i++) {
        auto_with(descriptor_done) struct descriptor d = {0};
        int r = store_plain_layer(&x->base, i, &d);
        if (r < 0)
            return r;
        manifest_add_layer(&m, d.media_type, d.digest, d.size);
    }
    size_t len;
    auto_free char *bytes = manifest_bytes(&m, &len);
    return manifest_blob_set(ret, bytes, len, m.media_type, NULL);
}

static int store_manifest(struct source *s, const char *digest, struct manifest_blob *ret)
{
    struct store_source *x = (struct store_source *)s;
    const char *wanted = digest ? digest : x->manifest;
    auto_free char *bytes = NULL;
    size_t len;
    int r = wanted ? image_read_manifest(x->store, x->image.id, wanted, &bytes, &len) : -ENOENT;
    if (r == -ENOENT)
        return make_manifest(x, ret);
    return r < 0 ? r : manifest_blob_set(ret, bytes, len, NULL, NULL);
}

static void store_free(struct source *s)
{
    struct store_source *x = (struct store_source *)s;
    image_done(&x->image);
    image_config_done(&x->config);
    strv_free(x->diffids);
    free(x->manifest);
    free(x);
}

static const struct source_ops ops = {
    .manifest = store_manifest,
    .blob_open = store_blob_open,
    .blob_close = store_blob_close,
    .plain_layer = store_plain_layer,
    .hints = store_hints,
    .learn = store_learn,
    .free = store_free,
};

int transport_store_source(const struct store *s, const char *id, const char *manifest, bool docker_format,
                           struct source **ret)
{
    struct store_source *x = xcalloc(1, sizeof(*x));
    *x = (struct store_source){.base.ops = &ops, .store = s, .manifest = xstrdup(manifest), .docker = docker_format};
    int r = image_load(s, id, &x->image);
    if (r == 0)
        r = image_load_config(s, id, &x->config);
    if (r == 0)
        x->diffids = image_config_diff_ids(&x->config);
    if (r == 0 && strv_len(x->diffids) != strv_len(x->image.layers))
        r = err_set(-EBADMSG, "image %.12s is damaged: its record and its configuration differ", id);
    if (r < 0) {
        store_free(&x->base);
        return r == -ENOENT ? err_set(r, "there is no image %.12s", id) : r;
    }
    x->base.name = xasprintf("image %.12s", id);
    *ret = &x->base;
    return 0;
}
