/* The SUPERVISOR: looks after one run of one container.
 *
 * Theory of operation. It is the init of an outer pid namespace, the container's init is that of a nested one: however
 * it dies, the kernel ends the container (RUNTIME, life and death 1). It opens `alive` once and holds the record lock
 * on it until its work is done: that is what "running" means. Order at the start: lock, generation into alive (so a
 * --rm container that died is recognised), CHILD, go, command executed, live.json, "started". Order at the end: output
 * drained, exit record, work/ removed (the ids are mapped here) or, with --rm, the whole directory moved away, the lock
 * let go, and then the clients told.
 *
 * Runs in: SUPERVISOR. Holds: alive. Writes: alive, live.json, log. */
#include "health.h"
#include "launch.h"
#include "restart.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/lock.h"
#include "whelk/proc.h"
#include "whelk/units.h"
#include "whelk/view.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* The supervisor keeps nothing of the caller's open. The container's directory is opened again: the inherited
 * descriptor carries the STARTER's lock. */
static int leave_caller(struct launch *l)
{
    int dir = dir_open(l->ctr_fd, ".");
    if (dir < 0)
        return err_wrap(dir, "container %s", l->c->name);
    l->ctr_fd = dir;
    int r = proc_leave_caller();
    if (r < 0)
        return r;
    int keep[12 + ARRAY_LEN(l->joins.list)] = {0,
                                               1,
                                               2,
                                               l->store->fd,
                                               l->ctr_fd,
                                               l->sock,
                                               l->plan.stdio[0],
                                               l->notify,
                                               l->streams[0],
                                               l->streams[1],
                                               l->space.net,
                                               l->space.alive};
    for (size_t i = 0; i < ARRAY_LEN(l->joins.list); i++)
        keep[12 + i] = i < l->joins.n ? l->joins.list[i].fd : -1;
    handed_close_others(&l->handed, keep, ARRAY_LEN(keep));
    return 0;
}

static int take_alive(struct launch *l, struct exit_record *record, int *ret_fd)
{
    auto_close int fd = openat(l->ctr_fd, "alive", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open the record of container %s", l->c->name);
    if (record_lock_take(fd) < 0)
        return err_set(-EBUSY, "container %s is being started by somebody else", l->c->name);
    struct exit_record before = {0};
    int r = exit_record_read(fd, &before);
    if (r < 0 && r != -ENOENT)
        return r;
    *record = (struct exit_record){.generation = before.generation + 1, .started = time_now()};
    r = exit_record_write(fd, record);
    if (r == 0)
        *ret_fd = take_fd(&fd);
    return r;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    static const int watched[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < ARRAY_LEN(watched); i++)
        sigaddset(&set, watched[i]);
    sigaddset(&set, SIGRTMIN + REQUEST_SIGNAL_OFFSET);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_sys("cannot watch signals") : fd;
}

/* With the maps written the STARTER says go. An attached one takes the container with it when it dies; armed here
 * because no credential changes any more. */
static int await_maps(struct launch *l, struct cgroup **ret_group)
{
    char buf[FRAME_MAX];
    enum frame type;
    ssize_t n = frame_recv(l->sock, &type, buf, NULL, 0);
    if (n < 0 || type != FRAME_GO)
        _exit(125);
    if (l->attached) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (frame_peer_gone(l->sock)) /* before it was armed */
            _exit(125);
    }
    auto_free char *text = xstrndup(buf, (size_t)n);
    auto_strv char **paths = strv_split(text, "\n");
    return paths ? cgroup_open(paths, ret_group) : 0;
}

/* Without a pid namespace below its own the kernel does not end what the command leaves behind: orphans come here, and
 * are killed until none is left. (Below another container's init they are that one's.) */
