/* The processes of a container, found by their pid namespace.
 *
 * Runs in: the invocation. Reads: /proc, live.json. */
#include "whelk/processes.h"

#include "launch.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/proc.h"

#include <fcntl.h>

enum { NOBODY = 65534, TEXT_MAX = 4 << 20 };

void ctr_processes_done(struct ctr_processes *ps)
{
    for (size_t i = 0; i < ps->n; i++)
        process_done(&ps->items[i]);
    free(ps->items);
    *ps = (struct ctr_processes){0};
}

static const struct process *by_host_pid(const struct ctr_processes *ps, pid_t pid)
{
    for (size_t i = 0; i < ps->n; i++)
        if (ps->items[i].pid == pid)
            return &ps->items[i];
    return NULL;
}

pid_t ctr_process_pid(const struct ctr_processes *ps, const struct process *p)
{
    return p->ns_pids[ps->depth];
}

pid_t ctr_process_parent(const struct ctr_processes *ps, const struct process *p)
{
    const struct process *parent = by_host_pid(ps, p->parent);
    return parent ? ctr_process_pid(ps, parent) : 0;
}

/* ---- ids ---- */

/* The lines of uid_map as the reader's namespace sees them: inside, outside, count. */
static unsigned read_map(pid_t pid, const char *file, struct id_range *ret)
{
    auto_free char *path = xasprintf("/proc/%d/%s", pid, file), *text = NULL;
    unsigned n = 0;
    if (file_read(AT_FDCWD, path, 64 << 10, &text, NULL) < 0)
        return 0;
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines) {
        if (n < IDMAP_MAX && sscanf(line, "%u %u %u", &ret[n].inside, &ret[n].outside, &ret[n].count) == 3)
            n++;
    }
    return n;
}

static uint32_t to_inside(const struct id_range *ranges, unsigned n, uint32_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (id >= ranges[i].outside && id - ranges[i].outside < ranges[i].count)
            return ranges[i].inside + (id - ranges[i].outside);
    return NOBODY;
}

uint32_t ctr_process_uid(const struct ctr_processes *ps, uint32_t uid)
{
    return to_inside(ps->uids, ps->n_uids, uid);
}

uint32_t ctr_process_gid(const struct ctr_processes *ps, uint32_t gid)
{
    return to_inside(ps->gids, ps->n_gids, gid);
}

char *ctr_processes_file(const struct ctr_processes *ps, const char *path)
{
    auto_free char *root_path = xasprintf("/proc/%d/root", ps->init);
    auto_close int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    auto_close int fd = root < 0 ? -1 : open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    auto_buf struct buf text = {0};
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 || fd_read_all(fd, TEXT_MAX, &text) < 0)
        return xstrdup("");
    return buf_take(&text);
}

/* ---- finding ---- */

static int by_inner_pid(const void *a, const void *b, void *depth)
{
    unsigned d = *(const unsigned *)depth;
    return ((const struct process *)a)->ns_pids[d] - ((const struct process *)b)->ns_pids[d];
}

/* Deep enough to be in the container or below it. */
static bool may_belong(const struct process *p, unsigned depth)
{
    return p->n_ns_pids > depth;
}

static ino_t pid_ns(pid_t pid)
{
    struct stat st;
    auto_free char *path = xasprintf("/proc/%d/ns/pid", pid);
    return stat(path, &st) < 0 ? 0 : st.st_ino;
}

/* Of the candidates those in the namespace, and what descends from them. A container in our own namespace (the host's)
 * has only what descends from its first process. */
static void keep_own(struct ctr_processes *ps, ino_t ns)
{
    auto_free bool *own = xcalloc(ps->n + 1, sizeof *own);
    bool apart = ns != pid_ns(getpid());
    for (size_t i = 0; i < ps->n; i++)
        own[i] = ps->items[i].pid == ps->init ||
                 (apart && ps->items[i].n_ns_pids == ps->depth + 1 && pid_ns(ps->items[i].pid) == ns);
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < ps->n; i++) {
            const struct process *parent = own[i] ? NULL : by_host_pid(ps, ps->items[i].parent);
            if (parent && own[parent - ps->items])
                more = own[i] = true;
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < ps->n; i++) {
        if (own[i])
            ps->items[n++] = ps->items[i];
        else
            process_done(&ps->items[i]);
    }
    ps->n = n;
}

static int read_all(struct ctr_processes *ps)
{
    auto_strv char **names = NULL;
    int r = dir_names(AT_FDCWD, "/proc", &names);
    if (r < 0)
        return r;
    ps->items = xcalloc(strv_len(names) + 1, sizeof *ps->items);
    strv_foreach (name, names) {
        int64_t pid;
        struct process p;
        if (!str_to_i64(name, &pid) || process_read((pid_t)pid, &p) < 0)
            continue;
        if (may_belong(&p, ps->depth))
            ps->items[ps->n++] = p;
        else
            process_done(&p);
    }
    return 0;
}

int ctr_processes(const struct store *s, const struct ctr *c, struct ctr_processes *ret)
{
    struct ctr_processes ps = {0};
    struct ctr_live live = {0};
    struct process init = {0};
    auto_close int pidfd = -1;
    int r = run_init_pidfd(s, c, &pidfd);
    if (r == 0)
        r = ctr_live_load(s, c->id, &live);
    if (r == 0)
        r = process_read((pid_t)live.pid, &init);
    ino_t ns = r == 0 ? pid_ns(init.pid) : 0;
    if (r == 0 && !ns)
        r = -ESRCH;
    if (r == 0) {
        ps.init = init.pid;
        ps.depth = init.n_ns_pids - 1;
        ps.n_uids = read_map(init.pid, "uid_map", ps.uids);
        ps.n_gids = read_map(init.pid, "gid_map", ps.gids);
        r = read_all(&ps);
    }
    process_done(&init);
    ctr_live_done(&live);
    if (r < 0) {
        ctr_processes_done(&ps);
        return r == -ESRCH || r == -ENOENT ? err_set(-ESRCH, "container %s is not running", c->name) : r;
    }
    keep_own(&ps, ns);
    qsort_r(ps.items, ps.n, sizeof *ps.items, by_inner_pid, &ps.depth);
    *ret = ps;
    return 0;
}
