/* Restart policies. */
#ifndef RUN_RESTART_H
#define RUN_RESTART_H

#include "whelk/ctr.h"

/* What a supervisor remembers of its restarts. */
struct restarts {
    int64_t count;    /* since the container was started by hand */
    int64_t delay_ms; /* before the next one; 0: none yet */
};

/* "no", "always", "unless-stopped", "on-failure", "on-failure:3". -EINVAL with text. */
int restart_parse(const char *text, char **ret_policy, int64_t *ret_max);
/* Is the container to be started again after it ended with code by itself, having run for ran_ms? The delay is updated:
 * 100 ms, doubled up to a minute, and from the beginning after ten seconds of running. */
bool restart_wanted(const struct ctr *c, struct restarts *r, int code, int64_t ran_ms);

#endif
