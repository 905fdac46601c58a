/* Control groups: the face, and what both hierarchies have in common. A group is a list of directories, on version 2 of
 * one; what differs is in tables of files, and in cgroup-v1.c and cgroup-v2.c.
 *
 * Runs in: STARTER (makes, moves), SUPERVISOR (enters, freezes, removes), other commands (open, read, update). */
#include "cgroup-parts.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <time.h>

enum { FILE_MOST = 1 << 20 };

/* --- helpers of all parts */

void cgroup_pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

int cgroup_write(int dirfd, const char *file, const char *text)
{
    auto_close int fd = openat(dirfd, file, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

char *cgroup_read(int dirfd, const char *file)
{
    char *text = NULL;
    auto_close int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
    auto_buf struct buf b = {0};
    if (fd >= 0 && fd_read_all(fd, FILE_MOST, &b) == 0) {
        text = buf_take(&b);
        memmove(text, str_trim(text), strlen(str_trim(text)) + 1);
    }
    return text;
}

uint64_t cgroup_key(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0 && line[n] == ' ')
            return strtoull(line + n, NULL, 10);
    }
    return 0;
}

char *cgroup_full_path(const char *controller, const char *path)
{
    return xasprintf(CGROUP_ROOT "%s%s%s", *controller ? "/" : "", controller, path);
}

/* "4:cpu,cpuacct:/path"; for version 2 "0::/path". */
static const char *path_in_line(char *line, const char *controller)
{
    char *list = strchr(line, ':');
    char *path = list ? strchr(list + 1, ':') : NULL;
    if (!path)
        return NULL;
    *path++ = 0;
    auto_strv char **names = strv_split(list + 1, ",");
    bool found = *controller ? strv_has(names, controller) : !list[1];
    return found && *path == '/' && !str_after(path, "/..") ? path : NULL;
}

int cgroup_path_of(pid_t pid, const char *controller, char **ret)
{
    char file[64];
    snprintf(file, sizeof file, pid ? "/proc/%d/cgroup" : "/proc/self/cgroup", pid);
    auto_free char *content = cgroup_read(AT_FDCWD, file);
    auto_strv char **lines = strv_split(content ? content : "", "\n");
    strv_foreach (line, lines) {
        const char *path = path_in_line(line, controller);
        if (path) {
            *ret = xstrdup(path);
            return 0;
        }
    }
    return -ENOENT;
}

enum cgroup_mode cgroup_mode(void)
{
    struct statfs st;
    if (statfs(CGROUP_ROOT, &st) < 0)
        return CGROUP_NONE;
    if (st.f_type == CGROUP2_SUPER_MAGIC)
        return CGROUP_V2;
    auto_free char *v1 = NULL;
    return cgroup_path_of(0, "memory", &v1) == 0 || cgroup_path_of(0, "pids", &v1) == 0 ? CGROUP_V1 : CGROUP_NONE;
}

/* --- the group as a value */

int cgroup_add_dir(struct cgroup *g, const char *controller, const char *path)
{
    auto_free char *full = cgroup_full_path(controller, path);
    int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    g->dirs = xrealloc(g->dirs, (g->n + 1) * sizeof *g->dirs);
    g->dirs[g->n++] = (struct cgroup_dir){xstrdup(controller), xstrdup(path), fd};
    return 0;
}

void cgroup_close(struct cgroup *g)
{
    for (size_t i = 0; g && i < g->n; i++) {
        free(g->dirs[i].controller);
        free(g->dirs[i].path);
        fd_close(g->dirs[i].fd);
    }
    if (g)
        free(g->dirs);
    free(g);
}

/* The directory that has the controller's files: -1 if g has not that controller. */
static int dir_of(const struct cgroup *g, const char *controller)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->mode == CGROUP_V2 || str_eq(g->dirs[i].controller, controller))
            return g->dirs[i].fd;
    return -1;
}

