/* /proc texts of processes: names with brackets, short and damaged files, namespaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/process.h"
#include "whelk/str.h"

#define REST " 1 2 3 34816 5 0 0 0 0 0 7 8 9 10 20 -5 3 0 4711 8192 2 0\n"

static void check_stat(void **state)
{
    static const struct {
        const char *text, *comm; /* comm NULL: refused */
    } cases[] = {
        {"42 (sh) S" REST, "sh"},
        {"42 (a) (b) c) S" REST, "a) (b) c"},
        {"42 () S" REST, ""},
        {"42 (sh) S 1 2", NULL},
        {"42 (sh)", NULL},
        {"42 sh S" REST, NULL},
        {"", NULL},
        {")(", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct process p = {0};
        assert_int_equal(process_parse_stat(cases[i].text, &p), cases[i].comm ? 0 : -EPROTO);
        if (!cases[i].comm)
            continue;
        assert_string_equal(p.comm, cases[i].comm);
        assert_int_equal(p.pid, 42);
        assert_int_equal(p.state, 'S');
        assert_int_equal(p.parent, 1);
        assert_int_equal(p.session, 3);
        assert_int_equal(p.tty, 34816);
        assert_int_equal(p.cpu_ticks, 15);
        assert_int_equal(p.waited_ticks, 19);
        assert_int_equal(p.nice, -5);
        assert_int_equal(p.threads, 3);
        assert_int_equal(p.start_ticks, 4711);
        assert_int_equal(p.virtual_bytes, 8192);
    }
}

static void check_status(void **state)
{
    struct process p = {0};
    assert_int_equal(
        process_parse_status("Name:\tsh\nUid:\t5\t6\t7\t8\nGid:\t1\t2\t3\t4\nGroups:\t4 20 \nNSpid:\t42\t7\t1\n"
                             "CapEff:\t00000000000000ff\nSeccomp:\t2\n",
                             &p),
        0);
    assert_int_equal(p.uid[0], 5);
    assert_int_equal(p.uid[1], 6);
    assert_int_equal(p.gid[1], 2);
    assert_string_equal(p.groups, "4 20");
    assert_int_equal(p.n_ns_pids, 3);
    assert_int_equal(p.ns_pids[2], 1);
    assert_int_equal(p.cap_effective, 0xff);
    assert_int_equal(p.seccomp, 2);
    process_done(&p);
    assert_int_equal(process_parse_status("Uid:\t1\t1\t1\t1\n", &p), -EPROTO);
    assert_int_equal(process_parse_status("", &p), -EPROTO);
    process_done(&p);
    auto_buf struct buf many = {0};
    buf_adds(&many, "NSpid:");
    for (int i = 0; i < 100; i++)
        buf_addf(&many, "\t%d", i + 1);
    assert_int_equal(process_parse_status(many.data, &p), 0);
    assert_int_equal(p.n_ns_pids, PROCESS_NS_MAX);
    process_done(&p);
}

static void check_network(void **state)
{
    uint64_t in = 1, out = 1;
    process_parse_network("Inter-| Receive | Transmit\n face |bytes packets\n"
                          "    lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n"
                          "  eth0: 1000 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n"
                          "tap0:7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0\nbad: 1 2\n",
                          &in, &out);
    assert_int_equal(in, 1007);
    assert_int_equal(out, 58);
    process_parse_network("", &in, &out);
    assert_int_equal(in + out, 0);
}

static void check_self(void **state)
{
    struct process p;
    assert_int_equal(process_read(getpid(), &p), 0);
    assert_int_equal(p.pid, getpid());
    assert_int_equal(p.parent, getppid());
    assert_true(process_age(&p) >= 0);
    auto_free char *args = process_args(&p);
    assert_non_null(strstr(args, "test-process"));
    process_done(&p);
    assert_int_equal(process_read(0x7ffffff0, &p), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_stat),
        cmocka_unit_test(check_status),
        cmocka_unit_test(check_network),
        cmocka_unit_test(check_self),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
