/* Addresses: text, networks, socket addresses. Pure. */
#include "whelk/ip.h"

#include "whelk/auto.h"
#include "whelk/str.h"

#include <arpa/inet.h>

static unsigned char bits(const struct ip *a)
{
    return a->family == AF_INET6 ? 128 : 32;
}

int ip_parse(const char *s, struct ip *ret)
{
    struct ip a = {0};
    char text[INET6_ADDRSTRLEN];
    size_t len = strlen(s);
    bool bracketed = *s == '[' && len > 2 && s[len - 1] == ']';
    if (bracketed) {
        s++;
        len -= 2;
    }
    if (len >= sizeof text)
        return -EINVAL;
    memcpy(text, s, len);
    text[len] = 0;
    if (!bracketed && inet_pton(AF_INET, text, &a.v4) == 1)
        a.family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a.v6) == 1)
        a.family = AF_INET6;
    else
        return -EINVAL;
    a.prefix = bits(&a);
    *ret = a;
    return 0;
}

int ip_parse_net(const char *s, struct ip *ret)
{
    const char *slash = strchr(s, '/');
    uint64_t prefix;
    struct ip a;
    auto_free char *text = xstrndup(s, slash ? (size_t)(slash - s) : 0);
    if (!slash || ip_parse(text, &a) < 0 || !str_to_u64(slash + 1, &prefix) || prefix > bits(&a))
        return -EINVAL;
    a.prefix = (unsigned char)prefix;
    *ret = a;
    return 0;
}

const void *ip_bytes(const struct ip *a, size_t *ret_len)
{
    *ret_len = a->family == AF_INET6 ? sizeof a->v6 : a->family == AF_INET ? sizeof a->v4 : 0;
    return a->family == AF_INET6 ? (const void *)&a->v6 : &a->v4;
}

const char *ip_format(const struct ip *a, char buf[IP_TEXT])
{
    size_t len;
    *buf = 0;
    if (a->family)
        inet_ntop(a->family, ip_bytes(a, &len), buf, IP_TEXT);
    return buf;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    size_t n, m;
    const void *x = ip_bytes(a, &n), *y = ip_bytes(b, &m);
    return n && n == m && memcmp(x, y, n) == 0;
}

bool ip_in_net(const struct ip *a, const struct ip *net)
{
    size_t n, m;
    const unsigned char *x = ip_bytes(a, &n), *y = ip_bytes(net, &m);
    unsigned whole = net->prefix / 8, rest = net->prefix % 8;
    if (!n || n != m || memcmp(x, y, whole) != 0)
        return false;
    return !rest || (x[whole] ^ y[whole]) >> (8 - rest) == 0;
}

bool ip_is_loopback(const struct ip *a)
{
    return a->family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&a->v6)
                                 : a->family == AF_INET && ntohl(a->v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

struct ip ip_nth(const struct ip *net, unsigned n)
{
    struct ip a = *net;
    size_t len;
    unsigned char *bytes = (unsigned char *)(uintptr_t)ip_bytes(&a, &len);
    for (size_t i = 0; i < len; i++) {
        int host_bits = (int)(i + 1) * 8 - a.prefix;
        if (host_bits > 0)
            bytes[i] &= (unsigned char)(host_bits >= 8 ? 0 : 0xff << host_bits);
    }
    for (size_t i = len; i-- > 0 && n; n >>= 8) {
        n += bytes[i];
        bytes[i] = (unsigned char)n;
    }
    return a;
}

socklen_t ip_to_sockaddr(const struct ip *a, unsigned port, struct sockaddr_storage *ret)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = a->v6};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = a->v4};
    if (a->family == AF_INET6)
        memcpy(ret, &v6, sizeof v6);
    else
        memcpy(ret, &v4, sizeof v4);
    return a->family == AF_INET6 ? sizeof v6 : sizeof v4;
}

void ip_from_sockaddr(const struct sockaddr_storage *sa, struct ip *ret, unsigned *ret_port)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
    struct ip a = {.family = sa->ss_family};
    *ret_port = ntohs(sa->ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
    if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        a.family = AF_INET;
        memcpy(&a.v4, &v6->sin6_addr.s6_addr[12], sizeof a.v4);
    } else if (sa->ss_family == AF_INET6) {
        a.v6 = v6->sin6_addr;
    } else {
        a.v4 = v4->sin_addr;
    }
    a.prefix = bits(&a);
    *ret = a;
}

int mac_parse(const char *s, unsigned char ret[6])
{
    unsigned char mac[6];
    if (strlen(s) != 17)
        return -EINVAL;
    for (int i = 0; i < 6; i++, s += 3) {
        char digits[3] = {s[0], s[1], 0}, *end;
        mac[i] = (unsigned char)strtoul(digits, &end, 16);
        if (*end || s[0] == '+' || s[0] == '-' || s[0] == ' ' || (i < 5 && s[2] != ':' && s[2] != '-'))
            return -EINVAL;
    }
    if (mac[0] & 1) /* a group's address cannot be an interface's */
        return -EINVAL;
    memcpy(ret, mac, sizeof mac);
    return 0;
}

const char *mac_format(const unsigned char mac[6], char buf[18])
{
    snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return buf;
}
