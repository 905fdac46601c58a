/* docker-archive:FILE[:NAME[:TAG]]: what docker save, podman save and build tools write. manifest.json lists the
 * images: a configuration and layers, most often plain, without digests. So manifests are made here: of a plain layer
 * the digest is the diffid that the configuration says (whoever reads it verifies), a compressed one is hashed. */
#include "fileset.h"
#include "layout.h"
#include "output.h"
#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image-config.h"
#include "whelk/ref.h"

enum { LIST_MAX = 4 << 20, IMAGES_MAX = 10000, LAYERS_MAX = 1000, READ_SIZE = 256 * 1024 };

#define LIST_FILE "manifest.json"

/* ---- source ---- */

struct image_entry {
    struct manifest_blob manifest;
    char **names;
};

struct blob_place {
    char *digest, *path;
};

struct docker_source {
    struct source base;
    struct fileset *files;
    struct image_entry *images;
    size_t n;
    struct blob_place *blobs;
    size_t n_blobs;
    char *reference;
};

static const struct blob_place *place_of(const struct docker_source *x, const char *digest)
{
    for (size_t i = 0; i < x->n_blobs; i++)
        if (str_eq(x->blobs[i].digest, digest))
            return &x->blobs[i];
    return NULL;
}

static void place_add(struct docker_source *x, const char *digest, const char *path)
{
    if (place_of(x, digest))
        return;
    x->blobs = xrealloc(x->blobs, (x->n_blobs + 1) * sizeof(*x->blobs));
    x->blobs[x->n_blobs++] = (struct blob_place){xstrdup(digest), xstrdup(path)};
}

/* Digest of all the bytes of a file of the archive. */
static int hash_file(const struct docker_source *x, const char *path, char ret_hex[DIGEST_BUF])
{
    struct blob b;
    int r = fileset_open(x->files, path, &b);
    if (r < 0)
        return r;
    auto_close __attribute__((unused)) int fd = b.fd;
    auto_free char *data = xmalloc(READ_SIZE);
    struct digest *d = digest_new(true);
    ssize_t n;
    while ((n = blob_read(&b, data, READ_SIZE)) > 0)
        digest_add(d, data, (size_t)n);
    digest_finish(d, ret_hex);
    digest_free(d);
    return (int)n;
}

static int file_codec(const struct docker_source *x, const char *path, enum codec *ret, int64_t *ret_size)
{
    struct blob b;
    char first[CODEC_MAGIC_MAX];
    int r = fileset_open(x->files, path, &b);
    if (r < 0)
        return r;
    auto_close __attribute__((unused)) int fd = b.fd;
    *ret_size = (int64_t)b.len;
    ssize_t n = blob_read(&b, first, sizeof(first));
    if (n >= 0)
        *ret = codec_detect(first, (size_t)n);
    return n < 0 ? (int)n : 0;
}

static int add_layer(struct docker_source *x, struct manifest *m, const char *path, const char *diffid)
{
    char hex[DIGEST_BUF];
    enum codec codec = CODEC_NONE;
    int64_t size;
    int r = file_codec(x, path, &codec, &size);
    if (r < 0)
        return r;
    const char *type = media_layer_type(false, codec);
    if (!type)
        return err_set(-ENOTSUP, "the layer %s is compressed with %s, which layers are not", diffid, codec_name(codec));
    snprintf(hex, sizeof(hex), "%s", diffid);
    if (codec != CODEC_NONE)
        r = hash_file(x, path, hex);
    if (r < 0)
        return r;
    auto_free char *digest = xasprintf("sha256:%s", hex);
    manifest_add_layer(m, type, digest, size);
    place_add(x, digest, path);
    return 0;
}

/* A name with 64 hex digits in it promises what the file holds. */
static int check_config_name(const char *path, const char *hex)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    auto_free char *said = xstrndup(name, DIGEST_HEX);
    if (!str_is_hex(said, DIGEST_HEX) || str_eq(said, hex))
        return 0;
    return err_set(-EBADMSG, "the configuration %s is damaged: its digest is sha256:%s", said, hex);
}

