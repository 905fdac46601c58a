/* Private to net/: messages of the domain name system (RFC 1035, EDNS0: RFC 6891). Pure. All bytes may be hostile:
 * every function takes a length and stays in it, names are bounded, and a compression pointer only leads back. */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include "whelk/ip.h"

#include <stdint.h>

enum {
    DNS_HEAD = 12,       /* bytes of a header */
    DNS_NAME_MAX = 255,  /* of a name on the wire */
    DNS_TEXT_MAX = 256,  /* of one as text, its end included */
    DNS_PLAIN_UDP = 512, /* what a client without EDNS0 takes by UDP */
    DNS_QUERY_MAX = 4096,
    DNS_MESSAGE_MAX = 65535,
};
enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255 };
enum dns_code {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16, /* of EDNS */
};

/* As on the wire without compression: its labels, each behind its length, and the empty one. */
struct dns_name {
    uint8_t len;
    uint8_t wire[DNS_NAME_MAX];
};

/* The question of a query, and what its sender can take. */
struct dns_query {
    uint16_t id, flags;
    struct dns_name name;
    uint16_t type, class;
    size_t question_end; /* header and question are the bytes before */
    bool edns;
    uint16_t udp_size; /* the longest answer by UDP */
};

/* The name at *at of msg; *at goes behind it. -EBADMSG without text. */
int dns_read_name(const uint8_t *msg, size_t len, size_t *at, struct dns_name *ret);
/* Lower case, with dots between labels, "" for the root; false for what cannot be the name of a machine. */
bool dns_name_text(const struct dns_name *name, char ret[DNS_TEXT_MAX]);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/* Of a name below in-addr.arpa or ip6.arpa: the address. */
bool dns_name_address(const char *text, struct ip *ret);

/* What is to be said to a query: DNS_NOERROR if it can be answered, another code for an answer without records, or -1:
 * nothing (it is none, or too short for an answer). *ret is set but for -1. */
int dns_parse_query(const uint8_t *msg, size_t len, struct dns_query *ret);
/* Is msg a whole and well-formed answer with this id to that question? Returns its code, or -1. */
int dns_check_answer(const uint8_t *msg, size_t len, uint16_t id, const struct dns_query *asked);
bool dns_is_truncated(const uint8_t *msg, size_t len);
void dns_set_id(uint8_t *msg, uint16_t id);

/* An answer being written: begin, any number of records, end. What has no room is left out, and the answer says so. */
struct dns_writer {
    uint8_t *msg;
    size_t len, max;
    uint16_t records;
    bool truncated;
    const struct dns_query *query;
};
/* query_msg: the query's own bytes, whose question is repeated. max: of the answer; at least DNS_PLAIN_UDP. */
void dns_answer_begin(struct dns_writer *w, uint8_t *msg, size_t max, const uint8_t *query_msg,
                      const struct dns_query *query);
void dns_answer_address(struct dns_writer *w, const struct ip *address);
/* A PTR record; name as text. */
void dns_answer_name(struct dns_writer *w, const char *name);
/* own: the answer is of this server's own knowledge. Returns the length. */
size_t dns_answer_end(struct dns_writer *w, enum dns_code code, bool own);

#endif
