/* What the commands that list images share: rows, and the filters of CV-51. */
#ifndef CMD_IMAGES_H
#define CMD_IMAGES_H

#include "cmd.h"

#include "whelk/filter.h"
#include "whelk/image.h"

/* Images, their names, and the ids of the images that containers have (one for each container). */
struct image_set {
    const struct store *store;
    struct image *items; /* newest first */
    size_t n;
    struct rec_list names;
    char **used;
};
int image_set_load(const struct store *s, struct image_set *ret); /* without used */
int image_set_load_users(struct image_set *set);
void image_set_done(struct image_set *set);
size_t image_set_users(const struct image_set *set, const char *id);

/* An image under one of its names; NULL: it has none. */
struct image_row {
    const struct image_set *set;
    const struct image *image;
    const char *reference;
    const char *digest; /* of the index or manifest that the name came with, or NULL */
};
/* The rows that pass the filters; ctx of fn is ctx. Stops at a negative result. */
int image_rows_each(const struct image_set *set, const struct filter_key *keys, char *const *filters,
                    int (*fn)(const struct image_row *row, void *ctx), void *ctx);

extern const struct filter_key image_filters[], image_prune_filters[];

#endif
