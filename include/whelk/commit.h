/* An image out of a container: its two halves (see rootfs.h for its files). */
#ifndef WHELK_COMMIT_H
#define WHELK_COMMIT_H

#include "whelk/ctr.h"
#include "whelk/image-config.h"
#include "whelk/stage.h"

/* A layer of what the container has changed, or with squash of all its files; the container keeps them. With pause, a
 * running one is frozen meanwhile, where that can be done. *ret_key: caller frees; NULL: nothing has changed. */
struct commit_layer_options {
    bool pause, squash;
};
int commit_layer(struct stage *st, const struct ctr *c, const struct commit_layer_options *o, char **ret_key);
/* The config of the container's image (or, where that is gone, a new one with its layers) with the command,
 * environment, user, working directory, labels, ports and stop signal of the container. The caller frees. */
int commit_config(const struct store *s, const struct ctr *c, struct image_config *ret);

#endif
