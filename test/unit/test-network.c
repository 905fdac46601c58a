/* Networks: what a new one is given, words of --network, leases. */
#include "store-fixture.h"

#include "lease.h"

#include "whelk/err.h"
#include "whelk/str.h"

static struct network made(const char *name, const char *subnet)
{
    struct network n = {.name = xstrdup(name)};
    struct network_subnet *s = subnet ? rec_list_add(&network_subnet_rec, &n.subnets) : NULL;
    if (s)
        s->subnet = xstrdup(subnet);
    return n;
}

static const struct network_subnet *first(const struct network *n)
{
    return n->subnets.items;
}

static void test_plan(void **state)
{
    const struct fixture *f = *state;
    static const struct {
        const char *name, *subnet;
        int result;
        const char *text; /* the subnet, or the error */
    } cases[] = {
        {"a", "10.90.0.7/24", 0, "10.90.0.0/24"},
        {"b", "10.90.0.128/25", -EEXIST,
         "network b: the subnet 10.90.0.128/25 overlaps with 10.90.0.0/24 of the network a"},
        {"c", "10.0.0.0/8", -EEXIST, "network c: the subnet 10.0.0.0/8 overlaps with 10.90.0.0/24 of the network a"},
        {"d", "2001:db8::1/64", 0, "2001:db8::/64"},
        {"e", "2001:db8::/48", -EEXIST,
         "network e: the subnet 2001:db8::/48 overlaps with 2001:db8::/64 of the network d"},
        {"a", "10.91.0.0/24", -EEXIST, NULL},
        {"f", "10.92.0.0/30", -EINVAL, "--subnet 10.92.0.0/30: its size has to be from /8 to /29"},
        {"g", "10.92.0.0", -EINVAL, "--subnet 10.92.0.0 is no network; write one as 10.89.0.0/24"},
        {"h/", "10.93.0.0/24", -EINVAL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_with(network_done) struct network n = made(cases[i].name, cases[i].subnet);
        print_message("%s %s\n", cases[i].name, cases[i].subnet);
        err_clear();
        int r = network_make(f->s, &n);
        assert_int_equal(r, cases[i].result);
        if (r == 0)
            assert_string_equal(first(&n)->subnet, cases[i].text);
        else if (cases[i].text)
            assert_string_equal(err_text(r), cases[i].text);
    }
}

static void test_chosen(void **state)
{
    const struct fixture *f = *state;
    auto_with(network_done) struct network a = made("a", NULL), b = made("b", NULL), back = {0};
    auto_free char *name = NULL, *prefix = NULL;
    struct ip net, other;
    b.ipv6 = true;
    assert_ok(network_make(f->s, &a));
    assert_ok(network_make(f->s, &b));
    assert_ok(ip_parse_net(first(&a)->subnet, &net));
    assert_ok(ip_parse_net(first(&b)->subnet, &other));
    assert_int_equal(net.prefix, 20);
    assert_false(ip_in_net(&other, &net));
    assert_int_equal(b.subnets.n, 2);
    assert_ok(ip_parse_net(first(&b)[1].subnet, &net));
    assert_int_equal(net.family, AF_INET6);
    prefix = xstrndup(b.id, 20);
    assert_ok(network_find(f->s, prefix, &name));
    assert_string_equal(name, "b");
    assert_ok(network_load(f->s, "b", &back));
    assert_string_equal(back.interface, b.interface);
    assert_ok(network_remove(f->s, "b"));
    assert_int_equal(network_remove(f->s, "b"), -ENOENT);
}

static void test_words(void **state)
{
    static const struct {
        const char *word, *name, *ip, *alias, *error;
    } cases[] = {
        {"shop", "shop", NULL, NULL, NULL},
        {"podman", "bridge", NULL, NULL, NULL},
        {"bridge:ip=10.88.0.9", "bridge", "10.88.0.9", NULL, NULL},
        {"shop:alias=a,ip=10.90.0.9,alias=b", "shop", "10.90.0.9", "a", NULL},
        {"shop:", "shop", NULL, NULL, NULL},
        {"shop:alias=", NULL, NULL, NULL,
         "--network shop:alias=: option alias= is not known; known: alias=, ip=, ip6=, mac=, interface_name="},
        {"none", "none", NULL, NULL, NULL},
        {"none:x", NULL, NULL, NULL, "--network none:x: none takes no options"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ctr_net n;
        print_message("%s\n", cases[i].word);
        err_clear();
        int r = net_parse(cases[i].word, &n);
        assert_int_equal(r < 0, cases[i].error != NULL);
        if (r < 0) {
            assert_string_equal(err_text(r), cases[i].error);
            continue;
        }
        assert_string_equal(n.name, cases[i].name);
        assert_string_equal(n.ip ? n.ip : "", cases[i].ip ? cases[i].ip : "");
        assert_string_equal(n.aliases ? n.aliases[0] : "", cases[i].alias ? cases[i].alias : "");
        rec_done(&ctr_net_rec, &n);
    }
    assert_true(net_parse("../x", &(struct ctr_net){0}) < 0);
}

/* ---- leases ---- */

static struct net_leases leases;

static int choose(struct member *m)
{
    return lease_choose(m, &leases, NULL);
}

static int take(const struct fixture *f, struct network *n, const char *id, const char *ip, struct member *ret)
{
    auto_free char *own = xstrdup(id), *asked = xstrdup(ip);
    struct ctr c = {.id = own, .name = own};
    struct ctr_net spec = {.name = n->name, .ip = asked};
    *ret = (struct member){.network = n, .spec = &spec};
    return net_with_member(f->s, &c, ret, choose, -1);
}

static void test_leases(void **state)
{
    const struct fixture *f = *state;
    auto_with(network_done) struct network n = made("a", "10.90.0.0/29");
    struct member m;
    char text[IP_TEXT], mac[18];
    assert_ok(network_make(f->s, &n));
    assert_ok(take(f, &n, "one", NULL, &m));
    assert_string_equal(ip_format(&m.ip, text), "10.90.0.2");
    assert_string_equal(ip_format(&m.gateway, text), "10.90.0.1");
    assert_string_equal(ip_format(&m.dns, text), "10.90.0.6");
    assert_string_equal(mac_format(m.mac, mac), "02:77:0a:5a:00:02");
    assert_int_equal(take(f, &n, "two", "10.90.0.2", &m), -EADDRINUSE);
    assert_string_equal(err_text(-1), "the address 10.90.0.2 is in use by container one");
    assert_int_equal(take(f, &n, "two", "10.90.0.6", &m), -EADDRINUSE);
    assert_int_equal(take(f, &n, "two", "10.90.0.7", &m), -EINVAL); /* broadcast */
    assert_int_equal(take(f, &n, "two", "10.90.0.0", &m), -EINVAL);
    assert_int_equal(take(f, &n, "two", "10.90.0.1", &m), -EADDRINUSE);
    assert_int_equal(take(f, &n, "two", "10.90.1.1", &m), -EINVAL);
    assert_ok(take(f, &n, "two", "10.90.0.4", &m));
    assert_string_equal(ip_format(&m.dns, text), "10.90.0.5");
    assert_int_equal(take(f, &n, "three", NULL, &m), -EADDRNOTAVAIL); /* an address, but none for its names */
    assert_ok(net_leases_save(f->s, "a", &leases));
    net_leases_done(&leases);
    assert_ok(net_leases_load(f->s, "a", &leases));
    assert_true(leases.list.n >= 2);
    struct net_leases gone = {0};
    leases_sort_out(f->s, NULL, &leases, &gone); /* there are no such containers */
    assert_int_equal(leases.list.n, 0);
    net_leases_done(&gone);
    net_leases_done(&leases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plan, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_chosen, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_words),
        cmocka_unit_test_setup_teardown(test_leases, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
