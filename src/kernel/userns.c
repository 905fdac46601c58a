/* User namespaces: which ids a user may map, and processes that live in such a namespace.
 *
 * Theory of operation. A process in a new user namespace has all capabilities there from its first instruction, but no
 * id is mapped until its parent, outside, has written the maps: by itself where only the own id is mapped, through the
 * setuid helpers newuidmap and newgidmap for ranges. Those two programs are the slowest part of a start (1.6 ms), so
 * they run side by side and the child does what it can meanwhile: making namespaces needs no ids, touching files does.
 * Every helper here makes the child wait on a pipe for that. */
#include "whelk/userns.h"

#include "whelk/auto.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

bool idmap_none(const struct idmap *m)
{
    return m->n_uid == 0;
}

bool idmap_single(const struct idmap *m)
{
    return m->n_uid == 1 && m->uid[0].count == 1;
}

static bool ranges_have(const struct id_range *r, unsigned n, uint32_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (id >= r[i].inside && id - r[i].inside < r[i].count)
            return true;
    return n == 0;
}

bool idmap_has_uid(const struct idmap *m, uint32_t uid)
{
    return ranges_have(m->uid, m->n_uid, uid);
}

bool idmap_has_gid(const struct idmap *m, uint32_t gid)
{
    return ranges_have(m->gid, m->n_gid, gid);
}

/* Adds the range of one "user:start:count" line, if it is this user's, behind what is mapped already. */
static void add_subid_line(char *line, const char *user, const char *uid, struct id_range *r, unsigned *n)
{
    auto_strv char **fields = strv_split(line, ":");
    uint64_t start, count;
    if (strv_len(fields) != 3 || *n == IDMAP_MAX || (!str_eq(fields[0], user) && !str_eq(fields[0], uid)))
        return;
    if (!str_to_u64(fields[1], &start) || !str_to_u64(fields[2], &count) || count == 0 || start + count > UINT32_MAX)
        return;
    const struct id_range *last = &r[*n - 1];
    r[(*n)++] = (struct id_range){last->inside + last->count, (uint32_t)start, (uint32_t)count};
}

/* Extends r (which maps 0 already) by the user's ranges in /etc/subuid or /etc/subgid. */
static void add_subids(const char *file, const char *user, uid_t id, struct id_range *r, unsigned *n)
{
    auto_free char *text = NULL;
    char uid[16];
    snprintf(uid, sizeof uid, "%u", (unsigned)id);
    if (file_read(AT_FDCWD, file, 4 << 20, &text, NULL) < 0)
        return;
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines)
        add_subid_line(line, user, uid, r, n);
}

static bool have_map_helpers(void)
{
    const char *path = getenv("PATH");
    auto_strv char **dirs = strv_split(path ? path : "/usr/bin:/bin", ":");
    strv_foreach (dir, dirs) {
        auto_free char *helper = xasprintf("%s/newuidmap", dir);
        if (access(helper, X_OK) == 0)
            return true;
    }
    return false;
}

int idmap_for_ids(uid_t uid, gid_t gid, struct idmap *ret)
{
    *ret = (struct idmap){0};
    if (uid == 0)
        return 0;
    struct idmap m = {.uid = {{0, uid, 1}}, .gid = {{0, gid, 1}}, .n_uid = 1, .n_gid = 1};
    const struct passwd *pw = getpwuid(uid);
    const char *user = pw ? pw->pw_name : "";
    if (have_map_helpers()) {
        add_subids("/etc/subuid", user, uid, m.uid, &m.n_uid);
        add_subids("/etc/subgid", user, uid, m.gid, &m.n_gid);
    }
    if (m.n_uid == 1 || m.n_gid == 1)
        m.n_uid = m.n_gid = 1;
    *ret = m;
    return 0;
}

