/* The loopback interface in a network namespace of its own. */
#include "whelk/link.h"
#include "whelk/err.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include <cmocka.h>

static bool lo_is_up(void)
{
    struct ifaddrs *all;
    bool up = false;

    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *a = all; a; a = a->ifa_next)
        if (strcmp(a->ifa_name, "lo") == 0 && a->ifa_addr && a->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *in = (const struct sockaddr_in *)a->ifa_addr;
            up = (a->ifa_flags & IFF_UP) && in->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
        }
    freeifaddrs(all);
    return up;
}

static void test_up(void **state)
{
    if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        print_message("no network namespaces here\n");
        skip();
    }
    assert_false(lo_is_up());
    assert_int_equal(link_loopback_up(), 0);
    assert_true(lo_is_up());
    assert_int_equal(link_loopback_up(), 0); /* twice is fine */
}

static void test_no_right_is_an_error(void **state)
{
    /* The namespace has to belong to somebody else: to root, who becomes nobody. */
    if (geteuid() != 0 || setresuid(65534, 65534, 65534) < 0)
        skip();
    assert_int_equal(link_loopback_up(), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_no_right_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
