/* What a container uses. A control group counts what all its processes did, also of those that are gone; without one,
 * what is there now is added up, with what the living have waited for.
 *
 * Runs in: the invocation. Reads: the group's files, /proc. */
#include "whelk/stats.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/processes.h"

#include <fcntl.h>
#include <time.h>

static void read_group(const struct store *s, const char *id, struct cgroup_usage *ret)
{
    struct ctr_live live = {0};
    struct cgroup *g = NULL;
    *ret = (struct cgroup_usage){0};
    if (ctr_live_load(s, id, &live) == 0 && live.cgroup && cgroup_open(live.cgroup, &g) == 0) {
        cgroup_usage(g, ret);
        cgroup_close(g);
    }
    ctr_live_done(&live);
    err_clear();
}

/* Its share of the memory that it maps; the resident size where that may not be read. */
static uint64_t process_share(const struct process *p)
{
    auto_free char *path = xasprintf("/proc/%d/smaps_rollup", p->pid), *text = NULL;
    const char *pss = file_read(AT_FDCWD, path, 64 << 10, &text, NULL) < 0 ? NULL : strstr(text, "\nPss:");
    return pss ? strtoull(pss + strlen("\nPss:"), NULL, 10) * 1024 : p->resident_bytes;
}

struct sums {
    uint64_t cpu_ns, memory, io_read, io_write;
};

static struct sums add_up(const struct ctr_processes *ps, bool memory)
{
    struct sums sum = {0};
    for (size_t i = 0; i < ps->n; i++) {
        const struct process *p = &ps->items[i];
        uint64_t in, out;
        process_io(p->pid, &in, &out);
        sum.cpu_ns += process_ticks_ns(p->cpu_ticks + p->waited_ticks);
        sum.memory += memory ? process_share(p) : 0;
        sum.io_read += in;
        sum.io_write += out;
    }
    err_clear();
    return sum;
}

static bool shares_network(pid_t init)
{
    struct stat ours, its;
    auto_free char *path = xasprintf("/proc/%d/ns/net", init);
    return stat("/proc/self/ns/net", &ours) < 0 || stat(path, &its) < 0 || ours.st_ino == its.st_ino;
}

int ctr_usage(const struct store *s, const struct ctr *c, struct ctr_usage *ret)
{
    struct ctr_processes ps;
    struct cgroup_usage group;
    struct timespec now;
    int r = ctr_processes(s, c, &ps);
    if (r < 0)
        return r;
    clock_gettime(CLOCK_MONOTONIC, &now);
    read_group(s, c->id, &group);
    struct sums sum = add_up(&ps, !group.memory);
    struct ctr_usage u = {.cpu_ns = group.cpu_ns ? group.cpu_ns : sum.cpu_ns,
                          .memory = group.memory ? group.memory : sum.memory,
                          .memory_summed = !group.memory,
                          .memory_limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
                          .io_read = group.io_read || group.io_write ? group.io_read : sum.io_read,
                          .io_write = group.io_read || group.io_write ? group.io_write : sum.io_write,
                          .pids = group.pids ? group.pids : ps.n,
                          .at = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
    if (group.memory_limit && group.memory_limit < u.memory_limit)
        u.memory_limit = group.memory_limit;
    u.has_network = !shares_network(ps.init) && process_network(ps.init, &u.net_received, &u.net_sent) == 0;
    ctr_processes_done(&ps);
    *ret = u;
    return 0;
}
