/* Control groups: limits as text for both hierarchies and back; and the life of a real group, of whatever kind this
 * host gives this user. */
#include "cgroup-parts.h"

#include "whelk/err.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define MIB (1024 * 1024LL)
#define S (char *)/* literals are const here */
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* --- values */

/* "controller/file=value; ..." */
static char *settings_text(const struct limits *l, enum cgroup_mode mode)
{
    auto_settings struct cgroup_settings s;
    struct buf b = {0};
    settings_make(l, mode, &s);
    for (size_t i = 0; i < s.n; i++)
        buf_addf(&b, "%s%s/%s=%s", i ? "; " : "", s.list[i].controller, s.list[i].file, s.list[i].value);
    return buf_take(&b);
}

static char *rates[] = {S "8:0=1048576", S "259:1=5", NULL};
static char *weights[] = {S "8:0=1000", NULL};
static char *files[] = {S "memory.high=1048576", S "cpuset.cpus.partition=a=b", NULL};
static char *no_value[] = {S "memory.high=", NULL}, *no_equals[] = {S "memory.high", NULL};
static char *no_controller[] = {S "cgroup.procs=1", NULL}, *outside[] = {S "memory/../x=1", NULL};
static char *like_controller[] = {S "memoryx.high=1", NULL}, *two_lines[] = {S "memory.high=1\n2", NULL};

static void test_settings(void **state)
{
    static const struct {
        struct limits l;
        const char *v2, *v1;
    } cases[] = {
        {{0}, "", ""},
        {{.memory = 64 * MIB},
         "memory/memory.max=67108864; memory/memory.swap.max=67108864",
         "memory/memory.limit_in_bytes=67108864; memory/memory.memsw.limit_in_bytes=134217728"},
        {{.memory = 64 * MIB, .memory_swap = 64 * MIB},
         "memory/memory.max=67108864; memory/memory.swap.max=0",
         "memory/memory.limit_in_bytes=67108864; memory/memory.memsw.limit_in_bytes=67108864"},
        {{.memory = 64 * MIB, .memory_swap = 96 * MIB},
         "memory/memory.max=67108864; memory/memory.swap.max=33554432",
         "memory/memory.limit_in_bytes=67108864; memory/memory.memsw.limit_in_bytes=100663296"},
        {{.memory = 64 * MIB, .memory_swap = -1},
         "memory/memory.max=67108864; memory/memory.swap.max=max",
         "memory/memory.limit_in_bytes=67108864; memory/memory.memsw.limit_in_bytes=-1"},
        {{.memory_reservation = MIB}, "memory/memory.low=1048576", "memory/memory.soft_limit_in_bytes=1048576"},
        {{.nano_cpus = 1500000000}, "cpu/cpu.max=150000 100000", "cpu/cpu.cfs_quota_us=150000"},
        {{.nano_cpus = 10000000}, "cpu/cpu.max=1000 100000", "cpu/cpu.cfs_quota_us=1000"},
        {{.nano_cpus = 333333333}, "cpu/cpu.max=33333 100000", "cpu/cpu.cfs_quota_us=33333"},
        {{.cpu_quota = 25000, .cpu_period = 50000},
         "cpu/cpu.max=25000 50000",
         "cpu/cpu.cfs_period_us=50000; cpu/cpu.cfs_quota_us=25000"},
        {{.cpu_quota = 25000}, "cpu/cpu.max=25000 100000", "cpu/cpu.cfs_quota_us=25000"},
        {{.cpu_quota = -1}, "cpu/cpu.max=max 100000", "cpu/cpu.cfs_quota_us=-1"},
        {{.cpu_period = 50000}, "cpu/cpu.max=max 50000", "cpu/cpu.cfs_period_us=50000"},
        {{.cpu_shares = 2}, "cpu/cpu.weight=1", "cpu/cpu.shares=2"},
        {{.cpu_shares = 1024}, "cpu/cpu.weight=39", "cpu/cpu.shares=1024"},
        {{.cpu_shares = 262144}, "cpu/cpu.weight=10000", "cpu/cpu.shares=262144"},
        {{.cpuset_cpus = S "0-1"}, "cpuset/cpuset.cpus=0-1", "cpuset/cpuset.cpus=0-1"},
        {{.pids = 100}, "pids/pids.max=100", "pids/pids.max=100"},
        {{.pids = -1}, "pids/pids.max=max", "pids/pids.max=max"},
        {{.blkio_weight = 10}, "io/io.weight=1", "blkio/blkio.bfq.weight=10"},
        {{.blkio_weight = 500}, "io/io.weight=4950", "blkio/blkio.bfq.weight=500"},
        {{.blkio_weight = 1000}, "io/io.weight=10000", "blkio/blkio.bfq.weight=1000"},
        {{.blkio_weight_devices = weights}, "io/io.weight=8:0 10000", "blkio/blkio.bfq.weight_device=8:0 1000"},
        {{.cgroup_conf = files},
         "memory/memory.high=1048576; cpuset/cpuset.cpus.partition=a=b",
         "memory/memory.high=1048576; cpuset/cpuset.cpus.partition=a=b"},
        {{.device_read_bps = rates},
         "io/io.max=8:0 rbps=1048576; io/io.max=259:1 rbps=5",
         "blkio/blkio.throttle.read_bps_device=8:0 1048576; blkio/blkio.throttle.read_bps_device=259:1 5"},
        {{.device_write_iops = rates},
         "io/io.max=8:0 wiops=1048576; io/io.max=259:1 wiops=5",
         "blkio/blkio.throttle.write_iops_device=8:0 1048576; blkio/blkio.throttle.write_iops_device=259:1 5"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *v2 = settings_text(&cases[i].l, CGROUP_V2), *v1 = settings_text(&cases[i].l, CGROUP_V1);
        assert_string_equal(v2, cases[i].v2);
        assert_string_equal(v1, cases[i].v1);
        assert_int_equal(limits_any(&cases[i].l), i > 0);
        assert_int_equal(limits_check(&cases[i].l), 0);
    }
}

static void test_implied_swap_has_no_option(void **state)
{
    auto_settings struct cgroup_settings s;
    settings_make(&(struct limits){.memory = 64 * MIB}, CGROUP_V2, &s);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.list[0].option, "memory");
    assert_null(s.list[1].option);
}

