/* Names of transports, and what all sources and destinations have in common: manifests are held against their digests
 * before anybody looks into them (H7). Runs in: the caller's process. */
#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"

enum { INDEX_DEPTH = 4, READ_SIZE = 64 * 1024 };

static const struct transport_kind *const kinds[] = {
    &transport_docker, &transport_oci, &transport_oci_archive, &transport_docker_archive, &transport_dir,
};

/* ---- names ---- */

static const struct transport_kind *find_kind(const char *name, const char **ret_rest)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *rest = str_after(name, kinds[i]->prefix);
        if (rest && *rest == ':') {
            *ret_rest = rest + 1;
            return kinds[i];
        }
    }
    return NULL;
}

const char *transport_rest(const char *name)
{
    const char *rest;
    return find_kind(name, &rest) ? rest : NULL;
}

static int no_kind(const char *name)
{
    auto_strv char **forms = NULL;
    auto_free char *shown = str_printable(name);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        strv_add(&forms, kinds[i]->form);
    auto_free char *list = strv_join(forms, ", ");
    return err_set(-EINVAL, "\"%s\" does not say where the image is: %s", shown, list);
}

int source_open(const char *name, const struct transport_options *o, struct source **ret)
{
    static const struct transport_options none;
    const char *rest;
    const struct transport_kind *kind = find_kind(name, &rest);
    struct source *s = NULL;
    if (!kind)
        return no_kind(name);
    int r = kind->source(rest, o ? o : &none, &s);
    if (r < 0)
        return r;
    s->name = xstrdup(name);
    *ret = s;
    return 0;
}

int dest_open(const char *name, const struct transport_options *o, struct dest **ret)
{
    static const struct transport_options none;
    const char *rest;
    const struct transport_kind *kind = find_kind(name, &rest);
    struct dest *d = NULL;
    if (!kind)
        return no_kind(name);
    int r = kind->dest(rest, o ? o : &none, &d);
    if (r < 0)
        return r;
    d->name = xstrdup(name);
    *ret = d;
    return 0;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    free(s->name);
    free(s->repository);
    s->ops->free(s);
}

void dest_free(struct dest *d)
{
    if (!d)
        return;
    free(d->name);
    free(d->reference);
    free(d->repository);
    d->ops->free(d);
}

/* ---- manifests ---- */

void manifest_blob_done(struct manifest_blob *m)
{
    free(m->bytes);
    free(m->media_type);
    *m = (struct manifest_blob){0};
}

int manifest_blob_set(struct manifest_blob *m, const char *bytes, size_t len, const char *media_type,
                      const char *expect)
{
    struct manifest_blob new = {.len = len};
    char hex[DIGEST_BUF];
    if (len > MANIFEST_MAX)
        return err_set(-EFBIG, "the manifest has %zu bytes, more than %d", len, MANIFEST_MAX);
    digest_bytes(bytes, len, hex);
    snprintf(new.digest, sizeof(new.digest), "sha256:%s", hex);
    if (expect && !str_eq(new.digest, expect)) {
        auto_free char *shown = str_printable(expect);
        return err_set(-EBADMSG, "the manifest %s is damaged: its digest is %s", shown, new.digest);
    }
    new.bytes = xmalloc(len + 1);
    memcpy(new.bytes, bytes, len);
    new.bytes[len] = '\0';
    new.media_type = xstrdup(media_type);
    *m = new;
    return 0;
}

int manifest_blob_parse(const struct manifest_blob *m, struct manifest *ret)
{
    int r = manifest_parse(m->bytes, m->len, m->media_type, ret);
    return r < 0 ? err_wrap(r, "%s", m->digest) : 0;
}

int source_manifest(struct source *s, const char *digest, struct manifest_blob *ret)
{
    struct manifest_blob raw = {0};
    int r = s->ops->manifest(s, digest, &raw);
    if (r == 0)
        r = manifest_blob_set(ret, raw.bytes, raw.len, raw.media_type, digest);
    manifest_blob_done(&raw);
    return r < 0 ? err_wrap(r, "%s", s->name ? s->name : "the image") : 0;
}

