/* nftables by its netlink messages (linux/netfilter/nf_tables.h): numbers are in network order, a rule is a list of
 * expressions that work on registers. Runs in: whoever is in the network namespace and has CAP_NET_ADMIN there. */
#include "whelk/nft.h"

#include "whelk/err.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

static struct nfgenmsg head_of(const struct nft *f)
{
    return (struct nfgenmsg){.nfgen_family = f->family, .version = NFNETLINK_V0};
}

static void attr_text(struct nft *f, unsigned type, const char *text)
{
    netlink_attr(&f->n, type, text, strlen(text) + 1);
}

static void attr_u32(struct nft *f, unsigned type, unsigned value)
{
    uint32_t big = htonl(value);
    netlink_attr(&f->n, type, &big, sizeof big);
}

/* Every message names its table by attribute 1. */
static void begin(struct nft *f, unsigned message, unsigned flags)
{
    struct nfgenmsg head = head_of(f);
    netlink_begin(&f->n, NFNL_SUBSYS_NFTABLES << 8 | message, flags, &head, sizeof head);
    attr_text(f, NFTA_TABLE_NAME, f->table);
}

static void border(struct nft *f, unsigned type)
{
    struct nfgenmsg head = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    netlink_border(&f->n, type, &head, sizeof head);
}

int nft_open(struct nft *f, unsigned char family, const char *table)
{
    *f = (struct nft){.family = family, .table = table};
    int r = netlink_open_filter(&f->n);
    if (r == 0)
        border(f, NFNL_MSG_BATCH_BEGIN);
    return r;
}

void nft_close(struct nft *f)
{
    netlink_close(&f->n);
}

int nft_commit(struct nft *f, const char *what)
{
    border(f, NFNL_MSG_BATCH_END);
    int r = netlink_commit(&f->n, what);
    border(f, NFNL_MSG_BATCH_BEGIN);
    return r;
}

/* ---- tables, chains, sets ---- */