static void test_check(void **state)
{
    static char *no_number[] = {S "8:0", NULL}, *no_device[] = {S "sda=5", NULL}, *too_heavy[] = {S "8:0=1001", NULL};
    static const struct {
        struct limits l;
        const char *text;
    } cases[] = {
        {{.memory = 6 * MIB - 1}, "--memory must be at least 6291456"},
        {{.memory = -1}, "--memory must be at least 6291456"},
        {{.memory = 8 * MIB, .memory_swap = -2}, "--memory-swap must be at least 6291456, or -1"},
        {{.memory_swap = 64 * MIB}, "--memory-swap is memory and swap together: it needs --memory"},
        {{.memory = 64 * MIB, .memory_swap = 32 * MIB},
         "--memory-swap is memory and swap together: it cannot be less than --memory"},
        {{.memory = 64 * MIB, .memory_reservation = 65 * MIB}, "--memory-reservation cannot be more than --memory"},
        {{.nano_cpus = 1}, "--cpus must be at least 0.01"},
        {{.nano_cpus = 1000000000, .cpu_quota = 1000}, "--cpus and --cpu-quota exclude each other"},
        {{.nano_cpus = 1000000000, .cpu_period = 1000}, "--cpus and --cpu-period exclude each other"},
        {{.cpu_shares = 1}, "--cpu-shares must be from 2 to 262144"},
        {{.cpu_shares = 262145}, "--cpu-shares must be from 2 to 262144"},
        {{.cpu_period = 999}, "--cpu-period must be from 1000 to 1000000"},
        {{.cpu_quota = 999}, "--cpu-quota must be at least 1000, or -1"},
        {{.cpuset_cpus = S "0;1"}, "--cpuset-cpus: not a list as 0-2,4: 0;1"},
        {{.cpuset_mems = S ""}, "--cpuset-mems: not a list as 0-2,4: "},
        {{.pids = -2}, "--pids-limit must be at least 1, or -1"},
        {{.blkio_weight = 9}, "--blkio-weight must be from 10 to 1000"},
        {{.blkio_weight_devices = too_heavy}, "--blkio-weight-device must be from 10 to 1000"},
        {{.cgroup_conf = no_value}, "--cgroup-conf memory.high=: write FILE=VALUE, as memory.high=1073741824"},
        {{.cgroup_conf = no_equals}, "--cgroup-conf memory.high: write FILE=VALUE, as memory.high=1073741824"},
        {{.cgroup_conf = outside}, "--cgroup-conf memory/../x=1: write FILE=VALUE, as memory.high=1073741824"},
        {{.cgroup_conf = two_lines}, "--cgroup-conf memory.high=1\n2: write FILE=VALUE, as memory.high=1073741824"},
        {{.cgroup_conf = no_controller},
         "--cgroup-conf cgroup.procs=1: the file has to be one of a controller, as memory.high or cpu.max"},
        {{.cgroup_conf = like_controller},
         "--cgroup-conf memoryx.high=1: the file has to be one of a controller, as memory.high or cpu.max"},
        {{.device_read_bps = no_number}, "--device-read-bps: not a device and a number: 8:0"},
        {{.device_read_bps = no_device}, "--device-read-bps: not a device and a number: sda=5"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        err_clear();
        assert_int_equal(limits_check(&cases[i].l), -EINVAL);
        assert_string_equal(err_text(-EINVAL), cases[i].text);
    }
}

/* Of each row what its own file shows after it was written gives the value back. */
static void test_read_back(void **state)
{
    struct limits l = {.memory = 64 * MIB,
                       .memory_swap = 96 * MIB,
                       .memory_reservation = MIB,
                       .cpu_shares = 1024,
                       .cpu_quota = 25000,
                       .cpu_period = 50000,
                       .cpuset_cpus = S "0-1",
                       .cpuset_mems = S "0",
                       .pids = -1,
                       .blkio_weight = 500,
                       .device_read_bps = rates,
                       .device_write_iops = rates};
    static const enum cgroup_mode modes[] = {CGROUP_V2, CGROUP_V1};
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        auto_settings struct cgroup_settings s;
        struct limits back = {0};
        settings_make(&l, modes[m], &s);
        for (size_t row = 0; row < limit_count(); row++) {
            auto_buf struct buf content = {0};
            for (size_t i = 0; i < s.n; i++)
                if (str_eq(s.list[i].file, limit_file(row, modes[m])))
                    buf_addf(&content, "%s%s", content.len ? "\n" : "", s.list[i].value);
            if (content.len)
                limit_read(row, modes[m], content.data, &back);
        }
        assert_int_equal(back.memory, l.memory);
        assert_int_equal(back.memory_swap, l.memory_swap);
        assert_int_equal(back.memory_reservation, l.memory_reservation);
        assert_int_equal(back.nano_cpus, 0);
        /* Fewer weights than shares: the smallest number of shares with this weight. */
        assert_in_range(back.cpu_shares, 1024 - 27, 1024);
        assert_int_equal(back.cpu_quota, l.cpu_quota);
        assert_int_equal(back.cpu_period, l.cpu_period);
        assert_string_equal(back.cpuset_cpus, "0-1");
        assert_string_equal(back.cpuset_mems, "0");
        assert_int_equal(back.pids, -1);
        assert_int_equal(back.blkio_weight, 500);
        assert_true(strv_eq(back.device_read_bps, rates));
        assert_true(strv_eq(back.device_write_iops, rates));
        assert_null(back.device_write_bps);
        limits_done(&back);
    }
}

