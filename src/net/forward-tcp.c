/* Forwarding TCP. A connection has two sockets and, for each direction, what is on its way in a pipe.
 *
 * Ends are passed on: the end of one stream is shut down on the other side while the other direction goes on; what was
 * torn down is torn down. A client whose port nobody listens on inside is refused by a reset, as the kernel would.
 *
 * Runs in: the helper of published ports. */
#include "forward.h"

#include "whelk/str.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { CLIENT, SERVER };
enum { ACCEPTS_AT_ONCE = 64, ROUNDS = 16, PIPE_BYTES = 256 << 10, POOL = 64 };

struct pipe {
    int ends[2];
};

/* One direction: from fd[i] of its connection to the other. */
struct stream {
    struct pipe pipe; /* ends of -1: none is held */
    size_t held;      /* bytes in it */
    bool ended;       /* the source has nothing more */
    bool shut;        /* and the other side was told */
};

struct conn {
    enum watched kind;
    const struct listener *listener;
    struct ip client;
    unsigned client_port;
    unsigned attempt; /* which way to the server is being tried */
    int fd[2];
    bool connected, queued, dead;
    struct stream stream[2]; /* from the client, from the server */
    struct conn *next;
};

/* ---- pipes ---- */

static struct pipe pool[POOL];
static size_t n_pool;

static bool pipe_take(struct pipe *p)
{
    if (n_pool) {
        *p = pool[--n_pool];
        return true;
    }
    if (pipe2(p->ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        *p = (struct pipe){{-1, -1}};
        return false;
    }
    (void)!fcntl(p->ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* what a user may have is limited: any size does */
    return true;
}

/* Only an empty one may serve another connection. */
static void pipe_drop(struct pipe *p, bool empty)
{
    if (p->ends[0] < 0)
        return;
    if (empty && n_pool < POOL) {
        pool[n_pool++] = *p;
    } else {
        fd_close(p->ends[0]);
        fd_close(p->ends[1]);
    }
    *p = (struct pipe){{-1, -1}};
}

/* ---- the end ---- */

static void conn_end(struct forwarder *f, struct conn *c, bool reset)
{
    const struct linger now = {.l_onoff = 1};
    if (c->dead)
        return;
    for (int i = 0; i < 2; i++) {
        if (reset && c->fd[i] >= 0)
            setsockopt(c->fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        fd_close(take_fd(&c->fd[i]));
        pipe_drop(&c->stream[i].pipe, c->stream[i].held == 0);
    }
    c->dead = true;
    f->n_conns--;
    if (c->queued)
        return; /* tcp_go_on meets it */
    c->next = f->dead;
    f->dead = c;
}

/* ---- connecting inside ---- */

/* The ways to the server, the better ones first: by which family, and seen as whom. */
struct way {
    const struct ip *to, *from;
    unsigned port; /* to come from; 0: any */
};

/* 0: there is no such way. */
static bool find_way(const struct forwarder *f, const struct conn *c, struct way *ret)
{
    const struct member *m = f->m;
    bool keep = forward_keeps_address(f, c->listener, &c->client);
    bool v6 = keep && c->client.family == AF_INET6;
    const struct way ways[] = {
        {v6 ? &m->ip6 : &m->ip, keep ? &c->client : NULL, c->client_port},
        {&m->ip, &m->gateway, c->client_port},
        {&m->ip, &m->gateway, 0},
        {&m->ip6, &m->gateway6, 0},
    };
    unsigned n = c->attempt + !keep; /* the first way is only for those that keep their address */
    for (; n < ARRAY_LEN(ways); n++)
        if (ways[n].to->family)
            break;
    if (n >= ARRAY_LEN(ways))
        return false;
    *ret = ways[n];
    return true;
}

static int connect_way(const struct conn *c, const struct way *w, int *ret_fd)
{
    const int on = 1;
    struct sockaddr_storage sa = {0};
    auto_close int fd = forward_socket(w->to, false);
    if (fd < 0)
        return fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (w->from && w->from->family) {
        socklen_t len = ip_to_sockaddr(w->from, w->port, &sa);
        if (!w->port) /* a port is found by connect, which knows that only the pair must be unique */
            setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&sa, len) < 0)
            return -errno;
    }
    socklen_t len = ip_to_sockaddr(w->to, c->listener->port, &sa);
    if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)
        return -errno;
    *ret_fd = take_fd(&fd);
    return 0;
}

