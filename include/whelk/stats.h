/* What a running container uses, for stats: from its control group, and where that has no such controller from /proc of
 * its processes. */
#ifndef WHELK_STATS_H
#define WHELK_STATS_H

#include "whelk/ctr.h"

struct ctr_usage {
    uint64_t cpu_ns;
    uint64_t memory, memory_limit; /* the limit of its group, or what the machine has */
    bool memory_summed;            /* shares of its processes (PSS): no group counts it */
    uint64_t io_read, io_write;    /* bytes */
    bool has_network;              /* a network of its own */
    uint64_t net_received, net_sent;
    uint64_t pids;
    int64_t at; /* monotonic ns: when it was looked at */
};
/* -ESRCH with text that it is not running. */
int ctr_usage(const struct store *s, const struct ctr *c, struct ctr_usage *ret);

#endif
