/* Network interfaces, addresses and routes. Runs in: CHILD, SUPERVISOR or a helper, in the container's network
 * namespace. */
#include "whelk/link.h"
#include "whelk/auto.h"
#include "whelk/err.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { LOOPBACK_INDEX = 1 }; /* the first interface of every namespace */

int link_enter(int netns)
{
    return setns(netns, CLONE_NEWNET) < 0 ? err_sys("cannot enter a network namespace") : 0;
}

int link_loopback_up(void)
{
    /* lo has no other flag that could be lost, so there is no need to read them first. The kernel adds 127.0.0.1 and
     * ::1. Interface ioctls work on any socket; AF_UNIX is there without an IPv4 stack. */
    struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys("cannot open a socket");
    if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
        return err_sys("cannot bring the loopback interface up");
    return 0;
}

int link_index(const char *name)
{
    unsigned index = if_nametoindex(name);
    return index ? (int)index : err_sys("cannot find the interface %s", name);
}

int link_tap(const char *name, int *ret_fd)
{
    struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    auto_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
    if (fd < 0 && errno == EACCES)
        return err_set(-EACCES, "/dev/net/tun may not be opened by this user; as root: chmod 0666 /dev/net/tun");
    if (fd < 0)
        return err_sys("cannot open /dev/net/tun; as root: modprobe tun");
    if (ioctl(fd, TUNSETIFF, &req) < 0)
        return err_sys("cannot make a tap device");
    *ret_fd = take_fd(&fd);
    return 0;
}

int link_tap_keep(int fd)
{
    return ioctl(fd, TUNSETPERSIST, 1) < 0 ? err_sys("cannot keep a tap device") : 0;
}

void link_queue_up(struct netlink *n, int index, unsigned mtu, const unsigned char *mac)
{
    struct ifinfomsg head = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    netlink_begin(n, RTM_NEWLINK, 0, &head, sizeof head);
    if (mtu)
        netlink_attr(n, IFLA_MTU, &mtu, sizeof mtu);
    if (mac)
        netlink_attr(n, IFLA_ADDRESS, mac, 6);
}

/* ---- bridges and pairs ---- */

