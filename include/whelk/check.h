/* Looking for damage in a store, and mending what can be mended without loss (SECURITY, store invariants). */
#ifndef WHELK_CHECK_H
#define WHELK_CHECK_H

#include "whelk/store.h"

struct check_options {
    bool quick;  /* without hashing the layers again */
    bool repair; /* remove what is damaged and can be had again, and wrong links and modes */
    bool force;  /* with repair: also containers and secrets that are damaged */
    void (*tell)(void *ctx, const char *line); /* once for each damage */
    void *ctx;
};
/* *ret_found: damages; *ret_left: those that are still there. Negative if the check itself could not be done. */
int store_check(struct store *s, const struct check_options *o, size_t *ret_found, size_t *ret_left);

#endif
