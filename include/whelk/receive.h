/* From a source into the store: pull, load, and what else brings images. Several layers side by side, each unpacked by
 * confined workers while it comes; nothing is published before both its digests are right (STORE, unpacking). */
#ifndef WHELK_RECEIVE_H
#define WHELK_RECEIVE_H

#include "whelk/image.h"
#include "whelk/transport.h"

struct receive_options {
    const struct platform *platform; /* NULL: this machine's */
    char *const *names;              /* full references to give the image */
    unsigned jobs;                   /* layers at a time; 0: the usual number */
    /* A layer is about to come, or is there already (diffid). May be NULL. */
    void (*layer)(void *arg, const struct descriptor *d, bool there);
    void *arg;
};

/* digest: which of the source's images (as source_each gives it), or NULL: the one that it was opened for. The image,
 * its manifest, the index that it was chosen from, and the names are in the store when this returns 0. ret_id: 65
 * bytes. */
int image_receive(struct store *s, struct source *src, const char *digest, const struct receive_options *o,
                  char ret_id[65]);

#endif
