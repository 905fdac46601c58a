/* dir:DIR: a manifest and its blobs as plain files, as skopeo lays them out: version, manifest.json, <hex> for each
 * blob and <hex>.manifest.json for each entry of an index. */
#include "fileset.h"
#include "output.h"
#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

#define VERSION_FILE "version"
#define VERSION_TEXT "Directory Transport Version: 1.1\n"
#define MANIFEST_FILE "manifest.json"

static char *entry_file(const char *digest)
{
    return xasprintf("%s.manifest.json", digest_hex(digest));
}

/* ---- source ---- */

struct dir_source {
    struct source base;
    struct fileset *files;
};

static int dir_manifest(struct source *s, const char *digest, struct manifest_blob *ret)
{
    const struct dir_source *x = (struct dir_source *)s;
    auto_free char *bytes = NULL, *entry = NULL;
    size_t len;
    if (digest && !digest_hex(digest))
        return err_set(-EPROTONOSUPPORT, "only sha256 digests are known");
    if (digest)
        entry = entry_file(digest);
    int r = fileset_read(x->files, entry && fileset_has(x->files, entry) ? entry : MANIFEST_FILE, MANIFEST_MAX, &bytes,
                         &len);
    return r < 0 ? r : manifest_blob_set(ret, bytes, len, NULL, NULL);
}

static int dir_blob_open(struct source *s, const struct descriptor *d, struct blob *ret)
{
    return fileset_open(((struct dir_source *)s)->files, digest_hex(d->digest), ret);
}

static void dir_source_free(struct source *s)
{
    struct dir_source *x = (struct dir_source *)s;
    fileset_free(x->files);
    free(x);
}

static const struct source_ops source_ops = {
    .manifest = dir_manifest,
    .blob_open = dir_blob_open,
    .free = dir_source_free,
};

static int dir_source(const char *rest, const struct transport_options *o, struct source **ret)
{
    struct fileset *f = NULL;
    int r = fileset_open_dir(kind_path(rest, o), &f);
    if (r < 0)
        return r;
    struct dir_source *x = xcalloc(1, sizeof(*x));
    *x = (struct dir_source){.base.ops = &source_ops, .files = f};
    *ret = &x->base;
    return 0;
}

/* ---- destination ---- */

struct dir_dest {
    struct dest base;
    int dir;
    struct manifest_blob manifest;
};

static int dir_has_blob(struct dest *d, const struct descriptor *blob, char *const *repositories)
{
    struct stat st;
    return fstatat(((struct dir_dest *)d)->dir, digest_hex(blob->digest), &st, 0) == 0 && S_ISREG(st.st_mode) &&
           (blob->size < 0 || st.st_size == blob->size);
}

static int dir_put_blob(struct dest *d, struct blob *in, const struct descriptor *known, char ret_digest[DIGEST_TEXT],
                        int64_t *ret_size)
{
    struct output out;
    int r = output_open(((struct dir_dest *)d)->dir, "blob", &out);
    if (r < 0)
        return r;
    r = blob_move(in, out.fd, known, ret_digest, ret_size);
    if (r == 0) {
        free(out.path);
        out.path = xstrdup(digest_hex(ret_digest));
        r = output_commit(&out);
    }
    output_done(&out);
    return r;
}

static int dir_put_manifest(struct dest *d, const struct manifest_blob *m, const char *name)
{
    struct dir_dest *x = (struct dir_dest *)d;
    if (name && x->manifest.bytes)
        return err_set(-ENOTSUP, "a directory holds one image: name another one for the next");
    if (name)
        return manifest_blob_set(&x->manifest, m->bytes, m->len, m->media_type, NULL);
    auto_free char *path = entry_file(m->digest);
    int r = file_publish(x->dir, path, m->bytes, m->len, 0644, false);
    return r < 0 ? err_set(r, "cannot write %s: %s", path, strerror(-r)) : 0;
}

static int dir_commit(struct dest *d)
{
    const struct dir_dest *x = (struct dir_dest *)d;
    int r = file_publish(x->dir, VERSION_FILE, VERSION_TEXT, strlen(VERSION_TEXT), 0644, false);
    if (r == 0 && x->manifest.bytes)
        r = file_publish(x->dir, MANIFEST_FILE, x->manifest.bytes, x->manifest.len, 0644, false);
    return r < 0 ? err_set(r, "cannot write the manifest: %s", strerror(-r)) : 0;
}

static void dir_dest_free(struct dest *d)
{
    struct dir_dest *x = (struct dir_dest *)d;
    manifest_blob_done(&x->manifest);
    fd_close(x->dir);
    free(x);
}

static const struct dest_ops dest_ops = {
    .has_blob = dir_has_blob,
    .put_blob = dir_put_blob,
    .put_manifest = dir_put_manifest,
    .commit = dir_commit,
    .free = dir_dest_free,
};

static int dir_dest(const char *rest, const struct transport_options *o, struct dest **ret)
{
    auto_close int dir = output_dir(kind_path(rest, o));
    if (dir < 0)
        return dir;
    struct dir_dest *x = xcalloc(1, sizeof(*x));
    *x = (struct dir_dest){.base.ops = &dest_ops, .dir = take_fd(&dir)};
    *ret = &x->base;
    return 0;
}

const struct transport_kind transport_dir = {"dir", "dir:DIR", dir_source, dir_dest};
