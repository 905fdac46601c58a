/* The kinds of networks, a row each. */
#include "kinds.h"

#include "whelk/str.h"

#define PRIVATE_HELP "allow_host_loopback=, cidr=, enable_ipv6=, mtu="

const struct net_kind net_kinds[] = {
    {"private", PRIVATE_HELP, NET_OWN | NET_OPTIONAL | NET_ADDRESSES, private_parse, private_open, private_inside,
     private_attach, private_detach},
    {"none", NULL, NET_OWN, NULL, loopback_open, loopback_inside, NULL, NULL},
    {"host", NULL, 0, NULL, NULL, NULL, NULL, NULL},
    {"pasta", "pasta's own options", NET_OWN | NET_ENTERED, pasta_parse, pasta_open, NULL, pasta_attach, NULL},
    {NETWORK_DEFAULT, "alias=, ip=, ip6=, mac=, interface_name=", NET_OWN | NET_ADDRESSES | NET_ENTERED | NET_ALIASES,
     bridge_parse, bridge_open, NULL, bridge_attach, NULL},
};
const size_t n_net_kinds = ARRAY_LEN(net_kinds);

const struct net_kind *net_kind_find(const char *name)
{
    for (size_t i = 0; i < n_net_kinds; i++)
        if (str_eq(net_kinds[i].name, name))
            return &net_kinds[i];
    return NULL;
}

const struct net_kind *net_kind_of(const char *name)
{
    const struct net_kind *k = net_kind_find(name);
    return k ? k : net_kind_find(NETWORK_DEFAULT);
}