static int add_config(struct docker_source *x, struct manifest *m, const char *path, struct image_config *ret)
{
    auto_free char *bytes = NULL;
    char hex[DIGEST_BUF];
    size_t len;
    int r = fileset_read(x->files, path, CONFIG_MAX, &bytes, &len);
    if (r < 0)
        return r;
    digest_bytes(bytes, len, hex);
    r = check_config_name(path, hex);
    if (r == 0)
        r = image_config_parse(bytes, len, ret);
    if (r < 0)
        return r;
    m->config = (struct descriptor){
        .media_type = xstrdup(MEDIA_OCI_CONFIG),
        .digest = xasprintf("sha256:%s", hex),
        .size = (int64_t)len,
    };
    place_add(x, m->config.digest, path);
    return 0;
}

static int add_layers(struct docker_source *x, struct manifest *m, const struct image_config *config,
                      char *const *paths)
{
    auto_strv char **diffids = image_config_diff_ids(config);
    size_t n = strv_len(diffids);
    if (n != strv_len(paths) || n > LAYERS_MAX)
        return err_set(-EBADMSG, "the configuration has %zu layers, " LIST_FILE " lists %zu", n, strv_len(paths));
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_layer(x, m, paths[i], diffids[i]);
    return r;
}

static int make_manifest(struct docker_source *x, const char *config_path, char *const *layers,
                         struct manifest_blob *ret)
{
    auto_with(manifest_done) struct manifest m = {0};
    auto_with(image_config_done) struct image_config config = {0};
    manifest_new(MEDIA_OCI_MANIFEST, &m);
    int r = add_config(x, &m, config_path, &config);
    if (r == 0)
        r = add_layers(x, &m, &config, layers);
    if (r < 0)
        return r;
    size_t len;
    auto_free char *bytes = manifest_bytes(&m, &len);
    return manifest_blob_set(ret, bytes, len, MEDIA_OCI_MANIFEST, NULL);
}

/* Strings under key; absent and null are none. */
static int strings_of(const json_t *o, const char *key, char ***ret)
{
    const json_t *v = json_object_get(o, key);
    *ret = NULL;
    return !v || json_is_null(v) ? 0 : json_to_strv(v, ret);
}

static int add_image(struct docker_source *x, const json_t *o)
{
    auto_strv char **layers = NULL, **names = NULL;
    const char *config = json_str(o, "Config");
    if (str_empty(config))
        return err_set(-EBADMSG, "an image has no \"Config\"");
    int r = strings_of(o, "Layers", &layers);
    if (r == 0)
        r = strings_of(o, "RepoTags", &names);
    if (r < 0)
        return r;
    struct image_entry *e = &x->images[x->n];
    r = make_manifest(x, config, layers, &e->manifest);
    if (r < 0)
        return r;
    e->names = take_ptr(&names);
    x->n++;
    return 0;
}

static int load_list(struct docker_source *x)
{
    auto_free char *bytes = NULL;
    auto_json json_t *list = NULL;
    size_t len, i;
    json_t *o;
    if (!fileset_has(x->files, LIST_FILE) && fileset_has(x->files, "repositories"))
        return err_set(-EPROTONOSUPPORT, "it was saved by a docker older than 1.10: save it again with a newer one");
    int r = fileset_read(x->files, LIST_FILE, LIST_MAX, &bytes, &len);
    if (r == 0)
        r = json_parse(LIST_FILE, bytes, len, &list);
    if (r < 0)
        return r;
    if (!json_is_array(list) || json_array_size(list) > IMAGES_MAX)
        return err_set(-EBADMSG, LIST_FILE " is not an array of images");
    x->images = xcalloc(json_array_size(list) + 1, sizeof(*x->images));
    json_array_foreach(list, i, o)
    {
        if (r == 0)
            r = add_image(x, o);
    }
    return r < 0 ? err_wrap(r, LIST_FILE) : 0;
}

/* ---- which image ---- */

