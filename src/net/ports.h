/* Private to net/: published ports. */
#ifndef NET_PORTS_H
#define NET_PORTS_H

#include "kinds.h"

/* One open socket of the host. */
struct listener {
    int fd;
    bool udp;
    bool hide;          /* the container sees its gateway */
    unsigned host_port; /* as it was got */
    unsigned port;      /* in the container */
};

struct ports {
    struct ctr_port *asked; /* of the record, with the ports that were got */
    size_t n_asked;
    struct listener *list;
    size_t n;
    struct net_helper helper;
    int netns;       /* the container's, for another helper; -1: none runs */
    int64_t started; /* ms */
};

/* SUPERVISOR, in the host's network namespace: opens all that c publishes. A busy port: -EADDRINUSE with text. */
int ports_open(const struct ctr *c, struct ports **ret);
/* Starts the helper that forwards into the network namespace netns, where m has its address. */
int ports_forward(struct ports *p, const struct member *m, int netns);
/* Does the helper work? */
int ports_settle(struct ports *p);
/* Its socket is at its end: another one, for what is to come. */
void ports_mend(struct ports *p, const struct member *m);
void ports_stop(struct ports *p);
void ports_describe(const struct ports *p, struct ctr_live *live);
void ports_close(struct ports *p); /* NULL: nothing */

/* forward.c: the helper's life. */
struct forward {
    const struct ports *ports;
    const struct member *member;
    int netns;
};
void forward_serve(int sock, void *forward);

#endif
