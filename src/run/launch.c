/* Starting a container: from its record to a running supervisor.
 *
 * Runs in: STARTER. Lock: the container's directory is flocked from before its state is looked at until the supervisor
 * holds `alive`, so that start, rm and a second start of one container take turns. */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/layer.h"
#include "whelk/log.h"
#include "whelk/proc.h"
#include "whelk/seccomp.h"
#include "whelk/tty.h"
#include "whelk/volume.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

void remove_cgroup(const struct ctr_live *live)
{
    struct cgroup *g = NULL;
    if (live->cgroup && cgroup_open(live->cgroup, &g) == 0)
        cgroup_remove(g);
    err_clear();
}

/* A supervisor that was killed leaves an init that the kernel is still ending; its overlay must be gone before upper/
 * is used again. */
static int await_old_init(const struct store *s, const char *id)
{
    struct ctr_live live = {0};
    int r = ctr_live_load(s, id, &live);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    uint64_t start = 0;
    auto_close int pidfd = -1;
    if (live.pid > 0 && str_eq(live.boot_id ? live.boot_id : "", proc_boot_id())) {
        pidfd = pidfd_open_pid((pid_t)live.pid);
        if (pidfd >= 0 && proc_start_time((pid_t)live.pid, &start) == 0 && (int64_t)start == live.pid_start)
            pidfd_wait_end(pidfd, 10000);
    }
    remove_cgroup(&live);
    ctr_live_done(&live);
    return 0;
}