static bool watch(const struct forwarder *f, struct conn *c, int fd)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* Tries the way that is due and, where the kernel refuses at once, those behind it. */
static void connect_inside(struct forwarder *f, struct conn *c)
{
    struct way w;
    for (; find_way(f, c, &w); c->attempt++) {
        if (connect_way(c, &w, &c->fd[SERVER]) < 0)
            continue;
        if (watch(f, c, c->fd[SERVER]))
            return;
        break;
    }
    conn_end(f, c, true);
}

static void connected_or_next(struct forwarder *f, struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(c->fd[SERVER], SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0) {
        c->connected = watch(f, c, c->fd[CLIENT]);
        if (!c->connected)
            conn_end(f, c, true);
        return;
    }
    fd_close(take_fd(&c->fd[SERVER]));
    c->attempt++;
    connect_inside(f, c);
}

void tcp_accept(struct forwarder *f, const struct entry *e)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE && f->n_conns < f->max_conns; i++) {
        struct sockaddr_storage sa = {0};
        socklen_t len = sizeof sa;
        int fd = accept4(e->listener->fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct conn *c = xcalloc(1, sizeof(*c));
        *c = (struct conn){.kind = WATCHED_CONNECTION,
                           .listener = e->listener,
                           .fd = {fd, -1},
                           .stream = {{.pipe = {{-1, -1}}}, {.pipe = {{-1, -1}}}}};
        ip_from_sockaddr(&sa, &c->client, &c->client_port);
        f->n_conns++;
        connect_inside(f, c);
    }
}

/* ---- moving bytes ---- */

enum moved { MOVED, BLOCKED, BROKEN };

static enum moved fill(struct stream *s, int from)
{
    if (s->ended || s->held >= PIPE_BYTES)
        return BLOCKED;
    if (s->pipe.ends[0] < 0 && !pipe_take(&s->pipe))
        return BROKEN;
    ssize_t n = splice(from, NULL, s->pipe.ends[1], NULL, PIPE_BYTES - s->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? BLOCKED : BROKEN;
    s->ended = n == 0;
    s->held += (size_t)n;
    return MOVED;
}

static enum moved drain(struct stream *s, int to)
{
    if (!s->held)
        return BLOCKED;
    ssize_t n = splice(s->pipe.ends[0], NULL, to, NULL, s->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? BLOCKED : BROKEN;
    s->held -= (size_t)n;
    return MOVED;
}

/* Both halves until neither goes any further, or the turn is over (MOVED). */
static enum moved pump(struct conn *c, int from)
{
    struct stream *s = &c->stream[from];
    enum moved in = MOVED, out = MOVED;
    for (int i = 0; i < ROUNDS && (in == MOVED || out == MOVED); i++) {
        in = fill(s, c->fd[from]);
        out = in == BROKEN ? BROKEN : drain(s, c->fd[!from]);
        if (out == BROKEN)
            return BROKEN;
    }
    if (!s->held)
        pipe_drop(&s->pipe, true);
    if (s->ended && !s->held && !s->shut) {
        shutdown(c->fd[!from], SHUT_WR);
        s->shut = true;
    }
    return in == MOVED || out == MOVED ? MOVED : BLOCKED;
}

static void take_turn(struct forwarder *f, struct conn *c)
{
    enum moved a = pump(c, CLIENT), b = a == BROKEN ? BROKEN : pump(c, SERVER);
    if (b == BROKEN) {
        conn_end(f, c, true);
    } else if (c->stream[CLIENT].shut && c->stream[SERVER].shut) {
        conn_end(f, c, false);
    } else if (a == MOVED || b == MOVED) {
        c->queued = true;
        c->next = f->ready;
        f->ready = c;
    }
}

void tcp_event(struct forwarder *f, struct conn *c, unsigned events)
{
    if (c->dead || c->queued)
        return;
    if (!c->connected)
        connected_or_next(f, c);
    if (c->connected && !c->dead)
        take_turn(f, c);
}

void tcp_go_on(struct forwarder *f)
{
    for (struct conn *c = take_ptr(&f->ready), *next; c; c = next) {
        next = c->next;
        c->queued = false;
        if (!c->dead) {
            take_turn(f, c);
        } else {
            c->next = f->dead;
            f->dead = c;
        }
    }
    for (struct conn *c = take_ptr(&f->dead), *next; c; c = next) {
        next = c->next;
        free(c);
    }
}
