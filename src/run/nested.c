/* Containers with an id map of their own (--userns keep-id, nomap, auto; --uidmap).
 *
 * Theory of operation. Such a container has a user namespace below its SUPERVISOR's, so that its ids can be any of the
 * store's, in any order, without a helper program. But who is root there need not have the ids that the store's
 * directories belong to, nor any that own what is mounted. So the tree is made outside, by a BUILDER in the
 * SUPERVISOR's user namespace, with all rights over all of the store's ids, acting as the id that is the container's
 * root:
 *
 *     SUPERVISOR                         CHILD (below)                      BUILDER
 *     clones CHILD, writes its maps
 *     puts it into its group, "go"  -->  makes its cgroup namespace
 *                                   <--  "ready"
 *     clones BUILDER                     waits                              joins CHILD's namespaces but the mount one,
 *                                                                           forks (process ids hold for children),
 *                                                                           mounts, binds and masks as for any
 * container passes it on                  <-----------------------------------    the whole tree as a detached mount
 *                                   -->  attaches it, becomes root, pivots  ends
 *
 * The rest of a start is as without. In root's store the layers are not copied with other owners: the BUILDER sees the
 * store through an idmapped mount. */
#include "session.h"

#include "ns.h"

#include "whelk/caps.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

uint32_t seen_uid(const struct child *k, uint32_t uid)
{
    const struct idmap *m = k->plan->map;
    return k->builder ? id_outside(m->uid, m->n_uid, uid) : uid;
}

uint32_t seen_gid(const struct child *k, uint32_t gid)
{
    const struct idmap *m = k->plan->map;
    return k->builder ? id_outside(m->gid, m->n_gid, gid) : gid;
}

/* ---- SUPERVISOR ---- */

static void __attribute__((noreturn)) run_child(void *plan)
{
    child_main(plan);
}

pid_t nested_clone(struct plan *p, uint64_t ns_flags, int *ret_pidfd)
{
    if (p->joins && p->joins->nested >= 0)
        return ns_clone_in(p->joins, p->joins->nested, ns_flags, run_child, p, ret_pidfd);
    pid_t pid = ns_clone(ns_flags | CLONE_NEWUSER, ret_pidfd);
    if (pid == 0)
        child_main(p);
    int r = pid < 0 ? pid : userns_write_maps(pidfd_pid(*ret_pidfd), p->map);
    if (pid > 0 && r < 0) {
        pidfd_signal(*ret_pidfd, SIGKILL, 0);
        proc_reap(pid);
        fd_close(take_fd(ret_pidfd));
    }
    return r < 0 ? r : pid;
}

/* What the BUILDER sends: its errors, the terminal's two ends, and the tree. */
static int take_tree(struct session *s, int sock, int *ret_root)
{
    char buf[FRAME_MAX];
    enum frame type;
    for (;;) {
        auto_close int fd = -1;
        ssize_t n = frame_recv(sock, &type, buf, &fd, 0);
        if (n < 0)
            return err_set(-ECHILD, "the process that mounts for the container was killed");
        if (type == FRAME_ERROR)
            return err_unpack(buf, (size_t)n);
        if (type == FRAME_PTY)
            s->master = take_fd(&fd);
        if (type == FRAME_SLAVE)
            frame_send(s->sock, type, NULL, 0, fd, 0);
        if (type != FRAME_ROOT)
            continue;
        *ret_root = take_fd(&fd);
        return 0;
    }
}

int nested_build(struct session *s)
{
    struct plan plan = *s->plan;
    int socks[2], pidfd = -1;
    int r = frame_pair(socks);
    if (r < 0)
        return r;
    plan.sock = socks[1];
    pid_t pid = session_clone_at_store(&plan, CLONE_NEWNS, &pidfd);
    if (pid == 0)
        builder_main(&plan, s->pidfd);
    fd_close(socks[1]);
    fd_close(pidfd);
    auto_close int root = -1;
    r = pid < 0 ? pid : take_tree(s, socks[0], &root);
    fd_close(socks[0]);
    if (pid > 0)
        proc_reap(pid); /* before the command can see it */
    return r < 0 ? r : frame_send(s->sock, FRAME_ROOT, NULL, 0, root, 0);
}