char **cgroup_paths(const struct cgroup *g)
{
    char **paths = NULL;
    for (size_t i = 0; i < g->n; i++)
        strv_addf(&paths, "%s:%s", g->dirs[i].controller, g->dirs[i].path);
    return paths;
}

/* What is in a record is looked at before it is believed: these directories get killed and removed. "whelk-ID", or
 * "ctr" in a scope of whelk. */
static bool is_container_group(const char *path)
{
    if (*path != '/' || strstr(path, "/../"))
        return false;
    const char *last = strrchr(path, '/');
    const char *id = str_after(last, "/whelk-");
    if (id)
        return str_is_hex(id, 12);
    auto_free char *above = xstrndup(path, (size_t)(last - path));
    return str_eq(last, "/ctr") && str_ends(above, ".scope") && str_after(strrchr(above, '/'), "/whelk-");
}

int cgroup_open(char *const *paths, struct cgroup **ret)
{
    struct cgroup *g = xcalloc(1, sizeof *g);
    g->mode = CGROUP_V2;
    strv_foreach (word, paths) {
        const char *path = strchr(word, ':');
        if (!path || !is_container_group(path + 1))
            continue;
        auto_free char *controller = xstrndup(word, (size_t)(path - word));
        if (*controller)
            g->mode = CGROUP_V1;
        if (!strchr(controller, '/') && !str_after(controller, "."))
            cgroup_add_dir(g, controller, path + 1);
    }
    if (!g->n) {
        cgroup_close(g);
        return -ENOENT;
    }
    *ret = g;
    return 0;
}

/* --- making and entering */

int cgroup_make_path(const char *controller, const char *path)
{
    auto_free char *full = cgroup_full_path(controller, path);
    if (access(full, F_OK) == 0)
        return 0;
    auto_free char *top = cgroup_full_path(controller, "");
    if (access(top, F_OK) < 0)
        return -ENOENT;
    return dir_make_all(full, 0755);
}

static int refuse_without(const struct cgroup_request *q)
{
    struct cgroup_settings s;
    settings_make(q->limits, CGROUP_V2, &s);
    int r = err_set(-EOPNOTSUPP, "--%s needs the %s controller, but no control groups are mounted below " CGROUP_ROOT,
                    s.list[0].option, s.list[0].controller);
    settings_done(&s);
    return r;
}

int cgroup_make(const struct cgroup_request *q, struct cgroup **ret)
{
    *ret = NULL;
    if (q->split && cgroup_mode() != CGROUP_V2)
        return err_set(-EOPNOTSUPP, "--cgroups split needs control groups version 2, which this host has not");
    switch (cgroup_mode()) {
    case CGROUP_V2:
        return cgroup_v2_make(q, ret);
    case CGROUP_V1:
        return cgroup_v1_make(q, ret);
    case CGROUP_NONE:
    default:
        return limits_any(q->limits) ? refuse_without(q) : 0;
    }
}

int cgroup_child_fd(const struct cgroup *g)
{
    return g->mode == CGROUP_V2 ? g->dirs[0].fd : -1;
}

/* A user's process cannot be moved from one part of the hierarchy (a login's) to another but by those above: systemd
 * does it where it may. */
static int enter_dir(const struct cgroup *g, const struct cgroup_dir *d, pid_t pid)
{
    char number[16];
    snprintf(number, sizeof number, "%d", pid);
    int r = cgroup_write(d->fd, "cgroup.procs", number);
    if (r == 0)
        return 0;
    if (r != -EACCES || g->mode != CGROUP_V2 || !systemd_runs())
        return err_set(r, "cannot enter the control group %s: %s", d->path, strerror(-r));
    r = systemd_attach(d->path, pid);
    return r < 0 ? err_wrap(r, "cannot enter the control group %s", d->path) : 0;
}

int cgroup_enter(const struct cgroup *g, pid_t pid)
{
    int r = 0;
    for (size_t i = 0; i < g->n && r == 0; i++)
        r = enter_dir(g, &g->dirs[i], pid);
    return r;
}

