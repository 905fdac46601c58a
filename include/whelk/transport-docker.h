/* docker://NAME[:TAG][@DIGEST]: what this transport wants to know beyond its name. */
#ifndef WHELK_TRANSPORT_DOCKER_H
#define WHELK_TRANSPORT_DOCKER_H

#include "whelk/progress.h"
#include "whelk/registry.h"
#include "whelk/store.h"

/* transport_options.registry points to one. */
struct docker_options {
    struct registry_options registry;
    const struct store *store; /* its cache keeps what has come of a blob; NULL: nothing is kept */
    struct progress *progress; /* or NULL */
};

#endif
