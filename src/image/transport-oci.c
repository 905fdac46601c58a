/* oci:DIR and oci-archive:FILE. A directory gets its blobs one by one, each whole or absent, and index.json last, under
 * a lock: several commands may write into one. An archive is written from front to end. */
#include "layout.h"
#include "output.h"
#include "transport-kinds.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <sys/file.h>

/* ---- sources ---- */

static int oci_open(const char *rest, const struct transport_options *o, bool archive, struct source **ret)
{
    auto_free char *path = NULL, *reference = NULL;
    struct fileset *f = NULL;
    layout_split(rest, &path, &reference);
    int r = archive ? fileset_open_archive(path, o, &f) : fileset_open_dir(kind_path(path, o), &f);
    return r < 0 ? r : layout_source(f, reference, ret);
}

static int oci_source(const char *rest, const struct transport_options *o, struct source **ret)
{
    return oci_open(rest, o, false, ret);
}

static int oci_archive_source(const char *rest, const struct transport_options *o, struct source **ret)
{
    return oci_open(rest, o, true, ret);
}

/* ---- a directory ---- */

struct oci_dest {
    struct dest base;
    int dir;           /* of the directory */
    struct output out; /* of the archive */
    char **written;    /* digests in the archive */
    struct manifest index;
    /* Of the directory: what commit adds to its index. */
    struct named {
        struct manifest_blob blob;
        char *name;
    } * images;
    size_t n_images;
};

static int dir_has_blob(struct dest *d, const struct descriptor *blob, char *const *repositories)
{
    const struct oci_dest *x = (struct oci_dest *)d;
    auto_free char *path = layout_blob_path(blob->digest);
    struct stat st;
    return fstatat(x->dir, path, &st, 0) == 0 && S_ISREG(st.st_mode) && (blob->size < 0 || st.st_size == blob->size);
}

static int dir_put_blob(struct dest *d, struct blob *in, const struct descriptor *known, char ret_digest[DIGEST_TEXT],
                        int64_t *ret_size)
{
    const struct oci_dest *x = (struct oci_dest *)d;
    struct output out;
    int r = output_open(x->dir, LAYOUT_BLOBS "/blob", &out);
    if (r < 0)
        return r;
    r = blob_move(in, out.fd, known, ret_digest, ret_size);
    if (r == 0) {
        free(out.path);
        out.path = layout_blob_path(ret_digest);
        r = output_commit(&out);
    }
    output_done(&out);
    return r;
}

static int remember(struct oci_dest *x, const struct manifest_blob *m, const char *name)
{
    x->images = xrealloc(x->images, (x->n_images + 1) * sizeof(*x->images));
    struct named *n = &x->images[x->n_images++];
    *n = (struct named){.name = xstrdup(name)};
    return manifest_blob_set(&n->blob, m->bytes, m->len, m->media_type, NULL);
}

static int dir_put_manifest(struct dest *d, const struct manifest_blob *m, const char *name)
{
    struct oci_dest *x = (struct oci_dest *)d;
    auto_free char *path = layout_blob_path(m->digest);
    int r = file_publish(x->dir, path, m->bytes, m->len, 0644, false);
    if (r < 0)
        return err_set(r, "cannot write %s: %s", path, strerror(-r));
    return name ? remember(x, m, name) : 0;
}

static int index_load(const struct oci_dest *x, struct manifest *ret)
{
    auto_free char *bytes = NULL;
    size_t len;
    int r = file_read(x->dir, LAYOUT_INDEX, MANIFEST_MAX, &bytes, &len);
    if (r == -ENOENT) {
        manifest_new(MEDIA_OCI_INDEX, ret);
        return 0;
    }
    return r < 0 ? r : manifest_parse(bytes, len, MEDIA_OCI_INDEX, ret);
}

static const char *name_in_index(const char *name)
{
    return str_empty(name) ? NULL : name;
}

