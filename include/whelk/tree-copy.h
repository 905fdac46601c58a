/* Copies of layers' and containers' trees (store/tree-copy.c). */
#ifndef WHELK_TREE_COPY_H
#define WHELK_TREE_COPY_H

#include "whelk/userns.h"

/* Owners through a map: its inside becomes its outside, or back. */
struct id_change {
    const struct idmap *map;
    bool back;
};
/* Copies what is in the directory from, and its metadata, to the empty directory to; large files share their blocks
 * where the file system can. ids NULL: owners as they are. -ERANGE with text: an owner that the map does not have. */
int tree_copy(int from, int to, const struct id_change *ids);

#endif
