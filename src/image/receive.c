/* From a source into the store.
 *
 * Theory of operation. The manifest and the configuration are held against their digests before they are read (H7);
 * they say which layers there must be. Layers are pinned before it is looked which are there, so that none of these can
 * go. Each missing one gets a LAYER process: it opens the blob, hashes what comes, and has INFLATE and APPLY do the
 * rest (store/layer-import.c). It never reads what is in the bytes, so it may name the layer that it publishes: by its
 * own hash, which must be the one that the configuration says. When all are in, they are settled bottom-up, the image
 * record is published after one syncfs, then manifest, index and names. After a failure what was published so far is
 * named by nothing and is collected.
 *
 * Runs in: the caller's process; LAYER, a fork of it for each layer, some at a time. */
#include "whelk/receive.h"

#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/hint.h"
#include "whelk/layer.h"

#include <poll.h>

enum { JOBS_USUAL = 3, JOBS_MAX = 16, LAYERS_MAX = 1000 };

struct receive {
    struct store *store;
    struct source *src;
    const struct receive_options *o;
    struct stage *st;
    struct trusted_layers *trusted; /* as of when they were pinned */
    struct manifest_blob blob, index;
    struct manifest m;
    char *config;
    size_t config_len;
    char **diffids;
    char **keys; /* settled, bottom first */
};

static void receive_done(struct receive *x)
{
    if (x->st)
        stage_end(x->st);
    trusted_layers_free(x->trusted);
    manifest_blob_done(&x->blob);
    manifest_blob_done(&x->index);
    manifest_done(&x->m);
    free(x->config);
    strv_free(x->diffids);
    strv_free(x->keys);
}

/* ---- what there is to do ---- */

static int read_config(struct receive *x)
{
    auto_with(image_config_done) struct image_config config = {0};
    int r = source_blob_read(x->src, &x->m.config, CONFIG_MAX, &x->config, &x->config_len);
    if (r == 0)
        r = image_config_parse(x->config, x->config_len, &config);
    if (r < 0)
        return r;
    x->diffids = image_config_diff_ids(&config);
    size_t n = strv_len(x->diffids);
    if (n != x->m.layers.n || n > LAYERS_MAX)
        return err_set(-EBADMSG, "the configuration has %zu layers, the manifest %zu", n, x->m.layers.n);
    return 0;
}

static int read_plan(struct receive *x, const char *digest)
{
    int r = source_image(x->src, digest, x->o->platform, &x->blob, &x->index);
    if (r == 0)
        r = manifest_blob_parse(&x->blob, &x->m);
    return r < 0 ? r : read_config(x);
}

/* Both keys that a layer may have, before anybody looks whether they are there. */
static int pin_layers(struct receive *x)
{
    auto_strv char **pins = NULL, **below = NULL;
    strv_foreach (diffid, x->diffids) {
        auto_free char *settled = layer_settled_key(below, diffid);
        strv_addf(&pins, "layers/%s", diffid);
        strv_addf(&pins, "layers/%s", settled);
        strv_add(&below, diffid);
    }
    int r = stage_pin(x->st, (const char *const *)pins, (unsigned)strv_len(pins));
    if (r == 0)
        x->trusted = trusted_layers_read(x->store);
    return r;
}

/* One that came since then, by another pull, is asked about by itself. */
static bool usable(const struct receive *x, const char *key)
{
    return layer_exists(x->store, key) && (trusted_layers_has(x->trusted, key) || layer_trusted(x->store, key));
}

static bool is_there(const struct receive *x, size_t i)
{
    const char *diffid = x->diffids[i];
    if (usable(x, diffid))
        return true;
    auto_strv char **below = strv_copy(x->diffids);
    while (below[i])
        strv_remove(below, i);
    auto_free char *settled = layer_settled_key(below, diffid);
    return usable(x, settled);
}

static bool is_repeated(const struct receive *x, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (str_eq(x->diffids[j], x->diffids[i]))
            return true;
    return false;
}

/* ---- layers side by side ---- */

struct job {
    struct receive *x;
    size_t i; /* layer */
    struct worker worker;
};

/* Whose error is the reason: where the bytes did not come, the source knows why. */
static int close_blob(struct source *s, struct blob *b, int r)
{
    auto_free char *text = r < 0 ? xstrdup(err_text(r)) : NULL;
    int closed = source_blob_close(s, b, r == 0);
    if (closed < 0)
        return closed;
    return r < 0 ? err_set(r, "%s", text) : 0;
}

/* Runs in: LAYER. */
static int layer_child(void *arg)
{
    const struct job *j = arg;
    const struct descriptor *d = manifest_layer(&j->x->m, j->i);
    auto_free char *key = NULL;
    struct blob b;
    int r = source_blob_open(j->x->src, d, &b);
    if (r < 0)
        return r;
    const struct layer_blob blob = {
        .fd = b.fd,
        .window = b.window,
        .offset = b.offset,
        .len = b.len,
        .digest = digest_hex(d->digest),
        .size = d->size,
        .diffid = j->x->diffids[j->i],
    };
    r = layer_import_blob(j->x->st, &blob, NULL, &key);
    r = close_blob(j->x->src, &b, r);
    return r < 0 ? err_wrap(r, "layer %s", d->digest) : 0;
}

