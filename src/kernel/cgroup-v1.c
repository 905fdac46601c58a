/* Control groups version 1: controllers mounted one by one (or by twos, with links) below /sys/fs/cgroup. Only those
 * that carry something get a group, below the caller's own; nothing that exists is changed.
 *
 * Runs in: STARTER (makes), SUPERVISOR and others (freeze, kill). */
#include "cgroup-parts.h"

#include "whelk/err.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <sys/stat.h>

/* All that pause and stats read. */
static const char *const full_controllers[] = {"freezer", "cpuacct", "memory", "pids", "blkio"};

static const char *reason(int r)
{
    static const char *const users =
        "a user cannot have control groups of version 1; boot with systemd.unified_cgroup_hierarchy=1";
    return r == -EACCES || r == -EPERM || r == -EROFS ? users
           : r == -ENOENT                             ? "this host has not mounted it"
                                                      : strerror(-r);
}

/* A group that was just made has no processors and no memory nodes, and so takes no process. */
static int inherit_cpuset(int dir, const char *parent)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    auto_close int above = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        auto_free char *value = cgroup_read(above, files[i]);
        int r = value ? cgroup_write(dir, files[i], value) : -ENOENT;
        if (r < 0)
            return r;
    }
    return 0;
}

/* The caller's own group of the controller, or the top of what is mounted (in a container that sees its group alone).
 */
static int own_path(const char *controller, char **ret)
{
    auto_free char *own = NULL;
    int r = cgroup_path_of(0, controller, &own);
    if (r < 0)
        return r;
    auto_free char *full = cgroup_full_path(controller, own);
    *ret = str_eq(own, "/") || access(full, F_OK) < 0 ? xstrdup("") : take_ptr(&own);
    return 0;
}

/* -errno without text. A group of that name is what a killed supervisor left. */
static int make_dir(struct cgroup *g, const char *controller, const struct cgroup_request *q)
{
    auto_free char *own = NULL;
    int r = q->parent ? cgroup_make_path(controller, q->parent) : own_path(controller, &own);
    if (r < 0)
        return r;
    if (!own)
        own = xstrdup(q->parent);
    auto_free char *path = xasprintf("%s/whelk-%.12s", own, q->id), *full = cgroup_full_path(controller, path);
    if (mkdir(full, 0755) < 0 && errno != EEXIST)
        return -errno;
    r = cgroup_add_dir(g, controller, path);
    if (r < 0 || !str_eq(controller, "cpuset"))
        return r;
    auto_free char *parent = cgroup_full_path(controller, own);
    return inherit_cpuset(g->dirs[g->n - 1].fd, parent);
}

static bool has_dir(const struct cgroup *g, const char *controller)
{
    for (size_t i = 0; i < g->n; i++)
        if (str_eq(g->dirs[i].controller, controller))
            return true;
    return false;
}

static int make_dirs(struct cgroup *g, const struct cgroup_settings *s, const struct cgroup_request *q, bool strict)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct cgroup_setting *set = &s->list[i];
        int r = has_dir(g, set->controller) ? 0 : make_dir(g, set->controller, q);
        if (r < 0 && strict)
            return err_set(-EOPNOTSUPP, "--%s needs the %s controller: %s", set->option, set->controller, reason(r));
    }
    return 0;
}

static int make_strict(struct cgroup *g, const struct cgroup_request *q)
{
    auto_settings struct cgroup_settings s = {0};
    if (q->limits)
        settings_make(q->limits, CGROUP_V1, &s);
    int r = make_dirs(g, &s, q, true);
    return r < 0 ? r : cgroup_apply(g, &s, true);
}

static void make_rest(struct cgroup *g, const struct cgroup_request *q)
{
    auto_settings struct cgroup_settings s = {0};
    if (q->defaults)
        settings_make(q->defaults, CGROUP_V1, &s);
    make_dirs(g, &s, q, false);
    for (size_t i = 0; q->full && i < ARRAY_LEN(full_controllers); i++)
        if (!has_dir(g, full_controllers[i]))
            make_dir(g, full_controllers[i], q);
    cgroup_apply(g, &s, false);
}

int cgroup_v1_make(const struct cgroup_request *q, struct cgroup **ret)
{
    struct cgroup *g = xcalloc(1, sizeof *g);
    g->mode = CGROUP_V1;
    make_rest(g, q); /* defaults first: a limit that was asked for replaces one */
    int r = make_strict(g, q);
    if (r < 0 || !g->n) {
        cgroup_remove(g);
        return r;
    }
    *ret = g;
    return 0;
}

/* --- freezing */

static int freezer(const struct cgroup *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (str_eq(g->dirs[i].controller, "freezer"))
            return g->dirs[i].fd;
    return err_set(-EOPNOTSUPP, "the container has no group of the freezer controller");
}

/* FREEZING can last while a process is in the kernel. */
int cgroup_v1_freeze(const struct cgroup *g, bool frozen)
{
    const char *wanted = frozen ? "FROZEN" : "THAWED";
    int dir = freezer(g);
    int r = dir < 0 ? dir : cgroup_write(dir, "freezer.state", wanted);
    if (dir >= 0 && r < 0)
        return err_set(r, "cannot %s the container: %s", frozen ? "freeze" : "thaw", strerror(-r));
    for (int tries = 0; r == 0 && tries < 1000; tries++) {
        auto_free char *state = cgroup_read(dir, "freezer.state");
        if (!state || str_eq(state, wanted))
            return 0;
        cgroup_pause_ms(tries < 10 ? 1 : 5);
    }
    if (r == 0)
        cgroup_write(dir, "freezer.state", "THAWED");
    return r < 0 ? r : err_set(-ETIMEDOUT, "the container did not freeze: a process is stuck in the kernel");
}

/* --- killing */

static size_t kill_listed(int dir)
{
    auto_free char *procs = cgroup_read(dir, "cgroup.procs");
    auto_strv char **pids = strv_split(procs ? procs : "", "\n");
    size_t n = 0;
    strv_foreach (pid, pids) {
        auto_close int pidfd = atoi(pid) > 0 ? pidfd_open_pid(atoi(pid)) : -1;
        n += pidfd >= 0 && pidfd_signal(pidfd, SIGKILL, 0) == 0;
    }
    return n;
}

/* Rounds, because a process that is not frozen can fork meanwhile. */
int cgroup_v1_kill(const struct cgroup *g)
{
    bool can_freeze = freezer(g) >= 0 && cgroup_v1_freeze(g, true) == 0;
    err_clear();
    for (int round = 0; round < 100 && kill_listed(g->dirs[0].fd) > 0 && !can_freeze; round++)
        cgroup_pause_ms(1);
    return can_freeze ? cgroup_v1_freeze(g, false) : 0;
}
