/* Named networks: networks/<name>.json, and networks/<name>.leases for the addresses in use. The record never changes
 * after the network was made.
 *
 * A lease says which container has which addresses. It counts only while the container's `alive` lock is held, so a
 * supervisor that was killed leaves nothing that somebody would have to free. networks/.lock is held exclusively by
 * whoever makes or removes a network, and while leases are read, changed and the kernel's part of them is set up. */
#ifndef WHELK_NETWORK_H
#define WHELK_NETWORK_H

#include "whelk/ctr.h"
#include "whelk/ip.h"

/* What it is called that every store has, made when it is first asked for. */
#define NETWORK_DEFAULT "bridge"
/* Below networks/: links to the `alive` of containers that have leases (net_lease_mark). */
#define NETWORK_ALIVE ".alive"

struct network_subnet {
    char *subnet;  /* "10.89.0.0/20" */
    char *gateway; /* NULL: it has none */
    char *range;   /* addresses are given out of this part of it; NULL: all */
};
struct network_route {
    char *destination, *gateway;
    int64_t metric; /* 0: the kernel's own */
};
struct network {
    struct rec_head head;
    char *id; /* 64 digits */
    char *name;
    char *interface; /* of the bridge */
    char **labels;   /* KEY=VALUE */
    char **options;  /* KEY=VALUE as given: mtu, isolate */
    char **dns;      /* name servers that unknown names are asked of; NULL: the host's */
    struct rec_list subnets, routes;
    bool internal, ipv6, no_dns;
    int64_t created; /* ns */
};
extern const struct rec_type network_rec, network_subnet_rec, network_route_rec;
void network_done(struct network *n);

int network_lock(const struct store *s, int *ret_fd);
/* Lets go, also of copies that were forked meanwhile; -1: nothing. */
void network_unlock(int fd);

int network_load(const struct store *s, const char *name, struct network *ret); /* -ENOENT without text */
int network_list(const struct store *s, char ***ret_names);
/* Name ("podman" is the default one) or the unique start of an id; -ENOENT with text "no such network: X". Caller
 * frees. */
int network_find(const struct store *s, const char *typed, char **ret_name);
/* Publishes a record; the caller has the lock. -EEXIST without text. */
int network_create(const struct store *s, const struct network *n);
/* ---- net/subnet.c ---- */

/* Checks what is given in n and fills in the rest: subnets that overlap with no other network of the store, and if they
 * are chosen here with no route of this machine; gateways, interface, id. The caller has the lock. -EINVAL, -EEXIST
 * with text that has both ranges. */
int network_plan(const struct store *s, struct network *n);
/* Plans and publishes; -EEXIST without text: there is one of that name. */
int network_make(const struct store *s, struct network *n);
/* The one that every store has, if it is not there yet. */
int network_make_default(const struct store *s);

/* ---- store/network.c ---- */

/* Removes it, and what is left of its leases: -ENOENT without text; -EBUSY with text that names the containers that
 * have it. Takes the lock. */
int network_remove(const struct store *s, const char *name);
/* Names of the containers whose records have the network. */
int network_users(const struct store *s, const char *name, char ***ret_names);
/* An element for each container and network. */
int networks_used(const struct store *s, char ***ret_names);

/* The value of an option, NULL: not given. */
const char *network_option(const struct network *n, const char *key);

struct net_lease {
    char *id, *name; /* of the container */
    char **aliases;  /* on this network */
    char *ip, *ip6, *mac;
    char *port; /* the bridge's port: the outer end of its veth pair */
    char *dns;  /* what its resolver listens on */
};
struct net_leases {
    struct rec_head head;
    struct rec_list list;
};
extern const struct rec_type net_lease_rec, net_leases_rec;
void net_leases_done(struct net_leases *l);
/* None yet: empty. */
int net_leases_load(const struct store *s, const char *network, struct net_leases *ret);
/* The caller has the lock. */
int net_leases_save(const struct store *s, const char *network, const struct net_leases *l);
/* Is the container's `alive` lock held? own: the id of the caller's container, whose file is not to be opened (closing
 * it would drop the lock), or NULL. */
bool net_lease_counts(const struct store *s, const struct net_lease *l, const char *own);
/* For resolvers, which see no containers: a link to the `alive` of one that has a lease, and away with it. */
int net_lease_mark(const struct store *s, const char *id);
void net_lease_unmark(const struct store *s, const char *id);
/* In all leases of a container: its other name. Takes the lock. */
void net_leases_rename(const struct store *s, const char *id, const char *name);

#endif