static void test_no_limit_reads_as_minus_one(void **state)
{
    struct limits l = {0};
    for (size_t row = 0; row < limit_count(); row++) {
        if (str_eq(limit_file(row, CGROUP_V1), "memory.limit_in_bytes"))
            limit_read(row, CGROUP_V1, "9223372036854771712", &l);
        if (str_eq(limit_file(row, CGROUP_V2), "pids.max"))
            limit_read(row, CGROUP_V2, "max", &l);
    }
    assert_int_equal(l.memory, -1);
    assert_int_equal(l.pids, -1);
}

static void test_key(void **state)
{
    static const char text[] = "anon 1\ninactive_file 77\noom 3\noom_kill 2\nxoom_kill 9";
    assert_int_equal(cgroup_key(text, "anon"), 1);
    assert_int_equal(cgroup_key(text, "inactive_file"), 77);
    assert_int_equal(cgroup_key(text, "oom_kill"), 2);
    assert_int_equal(cgroup_key(text, "file"), 0);
    assert_int_equal(cgroup_key(text, "oom_k"), 0);
}

/* What comes out of a record is believed only where it can be a container's group. */
static void test_open_refuses(void **state)
{
    static char *const words[] = {S "",
                                  S ":",
                                  S "/",
                                  S ":/",
                                  S ":/user.slice",
                                  S ":/whelk-test.service/x",
                                  S ":/whelk-1.scope",
                                  S ":/user.scope/ctr",
                                  S ":/whelk-0123456789ab/x",
                                  S "memory:/",
                                  S "memory:/../whelk-1",
                                  S "memory:/a/../whelk-1",
                                  S "..:/whelk-1",
                                  S "x/..:/whelk-1",
                                  S ":/whelk-1/..",
                                  S "memory:whelk-1",
                                  S ":/whelk-0123456789ab",
                                  S ":/whelk-0123456789ab-1.scope/ctr"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct cgroup *g = NULL;
        char *paths[] = {words[i], NULL};
        assert_int_equal(cgroup_open(paths, &g), -ENOENT);
        assert_null(g);
    }
    struct cgroup *g = NULL;
    assert_int_equal(cgroup_open(NULL, &g), -ENOENT);
}

