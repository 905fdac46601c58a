/* Trees as tar archives, both ways, on descriptors only. Whoever changes the tree meanwhile leads neither of the two
 * out of it: no symbolic link is ever followed. */
#ifndef WHELK_TREE_TAR_H
#define WHELK_TREE_TAR_H

#include "whelk/tar.h"
#include "whelk/userns.h"

struct tree_tar_write {
    int out;
    int dir;          /* where name is */
    const char *name; /* a name in dir; ".": dir itself */
    const char *as;   /* its name in the archive; "": no entry for it, what is in it begins there */
    bool root_owned;  /* all belongs to 0:0 */
};
/* Writes the tree name in the order of strcmp of full paths, hard links to their first name, with owners, modes, times
 * and the xattrs that a container may set. It stays on the file system that it begins on. Sockets are left out. -ENOENT
 * with text if name is not there. */
int tree_tar_write(const struct tree_tar_write *w);

struct tree_tar_fill {
    int in; /* a plain tar stream */
    /* Called with the first entry: the directory (becomes the filler's) where all goes below, and what stands in the
     * place of the first component of each name (caller frees; "": nothing does; NULL: names stay as they are). */
    int (*place)(void *ctx, const struct tar_entry *first, int *ret_dir, char **ret_rename);
    void *ctx;
    bool owners;             /* set owners; else all is the process's own */
    bool no_set_ids;         /* without setuid and setgid bits and xattrs: for the host */
    bool overwrite;          /* a directory may take the place of something else, and something else that of one */
    const struct idmap *map; /* with owners: that the process has, for messages and for users of a single id */
    /* With owners and a single id: told of what cannot keep its owner (kept-owner.h), by its path; or NULL. */
    int (*special_owner)(void *ctx, const char *path, uint32_t uid, uint32_t gid);
};
/* Makes what the archive has. Entries replace files of their names; directories stay; neither takes the place of the
 * other without overwrite. Devices are left out. Names with "..", and such that lead through a symbolic link, are
 * refused. */
int tree_tar_fill(const struct tree_tar_fill *f);

#endif
