/* Lists of manifests. A list is the bytes of an index; each change makes another one, which the name then says
 * (store/name.c); the old one is collected. Runs in: the caller's process. */
#include "whelk/list.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/str.h"

void list_done(struct list *l)
{
    image_name_done(&l->name);
    manifest_done(&l->m);
}

int list_load(const struct store *s, const char *typed, struct list *ret)
{
    struct list l = {0};
    auto_free char *bytes = NULL, *shown = str_printable(typed);
    size_t len;
    int r = name_find(s, typed, true, &l.name);
    if (r == -ENOENT)
        return err_set(r, "no list of manifests is called %s (whelk manifest create makes one)", shown);
    if (r == 0)
        r = index_read(s, l.name.index, &bytes, &len);
    if (r == -ENOENT)
        r = err_set(r, "the index of the list %s is not in the store", shown);
    if (r == 0)
        r = manifest_parse(bytes, len, NULL, &l.m);
    if (r < 0)
        list_done(&l);
    else
        *ret = l;
    return r;
}

void list_new(const char *reference, struct list *ret)
{
    *ret = (struct list){.name.reference = xstrdup(reference)};
    manifest_new(MEDIA_OCI_INDEX, &ret->m);
}

int list_save(const struct store *s, const struct list *l, char ret_digest[DIGEST_TEXT])
{
    size_t len;
    auto_free char *bytes = manifest_bytes(&l->m, &len);
    char hex[DIGEST_BUF];
    digest_bytes(bytes, len, hex);
    snprintf(ret_digest, DIGEST_TEXT, "sha256:%s", hex);
    return name_put(s, &(struct image_name){.reference = l->name.reference, .index = ret_digest}, bytes, len);
}

/* ---- entries ---- */

static void put_platform(const struct image_config *c, struct platform *p)
{
    platform_done(p);
    p->os = xstrdup(image_config_os(c));
    p->architecture = xstrdup(image_config_architecture(c));
    p->variant = xstrdup(json_str(c->root, "variant"));
    p->os_version = xstrdup(json_str(c->root, "os.version"));
}

/* The manifest by which the image goes into the list; kept with it from now on. */
static int image_manifest(const struct store *s, const char *id, const char *wanted, struct manifest_blob *ret)
{
    auto_with(source_free_auto) struct source *src = NULL;
    auto_strv char **kept = NULL;
    int r = wanted ? 0 : image_manifests(s, id, &kept);
    if (r == 0)
        r = transport_store_source(s, id, wanted ? wanted : kept ? kept[0] : NULL, false, &src);
    if (r == 0)
        r = source_manifest(src, NULL, ret);
    return r < 0 ? r : image_add_manifest(s, id, ret->bytes, ret->len);
}

static size_t find_digest(const struct list *l, const char *digest)
{
    size_t i = 0;
    while (i < l->m.manifests.n && !str_eq(manifest_entry(&l->m, i)->digest, digest))
        i++;
    return i;
}

int list_add_image(const struct store *s, struct list *l, const char *id, const char *wanted, struct descriptor **ret)
{
    auto_with(manifest_blob_done) struct manifest_blob blob = {0};
    auto_with(manifest_done) struct manifest m = {0};
    auto_with(image_config_done) struct image_config config = {0};
    int r = image_load_config(s, id, &config);
    if (r == 0)
        r = image_manifest(s, id, wanted, &blob);
    if (r == 0)
        r = manifest_blob_parse(&blob, &m);
    if (r < 0)
        return r;
    size_t i = find_digest(l, blob.digest);
    if (i < l->m.manifests.n)
        list_remove(l, i);
    struct descriptor *d = manifest_add_entry(&l->m, m.media_type, blob.digest, (int64_t)blob.len);
    put_platform(&config, &d->platform);
    *ret = d;
    return 0;
}

static bool starts_digest(const char *digest, const char *typed)
{
    const char *hex = str_after(typed, "sha256:");
    return strlen(typed) >= 4 && str_after(digest + strlen("sha256:"), hex ? hex : typed);
}

int list_find(const struct store *s, struct list *l, const char *typed, size_t *ret)
{
    auto_free char *id = NULL, *shown = str_printable(typed);
    bool image = image_find(s, typed, &id, NULL) == 0;
    size_t found = 0;
    for (size_t i = 0; i < l->m.manifests.n; i++) {
        const char *digest = manifest_entry(&l->m, i)->digest;
        auto_free char *of = NULL;
        bool same = image && image_by_manifest(s, digest, &of) == 0 && str_eq(of, id);
        if (!same && !starts_digest(digest, typed))
            continue;
        *ret = i;
        found++;
    }
    if (found == 1)
        return 0;
    return found ? err_set(-EINVAL, "%s means %zu entries of the list", shown, found)
                 : err_set(-ENOENT, "the list has no entry %s (whelk manifest inspect shows them)", shown);
}

void list_remove(struct list *l, size_t i)
{
    struct descriptor *d = l->m.manifests.items;
    descriptor_done(&d[i]);
    memmove(&d[i], &d[i + 1], (l->m.manifests.n - i - 1) * sizeof(*d));
    l->m.manifests.n--;
}

/* ---- sending ---- */

static int copy_entry(const struct store *s, struct descriptor *d, struct dest *dst, const struct copy_options *o)
{
    auto_with(source_free_auto) struct source *src = NULL;
    auto_with(manifest_blob_done) struct manifest_blob put = {0};
    auto_free char *id = NULL;
    int r = image_by_manifest(s, d->digest, &id);
    if (r == -ENOENT)
        return err_set(r, "the image of the entry %s is not in the store any more", d->digest);
    if (r == 0)
        r = transport_store_source(s, id, d->digest, o->format == FORMAT_DOCKER, &src);
    if (r == 0)
        r = image_copy_entry(src, NULL, dst, o, &put);
    if (r < 0)
        return r;
    free(d->digest);
    free(d->media_type);
    d->digest = xstrdup(put.digest);
    d->media_type = xstrdup(put.media_type);
    d->size = (int64_t)put.len;
    return 0;
}

int list_copy(const struct store *s, const struct list *l, struct dest *dst, const struct copy_options *o,
              char ret_digest[DIGEST_TEXT])
{
    auto_with(manifest_done) struct manifest index = {0};
    auto_with(manifest_blob_done) struct manifest_blob blob = {0};
    bool docker = o->format == FORMAT_DOCKER;
    if (dst->docker_only)
        return err_set(-ENOTSUP, "%s takes no lists of manifests: choose another kind", dst->name);
    manifest_new(docker ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX, &index);
    index.annotations = docker ? NULL : json_incref(l->m.annotations);
    for (size_t i = 0; i < l->m.manifests.n; i++) {
        struct descriptor *d = rec_list_add(&descriptor_rec, &index.manifests);
        descriptor_copy(manifest_entry(&l->m, i), d);
        int r = copy_entry(s, d, dst, o);
        if (r < 0)
            return r;
    }
    size_t len;
    auto_free char *bytes = manifest_bytes(&index, &len);
    int r = manifest_blob_set(&blob, bytes, len, index.media_type, NULL);
    if (r == 0)
        r = dst->ops->put_manifest(dst, &blob, o->name ? o->name : dst->reference ? dst->reference : "");
    if (r == 0)
        snprintf(ret_digest, DIGEST_TEXT, "%s", blob.digest);
    return r;
}
