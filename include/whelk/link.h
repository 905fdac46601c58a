/* Network interfaces of the current network namespace. */
#ifndef WHELK_LINK_H
#define WHELK_LINK_H

#include "whelk/ip.h"
#include "whelk/netlink.h"

/* This process goes into the network namespace; for a user there is no way back to the host's. */
int link_enter(int netns);
/* Brings lo up. */
int link_loopback_up(void);
/* The number of an interface, or -errno with text. */
int link_index(const char *name);
/* A tap device of this name (frames with an Ethernet header, no other): its descriptor. -EACCES, -EPERM or -ENOENT with
 * text if /dev/net/tun cannot be opened. It goes with the descriptor, or after link_tap_keep with the namespace. */
int link_tap(const char *name, int *ret_fd);
int link_tap_keep(int fd);

/* Writes a setting below /proc/sys/net of the current namespace, as "ipv4/ip_forward"; -errno without text. */
int link_setting(const char *name, const char *value);
bool link_exists(const char *name);

/* Requests to be committed by the caller. */
/* A bridge that is up. mac, mtu as in link_queue_up. */
void link_queue_bridge(struct netlink *n, const char *name, unsigned mtu, const unsigned char *mac);
/* A pair of Ethernet devices: outer here and up, in the bridge with this number; inner in the namespace netns. */
struct link_veth {
    const char *outer, *inner;
    int bridge, netns;
    unsigned mtu;             /* 0: the kernel's own */
    const unsigned char *mac; /* of inner */
};
void link_queue_veth(struct netlink *n, const struct link_veth *v);
void link_queue_delete(struct netlink *n, const char *name);
void link_queue_up(struct netlink *n, int index, unsigned mtu,
                   const unsigned char *mac); /* mtu 0, mac NULL: as it is */
/* The address with its prefix; IPv6 without waiting for duplicates, which nobody could have. */
void link_queue_address(struct netlink *n, int index, const struct ip *address);
void link_queue_address_delete(struct netlink *n, int index, const struct ip *address);
/* To the network to, gateway NULL: it is on this link; metric 0: the kernel's own. */
void link_queue_route(struct netlink *n, int index, const struct ip *to, const struct ip *gateway, unsigned metric);
void link_queue_default_route(struct netlink *n, int index, const struct ip *gateway);
/* A table by which everything goes to this machine itself, whatever its address; what has no source yet comes from
 * own. */
void link_queue_local_table(struct netlink *n, unsigned table, const struct ip *own);
/* What carries the mark goes by the table (DESIGN 10). */
void link_queue_marked(struct netlink *n, sa_family_t family, unsigned mark, unsigned table);
/* UDP from this port to this one address goes by it. */
void link_queue_replies(struct netlink *n, unsigned port, const struct ip *to, unsigned table);

#endif
