/* Private to net/: a TCP/IP stack in user space (libslirp) behind a tap device. */
#ifndef NET_SLIRP_H
#define NET_SLIRP_H

#include "whelk/ip.h"

/* The IPv6 network behind such a device, without the last part. */
#define SLIRP_NET6 "fd77:6865:6c6b::"

/* Plain bytes: it travels to the helper. */
struct slirp_setup {
    struct ip net, gateway, dns;    /* of IPv4; net has the prefix */
    struct ip net6, gateway6, dns6; /* family 0: no IPv6 */
    unsigned mtu;
    bool host_loopback; /* the gateway's address is the host's loopback */
};

/* Loads the library: 0 or -errno with text. */
int slirp_load(void);
/* Moves packets between tap and the internet until sock or the tap is at its end. */
void slirp_serve(const struct slirp_setup *setup, int tap, int sock);

#endif