static void kill_orphans(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    for (int rounds = 0; rounds < 1000; rounds++) {
        auto_free char *text = NULL;
        if (file_read(AT_FDCWD, path, 1 << 20, &text, NULL) < 0)
            return;
        auto_strv char **pids = strv_split(text, " ");
        strv_foreach (pid, pids)
            if (atoi(pid) > 0)
                kill(atoi(pid), SIGKILL);
        if (waitpid(-1, NULL, 0) < 0)
            return;
    }
}

/* One supervisor and what it knows of its container. */
struct supervisor {
    struct launch *l;
    struct session s;
    struct exit_record record;
    struct restarts restarts;
    struct health *health;
    struct cgroup *group; /* NULL: none of its own */
    int64_t oom_before;   /* kills in it before this run */
    int64_t began;        /* session_now of this run: clocks are set, the restart policy must not see it */
    struct ctr changed;   /* the record as it was read again (reload) */
    struct net *net;
    int alive;
    bool runs;
    bool timed_out;
    bool own_stop; /* that it was stopped is whelk's doing: --timeout, or a health check */
    bool ill;      /* ended by its health check, to be started again */
    bool ready;    /* systemd knows that the container is healthy */
};

/* The CHILD waits for its go in the group that its limits hold for; only then does it make its cgroup namespace. */
static int enter_group(struct supervisor *v)
{
    return v->group ? cgroup_enter(v->group, v->s.pid) : 0;
}

/* What is left of a run whose command has ended, and has no namespace that ends with it. */
static void end_rest(const struct supervisor *v)
{
    if (ctr_ns_kind(v->l->c, CLONE_NEWPID) == NS_OWN)
        return;
    if (v->group)
        cgroup_kill(v->group);
    kill_orphans();
    err_clear();
}

static int publish_live(const struct supervisor *v)
{
    uint64_t start = 0;
    pid_t pid = pidfd_pid(v->s.pidfd);
    if (pid <= 0 || proc_start_time(pid, &start) < 0)
        return 0; /* ended already: the exit record will tell */
    struct ctr_live live = {.boot_id = xstrdup(proc_boot_id()),
                            .pid = pid,
                            .pid_start = (int64_t)start,
                            .started = v->record.started,
                            .restarts = v->restarts.count,
                            .cgroup = v->group ? cgroup_paths(v->group) : NULL};
    net_describe(v->net, &live);
    int r = rec_save(&ctr_live_rec, v->l->ctr_fd, "live.json", &live, false);
    ctr_live_done(&live);
    return r < 0 ? r : write_pid_file(v->l->c->pid_file, pid);
}

/* The CHILD waits with its namespaces made: joins its network, lets it go on, and tells when the command runs. */
static int bring_up(struct supervisor *v)
{
    int r = session_attach_net(&v->s, v->net);
    if (r == 0)
        r = net_write_files(v->l->ctr_fd, v->l->c, v->net);
    if (r == 0)
        r = session_await(&v->s);
    if (r == 0)
        r = net_settle(v->net);
    return r < 0 ? r : publish_live(v);
}

static int join_pid(const struct launch *l)
{
    if (ctr_ns_kind(l->c, CLONE_NEWPID) == NS_OWN)
        return 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return l->joins.nested >= 0 ? 0 : ns_join_pid(&l->joins); /* else with the user namespace below */
}

static void on_reload(void *ctx);

/* The way out of the user's networks has ended: whoever is first makes another (net/space.c). */
static void on_way_out(struct session *s, void *ctx)
{
    struct supervisor *v = ctx;
    if (net_mend(v->net) < 0) {
        session_source(s, -1, on_way_out, v); /* it will not be had */
        err_clear();
    }
}

/* Where one joined a user namespace nobody may look at it any more, but others find the networks through this process.
 */
static int join_space(struct supervisor *v)
{
    if (v->l->space.net < 0)
        return 0;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (net_watch(v->net) < 0 && net_mend(v->net) < 0)
        err_clear(); /* without a way out, as the STARTER has said */
    if (net_watch(v->net) >= 0)
        session_source(&v->s, net_watch(v->net), on_way_out, v);
    return 0;
}