static int dir_commit(struct dest *d)
{
    struct oci_dest *x = (struct oci_dest *)d;
    auto_with(manifest_done) struct manifest index = {0};
    while (flock(x->dir, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys("cannot lock the OCI layout");
    int r = index_load(x, &index);
    if (r < 0)
        return err_wrap(r, "the index of the OCI layout");
    for (size_t i = 0; i < x->n_images; i++)
        layout_index_put(&index, &x->images[i].blob, name_in_index(x->images[i].name));
    size_t len;
    auto_free char *bytes = manifest_bytes(&index, &len);
    r = file_publish(x->dir, LAYOUT_INDEX, bytes, len, 0644, false);
    return r < 0 ? err_set(r, "cannot write the index of the OCI layout: %s", strerror(-r)) : 0;
}

static void oci_free(struct dest *d)
{
    struct oci_dest *x = (struct oci_dest *)d;
    for (size_t i = 0; i < x->n_images; i++) {
        manifest_blob_done(&x->images[i].blob);
        free(x->images[i].name);
    }
    free(x->images);
    fd_close(x->dir);
    output_done(&x->out);
    manifest_done(&x->index);
    strv_free(x->written);
    free(x);
}

static const struct dest_ops dir_ops = {
    .has_blob = dir_has_blob,
    .put_blob = dir_put_blob,
    .put_manifest = dir_put_manifest,
    .commit = dir_commit,
    .free = oci_free,
};

static int layout_make(int dir)
{
    int r = dir_make(dir, "blobs", 0755);
    if (r == 0)
        r = dir_make(dir, LAYOUT_BLOBS, 0755);
    if (r == 0 && faccessat(dir, LAYOUT_FILE, F_OK, 0) < 0)
        r = file_publish(dir, LAYOUT_FILE, LAYOUT_TEXT, strlen(LAYOUT_TEXT), 0644, false);
    return r < 0 ? err_set(r, "cannot make the OCI layout: %s", strerror(-r)) : 0;
}

static int oci_dest(const char *rest, const struct transport_options *o, struct dest **ret)
{
    auto_free char *path = NULL, *reference = NULL;
    layout_split(rest, &path, &reference);
    auto_close int dir = output_dir(kind_path(path, o));
    int r = dir < 0 ? dir : layout_make(dir);
    if (r < 0)
        return r;
    struct oci_dest *x = xcalloc(1, sizeof(*x));
    x->base = (struct dest){.ops = &dir_ops, .reference = xstrdup(reference)};
    x->dir = take_fd(&dir);
    x->out.fd = -1;
    *ret = &x->base;
    return 0;
}

/* ---- an archive ---- */

static int archive_has_blob(struct dest *d, const struct descriptor *blob, char *const *repositories)
{
    return strv_has(((struct oci_dest *)d)->written, blob->digest);
}

static int archive_put_blob(struct dest *d, struct blob *in, const struct descriptor *known,
                            char ret_digest[DIGEST_TEXT], int64_t *ret_size)
{
    struct oci_dest *x = (struct oci_dest *)d;
    auto_free char *path = layout_blob_path(known->digest);
    int r = archive_blob(&x->out, path, in, known);
    if (r < 0)
        return r;
    strv_add(&x->written, known->digest);
    snprintf(ret_digest, DIGEST_TEXT, "%s", known->digest);
    *ret_size = known->size;
    return 0;
}

static int archive_put_manifest(struct dest *d, const struct manifest_blob *m, const char *name)
{
    struct oci_dest *x = (struct oci_dest *)d;
    auto_free char *path = layout_blob_path(m->digest);
    bool there = strv_has(x->written, m->digest);
    int r = there ? 0 : archive_bytes(&x->out, path, m->bytes, m->len);
    if (r < 0)
        return r;
    if (!there)
        strv_add(&x->written, m->digest);
    if (name)
        layout_index_put(&x->index, m, name_in_index(name));
    return 0;
}

static int archive_commit(struct dest *d)
{
    struct oci_dest *x = (struct oci_dest *)d;
    size_t len;
    auto_free char *bytes = manifest_bytes(&x->index, &len);
    int r = archive_bytes(&x->out, LAYOUT_INDEX, bytes, len);
    if (r == 0)
        r = archive_bytes(&x->out, LAYOUT_FILE, LAYOUT_TEXT, strlen(LAYOUT_TEXT));
    if (r == 0)
        r = archive_end(&x->out);
    return r < 0 ? r : output_commit(&x->out);
}

static const struct dest_ops archive_ops = {
    .has_blob = archive_has_blob,
    .put_blob = archive_put_blob,
    .put_manifest = archive_put_manifest,
    .commit = archive_commit,
    .free = oci_free,
};

static int oci_archive_dest(const char *rest, const struct transport_options *o, struct dest **ret)
{
    auto_free char *reference = NULL;
    struct output out;
    int r = archive_open(rest, o, &reference, &out);
    if (r < 0)
        return r;
    /* containers/image, run by a user, unpacks archives of root's only where the directories have entries. */
    r = archive_dir(&out, "blobs");
    if (r == 0)
        r = archive_dir(&out, LAYOUT_BLOBS);
    if (r < 0) {
        output_done(&out);
        return r;
    }
    struct oci_dest *x = xcalloc(1, sizeof(*x));
    x->base = (struct dest){.ops = &archive_ops, .reference = xstrdup(reference), .sequential = true};
    x->dir = -1;
    x->out = out;
    manifest_new(MEDIA_OCI_INDEX, &x->index);
    *ret = &x->base;
    return 0;
}

const struct transport_kind transport_oci = {"oci", "oci:DIR[:NAME]", oci_source, oci_dest};
const struct transport_kind transport_oci_archive = {"oci-archive", "oci-archive:FILE[:NAME]", oci_archive_source,
                                                     oci_archive_dest};