/* --- a real group */

/* A supervisor: its children are the container's first processes, born where it is by then. It is asked for one by a
 * function of this very program, tells the pid, then the wait status. A child waits for `go` before it does anything.
 */
struct supervisor {
    pid_t pid;
    int ask, answer, go;
};

static void supervise(int ask, int answer, int go)
{
    void (*fn)(void);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(ask, &fn, sizeof fn) == sizeof fn) {
        char byte;
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (read(go, &byte, 1) == 1)
                fn();
            _exit(101);
        }
        if (write(answer, &pid, sizeof pid) != sizeof pid || waitpid(pid, &status, 0) != pid ||
            write(answer, &status, sizeof status) != sizeof status)
            break;
    }
    _exit(0);
}

static struct supervisor supervisor_start(void)
{
    int ask[2], answer[2], go[2];
    assert_int_equal(pipe2(ask, O_CLOEXEC) | pipe2(answer, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ask[1]);
        supervise(ask[0], answer[1], go[0]);
    }
    assert_true(pid > 0);
    close(ask[0]);
    close(answer[1]);
    close(go[0]);
    return (struct supervisor){pid, ask[1], answer[0], go[1]};
}

static void supervisor_end(struct supervisor *s)
{
    assert_int_equal(kill(s->pid, 0), 0); /* nothing that was done to the group reached it */
    kill(s->pid, SIGKILL);
    proc_reap(s->pid);
    close(s->ask);
    close(s->answer);
    close(s->go);
}

/* Starts fn as the container's process in g. */
static pid_t child_start(const struct supervisor *s, const struct cgroup *g, void (*fn)(void))
{
    pid_t pid = -1;
    assert_int_equal(write(s->ask, &fn, sizeof fn), sizeof fn);
    assert_int_equal(read(s->answer, &pid, sizeof pid), sizeof pid);
    if (cgroup_enter(g, pid) < 0)
        fail_msg("%s", err_text(-EIO));
    assert_int_equal(write(s->go, "", 1), 1);
    return pid;
}

static int child_status(const struct supervisor *s)
{
    int status = -1;
    assert_int_equal(read(s->answer, &status, sizeof status), sizeof status);
    return status;
}

static volatile unsigned *count; /* shared with the children */

/* Counts for all to see: stands still when it is frozen. */
static void counter(void)
{
    for (;; usleep(100))
        ++*count;
}

static bool counts(void)
{
    unsigned before = *count;
    for (int i = 0; i < 200 && *count == before; i++)
        usleep(1000);
    return *count != before;
}

/* A group with these limits, or a skip with the reason why there is none. */
static struct cgroup *make_or_skip(const struct limits *l, struct supervisor *supervisor)
{
    struct cgroup *g = NULL;
    const struct cgroup_request q = {.id = ID, .limits = l, .full = true, .supervisor = supervisor->pid};
    int r = cgroup_make(&q, &g);
    if (r == -EOPNOTSUPP) {
        print_message("# skipped: %s\n", err_text(r));
        assert_true(str_after(err_text(r), "--") != NULL); /* the option is named */
        assert_true(strstr(err_text(r), "controller") != NULL);
        assert_null(g);
        supervisor_end(supervisor);
        skip();
    }
    if (r < 0)
        fail_msg("%s", err_text(r));
    assert_non_null(g);
    return g;
}

static bool is_there(const char *word)
{
    const char *path = strchr(word, ':');
    auto_free char *controller = xstrndup(word, (size_t)(path - word)), *full = cgroup_full_path(controller, path + 1);
    return access(full, F_OK) == 0;
}

