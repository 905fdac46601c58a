/* What is known of a layer elsewhere: blobs that are other forms of it, and the registries' repositories that have them
 * (STORE, images 3). Hints: from a pull or push that verified both digests, to be asked for before use, dropped when
 * they prove wrong. */
#ifndef WHELK_HINT_H
#define WHELK_HINT_H

#include "whelk/record.h"
#include "whelk/store.h"

struct blob_hint {
    char *digest; /* "sha256:<hex>" of the blob */
    int64_t size;
    char *media_type;
    char **repositories; /* "host[:port]/path" */
};

/* Of a diffid (hex): a list of struct blob_hint, empty if there are none; free with blob_hints_done. */
int blob_hints_load(const struct store *s, const char *diffid, struct rec_list *ret);
void blob_hints_done(struct rec_list *hints);
/* Adds what is new; repository may be NULL. A hint that cannot be written is no error. */
void blob_hint_add(const struct store *s, const char *diffid, const struct blob_hint *hint, const char *repository);
/* The repository does not have it (any more). */
void blob_hint_drop(const struct store *s, const char *diffid, const char *digest, const char *repository);
/* For the collector: drops the hints of layers that are not there. */
void blob_hints_sweep(const struct store *s);

#endif
