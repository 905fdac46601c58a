/* The kind "private": a network of one container's own with a way out through the user's sockets.
 *
 * Theory of operation. The CHILD makes a tap device in its namespace, with address, route and name server as they
 * always are, and hands its descriptor to the SUPERVISOR. A helper, forked before there is a CHILD so that its library
 * is loaded while the ids are being mapped, gets it and moves packets (slirp.c). What the container sends before that
 * waits in the device. The helper stays in the host's network namespace and needs no right there. Name server queries
 * to its address go to the host's first name server; the helper knows it from the resolv.conf in its empty root.
 *
 * Where /dev/net/tun or libslirp is missing, the container runs with loopback and the published ports, and the user is
 * told what to install. */
#include "kinds.h"
#include "slirp.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/link.h"
#include "whelk/sock.h"

#include <fcntl.h>

enum { MTU_MAX = 65520, MTU_MIN = 1280, RESOLV_MAX = 1 << 16 };

/* Options by podman's names. */
struct settings {
    struct ip net;
    bool host_loopback;
    int ip6; /* -1: as the host has it */
    uint64_t mtu;
};

static int set_bool(const char *value, bool *ret)
{
    if (!str_eq(value, "true") && !str_eq(value, "false"))
        return err_set(-EINVAL, "say true or false");
    *ret = *value == 't';
    return 0;
}

static int set_host_loopback(struct settings *s, const char *value)
{
    return set_bool(value, &s->host_loopback);
}

static int set_ip6(struct settings *s, const char *value)
{
    bool on = false;
    int r = set_bool(value, &on);
    if (r == 0)
        s->ip6 = on;
    return r;
}

static int set_mtu(struct settings *s, const char *value)
{
    if (!str_to_u64(value, &s->mtu) || s->mtu < MTU_MIN || s->mtu > MTU_MAX)
        return err_set(-EINVAL, "say a number from %d to %d", MTU_MIN, MTU_MAX);
    return 0;
}

static int set_cidr(struct settings *s, const char *value)
{
    if (ip_parse_net(value, &s->net) < 0 || s->net.family != AF_INET || s->net.prefix > 24 || s->net.prefix < 8)
        return err_set(-EINVAL, "say an IPv4 network from /8 to /24, as 10.0.2.0/24");
    return 0;
}

static const struct {
    const char *name;
    int (*set)(struct settings *s, const char *value);
} options[] = {
    {"allow_host_loopback", set_host_loopback},
    {"cidr", set_cidr},
    {"enable_ipv6", set_ip6},
    {"mtu", set_mtu},
};

static int apply(struct settings *s, const char *option)
{
    auto_strv char **known = NULL;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const char *value = str_after(option, options[i].name);
        strv_add(&known, options[i].name);
        if (value && *value == '=') {
            int r = options[i].set(s, value + 1);
            return r < 0 ? err_wrap(r, "%s", option) : 0;
        }
    }
    auto_free char *list = strv_join(known, "=, ");
    return err_set(-EINVAL, "option %s is not known; known: %s=", option, list);
}

static int read_settings(char *const *words, struct settings *ret)
{
    struct settings s = {.ip6 = -1, .mtu = MTU_MAX};
    int r = ip_parse_net("10.0.2.0/24", &s.net);
    strv_foreach (word, words)
        r = r < 0 ? r : apply(&s, word);
    if (r == 0)
        *ret = s;
    return r;
}

int private_parse(const char *text, struct ctr_net *ret)
{
    struct settings s;
    ret->options = strv_split(text ? text : "", ",");
    return read_settings(ret->options, &s);
}

/* ---- the helper ---- */

struct parcel { /* what the SUPERVISOR sends */
    struct slirp_setup setup;
    bool host_root;
};

static void serve(int sock, void *arg)
{
    struct parcel p;
    int tap = -1;
    struct iovec part = {&p, sizeof p};
    auto_free char *resolv = NULL;
    int r = slirp_load();
    net_helper_tell(sock, r);
    if (r < 0 || sock_recv(sock, &part, 1, &tap, 0) != sizeof p || tap < 0)
        return;
    if (file_read(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &resolv, NULL) < 0)
        resolv = NULL;
    if (net_helper_confine(p.host_root, false, resolv ? resolv : "") == 0)
        slirp_serve(&p.setup, tap, sock);
}