int idmap_of_names(const char *uid_name, const char *gid_name, struct idmap *ret)
{
    struct idmap m = {.n_uid = 1, .n_gid = 1}; /* an empty range in front, for the first to follow */
    add_subids("/etc/subuid", uid_name, (uid_t)-1, m.uid, &m.n_uid);
    add_subids("/etc/subgid", gid_name, (uid_t)-1, m.gid, &m.n_gid);
    if (m.n_uid == 1 || m.n_gid == 1)
        return err_set(-ENOENT,
                       "%s has no ids in /etc/%s; as root: usermod --add-subuids 100000-165535 --add-subgids "
                       "100000-165535 %s",
                       m.n_uid == 1 ? uid_name : gid_name, m.n_uid == 1 ? "subuid" : "subgid",
                       m.n_uid == 1 ? uid_name : gid_name);
    memmove(m.uid, m.uid + 1, --m.n_uid * sizeof *m.uid);
    memmove(m.gid, m.gid + 1, --m.n_gid * sizeof *m.gid);
    *ret = m;
    return 0;
}

int idmap_for_user(struct idmap *ret)
{
    return idmap_for_ids(geteuid(), getegid(), ret);
}

/* Why the kernel may have refused, in words that help. */
static int clone_refused(uint64_t flags)
{
    int e = errno;
    if (e == EPERM && (flags & CLONE_NEWUSER))
        return err_set(
            -e,
            "cannot make a user namespace: operation not permitted; unprivileged user namespaces are disabled here: "
            "as root, sysctl -w kernel.unprivileged_userns_clone=1 (Debian) or "
            "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)");
    if (e == EPERM)
        return err_set(-e, "cannot make namespaces: operation not permitted; this root lacks CAP_SYS_ADMIN");
    if (e == ENOSPC || e == EUSERS)
        return err_set(-e,
                       "cannot make namespaces: the limit is reached; see sysctl user.max_user_namespaces and its kin");
    errno = e;
    return err_sys("cannot make namespaces");
}

pid_t ns_clone(uint64_t flags, int *ret_pidfd)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = flags | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* that of the caller then */
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0)
        return clone_refused(flags);
    if (pid > 0)
        *ret_pidfd = pidfd;
    return pid;
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return err_sys("cannot write %s", path);
    return 0;
}

/* The own id alone needs no helper; the kernel wants setgroups off first (user_namespaces(7)). */
static int write_single(pid_t pid, const struct idmap *m)
{
    char text[64];
    snprintf(text, sizeof text, "%u %u 1\n", m->uid[0].inside, m->uid[0].outside);
    int r = write_proc(pid, "uid_map", text);
    if (r < 0)
        return r;
    r = write_proc(pid, "setgroups", "deny");
    if (r < 0)
        return r;
    snprintf(text, sizeof text, "%u %u 1\n", m->gid[0].inside, m->gid[0].outside);
    return write_proc(pid, "gid_map", text);
}

static int write_ranges(pid_t pid, const char *file, const struct id_range *r, unsigned n)
{
    auto_buf struct buf text = {0};
    for (unsigned i = 0; i < n; i++)
        buf_addf(&text, "%u %u %u\n", r[i].inside, r[i].outside, r[i].count);
    return write_proc(pid, file, text.data);
}

/* Who has the right to every id needs no helper. */
static int write_as_root(pid_t pid, const struct idmap *m)
{
    int r = write_ranges(pid, "uid_map", m->uid, m->n_uid);
    return r < 0 ? r : write_ranges(pid, "gid_map", m->gid, m->n_gid);
}

static int map_helper_start(const char *name, pid_t pid, const struct id_range *r, unsigned n, struct helper *ret)
{
    auto_strv char **argv = NULL;
    strv_add(&argv, name);
    strv_addf(&argv, "%d", pid);
    for (unsigned i = 0; i < n; i++) {
        strv_addf(&argv, "%u", r[i].inside);
        strv_addf(&argv, "%u", r[i].outside);
        strv_addf(&argv, "%u", r[i].count);
    }
    int started = helper_start(argv, ret);
    ret->name = name; /* argv goes now */
    return started;
}

