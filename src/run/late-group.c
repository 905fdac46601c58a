/* A control group for a container that runs already.
 *
 * A container without limits may have no group (always on version 1; on version 2 where systemd would have to be
 * asked), or none of the controller that a new limit needs: one is made when it is to be frozen or limited, and its
 * processes are moved into it until none is left outside. Its path goes into the live record, so that everybody finds
 * it, and the supervisor is told.
 *
 * Runs in: the invocation (pause, update). */
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

/* The paths of before that stay beside the new ones; those that the new ones replace are removed. */
static void keep_others(char *const *before, char ***paths)
{
    auto_strv char **replaced = NULL;
    struct cgroup *old = NULL;
    strv_foreach (word, before) {
        size_t controller = strcspn(word, ":") + 1;
        bool anew = false;
        strv_foreach (path, *paths)
            anew = anew || strncmp(path, word, controller) == 0;
        if (!anew)
            strv_add(paths, word);
        else if (!strv_has(*paths, word))
            strv_add(&replaced, word);
    }
    if (replaced && cgroup_open(replaced, &old) == 0)
        cgroup_remove(old);
}

static void move_into(const struct cgroup *g, pid_t init)
{
    char pid[24];
    auto_strv char **moved = NULL;
    snprintf(pid, sizeof pid, "%d", init);
    ino_t ns = pid_ns(pid);
    while (ns && move_all(g, ns, &moved) > 0)
        ;
}

int late_group(const struct store *s, const char *id, pid_t supervisor, const struct limits *limits,
               struct ctr_live *live, struct cgroup **ret)
{
    auto_close int dir = -1;
    struct cgroup *g = NULL;
    int r =
        cgroup_make(&(struct cgroup_request){.id = id, .full = true, .limits = limits, .supervisor = supervisor}, &g);
    if (r == 0 && !g)
        r = err_set(-EOPNOTSUPP,
                    "container %.12s has no control group that could be frozen, and none can be made here; start it "
                    "with a limit, under "
                    "systemd, or as root",
                    id);
    if (r < 0)
        return r;
    move_into(g, (pid_t)live->pid);
    auto_strv char **before = take_ptr(&live->cgroup);
    live->cgroup = cgroup_paths(g);
    keep_others(before, &live->cgroup);
    r = ctr_open_dir(s, id, &dir);
    if (r == 0)
        r = rec_save(&ctr_live_rec, dir, "live.json", live, false);
    if (r == 0)
        run_reload(s, id);
    *ret = g;
    return r;
}