/* --- limits */

static int apply_one(const struct cgroup *g, const struct cgroup_setting *s)
{
    int dir = dir_of(g, s->controller);
    int r = dir < 0 ? -ENODEV : cgroup_write(dir, s->file, s->value);
    if (r == 0)
        return 0;
    const char *option = s->option ? s->option : s->file;
    if (r == -ENODEV)
        return err_set(-EOPNOTSUPP, "--%s: the container has no group of the %s controller", option, s->controller);
    if (r == -ENOENT)
        return err_set(-EOPNOTSUPP, "--%s: the %s controller has no %s here", option, s->controller, s->file);
    return err_set(r, "--%s: cannot write %s to %s of the %s controller: %s", option, s->value, s->file, s->controller,
                   strerror(-r));
}

/* A value may only be valid once a later one is there (memory beyond the old memory and swap): a second round for those
 * that failed. */
int cgroup_apply(const struct cgroup *g, const struct cgroup_settings *s, bool strict)
{
    auto_free bool *failed = xcalloc(s->n + 1, sizeof *failed);
    for (size_t i = 0; i < s->n; i++)
        failed[i] = apply_one(g, &s->list[i]) < 0;
    int r = 0;
    for (size_t i = 0; i < s->n && r == 0; i++)
        if (failed[i] && apply_one(g, &s->list[i]) < 0 && s->list[i].option && strict)
            r = apply_one(g, &s->list[i]);
    if (r == 0)
        err_clear();
    return r;
}

int cgroup_set(const struct cgroup *g, const struct limits *l)
{
    auto_settings struct cgroup_settings s;
    settings_make(l, g->mode, &s);
    return cgroup_apply(g, &s, true);
}

int cgroup_limits(const struct cgroup *g, struct limits *ret)
{
    *ret = (struct limits){0};
    for (size_t i = 0; i < limit_count(); i++) {
        int dir = dir_of(g, limit_controller(i, g->mode));
        auto_free char *content = dir < 0 ? NULL : cgroup_read(dir, limit_file(i, g->mode));
        if (content)
            limit_read(i, g->mode, content, ret);
    }
    return 0;
}

/* --- usage: what to read where */

static uint64_t as_number(const char *text, const char *key)
{
    return strtoull(text, NULL, 10);
}

static uint64_t as_limit(const char *text, const char *key)
{
    uint64_t v = str_after(text, "max") ? 0 : strtoull(text, NULL, 10);
    return v >= INT64_MAX / 4096 * 4096 ? 0 : v;
}

static uint64_t as_key_us(const char *text, const char *key)
{
    return cgroup_key(text, key) * 1000;
}

/* "8:0 rbytes=1 wbytes=2 ..." and "8:0 Read 1": the sum over the devices. The key brings its separators. */
static uint64_t as_sum(const char *text, const char *key)
{
    uint64_t sum = 0;
    for (const char *at = strstr(text, key); at; at = strstr(at, key)) {
        at += strlen(key);
        sum += strtoull(at, NULL, 10);
    }
    return sum;
}