/* ---- SUPERVISOR and CHILD ---- */

static int set_addresses(struct member *m, const struct settings *s)
{
    m->ip = ip_nth(&s->net, 100);
    m->gateway = ip_nth(&s->net, 2);
    m->dns = ip_nth(&s->net, 3);
    struct ip asked = m->ip, host;
    if (m->spec->ip && (ip_parse(m->spec->ip, &asked) < 0 || !ip_in_net(&asked, &s->net) ||
                        ip_equal(&asked, &m->gateway) || ip_equal(&asked, &m->dns)))
        return err_set(-EINVAL, "--ip %s is not a free address of the network (see --network private:cidr=)",
                       m->spec->ip);
    asked.prefix = s->net.prefix;
    m->ip = asked;
    if (s->ip6 == 0 || (s->ip6 < 0 && net_host_address(AF_INET6, &host) < 0))
        return 0;
    struct ip net6;
    int r = ip_parse_net(SLIRP_NET6 "/64", &net6);
    m->ip6 = ip_nth(&net6, 0x100);
    m->gateway6 = ip_nth(&net6, 2);
    m->dns6 = ip_nth(&net6, 3);
    return r;
}

int private_open(struct member *m)
{
    struct settings s;
    int r = read_settings(m->spec->options, &s);
    if (r == 0)
        r = set_addresses(m, &s);
    m->mtu = (unsigned)s.mtu;
    m->host_is_gateway = s.host_loopback;
    return r < 0 ? r : net_helper_start(&m->helper, serve, NULL, NULL, 0);
}

int private_inside(const struct member *m, int *ret_fd)
{
    struct netlink n;
    auto_close int tap = -1;
    int r = link_tap(m->interface, &tap);
    if (r < 0)
        return r;
    int index = link_index(m->interface);
    r = index < 0 ? index : netlink_open(&n);
    if (r < 0)
        return r;
    if (m->ip6.family) { /* the addresses are known: none by advertisement */
        auto_free char *path = xasprintf("/proc/sys/net/ipv6/conf/%s/accept_ra", m->interface);
        auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
        (void)!write(fd, "0", 1);
    }
    link_queue_up(&n, index, m->mtu, m->mac);
    link_queue_address(&n, index, &m->ip);
    link_queue_default_route(&n, index, &m->gateway);
    r = netlink_commit(&n, "set up the private network");
    if (r == 0 && m->ip6.family) {
        link_queue_address(&n, index, &m->ip6);
        link_queue_default_route(&n, index, &m->gateway6);
        if (netlink_commit(&n, "set up IPv6") < 0)
            err_clear(); /* a kernel without it */
    }
    netlink_close(&n);
    if (r == 0)
        *ret_fd = take_fd(&tap);
    return r;
}

int private_attach(struct member *m, int netns, int fd)
{
    struct parcel p = {.setup = {.net = m->ip,
                                 .gateway = m->gateway,
                                 .dns = m->dns,
                                 .gateway6 = m->gateway6,
                                 .dns6 = m->dns6,
                                 .mtu = m->mtu,
                                 .host_loopback = m->host_is_gateway},
                       .host_root = net_host_root(m->net)};
    struct iovec part = {&p, sizeof p};
    if (m->ip6.family)
        p.setup.net6 = ip_nth(&m->ip6, 0);
    int r = net_helper_settle(&m->helper); /* whether it has the library */
    /* From here on the device goes with its namespace, which the kernel takes down at its leisure, and not with its
     * descriptor, whose closing would wait for that. */
    if (r == 0)
        r = link_tap_keep(fd);
    if (r == 0)
        r = sock_send(m->helper.sock, &part, 1, fd, 0);
    return r;
}

void private_detach(struct member *m)
{
    net_helper_stop(&m->helper);
}
