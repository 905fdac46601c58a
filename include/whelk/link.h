/* Network interfaces of the current network namespace. */
#ifndef WHELK_LINK_H
#define WHELK_LINK_H

#include "whelk/ip.h"
#include "whelk/netlink.h"

/* Brings lo up. */
int link_loopback_up(void);
/* The number of an interface, or -errno with text. */
int link_index(const char *name);
/* A tap device of this name (frames with an Ethernet header, no other): its descriptor. -EACCES, -EPERM or -ENOENT with
 * text if /dev/net/tun cannot be opened. It goes with the descriptor, or after link_tap_keep with the namespace. */
int link_tap(const char *name, int *ret_fd);
int link_tap_keep(int fd);

/* Requests to be committed by the caller. */
void link_queue_up(struct netlink *n, int index, unsigned mtu,
                   const unsigned char *mac); /* mtu 0, mac NULL: as it is */
/* The address with its prefix; IPv6 without waiting for duplicates, which nobody could have. */
void link_queue_address(struct netlink *n, int index, const struct ip *address);
void link_queue_default_route(struct netlink *n, int index, const struct ip *gateway);
/* A table by which everything goes to this machine itself, whatever its address; what has no source yet comes from
 * own. */
void link_queue_local_table(struct netlink *n, unsigned table, const struct ip *own);
/* What carries the mark goes by the table (DESIGN 10). */
void link_queue_marked(struct netlink *n, sa_family_t family, unsigned mark, unsigned table);
/* UDP from this port to this one address goes by it. */
void link_queue_replies(struct netlink *n, unsigned port, const struct ip *to, unsigned table);

#endif
