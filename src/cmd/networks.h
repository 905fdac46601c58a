/* What the network commands share. */
#ifndef CMD_NETWORKS_H
#define CMD_NETWORKS_H

#include "cmd.h"

#include "whelk/filter.h"
#include "whelk/json.h"
#include "whelk/network.h"

/* Networks as listed, with how many containers have each. */
struct network_row {
    struct network n;
    size_t links;
};
struct network_rows {
    struct network_row *items;
    size_t n;
};
/* All that pass the filters, by name. */
int network_rows_load(const struct store *s, char *const *filters, struct network_rows *ret);
void network_rows_done(struct network_rows *rows);
extern const struct filter_key network_filters[], network_prune_filters[];

/* inspect's object: docker's, and podman's fields that it has not. The caller owns it. */
json_t *network_json(const struct store *s, const struct network *n);
/* Name or start of an id to the record; the default network is made if need be. */
int network_load_typed(const struct store *s, const char *typed, struct network *ret);
/* The arguments NETWORK CONTAINER: the store, the network's record (network_done) and the container's id (caller
 * frees). */
int network_container_args(char *const *args, struct store **ret_store, struct network *ret, char **ret_id);

#endif
