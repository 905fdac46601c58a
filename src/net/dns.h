/* Private to net/: the resolver of a container on named networks, in parts (dns.c has the theory of operation). */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "dns-message.h"
#include "kinds.h"

#include <sys/socket.h>
#include <sys/stat.h>

enum { DNS_SERVERS_MAX = 3, DNS_CLIENTS_MAX = 64, DNS_SOCKETS_MAX = 4, DNS_PORT = 53 };

/* Whom to ask what is not known here. */
struct dns_servers {
    size_t n;
    struct ip list[DNS_SERVERS_MAX];
};

/* What a resolver is told when its container has its addresses. Plain bytes: it travels to the helper. */
struct dns_setup {
    struct dns_servers servers;
    bool fixed;        /* they were given by --dns: the host's do not matter */
    bool isolated;     /* only internal networks: nobody else is asked */
    bool host_root;    /* as of net_helper_confine */
    struct ip host[2]; /* what host.containers.internal is; family 0: none */
    size_t n_clients;  /* addresses of the container: nobody else is answered */
    struct ip clients[DNS_CLIENTS_MAX];
    size_t n_sockets; /* each follows in a message of its own */
};

/* ---- dns.c: SUPERVISOR ---- */

struct dns {
    struct net_helper helper;
    int dir;         /* of networks */
    char **networks; /* whose names are known */
    struct dns_setup setup;
    int sockets[DNS_SOCKETS_MAX];
    struct stat resolv; /* the host's resolv.conf when it was read */
    int64_t started;    /* ms */
};

/* The process that makes them is in the bridge's network namespace, where own is an address of the bridge: a socket for
 * UDP and one for TCP on its port 53. */
int dns_sockets(const struct ip *own, int ret[2]);

/* servers NULL: the host's. Forks the helper in the host's network namespace. dir, the store's directory of networks,
 * is taken. */
int dns_open(struct dns *d, char *const *networks, char *const *servers, int dir);
/* Other networks, while it works. */
void dns_change(struct dns *d, char *const *networks);
/* Lets it work; setup and sockets are d's. */
int dns_attach(struct dns *d);
/* Its socket has something, or is at its end: answers it, or starts it again. */
void dns_ready(struct dns *d);
void dns_close(struct dns *d);

/* ---- dns-names.c: who is on a network ---- */

enum { DNS_FOUND_MAX = 256 };

struct dns_names;
/* root: the directory of networks. networks is the caller's and stays. */
struct dns_names *dns_names_new(int root, char *const *networks);
void dns_names_free(struct dns_names *n);
/* Addresses of those that are called so and live; family AF_UNSPEC: of both. Is the name known at all? */
bool dns_names_find(struct dns_names *n, const char *name, sa_family_t family, struct ip ret[DNS_FOUND_MAX],
                    size_t *ret_n);
/* Who has this address: its name, "" if nobody. Is the address one of these networks at all? */
bool dns_names_of(struct dns_names *n, const struct ip *address, char ret[DNS_TEXT_MAX]);

/* ---- dns-server.c: the helper ---- */

void dns_serve(int sock, void *dns);

/* A message by TCP, as it comes and goes: behind its length (RFC 1035, 4.2.2). */
struct stream {
    int fd; /* -1: none */
    uint8_t head[2];
    size_t got; /* of head and in */
    uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_len, out_at;
};
void stream_begin(struct stream *s, int fd);
void stream_end(struct stream *s);
/* 1: a whole message of at most max bytes is in `in`; 0: not yet; -1: the end. */
int stream_read(struct stream *s, size_t max);
void stream_forget(struct stream *s);                              /* the message that was read */
bool stream_put(struct stream *s, const uint8_t *msg, size_t len); /* false: the last one is not out yet */
bool stream_write(struct stream *s);                               /* false: the end */

/* Who asked: a datagram's sender, or a connection as long as it is the same one. */
struct asker {
    int sock;
    struct sockaddr_storage from;
    socklen_t from_len;
    struct connection *connection; /* NULL: by UDP */
    unsigned serial;
};

struct question {
    struct dns_query query;
    struct asker asker;
    const uint8_t *msg; /* its bytes */
    size_t len;
};

struct resolver;
void dns_reply(struct resolver *r, const struct asker *a, const uint8_t *msg, size_t len);
void dns_reply_code(struct resolver *r, const struct question *q, enum dns_code code);
/* The longest answer that its asker can take. */
size_t dns_reply_max(const struct question *q);

/* ---- dns-forward.c: what others know ---- */

struct forwards;
struct forwards *forwards_new(struct resolver *r);
/* Asks the servers; the answer, or that there is none, goes to the asker. */
void forwards_ask(struct forwards *f, const struct dns_servers *servers, const struct question *q);
enum { FORWARDS_MAX = 256 };
/* For the loop: what to wait for (returns how many), how long at most, and what has happened. */
struct pollfd;
size_t forwards_poll(const struct forwards *f, struct pollfd *fds, int *timeout);
void forwards_handle(struct forwards *f, const struct dns_servers *servers, const struct pollfd *fds, size_t n);

#endif
