/* Addresses of either family as plain values. Pure: nothing is looked up. */
#ifndef WHELK_IP_H
#define WHELK_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* family 0: none. prefix is the length of the network part, where there is one. */
struct ip {
    sa_family_t family;
    unsigned char prefix;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    };
};

enum { IP_TEXT = INET6_ADDRSTRLEN + 4 };

/* "192.0.2.1" or "2001:db8::1", also in brackets; prefix is that of a single address. -EINVAL without text. */
int ip_parse(const char *s, struct ip *ret);
/* "192.0.2.0/24": the address as given, with its prefix. -EINVAL without text. */
int ip_parse_net(const char *s, struct ip *ret);
/* Into buf, without the prefix; returns buf, "" for none. */
const char *ip_format(const struct ip *a, char buf[IP_TEXT]);
bool ip_equal(const struct ip *a, const struct ip *b); /* the prefixes do not count */
/* Is a in the network of net? */
bool ip_in_net(const struct ip *a, const struct ip *net);
bool ip_is_loopback(const struct ip *a);
/* Address number n of the network (0 is the network itself). */
struct ip ip_nth(const struct ip *net, unsigned n);
/* The bytes of the address, in network order, and how many. */
const void *ip_bytes(const struct ip *a, size_t *ret_len);

/* A socket address and back; an IPv4 address that came mapped into IPv6 is one of IPv4 again. Returns the length. */
socklen_t ip_to_sockaddr(const struct ip *a, unsigned port, struct sockaddr_storage *ret);
void ip_from_sockaddr(const struct sockaddr_storage *sa, struct ip *ret, unsigned *ret_port);

/* "02:00:5e:..." to six bytes; -EINVAL without text for what is none, or is a group's. */
int mac_parse(const char *s, unsigned char ret[6]);
const char *mac_format(const unsigned char mac[6], char buf[18]);

#endif