static bool may_start_again(const struct ctr *c)
{
    bool ill = c->health_on_failure && str_eq(c->health_on_failure, "restart");
    return ill || c->health_startup_retries || (c->restart && !str_eq(c->restart, "no"));
}

static void keep_none(struct launch *l)
{
    handed_close(&l->handed);
    fd_close(take_fd(&l->streams[0]));
    fd_close(take_fd(&l->streams[1]));
}

static int start_command(struct supervisor *v)
{
    struct launch *l = v->l;
    for (int i = 0; i < 2; i++)
        l->plan.stdio[i + 1] = l->streams[i] < 0 ? -1 : fcntl(l->streams[i], F_DUPFD_CLOEXEC, 3);
    return session_start(&v->s, &l->plan, ns_own_flags(l->c), l->relay_stdin);
}

static int start(struct supervisor *v)
{
    struct launch *l = v->l;
    struct session *s = &v->s;
    s->size = l->size;
    s->store_fd = l->store->fd;
    s->stop_timeout = l->c->stop_timeout;
    s->reload = on_reload;
    s->reload_ctx = v;
    int r = signal_parse(l->c->stop_signal, &s->stop_signal);
    if (r == 0)
        r = s->signals = open_signals();
    if (r >= 0)
        r = net_open(l->store, l->c, &l->map, &l->space, &v->net);
    l->plan.net = v->net;
    if (r >= 0)
        r = join_space(v);
    if (r >= 0)
        r = join_pid(l);
    /* The CHILD makes its namespaces while the STARTER still has the ids mapped; but not where this process may be on
     * its way to a scope. */
    bool in_scope = limits_any(&l->c->limits) && cgroup_mode() == CGROUP_V2;
    bool late = in_scope || l->plan.nested; /* or it has ids to give itself */
    if (r >= 0 && !late)
        r = start_command(v);
    if (r >= 0)
        r = await_maps(l, &v->group);
    if (r >= 0 && late)
        r = start_command(v);
    if (r >= 0)
        r = enter_group(v);
    if (r >= 0)
        r = take_alive(l, &v->record, &v->alive);
    if (r >= 0)
        r = log_open(l->ctr_fd, l->c, &s->log);
    if (r >= 0)
        r = bring_up(v);
    if (!may_start_again(l->c)) /* a peer is to see the end of a pipe when the command has gone */
        keep_none(l);
    return r;
}

static void tell(const struct supervisor *v, const char *action, char *const *facts)
{
    event_container(v->l->store, v->l->c, action, facts);
}

/* --- to systemd: a status line is whelk's unless the command has one of its own */

static void __attribute__((format(printf, 2, 3))) notify_status(const struct supervisor *v, const char *fmt, ...)
{
    if (v->l->notify < 0 || v->l->sdnotify == SDNOTIFY_CONTAINER)
        return;
    va_list ap;
    va_start(ap, fmt);
    auto_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    notify_send(v->l->notify, "STATUS=container %s %s", v->l->c->name, text);
}

static void on_stopping(void *ctx)
{
    const struct supervisor *v = ctx;
    notify_send(v->l->notify, "STOPPING=1");
    notify_status(v, "is being stopped");
}

/* The command has something to say. */
static void on_notify(struct session *s, void *ctx)
{
    const struct supervisor *v = ctx;
    auto_buf struct buf out = {0};
    char data[NOTIFY_MAX];
    ssize_t n = recv(s->notify, data, sizeof data, MSG_DONTWAIT | MSG_TRUNC);
    if (n > 0 && (size_t)n <= sizeof data)
        notify_filter(data, (size_t)n, &out);
    if (out.len)
        notify_send(v->l->notify, "%s", out.data);
}

