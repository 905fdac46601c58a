/* Addresses of this machine, and such that stand in for a network. */
#include "kinds.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

/* Connecting a datagram socket sends nothing: it looks for a route, and so for the address to send from. The far
 * addresses are of documentation (RFC 5737, RFC 3849): no route but the default one leads there. */
int net_host_address(sa_family_t family, struct ip *ret)
{
    struct ip far;
    struct sockaddr_storage sa;
    unsigned port;
    socklen_t len = sizeof sa;
    auto_close int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ip_parse(family == AF_INET6 ? "2001:db8::1" : "198.51.100.1", &far) < 0 ||
        connect(fd, (struct sockaddr *)&sa, ip_to_sockaddr(&far, 53, &sa)) < 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return -ENETUNREACH;
    ip_from_sockaddr(&sa, ret, &port);
    return 0;
}

/* /proc/net/route: "eth0 00000000 0102000A 0003 ..." in hexadecimal, as the processor orders bytes. */
int net_host_gateway(struct ip *ret)
{
    enum { ROUTES_MAX = 1 << 20 };
    auto_free char *text = NULL;
    struct ip none = {0};
    *ret = none;
    if (file_read(AT_FDCWD, "/proc/self/net/route", ROUTES_MAX, &text, NULL) < 0)
        return 0;
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines) {
        unsigned to, gateway;
        if (sscanf(line, "%*s %x %x", &to, &gateway) == 2 && to == 0 && gateway) {
            *ret = (struct ip){.family = AF_INET, .prefix = 32, .v4.s_addr = gateway};
            return 0;
        }
    }
    return 0;
}

int net_address_on_loopback(const struct member *m)
{
    struct netlink n;
    struct ip address = m->ip;
    address.prefix = 32;
    int r = m->ip.family ? netlink_open(&n) : 0;
    if (r < 0 || !m->ip.family)
        return r;
    link_queue_address(&n, 1, &address);
    r = netlink_commit(&n, "set an address for published ports");
    netlink_close(&n);
    return r == -EEXIST ? 0 : r;
}
