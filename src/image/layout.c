/* OCI layouts as a source. index.json is where trust begins: all else is held against the digests in it. */
#include "layout.h"

#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/ref.h"

#include <sys/stat.h>

/* containerd and buildkit write the full name beside the tag. */
#define ANNOTATION_FULL_NAME "io.containerd.image.name"

struct layout {
    struct source base;
    struct fileset *files;
    struct manifest index;
    char *reference;
};

char *layout_blob_path(const char *digest)
{
    return xasprintf(LAYOUT_BLOBS "/%s", digest_hex(digest));
}

void layout_split(const char *rest, char **ret_path, char **ret_reference)
{
    size_t len = strcspn(rest, ":");
    *ret_path = xstrndup(rest, len);
    *ret_reference = rest[len] && rest[len + 1] ? xstrdup(rest + len + 1) : NULL;
}

/* ---- which image ---- */

static bool is_called(const struct descriptor *d, const char *reference)
{
    const char *names[] = {descriptor_annotation(d, ANNOTATION_REF_NAME),
                           descriptor_annotation(d, ANNOTATION_FULL_NAME)};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i] && str_eq(names[i], reference))
            return true;
    return str_eq(d->digest, reference);
}

static int cannot_choose(const struct layout *l)
{
    auto_strv char **names = NULL;
    for (size_t i = 0; i < l->index.manifests.n && i < 32; i++) {
        const char *name = descriptor_annotation(manifest_entry(&l->index, i), ANNOTATION_REF_NAME);
        strv_add(&names, name ? name : manifest_entry(&l->index, i)->digest);
    }
    auto_free char *list = strv_join(names, ", "), *shown = str_printable(list);
    if (!l->reference)
        return err_set(-EINVAL, "%s; choose one with :NAME: %s",
                       l->index.manifests.n ? "there are several images in it" : "there is no image in it", shown);
    auto_free char *wanted = str_printable(l->reference);
    return err_set(-ENOENT, "there is no image %s in it, but: %s", wanted, shown);
}

/* The entry that is meant, or NULL with *ret_own: the layout's own index is, since it lists one image's platforms. */
static int choose(const struct layout *l, const struct descriptor **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < l->index.manifests.n; i++) {
        const struct descriptor *d = manifest_entry(&l->index, i);
        if (l->reference && !is_called(d, l->reference))
            continue;
        if (*ret && !l->reference)
            return cannot_choose(l);
        *ret = d;
        if (l->reference)
            break;
    }
    return *ret ? 0 : cannot_choose(l);
}

static const struct descriptor *entry_of(const struct layout *l, const char *digest)
{
    for (size_t i = 0; digest && i < l->index.manifests.n; i++)
        if (str_eq(manifest_entry(&l->index, i)->digest, digest))
            return manifest_entry(&l->index, i);
    return NULL;
}

/* ---- the functions of a source ---- */

static int layout_manifest(struct source *s, const char *digest, struct manifest_blob *ret)
{
    struct layout *l = (struct layout *)s;
    const struct descriptor *d = entry_of(l, digest);
    size_t len;
    int r = digest ? 0 : choose(l, &d);
    if (r < 0)
        return r;
    if (!digest_hex(digest ? digest : d->digest))
        return err_set(-EPROTONOSUPPORT, "only sha256 digests are known");
    auto_free char *path = layout_blob_path(digest ? digest : d->digest), *bytes = NULL;
    r = fileset_read(l->files, path, MANIFEST_MAX, &bytes, &len);
    if (r == 0 && d && d->size != (int64_t)len)
        r = err_set(-EBADMSG, "the manifest %s has %zu bytes, not %lld", d->digest, len, (long long)d->size);
    return r < 0 ? r : manifest_blob_set(ret, bytes, len, d ? d->media_type : NULL, d ? d->digest : NULL);
}

static int layout_blob_open(struct source *s, const struct descriptor *d, struct blob *ret)
{
    const struct layout *l = (struct layout *)s;
    auto_free char *path = layout_blob_path(d->digest);
    int r = fileset_open(l->files, path, ret);
    if (r == 0 && d->size >= 0 && (int64_t)ret->len != d->size) {
        fd_close(ret->fd);
        return err_set(-EBADMSG, "the blob %s has %llu bytes, not %lld", d->digest, (unsigned long long)ret->len,
                       (long long)d->size);
    }
    return r;
}

