/* The helper that answers a container's questions for names.
 *
 * One process, one poll over the SUPERVISOR's socket, the listening sockets, the connections and what waits for
 * servers. Only the container itself is answered: another one on the bridge is to learn nothing by this way. Names of
 * containers are looked up anew for each question (dns-names.c) and given with no time to live; everything else is
 * forwarded (dns-forward.c). Whether the host's servers are still the same is asked of the SUPERVISOR before a question
 * is forwarded, at most once a second: this process has no /etc.
 *
 * Runs in: the helper of a container on named networks, confined to the directory of networks, which it can only read.
 */
#include "dns.h"

#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/mnt.h"
#include "whelk/sock.h"
#include "whelk/str.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>

enum {
    CONNECTIONS_MAX = 32,
    SILENCE_MS = 10000, /* of a connection */
    DATAGRAMS_AT_ONCE = 64,
    SERVERS_HOLD_MS = 1000, /* so long the answer of the SUPERVISOR is believed */
    SERVERS_WAIT_MS = 200,  /* a SUPERVISOR that is busy: those of before */
};

struct connection {
    struct stream stream;
    unsigned serial;
    int64_t used;
    bool waits; /* for the answer to its question */
};

struct resolver {
    int sock;
    struct dns_setup setup;
    int sockets[DNS_SOCKETS_MAX]; /* UDP, TCP, UDP, TCP */
    struct dns_names *names;
    struct forwards *forwards;
    int64_t asked; /* when the SUPERVISOR was asked for servers */
    unsigned turn; /* among those who share a name */
    unsigned serials;
    struct connection connections[CONNECTIONS_MAX];
};

/* ---- answering ---- */

size_t dns_reply_max(const struct question *q)
{
    return q->asker.connection ? DNS_MESSAGE_MAX : MIN((size_t)q->query.udp_size, (size_t)DNS_QUERY_MAX);
}

static void end_connection(struct connection *c)
{
    stream_end(&c->stream);
    c->waits = false;
}

void dns_reply(struct resolver *r, const struct asker *a, const uint8_t *msg, size_t len)
{
    struct connection *c = a->connection;
    if (!c) {
        (void)!sendto(a->sock, msg, len, MSG_DONTWAIT, (const struct sockaddr *)&a->from, a->from_len);
        return;
    }
    if (c->stream.fd < 0 || c->serial != a->serial)
        return; /* it did not wait */
    c->waits = false;
    c->used = net_now();
    if (!stream_put(&c->stream, msg, len) || !stream_write(&c->stream))
        end_connection(c);
}

void dns_reply_code(struct resolver *r, const struct question *q, enum dns_code code)
{
    uint8_t out[DNS_PLAIN_UDP];
    struct dns_writer w;
    dns_answer_begin(&w, out, sizeof out, q->msg, &q->query);
    dns_reply(r, &q->asker, out, dns_answer_end(&w, code, false));
}

static void reply_addresses(struct resolver *r, const struct question *q, const struct ip *list, size_t n)
{
    static uint8_t out[DNS_MESSAGE_MAX];
    struct dns_writer w;
    unsigned turn = r->turn++;
    dns_answer_begin(&w, out, dns_reply_max(q), q->msg, &q->query);
    for (size_t i = 0; i < n; i++)
        dns_answer_address(&w, &list[(i + turn) % n]);
    dns_reply(r, &q->asker, out, dns_answer_end(&w, DNS_NOERROR, true));
}

static void reply_name(struct resolver *r, const struct question *q, const char *name)
{
    uint8_t out[2 * DNS_PLAIN_UDP];
    struct dns_writer w;
    dns_answer_begin(&w, out, MIN(dns_reply_max(q), sizeof out), q->msg, &q->query);
    if (*name)
        dns_answer_name(&w, name);
    dns_reply(r, &q->asker, out, dns_answer_end(&w, *name ? DNS_NOERROR : DNS_NXDOMAIN, true));
}

/* AF_UNSPEC: any. false: no question for addresses. */
static bool wanted_family(unsigned type, sa_family_t *ret)
{
    *ret = type == DNS_A ? AF_INET : type == DNS_AAAA ? AF_INET6 : AF_UNSPEC;
    return type == DNS_A || type == DNS_AAAA || type == DNS_ANY;
}

