/* Private to net/: kinds of networks, and a container's membership in one. */
#ifndef NET_KINDS_H
#define NET_KINDS_H

#include "helper.h"

#include "whelk/net.h"
#include "whelk/network.h"

struct member;

enum {
    NET_OWN = 1,       /* in a network namespace made for the container */
    NET_OPTIONAL = 2,  /* the container runs without it, with a warning, where it cannot be had */
    NET_ADDRESSES = 4, /* --ip and --mac-address may be given */
    NET_ENTERED = 16,  /* attach wants the namespace's descriptor; else it is -1 */
    NET_ALIASES = 8,   /* a named network: --network-alias too, and several such networks */
};

/* Functions may be NULL: nothing to do. Those that return an int set a text with their error. */
struct net_kind {
    const char *name;
    const char *help; /* of the options that may follow the colon */
    unsigned flags;
    int (*parse)(const char *text, struct ctr_net *ret); /* what follows the colon, or NULL; target and options */
    int (*open)(struct member *m);                       /* SUPERVISOR, in the host's namespaces */
    int (*inside)(const struct member *m, int *ret_fd);  /* CHILD, in its namespace */
    int (*attach)(struct member *m, int netns, int fd);  /* SUPERVISOR, ids mapped, CHILD waiting */
    void (*detach)(struct member *m);                    /* SUPERVISOR */
};
extern const struct net_kind net_kinds[];
extern const size_t n_net_kinds;
const struct net_kind *net_kind_find(const char *name);
/* The same; other names are those of networks, all of one kind. */
const struct net_kind *net_kind_of(const char *name);

/* One network of one container, in its SUPERVISOR. */
struct member {
    struct net *net;
    const struct net_kind *kind;
    const struct ctr_net *spec;
    char interface[16];
    unsigned char mac[6];
    struct ip ip, gateway, ip6, gateway6; /* the container's own have the network's prefix; family 0: none */
    struct ip dns, dns6;                  /* what answers queries */
    bool host_is_gateway;                 /* the gateway's address is the host's loopback */
    bool failed;                          /* could not be had: loopback only */
    unsigned mtu;
    struct net_helper helper;
    /* of a named network: */
    struct network *network;
    int space;        /* the namespace that has the bridges; -1: the host's */
    bool leads_out;   /* the default route goes by it */
    char port[16];    /* the outer end of its pair */
    int dns_socks[2]; /* on the address dns: UDP and TCP; -1: none */
};

/* files.c: the address by which the container reaches this machine. m may be NULL. */
void net_host_seen(const struct member *m, struct ip *ret);
/* addresses.c: the address that this machine uses towards the internet; -ENETUNREACH without text. In the network
 * namespace of the caller. */
int net_host_address(sa_family_t family, struct ip *ret);
/* Its first IPv4 default gateway; family 0 if there is none. */
int net_host_gateway(struct ip *ret);
/* Gives lo the addresses of m, each for itself. */
int net_address_on_loopback(const struct member *m);

/* Calls open(m), or with NULL the attach of its kind, as a SUPERVISOR of c would that has only this member. */
int net_with_member(const struct store *s, const struct ctr *c, struct member *m, int (*open)(struct member *m),
                    int netns);
/* Adds it to the live record. */
void net_describe_member(const struct member *m, struct ctr_live *live);

/* Is the SUPERVISOR root outside of any user namespace? */
bool net_host_root(const struct net *n);
const struct ctr *net_ctr(const struct net *n);
const struct store *net_store(const struct net *n);
const struct member *net_member(const struct net *n); /* the first */
/* The first with a resolver, else the first. */
const struct member *net_names_member(const struct net *n);

/* private.c: a tap device whose other end is a helper with libslirp */
int private_parse(const char *text, struct ctr_net *ret);
int private_open(struct member *m);
int private_inside(const struct member *m, int *ret_fd);
int private_attach(struct member *m, int netns, int fd);
void private_detach(struct member *m);
/* loopback.c: no network, but an address that published ports can be forwarded to */
int loopback_open(struct member *m);
int loopback_inside(const struct member *m, int *ret_fd);
/* bridge.c: a named network */
int bridge_parse(const char *text, struct ctr_net *ret);
int bridge_open(struct member *m);
int bridge_attach(struct member *m, int netns, int fd);
/* Under the lock: takes away what dead containers left, bridges that nobody uses, filters without a bridge. space: the
 * namespace with the bridges, -1: this one; SPACE_UNSEEN: only leases. */
enum { SPACE_UNSEEN = -2 };
void bridges_sweep(const struct store *s, int space);
/* space.c: makes the way out again if it is gone, as a helper of the caller's. */
int space_mend(const struct store *s, struct net_space *sp, struct net_helper *h);
/* pasta.c */
int pasta_parse(const char *text, struct ctr_net *ret);
int pasta_open(struct member *m);
int pasta_attach(struct member *m, int netns, int fd);
#endif
