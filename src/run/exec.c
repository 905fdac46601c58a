/* exec: another command in a running container.
 *
 * Three processes. The invocation relays (attach.c). A middle process joins the container's namespaces and looks after
 * the command as a session: it must exist, because joining a pid namespace holds for children only. The CHILD is inside
 * and walks the steps of child.c that apply. Both forgot the whelk binary before they became visible inside
 * (kernel/exe.c).
 *
 * Runs in: the invocation; the middle process (names in _middle). */
#include "detach.h"
#include "launch.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/exe.h"
#include "whelk/fd.h"
#include "whelk/log.h"
#include "whelk/proc.h"
#include "whelk/seccomp.h"
#include "whelk/tty.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

int run_init_pidfd(const struct store *s, const struct ctr *c, int *ret_pidfd)
{
    struct ctr_live live = {0};
    auto_close int supervisor = -1;
    uint64_t start = 0;
    int r = run_supervisor(s, c->id, &supervisor);
    if (r == 0)
        r = ctr_live_load(s, c->id, &live);
    if (r == -ESRCH || r == -ENOENT)
        return err_set(-ESRCH, "container %s is not running", c->name);
    if (r < 0)
        return r;
    auto_close int pidfd = live.pid > 0 ? pidfd_open_pid((pid_t)live.pid) : -1;
    bool same = pidfd >= 0 && proc_start_time((pid_t)live.pid, &start) == 0 && (int64_t)start == live.pid_start;
    ctr_live_done(&live);
    if (!same)
        return err_set(-ESRCH, "container %s is not running", c->name);
    *ret_pidfd = take_fd(&pidfd);
    return 0;
}

struct middle {
    const struct ctr *c; /* the container with the command, environment and user of this exec */
    struct idmap map;
    struct plan plan;
    struct session session;
    struct cgroup *group; /* the container's, or NULL */
    struct handed handed;
    int init;
    bool relay_stdin;
    bool inside; /* in the container's user namespace already (the SUPERVISOR is) */
};

/* The user namespace first: its capabilities are needed to forget the binary, which needs the host's /proc, and to join
 * the rest. */
static int join_middle(const struct middle *m)
{
    struct child k = {.plan = &m->plan};
    int r = child_oom_score(&k);
    if (r < 0)
        return r;
    if ((m->c->idmap || (!m->inside && !idmap_none(m->plan.store_map))) && setns(m->init, CLONE_NEWUSER) < 0)
        return err_sys("cannot join the container's user namespace");
    r = exe_forget(false);
    if (r < 0)
        return r;
    /* Not the host's: they are there already, and not the container's to enter. */
    if (setns(m->init, (int)ns_exec_flags(m->c)) < 0)
        return err_sys("cannot join the container's namespaces");
    return 0;
}

static int start_middle(struct middle *m)
{
    int r = join_middle(m);
    if (r == 0)
        r = session_start(&m->session, &m->plan, 0, m->relay_stdin);
    return r < 0 ? r : session_await(&m->session);
}

/* Nothing of the caller's is kept open, as in the SUPERVISOR (RUNTIME, processes 2). */
static void leave_caller(const struct middle *m, int sock)
{
    setsid();
    auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i);
    const int keep[] = {0, 1, 2, sock, m->init, m->plan.stdio[0]};
    handed_close_others(&m->handed, keep, ARRAY_LEN(keep));
    (void)!chdir("/");
}

static struct cgroup *open_group(const struct store *s, const struct ctr *c)
{
    struct ctr_live live = {0};
    struct cgroup *g = NULL;
    if (ctr_live_load(s, c->id, &live) == 0 && live.cgroup && cgroup_open(live.cgroup, &g) < 0)
        g = NULL;
    ctr_live_done(&live);
    return g;
}

/* What exec runs counts as the container's (RUNTIME, namespaces and cgroups 6). */
static void join_group(const struct middle *m)
{
    int r = m->group ? cgroup_enter(m->group, getpid()) : 0;
    if (r < 0)
        log_warn("the limits of the container do not hold for this command: %s", err_text(r));
    err_clear();
}

static void run_middle(struct middle *m, int sock)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    join_group(m);
    leave_caller(m, sock);
    int r = start_middle(m);
    if (r < 0) {
        frame_send_error(sock, r);
        _exit(125);
    }
    handed_close(&m->handed);
    prctl(PR_SET_PDEATHSIG, 0); /* from here on the end of the socket says so, and leaves time to kill the command */
    frame_send(sock, FRAME_STARTED, NULL, 0, -1, 0);
    client_add(&m->session, sock, true);
    int code = session_loop(&m->session);
    clients_finish(&m->session, code);
    _exit(0);
}

/* The container's own settings, changed by what exec was asked for. Strings are shared with base, but for args and env.
 */
static int exec_ctr(const struct store *s, const struct ctr *base, const struct exec_options *o, char *const *command,
                    struct ctr *ret)
{
    struct ctr c = *base;
    c.args = (char **)(uintptr_t)command;
    c.tty = o->tty;
    c.init = false;
    c.env = strv_copy(base->env);
    int r = secrets_env(s->fd, base, &c.env);
    if (r == 0)
        r = spec_env_files(o->env_files, &c.env);
    if (r == 0)
        r = spec_env(o->env, &c.env);
    if (r < 0) {
        strv_free(c.env);
        return r;
    }
    if (o->tty && !strv_env_get(c.env, "TERM"))
        strv_env_set(&c.env, "TERM", "xterm");
    if (o->user)
        c.user = o->user;
    if (o->workdir)
        c.cwd = o->workdir;
    if (o->privileged)
        c.cap_bounding = c.cap_effective = c.cap_ambient = (int64_t)caps_grantable();
    *ret = c;
    return 0;
}