/* ---- BUILDER ---- */

/* Names of the host's /proc are used before anything is joined. */
static int open_userns(int child)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", pidfd_pid(child));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys("cannot open the user namespace of the container") : fd;
}

static int join_child(const struct plan *p, int child)
{
    uint64_t flags = ns_exec_flags(p->c) & ~(uint64_t)CLONE_NEWNS;
    if (flags && setns(child, (int)flags) < 0)
        return err_sys("cannot join the namespaces of the container");
    return 0;
}

void builder_main(const struct plan *p, int child)
{
    struct child k = {.plan = p,
                      .builder = true,
                      .store_fd = -1,
                      .dir_fd = -1,
                      .root_fd = -1,
                      .null_fd = -1,
                      .shm_fd = -1,
                      .slave_fd = -1,
                      .env = strv_copy(p->c->env)};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int r = k.userns_fd = open_userns(child);
    if (r >= 0 && p->joins)
        r = ns_clone_shm(p->joins, &k.shm_fd);
    if (r >= 0)
        r = join_child(p, child);
    pid_t pid = r < 0 ? r : fork();
    if (pid == 0)
        child_walk(&k, STEP_BUILD);
    if (r >= 0 && pid < 0)
        r = err_sys("cannot fork");
    if (r < 0)
        frame_send_error(p->sock, r);
    else
        proc_reap(pid);
    _exit(0);
}

/* The store with the container's owners, in its own place. */
static int mount_store(struct child *k)
{
    auto_close int mnt = -1;
    int r = mnt_clone(k->store_fd, "", false, &mnt);
    if (r == 0)
        r = mnt_idmap(mnt, k->userns_fd);
    if (r < 0)
        return err_wrap(r,
                        "cannot show the store with other owners (idmapped mount); its file system may not be able to");
    r = mnt_attach(mnt, k->store_fd);
    if (r < 0)
        return r;
    fd_close(k->store_fd);
    k->store_fd = take_fd(&mnt);
    return 0;
}

int nested_become_builder(struct child *k)
{
    struct identity root = {.uid = seen_uid(k, 0), .gid = seen_gid(k, 0)};
    int r = idmap_none(k->plan->store_map) ? mount_store(k) : 0;
    if (r < 0 || root.uid == ID_NONE || root.gid == ID_NONE || (root.uid == 0 && root.gid == 0))
        return r;
    return caps_become(&root, UINT64_MAX, caps_grantable(), 0, 0);
}

int nested_hand_over(struct child *k)
{
    auto_close int tree = -1;
    int r = mnt_clone(k->root_fd, "", true, &tree);
    if (r < 0)
        return r;
    if (k->slave_fd >= 0)
        frame_send(k->plan->sock, FRAME_SLAVE, NULL, 0, k->slave_fd, 0);
    frame_send(k->plan->sock, FRAME_ROOT, NULL, 0, tree, 0);
    _exit(0);
}

/* ---- CHILD ---- */

/* Attached at some place: the pivot makes it the root. */
int nested_take_root(struct child *k)
{
    char buf[FRAME_MAX];
    enum frame type = FRAME_READY;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the builder joins by this process; one that joined others is not any more */
    frame_send(k->plan->sock, FRAME_READY, NULL, 0, -1, 0);
    while (type != FRAME_ROOT) {
        auto_close int fd = -1;
        if (frame_recv(k->plan->sock, &type, buf, &fd, 0) < 0 || fd < 0)
            _exit(125); /* whoever would read an error knows it already */
        *(type == FRAME_ROOT ? &k->root_fd : &k->slave_fd) = take_fd(&fd);
    }
    return mnt_attach(k->root_fd, k->store_fd);
}

int nested_become_root(struct child *k)
{
    const struct idmap *m = k->plan->map;
    if (idmap_has_gid(m, 0) && setresgid(0, 0, 0) < 0)
        return err_sys("cannot become group 0");
    return idmap_has_uid(m, 0) && setresuid(0, 0, 0) < 0 ? err_sys("cannot become user 0") : 0;
}