static void assert_nothing_left(char *const *paths)
{
    strv_foreach (word, paths)
        assert_false(is_there(word));
}

static void test_life(void **state)
{
    const struct limits l = {.memory = 64 * MIB, .pids = 20};
    struct supervisor supervisor = supervisor_start();
    struct cgroup *g = make_or_skip(&l, &supervisor), *again = NULL;
    auto_strv char **paths = cgroup_paths(g);
    assert_true(strv_len(paths) > 0);
    strv_foreach (word, paths)
        assert_true(is_there(word));

    child_start(&supervisor, g, counter);
    assert_true(counts());
    struct cgroup_usage u;
    assert_int_equal(cgroup_usage(g, &u), 0);
    assert_true(u.cpu_ns > 0);
    assert_int_equal(u.pids, 1);
    assert_int_equal(u.memory_limit, 64 * MIB);

    struct limits now;
    assert_int_equal(cgroup_limits(g, &now), 0);
    assert_int_equal(now.memory, 64 * MIB);
    assert_int_equal(now.pids, 20);
    limits_done(&now);

    /* As another command does it. */
    assert_int_equal(cgroup_open(paths, &again), 0);
    assert_false(cgroup_frozen(again));
    assert_int_equal(cgroup_freeze(again, true), 0);
    assert_true(cgroup_frozen(g));
    assert_false(counts());
    assert_int_equal(cgroup_freeze(again, false), 0);
    assert_false(cgroup_frozen(g));
    assert_true(counts());

    assert_int_equal(cgroup_freeze(again, true), 0);
    assert_int_equal(cgroup_kill(again), 0); /* frozen or not */
    assert_int_equal(WTERMSIG(child_status(&supervisor)), SIGKILL);
    assert_int_equal(cgroup_oom_kills(again), 0);
    cgroup_close(again);
    cgroup_remove(g);
    assert_nothing_left(paths);
    assert_int_equal(cgroup_open(paths, &again), -ENOENT);
    supervisor_end(&supervisor);
}

static void test_update(void **state)
{
    struct supervisor supervisor = supervisor_start();
    struct cgroup *g = make_or_skip(&(struct limits){.memory = 64 * MIB, .memory_swap = 64 * MIB}, &supervisor);
    static const int64_t sizes[] = {256 * MIB, 32 * MIB}; /* up and down: swap goes with it */
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct limits now;
        if (cgroup_set(g, &(struct limits){.memory = sizes[i]}) < 0)
            fail_msg("%s", err_text(-EIO));
        assert_int_equal(cgroup_limits(g, &now), 0);
        assert_int_equal(now.memory, sizes[i]);
        limits_done(&now);
    }
    cgroup_remove(g);
    supervisor_end(&supervisor);
}

static void eat_memory(void)
{
    char *p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, 64 * MIB);
    _exit(2);
}

static void test_oom(void **state)
{
    struct supervisor supervisor = supervisor_start();
    struct cgroup *g = make_or_skip(&(struct limits){.memory = 8 * MIB, .memory_swap = 8 * MIB}, &supervisor);
    child_start(&supervisor, g, eat_memory);
    int status = child_status(&supervisor);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_true(cgroup_oom_kills(g) > 0);
    cgroup_remove(g);
    supervisor_end(&supervisor);
}

static void make_processes(void)
{
    int made = 0;
    pid_t pid;
    while (made < 10 && (pid = fork()) > 0)
        made++;
    if (made < 10 && pid == 0)
        for (;;)
            pause();
    _exit(made);
}

/* The number of processes holds for whatever is in it. */
static void test_pids(void **state)
{
    struct supervisor supervisor = supervisor_start();
    struct cgroup *g = make_or_skip(&(struct limits){.pids = 3}, &supervisor);
    child_start(&supervisor, g, make_processes);
    int status = child_status(&supervisor);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
    cgroup_kill(g);
    cgroup_remove(g);
    supervisor_end(&supervisor);
}

/* Nothing asked for, nothing to pay: no group on version 1, on version 2 only where that is a mkdir. */
static void test_without_limits(void **state)
{
    struct cgroup *g = NULL;
    const struct limits none = {0};
    assert_int_equal(cgroup_make(&(struct cgroup_request){.id = ID, .limits = &none, .supervisor = getpid()}, &g), 0);
    if (cgroup_mode() == CGROUP_V1)
        assert_null(g);
    cgroup_remove(g);
}

