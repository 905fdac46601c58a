/* Messages of the domain name system: names, queries, answers. */
#include "dns-message.h"

#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define WEB_A "\3wEb\0\0\1\0\1" /* the question of web's A */
#define OPT "\0\0\x29\4\xd0\0\0\0\0\0\0"
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static void test_names(void **state)
{
    static const struct {
        const char *title;
        const uint8_t *bytes;
        size_t len, at;
        int r;
        size_t behind;
        const char *text; /* NULL: none */
    } cases[] = {
        {"plain", BYTES("\3web\7example\0"), 0, 0, 13, "web.example"},
        {"the root", BYTES("\0"), 0, 0, 1, ""},
        {"upper case", BYTES("\3WEB\0"), 0, 0, 5, "web"},
        {"pointer back", BYTES("xxxxxxxxxxxx\3web\0\2db\xc0\x0c"), 17, 0, 22, "db.web"},
        {"two pointers", BYTES("xxxxxxxxxxxx\1a\0\1b\xc0\x0c\1c\xc0\x0f"), 19, 0, 23, "c.b.a"},
        {"a dot in a label", BYTES("\3w.b\0"), 0, 0, 5, NULL},
        {"a zero in a label", BYTES("\3w\0b\0"), 0, 0, 5, NULL},
        {"pointer to itself", BYTES("xxxxxxxxxxxx\xc0\x0c"), 12, -EBADMSG, 0, NULL},
        {"pointer into its own piece", BYTES("xxxxxxxxxxxx\1a\xc0\x0c"), 12, -EBADMSG, 0, NULL},
        {"pointer forward", BYTES("xxxxxxxxxxxx\xc0\x0e\1a\0"), 12, -EBADMSG, 0, NULL},
        {"pointer into the header", BYTES("\1a\0xxxxxxxxx\xc0\0"), 12, -EBADMSG, 0, NULL},
        {"two that chase each other", BYTES("xxxxxxxxxxxx\xc0\x0e\xc0\x0c"), 14, -EBADMSG, 0, NULL},
        {"half a pointer", BYTES("xxxxxxxxxxxx\1a\0\xc0"), 15, -EBADMSG, 0, NULL},
        {"no end", BYTES("\3web"), 0, -EBADMSG, 0, NULL},
        {"label beyond the end", BYTES("\7web"), 0, -EBADMSG, 0, NULL},
        {"label of a kind unknown", BYTES("\x41web\0"), 0, -EBADMSG, 0, NULL},
        {"nothing", BYTES(""), 0, -EBADMSG, 0, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dns_name name = {0};
        char text[DNS_TEXT_MAX];
        size_t at = cases[i].at;
        print_message("%s\n", cases[i].title);
        assert_int_equal(dns_read_name(cases[i].bytes, cases[i].len, &at, &name), cases[i].r);
        if (cases[i].r < 0)
            continue;
        assert_int_equal(at, cases[i].behind);
        assert_int_equal(dns_name_text(&name, text), cases[i].text != NULL);
        if (cases[i].text)
            assert_string_equal(text, cases[i].text);
    }
}

/* 255 bytes are a name, 256 are none, pointers or not. */
static void test_long_names(void **state)
{
    uint8_t msg[512] = {0};
    char text[DNS_TEXT_MAX];
    struct dns_name name;
    size_t at = DNS_HEAD, end = DNS_HEAD;
    for (int i = 0; i < 3; i++) {
        msg[end] = 63;
        memset(msg + end + 1, 'a', 63);
        end += 64;
    }
    msg[end] = 61;
    memset(msg + end + 1, 'b', 61);
    end += 62;
    assert_int_equal(dns_read_name(msg, end + 1, &at, &name), 0);
    assert_int_equal(name.len, DNS_NAME_MAX);
    assert_true(dns_name_text(&name, text));
    assert_int_equal(strlen(text), 253);
    at = end + 1;
    memcpy(msg + at, "\1c\xc0\x0c", 4);
    assert_int_equal(dns_read_name(msg, at + 4, &at, &name), -EBADMSG);
}

static void test_addresses(void **state)
{
    static const char *const cases[][2] = {
        {"5.0.89.10.in-addr.arpa", "10.89.0.5"},
        {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::1"},
        {"0.89.10.in-addr.arpa", NULL},
        {"in-addr.arpa", NULL},
        {"256.0.89.10.in-addr.arpa", NULL},
        {"5.0.89.10.10.in-addr.arpa", NULL},
        {"1.0.ip6.arpa", NULL},
        {"x.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", NULL},
        {"web.example", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip;
        char text[IP_TEXT];
        assert_int_equal(dns_name_address(cases[i][0], &ip), cases[i][1] != NULL);
        if (cases[i][1])
            assert_string_equal(ip_format(&ip, text), cases[i][1]);
    }
}

static void test_queries(void **state)
{
    static const struct {
        const char *title;
        const uint8_t *bytes;
        size_t len;
        int code;
        bool edns;
        uint16_t udp_size;
    } cases[] = {
        {"plain", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\0") WEB_A), 0, false, 512},
        {"EDNS", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A OPT), 0, true, 1232},
        {"EDNS with a tiny size", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A "\0\0\x29\0\1\0\0\0\0\0\0"), 0, true,
         512},
        {"EDNS 1", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A "\0\0\x29\4\xd0\0\1\0\0\0\0"), DNS_BADVERS, true,
         1232},
        {"EDNS twice", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\2") WEB_A OPT OPT), DNS_FORMERR, true, 1232},
        {"EDNS with a name", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A "\1a" OPT), DNS_FORMERR, false, 512},
        {"EDNS cut", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A "\0\0\x29\4\xd0\0\0\0\0\0"), DNS_FORMERR, false,
         512},
        {"data beyond the end", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A "\0\0\x29\4\xd0\0\0\0\0\0\1"),
         DNS_FORMERR, false, 512},
        {"more behind", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\0") WEB_A "x"), DNS_FORMERR, false, 512},
        {"no question", BYTES(HEAD("\1\0", "\0", "\0", "\0", "\0")), DNS_FORMERR, false, 512},
        {"two questions", BYTES(HEAD("\1\0", "\2", "\0", "\0", "\0") WEB_A WEB_A), DNS_FORMERR, false, 512},
        {"with an answer", BYTES(HEAD("\1\0", "\1", "\1", "\0", "\0") WEB_A OPT), DNS_FORMERR, false, 512},
        {"a compressed question", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1"), DNS_FORMERR, false,
         512},
        {"an update", BYTES(HEAD("\x28\0", "\1", "\0", "\0", "\0") WEB_A), DNS_NOTIMP, false, 512},
        {"an answer", BYTES(HEAD("\x81\x80", "\1", "\0", "\0", "\0") WEB_A), -1, false, 0},
        {"too short", BYTES("\x12\x34\1\0\0\1\0\0\0\0\0"), -1, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dns_query q = {0};
        print_message("%s\n", cases[i].title);
        assert_int_equal(dns_parse_query(cases[i].bytes, cases[i].len, &q), cases[i].code);
        assert_int_equal(q.edns, cases[i].edns);
        assert_int_equal(q.udp_size, cases[i].udp_size);
    }
}

static void test_check(void **state)
{
    static const struct {
        const char *title;
        const uint8_t *bytes;
        size_t len;
        int code;
    } cases[] = {
        {"empty", BYTES(HEAD("\x81\x80", "\1", "\0", "\0", "\0") "\3web\0\0\1\0\1"), 0},
        {"no such name", BYTES(HEAD("\x81\x83", "\1", "\0", "\0", "\0") "\3WEB\0\0\1\0\1"), DNS_NXDOMAIN},
        {"one", BYTES(HEAD("\x81\x80", "\1", "\1", "\0", "\0") WEB_A "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2\7"), 0},
        {"cut", BYTES(HEAD("\x81\x80", "\1", "\1", "\0", "\0") WEB_A "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2"), -1},
        {"fewer than it says", BYTES(HEAD("\x81\x80", "\1", "\1", "\0", "\0") WEB_A), -1},
        {"another id", BYTES("\x12\x35\x81\x80\0\1\0\0\0\0\0\0" WEB_A), -1},
        {"another name", BYTES(HEAD("\x81\x80", "\1", "\0", "\0", "\0") "\3wex\0\0\1\0\1"), -1},
        {"another type", BYTES(HEAD("\x81\x80", "\1", "\0", "\0", "\0") "\3web\0\0\x1c\0\1"), -1},
        {"no question", BYTES(HEAD("\x81\x85", "\0", "\0", "\0", "\0")), -1},
        {"a query", BYTES(HEAD("\1\0", "\1", "\0", "\0", "\0") WEB_A), -1},
        {"too short", BYTES("\x12"), -1},
    };
    struct dns_query q;
    assert_int_equal(dns_parse_query(BYTES(HEAD("\1\0", "\1", "\0", "\0", "\0") WEB_A), &q), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        print_message("%s\n", cases[i].title);
        assert_int_equal(dns_check_answer(cases[i].bytes, cases[i].len, 0x1234, &q), cases[i].code);
    }
}

static void test_answer(void **state)
{
    static const char query[] = HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A OPT;
    static const char expected[] =
        HEAD("\x85\x80", "\1", "\2", "\0", "\1") WEB_A "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2\7"
                                                       "\xc0\x0c\0\x0c\0\1\0\0\0\0\0\x0d\3web\7example\0" OPT;
    uint8_t out[DNS_QUERY_MAX];
    struct dns_query q;
    struct dns_writer w;
    struct ip ip;
    assert_int_equal(ip_parse("192.0.2.7", &ip), 0);
    assert_int_equal(dns_parse_query(BYTES(query), &q), 0);
    dns_answer_begin(&w, out, sizeof out, (const uint8_t *)query, &q);
    dns_answer_address(&w, &ip);
    dns_answer_name(&w, "web.example");
    dns_answer_name(&w, "not..one");
    assert_int_equal(dns_answer_end(&w, DNS_NOERROR, true), sizeof expected - 1);
    assert_memory_equal(out, expected, sizeof expected - 1);
}

/* What does not fit is left out, the place of the OPT record is kept, and the answer says that it is cut. */
static void test_truncated(void **state)
{
    static const char query[] = HEAD("\1\0", "\1", "\0", "\0", "\1") WEB_A "\0\0\x29\0\0\0\0\0\0\0\0";
    uint8_t out[DNS_PLAIN_UDP];
    struct dns_query q;
    struct dns_writer w;
    const struct ip ip = {.family = AF_INET};
    assert_int_equal(dns_parse_query(BYTES(query), &q), 0);
    dns_answer_begin(&w, out, q.udp_size, (const uint8_t *)query, &q);
    for (int i = 0; i < 100; i++)
        dns_answer_address(&w, &ip);
    size_t len = dns_answer_end(&w, DNS_NOERROR, true);
    assert_int_equal(w.records, (512 - 12 - 9 - 11) / 16);
    assert_true(dns_is_truncated(out, len));
    assert_int_equal(dns_check_answer(out, len, q.id, &q), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_long_names), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_queries),   cmocka_unit_test(test_check),      cmocka_unit_test(test_answer),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
