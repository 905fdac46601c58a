/* The CHILD: from a fresh clone to the container's command, as a table of steps. Order matters; each row says why it is
 * where it is.
 *
 * Runs in: CHILD (pid 1 of the container's pid namespace; or a process that joined it, for exec).
 * A failing step sends its error through plan->sock; the socket is close-on-exec, so its end without a message means
 * "executed". */
#include "child.h"

#include "fake-ids.h"
#include "frame.h"
#include "handed.h"
#include "notify.h"
#include "ns.h"
#include "ulimit.h"

#include "whelk/err.h"
#include "whelk/exe.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/proc.h"
#include "whelk/seccomp.h"
#include "whelk/tty.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

void plan_done(struct plan *p)
{
    strv_free(p->lowers);
    free(p->filter);
    *p = (struct plan){.sock = -1, .store_fd = -1};
}

/* What the caller had open is none of the container's business (H9). 0-2 stay taken: a descriptor opened later must not
 * be found there, already in place but about to be closed by the exec. */
static int close_descriptors(struct child *k)
{
    const struct plan *p = k->plan;
    for (int i = 0; i < 3; i++)
        if (dup2(k->null_fd, i) < 0)
            return err_sys("cannot set up descriptor %d", i);
    const int keep[] = {0,           1,           2,          k->store_fd, p->sock,   p->stdio[0],
                        p->stdio[1], p->stdio[2], k->null_fd, k->root_fd,  k->shm_fd, k->userns_fd};
    handed_close_others(p->handed, keep, ARRAY_LEN(keep));
    return 0;
}

/* Namespaces of other containers, through descriptors that the next step closes. */
static int join_namespaces(struct child *k)
{
    const struct ns_joins *j = k->plan->joins;
    if (!j || !j->n)
        return 0;
    int r = ns_clone_shm(j, &k->shm_fd);
    return r < 0 ? r : ns_join_rest(j);
}

static int new_session(struct child *k)
{
    signals_reset();
    setsid();
    umask(022);
    return 0;
}

static int await_go(struct child *k)
{
    enum frame type;
    char buf[FRAME_MAX];
    if (frame_recv(k->plan->sock, &type, buf, NULL, 0) < 0 || type != FRAME_GO)
        _exit(125); /* the supervisor is gone; so is whoever would read an error */
    return 0;
}

