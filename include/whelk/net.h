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

struct net;
/* SUPERVISOR, in the host's namespaces. store_map: idmap_none where the supervisor is the host's root. A busy port is
 * -EADDRINUSE with text. */
int net_open(const struct ctr *c, const struct idmap *map, struct net **ret);
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
DEFINE_AUTO(struct net *, net_close)

#endif
