/* What the commands that list containers share: rows, and the filters of CV-50. */
#ifndef CMD_CONTAINERS_H
#define CMD_CONTAINERS_H

#include "cmd.h"

#include "whelk/ctr.h"
#include "whelk/filter.h"

struct ctr_row {
    struct ctr c;
    struct ctr_state state;
    bool paused;
    char *ports;  /* of a running one, as ps shows them; else NULL */
    char *health; /* "starting", "healthy", "unhealthy"; NULL: it is not checked */
};
struct ctr_rows {
    struct ctr_row *items;
    size_t n;
};
/* Those that pass the filters, newest first; with all also those that do not run. Containers run with --rm that have
 * ended are not among them: they only wait to be swept (RUNTIME, life and death 5). */
int ctr_rows_load(const struct store *s, bool all, char *const *filters, struct ctr_rows *ret);
void ctr_rows_done(struct ctr_rows *rows);

extern const struct filter_key ctr_filters[], ctr_prune_filters[];
/* For the prune filters: is this container (a record) among them? */
int ctr_prune_match(char *const *filters, const struct ctr *c);
/* What it wrote (where the caller may look), and that together with its image's layers. */
void ctr_sizes(const struct store *s, const struct ctr *c, uint64_t *ret_wrote, uint64_t *ret_all);
/* "created", "running", "paused", "restarting", "exited", "elsewhere". */
const char *ctr_row_state(const struct ctr_row *row);

#endif