/* In a namespace with the host's user namespace, mounts would else propagate back to the host. */
static int slave_mounts(struct child *k)
{
    if (idmap_none(k->plan->store_map) && mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return err_sys("cannot detach from the host's mounts");
    return 0;
}

/* The group that it is in now is the root of what it sees. */
static int new_cgroupns(struct child *k)
{
    if (ctr_ns_kind(k->plan->c, CLONE_NEWCGROUP) != NS_OWN)
        return 0;
    return unshare(CLONE_NEWCGROUP) < 0 ? err_sys("cannot make a cgroup namespace") : 0;
}

static int forget_exe(struct child *k)
{
    return exe_forget(true);
}

/* The container goes before its supervisor when memory runs out. The host's /proc is still there (H3). */
int child_oom_score(struct child *k)
{
    auto_close int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char text[16] = "";
    const char *asked = k->plan->c->oom_score_adj;
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        return 0;
    if (dprintf(fd, "%d", asked ? atoi(asked) : MIN(atoi(text) + 100, 1000)) < 0 && asked)
        return err_sys("--oom-score-adj %s: cannot be set; lowering it needs root", asked);
    return 0;
}

static int set_hostname(struct child *k)
{
    const char *name = k->plan->c->hostname;
    bool own = ctr_ns_kind(k->plan->c, CLONE_NEWUTS) == NS_OWN;
    if (own && !str_empty(name) && sethostname(name, strlen(name)) < 0)
        return err_sys("cannot set the host name %s", name);
    name = k->plan->c->domainname;
    if (own && name && setdomainname(name, strlen(name)) < 0)
        return err_sys("cannot set the domain name %s", name);
    return 0;
}

/* The SUPERVISOR has the other end (whelk/net.h), and waits for this frame. */
static int make_network(struct child *k)
{
    auto_free char *warning = NULL;
    auto_close int fd = -1;
    int r = k->plan->net ? net_inside(k->plan->net, &fd, &warning) : 0;
    if (r == 0 && frame_send(k->plan->sock, FRAME_NET, warning, warning ? strlen(warning) : 0, fd, 0) < 0)
        _exit(125);
    return r;
}

/* ping without CAP_NET_RAW, for every group that the container has. Below --sysctl, which may say otherwise. */
static int allow_ping(struct child *k)
{
    const struct idmap *map = k->plan->map;
    uint32_t first = map->n_gid ? INT32_MAX : 0, last = map->n_gid ? 0 : INT32_MAX;
    for (unsigned i = 0; i < map->n_gid; i++) {
        uint32_t begin = k->builder ? map->gid[i].outside : map->gid[i].inside;
        first = MIN(first, begin);
        last = MAX(last, begin + map->gid[i].count - 1);
    }
    auto_free char *range = xasprintf("%u %u", first, MIN(last, (uint32_t)INT32_MAX));
    auto_close int fd = -1;
    if (ctr_ns_kind(k->plan->c, CLONE_NEWNET) != NS_OWN)
        return 0;
    fd = open_in_root(k->root_fd, "proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_NOFOLLOW, 0);
    (void)!write(fd, range, strlen(range)); /* a kernel without it has no such sockets */
    return 0;
}

/* --ulimit: what was asked for is set or is an error. */
static int set_asked_limits(struct child *k)
{
    strv_foreach (word, k->plan->c->ulimits) {
        struct ulimit u;
        int r = ulimit_parse(word, &u);
        if (r < 0)
            return r;
        if (setrlimit(u.resource, &u.value) < 0)
            return err_sys("--ulimit %s: cannot be set; the hard limit of this user may be lower (ulimit -H)", word);
    }
    return 0;
}

/* --sysctl, through the container's own /proc, which was mounted a moment ago and is not yet read-only. */
static int set_sysctls(struct child *k)
{
    strv_foreach (pair, k->plan->c->sysctls) {
        const char *value = strchr(pair, '=') + 1;
        auto_free char *path = xasprintf("proc/sys/%.*s", (int)(value - 1 - pair), pair);
        for (char *p = path; *p; p++)
            *p = *p == '.' ? '/' : *p;
        auto_close int fd = open_in_root(k->root_fd, path, O_WRONLY | O_NOFOLLOW, 0);
        errno = fd < 0 ? -fd : 0;
        if (fd < 0 || write(fd, value, strlen(value)) < 0)
            return err_sys("--sysctl %s: cannot be set", pair);
    }
    return 0;
}

enum { PROCESSES_DEFAULT = 2048 };

/* Never above what the caller has: root on some machines lacks CAP_SYS_RESOURCE, so clamp, do not fail. The number of
 * processes is the control group's matter; where there is none, this bounds each user of the container, who is counted
 * apart from everybody else in a user namespace. */
static int set_limits(struct child *k)
{
    bool bound = !idmap_none(k->plan->map) && k->plan->c->limits.pids == 0;
    const rlim_t processes = bound ? PROCESSES_DEFAULT : RLIM_INFINITY;
    const struct {
        int resource;
        rlim_t soft, hard;
    } table[] = {
        {RLIMIT_NOFILE, 1024, 524288},
        {RLIMIT_CORE, 0, RLIM_INFINITY},
        {RLIMIT_NPROC, processes, processes},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct rlimit now, want = {table[i].soft, table[i].hard};
        if (getrlimit(table[i].resource, &now) < 0)
            continue;
        want.rlim_max = MIN(want.rlim_max, now.rlim_max);
        want.rlim_cur = MIN(want.rlim_cur, want.rlim_max);
        setrlimit(table[i].resource, &want);
    }
    return set_asked_limits(k);
}

/* As docker does: a missing working directory is made, owned by root. */
static int make_cwd(struct child *k)
{
    auto_close int dir = -1;
    const char *cwd = k->plan->c->cwd;
    return str_empty(cwd) ? 0 : make_dirs_in_root(k->root_fd, cwd + strspn(cwd, "/"), &dir);
}

static int enter_cwd(struct child *k)
{
    const char *cwd = str_empty(k->plan->c->cwd) ? "/" : k->plan->c->cwd;
    auto_close int dir = open_in_root(k->root_fd, cwd, O_PATH | O_DIRECTORY, 0);
    errno = dir < 0 ? -dir : 0;
    if (dir < 0 || fchdir(dir) < 0)
        return err_with_status(err_sys("cannot enter the working directory %s", cwd), 127);
    return 0;
}

static int open_pty(struct child *k)
{
    if (!k->plan->c->tty)
        return 0;
    auto_close int master = -1;
    int r = tty_open_pty(k->root_fd, "dev/pts/ptmx", &master);
    if (r == 0)
        r = tty_open_peer(master, &k->slave_fd);
    if (r == 0 && k->plan->size.ws_row) /* here: the command may ask for it at once */
        r = tty_set_size(master, &k->plan->size);
    if (r == 0 && frame_send(k->plan->sock, FRAME_PTY, NULL, 0, master, 0) < 0)
        r = err_set(-EPIPE, "cannot hand over the terminal");
    return r;
}

/* A console of its own for what writes there. Before the pivot, on a held descriptor. */
static int bind_console(struct child *k)
{
    if (k->slave_fd < 0)
        return 0;
    auto_close int target = -1, mnt = -1;
    int r = open_target(k->root_fd, "dev/console", false, &target);
    if (r == 0)
        r = mnt_clone(k->slave_fd, "", false, &mnt);
    return r < 0 ? r : mnt_attach(mnt, target);
}

/* The owner of what the caller himself uses stays. */
static bool streams_are_callers(const struct child *k, int fd)
{
    const char *driver = k->plan->c->log_driver;
    return fd > 0 && !k->plan->exec && driver && str_eq(driver, "passthrough");
}

/* 0, 1 and 2 are set last before the identity changes, and given to the user: opening /dev/stdout must work. */
static int set_stdio(struct child *k)
{
    for (int i = 0; i < 3; i++) {
        int fd = k->slave_fd >= 0 ? k->slave_fd : k->plan->stdio[i];
        if (dup2(fd >= 0 ? fd : k->null_fd, i) < 0)
            return err_sys("cannot set up descriptor %d", i);
        struct stat st;
        if (fd >= 0 && !streams_are_callers(k, i) && fstat(i, &st) == 0 &&
            (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) && st.st_uid != k->who.uid)
            (void)!fchown(i, k->who.uid, (gid_t)-1);
    }
    return k->slave_fd >= 0 ? tty_make_controlling(0) : 0;
}

static int hand_over(struct child *k)
{
    const char *watchdog = getenv("WATCHDOG_USEC");
    if (k->plan->notify)
        strv_env_set(&k->env, "NOTIFY_SOCKET", NOTIFY_PATH);
    if (k->plan->notify && watchdog)
        strv_env_set(&k->env, "WATCHDOG_USEC", watchdog);
    return k->plan->handed ? handed_over_child(k->plan->handed, &k->env) : 0;
}

/* The caller's session keyring stays outside. Kernels without keys have none to share. */
static int new_keyring(struct child *k)
{
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    return 0;
}

static int set_mode(struct child *k)
{
    if (k->plan->c->umask)
        umask((mode_t)strtol(k->plan->c->umask, NULL, 8));
    return k->plan->c->personality && personality(PER_LINUX32) < 0 ? err_sys("cannot set the personality") : 0;
}

static int maybe_init(struct child *k)
{
    return k->plan->c->init && !k->plan->exec ? child_init(k) : 0;
}

/* Who it is meant to be, for the process that plays it. */
static int play_ids(struct child *k)
{
    struct fake_creds creds = {.n_groups = k->who.n_groups};
    auto_close int listener = -1;
    for (int i = 0; i < ID_COUNT; i++) {
        creds.uid[i] = k->asked.uid;
        creds.gid[i] = k->asked.gid;
    }
    for (unsigned i = 0; i < k->who.n_groups; i++)
        creds.groups[i] = k->groups[i];
    int r = fake_ids_install(&listener);
    if (r == 0 && frame_send(k->plan->sock, FRAME_FAKE_IDS, &creds, sizeof creds, listener, 0) < 0)
        r = err_set(-EPIPE, "cannot hand over the listener of the filter");
    return r;
}

/* The identity, then the filter: loading one without no_new_privs needs CAP_SYS_ADMIN, which is kept over the change of
 * ids as the extra capability and dropped by the one call that follows. */
static int become_user(struct child *k)
{
    const struct ctr *c = k->plan->c;
    const uint64_t admin = UINT64_C(1) << 21; /* CAP_SYS_ADMIN */
    bool root = k->who.uid == 0;
    uint64_t effective = (uint64_t)(root ? c->cap_effective : c->cap_ambient);
    uint64_t bounding = (uint64_t)(root ? c->cap_bounding : c->cap_ambient);
    if (c->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys("cannot set no_new_privs");
    int r = caps_become(&k->who, bounding, effective, root ? 0 : effective, admin);
    /* A command of exec goes with the process that looks after it, and so does one that no pid namespace of the
     * supervisor's ends. After the change of ids, which clears this. */
    bool tied = k->plan->exec || ctr_ns_kind(c, CLONE_NEWPID) != NS_OWN;
    if (r == 0 && tied && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        r = err_sys("cannot tie the command to its supervisor");
    if (r == 0 && k->plan->filter_len)
        r = seccomp_install(k->plan->filter, k->plan->filter_len);
    if (r == 0 && k->plan->fake_ids)
        r = play_ids(k);
    return r < 0 ? r : caps_drop_extra(effective);
}

/* Why execve failed, and the status that says so (CV-03b, CV-03c). */
static int exec_error(const char *path, int e)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (e == ENOENT && exists)
        return err_with_status(
            err_set(-e, "cannot execute %s: its interpreter or loader is missing in the container", path), 127);
    if (e == ENOENT || e == ENOTDIR)
        return err_with_status(err_set(-e, "cannot execute %s: no such file in the container", path), 127);
    if (exists && S_ISDIR(st.st_mode))
        return err_with_status(err_set(-e, "cannot execute %s: it is a directory", path), 126);
    if (e == ENOEXEC)
        return err_with_status(
            err_set(-e, "cannot execute %s: not a program for this machine (exec format error)", path), 126);
    return err_with_status(err_set(-e, "cannot execute %s: %s", path, strerror(e)), 126);
}

/* Looks through the container's PATH, as execvp would; the best error wins: "not executable" over "not there". */
static int exec_in_path(const char *name, char *const *args, char *const *env)
{
    const char *path = strv_env_get(env, "PATH");
    auto_strv char **dirs = strv_split(path ? path : "", ":");
    auto_free char *denied = NULL;
    int denied_errno = 0;
    strv_foreach (dir, dirs) {
        auto_free char *full = xasprintf("%s/%s", dir, name);
        execve(full, args, env);
        if (errno != ENOENT && errno != ENOTDIR && !denied) {
            denied_errno = errno;
            denied = take_ptr(&full);
        } else if (errno == ENOENT && !denied && access(full, F_OK) == 0) {
            denied_errno = ENOENT;
            denied = take_ptr(&full);
        }
    }
    if (denied)
        return exec_error(denied, denied_errno);
    return err_with_status(
        err_set(-ENOENT, "executable \"%s\" not found in the container's PATH (%s)", name, path ? path : "empty"), 127);
}

static int execute(struct child *k)
{
    char *const *args = k->plan->c->args;
    if (strchr(args[0], '/')) {
        execve(args[0], args, k->env);
        return exec_error(args[0], errno);
    }
    return exec_in_path(args[0], args, k->env);
}

enum {
    EXEC = STEP_EXEC,
    BUILD = STEP_BUILD,
    NESTED = STEP_NESTED,
    RUN = STEP_RUN | NESTED, /* in the CHILD that is started as process 1 */
    TREE = STEP_RUN | BUILD, /* in the one that makes the tree */
    BOTH = RUN | EXEC,
};

static const struct step {
    int (*fn)(struct child *k);
    unsigned in;
    const char *why_here;
} steps[] = {
    {join_namespaces, RUN, "needs what the supervisor has opened"},
    {close_descriptors, BOTH | BUILD, "nothing of the caller's survives, whatever fails later"},
    {new_session, BOTH | BUILD, "before anything can be signalled or make a file"},
    {slave_mounts, TREE, "before the first mount"},
    {make_network, RUN, "needs no ids, which are being mapped meanwhile, and the host's /dev/net/tun"},
    {await_go, RUN, "no file can be made before the ids are mapped"},
    {new_cgroupns, RUN, "after the supervisor has put it into its group"},
    {nested_take_root, NESTED,
     "the tree is made by somebody who may look into this process, as long as it is dumpable"},
    {child_oom_score, RUN,
     "needs the host's /proc, and the own files there, which are root's as soon as we are non-dumpable"},
    {forget_exe, RUN | BUILD, "needs the host's /proc and CAP_SYS_ADMIN; before the container's processes can see us"},
    {child_secret_env, RUN, "the store is still there, and this process may read it"},
    {nested_become_root, NESTED, "the own files in /proc are not needed any more"},
    {nested_become_builder, BUILD, "what is made from here on belongs to the container's root"},
    {child_mount_root, TREE, "everything below is attached to it"},
    {child_mount_base, TREE, "before volumes, which may lie on top"},
    {child_mount_volumes, TREE, "before the injected files, so that -v over /etc keeps them"},
    {child_mount_files, TREE, "on top of what images and volumes bring"},
    {child_mount_secrets, TREE, "on top of everything; the store is still there"},
    {child_add_user, TREE, "on top of what volumes bring; before anybody looks for the user"},
    {child_own_volumes, TREE, "reads the container's passwd as it will be; the sources are still the host's"},
    {allow_ping, TREE, "before --sysctl, which may say otherwise"},
    {set_sysctls, TREE, "before /proc/sys becomes read-only"},
    {make_cwd, TREE, "before a read-only root is sealed"},
    {open_pty, TREE, "needs the container's devpts"},
    {bind_console, TREE, "before the pivot: a mount on a held descriptor"},
    {child_mask, TREE, "after every mount, so that nothing uncovers what is masked"},
    {nested_hand_over, BUILD, "the end of the builder"},
    {child_enter_root, RUN, "last look at the host"},
    {open_pty, EXEC, "the container's devpts is there"},
    {set_hostname, RUN, "needs CAP_SYS_ADMIN"},
    {set_limits, BOTH, "before the identity changes"},
    {child_find_user, BOTH, "reads the image's passwd, below the root"},
    {enter_cwd, BOTH, "as root: the kernel checks the user's rights on use"},
    {maybe_init, BOTH, "pid 1 keeps no descriptor and no terminal, and forks the rest"},
    {set_stdio, BOTH, "needs to know the user; needs CAP_CHOWN"},
    {hand_over, BOTH, "in the process that executes: it knows its pid"},
    {set_mode, BOTH, "umask: after whelk's own files; personality: before the filter denies it"},
    {new_keyring, BOTH, "before the filter denies keyctl"},
    {become_user, BOTH, "identity, capabilities, then the filter as the last call"},
    {execute, BOTH, "the end"},
};

static bool is_null(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* For exec the container's /dev is all there is, so what is opened there is checked, before and after (H4). Whoever
 * moved something over /dev/null must still be able to come in and repair it: then a pipe at its end does, as stdin. */
static int open_null(struct child *k)
{
    struct stat st;
    int ends[2];
    if (stat("/dev/null", &st) == 0 && is_null(&st))
        k->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (k->null_fd >= 0 && fstat(k->null_fd, &st) == 0 && is_null(&st))
        return 0;
    if (!k->plan->exec)
        return err_set(-ENODEV, "/dev/null of the host is not the null device");
    fd_close(take_fd(&k->null_fd));
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    fd_close(ends[1]);
    k->null_fd = ends[0];
    return 0;
}

void child_walk(struct child *k, unsigned mode)
{
    const struct plan *p = k->plan;
    int r = open_null(k);
    int *top = p->exec ? &k->root_fd : &k->store_fd;
    *top = open(p->exec ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(steps) && r == 0; i++)
        if (steps[i].in & mode)
            r = steps[i].fn(k);
    frame_send_error(p->sock, r);
    _exit(125);
}

void child_main(const struct plan *p)
{
    struct child k = {.plan = p,
                      .store_fd = -1,
                      .dir_fd = -1,
                      .root_fd = -1,
                      .null_fd = -1,
                      .shm_fd = -1,
                      .userns_fd = -1,
                      .slave_fd = -1,
                      .env = strv_copy(p->c->env)};
    child_walk(&k, p->exec ? STEP_EXEC : p->nested ? STEP_NESTED : STEP_RUN);
}