static const struct usage_row {
    size_t offset;
    enum cgroup_mode mode;
    const char *controller, *file, *key;
    uint64_t (*value)(const char *text, const char *key);
    bool subtract;
} usage_rows[] = {
#define FIELD(field) offsetof(struct cgroup_usage, field)
    {FIELD(cpu_ns), CGROUP_V2, "cpu", "cpu.stat", "usage_usec", as_key_us},
    {FIELD(cpu_ns), CGROUP_V1, "cpuacct", "cpuacct.usage", NULL, as_number},
    {FIELD(memory), CGROUP_V2, "memory", "memory.current", NULL, as_number},
    {FIELD(memory), CGROUP_V2, "memory", "memory.stat", "inactive_file", cgroup_key, true},
    {FIELD(memory), CGROUP_V1, "memory", "memory.usage_in_bytes", NULL, as_number},
    {FIELD(memory), CGROUP_V1, "memory", "memory.stat", "total_inactive_file", cgroup_key, true},
    {FIELD(memory_limit), CGROUP_V2, "memory", "memory.max", NULL, as_limit},
    {FIELD(memory_limit), CGROUP_V1, "memory", "memory.limit_in_bytes", NULL, as_limit},
    {FIELD(io_read), CGROUP_V2, "io", "io.stat", " rbytes=", as_sum},
    {FIELD(io_write), CGROUP_V2, "io", "io.stat", " wbytes=", as_sum},
    {FIELD(io_read), CGROUP_V1, "blkio", "blkio.throttle.io_service_bytes_recursive", " Read ", as_sum},
    {FIELD(io_write), CGROUP_V1, "blkio", "blkio.throttle.io_service_bytes_recursive", " Write ", as_sum},
    {FIELD(pids), CGROUP_V2, "pids", "pids.current", NULL, as_number},
    {FIELD(pids), CGROUP_V1, "pids", "pids.current", NULL, as_number},
#undef FIELD
};

int cgroup_usage(const struct cgroup *g, struct cgroup_usage *ret)
{
    *ret = (struct cgroup_usage){0};
    for (const struct usage_row *row = usage_rows; row < usage_rows + ARRAY_LEN(usage_rows); row++) {
        int dir = row->mode == g->mode ? dir_of(g, row->controller) : -1;
        auto_free char *text = dir < 0 ? NULL : cgroup_read(dir, row->file);
        if (!text)
            continue;
        uint64_t *to = (uint64_t *)((char *)ret + row->offset), v = row->value(text, row->key);
        *to = row->subtract ? *to - MIN(*to, v) : v;
    }
    return 0;
}

/* --- states */

int cgroup_freeze(const struct cgroup *g, bool frozen)
{
    return g->mode == CGROUP_V1 ? cgroup_v1_freeze(g, frozen) : cgroup_v2_freeze(g, frozen);
}

bool cgroup_frozen(const struct cgroup *g)
{
    int dir = dir_of(g, "freezer");
    auto_free char *state = dir < 0 ? NULL : cgroup_read(dir, g->mode == CGROUP_V1 ? "freezer.state" : "cgroup.events");
    return state && (g->mode == CGROUP_V1 ? str_eq(state, "FROZEN") : cgroup_key(state, "frozen") == 1);
}

int64_t cgroup_oom_kills(const struct cgroup *g)
{
    int dir = dir_of(g, "memory");
    auto_free char *events =
        dir < 0 ? NULL : cgroup_read(dir, g->mode == CGROUP_V1 ? "memory.oom_control" : "memory.events");
    return events ? (int64_t)cgroup_key(events, "oom_kill") : 0;
}

int cgroup_kill(const struct cgroup *g)
{
    return g->mode == CGROUP_V1 ? cgroup_v1_kill(g) : cgroup_v2_kill(g);
}

/* --- removing */

/* Groups below (of a container that has a writable hierarchy) first. Their other entries are files, which go with them.
 */
static void remove_below(int dirfd)
{
    auto_dir DIR *dir = dir_iterate(dirfd);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        auto_close int below = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (below >= 0)
            remove_below(below);
        unlinkat(dirfd, e->d_name, AT_REMOVEDIR);
    }
}

/* A process that is reaped already stays in its group for another moment. */
static void remove_dir(const struct cgroup_dir *d)
{
    auto_free char *full = cgroup_full_path(d->controller, d->path);
    remove_below(d->fd);
    for (int tries = 0; rmdir(full) < 0 && errno == EBUSY && tries < 100; tries++) {
        cgroup_pause_ms(tries < 10 ? 1 : 5);
        remove_below(d->fd);
    }
}

void cgroup_remove(struct cgroup *g)
{
    for (size_t i = 0; g && i < g->n; i++)
        remove_dir(&g->dirs[i]);
    cgroup_close(g);
}
