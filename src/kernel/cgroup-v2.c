/* Control groups version 2: where a container's group is made, and by whom.
 *
 * Theory of operation. The kernel lets a group have processes or controllers for its children, not both ("no internal
 * processes"), and systemd wants to be the only writer outside of subtrees that it has delegated. So there are two
 * ways. The caller's group is ours (delegated to its unit, or there is no systemd and it is writable): the container's
 * group is made in it, and if the kernel refuses controllers because of processes, these, all of that unit, move to its
 * leaf `supervisor`. Otherwise systemd makes a scope for the supervisor: delegated, its processes only ours. Without
 * limits (and not `full`) nobody asks systemd: it would double the time of a run.
 *
 * Runs in: STARTER (makes), SUPERVISOR and others (freeze, kill). */
#include "cgroup-parts.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/xattr.h>
#include <time.h>

#define LEAF "supervisor"

/* For stats; pause needs none. */
static const char *const full_controllers[] = {"cpu", "memory", "pids", "io"};

/* --- whose group is it? */

static bool has_mark(int dir, const char *name)
{
    char value[4] = "";
    return fgetxattr(dir, name, value, sizeof value - 1) > 0 && *value == '1';
}

static bool other_owner_above(int dir)
{
    struct stat own, above;
    return fstat(dir, &own) == 0 && fstatat(dir, "..", &above, 0) == 0 && own.st_uid == geteuid() &&
           above.st_uid != own.st_uid;
}

