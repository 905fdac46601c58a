/* A blob of a source, in another compression than it has. Private to src/image. */
#ifndef WHELK_IMAGE_PIPELINE_H
#define WHELK_IMAGE_PIPELINE_H

#include "whelk/transport.h"

struct pipeline {
    struct source *source;
    struct blob in; /* of the source */
    struct worker workers[3];
    unsigned n;
};

/* Blob d, which is compressed by from, as a blob that is compressed by to. Equal ones: as it is. What the source gives
 * is held against d where it is changed on the way; an unchanged one is the reader's to verify. */
int pipeline_open(struct source *s, const struct descriptor *d, enum codec from, enum codec to, int level,
                  struct pipeline *ret, struct blob *ret_blob);
/* Closes blob. r: what the reader has to say (keeps its text); returns the reason of the first failure. */
int pipeline_close(struct pipeline *p, struct blob *blob, int r);

#endif
