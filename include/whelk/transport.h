/* Where images come from and go to: one struct of functions for a source, one for a destination; the kind is told by
 * the prefix of the name.
 *
 *     docker://NAME[:TAG][@DIGEST]     a registry
 *     oci:DIR[:NAME]                   an OCI layout
 *     oci-archive:FILE[:NAME]          the same in a tar archive
 *     docker-archive:FILE[:NAME]       what docker save writes
 *     dir:DIR                          a manifest and its blobs as files
 *
 * The store is a source too (transport_store_source); as a destination it wants layers unpacked: receive.h.
 *
 * Blobs come as descriptors: a pipe, or a window of a file. So several of one source can be on their way side by side,
 * each read by a process of its own. A source that has to work for its bytes (a registry) has a worker for each, which
 * fills the pipe; it may keep what has come (the spool) and go on from there another time: the reader always gets the
 * blob from byte 0, and says by blob_close whether what it got was right. Readers verify blobs; sources need not.
 * Manifests are verified here. */
#ifndef WHELK_TRANSPORT_H
#define WHELK_TRANSPORT_H

#include "whelk/manifest.h"
#include "whelk/proc.h"
#include "whelk/store.h"

enum { DIGEST_TEXT = 72 }; /* room for "sha256:<hex>" */

struct transport_options {
    const void *registry; /* the registry's own options, or NULL: image/transport-docker.c knows them */
    const char *tmp;      /* a directory for what has to be kept meanwhile; NULL: $TMPDIR or /var/tmp */
    const char *path;     /* where FILE or DIR is "-": this path, which may have colons in it; NULL: std_fd */
    int std_fd;
    bool docker_format; /* as a destination dir: or docker-archive: of docker's types */
};

/* A manifest or an index, exactly as it is stored. */
struct manifest_blob {
    char *bytes;
    size_t len;
    char *media_type; /* or NULL: the document says */
    char digest[DIGEST_TEXT];
};
void manifest_blob_done(struct manifest_blob *m);
/* Copies bytes and names them by their digest. expect: what it must be, or NULL; -EBADMSG with text if it is not. */
int manifest_blob_set(struct manifest_blob *m, const char *bytes, size_t len, const char *media_type,
                      const char *expect);
int manifest_blob_parse(const struct manifest_blob *m, struct manifest *ret);

/* A blob on its way. */
struct blob {
    int fd;      /* the reader's to read; blob_close closes it */
    bool window; /* fd is a file of which only a part counts: len bytes from offset on, by pread */
    uint64_t offset, len;
    bool checked;         /* who fills the pipe verifies, and fails rather than sends other bytes to the end */
    struct worker worker; /* who fills the pipe; pid 0: nobody */
    void *state;          /* the source's */
};

/* ---- sources ---- */

struct source;
struct source_ops {
    /* The bytes of a manifest or index: of the name that the source was opened with (digest NULL), or of a digest that
     * an index or each() named. The caller holds it against the digest. */
    int (*manifest)(struct source *s, const char *digest, struct manifest_blob *ret);
    int (*blob_open)(struct source *s, const struct descriptor *d, struct blob *ret);
    /* verified: the reader has it whole and right, so a spool can go. Returns why the bytes did not come, where the
     * source knows (with text); 0 otherwise. In the process that called blob_open. NULL: nothing but closing. */
    int (*blob_close)(struct source *s, struct blob *b, bool verified);
    /* All images of the source: each through fn with its names (may be none) and the digest for manifest(). NULL: it
     * has only the one. */
    int (*each)(struct source *s, int (*fn)(const char *digest, char *const *names, void *arg), void *arg);
    /* For sources that make their layers (the store): layer i of the manifest as it can be sent, plain. NULL: layers
     * are sent as the manifest has them. */
    int (*plain_layer)(struct source *s, size_t i, struct descriptor *ret);
    /* Blobs that are known to be other forms of plain layer i: each through fn, with the repositories that have it; fn
     * returns 1 to stop there, as this then does. NULL: knows none. */
    int (*hints)(struct source *s, size_t i,
                 int (*fn)(const struct descriptor *d, char *const *repositories, void *arg), void *arg);
    /* Layer i is now at repository as d: a hint for another time. NULL: does not remember. */
    void (*learn)(struct source *s, size_t i, const struct descriptor *d, const char *repository);
    void (*free)(struct source *s);
};
struct source {
    const struct source_ops *ops;
    char *name;       /* as typed, for texts */
    char *repository; /* of a registry: "host[:port]/path"; else NULL */
};