int userns_write_maps(pid_t pid, const struct idmap *m)
{
    if (idmap_none(m))
        return 0;
    if (geteuid() == 0)
        return write_as_root(pid, m);
    if (idmap_single(m))
        return write_single(pid, m);
    struct helper u = {0}, g = {0};
    int r = map_helper_start("newuidmap", pid, m->uid, m->n_uid, &u);
    if (r < 0)
        return r;
    int rg = map_helper_start("newgidmap", pid, m->gid, m->n_gid, &g);
    r = helper_wait(&u);
    if (rg == 0)
        rg = helper_wait(&g);
    r = r < 0 ? r : rg;
    if (r < 0)
        return err_wrap(r, "cannot map the store's ids (were the ranges in /etc/subuid or /etc/subgid changed? Put "
                           "them back, or shift the "
                           "store as root: whelk --root STORE system migrate)");
    return 0;
}

/* In the child: waits for its maps, and is gone if the parent is. Armed before the byte comes, so a parent that died
 * earlier shows as EOF and one that dies later kills. */
static void await_maps(int fd)
{
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(fd, &byte, 1) != 1)
        _exit(125);
    close(fd);
}

pid_t userns_fork(const struct idmap *m, uint64_t flags, int *ret_pidfd)
{
    int sync[2];
    if (pipe2(sync, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    if (!idmap_none(m))
        flags |= CLONE_NEWUSER;
    auto_close int pidfd = -1;
    pid_t pid = ns_clone(flags, &pidfd);
    if (pid == 0) {
        close(sync[1]);
        await_maps(sync[0]);
        return 0;
    }
    fd_close(sync[0]);
    auto_close int go = sync[1];
    if (pid < 0)
        return pid;
    int r = userns_write_maps(pid, m);
    if (r == 0 && write(go, "", 1) != 1)
        r = err_sys("cannot start a process in the user namespace");
    if (r < 0) {
        pidfd_signal(pidfd, SIGKILL, 0);
        proc_reap(pid);
        return r;
    }
    *ret_pidfd = take_fd(&pidfd);
    return pid;
}

/* The shadow of userns_become: waits for the child's end, or for a signal that ends both. */
static void shadow(pid_t pid, int pidfd, void (*after)(void *arg), void *arg)
{
    sigset_t set;
    sigemptyset(&set);
    static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        sigaddset(&set, fatal[i]);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int sig = 0, status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0 && sig == 0) {
        siginfo_t info;
        if (sigwaitinfo(&set, &info) > 0 && info.si_signo != SIGCHLD)
            sig = info.si_signo;
    }
    if (sig) {
        pidfd_signal(pidfd, SIGKILL, 0);
        status = proc_reap(pid);
        if (after)
            after(arg);
        _exit(128 + sig);
    }
    _exit(proc_exit_code(status));
}

int userns_become(const struct idmap *m, void (*after)(void *arg), void *arg)
{
    int pidfd = -1;
    fflush(NULL);
    pid_t pid = userns_fork(m, CLONE_NEWPID, &pidfd);
    if (pid > 0)
        shadow(pid, pidfd, after, arg);
    return pid;
}

int userns_worker_start(const struct idmap *m, int (*fn)(void *arg), void *arg, struct worker *ret)
{
    int err_pipe[2], pidfd = -1;
    if (pipe2(err_pipe, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    pid_t pid = userns_fork(m, 0, &pidfd);
    if (pid == 0) {
        close(err_pipe[0]);
        worker_finish(err_pipe[1], fn(arg));
    }
    fd_close(err_pipe[1]);
    fd_close(pidfd);
    if (pid < 0) {
        fd_close(err_pipe[0]);
        return pid;
    }
    *ret = (struct worker){.pid = pid, .err_fd = err_pipe[0]};
    return 0;
}

int userns_run(const struct idmap *m, int (*fn)(void *arg), void *arg)
{
    struct worker w;
    int r = userns_worker_start(m, fn, arg, &w);
    return r < 0 ? r : worker_wait(&w);
}