static int start(struct receive *x, size_t i, struct job *job)
{
    *job = (struct job){.x = x, .i = i};
    if (x->o->layer)
        x->o->layer(x->o->arg, manifest_layer(&x->m, i), false);
    return worker_start(layer_child, job, &job->worker);
}

/* The first that has ended, out of n. */
static unsigned wait_any(const struct job *jobs, unsigned n)
{
    struct pollfd polls[JOBS_MAX];
    for (unsigned i = 0; i < n; i++)
        polls[i] = (struct pollfd){.fd = jobs[i].worker.err_fd, .events = POLLIN};
    while (poll(polls, n, -1) < 0 && errno == EINTR)
        ;
    for (unsigned i = 0; i < n; i++)
        if (polls[i].revents)
            return i;
    return 0;
}

/* Those that are still at work are of no use any more. Keeps the error. */
static int stop_all(struct job *jobs, unsigned n, int r)
{
    auto_free char *text = xstrdup(err_text(r));
    for (unsigned i = 0; i < n; i++)
        if (jobs[i].worker.pid > 0)
            kill(jobs[i].worker.pid, SIGKILL);
    for (unsigned i = 0; i < n; i++)
        worker_wait(&jobs[i].worker);
    return err_set(r, "%s", text);
}

static int fetch_layers(struct receive *x)
{
    struct job jobs[JOBS_MAX];
    unsigned n = 0, max = MIN(x->o->jobs ? x->o->jobs : JOBS_USUAL, (unsigned)JOBS_MAX);
    int r = 0;
    for (size_t i = 0; r == 0 && (i < x->m.layers.n || n > 0);) {
        if (i < x->m.layers.n && n < max) {
            bool there = is_repeated(x, i) || is_there(x, i);
            if (there && x->o->layer)
                x->o->layer(x->o->arg, manifest_layer(&x->m, i), true);
            r = there ? 0 : start(x, i, &jobs[n]);
            n += r == 0 && !there;
            i++;
            continue;
        }
        unsigned ended = wait_any(jobs, n);
        r = worker_wait(&jobs[ended].worker);
        jobs[ended] = jobs[--n];
    }
    return r < 0 ? stop_all(jobs, n, r) : 0;
}

static int settle_layers(struct receive *x)
{
    strv_foreach (diffid, x->diffids) {
        auto_free char *settled = layer_settled_key(x->keys, diffid), *key = NULL;
        if (usable(x, settled)) {
            strv_add(&x->keys, settled);
            continue;
        }
        int r = layer_settle(x->st, x->keys, diffid, &key);
        if (r < 0)
            return r;
        strv_add_take(&x->keys, take_ptr(&key));
    }
    return 0;
}

/* ---- publishing ---- */

static void keep_hints(const struct receive *x)
{
    for (size_t i = 0; i < x->m.layers.n; i++) {
        const struct descriptor *d = manifest_layer(&x->m, i);
        const struct blob_hint hint = {.digest = d->digest, .size = d->size, .media_type = d->media_type};
        if (x->src->repository)
            blob_hint_add(x->store, x->diffids[i], &hint, x->src->repository);
    }
}

static int give_names(const struct receive *x, const char *id)
{
    struct image_name n = {
        .image = (char *)(uintptr_t)id,
        .manifest = (char *)(uintptr_t)x->blob.digest,
        .index = x->index.bytes ? (char *)(uintptr_t)x->index.digest : NULL,
    };
    strv_foreach (name, x->o->names) {
        n.reference = name;
        int r = name_put(x->store, &n, x->index.bytes, x->index.len);
        if (r < 0)
            return r;
    }
    return 0;
}

static int publish(struct receive *x, char ret_id[65])
{
    int r = image_publish_bytes(x->st, x->config, x->config_len, x->keys, ret_id);
    if (r == 0)
        r = image_add_manifest(x->store, ret_id, x->blob.bytes, x->blob.len);
    if (r == 0)
        r = give_names(x, ret_id);
    if (r == 0)
        keep_hints(x);
    return r;
}

int image_receive(struct store *s, struct source *src, const char *digest, const struct receive_options *o,
                  char ret_id[65])
{
    auto_with(receive_done) struct receive x = {.store = s, .src = src, .o = o};
    int r = read_plan(&x, digest);
    if (r == 0)
        r = stage_begin(s, &x.st);
    if (r == 0)
        r = pin_layers(&x);
    if (r == 0)
        r = fetch_layers(&x);
    if (r == 0)
        r = settle_layers(&x);
    return r < 0 ? r : publish(&x, ret_id);
}