static int fork_middle(struct middle *m, int *ret_sock)
{
    int socks[2], pidfd = -1;
    int r = frame_pair(socks);
    if (r < 0)
        return r;
    fflush(NULL);
    pid_t pid = ns_clone(0, &pidfd);
    if (pid == 0) {
        close(socks[0]);
        run_middle(m, socks[1]);
    }
    fd_close(socks[1]);
    fd_close(pidfd);
    if (pid < 0) {
        fd_close(socks[0]);
        return pid;
    }
    *ret_sock = socks[0];
    return 0;
}

static int plan_exec(const struct store *s, struct middle *m, const struct exec_options *o)
{
    int r = ctr_idmap(s, m->c, &m->map);
    if (r < 0)
        return r;
    m->plan = (struct plan){.c = m->c,
                            .map = &m->map,
                            .store_map = &s->map,
                            .store_fd = -1,
                            .dir = "",
                            .stdio = {-1, -1, -1},
                            .sock = -1,
                            .handed = &m->handed,
                            .exec = true,
                            .nested = m->c->idmap != NULL};
    struct seccomp_spec filter = {.profile = o->privileged ? "unconfined" : m->c->seccomp,
                                  .caps = (uint64_t)m->c->cap_bounding,
                                  .nested = m->c->nested};
    auto_close int cache = openat(s->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = seccomp_filter(&filter, cache, &m->plan.filter, &m->plan.filter_len);
    if (r == 0)
        r = attach_stdin(o->interactive && !o->detach, o->tty, &m->plan.stdio[0], &m->relay_stdin);
    if (r == 0)
        r = handed_collect(&o->preserve, false, &m->handed);
    session_init(&m->session);
    if (o->tty && !o->detach)
        tty_get_size(STDIN_FILENO, &m->session.size);
    return r;
}

static int await_exec(int sock)
{
    char buf[FRAME_MAX];
    enum frame type;
    ssize_t n = frame_recv(sock, &type, buf, NULL, 0);
    if (n >= 0 && type == FRAME_STARTED)
        return 0;
    return n >= 0 && type == FRAME_ERROR ? err_unpack(buf, (size_t)n)
                                         : err_set(-ECHILD, "the container ended while the command was started");
}

/* Until its end; its exit code. */
static int relay(const struct store *s, const struct middle *m, int sock, const struct exec_options *o)
{
    auto_strv char **facts = NULL;
    struct attach a = {.sock = sock,
                       .tty = o->tty,
                       .read_stdin = m->relay_stdin || (o->tty && o->interactive),
                       .sig_proxy = true,
                       .detach_keys = o->detach_keys};
    int r = attach_relay(&a);
    strv_addf(&facts, "exitCode=%d", r < 0 ? err_status() : r);
    event_container_id(s, m->c->id, "exec_died", facts);
    if (r == -ECHILD)
        return err_with_status(
            err_set(r, "the process that looked after the command was lost; the command was killed with it"), 137);
    return r;
}

static int exec_in(const struct store *s, const struct ctr *c, const struct exec_options *o)
{
    struct middle m = {.c = c, .init = -1};
    struct detach_keys keys;
    auto_close int init = -1, sock = -1;
    int r = detach_parse(o->detach_keys, &keys);
    if (r == 0)
        r = run_init_pidfd(s, c, &init);
    m.init = init;
    if (r == 0)
        r = plan_exec(s, &m, o);
    m.group = r == 0 ? open_group(s, c) : NULL;
    if (r == 0)
        r = fork_middle(&m, &sock);
    cgroup_close(m.group);
    fd_close(m.plan.stdio[0]);
    handed_close(&m.handed);
    plan_done(&m.plan);
    if (r == 0)
        r = await_exec(sock);
    if (r < 0)
        return r;
    event_container_id(s, c->id, "exec", NULL);
    if (!o->detach)
        return relay(s, &m, sock, o);
    frame_send(sock, FRAME_DETACH, NULL, 0, -1, 0);
    return 0;
}

int run_exec(const struct store *s, const char *id, const struct exec_options *o, char *const *command)
{
    struct ctr base = {0}, c;
    int r = ctr_load(s, id, &base);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "container %.12s was removed", id) : r;
    if (run_is_paused(s, id)) /* the command would be frozen too, and this one wait for ever */
        r = err_set(-EBUSY, "container %.12s is paused; let it go on first: whelk unpause %s", id, base.name);
    if (r == 0)
        r = exec_ctr(s, &base, o, command, &c);
    if (r == 0) {
        r = exec_in(s, &c, o);
        strv_free(c.env);
    }
    ctr_done(&base);
    return r;
}

void exec_probe(const struct probe *p)
{
    struct ctr c = *p->plan->c;
    struct middle m = {.c = &c, .init = p->init, .inside = true};
    c.args = (char **)(uintptr_t)p->command;
    c.tty = c.init = false;
    m.plan = *p->plan;
    m.plan.c = &c;
    m.plan.store_fd = -1;
    m.plan.exec = true;
    m.plan.inject = m.plan.notify = false;
    m.plan.handed = NULL;
    m.plan.sock = m.plan.stdio[0] = m.plan.stdio[1] = m.plan.stdio[2] = -1;
    session_init(&m.session);
    m.session.raw_out = p->out_fd;
    m.session.raw_max = p->output_max;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int r = secrets_env(p->plan->store_fd, &c, &c.env);
    r = r < 0 ? r : start_middle(&m);
    if (r < 0) {
        dprintf(p->out_fd, "%s\n", err_text(r));
        _exit(err_status());
    }
    m.session.deadline = session_now() + p->timeout_ms;
    _exit(session_loop(&m.session));
}
