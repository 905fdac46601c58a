/* Messages of the domain name system: a reader that takes nothing on trust, and a writer of small answers.
 *
 * Runs in: the resolver of named networks (dns.c), which is confined; the bytes come from containers and from servers.
 */
#include "dns-message.h"

#include "whelk/str.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum {
    LABEL_MAX = 63,
    POINTER = 0xc0,
    QR = 0x8000,
    OPCODE = 0x7800,
    AA = 0x0400,
    TC = 0x0200,
    RD = 0x0100,
    RA = 0x0080,
    CD = 0x0010,
    CODE = 0x000f,
    CLASS_IN = 1,
    CLASS_ANY = 255,
    RECORD_FIXED = 10, /* type, class, time to live, length */
    OPT_BYTES = 11,    /* an OPT record without options */
    OWN_UDP_SIZE = 1232,
};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* The places of the header. */
enum { AT_ID = 0, AT_FLAGS = 2, AT_QUESTIONS = 4, AT_ANSWERS = 6, AT_AUTHORITIES = 8, AT_ADDITIONALS = 10 };

/* ---- names ---- */

/* A pointer leads to before the piece of the name that has it: so each piece begins earlier than the one before, and
 * there is an end. */
int dns_read_name(const uint8_t *msg, size_t len, size_t *at, struct dns_name *ret)
{
    size_t p = *at, piece = *at, behind = 0, n = 0;
    for (;;) {
        if (p >= len)
            return -EBADMSG;
        unsigned label = msg[p];
        if ((label & POINTER) == POINTER) {
            if (p + 2 > len)
                return -EBADMSG;
            size_t to = get16(msg + p) & ~(POINTER << 8);
            behind = behind ? behind : p + 2;
            if (to >= piece || to < DNS_HEAD)
                return -EBADMSG;
            p = piece = to;
            continue;
        }
        if (label > LABEL_MAX || p + 1 + label > len || n + 1 + label > DNS_NAME_MAX)
            return -EBADMSG;
        memcpy(ret->wire + n, msg + p, 1 + label);
        n += 1 + label;
        p += 1 + label;
        if (label == 0)
            break;
    }
    ret->len = (uint8_t)n;
    *at = behind ? behind : p;
    return 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

bool dns_name_text(const struct dns_name *name, char ret[DNS_TEXT_MAX])
{
    size_t n = 0;
    for (size_t at = 0; name->wire[at]; at += 1 + name->wire[at]) {
        if (n)
            ret[n++] = '.';
        for (size_t i = 1; i <= name->wire[at]; i++) {
            uint8_t c = lower(name->wire[at + i]);
            if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
                return false;
            ret[n++] = (char)c;
        }
    }
    ret[n] = '\0';
    return true;
}

/* Lengths are never in the range of letters, so that the whole can be compared. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (lower(a->wire[i]) != lower(b->wire[i]))
            return false;
    return true;
}

static bool address4(const char *text, size_t len, struct ip *ret)
{
    char digits[INET_ADDRSTRLEN];
    unsigned char b[4];
    struct in_addr reversed;
    if (len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (inet_pton(AF_INET, digits, &reversed) != 1)
        return false;
    memcpy(b, &reversed, sizeof b);
    *ret = (struct ip){.family = AF_INET, .prefix = 32};
    ret->v4.s_addr = htonl((uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0]);
    return true;
}

static bool address6(const char *text, size_t len, struct ip *ret)
{
    static const char hex[] = "0123456789abcdef";
    enum { NIBBLES = 32 };
    *ret = (struct ip){.family = AF_INET6, .prefix = 128};
    if (len != 2 * NIBBLES - 1)
        return false;
    for (size_t i = 0; i < NIBBLES; i++) {
        const char *digit = strchr(hex, text[2 * i]);
        if (!text[2 * i] || !digit || (i + 1 < NIBBLES && text[2 * i + 1] != '.'))
            return false;
        size_t at = NIBBLES - 1 - i;
        ret->v6.s6_addr[at / 2] |= (uint8_t)((digit - hex) << (at % 2 ? 0 : 4));
    }
    return true;
}

bool dns_name_address(const char *text, struct ip *ret)
{
    static const char end4[] = ".in-addr.arpa", end6[] = ".ip6.arpa";
    size_t len = strlen(text);
    if (str_ends(text, end4))
        return address4(text, len - strlen(end4), ret);
    return str_ends(text, end6) && address6(text, len - strlen(end6), ret);
}

/* ---- reading messages ---- */

struct record {
    struct dns_name name;
    uint16_t type, class;
    uint32_t ttl;
    uint16_t length; /* of its data, which ends at *at */
};

static int read_record(const uint8_t *msg, size_t len, size_t *at, struct record *ret)
{
    if (dns_read_name(msg, len, at, &ret->name) < 0 || len - *at < RECORD_FIXED)
        return -EBADMSG;
    const uint8_t *p = msg + *at;
    ret->type = get16(p);
    ret->class = get16(p + 2);
    ret->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
    ret->length = get16(p + 8);
    *at += RECORD_FIXED;
    if (len - *at < ret->length)
        return -EBADMSG;
    *at += ret->length;
    return 0;
}

static int read_question(const uint8_t *msg, size_t len, struct dns_query *ret)
{
    size_t at = DNS_HEAD;
    if (get16(msg + AT_QUESTIONS) != 1 || dns_read_name(msg, len, &at, &ret->name) < 0 || len - at < 4)
        return -EBADMSG;
    ret->type = get16(msg + at);
    ret->class = get16(msg + at + 2);
    ret->question_end = at + 4;
    return 0;
}

/* What may follow a question: one OPT record (its class is a size, its time to live has a code and a version). */
static enum dns_code read_additionals(const uint8_t *msg, size_t len, struct dns_query *q)
{
    size_t at = q->question_end;
    enum dns_code code = DNS_NOERROR;
    for (unsigned n = get16(msg + AT_ADDITIONALS); n; n--) {
        struct record r;
        if (read_record(msg, len, &at, &r) < 0)
            return DNS_FORMERR;
        if (r.type != DNS_OPT)
            continue;
        if (q->edns || r.name.len != 1)
            return DNS_FORMERR;
        q->edns = true;
        q->udp_size = MAX(r.class, (uint16_t)DNS_PLAIN_UDP);
        code = (r.ttl >> 16 & 0xff) ? DNS_BADVERS : code;
    }
    return at == len ? code : DNS_FORMERR;
}

int dns_parse_query(const uint8_t *msg, size_t len, struct dns_query *ret)
{
    if (len < DNS_HEAD || get16(msg + AT_FLAGS) & QR)
        return -1;
    *ret = (struct dns_query){.id = get16(msg), .flags = get16(msg + AT_FLAGS), .udp_size = DNS_PLAIN_UDP};
    if (ret->flags & OPCODE)
        return DNS_NOTIMP;
    if (get16(msg + AT_ANSWERS) || get16(msg + AT_AUTHORITIES) || read_question(msg, len, ret) < 0) {
        ret->question_end = 0;
        return DNS_FORMERR;
    }
    return (int)read_additionals(msg, len, ret);
}

static bool well_formed(const uint8_t *msg, size_t len, size_t at)
{
    unsigned n = (unsigned)get16(msg + AT_ANSWERS) + get16(msg + AT_AUTHORITIES) + get16(msg + AT_ADDITIONALS);
    bool fine = true;
    for (struct record r; n && fine; n--)
        fine = read_record(msg, len, &at, &r) == 0;
    return fine && at == len;
}

int dns_check_answer(const uint8_t *msg, size_t len, uint16_t id, const struct dns_query *asked)
{
    struct dns_query q;
    if (len < DNS_HEAD || get16(msg) != id)
        return -1;
    unsigned flags = get16(msg + AT_FLAGS);
    if (!(flags & QR) || flags & OPCODE || read_question(msg, len, &q) < 0 || q.type != asked->type ||
        q.class != asked->class || !dns_name_equal(&q.name, &asked->name) || !well_formed(msg, len, q.question_end))
        return -1;
    return (int)(flags & CODE);
}

bool dns_is_truncated(const uint8_t *msg, size_t len)
{
    return len >= DNS_HEAD && get16(msg + AT_FLAGS) & TC;
}

void dns_set_id(uint8_t *msg, uint16_t id)
{
    put16(msg, id);
}

/* ---- writing answers ---- */

void dns_answer_begin(struct dns_writer *w, uint8_t *msg, size_t max, const uint8_t *query_msg,
                      const struct dns_query *query)
{
    size_t question = query->question_end > DNS_HEAD ? query->question_end - DNS_HEAD : 0;
    memset(msg, 0, DNS_HEAD);
    memcpy(msg + DNS_HEAD, query_msg + DNS_HEAD, question);
    put16(msg, query->id);
    put16(msg + AT_QUESTIONS, question ? 1 : 0);
    *w = (struct dns_writer){.msg = msg,
                             .len = DNS_HEAD + question,
                             .max = max - (query->edns ? OPT_BYTES : 0), /* whose place is kept */
                             .query = query};
}

/* A record for the name of the question, to which it points; it is not to be kept (time to live 0). */
static void add_record(struct dns_writer *w, unsigned type, const void *data, size_t len)
{
    enum { POINTED_NAME = 2 };
    if (w->truncated || w->len + POINTED_NAME + RECORD_FIXED + len > w->max) {
        w->truncated = true;
        return;
    }
    uint8_t *p = w->msg + w->len;
    memset(p, 0, POINTED_NAME + RECORD_FIXED);
    put16(p, POINTER << 8 | DNS_HEAD);
    put16(p + 2, type);
    put16(p + 4, CLASS_IN);
    put16(p + 10, (unsigned)len);
    memcpy(p + POINTED_NAME + RECORD_FIXED, data, len);
    w->len += POINTED_NAME + RECORD_FIXED + len;
    w->records++;
}

void dns_answer_address(struct dns_writer *w, const struct ip *address)
{
    size_t len;
    const void *bytes = ip_bytes(address, &len);
    add_record(w, address->family == AF_INET6 ? DNS_AAAA : DNS_A, bytes, len);
}

void dns_answer_name(struct dns_writer *w, const char *name)
{
    uint8_t wire[DNS_NAME_MAX];
    size_t n = 0;
    while (*name) {
        size_t label = strcspn(name, ".");
        if (!label || label > LABEL_MAX || n + label + 2 > sizeof wire)
            return; /* no name that could be asked for */
        wire[n++] = (uint8_t)label;
        memcpy(wire + n, name, label);
        n += label;
        name += label + (name[label] ? 1 : 0);
    }
    wire[n++] = 0;
    add_record(w, DNS_PTR, wire, n);
}

/* The code's upper bits are the OPT record's. */
static void add_opt(struct dns_writer *w, unsigned code)
{
    uint8_t *p = w->msg + w->len;
    memset(p, 0, OPT_BYTES);
    put16(p + 1, DNS_OPT);
    put16(p + 3, OWN_UDP_SIZE);
    p[5] = (uint8_t)(code >> 4);
    put16(w->msg + AT_ADDITIONALS, 1);
    w->len += OPT_BYTES;
}

size_t dns_answer_end(struct dns_writer *w, enum dns_code code, bool own)
{
    unsigned flags = QR | RA | (w->query->flags & (OPCODE | RD | CD)) | ((unsigned)code & CODE);
    put16(w->msg + AT_FLAGS, flags | (own ? AA : 0) | (w->truncated ? TC : 0));
    put16(w->msg + AT_ANSWERS, w->records);
    if (w->query->edns)
        add_opt(w, code);
    return w->len;
}