static void notify_healthy(struct supervisor *v, const char *status)
{
    if (v->l->sdnotify == SDNOTIFY_HEALTHY && !v->ready && str_eq(status, "healthy")) {
        notify_send(v->l->notify, "READY=1");
        v->ready = true;
    }
    notify_status(v, "is %s", status);
}

static void stop_by_itself(struct supervisor *v)
{
    v->own_stop = v->own_stop || !v->s.stop_asked;
    session_stop(&v->s, TIMEOUT_OWN);
}

/* --health-on-failure. */
static void on_health(void *ctx, const char *status)
{
    struct supervisor *v = ctx;
    const char *action = v->l->c->health_on_failure;
    auto_strv char **attributes = NULL;
    strv_addf(&attributes, "healthStatus=%s", status);
    tell(v, "health_status", attributes);
    notify_healthy(v, status);
    if (!str_eq(status, "unhealthy") || !action || str_eq(action, "none"))
        return;
    if (str_eq(action, "stop"))
        stop_by_itself(v);
    else if (v->s.pidfd >= 0) /* after kill it is the policy's turn */
        pidfd_signal(v->s.pidfd, SIGKILL, 0);
    v->ill = str_eq(action, "restart");
}

/* --health-startup-retries: like an unhealthy one under --health-on-failure restart. */
static void on_not_started(void *ctx)
{
    struct supervisor *v = ctx;
    if (v->s.pidfd >= 0)
        pidfd_signal(v->s.pidfd, SIGKILL, 0);
    v->ill = true;
}

/* --health-log-destination events_logger */
static void on_health_result(void *ctx, const char *status, int code, const char *output)
{
    const struct supervisor *v = ctx;
    auto_strv char **attributes = NULL;
    if (!v->l->c->health_log || !str_eq(v->l->c->health_log, "events"))
        return;
    strv_addf(&attributes, "healthStatus=%s", status);
    strv_addf(&attributes, "healthExitCode=%d", code);
    strv_addf(&attributes, "healthLog=%s", output);
    tell(v, "health_check", attributes);
}

static bool is_paused(void *ctx)
{
    const struct supervisor *v = ctx;
    return v->group && cgroup_frozen(v->group);
}

static void begin_health(struct supervisor *v)
{
    struct health_listener listener = {on_health, on_health_result, on_not_started, is_paused, v};
    v->health = health_begin(v->l, &v->s, &listener);
}

/* Since this run of the command began: the group outlives it. */
static bool oom_killed(const struct supervisor *v)
{
    return v->group && cgroup_oom_kills(v->group) > v->oom_before;
}

static void write_exit(struct supervisor *v, int code, bool restarting, const char *error)
{
    v->record.finished = time_now();
    v->record.exit_code = code;
    v->record.restarting = restarting;
    v->record.timed_out = v->timed_out;
    v->record.stopped = v->s.stop_asked && !v->own_stop;
    v->record.oom = oom_killed(v);
    snprintf(v->record.error, sizeof v->record.error, "%s", error);
    exit_record_write(v->alive, &v->record);
}

static bool same_checks(const struct ctr *a, const struct ctr *b)
{
    return strv_eq(a->health_cmd, b->health_cmd) && strv_eq(a->health_startup_cmd, b->health_startup_cmd) &&
           a->health_startup_interval == b->health_startup_interval &&
           a->health_startup_timeout == b->health_startup_timeout &&
           a->health_startup_retries == b->health_startup_retries &&
           a->health_startup_success == b->health_startup_success && a->health_interval == b->health_interval &&
           a->health_timeout == b->health_timeout && a->health_start_period == b->health_start_period &&
           a->health_start_interval == b->health_start_interval && a->health_retries == b->health_retries;
}

/* One that was made for pause or a new limit is found, watched and removed like one from the beginning. */
static void take_late_group(struct supervisor *v)
{
    struct ctr_live live = {0};
    struct cgroup *g = NULL;
    if (ctr_live_load(v->l->store, v->l->c->id, &live) == 0 && live.cgroup && cgroup_open(live.cgroup, &g) == 0) {
        cgroup_close(v->group);
        v->group = g;
    }
    ctr_live_done(&live);
    err_clear();
}

