/* Netlink: requests to the kernel's routing part or its packet filter, several in one system call. Small and without a
 * library, so that every process of a run can afford it.
 *
 *     struct netlink n;
 *     netlink_open(&n);
 *     netlink_begin(&n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
 *     netlink_attr(&n, IFA_LOCAL, &address, 4);
 *     ...
 *     netlink_commit(&n, "set an address");
 *     netlink_close(&n); */
#ifndef WHELK_NETLINK_H
#define WHELK_NETLINK_H

#include "whelk/str.h"

struct netlink {
    int fd;
    unsigned queued; /* requests in out that were not sent */
    size_t head;     /* where the last one begins */
    struct buf out;
};

/* On the network namespace that the process is in now. */
int netlink_open(struct netlink *n);
/* The same for the packet filter (nft.h). */
int netlink_open_filter(struct netlink *n);
void netlink_close(struct netlink *n);
/* Another request; head is the fixed structure that follows the header. NLM_F_REQUEST and NLM_F_ACK are added. */
void netlink_begin(struct netlink *n, unsigned type, unsigned flags, const void *head, size_t len);
/* A message that is not answered, unless it is refused: the borders of a batch. */
void netlink_border(struct netlink *n, unsigned type, const void *head, size_t len);
void netlink_attr(struct netlink *n, unsigned type, const void *data, size_t len);
/* Attributes from netlink_nest to netlink_nest_end belong to one. Nests may be within each other. */
size_t netlink_nest(struct netlink *n, unsigned type);
void netlink_nest_end(struct netlink *n, size_t nest);
/* Sends what is queued and waits for the answers: the first refusal as -errno with the text "cannot WHAT: ...". Those
 * behind a refused one are done all the same. */
int netlink_commit(struct netlink *n, const char *what);

#endif