static bool find_host(const struct resolver *r, const char *name, sa_family_t family, struct ip *ret, size_t *ret_n)
{
    *ret_n = 0;
    if (!str_eq(name, "host.containers.internal") && !str_eq(name, "host.docker.internal"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(r->setup.host); i++)
        if (r->setup.host[i].family && (family == AF_UNSPEC || family == r->setup.host[i].family))
            ret[(*ret_n)++] = r->setup.host[i];
    return true;
}

/* Whatever else is asked of a name that is known here does not exist: an answer without records. */
static bool answer_here(struct resolver *r, const struct question *q, const char *name)
{
    static struct ip list[DNS_FOUND_MAX];
    char found[DNS_TEXT_MAX];
    sa_family_t family;
    struct ip address;
    size_t n;
    if (q->query.type == DNS_PTR && dns_name_address(name, &address) && dns_names_of(r->names, &address, found)) {
        reply_name(r, q, found);
        return true;
    }
    bool addresses = wanted_family(q->query.type, &family);
    if (!*name || (!find_host(r, name, family, list, &n) && !dns_names_find(r->names, name, family, list, &n)))
        return false;
    reply_addresses(r, q, list, addresses ? n : 0);
    return true;
}

/* ---- the host's servers ---- */

static void take_servers(struct resolver *r, int flags)
{
    struct dns_servers servers;
    struct iovec part = {&servers, sizeof servers};
    ssize_t n = sock_recv(r->sock, &part, 1, NULL, flags);
    if (n == -EPIPE)
        _exit(0);
    if (n == sizeof servers && servers.n <= DNS_SERVERS_MAX)
        r->setup.servers = servers;
}

static void mind_servers(struct resolver *r)
{
    struct pollfd p = {.fd = r->sock, .events = POLLIN};
    int64_t now = net_now();
    char ask = 0;
    struct iovec part = {&ask, sizeof ask};
    if (r->setup.fixed || (r->asked && now - r->asked < SERVERS_HOLD_MS))
        return;
    r->asked = now;
    if (sock_send(r->sock, &part, 1, -1, MSG_DONTWAIT) == 0 && poll(&p, 1, SERVERS_WAIT_MS) > 0)
        take_servers(r, MSG_DONTWAIT);
}

/* ---- questions ---- */

enum { TYPE_IXFR = 251, TYPE_AXFR = 252, CLASS_INTERNET = 1 };

static void forward(struct resolver *r, const struct question *q)
{
    if (r->setup.isolated)
        return dns_reply_code(r, q, DNS_NXDOMAIN);
    mind_servers(r);
    forwards_ask(r->forwards, &r->setup.servers, q);
}

static void handle_question(struct resolver *r, struct question *q)
{
    char name[DNS_TEXT_MAX];
    int code = dns_parse_query(q->msg, q->len, &q->query);
    if (code < 0) {
        if (q->asker.connection)
            end_connection(q->asker.connection);
    } else if (code > 0) {
        dns_reply_code(r, q, (enum dns_code)code);
    } else if (q->query.class != CLASS_INTERNET || q->query.type == TYPE_AXFR || q->query.type == TYPE_IXFR) {
        dns_reply_code(r, q, DNS_REFUSED);
    } else if (!dns_name_text(&q->query.name, name) || !answer_here(r, q, name)) {
        forward(r, q);
    }
}

/* ---- sockets ---- */

static bool is_client(const struct resolver *r, const struct sockaddr_storage *from)
{
    struct ip address;
    unsigned port;
    ip_from_sockaddr(from, &address, &port);
    for (size_t i = 0; i < r->setup.n_clients; i++)
        if (ip_equal(&r->setup.clients[i], &address))
            return true;
    return false;
}

static void receive(struct resolver *r, int sock)
{
    static uint8_t msg[DNS_QUERY_MAX + 1];
    for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        struct question q = {.msg = msg, .asker = {.sock = sock, .from_len = sizeof q.asker.from}};
        ssize_t n = recvfrom(sock, msg, sizeof msg, MSG_DONTWAIT, (struct sockaddr *)&q.asker.from, &q.asker.from_len);
        if (n < 0)
            return;
        q.len = (size_t)n;
        if (n <= DNS_QUERY_MAX && is_client(r, &q.asker.from))
            handle_question(r, &q);
    }
}

/* With all places taken the one that was silent for the longest time ends. */
static struct connection *place_for(struct resolver *r)
{
    struct connection *place = &r->connections[0];
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &r->connections[i];
        if (c->stream.fd < 0)
            return c;
        if (c->used < place->used)
            place = c;
    }
    end_connection(place);
    return place;
}

static void accept_one(struct resolver *r, int sock)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    auto_close int fd = accept4(sock, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || !is_client(r, &from))
        return;
    struct connection *c = place_for(r);
    *c = (struct connection){.serial = ++r->serials, .used = net_now()};
    stream_begin(&c->stream, take_fd(&fd));
}

static void handle_connection(struct resolver *r, struct connection *c)
{
    int n = stream_write(&c->stream) ? 0 : -1;
    if (c->waits && !c->stream.out) /* nothing was waited for but its end */
        n = -1;
    if (n == 0 && !c->waits && !c->stream.out)
        n = stream_read(&c->stream, DNS_QUERY_MAX);
    if (n < 0)
        return end_connection(c);
    if (n == 0)
        return;
    c->used = net_now();
    c->waits = true;
    struct question q = {.msg = c->stream.in, .len = c->stream.in_len, .asker = {.connection = c, .serial = c->serial}};
    handle_question(r, &q);
    if (c->stream.fd >= 0)
        stream_forget(&c->stream);
}

