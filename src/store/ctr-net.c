/* The parts of container records that tell of networks. */
#include "whelk/ctr.h"

static const struct rec_field net_fields[] = {
    REC_FIELD(struct ctr_net, STR, name, "name"),
    REC_FIELD(struct ctr_net, STR, target, "target"),
    REC_FIELD(struct ctr_net, STRV, options, "options"),
    REC_FIELD(struct ctr_net, STRV, aliases, "aliases"),
    REC_FIELD(struct ctr_net, STR, ip, "ip"),
    REC_FIELD(struct ctr_net, STR, ip6, "ip6"),
    REC_FIELD(struct ctr_net, STR, mac, "mac"),
    REC_FIELD(struct ctr_net, STR, interface, "interface"),
    REC_END,
};
const struct rec_type ctr_net_rec = {"network", 0, sizeof(struct ctr_net), net_fields};

static const struct rec_field port_fields[] = {
    REC_FIELD(struct ctr_port, STR, host_ip, "host_ip"),   REC_FIELD(struct ctr_port, INT, host_port, "host_port"),
    REC_FIELD(struct ctr_port, INT, host_end, "host_end"), REC_FIELD(struct ctr_port, INT, port, "port"),
    REC_FIELD(struct ctr_port, INT, count, "count"),       REC_FIELD(struct ctr_port, STR, proto, "proto"),
    REC_FIELD(struct ctr_port, BOOL, hide, "hide"),        REC_END,
};
const struct rec_type ctr_port_rec = {"port", 0, sizeof(struct ctr_port), port_fields};

static const struct rec_field live_net_fields[] = {
    REC_FIELD(struct ctr_live_net, STR, name, "name"),
    REC_FIELD(struct ctr_live_net, STR, interface, "interface"),
    REC_FIELD(struct ctr_live_net, STR, mac, "mac"),
    REC_FIELD(struct ctr_live_net, STR, ip, "ip"),
    REC_FIELD(struct ctr_live_net, STR, gateway, "gateway"),
    REC_FIELD(struct ctr_live_net, STR, ip6, "ip6"),
    REC_FIELD(struct ctr_live_net, STR, gateway6, "gateway6"),
    REC_FIELD(struct ctr_live_net, INT, prefix, "prefix"),
    REC_FIELD(struct ctr_live_net, INT, prefix6, "prefix6"),
    REC_END,
};
const struct rec_type ctr_live_net_rec = {"network", 0, sizeof(struct ctr_live_net), live_net_fields};
