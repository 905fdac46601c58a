/* Private to net/: addresses of a member on its network, and what the kernel has for them. */
#ifndef NET_LEASE_H
#define NET_LEASE_H

#include "kinds.h"

#include "whelk/network.h"

/* networks/.lock is held by the caller of all of these. */

/* Takes the leases of dead containers, and one of id itself (NULL: none), out of l and puts them into gone. */
void leases_sort_out(const struct store *s, const char *id, struct net_leases *l, struct net_leases *gone);
/* Chooses addresses, MAC and port for m, which nobody in l has, and adds them to l; before: what this container had the
 * last time, or NULL. Fills in m. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL with text. */
int lease_choose(struct member *m, struct net_leases *l, const struct net_lease *before);
/* The subnet of this family; false if there is none. */
bool network_net(const struct network *n, sa_family_t family, struct ip *ret_net, struct ip *ret_gateway);

/* rules.c: makes the packet filter of all networks of the store, in the namespace that has the bridges. */
int rules_apply(const struct store *s);
/* The same, where only leases went (NULL: none) and one came (NULL: none). */
int rules_change(const struct store *s, const struct net_leases *gone, const struct net_lease *come);
/* Without a network in use it goes. */
int rules_remove(const struct store *s);

#endif