int link_setting(const char *name, const char *value)
{
    auto_free char *path = xasprintf("/proc/sys/net/%s", name);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

bool link_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

static void attr_text(struct netlink *n, unsigned type, const char *text)
{
    netlink_attr(n, type, text, strlen(text) + 1);
}

static void begin_link(struct netlink *n, const char *name, unsigned mtu, const unsigned char *mac)
{
    struct ifinfomsg head = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    netlink_begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    attr_text(n, IFLA_IFNAME, name);
    if (mtu)
        netlink_attr(n, IFLA_MTU, &mtu, sizeof mtu);
    if (mac)
        netlink_attr(n, IFLA_ADDRESS, mac, 6);
}

void link_queue_bridge(struct netlink *n, const char *name, unsigned mtu, const unsigned char *mac)
{
    begin_link(n, name, mtu, mac);
    size_t info = netlink_nest(n, IFLA_LINKINFO);
    attr_text(n, IFLA_INFO_KIND, "bridge");
    netlink_nest_end(n, info);
}

/* The peer's attributes follow a head of their own. */
static void add_peer(struct netlink *n, const struct link_veth *v)
{
    struct ifinfomsg head = {0};
    size_t peer = netlink_nest(n, VETH_INFO_PEER);
    buf_add(&n->out, &head, sizeof head);
    attr_text(n, IFLA_IFNAME, v->inner);
    netlink_attr(n, IFLA_NET_NS_FD, &v->netns, sizeof v->netns);
    netlink_attr(n, IFLA_ADDRESS, v->mac, 6);
    if (v->mtu)
        netlink_attr(n, IFLA_MTU, &v->mtu, sizeof v->mtu);
    netlink_nest_end(n, peer);
}

void link_queue_veth(struct netlink *n, const struct link_veth *v)
{
    begin_link(n, v->outer, v->mtu, NULL);
    netlink_attr(n, IFLA_MASTER, &v->bridge, sizeof v->bridge);
    size_t info = netlink_nest(n, IFLA_LINKINFO);
    attr_text(n, IFLA_INFO_KIND, "veth");
    size_t data = netlink_nest(n, IFLA_INFO_DATA);
    add_peer(n, v);
    netlink_nest_end(n, data);
    netlink_nest_end(n, info);
}

void link_queue_delete(struct netlink *n, const char *name)
{
    struct ifinfomsg head = {0};
    netlink_begin(n, RTM_DELLINK, 0, &head, sizeof head);
    attr_text(n, IFLA_IFNAME, name);
}

/* ---- addresses and routes ---- */

static void add_address(struct netlink *n, unsigned type, unsigned flags, int index, const struct ip *address)
{
    size_t len;
    const void *bytes = ip_bytes(address, &len);
    struct ifaddrmsg head = {.ifa_family = (unsigned char)address->family,
                             .ifa_prefixlen = address->prefix,
                             .ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
                             .ifa_index = (unsigned)index};
    netlink_begin(n, type, flags, &head, sizeof head);
    netlink_attr(n, IFA_LOCAL, bytes, len);
    netlink_attr(n, IFA_ADDRESS, bytes, len);
}

void link_queue_address(struct netlink *n, int index, const struct ip *address)
{
    add_address(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address);
}

void link_queue_address_delete(struct netlink *n, int index, const struct ip *address)
{
    add_address(n, RTM_DELADDR, 0, index, address);
}

void link_queue_route(struct netlink *n, int index, const struct ip *to, const struct ip *gateway, unsigned metric)
{
    size_t len;
    const void *bytes = gateway ? ip_bytes(gateway, &len) : NULL, *net = to ? ip_bytes(to, &len) : NULL;
    struct rtmsg head = {.rtm_family = (unsigned char)(gateway ? gateway : to)->family,
                         .rtm_dst_len = to ? to->prefix : 0,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_STATIC,
                         .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                         .rtm_type = RTN_UNICAST};
    netlink_begin(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
    if (net)
        netlink_attr(n, RTA_DST, net, len);
    if (bytes)
        netlink_attr(n, RTA_GATEWAY, bytes, len);
    netlink_attr(n, RTA_OIF, &index, sizeof index);
    if (metric)
        netlink_attr(n, RTA_PRIORITY, &metric, sizeof metric);
}

void link_queue_default_route(struct netlink *n, int index, const struct ip *gateway)
{
    link_queue_route(n, index, NULL, gateway, 0);
}

/* "local default dev lo src OWN" */
void link_queue_local_table(struct netlink *n, unsigned table, const struct ip *own)
{
    int lo = LOOPBACK_INDEX;
    size_t len;
    const void *bytes = ip_bytes(own, &len);
    struct rtmsg head = {.rtm_family = (unsigned char)own->family,
                         .rtm_table = (unsigned char)table,
                         .rtm_protocol = RTPROT_STATIC,
                         .rtm_scope = RT_SCOPE_HOST,
                         .rtm_type = RTN_LOCAL};
    netlink_begin(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof head);
    netlink_attr(n, RTA_OIF, &lo, sizeof lo);
    netlink_attr(n, RTA_PREFSRC, bytes, len);
}

static void begin_rule(struct netlink *n, sa_family_t family, unsigned table, unsigned to_bits)
{
    struct fib_rule_hdr head = {.family = (unsigned char)family,
                                .dst_len = (unsigned char)to_bits,
                                .table = (unsigned char)table,
                                .action = FR_ACT_TO_TBL};
    netlink_begin(n, RTM_NEWRULE, NLM_F_CREATE, &head, sizeof head);
}

void link_queue_marked(struct netlink *n, sa_family_t family, unsigned mark, unsigned table)
{
    begin_rule(n, family, table, 0);
    netlink_attr(n, FRA_FWMARK, &mark, sizeof mark);
}

void link_queue_replies(struct netlink *n, unsigned port, const struct ip *to, unsigned table)
{
    size_t len;
    const void *bytes = ip_bytes(to, &len);
    const unsigned char udp = IPPROTO_UDP;
    const struct fib_rule_port_range range = {(unsigned short)port, (unsigned short)port};
    begin_rule(n, to->family, table, (unsigned)len * 8);
    netlink_attr(n, FRA_DST, bytes, len);
    netlink_attr(n, FRA_IP_PROTO, &udp, sizeof udp);
    netlink_attr(n, FRA_SPORT_RANGE, &range, sizeof range);
}