/* Defaults are never an error; what was asked for goes before them. */
static void test_defaults(void **state)
{
    struct supervisor supervisor = supervisor_start();
    const struct limits defaults = {.pids = 2048, .blkio_weight = 17}, asked = {.pids = 30};
    struct cgroup *g = NULL;
    assert_int_equal(
        cgroup_make(&(struct cgroup_request){.id = ID, .defaults = &defaults, .supervisor = supervisor.pid}, &g), 0);
    cgroup_remove(g);
    g = NULL;
    int r = cgroup_make(
        &(struct cgroup_request){.id = ID, .limits = &asked, .defaults = &defaults, .supervisor = supervisor.pid}, &g);
    if (r == -EOPNOTSUPP) {
        supervisor_end(&supervisor);
        skip();
    }
    assert_int_equal(r, 0);
    struct limits now;
    assert_int_equal(cgroup_limits(g, &now), 0);
    assert_int_equal(now.pids, 30);
    limits_done(&now);
    cgroup_remove(g);
    supervisor_end(&supervisor);
}

/* Each controller is either had, or refused by its name; the words are looked at in the VM lane. */
static void test_all_controllers(void **state)
{
    static const struct {
        struct limits l;
        const char *v2, *v1;
    } cases[] = {
        {{.memory = 64 * MIB}, "--memory needs the memory controller", "--memory needs the memory controller"},
        {{.nano_cpus = 500000000}, "--cpus needs the cpu controller", "--cpus needs the cpu controller"},
        {{.cpu_shares = 512}, "--cpu-shares needs the cpu controller", "--cpu-shares needs the cpu controller"},
        {{.pids = 9}, "--pids-limit needs the pids controller", "--pids-limit needs the pids controller"},
        {{.cpuset_cpus = S "0"},
         "--cpuset-cpus needs the cpuset controller",
         "--cpuset-cpus needs the cpuset controller"},
        /* Its file on version 1 needs a scheduler that few devices have. */
        {{.blkio_weight = 500}, "--blkio-weight needs the io controller", "--blkio-weight"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct supervisor supervisor = supervisor_start();
        struct cgroup *g = NULL;
        int r =
            cgroup_make(&(struct cgroup_request){.id = ID, .limits = &cases[i].l, .supervisor = supervisor.pid}, &g);
        if (r == -EOPNOTSUPP) {
            print_message("# refused: %s\n", err_text(r));
            assert_non_null(str_after(err_text(r), cgroup_mode() == CGROUP_V1 ? cases[i].v1 : cases[i].v2));
        } else if (r < 0) {
            fail_msg("%s", err_text(r));
        } else {
            struct limits now;
            assert_int_equal(cgroup_limits(g, &now), 0);
            const struct limits *l = &cases[i].l;
            assert_true(!l->memory || now.memory == l->memory);
            assert_true(!l->nano_cpus || (now.cpu_quota == 50000 && now.cpu_period == 100000));
            assert_true(!l->cpu_shares || (now.cpu_shares > 512 - 27 && now.cpu_shares <= 512));
            assert_true(!l->pids || now.pids == l->pids);
            assert_true(!l->cpuset_cpus || str_eq(now.cpuset_cpus, "0"));
            assert_true(!l->blkio_weight || now.blkio_weight == 500);
            limits_done(&now);
        }
        cgroup_remove(g);
        supervisor_end(&supervisor);
    }
}

/* What a killed supervisor leaves, with groups that the container made below, goes by its paths. */
static void test_remove_by_paths(void **state)
{
    struct supervisor supervisor = supervisor_start();
    struct cgroup *g = make_or_skip(&(struct limits){.pids = 20}, &supervisor);
    auto_strv char **paths = cgroup_paths(g);
    for (size_t i = 0; i < g->n; i++) {
        assert_int_equal(mkdirat(g->dirs[i].fd, "below", 0755), 0);
        assert_int_equal(mkdirat(g->dirs[i].fd, "below/deeper", 0755), 0);
    }
    cgroup_close(g);
    assert_int_equal(cgroup_open(paths, &g), 0);
    cgroup_remove(g);
    assert_nothing_left(paths);
    supervisor_end(&supervisor);
}

int main(void)
{
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    count = shared;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_implied_swap_has_no_option),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_no_limit_reads_as_minus_one),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_pids),
        cmocka_unit_test(test_without_limits),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_all_controllers),
        cmocka_unit_test(test_remove_by_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