/* One image after the other; entries of the same digest are one with several names. */
static int layout_each(struct source *s, int (*fn)(const char *digest, char *const *names, void *arg), void *arg)
{
    const struct layout *l = (struct layout *)s;
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->index.manifests.n; i++) {
        const struct descriptor *d = manifest_entry(&l->index, i);
        auto_strv char **names = NULL;
        if (entry_of(l, d->digest) != d || (l->reference && !is_called(d, l->reference)))
            continue;
        for (size_t j = i; j < l->index.manifests.n; j++) {
            const struct descriptor *same = manifest_entry(&l->index, j);
            const char *full = descriptor_annotation(same, ANNOTATION_FULL_NAME);
            const char *name = full ? full : descriptor_annotation(same, ANNOTATION_REF_NAME);
            if (name && str_eq(same->digest, d->digest))
                strv_add(&names, name);
        }
        r = fn(d->digest, names, arg);
    }
    return r;
}

static void layout_free(struct source *s)
{
    struct layout *l = (struct layout *)s;
    if (l->files)
        fileset_free(l->files);
    manifest_done(&l->index);
    free(l->reference);
    free(l);
}

static const struct source_ops layout_ops = {
    .manifest = layout_manifest,
    .blob_open = layout_blob_open,
    .each = layout_each,
    .free = layout_free,
};

static int load_index(struct layout *l)
{
    auto_free char *bytes = NULL;
    size_t len;
    int r = fileset_read(l->files, LAYOUT_INDEX, MANIFEST_MAX, &bytes, &len);
    if (r == 0)
        r = manifest_parse(bytes, len, MEDIA_OCI_INDEX, &l->index);
    return r < 0 ? err_wrap(r, "it is no OCI layout") : 0;
}

int layout_source(struct fileset *f, const char *reference, struct source **ret)
{
    struct layout *l = xcalloc(1, sizeof(*l));
    *l = (struct layout){.base.ops = &layout_ops, .files = f, .reference = xstrdup(reference)};
    int r = load_index(l);
    if (r < 0) {
        layout_free(&l->base);
        return r;
    }
    *ret = &l->base;
    return 0;
}

/* ---- whatever it is ---- */

/* Newer docker writes both indexes: that of OCI says more. */
static int source_of_files(struct fileset *f, const struct transport_options *o, struct source **ret)
{
    if (fileset_has(f, LAYOUT_INDEX))
        return layout_source(f, NULL, ret);
    if (fileset_has(f, "manifest.json") || fileset_has(f, "repositories"))
        return docker_fileset_source(f, NULL, ret);
    fileset_free(f);
    return err_set(-EBADMSG, "there is no image in it: neither " LAYOUT_INDEX
                             " nor manifest.json (whelk import makes an image of a file tree)");
}

int source_open_any(const struct transport_options *o, struct source **ret)
{
    const char *name = o->path ? o->path : "standard input";
    struct fileset *f = NULL;
    struct source *s = NULL;
    struct stat st;
    bool dir = o->path && stat(o->path, &st) == 0 && S_ISDIR(st.st_mode);
    int r = dir ? fileset_open_dir(o->path, &f) : fileset_open_archive("-", o, &f);
    if (r == 0 && dir && fileset_has(f, "version") && !fileset_has(f, LAYOUT_INDEX)) {
        fileset_free(f);
        return source_open("dir:-", o, ret);
    }
    if (r == 0)
        r = source_of_files(f, o, &s);
    if (r < 0)
        return r;
    s->name = xstrdup(name);
    *ret = s;
    return 0;
}

/* ---- for destinations ---- */

static bool same_name(const struct descriptor *d, const char *name)
{
    const char *have = descriptor_annotation(d, ANNOTATION_REF_NAME);
    return name ? have && str_eq(have, name) : !have;
}

void layout_index_put(struct manifest *index, const struct manifest_blob *m, const char *name)
{
    auto_with(manifest_done) struct manifest parsed = {0}, old = *index;
    const char *type = m->media_type;
    if (!type && manifest_blob_parse(m, &parsed) == 0)
        type = parsed.media_type;
    manifest_new(MEDIA_OCI_INDEX, index);
    for (size_t i = 0; i < old.manifests.n; i++) {
        const struct descriptor *d = manifest_entry(&old, i);
        if (same_name(d, name) && (name || str_eq(d->digest, m->digest)))
            continue;
        struct descriptor *copy = rec_list_add(&descriptor_rec, &index->manifests);
        descriptor_copy(d, copy);
    }
    struct descriptor *d = manifest_add_entry(index, type ? type : MEDIA_OCI_MANIFEST, m->digest, (int64_t)m->len);
    if (name)
        descriptor_annotate(d, ANNOTATION_REF_NAME, name);
}
