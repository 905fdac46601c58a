/* What a COPY takes: the sources' files as a list, made once, from which both the cache key and the copy are made.
 * Private to src/build. */
#ifndef BUILD_COPY_SOURCE_H
#define BUILD_COPY_SOURCE_H

#include "cache-key.h"

#include "whelk/cache.h"
#include "whelk/ignore.h"

/* Where it is taken from: the context, the merged layers of a stage or an image, or what was fetched. */
struct copy_tree {
    int fd;
    const char *what;            /* "the build context", "stage \"app\"": for messages */
    const struct ignore *ignore; /* or NULL */
    const char *ignore_name;
    const struct ignore *exclude;             /* or NULL: --exclude, asked for names as they are in the list */
    bool layers;                              /* owners and xattrs count; and nobody changes it meanwhile */
    bool kept_owners;                         /* they are kept beside the files (kept-owner.h) */
    const struct pack_owners *special_owners; /* and here those of links and pipes, sorted; or NULL */
    bool movable;                             /* it goes with the step: files need not be copied */
    bool parents;                             /* --parents: names are whole paths, or what follows a /./ in them */
    bool trust_stat;
    struct file_digests *digests;
};

struct copy_item {
    const struct copy_tree *tree;
    char *path;    /* real path in the tree */
    char *name;    /* below the destination */
    size_t parent; /* index + 1 of the directory that holds it, 0: the destination */
    size_t twin;   /* index + 1 of the first hard link to the same file, 0: this is the first, or the only one */
    struct stat st;
    char *link;       /* symbolic link's text */
    bool named;       /* a file that a source names itself: the destination may be its name or its directory */
    bool unpacked;    /* an archive whose contents follow in the list: itself it is not copied */
    const char *text; /* not in the tree (which is NULL): a file with these contents */
};

struct copy_list {
    struct copy_item *v;
    size_t n, cap;
    size_t n_sources; /* after wildcards */
    bool directories; /* one of them is a directory */
    bool left_out;    /* something below a source is ignored */
};

/* Adds the sources (expanded words) and what is below them, in a fixed order. A source that is missing or ignored is
 * -ENOENT with text that names the rule. The list is to be freed with copy_list_done, also after a failure. */
int copy_list_add(const struct copy_tree *t, char *const *sources, struct copy_list *list);
/* Adds a file, 0644, with this text, which the caller keeps. */
void copy_list_add_text(struct copy_list *list, const char *name, const char *text, int64_t mtime);
/* Adds the list with the digests of all contents to a key: names, kinds, modes, links; no times. */
int copy_list_key(const struct copy_list *list, struct cache_key *k);
/* Tells the files one by one (told.h): for --explain. */
int copy_list_tell(const struct copy_list *list, struct buf *told);
void copy_list_done(struct copy_list *list);

/* Copies the xattrs that a layer keeps and that are not overlayfs' own, but no kept owner. 0 or -errno (no text). */
int copy_xattrs(int from, int to);

#endif