static int make_plan(struct launch *l)
{
    struct plan *p = &l->plan;
    const struct ctr *c = l->c;
    *p = (struct plan){.c = c,
                       .handed = &l->handed,
                       .notify = l->notify_host >= 0 && l->sdnotify == SDNOTIFY_CONTAINER,
                       .fresh = p->fresh,
                       .map = &l->map,
                       .store_map = &l->store->map,
                       .joins = &l->joins,
                       .nested = c->idmap != NULL,
                       .store_fd = l->store->fd,
                       .dir = l->dir,
                       .inject = true,
                       .stdio = {-1, -1, -1},
                       .sock = -1};
    int r = ctr_idmap(l->store, c, &l->map);
    if (r == 0)
        r = ns_open(l->store, c, &l->joins);
    if (r == 0)
        r = ctr_lowers(l->store, c, &p->lowers);
    if (r < 0)
        return r;
    struct seccomp_spec filter = {.profile = c->seccomp, .caps = (uint64_t)c->cap_bounding, .nested = c->nested};
    auto_close int cache = openat(l->store->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return seccomp_filter(&filter, cache, &p->filter, &p->filter_len);
}

/* A fresh work/ and, after a run that ended, the same upper/. */
static int ready_dirs(struct launch *l)
{
    int r = dir_make(l->ctr_fd, "work", 0700);
    return r < 0 ? r : dir_make(l->ctr_fd, "upper", 0755);
}

/* The log driver passthrough. */
static int take_streams(struct launch *l)
{
    static const char *const names[] = {"standard output", "standard error"};
    l->streams[0] = l->streams[1] = -1;
    if (!l->c->log_driver || !str_eq(l->c->log_driver, "passthrough"))
        return 0;
    for (int i = 0; i < 2; i++) {
        struct stat st;
        if (fstat(i + 1, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
            continue;
        const char *wrong = handed_refuses(i + 1);
        if (wrong)
            return err_set(-EINVAL, "--log-driver passthrough: %s is %s; it has to be a pipe, a socket or /dev/null",
                           names[i], wrong);
        l->streams[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
        if (l->streams[i] < 0)
            return err_sys("cannot pass on %s", names[i]);
    }
    return 0;
}

/* The container's control group, as paths for the SUPERVISOR. Version 1 groups are made only for a limit: each costs
 * (DESIGN 9). */
static int make_cgroup(const struct ctr *c, pid_t supervisor, char ***ret_paths)
{
    static const struct limits defaults = {.pids = 2048};
    bool v2 = cgroup_mode() == CGROUP_V2, split = c->cgroups && str_eq(c->cgroups, "split");
    if ((c->cgroups && str_eq(c->cgroups, "disabled")) ||
        (!limits_any(&c->limits) && !c->cgroup_parent && !v2 && !split))
        return 0;
    /* on version 1 with a limit also the groups that pause and stats need */
    struct cgroup_request q = {.id = c->id,
                               .limits = &c->limits,
                               .defaults = v2 && !c->limits.pids ? &defaults : NULL,
                               .supervisor = supervisor,
                               .parent = c->cgroup_parent,
                               .split = split,
                               .full = !v2 || split};
    struct cgroup *g = NULL;
    int r = cgroup_make(&q, &g);
    if (r == 0 && g)
        *ret_paths = cgroup_paths(g);
    if (g)
        cgroup_close(g);
    return r;
}

/* The init of a pid namespace, so that the container ends with it; but not where the container's processes are not to
 * be in one below (RUNTIME, life and death 1). */
static bool needs_pidns(const struct launch *l)
{
    return ctr_ns_kind(l->c, CLONE_NEWPID) == NS_OWN;
}

static void __attribute__((noreturn)) supervise_there(void *launch)
{
    supervise(launch);
}

/* In a user namespace of its own, whose map its parent writes. */
static pid_t fork_here(struct launch *l, int *ret_pidfd)
{
    uint64_t flags = (needs_pidns(l) ? CLONE_NEWPID : 0) | (idmap_none(&l->store->map) ? 0 : CLONE_NEWUSER);
    pid_t pid = ns_clone(flags, ret_pidfd);
    if (pid == 0)
        supervise(l);
    return pid;
}

/* In that of another container. */
static pid_t fork_there(struct launch *l, int *ret_pidfd)
{
    return ns_clone_in(&l->joins, l->joins.user, needs_pidns(l) ? CLONE_NEWPID : 0, supervise_there, l, ret_pidfd);
}

/* Who speaks to systemd, and through what (notify.c). */
static int open_notify(struct launch *l)
{
    int pair[2], r = sdnotify_parse(l->c->sdnotify, &l->sdnotify);
    if (r < 0 || l->sdnotify == SDNOTIFY_IGNORE)
        return r;
    l->notify_host = notify_connect();
    l->watchdog = l->notify_host >= 0 && getenv("WATCHDOG_USEC") && l->sdnotify != SDNOTIFY_CONTAINER;
    if (l->watchdog && !l->c->health_cmd)
        log_warn("WatchdogSec= waits in vain: give the container a health check, or --sdnotify=container");
    if (l->notify_host < 0 || !l->attached) {
        l->notify = l->notify_host;
        return 0;
    }
    r = frame_pair(pair);
    if (r == 0) {
        l->notify = pair[0];
        l->notify_from = pair[1];
    }
    return r;
}

/* Before the SUPERVISOR of run -d speaks for itself it must be known; from then on the STARTER is nobody. */
static void tell_main_pid(const struct launch *l)
{
    if (!l->attached && l->sdnotify != SDNOTIFY_CONMON)
        notify_send(l->notify_host, "MAINPID=%d\nSTATUS=container %s is being started", l->supervisor, l->c->name);
}

/* The status line of SDNOTIFY_CONTAINER is the command's. */
static void tell_started(const struct launch *l)
{
    if (l->sdnotify == SDNOTIFY_CONMON)
        notify_send(l->notify_host, "MAINPID=%d\nREADY=1\nSTATUS=container %s is running",
                    l->attached ? getpid() : l->supervisor, l->c->name);
    if (l->sdnotify == SDNOTIFY_HEALTHY && l->attached)
        notify_send(l->notify_host, "STATUS=container %s is running, and not yet healthy", l->c->name);
}

/* Supervisors of containers on a user's named networks are in one user namespace. Others wait from here on until this
 * one's is known. */
static int open_space(struct launch *l)
{
    int r = net_space_open(l->store, l->c, &l->space);
    if (r == 0 && l->space.user >= 0 && l->joins.n)
        r = err_set(-EINVAL, "a container on a named network cannot share namespaces of another one or of a path");
    if (r == 0 && l->space.user >= 0)
        l->joins.user = take_fd(&l->space.user);
    return r;
}

static int fork_supervisor(struct launch *l, int *ret_sock)
{
    int socks[2], pidfd = -1;
    int r = frame_pair(socks);
    if (r < 0)
        return r;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); /* nothing may reach the supervisor before its signalfd is there */
    fflush(NULL);
    l->sock = socks[1];
    pid_t pid = l->joins.user >= 0 ? fork_there(l, &pidfd) : fork_here(l, &pidfd);
    l->sock = -1;
    sigprocmask(SIG_SETMASK, &before, NULL);
    fd_close(socks[1]);
    auto_close int sock = socks[0], supervisor = pidfd;
    if (pid < 0)
        return pid;
    auto_strv char **groups = NULL;
    r = l->joins.user >= 0 ? 0 : userns_write_maps(pid, &l->store->map);
    if (r == 0)
        r = net_space_enter(l->store, &l->space, pid);
    if (r == 0)
        r = make_cgroup(l->c, pid, &groups);
    l->supervisor = pid;
    if (r < 0) {
        pidfd_signal(supervisor, SIGKILL, 0);
        proc_reap(pid);
        return r;
    }
    auto_free char *text = strv_join(groups, "\n");
    tell_main_pid(l);
    frame_send(sock, FRAME_GO, text, strlen(text), -1, 0);
    *ret_sock = take_fd(&sock);
    return 0;
}

static int await_started(int sock, const char *name)
{
    char buf[FRAME_MAX];
    enum frame type;
    ssize_t n;
    while ((n = frame_recv(sock, &type, buf, NULL, 0)) >= 0 && type == FRAME_WARNING)
        log_warn("%.*s", (int)n, buf);
    if (n >= 0 && type == FRAME_STARTED)
        return 0;
    if (n >= 0 && type == FRAME_ERROR)
        return err_unpack(buf, (size_t)n);
    return err_set(-ECHILD, "container %s: its supervisor was killed while it started", name);
}

static int lock_stopped(struct launch *l, bool *ret_running)
{
    struct ctr_state state;
    int r = ctr_lock(l->store, l->c->id, true, &l->ctr_fd);
    if (r == 0)
        r = ctr_state(l->store, l->c->id, &state);
    if (r == -ENOENT)
        return err_set(r, "container %s was removed", l->c->name);
    if (r < 0)
        return r;
    if (state.status == CTR_ELSEWHERE)
        r = err_set(-EBUSY, "container %s runs on another host", l->c->name);
    *ret_running = r == 0 && ctr_is_up(&state);
    l->plan.fresh = r == 0 && state.generation == 0;
    return r == 0 && state.generation > 0 && !*ret_running ? await_old_init(l->store, l->c->id) : r;
}

static int launch(struct launch *l, const struct launch_options *o, int *ret_sock)
{
    bool running = false;
    int r = lock_stopped(l, &running);
    if (r < 0)
        return r;
    if (running)
        return o->attach ? err_set(-EBUSY, "container %s is running already", l->c->name) : 1;
    r = open_notify(l);
    if (r == 0)
        r = handed_collect(o->preserve, true, &l->handed);
    if (r == 0)
        r = take_streams(l);
    if (r == 0)
        r = make_plan(l);
    if (r == 0)
        r = ready_dirs(l);
    if (r == 0 && o->attach)
        r = attach_stdin(o->stdin_open && l->c->open_stdin, l->c->tty, &l->plan.stdio[0], &l->relay_stdin);
    if (r == 0 && !o->attach)
        l->relay_stdin = l->c->open_stdin;
    if (r == 0 && o->attach && l->c->tty)
        tty_get_size(STDIN_FILENO, &l->size);
    if (r == 0)
        r = open_space(l);
    if (r == 0)
        r = fork_supervisor(l, ret_sock);
    if (r == 0)
        r = net_blame(l->store, await_started(*ret_sock, l->c->name));
    if (r == 0)
        tell_started(l);
    return r;
}

/* A --rm container whose supervisor never came to life would stay for ever as "created". The error slot is kept. */
static void drop_unstarted(struct launch *l, int error)
{
    struct ctr_state state;
    size_t len = 0;
    auto_free char *packed = err_pack(error, &len);
    if (l->c->auto_remove && ctr_state(l->store, l->c->id, &state) == 0 && state.status == CTR_CREATED)
        ctr_remove(l->store, l->c->id);
    err_unpack(packed, len);
}

/* What only the SUPERVISOR needs from here on. */
static void launch_done(struct launch *l)
{
    plan_done(&l->plan);
    ns_done(&l->joins);
    net_space_close(&l->space);
    handed_close(&l->handed);
    fd_close(l->streams[0]);
    fd_close(l->streams[1]);
    if (l->attached) /* else it is notify_host */
        fd_close(l->notify);
    ctr_unlock(l->store, l->c->id, l->ctr_fd);
}

static int stay(const struct launch *l, const struct launch_options *o, int sock)
{
    struct attach a = {.sock = sock,
                       .tty = l->c->tty,
                       .read_stdin = l->relay_stdin || (l->c->tty && o->stdin_open && l->c->open_stdin),
                       .sig_proxy = o->sig_proxy,
                       .no_stdout = o->no_stdout,
                       .no_stderr = o->no_stderr,
                       .detach_keys = o->detach_keys,
                       .stop_on_term = notify_under_systemd(),
                       .notify_from = l->notify_from,
                       .notify_to = l->notify_host};
    return attach_relay(&a);
}

/* --requires: what does not run is started, with what it requires itself. */
static int start_required(struct store *s, const struct ctr *c)
{
    static int depth;
    struct ctr_state own;
    if (!c->requires || (ctr_state(s, c->id, &own) == 0 && ctr_is_up(&own)))
        return 0; /* it runs already, and needs nothing */
    int r = ++depth > 16
                ? err_set(-ELOOP, "container %s: the containers that it requires go round in a circle", c->name)
                : 0;
    strv_foreach (id, c->requires) {
        struct ctr other = {0};
        struct ctr_state state;
        r = r < 0 ? r : ctr_load(s, id, &other);
        if (r == -ENOENT)
            r = err_set(r, "container %.12s, which %s requires, was removed", id, c->name);
        if (r == 0)
            r = ctr_state(s, id, &state);
        if (r == 0 && !ctr_is_up(&state))
            r = run_start(s, &other, &(struct launch_options){0});
        if (r < 0)
            r = err_wrap(r, "container %s requires %s", c->name, other.name ? other.name : id);
        ctr_done(&other);
    }
    depth--;
    return r;
}

int write_pid_file(const char *path, pid_t pid)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d\n", pid);
    int r = path ? file_write(AT_FDCWD, path, text, (size_t)len, 0644) : 0;
    return r < 0 ? err_wrap(r, "cannot write the pid file %s", path) : 0;
}

int run_start(struct store *s, const struct ctr *c, const struct launch_options *o)
{
    auto_free char *dir = xasprintf("containers/%s", c->id);
    struct launch l = {.store = s,
                       .c = c,
                       .dir = dir,
                       .ctr_fd = -1,
                       .sock = -1,
                       .attached = o->attach,
                       .joins = {.user = -1, .nested = -1},
                       .space = NET_SPACE_NONE,
                       .notify = -1,
                       .notify_host = -1,
                       .notify_from = -1,
                       .streams = {-1, -1}};
    auto_close int sock = -1;
    int r = start_required(s, c);
    if (r == 0)
        r = launch(&l, o, &sock);
    if (r == 0 && write_pid_file(c->conmon_pid_file, l.supervisor) < 0)
        log_warn("%s", err_text(-EIO)); /* it runs already */
    launch_done(&l);
    if (r < 0)
        drop_unstarted(&l, r);
    r = r == 0 && o->attach ? stay(&l, o, sock) : MIN(r, 0);
    fd_close(l.notify_from);
    fd_close(l.notify_host);
    return r;
}

int run_write_files(int dirfd, const struct ctr *c)
{
    auto_free char *line = xasprintf("%s\n", c->hostname);
    int r = file_write(dirfd, "hostname", line, strlen(line), 0644);
    return r < 0 ? r : net_write_files(dirfd, c, NULL);
}

int run_create(struct store *s, const struct ctr *c, int *claim)
{
    struct ctr_draft draft;
    struct volumes_held volumes;
    int r = ctr_shift_layers(s, c);
    if (r == 0)
        r = volumes_hold(s, c, &volumes);
    if (r < 0)
        return r;
    r = ctr_draft_begin(s, c, &draft);
    if (r == 0) {
        r = run_write_files(draft.fd, c);
        if (r == 0 && claim)
            r = ctr_claim(&draft, claim);
        if (r == 0)
            r = ctr_publish(s, c, &draft);
        if (r == 0)
            event_container(s, c, "create", NULL);
        if (r < 0)
            ctr_draft_drop(s, &draft);
    }
    if (r < 0 && claim)
        fd_close(take_fd(claim));
    volumes_release(s, c, &volumes, r < 0);
    return r;
}
