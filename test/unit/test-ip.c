/* Addresses: what is one, networks, numbers in them, and socket addresses. */
#include "whelk/ip.h"

#include "whelk/auto.h"
#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    static const struct {
        const char *text, *shown; /* shown NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"[2001:DB8::1]", "2001:db8::1"},
        {"::", "::"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"[192.0.2.1]", NULL},
        {"fe80::1%eth0", NULL},
        {"[::1", NULL},
        {"[]", NULL},
        {"host", NULL},
    };
    char text[IP_TEXT];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip a = {0};
        print_message("%s\n", cases[i].text);
        assert_int_equal(ip_parse(cases[i].text, &a), cases[i].shown ? 0 : -EINVAL);
        assert_string_equal(ip_format(&a, text), cases[i].shown ? cases[i].shown : "");
    }
}

static void test_nets(void **state)
{
    static const struct {
        const char *net, *address;
        bool in;
    } cases[] = {
        {"10.0.2.0/24", "10.0.2.255", true},     {"10.0.2.0/24", "10.0.3.0", false},
        {"10.0.2.128/25", "10.0.2.127", false},  {"0.0.0.0/0", "192.0.2.1", true},
        {"192.0.2.1/32", "192.0.2.1", true},     {"10.0.2.0/24", "2001:db8::1", false},
        {"2001:db8::/33", "2001:db8:7::", true}, {"2001:db8::/33", "2001:db8:8000::", false},
    };
    struct ip net, address;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(ip_parse_net(cases[i].net, &net), 0);
        assert_int_equal(ip_parse(cases[i].address, &address), 0);
        assert_int_equal(ip_in_net(&address, &net), cases[i].in);
    }
    static const char *const refused[] = {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.0/x", "::/129"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(ip_parse_net(refused[i], &net), -EINVAL);
}

static void test_nth(void **state)
{
    static const struct {
        const char *net;
        unsigned n;
        const char *address;
    } cases[] = {
        {"10.0.2.77/24", 0, "10.0.2.0"},         {"10.0.2.77/24", 100, "10.0.2.100"},
        {"10.0.0.0/8", 258, "10.0.1.2"},         {"10.0.2.130/25", 2, "10.0.2.130"},
        {"10.9.255.0/8", 1, "10.0.0.1"},         {"2001:db8::9/64", 256, "2001:db8::100"},
        {"2001:db8::ffff/112", 0, "2001:db8::"},
    };
    char text[IP_TEXT];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip net, a;
        assert_int_equal(ip_parse_net(cases[i].net, &net), 0);
        a = ip_nth(&net, cases[i].n);
        assert_string_equal(ip_format(&a, text), cases[i].address);
    }
}

static void test_sockaddr(void **state)
{
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};
    struct sockaddr_storage sa;
    struct ip a, b;
    unsigned port;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(ip_parse(texts[i], &a), 0);
        ip_to_sockaddr(&a, 8080, &sa);
        ip_from_sockaddr(&sa, &b, &port);
        assert_true(ip_equal(&a, &b));
        assert_int_equal(port, 8080);
    }
    assert_int_equal(ip_parse("::ffff:192.0.2.1", &a), 0);
    ip_to_sockaddr(&a, 1, &sa);
    ip_from_sockaddr(&sa, &b, &port);
    assert_int_equal(b.family, AF_INET);
    assert_int_equal(ip_parse("127.9.9.9", &a), 0);
    assert_true(ip_is_loopback(&a));
}

static void test_mac(void **state)
{
    static const char *const refused[] = {
        "", "02:42:ac:11:00", "02:42:ac:11:00:0g", "03:42:ac:11:00:02", "02:42:ac:11:00:02:", " 2:42:ac:11:00:02"};
    unsigned char mac[6];
    char text[18];
    assert_int_equal(mac_parse("02:42:AC-11:00:02", mac), 0);
    assert_string_equal(mac_format(mac, text), "02:42:ac:11:00:02");
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(mac_parse(refused[i], mac), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),    cmocka_unit_test(test_nets), cmocka_unit_test(test_nth),
        cmocka_unit_test(test_sockaddr), cmocka_unit_test(test_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
