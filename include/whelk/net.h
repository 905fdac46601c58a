/* The networks of a container.
 *
 * Who does what (RUNTIME, namespaces 2). The SUPERVISOR opens what belongs to the host: published ports, and the
 * helpers that need the host's network (net_open), before there is a CHILD. The CHILD, in its new namespace, makes the
 * devices that only it can (net_inside) while the ids are still being mapped. Then, while the CHILD waits for its go,
 * the SUPERVISOR joins both ends (net_attach) and writes hosts and resolv.conf. When the command has ended, helpers end
 * too (net_detach), but ports stay open for a restart. Helpers are children of the SUPERVISOR in its pid namespace:
 * however it dies, they die with it.
 *
 * A kind of network is a row in src/net/kinds.c and a file beside it. */
#ifndef WHELK_NET_H
#define WHELK_NET_H

#include "whelk/ctr.h"
#include "whelk/ip.h"
#include "whelk/userns.h"

/* The value of --network: "KIND[:OPTION,...]". -EINVAL with text. Namespaces that exist (container:, ns:) are not net's
 * matter: then a container has no network in its record, and nothing is set up. */
int net_parse(const char *word, struct ctr_net *ret);
/* Do the networks of c go together, and --ip, --ip6, --mac-address, --network-alias with them? -EINVAL with text. */
int net_check(const struct ctr *c);

/* Is it the name of a network, not of a kind that needs no record? */
bool net_is_named(const char *name);

/* Where a user's named networks are: a user namespace that all supervisors of containers on them are in, and a network
 * namespace that has the bridges (space.c). -1: not needed, or not there. */
struct net_space {
    int lock;
    int user, net; /* the namespaces */
    int alive;     /* the way out lasts while somebody has this open */
};
#define NET_SPACE_NONE ((struct net_space){-1, -1, -1, -1})
/* STARTER: finds or makes it, if c has named networks and the store is not root's. Holds a lock until net_space_enter,
 * which tells others that the supervisor pid is there. */
int net_space_open(const struct store *s, const struct ctr *c, struct net_space *ret);
int net_space_enter(const struct store *s, struct net_space *sp, pid_t pid);
void net_space_close(struct net_space *sp);

struct net;
/* SUPERVISOR, in the host's namespaces. store_map: idmap_none where the supervisor is the host's root. A busy port is
 * -EADDRINUSE with text. space NULL: it has no named networks. */
int net_open(const struct store *s, const struct ctr *c, const struct idmap *map, const struct net_space *space,
             struct net **ret);
/* STARTER: adds to the error of a busy port who has it, as far as that can be known. Returns r. */
int net_blame(const struct store *s, int r);
/* CHILD, in its own user and network namespace, ids perhaps not yet mapped: *ret_fd, or -1, goes to net_attach, as does
 * *ret_warning, NULL or what is missing here (caller frees): then only loopback is there. */
int net_inside(const struct net *n, int *ret_fd, char **ret_warning);
/* SUPERVISOR: pid of the CHILD as the host sees it. Takes fd. */
int net_attach(struct net *n, pid_t pid, int fd, const char *warning);
/* What works beside the start has come up, or its error. */
int net_settle(struct net *n);
/* hosts and resolv.conf for the container into dirfd; n NULL: not attached yet. */
int net_write_files(int dirfd, const struct ctr *c, const struct net *n);
/* In hosts of a container that perhaps runs: its other name, in the file that it has mounted. */
int net_rename_host(int dirfd, const char *hostname, const char *from, const char *to);
/* What is to be told to the user, NULL or a vector that net owns. */
char *const *net_warnings(const struct net *n);
/* Adds networks and ports to the live record. */
void net_describe(const struct net *n, struct ctr_live *live);
/* The command has ended. */
void net_detach(struct net *n);
/* Before another start, after net_detach: then net_inside and net_attach come again. */
int net_prepare(struct net *n);
void net_close(struct net *n);
/* What the SUPERVISOR has to watch, or -1: when it is ready (POLLERR), the way out of the user's networks is gone, and
 * net_mend makes it anew, unless another one was faster. */
int net_watch(const struct net *n);
int net_mend(struct net *n);
/* What the SUPERVISOR has to watch too while the command runs, or -1; it may be another one after net_answer_names,
 * which is to be called when it is ready: the resolver of the container's names asks for the host's servers, or has
 * ended. */
int net_watch_names(const struct net *n);
void net_answer_names(struct net *n);
/* The same for the helper of published ports, which has only an end. */
int net_watch_ports(const struct net *n);
void net_mend_ports(struct net *n);
/* After the container's end, when nothing is told of it any more: what nobody uses of its networks goes. */
void net_end(struct net *n);
/* The record has changed: networks that came or went meanwhile count at the next start. c stays the caller's. */
int net_reload(struct net *n, const struct ctr *c);

/* ---- plug.c: networks of a running container, changed from outside ---- */

struct plug {
    const struct store *s;
    const struct ctr *c;
    const struct ctr_net *spec;
    int space; /* the namespace of the bridges, -1: this one */
    int netns; /* the container's */
};
/* In a process that has the rights of the container's SUPERVISOR. Adds to or takes from the live record. */
int net_plug(const struct plug *p, struct ctr_live *live);
int net_unplug(const struct plug *p, struct ctr_live *live);
/* Makes the packet filter again. */
int net_reapply(const struct store *s, int space);
/* The space of this user's networks, if somebody is in it: -ESRCH without text. Only user and net are filled in. */
int net_space_find(const struct store *s, struct net_space *ret);

/* From outside: what dead containers left of networks goes. */
void net_sweep(const struct store *s);
/* As root: the bridge of a network that was removed, if there is one. */
void net_forget(const struct store *s, const char *interface);
DEFINE_AUTO(struct net *, net_close)

#endif
