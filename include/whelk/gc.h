/* The collector: marks from records and pins of running operations, everything else goes to trash (STORE, garbage). */
#ifndef WHELK_GC_H
#define WHELK_GC_H

#include "whelk/store.h"

struct gc_result {
    char **layers;  /* keys of the layers that were removed */
    uint64_t bytes; /* of their files, as the layers say */
};
void gc_result_done(struct gc_result *r);

/* Roots: images (named or not), containers, cache records, pins of running operations. Layers that no root names are
 * removed. ret may be NULL. A damaged image or container record stops it with an error that names the record: nothing
 * is removed on a guess. The caller has no store_hold. */
int gc_run(struct store *s, struct gc_result *ret);

#endif
