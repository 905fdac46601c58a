/* The kind "none": loopback only. With published ports it has one address more, which they are forwarded to, so that a
 * server there sees who calls. Runs in: loopback_open in the SUPERVISOR, loopback_inside in the CHILD. */
#include "kinds.h"

#include "whelk/link.h"

int loopback_open(struct member *m)
{
    if (!net_ctr(m->net)->ports.n)
        return 0;
    int r = ip_parse("10.0.2.100", &m->ip);
    return r < 0 ? r : ip_parse("10.0.2.2", &m->gateway);
}

int loopback_inside(const struct member *m, int *ret_fd)
{
    return net_address_on_loopback(m);
}