static void watch(struct supervisor *v, int fd, void (*ready)(struct session *s, void *ctx))
{
    session_source(&v->s, -1, ready, v);
    if (fd >= 0)
        session_source(&v->s, fd, ready, v);
}

/* Helpers of the network that end are started again, each with another socket. */
static void on_names(struct session *s, void *ctx)
{
    struct supervisor *v = ctx;
    net_answer_names(v->net);
    watch(v, net_watch_names(v->net), on_names);
}

static void on_ports(struct session *s, void *ctx)
{
    struct supervisor *v = ctx;
    net_mend_ports(v->net);
    watch(v, net_watch_ports(v->net), on_ports);
}

/* whelk update, rename: what does not need a new start holds from now on. */
static void on_reload(void *ctx)
{
    struct supervisor *v = ctx;
    struct ctr now = {0}, before = v->changed;
    if (ctr_load(v->l->store, v->l->c->id, &now) < 0) {
        err_clear();
        return;
    }
    bool anew = !same_checks(v->l->c, &now);
    if (anew)
        health_end(take_ptr(&v->health));
    v->changed = now;
    v->l->c = v->l->plan.c = &v->changed;
    if (v->net && net_reload(v->net, v->l->c) < 0)
        err_clear();
    if (v->runs)
        watch(v, net_watch_names(v->net), on_names);
    ctr_done(&before);
    v->s.stop_timeout = now.stop_timeout;
    take_late_group(v);
    if (anew && v->runs)
        begin_health(v);
}

/* --timeout: a stop like any other, but for the status. */
static void on_timeout(struct session *s, void *ctx)
{
    struct supervisor *v = ctx;
    v->timed_out = true;
    stop_by_itself(v);
}

static void set_timeout(struct supervisor *v)
{
    if (v->l->c->timeout)
        session_timer(&v->s, session_now() + v->l->c->timeout * 1000, on_timeout, v);
}

/* Runs what has been started to its end. */
static int run_to_end(struct supervisor *v)
{
    auto_strv char **facts = NULL;
    v->began = session_now();
    tell(v, "start", NULL);
    v->runs = true;
    begin_health(v);
    if (v->s.notify >= 0)
        session_source(&v->s, v->s.notify, on_notify, v);
    watch(v, net_watch_names(v->net), on_names);
    watch(v, net_watch_ports(v->net), on_ports);
    set_timeout(v);
    int code = session_loop(&v->s);
    if (v->l->c->timeout)
        session_timer(&v->s, 0, on_timeout, v);
    code = v->timed_out ? 128 + SIGKILL : code;
    session_source(&v->s, -1, on_notify, v);
    session_source(&v->s, -1, on_names, v);
    session_source(&v->s, -1, on_ports, v);
    health_end(take_ptr(&v->health));
    net_detach(v->net);
    end_rest(v);
    v->runs = false;
    if (oom_killed(v))
        tell(v, "oom", NULL);
    strv_addf(&facts, "exitCode=%d", code);
    tell(v, "died", facts);
    return code;
}

/* The same container in new namespaces; the ids are mapped already. */
static int start_again(struct supervisor *v)
{
    v->record = (struct exit_record){.generation = v->record.generation + 1, .started = time_now()};
    v->oom_before = v->group ? cgroup_oom_kills(v->group) : 0;
    exit_record_write(v->alive, &v->record);
    int r = net_prepare(v->net);
    if (r == 0)
        r = start_command(v);
    if (r == 0)
        r = enter_group(v);
    return r < 0 ? r : bring_up(v);
}

