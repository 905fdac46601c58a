/* Any bytes as a query of a container and as an answer of a server: what is read stays within the message, and what is
 * said to it is an answer that is read again. */
#include "dns-message.h"

#include "whelk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every third of the given addresses and a name, until one may not fit. */
static void answer(const uint8_t *msg, const struct dns_query *q, int code, size_t max)
{
    uint8_t *out = xmalloc(max); /* of just this size, so that a byte beyond is seen */
    struct ip a = {.family = AF_INET}, b = {.family = AF_INET6};
    struct dns_writer w;
    dns_answer_begin(&w, out, max, msg, q);
    for (int i = 0; i < 40; i++) {
        dns_answer_address(&w, i % 3 ? &a : &b);
        dns_answer_name(&w, "web.example");
    }
    size_t len = dns_answer_end(&w, code > 0 ? (enum dns_code)code : DNS_NOERROR, true);
    if (len > max || (q->question_end && dns_check_answer(out, len, q->id, q) != (code & 0xf)))
        abort();
    free(out);
}

static void names(const struct dns_query *q)
{
    char text[DNS_TEXT_MAX];
    struct ip ip;
    if (!dns_name_equal(&q->name, &q->name) || q->name.len < 1 || q->name.wire[q->name.len - 1] != 0)
        abort();
    if (dns_name_text(&q->name, text) && (strlen(text) + 2 > DNS_TEXT_MAX || strlen(text) + 1 > q->name.len))
        abort();
    if (dns_name_text(&q->name, text) && dns_name_address(text, &ip) && !ip.family)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_query q = {0};
    int code = dns_parse_query(data, size, &q);
    if (code >= 0) {
        answer(data, &q, code, DNS_PLAIN_UDP);
        answer(data, &q, code, DNS_QUERY_MAX);
    }
    if (code == DNS_NOERROR) {
        uint8_t *again = xmalloc(size);
        memcpy(again, data, size);
        dns_set_id(again, 7);
        again[2] |= 0x80; /* its echo is an answer to it */
        if (dns_check_answer(again, size, 7, &q) < 0 || q.question_end > size)
            abort();
        free(again);
        names(&q);
    } else {
        dns_check_answer(data, size, size > 1 ? (uint16_t)(data[0] << 8 | data[1]) : 0, &q);
    }
    dns_is_truncated(data, size);
    return 0;
}