/* A file or directory (o->path, or o->std_fd) of whatever kind: its content tells. */
int source_open_any(const struct transport_options *o, struct source **ret);
/* -EINVAL with text for a prefix that is not known (it lists them). */
int source_open(const char *name, const struct transport_options *o, struct source **ret);
void source_free(struct source *s);
DEFINE_AUTO(struct source *, source_free)
/* Verified, and at most MANIFEST_MAX bytes. */
int source_manifest(struct source *s, const char *digest, struct manifest_blob *ret);
int source_blob_open(struct source *s, const struct descriptor *d, struct blob *ret);
int source_blob_close(struct source *s, struct blob *b, bool verified);
/* A small blob whole (a config), verified. Caller frees; NUL-terminated. */
int source_blob_read(struct source *s, const struct descriptor *d, size_t max, char **ret, size_t *ret_len);
int source_each(struct source *s, int (*fn)(const char *digest, char *const *names, void *arg), void *arg);
/* The image for a platform: follows indexes (at most a few deep). index: the outermost one, if there was any; may be
 * NULL. */
int source_image(struct source *s, const char *digest, const struct platform *platform, struct manifest_blob *ret,
                 struct manifest_blob *ret_index);

/* ---- destinations ---- */

struct dest;
struct dest_ops {
    /* 1: the blob is there, or could be taken over from one of the repositories (may be NULL) that have it; 0: no. */
    int (*has_blob)(struct dest *d, const struct descriptor *blob, char *const *repositories);
    /* Says which blobs has_blob is going to be asked about, so that they can be looked for side by side. NULL: no use.
     */
    int (*ask)(struct dest *d, char *const *digests);
    /* 1: just this manifest is there, and so are its blobs; 0: no, or nobody knows. NULL: nobody knows. */
    int (*has_manifest)(struct dest *d, const struct manifest_blob *m);
    /* Takes all of in. known: digest and size that it must have, or NULL. What it has is in ret_digest and *ret_size.
     * Other bytes than the known ones are -EBADMSG, and nothing of them is kept. Where the destination is not
     * sequential, several are put side by side, each in a forked worker of its own (so what a worker learns is lost).
     * -ERESTART with text: it broke, and wants the same blob from its start, by the same process. */
    int (*put_blob)(struct dest *d, struct blob *in, const struct descriptor *known, char ret_digest[DIGEST_TEXT],
                    int64_t *ret_size);
    /* name: what it is called there; NULL: by its digest only (an entry of an index). Its blobs are there. */
    int (*put_manifest)(struct dest *d, const struct manifest_blob *m, const char *name);
    /* Makes all of it visible. Without it nothing is left behind (but blobs in a registry). NULL: nothing to do. */
    int (*commit)(struct dest *d);
    void (*free)(struct dest *d);
};
struct dest {
    const struct dest_ops *ops;
    char *name;       /* as typed */
    char *reference;  /* what an image is called there: of the name as typed; or NULL */
    char *repository; /* of a registry: "host[:port]/path"; else NULL */
    bool sequential;  /* one blob at a time, by this process, and known: an archive */
    bool docker_only; /* docker-archive: plain layers, one platform */
    enum codec usual; /* how layers are compressed that come plain */
};

int dest_open(const char *name, const struct transport_options *o, struct dest **ret);
void dest_free(struct dest *d);
DEFINE_AUTO(struct dest *, dest_free)

/* ---- kinds ---- */

struct transport_kind {
    const char *prefix; /* "oci" */
    const char *form;   /* "oci:DIR[:NAME]", for texts */
    int (*source)(const char *rest, const struct transport_options *o, struct source **ret);
    int (*dest)(const char *rest, const struct transport_options *o, struct dest **ret);
};
/* Does name begin like one of a transport? What follows the prefix, or NULL. */
const char *transport_rest(const char *name);

/* An image of the store by its id. Its kept manifest (digest "sha256:..."; NULL: any, or a new one), or with
 * docker_format a new one of docker's types. Layers are sent from their recipes. */
int transport_store_source(const struct store *s, const char *id, const char *manifest, bool docker_format,
                           struct source **ret);

#endif
