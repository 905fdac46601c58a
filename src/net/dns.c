/* The resolver of a container on named networks: the SUPERVISOR's side.
 *
 * Theory of operation. Each container has a resolver of its own, a helper process of its SUPERVISOR that ends with it:
 * there is no name server that all depend on, and none that knows something from before. It listens on an address of
 * its own on the bridge (RUNTIME, namespaces 3), not in the container, which may run a name server itself. The helper
 * is forked in the host's network namespace, from which it asks the host's servers; its listening sockets are made
 * where the bridge is (dns_sockets), before the container's command begins: questions wait in them until the helper has
 * come up. What it knows of other containers are their leases (dns-names.c). A helper that was killed is started again
 * with the same sockets.
 *
 * Runs in: SUPERVISOR. Reads: /etc/resolv.conf. */
#include "dns.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/sock.h"

#include <fcntl.h>

#define RESOLV_CONF "/etc/resolv.conf"

enum { RESOLV_MAX = 1 << 20, LASTS_MS = 100 };

static const int on = 1;

int dns_sockets(const struct ip *own, int ret[2])
{
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    enum { BACKLOG = 64 };
    struct sockaddr_storage sa = {0};
    socklen_t len = ip_to_sockaddr(own, DNS_PORT, &sa);
    int fds[ARRAY_LEN(types)] = {-1, -1}, r = 0;
    for (size_t i = 0; i < ARRAY_LEN(types) && r == 0; i++) {
        fds[i] = socket(own->family, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fds[i] >= 0 && types[i] == SOCK_STREAM)
            setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&sa, len) < 0 ||
            (types[i] == SOCK_STREAM && listen(fds[i], BACKLOG) < 0))
            r = err_sys("cannot make the sockets of the container's name server");
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (r == 0)
            ret[i] = fds[i];
        else
            fd_close(fds[i]);
    }
    return r;
}

/* ---- servers ---- */

static void add_server(struct dns_servers *servers, const char *text)
{
    struct ip ip;
    if (servers->n < DNS_SERVERS_MAX && ip_parse(text, &ip) == 0)
        servers->list[servers->n++] = ip;
}

/* Without any, resolvers ask this machine itself (resolv.conf(5)). */
static void read_servers(struct dns_servers *ret)
{
    auto_free char *text = NULL;
    *ret = (struct dns_servers){0};
    if (file_read(AT_FDCWD, RESOLV_CONF, RESOLV_MAX, &text, NULL) < 0)
        err_clear();
    auto_strv char **lines = strv_split(text ? text : "", "\n");
    strv_foreach (line, lines) {
        auto_strv char **words = strv_split(line, " \t\r");
        if (strv_len(words) >= 2 && str_eq(words[0], "nameserver"))
            add_server(ret, words[1]);
    }
    if (!ret->n)
        add_server(ret, "127.0.0.1");
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The time is taken before the content: a change in between is seen the next time. */
static void refresh_servers(struct dns *d)
{
    struct stat st = {0};
    if (d->setup.fixed || (stat(RESOLV_CONF, &st) == 0 && is_same_file(&st, &d->resolv)))
        return;
    d->resolv = st;
    read_servers(&d->setup.servers);
}

/* ---- the helper ---- */

static int start(struct dns *d)
{
    d->started = net_now();
    return net_helper_start(&d->helper, dns_serve, d, &d->dir, 1);
}

int dns_open(struct dns *d, char *const *networks, char *const *servers, int dir)
{
    *d = (struct dns){.dir = dir, .networks = strv_copy(networks), .helper = {.sock = -1, .pidfd = -1}};
    strv_foreach (server, servers) {
        add_server(&d->setup.servers, server);
        d->setup.fixed = true;
    }
    return start(d);
}

int dns_attach(struct dns *d)
{
    struct iovec part = {&d->setup, sizeof d->setup};
    refresh_servers(d);
    int r = sock_send(d->helper.sock, &part, 1, -1, 0);
    for (size_t i = 0; i < d->setup.n_sockets && r == 0; i++) {
        char byte = 0;
        part = (struct iovec){&byte, sizeof byte};
        r = sock_send(d->helper.sock, &part, 1, d->sockets[i], 0);
    }
    return r < 0 ? err_wrap(r, "cannot start the container's name server") : 0;
}

/* Without a helper names are not found; that is no reason to end the container. */
static void revive(struct dns *d)
{
    net_helper_stop(&d->helper);
    if (start(d) < 0 || dns_attach(d) < 0 || net_helper_settle(&d->helper) < 0)
        net_helper_stop(&d->helper);
    err_clear();
}

void dns_change(struct dns *d, char *const *networks)
{
    strv_free(d->networks);
    d->networks = strv_copy(networks);
    revive(d);
}

/* One that ends at once is not started for ever. */
void dns_ready(struct dns *d)
{
    char byte;
    struct iovec part = {&byte, sizeof byte};
    ssize_t n = sock_recv(d->helper.sock, &part, 1, NULL, MSG_DONTWAIT);
    if (n == -EPIPE && net_now() - d->started > LASTS_MS)
        return revive(d);
    if (n == -EPIPE)
        return net_helper_stop(&d->helper);
    if (n < 0)
        return;
    refresh_servers(d);
    part = (struct iovec){&d->setup.servers, sizeof d->setup.servers};
    sock_send(d->helper.sock, &part, 1, -1, MSG_DONTWAIT);
}

void dns_close(struct dns *d)
{
    net_helper_stop(&d->helper);
    for (size_t i = 0; i < d->setup.n_sockets; i++)
        fd_close(d->sockets[i]);
    d->setup.n_sockets = 0;
    fd_close(take_fd(&d->dir));
    strv_free(take_ptr(&d->networks));
}