static char *full_name(const char *name, const char *domain)
{
    auto_with(ref_done) struct ref ref = {0};
    return ref_parse(name, &ref) < 0 ? xstrdup(name) : ref_full(&ref, domain);
}

static bool is_called(const struct image_entry *e, const char *reference)
{
    static const char *const domains[] = {"docker.io", "localhost"};
    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        auto_free char *wanted = full_name(reference, domains[i]);
        strv_foreach (name, e->names) {
            auto_free char *have = full_name(name, "docker.io");
            if (str_eq(have, wanted))
                return true;
        }
    }
    return false;
}

/* The only image, or the one that the name means. */
static int choose(const struct docker_source *x, const struct image_entry **ret)
{
    auto_strv char **names = NULL;
    const struct image_entry *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < x->n; i++) {
        strv_extend(&names, x->images[i].names);
        if (x->reference && !is_called(&x->images[i], x->reference))
            continue;
        found = &x->images[i];
        n++;
    }
    *ret = found;
    if (n == 1)
        return 0;
    auto_free char *list = strv_join(names, ", "), *shown = str_printable(list);
    auto_free char *wanted = str_printable(x->reference ? x->reference : "");
    return x->reference ? err_set(-ENOENT, "there is no image %s in it, but: %s", wanted, shown)
                        : err_set(-EINVAL, "there are %zu images in it, choose one with :NAME: %s", n, shown);
}

/* ---- the functions of a source ---- */

static int docker_manifest(struct source *s, const char *digest, struct manifest_blob *ret)
{
    const struct docker_source *x = (struct docker_source *)s;
    const struct image_entry *e = NULL;
    for (size_t i = 0; digest && !e && i < x->n; i++)
        if (str_eq(x->images[i].manifest.digest, digest))
            e = &x->images[i];
    int r = digest ? 0 : choose(x, &e);
    if (r < 0)
        return r;
    if (!e)
        return err_set(-ENOENT, "there is no image %s in it", digest);
    return manifest_blob_set(ret, e->manifest.bytes, e->manifest.len, e->manifest.media_type, NULL);
}

static int docker_blob_open(struct source *s, const struct descriptor *d, struct blob *ret)
{
    const struct docker_source *x = (struct docker_source *)s;
    const struct blob_place *place = place_of(x, d->digest);
    return place ? fileset_open(x->files, place->path, ret) : err_set(-ENOENT, "there is no blob %s in it", d->digest);
}

static int docker_each(struct source *s, int (*fn)(const char *digest, char *const *names, void *arg), void *arg)
{
    const struct docker_source *x = (struct docker_source *)s;
    int r = 0;
    for (size_t i = 0; r == 0 && i < x->n; i++)
        if (!x->reference || is_called(&x->images[i], x->reference))
            r = fn(x->images[i].manifest.digest, x->images[i].names, arg);
    return r;
}

static void docker_source_free(struct source *s)
{
    struct docker_source *x = (struct docker_source *)s;
    for (size_t i = 0; i < x->n; i++) {
        manifest_blob_done(&x->images[i].manifest);
        strv_free(x->images[i].names);
    }
    for (size_t i = 0; i < x->n_blobs; i++) {
        free(x->blobs[i].digest);
        free(x->blobs[i].path);
    }
    free(x->images);
    free(x->blobs);
    free(x->reference);
    fileset_free(x->files);
    free(x);
}

static const struct source_ops source_ops = {
    .manifest = docker_manifest,
    .blob_open = docker_blob_open,
    .each = docker_each,
    .free = docker_source_free,
};

int docker_fileset_source(struct fileset *f, const char *reference, struct source **ret)
{
    struct docker_source *x = xcalloc(1, sizeof(*x));
    *x = (struct docker_source){.base.ops = &source_ops, .files = f, .reference = xstrdup(reference)};
    int r = load_list(x);
    if (r < 0) {
        docker_source_free(&x->base);
        return r;
    }
    *ret = &x->base;
    return 0;
}