static bool can_write(int dir)
{
    static const char *const files[] = {".", "cgroup.procs", "cgroup.subtree_control"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (faccessat(dir, files[i], W_OK, AT_EACCESS) < 0)
            return false;
    return true;
}

/* systemd's system manager marks what it delegates, for users to read since version 251; before that the owner tells
 * (User= with Delegate=). User managers (252, 255) do not mark: they have to be asked, which only pays where they would
 * be asked for a scope anyway. */
static bool is_ours(int dir, const char *path, bool ask)
{
    if (!can_write(dir))
        return false;
    if (!systemd_runs() || has_mark(dir, "user.delegate") || has_mark(dir, "trusted.delegate") ||
        other_owner_above(dir))
        return true;
    const char *unit = strrchr(path, '/');
    return ask && unit && geteuid() != 0 && systemd_delegates(unit + 1);
}

static int open_group(const char *path)
{
    auto_free char *full = cgroup_full_path("", path);
    return open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* The group in which containers of this caller are made, without a slash at its end: its own, or the one above its
 * leaf. */
static int find_own(bool ask, char **ret_path, int *ret_fd)
{
    auto_free char *own = NULL;
    if (cgroup_path_of(0, "", &own) < 0)
        return -ENOENT;
    if (str_ends(own, "/" LEAF))
        own[strlen(own) - strlen("/" LEAF)] = 0;
    if (str_eq(own, "/"))
        *own = 0;
    auto_close int dir = open_group(own);
    if (dir < 0 || !is_ours(dir, own, ask))
        return -EACCES;
    *ret_path = take_ptr(&own);
    *ret_fd = take_fd(&dir);
    return 0;
}

/* --- controllers */

static int move_all(int from, int leaf)
{
    auto_free char *procs = cgroup_read(from, "cgroup.procs");
    auto_strv char **pids = strv_split(procs ? procs : "", "\n");
    int r = 0;
    strv_foreach (pid, pids) {
        int moved = str_eq(pid, "0") ? -EPERM : cgroup_write(leaf, "cgroup.procs", pid);
        r = moved < 0 && moved != -ESRCH ? moved : r;
    }
    return r;
}

/* Rounds, because processes fork. */
static int vacate(int group)
{
    if (mkdirat(group, LEAF, 0755) < 0 && errno != EEXIST)
        return -errno;
    auto_close int leaf = openat(group, LEAF, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int r = leaf < 0 ? -errno : 0;
    for (int round = 0; r == 0 && round < 10; round++) {
        auto_free char *procs = cgroup_read(group, "cgroup.procs");
        if (str_empty(procs))
            return 0;
        r = move_all(group, leaf);
    }
    return r;
}

/* The top of the hierarchy may have both. */
static bool has_internal_processes(int group)
{
    auto_free char *procs = cgroup_read(group, "cgroup.procs");
    return faccessat(group, "cgroup.type", F_OK, 0) == 0 && !str_empty(procs);
}

/* Vacates before: of a group with processes the kernel takes the controllers of threads (cpu, pids), but its children are
 * "domain invalid" then, and can be entered by nobody. -errno without text. */
static int enable(int group, const char *controller)
{
    auto_free char *plus = xasprintf("+%s", controller);
    int r = has_internal_processes(group) ? vacate(group) : 0;
    return r < 0 ? r : cgroup_write(group, "cgroup.subtree_control", plus);
}

static bool has_word(int group, const char *file, const char *word)
{
    auto_free char *text = cgroup_read(group, file);
    auto_strv char **words = strv_split(text ? text : "", " \n");
    return strv_has(words, word);
}

static const char *advice(void)
{
    if (!systemd_runs())
        return "it is not enabled in cgroup.subtree_control of the groups above";
    return geteuid() == 0 ? "put Delegate=yes into the unit"
                          : "systemd does not delegate it to users; as root, put [Service] and Delegate=cpu cpuset io "
                            "memory pids into "
                            "/etc/systemd/system/user@.service.d/delegate.conf, and log in again";
}

static int require(int group, const struct cgroup_setting *s)
{
    if (!s->option || has_word(group, "cgroup.subtree_control", s->controller))
        return 0;
    if (!has_word(group, "cgroup.controllers", s->controller))
        return err_set(-EOPNOTSUPP, "--%s needs the %s controller: %s", s->option, s->controller, advice());
    int r = enable(group, s->controller);
    return r < 0 ? err_set(-EOPNOTSUPP, "--%s: cannot enable the %s controller: %s", s->option, s->controller,
                           strerror(-r))
                 : 0;
}

static void enable_if_there(int group, const char *controller)
{
    if (has_word(group, "cgroup.controllers", controller) && !has_word(group, "cgroup.subtree_control", controller))
        enable(group, controller);
}

static int enable_needed(int group, const struct cgroup_settings *limits, const struct cgroup_settings *defaults,
                         bool full)
{
    int r = 0;
    for (size_t i = 0; i < limits->n && r == 0; i++)
        r = require(group, &limits->list[i]);
    for (size_t i = 0; i < defaults->n && r == 0; i++)
        enable_if_there(group, defaults->list[i].controller);
    for (size_t i = 0; full && i < ARRAY_LEN(full_controllers) && r == 0; i++)
        enable_if_there(group, full_controllers[i]);
    return r;
}

/* --- making */

static int make_leaf(int group, const char *group_path, const char *name, struct cgroup *g)
{
    auto_free char *path = xasprintf("%s/%s", group_path, name);
    int r = mkdirat(group, name, 0755) < 0 && errno != EEXIST ? -errno : cgroup_add_dir(g, "", path);
    return r < 0 ? err_set(r, "cannot make the control group %s: %s", path, strerror(-r)) : 0;
}

static int make_in(int group, const char *path, const char *name, const struct cgroup_request *q, struct cgroup **ret)
{
    auto_settings struct cgroup_settings limits = {0}, defaults = {0};
    if (q->limits)
        settings_make(q->limits, CGROUP_V2, &limits);
    if (q->defaults)
        settings_make(q->defaults, CGROUP_V2, &defaults);
    struct cgroup *g = xcalloc(1, sizeof *g);
    g->mode = CGROUP_V2;
    int r = enable_needed(group, &limits, &defaults, q->full);
    if (r == 0)
        r = make_leaf(group, path, name, g);
    if (r == 0)
        r = cgroup_apply(g, &defaults, false);
    if (r == 0)
        r = cgroup_apply(g, &limits, true);
    if (r < 0) {
        cgroup_remove(g);
        return r;
    }
    *ret = g;
    return 0;
}

static int make_in_scope(const struct cgroup_request *q, struct cgroup **ret)
{
    auto_free char *name = xasprintf("whelk-%.12s-%d.scope", q->id, q->supervisor);
    int r = systemd_make_scope(name, q->supervisor);
    if (r < 0)
        return r;
    auto_free char *path = NULL;
    r = cgroup_path_of(q->supervisor, "", &path);
    if (r < 0 || !str_ends(path, name))
        return err_set(-EPROTO, "systemd made %s, but the supervisor is not in it", name);
    auto_close int group = open_group(path);
    r = group < 0 ? -errno : vacate(group);
    return r < 0 ? err_set(r, "cannot use the control group %s: %s", path, strerror(-r))
                 : make_in(group, path, "ctr", q, ret);
}

static int refuse(const struct cgroup_request *q, int r)
{
    auto_settings struct cgroup_settings s;
    auto_free char *why = xstrdup(err_text(r));
    settings_make(q->limits, CGROUP_V2, &s);
    return err_set(-EOPNOTSUPP, "--%s needs the %s controller, and %s", s.list[0].option, s.list[0].controller, why);
}

/* The container beside the leaf of all others, the caller included, whether controllers ask for it or not. */
static int make_split(int group, const char *own, const char *name, const struct cgroup_request *q, struct cgroup **ret)
{
    int r = vacate(group);
    return r < 0 ? err_set(r, "--cgroups split: cannot move the processes of %s to its leaf " LEAF ": %s", own,
                           strerror(-r))
                 : make_in(group, own, name, q, ret);
}

/* --cgroup-parent. */
static int make_in_parent(const struct cgroup_request *q, struct cgroup **ret)
{
    auto_free char *name = xasprintf("whelk-%.12s", q->id);
    int r = cgroup_make_path("", q->parent);
    auto_close int group = r < 0 ? -1 : open_group(q->parent);
    if (group < 0)
        return err_set(-EACCES, "--cgroup-parent %s: this group cannot be used: %s", q->parent,
                       strerror(r < 0 ? -r : errno));
    return make_in(group, q->parent, name, q, ret);
}

int cgroup_v2_make(const struct cgroup_request *q, struct cgroup **ret)
{
    auto_free char *own = NULL;
    auto_close int group = -1;
    bool limited = limits_any(q->limits);
    if (q->parent)
        return make_in_parent(q, ret);
    if (find_own(limited || q->full || q->split, &own, &group) == 0) {
        auto_free char *name = xasprintf("whelk-%.12s", q->id);
        return q->split ? make_split(group, own, name, q, ret) : make_in(group, own, name, q, ret);
    }
    if (q->split)
        return err_set(-EACCES,
                       "--cgroups split: the caller's control group is not delegated; put Delegate=yes into the "
                       "unit, or do without the option");
    if ((!limited && !q->full) || q->supervisor <= 0)
        return limited ? err_set(-EINVAL, "no process to make a control group for") : 0;
    if (!systemd_runs()) {
        return limited ? refuse(q, err_set(-EACCES, "the caller's control group is not writable")) : 0;
    }
    int r = make_in_scope(q, ret);
    if (r < 0 && !limited)
        err_clear();
    if (!limited)
        return 0;
    return r < 0 && r != -EOPNOTSUPP ? refuse(q, r) : r;
}

/* --- freezing and killing */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* cgroup.events wakes up pollers when it changes after it was read. */
int cgroup_v2_freeze(const struct cgroup *g, bool frozen)
{
    auto_close int events = openat(g->dirs[0].fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    int r = events < 0 ? -errno : cgroup_write(g->dirs[0].fd, "cgroup.freeze", frozen ? "1" : "0");
    if (r < 0)
        return err_set(r, "cannot %s the container: %s", frozen ? "freeze" : "thaw", strerror(-r));
    for (int64_t end = now_ms() + 5000; now_ms() < end;) {
        char text[128] = "";
        if (pread(events, text, sizeof text - 1, 0) < 0 || cgroup_key(text, "frozen") == (uint64_t)frozen)
            return 0;
        poll(&(struct pollfd){.fd = events, .events = POLLPRI}, 1, (int)MAX(end - now_ms(), 0));
    }
    cgroup_write(g->dirs[0].fd, "cgroup.freeze", "0");
    return err_set(-ETIMEDOUT, "the container did not freeze: a process is stuck in the kernel");
}

int cgroup_v2_kill(const struct cgroup *g)
{
    int r = cgroup_write(g->dirs[0].fd, "cgroup.kill", "1");
    return r < 0 ? err_set(r, "cannot kill the container's processes: %s", strerror(-r)) : 0;
}
