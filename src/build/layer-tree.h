/* The tree of a new layer that whelk fills itself, upon what lies below it (STORE, layers 2): each directory that
 * exists below gets an entry with the metadata that it has there. Paths are real ones (rootpath.h). Runs in: the
 * BUILDER. Private to src/build. */
#ifndef BUILD_LAYER_TREE_H
#define BUILD_LAYER_TREE_H

#include "whelk/fd.h"
#include "whelk/store.h"

#include <sys/stat.h>

struct layer_tree {
    int diff, lower;
    bool single;                 /* the store has one id: owners are kept beside the files */
    struct timespec fresh;       /* the time that new directories get */
    struct layer_tree_dir *dirs; /* that were made here: their times are set at the end */
    size_t n_dirs;
    char *last; /* made just before: files come in rows */
};

/* Makes dir/diff with the root that a new layer upon these layers has. */
int layer_tree_make_root(const struct store *s, int dir, const char *name, char *const *layers);
/* The same, and opens it. created: ns. */
int layer_tree_begin(struct layer_tree *t, const struct store *s, int dir, char *const *layers, int lower,
                     int64_t created);
/* Sees to it that directory path is there, and those above it. New ones are root's, 0755. */
int layer_tree_dir(struct layer_tree *t, const char *path);
/* Gives a file or directory its owner. -errno without text. */
int layer_tree_own(const struct layer_tree *t, int fd, uid_t uid, gid_t gid);
/* Gives a directory that is there the owner, mode and time of st. */
int layer_tree_set(struct layer_tree *t, const char *path, const struct stat *st);
/* Sets the times of directories. */
int layer_tree_end(struct layer_tree *t);
void layer_tree_done(struct layer_tree *t);

/* "cannot make PATH in the layer: ..." */
int layer_tree_failed(const char *path, int r);

#endif
