/* From a source to a destination, without the store in between: push, save, image copy. What need not change stays byte
 * for byte; what is there already is not sent. */
#ifndef WHELK_COPY_H
#define WHELK_COPY_H

#include "whelk/transport.h"

enum copy_format { FORMAT_KEEP, FORMAT_OCI, FORMAT_DOCKER };

struct copy_options {
    const struct platform *platform; /* of an index; NULL: this machine's */
    bool all;                        /* an index with all that it lists */
    enum copy_format format;
    bool recompress;                /* all layers by codec; else only where the destination or the format wants it */
    enum codec codec;               /* for layers that are to be compressed */
    int level;                      /* 0: the usual one */
    unsigned jobs;                  /* blobs at a time; 0: the usual number */
    const char *name;               /* at the destination; NULL: as it was opened; "": none */
    struct manifest_blob *manifest; /* where to leave what was put under the name; NULL: nowhere */
    void (*blob)(void *arg, const struct descriptor *d, bool there); /* is sent now, or is there already; may be NULL */
    void *arg;
};

/* digest as for image_receive. ret_digest: of what was put under the name. The caller commits the destination. */
int image_copy(struct source *src, const char *digest, struct dest *dst, const struct copy_options *o,
               char ret_digest[DIGEST_TEXT]);
/* The same under its digest alone, as an entry of an index that is put later. *ret: the manifest as it was put. */
int image_copy_entry(struct source *src, const char *digest, struct dest *dst, const struct copy_options *o,
                     struct manifest_blob *ret);

#endif