/* By the policy, or because the health check wants it, whatever the policy. */
static bool goes_on(struct supervisor *v, int code)
{
    int64_t ran_ms = session_now() - v->began;
    bool ill = v->ill;
    v->ill = false;
    if (v->s.stop_asked)
        return false;
    bool wanted = restart_wanted(v->l->c, &v->restarts, code, ran_ms);
    v->restarts.count += ill && !wanted;
    return wanted || ill;
}

static int run_with_restarts(struct supervisor *v)
{
    int code = run_to_end(v);
    for (;;) {
        if (!goes_on(v, code))
            return code;
        write_exit(v, code, true, "");
        tell(v, "restart", NULL);
        notify_status(v, "is started again after status %d", code);
        session_idle(&v->s, v->restarts.delay_ms);
        if (v->s.stop_asked)
            return code;
        int r = start_again(v);
        if (r == 0)
            notify_status(v, "is running, started again %lld times", (long long)v->restarts.count);
        code = r < 0 ? err_status() : run_to_end(v);
    }
}

/* Everything that others can see of the end; what is left to delete comes in *ret_trash ("": nothing). */
static void clean_up(struct launch *l, char ret_trash[80])
{
    *ret_trash = 0;
    if (l->c->auto_remove && ctr_retire(l->store, l->c->id, ret_trash) < 0)
        *ret_trash = 0;
    if (*ret_trash)
        event_container(l->store, l->c, "remove", NULL);
    if (!l->c->auto_remove && !view_there(l->ctr_fd)) /* else whelk mount goes on with it */
        tree_remove(l->ctr_fd, "work");
}

/* Before anybody is told of the end: whoever hears of it may remove or start the container in the same moment. */
static void ended(struct supervisor *v)
{
    fd_close(take_fd(&v->alive));
}

/* The last act, when nobody waits any more: deleting files can take milliseconds on some disks. The status is for
 * systemd: after run -d this is the unit's main process. */
static void __attribute__((noreturn)) finish(const struct supervisor *v, const char *trash, int status)
{
    struct launch *l = v->l;
    fd_close(take_fd(&l->sock));
    if (v->net)
        net_end(v->net);
    if (*trash)
        ctr_delete_retired(l->store, trash);
    _exit(status);
}

static void __attribute__((noreturn)) fail(struct supervisor *v, int r)
{
    char trash[80] = "";
    size_t len = 0;
    int status = err_status();
    auto_free char *packed = err_pack(r, &len); /* cleaning up has errors of its own, which are nobody's business */
    if (v->alive >= 0) {
        write_exit(v, err_status(), false, err_text(r));
        cgroup_remove(take_ptr(&v->group));
        clean_up(v->l, trash);
        ended(v);
    }
    err_unpack(packed, len);
    frame_send_error(v->l->sock, r);
    finish(v, trash, status);
}

void supervise(struct launch *l)
{
    struct supervisor v = {.l = l, .alive = -1};
    char trash[80] = "";
    session_init(&v.s);
    v.s.trims = true;
    v.s.stopping = on_stopping;
    v.s.stopping_ctx = &v;
    int r = leave_caller(l);
    r = r < 0 ? r : start(&v);
    if (r < 0)
        fail(&v, r);
    strv_foreach (line, net_warnings(v.net))
        frame_send(l->sock, FRAME_WARNING, line, strlen(line), -1, 0);
    frame_send(l->sock, FRAME_STARTED, NULL, 0, -1, 0);
    if (l->attached)
        client_add(&v.s, take_fd(&l->sock), true);
    else
        fd_close(take_fd(&l->sock));
    int code = run_with_restarts(&v);
    log_close(v.s.log);
    write_exit(&v, code, false, "");
    cgroup_remove(take_ptr(&v.group));
    clean_up(l, trash);
    ended(&v);
    prctl(PR_SET_PDEATHSIG, 0); /* the STARTER leaves now; the files are still to be deleted */
    clients_finish(&v.s, code);
    finish(&v, trash, code);
}
