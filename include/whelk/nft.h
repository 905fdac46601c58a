/* nftables: one table of whelk's own, built in memory and put in place by one transaction. Small and without a library:
 * just what networks need.
 *
 *     struct nft f;
 *     nft_open(&f, AF_BRIDGE, "whelk");
 *     nft_replace(&f);
 *     nft_chain(&f, "from", "filter", NF_BR_PRE_ROUTING, -300);
 *     nft_rule(&f, "from");
 *     nft_meta(&f, NFT_META_IIFNAME, NFT_REG_1);
 *     nft_compare(&f, NFT_REG_1, NFT_CMP_NEQ, "whv", 3);
 *     nft_verdict(&f, NF_DROP);
 *     nft_rule_end(&f);
 *     nft_commit(&f, "set up packet filters");
 *     nft_close(&f);
 *
 * Registers: NFT_REG_1... of 16 bytes, NFT_REG32_00... of 4. */
#ifndef WHELK_NFT_H
#define WHELK_NFT_H

#include "whelk/netlink.h"

struct nft {
    struct netlink n;
    unsigned char family; /* NFPROTO_* */
    const char *table;
    unsigned sets; /* numbered in a transaction */
    size_t exprs;  /* the open nest of a rule's expressions */
};

/* In the network namespace that the process is in. table stays the caller's. */
int nft_open(struct nft *f, unsigned char family, const char *table);
void nft_close(struct nft *f);
/* The table is there, and empty. */
void nft_replace(struct nft *f);
/* The table goes, if it is there. */
void nft_remove(struct nft *f);
/* A base chain that accepts what no rule ends. */
void nft_chain(struct nft *f, const char *name, const char *type, unsigned hook, int priority);
/* A set of keys of len bytes, each field of them filled up to whole words; then elements of it. type: how the program
 * nft shows them, six bits a field. */
enum nft_type { NFT_TYPE_IPV4 = 7, NFT_TYPE_IPV6 = 8, NFT_TYPE_MAC = 9, NFT_TYPE_IFNAME = 41 };
void nft_set(struct nft *f, const char *name, unsigned type, unsigned len);
struct nft_key {
    unsigned char bytes[40];
};
void nft_elements(struct nft *f, const char *set, const struct nft_key *keys, size_t n, unsigned len);
/* Takes out elements that are there: one that is not makes the transaction fail with -ENOENT. */
void nft_elements_delete(struct nft *f, const char *set, const struct nft_key *keys, size_t n, unsigned len);

void nft_rule(struct nft *f, const char *chain);
void nft_rule_end(struct nft *f);
void nft_meta(struct nft *f, unsigned key, unsigned reg);
void nft_payload(struct nft *f, unsigned base, unsigned offset, unsigned len, unsigned reg);
void nft_mask(struct nft *f, unsigned reg, const void *mask, unsigned len);
void nft_compare(struct nft *f, unsigned reg, unsigned op, const void *data, size_t len);
void nft_lookup(struct nft *f, const char *set, unsigned reg, bool absent);
void nft_verdict(struct nft *f, int verdict);
void nft_masquerade(struct nft *f);

/* All of it or nothing. -errno with text. */
int nft_commit(struct nft *f, const char *what);

#endif
