/* Layers: layers/<key>/ with layer.json, diff/ and recipe (STORE, layers; unpacking and the recipe). The key is the
 * diffid, or <diffid>-<16 hex of the parent chain> where the tree depends on what lies below. */
#ifndef WHELK_LAYER_H
#define WHELK_LAYER_H

#include "whelk/kept-owner.h"
#include "whelk/record.h"
#include "whelk/stage.h"

#include <sys/stat.h>

struct layer {
    struct rec_head head;
    char *diffid;    /* hex */
    int64_t size;    /* bytes of the plain tar's file payload: what tables show */
    char *owners;    /* "exact" or "squashed" */
    char **implicit; /* directories without an entry of their own; '%', control and not ASCII bytes as %XX */
    bool has_root;   /* the archive had an entry for the root directory */
    bool empty;      /* diff/ holds nothing: left out of a mount */
};
extern const struct rec_type layer_rec;

/* Reads layers/<key>/layer.json; -ENOENT without text. */
int layer_load(const struct store *s, const char *key, struct layer *ret);
void layer_done(struct layer *l);
bool layer_exists(const struct store *s, const char *key);

/* Bounds of an archive from outside. Zero takes the default. */
struct layer_limits {
    uint64_t max_bytes;   /* plain bytes of the stream; default 64 GiB, never more than what is free */
    uint64_t max_entries; /* 10 million */
};

/* A layer as it comes from elsewhere, and what is known of it. */
struct layer_blob {
    int fd;
    bool window; /* only len bytes of the file from offset on, by pread; else all to the end */
    uint64_t offset, len;
    const char *digest; /* hex, of the bytes as they come, or NULL */
    int64_t size;       /* of them, or -1 */
    const char *diffid; /* hex, or NULL */
};

/* Unpacks it in confined workers, whatever its compression, holds it against digest, size and diffid, and makes it
 * layers/<diffid>. As layer_import. Several side by side: each in a forked worker. */
int layer_import_blob(struct stage *st, const struct layer_blob *blob, const struct layer_limits *limits,
                      char **ret_key);

/* Reads an archive (its compression told by its first bytes) from in, unpacks it in confined workers and makes it
 * layers/<diffid>. expect_diffid (hex) may be NULL. *ret_key: caller frees. Nothing is left behind on failure. The
 * caller stays outside the store's user namespace. */
int layer_import(struct stage *st, int in, const char *expect_diffid, const struct layer_limits *limits,
                 char **ret_key);

/* The key under which layer diffid (imported) is used above a stack (keys, bottom first): the diffid, or <diffid>-<16
 * hex> of a copy whose implicit directories are as the stack has them. When all layers of an image are in, call it for
 * each, bottom-up, with the keys that it gave before. *ret_key: caller frees. The caller stays outside the store's user
 * namespace. */
int layer_settle(struct stage *st, char *const *below, const char *diffid, char **ret_key);
/* The key that a settled copy has or would have. Caller frees. */
char *layer_settled_key(char *const *below, const char *diffid);

/* Makes the tree tmp/<stage>/<name>/diff a layer by rename: walks it once in strcmp order of full paths, hashes the tar
 * that it stands for, writes recipe and layer.json. Runs inside the store's user namespace (userns_become or a worker).
 * lower: the stack that it was made upon, top first, to drop what did not change (whelk's own mount stubs: stubs,
 * relative paths). epoch: clamps times if >= 0 (seconds), or with same_time sets all of them. *ret_key: caller frees.
 * An unchanged tree gives key NULL
 * ("empty layer"). */
struct pack_owner { /* of a symbolic link or pipe, which keeps none on disk (kept-owner.h) */
    char *path;
    struct kept_owner owner;
    size_t order;
};
struct pack_owners {
    struct pack_owner *v;
    size_t n;
};
void pack_owners_add(struct pack_owners *o, const char *path, struct kept_owner owner);
/* Sorts by path, for pack_owners_find; of several for a path the last one stays. */
void pack_owners_sort(struct pack_owners *o);
const struct kept_owner *pack_owners_find(const struct pack_owners *o, const char *path); /* NULL: none */
void pack_owners_done(struct pack_owners *o);
struct pack_options {
    char *const *stubs;
    int64_t epoch;
    bool same_time;
    int lower_fd;               /* merged view of what lies below, or -1: for the root directory's metadata */
    struct pack_owners *owners; /* NULL: none; is sorted. The last one of a path counts */
};
int layer_pack(struct stage *st, const char *name, const struct pack_options *options, char **ret_key);

/* Writes the layer's original tar to out from its recipe, hashes it on the way; -EBADMSG if it is not the diffid
 * (before the last byte leaves). Runs inside the store's user namespace. out -1: only checks. */
int layer_send(const struct store *s, const char *key, int out);

/* The length of that tar, from the recipe alone. Anywhere. */
int layer_tar_size(const struct store *s, const char *key, int64_t *ret);

/* A new tmp/<stage>/<name>/{upper,work} whose root directory has the metadata that the stack (top first) wants (STORE,
 * layers 2). Inside the store's user namespace or, where only 0:0 0755 is wanted, anywhere. */
int layer_root_stat(const struct store *s, char *const *keys, struct stat *ret);

/* The lowerdir list for a stack of keys, bottom first as in image records: relative paths "layers/<key>/diff", top
 * first, empties and repeated keys left out (STORE, layers 3). Never empty: an all-empty stack gives "layers/empty". */
int layer_lowers(const struct store *s, char *const *keys, char ***ret);
/* Chain id over the diffids, bottom first (image-spec config.md, "Layer ChainID"); hex. */
void layer_chain_id(char *const *diffids, char ret[65]);

#endif
