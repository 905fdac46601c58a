/* Capability names, lists and the change of identity (in forked children, in a user namespace of one id where not
 * root). */
#include "whelk/caps.h"
#include "whelk/err.h"
#include "whelk/proc.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#define BIT(x) (UINT64_C(1) << CAP_##x)

static void test_names(void **state)
{
    static const struct {
        const char *name;
        int cap; /* -1: unknown */
        const char *text;
    } cases[] = {
        {"NET_RAW", CAP_NET_RAW, NULL},
        {"cap_net_raw", CAP_NET_RAW, NULL},
        {"Cap_Chown", CAP_CHOWN, NULL},
        {"CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, NULL},
        {"NET_ROW", -1, "unknown capability NET_ROW; did you mean NET_RAW?"},
        {"cap_", -1, NULL},
        {"", -1, NULL},
        {"quite\x1b[31mother", -1, "unknown capability quite\\x1b[31mother"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned cap = 1000;
        int r = cap_parse(cases[i].name, &cap);
        assert_int_equal(r, cases[i].cap < 0 ? -EINVAL : 0);
        assert_int_equal(cap, cases[i].cap < 0 ? 1000 : (unsigned)cases[i].cap);
        if (cases[i].text)
            assert_string_equal(err_text(r), cases[i].text);
    }
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        unsigned back;
        assert_non_null(cap_name(i));
        assert_int_equal(cap_parse(cap_name(i), &back), 0);
        assert_int_equal(back, i);
    }
    assert_string_equal(cap_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
    assert_null(cap_name(63));
    assert_null(cap_name(1000));
}

static void test_sets(void **state)
{
    unsigned last = 0;
    FILE *f = fopen("/proc/sys/kernel/cap_last_cap", "r");

    assert_true(caps_default() == UINT64_C(0x800405fb));
    if (f) {
        assert_int_equal(fscanf(f, "%u", &last), 1);
        fclose(f);
        assert_true(caps_all() == (UINT64_C(2) << last) - 1);
    }
}

static void test_compute(void **state)
{
    uint64_t base = BIT(CHOWN) | BIT(KILL);
    const struct {
        const char *add[3], *drop[3];
        uint64_t want;
        const char *error;
    } cases[] = {
        {{NULL}, {NULL}, base, NULL},
        {{"net_raw"}, {NULL}, base | BIT(NET_RAW), NULL},
        {{NULL}, {"CAP_KILL"}, BIT(CHOWN), NULL},
        {{NULL}, {"MKNOD"}, base, NULL},
        {{NULL}, {"ALL"}, 0, NULL},
        {{"kill"}, {"all"}, BIT(KILL), NULL},
        {{"ALL"}, {NULL}, caps_grantable(), NULL},
        {{"ALL"}, {"SYS_ADMIN"}, caps_grantable() & ~BIT(SYS_ADMIN), NULL},
        {{"ALL"}, {"ALL"}, 0, "cannot both add and drop all capabilities"},
        {{"kill"}, {"KILL"}, 0, "capability CAP_KILL is both added and dropped"},
        {{"MAGIC"}, {NULL}, 0, "unknown capability MAGIC"},
        {{NULL}, {"kil"}, 0, "unknown capability kil; did you mean KILL?"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t got = 42;
        int r = caps_compute(base, (char **)cases[i].add, (char **)cases[i].drop, &got);
        if (cases[i].error) {
            assert_int_equal(r, -EINVAL);
            assert_string_equal(err_text(r), cases[i].error);
            assert_true(got == 42);
        } else {
            assert_int_equal(r, 0);
            assert_true(got == cases[i].want);
        }
    }
}

/* What /proc/self/status says. */
static uint64_t status_set(const char *field)
{
    char line[256];
    unsigned long long v = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof(line), f))
        if (str_after(line, field))
            sscanf(line + strlen(field), ": %llx", &v);
    if (f)
        fclose(f);
    return v;
}

#define WANT(x)                                                                                                        \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            return err_set(-EPROTO, "line %d: %s", __LINE__, #x);                                                      \
    } while (0)

struct become {
    uid_t uid;
    uint64_t bounding, effective, ambient, extra;
};

static int become_child(void *arg)
{
    const struct become *b = arg;
    const gid_t groups[] = {7, 8};
    struct identity who = {.uid = b->uid, .gid = 5, .groups = groups, .n_groups = 2, .set_groups = true};
    uid_t u[3];
    gid_t g[3], now[8];

    int r = caps_become(&who, b->bounding, b->effective, b->ambient, b->extra);
    if (r < 0)
        return r;
    getresuid(&u[0], &u[1], &u[2]);
    getresgid(&g[0], &g[1], &g[2]);
    WANT(u[0] == b->uid && u[1] == b->uid && u[2] == b->uid);
    WANT(g[0] == 5 && g[1] == 5 && g[2] == 5);
    WANT(getgroups(8, now) == 2 && now[0] == 7 && now[1] == 8);
    WANT(status_set("CapBnd") == b->bounding);
    WANT(status_set("CapEff") == (b->effective | b->ambient | b->extra));
    WANT(status_set("CapPrm") == (b->effective | b->ambient | b->extra));
    WANT(status_set("CapInh") == b->ambient);
    WANT(status_set("CapAmb") == b->ambient);
    WANT(prctl(PR_GET_KEEPCAPS) == 0);

    r = caps_drop_extra(b->effective);
    if (r < 0)
        return r;
    WANT(status_set("CapEff") == (b->effective | b->ambient));
    WANT(status_set("CapPrm") == (b->effective | b->ambient));
    WANT(status_set("CapAmb") == b->ambient);
    return 0;
}

static void test_become(void **state)
{
    static const struct become cases[] = {
        {0, 0x800405fb, 0x800405fb, 0, BIT(SYS_ADMIN)},
        {0, 0, 0, 0, 0},
        {1000, 0x800405fb, 0, 0, BIT(SYS_ADMIN)},
        {1000, 0, 0, 0, 0},
        {1000, BIT(NET_BIND_SERVICE), BIT(NET_BIND_SERVICE), BIT(NET_BIND_SERVICE), BIT(SYS_ADMIN)},
        {65534, BIT(CHOWN) | BIT(KILL), 0, BIT(KILL), 0},
    };

    if (geteuid() != 0) {
        print_message("needs root for other users' ids\n");
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct worker w;
        assert_int_equal(worker_start(become_child, (void *)&cases[i], &w), 0);
        int r = worker_wait(&w);
        if (r < 0)
            print_error("case %zu: %s\n", i, err_text(r));
        assert_int_equal(r, 0);
    }
}

static int too_much_child(void *arg)
{
    struct identity who = {.uid = 1000, .gid = 1000, .set_groups = true};
    int r = caps_become(&who, BIT(CHOWN), BIT(CHOWN), 0, 0);
    if (r < 0)
        return r;
    /* Nothing comes back. */
    r = caps_drop_extra(BIT(CHOWN) | BIT(KILL));
    WANT(r == -EPERM);
    WANT(status_set("CapPrm") == BIT(CHOWN));
    return 0;
}

static void test_never_more(void **state)
{
    struct worker w;
    if (geteuid() != 0)
        skip();
    assert_int_equal(worker_start(too_much_child, NULL, &w), 0);
    assert_int_equal(worker_wait(&w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_sets),       cmocka_unit_test(test_compute),
        cmocka_unit_test(test_become), cmocka_unit_test(test_never_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