/* To remove what may not be there: it is made first. */
void nft_remove(struct nft *f)
{
    begin(f, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    begin(f, NFT_MSG_DELTABLE, 0);
}

void nft_replace(struct nft *f)
{
    nft_remove(f);
    begin(f, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

void nft_chain(struct nft *f, const char *name, const char *type, unsigned hook, int priority)
{
    begin(f, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    attr_text(f, NFTA_CHAIN_NAME, name);
    attr_text(f, NFTA_CHAIN_TYPE, type);
    size_t nest = netlink_nest(&f->n, NFTA_CHAIN_HOOK);
    attr_u32(f, NFTA_HOOK_HOOKNUM, hook);
    attr_u32(f, NFTA_HOOK_PRIORITY, (unsigned)priority);
    netlink_nest_end(&f->n, nest);
    attr_u32(f, NFTA_CHAIN_POLICY, NF_ACCEPT);
}

void nft_set(struct nft *f, const char *name, unsigned type, unsigned len)
{
    begin(f, NFT_MSG_NEWSET, NLM_F_CREATE);
    attr_text(f, NFTA_SET_NAME, name);
    attr_u32(f, NFTA_SET_FLAGS, 0);
    attr_u32(f, NFTA_SET_KEY_TYPE, type);
    attr_u32(f, NFTA_SET_KEY_LEN, len);
    attr_u32(f, NFTA_SET_ID, ++f->sets);
}

static void elements(struct nft *f, unsigned message, unsigned flags, const char *set, const struct nft_key *keys,
                     size_t n, unsigned len)
{
    if (!n)
        return;
    begin(f, message, flags);
    attr_text(f, NFTA_SET_ELEM_LIST_SET, set);
    size_t list = netlink_nest(&f->n, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < n; i++) {
        size_t element = netlink_nest(&f->n, NFTA_LIST_ELEM), key = netlink_nest(&f->n, NFTA_SET_ELEM_KEY);
        netlink_attr(&f->n, NFTA_DATA_VALUE, keys[i].bytes, len);
        netlink_nest_end(&f->n, key);
        netlink_nest_end(&f->n, element);
    }
    netlink_nest_end(&f->n, list);
}

void nft_elements(struct nft *f, const char *set, const struct nft_key *keys, size_t n, unsigned len)
{
    elements(f, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, keys, n, len);
}

void nft_elements_delete(struct nft *f, const char *set, const struct nft_key *keys, size_t n, unsigned len)
{
    elements(f, NFT_MSG_DELSETELEM, 0, set, keys, n, len);
}

/* ---- rules ---- */

void nft_rule(struct nft *f, const char *chain)
{
    begin(f, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    attr_text(f, NFTA_RULE_CHAIN, chain);
    f->exprs = netlink_nest(&f->n, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft *f)
{
    netlink_nest_end(&f->n, f->exprs);
}

struct expression {
    size_t element, data;
};

static struct expression expression(struct nft *f, const char *name)
{
    struct expression e = {.element = netlink_nest(&f->n, NFTA_LIST_ELEM)};
    attr_text(f, NFTA_EXPR_NAME, name);
    e.data = netlink_nest(&f->n, NFTA_EXPR_DATA);
    return e;
}

static void expression_end(struct nft *f, struct expression e)
{
    netlink_nest_end(&f->n, e.data);
    netlink_nest_end(&f->n, e.element);
}

static void add_value(struct nft *f, unsigned type, const void *data, size_t len)
{
    size_t nest = netlink_nest(&f->n, type);
    netlink_attr(&f->n, NFTA_DATA_VALUE, data, len);
    netlink_nest_end(&f->n, nest);
}

void nft_meta(struct nft *f, unsigned key, unsigned reg)
{
    struct expression e = expression(f, "meta");
    attr_u32(f, NFTA_META_KEY, key);
    attr_u32(f, NFTA_META_DREG, reg);
    expression_end(f, e);
}

void nft_payload(struct nft *f, unsigned base, unsigned offset, unsigned len, unsigned reg)
{
    struct expression e = expression(f, "payload");
    attr_u32(f, NFTA_PAYLOAD_DREG, reg);
    attr_u32(f, NFTA_PAYLOAD_BASE, base);
    attr_u32(f, NFTA_PAYLOAD_OFFSET, offset);
    attr_u32(f, NFTA_PAYLOAD_LEN, len);
    expression_end(f, e);
}

void nft_mask(struct nft *f, unsigned reg, const void *mask, unsigned len)
{
    static const unsigned char zero[16];
    struct expression e = expression(f, "bitwise");
    attr_u32(f, NFTA_BITWISE_SREG, reg);
    attr_u32(f, NFTA_BITWISE_DREG, reg);
    attr_u32(f, NFTA_BITWISE_LEN, len);
    add_value(f, NFTA_BITWISE_MASK, mask, len);
    add_value(f, NFTA_BITWISE_XOR, zero, len);
    expression_end(f, e);
}

void nft_compare(struct nft *f, unsigned reg, unsigned op, const void *data, size_t len)
{
    struct expression e = expression(f, "cmp");
    attr_u32(f, NFTA_CMP_SREG, reg);
    attr_u32(f, NFTA_CMP_OP, op);
    add_value(f, NFTA_CMP_DATA, data, len);
    expression_end(f, e);
}

void nft_lookup(struct nft *f, const char *set, unsigned reg, bool absent)
{
    struct expression e = expression(f, "lookup");
    attr_text(f, NFTA_LOOKUP_SET, set);
    attr_u32(f, NFTA_LOOKUP_SREG, reg);
    if (absent)
        attr_u32(f, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    expression_end(f, e);
}

void nft_verdict(struct nft *f, int verdict)
{
    struct expression e = expression(f, "immediate");
    attr_u32(f, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = netlink_nest(&f->n, NFTA_IMMEDIATE_DATA), code = netlink_nest(&f->n, NFTA_DATA_VERDICT);
    attr_u32(f, NFTA_VERDICT_CODE, (unsigned)verdict);
    netlink_nest_end(&f->n, code);
    netlink_nest_end(&f->n, data);
    expression_end(f, e);
}

void nft_masquerade(struct nft *f)
{
    expression_end(f, expression(f, "masq"));
}
