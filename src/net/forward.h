/* Private to net/: the helper that forwards published ports, in parts. */
#ifndef NET_FORWARD_H
#define NET_FORWARD_H

#include "ports.h"

/* What epoll points to begins with what it is. */
enum watched { WATCHED_SUPERVISOR, WATCHED_LISTENER, WATCHED_CONNECTION, WATCHED_FLOW };

enum { FORWARD_MARK = 0x77686c, FORWARD_TABLE = 119 };

struct entry { /* a listener, watched */
    enum watched kind;
    const struct listener *listener;
};

struct conn;
struct flow;

struct forwarder {
    int epoll;
    const struct member *m;
    bool lenient; /* clients of the container's own network keep their addresses: it is the host's */
    struct entry *entries;
    size_t n_entries;
    struct conn *ready; /* with more to do than was done in their turn */
    struct conn *dead;  /* to be freed when no event can name them any more */
    size_t n_conns, max_conns;
    bool paused; /* no room: listeners are not looked at */
    struct flow *flows;
    size_t n_flows;
};

/* Are the packets of this client to come from its own address inside? */
bool forward_keeps_address(const struct forwarder *f, const struct listener *l, const struct ip *client);
/* A socket in the container's namespace that may be bound to addresses that are not there, and whose answers come back.
 * -errno without text. */
int forward_socket(const struct ip *to, bool udp);

/* forward-tcp.c */
void tcp_accept(struct forwarder *f, const struct entry *e);
void tcp_event(struct forwarder *f, struct conn *c, unsigned events);
void tcp_go_on(struct forwarder *f); /* with those that are ready, then frees the dead */

/* forward-udp.c */
void udp_receive(struct forwarder *f, const struct entry *e);
void udp_answer(struct forwarder *f, struct flow *flow);
/* Lets go of flows that were silent; ms until the next one may be, -1: none. */
int udp_expire(struct forwarder *f);

#endif
