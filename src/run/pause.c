/* Freezing containers through their control group.
 *
 * A container without limits may have no group (always on version 1; on version 2 where systemd would have to be
 * asked): one is made when it is to be frozen, and its processes are moved into it until none is left outside. Its path
 * goes into the live record, so that everybody finds it. */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

/* The pid namespace of a process as a number, 0 if it cannot be seen. */
static ino_t pid_ns(const char *pid)
{
    struct stat st;
    auto_free char *path = xasprintf("/proc/%s/ns/pid", pid);
    return stat(path, &st) < 0 ? 0 : st.st_ino;
}

/* Moves every process of the namespace into g; the number of those that were not in yet. */
static int move_all(const struct cgroup *g, ino_t ns, char ***moved)
{
    auto_strv char **names = NULL;
    int n = 0;
    if (dir_names(AT_FDCWD, "/proc", &names) < 0)
        return 0;
    strv_foreach (name, names) {
        int64_t pid;
        if (!str_to_i64(name, &pid) || pid_ns(name) != ns || strv_has(*moved, name))
            continue;
        if (cgroup_enter(g, (pid_t)pid) == 0)
            n++;
        strv_add(moved, name);
    }
    err_clear();
    return n;
}

static int make_late_group(const struct store *s, const char *id, pid_t supervisor, struct ctr_live *live,
                           struct cgroup **ret)
{
    char init[24];
    auto_close int dir = -1;
    auto_strv char **moved = NULL;
    struct cgroup *g = NULL;
    int r = cgroup_make(&(struct cgroup_request){.id = id, .full = true, .supervisor = supervisor}, &g);
    if (r == 0 && !g)
        r = err_set(-EOPNOTSUPP,
                    "container %.12s has no control group that could be frozen, and none can be made here; start it "
                    "with a limit, under "
                    "systemd, or as root",
                    id);
    if (r < 0)
        return r;
    snprintf(init, sizeof init, "%lld", (long long)live->pid);
    ino_t ns = pid_ns(init);
    while (ns && move_all(g, ns, &moved) > 0)
        ;
    live->cgroup = cgroup_paths(g);
    r = ctr_open_dir(s, id, &dir);
    if (r == 0)
        r = rec_save(&ctr_live_rec, dir, "live.json", live, false);
    *ret = g;
    return r;
}

static int open_group(const struct store *s, const char *id, bool make, struct cgroup **ret)
{
    struct ctr_live live = {0};
    struct ctr_state state;
    int r = ctr_state(s, id, &state);
    if (r == 0 && state.status != CTR_RUNNING)
        r = err_set(-ESRCH, "container %.12s is not running", id);
    if (r == 0)
        r = ctr_live_load(s, id, &live);
    if (r == 0 && live.cgroup)
        r = cgroup_open(live.cgroup, ret);
    else if (r == 0)
        r = make ? make_late_group(s, id, state.supervisor, &live, ret) : -ENOENT;
    ctr_live_done(&live);
    return r;
}

int run_pause(const struct store *s, const char *id, bool paused)
{
    struct cgroup *g = NULL;
    int r = open_group(s, id, paused, &g);
    if (r == -ENOENT && !paused)
        return err_set(-EINVAL, "container %.12s is not paused", id);
    if (r < 0)
        return r;
    if (cgroup_frozen(g) == paused)
        r = err_set(-EINVAL, "container %.12s is %s", id, paused ? "paused already" : "not paused");
    else
        r = cgroup_freeze(g, paused);
    cgroup_close(g);
    return r;
}

bool run_is_paused(const struct store *s, const char *id)
{
    struct cgroup *g = NULL;
    bool paused = open_group(s, id, false, &g) == 0 && cgroup_frozen(g);
    if (g)
        cgroup_close(g);
    err_clear();
    return paused;
}