/* Of an index its entry for the platform, of anything else itself. 1: *m was an index and is now its entry. */
static int descend(struct source *s, const struct platform *platform, struct manifest_blob *m)
{
    auto_with(manifest_done) struct manifest parsed = {0};
    const struct descriptor *entry;
    int r = manifest_blob_parse(m, &parsed);
    if (r < 0 || !manifest_is_index(&parsed))
        return r;
    r = manifest_pick(&parsed, platform, &entry);
    if (r < 0)
        return r;
    struct manifest_blob next = {0};
    r = source_manifest(s, entry->digest, &next);
    if (r < 0)
        return r;
    if (entry->size != (int64_t)next.len) {
        manifest_blob_done(&next);
        return err_set(-EBADMSG, "the manifest %s has another size than its index says", entry->digest);
    }
    manifest_blob_done(m);
    *m = next;
    return 1;
}

static void manifest_blob_copy(const struct manifest_blob *from, struct manifest_blob *ret)
{
    manifest_blob_done(ret);
    manifest_blob_set(ret, from->bytes, from->len, from->media_type, NULL);
}

int source_image(struct source *s, const char *digest, const struct platform *platform, struct manifest_blob *ret,
                 struct manifest_blob *ret_index)
{
    auto_with(manifest_blob_done) struct manifest_blob m = {0}, first = {0};
    auto_with(platform_done) struct platform host = {0};
    platform_host(&host);
    int r = source_manifest(s, digest, &m);
    if (r == 0)
        manifest_blob_copy(&m, &first);
    for (int depth = 0; r == 0; depth++) {
        r = depth < INDEX_DEPTH ? descend(s, platform ? platform : &host, &m)
                                : err_set(-EBADMSG, "indexes are nested more than %d deep", INDEX_DEPTH);
        if (r <= 0)
            break;
        r = 0;
    }
    if (r < 0)
        return r;
    if (ret_index && !str_eq(first.digest, m.digest)) {
        *ret_index = first;
        first = (struct manifest_blob){0};
    }
    *ret = m;
    m = (struct manifest_blob){0};
    return 0;
}

/* ---- blobs ---- */

int source_blob_open(struct source *s, const struct descriptor *d, struct blob *ret)
{
    *ret = (struct blob){.fd = -1};
    return s->ops->blob_open(s, d, ret);
}

int source_blob_close(struct source *s, struct blob *b, bool verified)
{
    fd_close(take_fd(&b->fd));
    return s->ops->blob_close ? s->ops->blob_close(s, b, verified) : 0;
}

ssize_t blob_read(struct blob *b, void *data, size_t len)
{
    ssize_t n;
    if (b->window && b->len < len)
        len = (size_t)b->len;
    do
        n = len == 0 ? 0 : b->window ? pread(b->fd, data, len, (off_t)b->offset) : read(b->fd, data, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys("cannot read a blob of the image");
    b->offset += (uint64_t)n;
    if (b->window)
        b->len -= (uint64_t)n;
    return n;
}

static int read_whole(struct blob *b, const struct descriptor *d, size_t max, struct buf *out)
{
    char hex[DIGEST_BUF];
    ssize_t n = 1;
    while (n > 0 && out->len <= max) {
        buf_reserve(out, READ_SIZE);
        n = blob_read(b, out->data + out->len, MIN((size_t)READ_SIZE, max + 1 - out->len));
        out->len += (size_t)MAX(n, (ssize_t)0);
    }
    if (n < 0)
        return (int)n;
    if (out->len > max)
        return err_set(-EFBIG, "the blob %s has more than %zu bytes", d->digest, max);
    digest_bytes(out->data, out->len, hex);
    if ((d->size >= 0 && (int64_t)out->len != d->size) || !str_eq(hex, d->digest + strlen("sha256:")))
        return err_set(-EBADMSG, "the blob %s is damaged: it has %zu bytes and the digest sha256:%s", d->digest,
                       out->len, hex);
    return 0;
}

int source_blob_read(struct source *s, const struct descriptor *d, size_t max, char **ret, size_t *ret_len)
{
    struct blob b;
    auto_buf struct buf out = {0};
    if (d->size > (int64_t)max)
        return err_set(-EFBIG, "the blob %s has more than %zu bytes", d->digest, max);
    int r = source_blob_open(s, d, &b);
    if (r < 0)
        return r;
    r = read_whole(&b, d, max, &out);
    auto_free char *why = r < 0 ? xstrdup(err_text(r)) : NULL;
    int closed = source_blob_close(s, &b, r == 0);
    if (closed < 0)
        return closed;
    if (r < 0)
        return err_set(r, "%s", why);
    *ret_len = out.len;
    *ret = buf_take(&out);
    return 0;
}

int source_each(struct source *s, int (*fn)(const char *digest, char *const *names, void *arg), void *arg)
{
    return s->ops->each ? s->ops->each(s, fn, arg) : fn(NULL, NULL, arg);
}
