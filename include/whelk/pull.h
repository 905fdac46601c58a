/* Images from registries into the store, by the names that users type. */
#ifndef WHELK_PULL_H
#define WHELK_PULL_H

#include "whelk/registry.h"
#include "whelk/store.h"

enum pull_policy { PULL_MISSING, PULL_ALWAYS, PULL_NEVER, PULL_NEWER };
/* By its word; "true" is always, "false" missing. NULL is missing. -EINVAL with text. */
int pull_policy_parse(const char *word, enum pull_policy *ret);

struct pull_options {
    struct registry_options registry;
    const char *platform; /* OS[/ARCHITECTURE[/VARIANT]]; NULL: DOCKER_DEFAULT_PLATFORM, else this machine's */
    bool quiet;           /* nothing on stderr */
    bool all_tags;        /* every tag of the repository */
};

/* Pulls what name means: a short name from the first registry that has it (registries.conf); docker://NAME, or another
 * transport's. Adds the ids (hex) of what is in the store now. Loads libcurl: see image_need for a process that goes
 * on. */
int image_pull(struct store *s, const char *name, const struct pull_options *o, char ***ret_ids);
/* Sees that name is in the store as policy says, pulling in a forked child if need be. Afterwards image_find tells
 * which it is, or that there is none. */
int image_need(struct store *s, const char *name, enum pull_policy policy, const struct pull_options *o);

/* What pulls left of blobs whose end has not come, for the next pull of the same. */
struct partial_blobs {
    size_t n, active; /* active: a pull is at it */
    uint64_t bytes, active_bytes;
};
void partial_blobs_count(const struct store *s, struct partial_blobs *ret);
/* Removes those that no pull is at; tells of each. */
void partial_blobs_prune(const struct store *s, void (*told)(void *ctx, const char *hex, uint64_t bytes), void *ctx);

#endif