/* ---- the loop ---- */

enum {
    P_SOCK = 0,
    P_SOCKETS = 1,
    P_CONNECTIONS = P_SOCKETS + DNS_SOCKETS_MAX,
    P_FORWARDS = P_CONNECTIONS + CONNECTIONS_MAX
};

/* What a connection is waited for: room to write, else its next question; one whose answer is not there yet only for
 * its end. */
static short connection_events(const struct connection *c)
{
    return c->stream.out ? POLLOUT : c->waits ? 0 : POLLIN;
}

static void expire(struct resolver *r, int *timeout)
{
    int64_t now = net_now();
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &r->connections[i];
        if (c->stream.fd < 0)
            continue;
        int left = (int)(SILENCE_MS - (now - c->used));
        if (left <= 0)
            end_connection(c);
        else
            *timeout = *timeout < 0 ? left : MIN(*timeout, left);
    }
}

static size_t watch(struct resolver *r, struct pollfd *fds, int *timeout)
{
    *timeout = -1;
    expire(r, timeout);
    fds[P_SOCK] = (struct pollfd){.fd = r->sock, .events = POLLIN};
    for (size_t i = 0; i < DNS_SOCKETS_MAX; i++)
        fds[P_SOCKETS + i] = (struct pollfd){.fd = r->sockets[i], .events = POLLIN};
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        fds[P_CONNECTIONS + i] =
            (struct pollfd){.fd = r->connections[i].stream.fd, .events = connection_events(&r->connections[i])};
    return forwards_poll(r->forwards, fds + P_FORWARDS, timeout);
}

static void handle(struct resolver *r, const struct pollfd *fds, size_t n_forwards)
{
    forwards_handle(r->forwards, &r->setup.servers, fds + P_FORWARDS, n_forwards);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (fds[P_CONNECTIONS + i].revents && r->connections[i].stream.fd == fds[P_CONNECTIONS + i].fd)
            handle_connection(r, &r->connections[i]);
    for (size_t i = 0; i < DNS_SOCKETS_MAX; i++) {
        if (!fds[P_SOCKETS + i].revents)
            continue;
        if (i % 2)
            accept_one(r, r->sockets[i]);
        else
            receive(r, r->sockets[i]);
    }
    if (fds[P_SOCK].revents)
        take_servers(r, MSG_DONTWAIT);
}

static void loop(struct resolver *r)
{
    static struct pollfd fds[P_FORWARDS + FORWARDS_MAX];
    for (;;) {
        int timeout;
        size_t n = watch(r, fds, &timeout);
        int got = poll(fds, P_FORWARDS + n, timeout);
        if (got < 0 && errno != EINTR)
            return;
        if (got >= 0)
            handle(r, fds, n);
    }
}

/* ---- the beginning ---- */

static bool receive_setup(struct resolver *r)
{
    struct iovec part = {&r->setup, sizeof r->setup};
    if (sock_recv(r->sock, &part, 1, NULL, 0) != sizeof r->setup || r->setup.n_sockets > DNS_SOCKETS_MAX ||
        r->setup.n_clients > DNS_CLIENTS_MAX)
        return false;
    for (size_t i = 0; i < r->setup.n_sockets; i++) {
        char byte;
        part = (struct iovec){&byte, sizeof byte};
        if (sock_recv(r->sock, &part, 1, &r->sockets[i], 0) < 0 || r->sockets[i] < 0)
            return false;
    }
    return true;
}

/* The directory of networks, to be read only, as the root. The copy of its mount is made in a mount namespace of one's
 * own, where the directory is found as the working directory. */
static int confine(int dir, bool host_root)
{
    auto_close int root = -1;
    if (fchdir(dir) < 0 || (!host_root && unshare(CLONE_NEWNS) < 0))
        return err_sys("cannot make a mount namespace for the resolver");
    int r = mnt_clone(AT_FDCWD, "", false, &root);
    if (r == 0)
        r = mnt_attrs(root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, false);
    fd_close(dir);
    return r < 0 ? r : confine_to_network(take_fd(&root), host_root, CONFINE_READ);
}

void dns_serve(int sock, void *dns)
{
    const struct dns *d = dns;
    struct resolver r = {.sock = sock, .sockets = {-1, -1, -1, -1}};
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        r.connections[i].stream.fd = -1;
    if (!receive_setup(&r))
        return;
    int status = confine(d->dir, r.setup.host_root);
    int root = status < 0 ? status : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    r.names = dns_names_new(root, d->networks);
    r.forwards = forwards_new(&r);
    net_helper_tell(sock, status);
    if (status == 0)
        loop(&r);
}