static int docker_source(const char *rest, const struct transport_options *o, struct source **ret)
{
    auto_free char *path = NULL, *reference = NULL;
    struct fileset *f = NULL;
    layout_split(rest, &path, &reference);
    int r = fileset_open_archive(path, o, &f);
    if (r == 0)
        r = docker_fileset_source(f, reference, ret);
    return r < 0 ? err_wrap(r, "docker-archive") : 0;
}

/* ---- destination ---- */

struct docker_dest {
    struct dest base;
    struct output out;
    char **written; /* digests */
    json_t *list;
};

static int docker_has_blob(struct dest *d, const struct descriptor *blob, char *const *repositories)
{
    return strv_has(((struct docker_dest *)d)->written, blob->digest);
}

static int docker_put_blob(struct dest *d, struct blob *in, const struct descriptor *known,
                           char ret_digest[DIGEST_TEXT], int64_t *ret_size)
{
    struct docker_dest *x = (struct docker_dest *)d;
    auto_free char *path =
        xasprintf("%s.%s", digest_hex(known->digest), media_is_config(known->media_type) ? "json" : "tar");
    int r = archive_blob(&x->out, path, in, known);
    if (r < 0)
        return r;
    strv_add(&x->written, known->digest);
    snprintf(ret_digest, DIGEST_TEXT, "%s", known->digest);
    *ret_size = known->size;
    return 0;
}

static json_t *entry_of(const struct docker_dest *x, const char *config)
{
    json_t *o;
    size_t i;
    json_array_foreach(x->list, i, o)
    {
        if (str_eq(json_str(o, "Config"), config))
            return o;
    }
    return NULL;
}

static int docker_put_manifest(struct dest *d, const struct manifest_blob *m, const char *name)
{
    struct docker_dest *x = (struct docker_dest *)d;
    auto_with(manifest_done) struct manifest parsed = {0};
    int r = manifest_blob_parse(m, &parsed);
    if (r < 0)
        return r;
    auto_free char *config = xasprintf("%s.json", digest_hex(parsed.config.digest));
    json_t *o = entry_of(x, config);
    if (!o) {
        json_t *layers = json_array();
        for (size_t i = 0; i < parsed.layers.n; i++) {
            auto_free char *path = xasprintf("%s.tar", digest_hex(manifest_layer(&parsed, i)->digest));
            json_array_append_new(layers, json_string(path));
        }
        o = json_pack("{s:s, s:[], s:o}", "Config", config, "RepoTags", "Layers", layers);
        json_array_append_new(x->list, o);
    }
    if (!str_empty(name))
        json_array_append_new(json_object_get(o, "RepoTags"), json_from_str(name));
    return 0;
}

static int docker_commit(struct dest *d)
{
    struct docker_dest *x = (struct docker_dest *)d;
    auto_free char *text = json_text(x->list, false);
    int r = archive_bytes(&x->out, LIST_FILE, text, strlen(text));
    if (r == 0)
        r = archive_end(&x->out);
    return r < 0 ? r : output_commit(&x->out);
}

static void docker_dest_free(struct dest *d)
{
    struct docker_dest *x = (struct docker_dest *)d;
    output_done(&x->out);
    strv_free(x->written);
    json_decref(x->list);
    free(x);
}

static const struct dest_ops dest_ops = {
    .has_blob = docker_has_blob,
    .put_blob = docker_put_blob,
    .put_manifest = docker_put_manifest,
    .commit = docker_commit,
    .free = docker_dest_free,
};

static int docker_dest(const char *rest, const struct transport_options *o, struct dest **ret)
{
    auto_free char *reference = NULL;
    struct output out;
    int r = archive_open(rest, o, &reference, &out);
    if (r < 0)
        return r;
    struct docker_dest *x = xcalloc(1, sizeof(*x));
    x->base =
        (struct dest){.ops = &dest_ops, .reference = take_ptr(&reference), .sequential = true, .docker_only = true};
    x->out = out;
    x->list = json_array();
    *ret = &x->base;
    return 0;
}

const struct transport_kind transport_docker_archive = {"docker-archive", "docker-archive:FILE[:NAME]", docker_source,
                                                        docker_dest};
