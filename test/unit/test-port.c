/* Words of --publish and --expose, and how ports are shown. */
#include "whelk/port.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_good(void **state)
{
    static const struct {
        const char *word, *ip;
        int64_t host, end, port, count;
        const char *proto;
        bool hide;
        const char *shown;
    } cases[] = {
        {"80", NULL, 0, 0, 80, 1, "tcp", false, "80/tcp"},
        {"8080:80", NULL, 8080, 0, 80, 1, "tcp", false, "0.0.0.0:8080->80/tcp"},
        {"8080:80/udp", NULL, 8080, 0, 80, 1, "udp", false, "0.0.0.0:8080->80/udp"},
        {"0.0.0.0:8080:80", NULL, 8080, 0, 80, 1, "tcp", false, "0.0.0.0:8080->80/tcp"},
        {"127.0.0.1:8080:80", "127.0.0.1", 8080, 0, 80, 1, "tcp", false, "127.0.0.1:8080->80/tcp"},
        {"127.0.0.1::80", "127.0.0.1", 0, 0, 80, 1, "tcp", false, "80/tcp"},
        {"[::1]:8080:80", "::1", 8080, 0, 80, 1, "tcp", false, "[::1]:8080->80/tcp"},
        {"[2001:db8::7]::53/udp", "2001:db8::7", 0, 0, 53, 1, "udp", false, "53/udp"},
        {"8000-8009:80-89", NULL, 8000, 0, 80, 10, "tcp", false, "0.0.0.0:8000-8009->80-89/tcp"},
        {"8000-8009:80", NULL, 8000, 8009, 80, 1, "tcp", false, "0.0.0.0:8000->80/tcp"},
        {"80-89", NULL, 0, 0, 80, 10, "tcp", false, "80-89/tcp"},
        {"1:65535", NULL, 1, 0, 65535, 1, "tcp", false, "0.0.0.0:1->65535/tcp"},
        {"8080:80,source=gateway", NULL, 8080, 0, 80, 1, "tcp", true, "0.0.0.0:8080->80/tcp"},
        {"8080:80/tcp,source=client", NULL, 8080, 0, 80, 1, "tcp", false, "0.0.0.0:8080->80/tcp"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ctr_port p;
        print_message("%s\n", cases[i].word);
        assert_int_equal(port_parse(cases[i].word, &p), 0);
        auto_free char *shown = port_format(&p);
        assert_string_equal(p.host_ip ? p.host_ip : "", cases[i].ip ? cases[i].ip : "");
        assert_int_equal(p.host_port, cases[i].host);
        assert_int_equal(p.host_end, cases[i].end);
        assert_int_equal(p.port, cases[i].port);
        assert_int_equal(p.count, cases[i].count);
        assert_string_equal(p.proto, cases[i].proto);
        assert_int_equal(p.hide, cases[i].hide);
        assert_string_equal(shown, cases[i].shown);
        rec_done(&ctr_port_rec, &p);
    }
}

static void test_refused(void **state)
{
    static const char *const cases[][2] = {
        {"", ": \"\" is not a port, from 1 to 65535, or a range of them"},
        {"0", "0: 0 is not a port, from 1 to 65535, or a range of them"},
        {"65536", "65536: 65536 is not a port, from 1 to 65535, or a range of them"},
        {"80:", "80:: \"\" is not a port, from 1 to 65535, or a range of them"},
        {"x:80", "x:80: x is not a port, from 1 to 65535, or a range of them"},
        {"90-80", "90-80: 90-80 is not a port, from 1 to 65535, or a range of them"},
        {"8000-8001:80-82", "8000-8001:80-82: the ranges have different lengths, 2 and 3"},
        {"80/sctp", "80/sctp: sctp cannot be published, only tcp and udp"},
        {"80/x", "80/x: x is not a protocol; say tcp or udp"},
        {"80,x", "80,x: x is not known; known: source=client, source=gateway"},
        {"80,source=x", "80,source=x: source=x is not known; known: source=client, source=gateway"},
        {"host:8080:80", "host:8080:80: host is not an address (IPv6 in brackets)"},
        {"::1:8080:80", "::1:8080:80: ::1 is not an address (IPv6 in brackets)"},
        {":8080:80", ":8080:80: \"\" is not an address (IPv6 in brackets)"},
        {"[::1]:80", "[::1]:80: write [ADDRESS]:PORT:PORT or [ADDRESS]::PORT"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ctr_port p;
        assert_int_equal(port_parse(cases[i][0], &p), -EINVAL);
        assert_string_equal(err_text(-EINVAL), cases[i][1]);
    }
}

static void test_exposed(void **state)
{
    static const char *const refused[] = {"8080:80", "80,source=gateway", "127.0.0.1::80", "web"};
    struct ctr_port p;
    assert_int_equal(port_parse_exposed("8000-8002/udp", &p), 0);
    assert_int_equal(p.count, 3);
    rec_done(&ctr_port_rec, &p);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(port_parse_exposed(refused[i], &p), -EINVAL);
}

static void test_all(void **state)
{
    static const char *const words[] = {"8080:80", "7000-7001:7000-7001/udp"};
    char *exposed[] = {(char *)(uintptr_t) "80/tcp", (char *)(uintptr_t) "7001/udp", (char *)(uintptr_t) "99", NULL};
    struct rec_list list = {0};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct ctr_port p;
        assert_int_equal(port_parse(words[i], &p), 0);
        *(struct ctr_port *)rec_list_add(&ctr_port_rec, &list) = p;
    }
    auto_free char *all = port_format_all(&list, exposed), *second = port_format_host(list.items, 0);
    assert_string_equal(all, "0.0.0.0:8080->80/tcp, 0.0.0.0:7000-7001->7000-7001/udp, 99");
    assert_string_equal(second, "0.0.0.0:8080");
    struct ctr_live live = {.ports = list};
    ctr_live_done(&live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_exposed),
        cmocka_unit_test(test_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
