/* The root of a container for a worker outside of it (see rootfs.h).
 * Runs in: the caller, and the worker that it starts (names in _worker). Lock: the directory of a container that is not
 * up is flocked by the worker, so that nobody starts it meanwhile. */
#include "rootfs-parts.h"

#include "launch.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/layer.h"
#include "whelk/mnt.h"
#include "whelk/overlay.h"
#include "whelk/tree-tar.h"
#include "whelk/view.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

struct rootfs_job {
    const struct store *s;
    const struct ctr *c;
    unsigned flags;
    int (*fn)(int root_fd, void *arg);
    void *arg;
    struct idmap map; /* the container's */
    int init;         /* pidfd of a running container's first process, or -1 */
};

/* What is made belongs to the container's root; the caller may be nobody there. */
static void become_root_worker(const struct idmap *map)
{
    if (idmap_has_gid(map, 0))
        (void)!setresgid(0, 0, 0);
    if (idmap_has_uid(map, 0))
        (void)!setresuid(0, 0, 0);
}

/* ---- running ---- */

static int join_worker(struct rootfs_job *j, int *ret_root)
{
    if ((j->c->idmap || !idmap_none(&j->s->map)) && setns(j->init, CLONE_NEWUSER) < 0)
        return err_sys("cannot join the container's user namespace");
    if (setns(j->init, CLONE_NEWNS) < 0)
        return err_sys("cannot join the container's mount namespace");
    if (j->c->idmap)
        become_root_worker(&j->map);
    return mnt_clone(AT_FDCWD, "/", j->flags & ROOTFS_MOUNTS, ret_root);
}

/* ---- not running ---- */

/* An own mount namespace. overlayfs takes layers of this one only, and only the working directory comes along: the
 * store is opened again. */
int rootfs_unshare_worker(const struct store *s, int *ret_store)
{
    if (fchdir(s->fd) < 0)
        return err_sys("cannot enter the store");
    if (unshare(CLONE_NEWNS) < 0)
        return err_sys("cannot make a mount namespace");
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return err_sys("cannot detach from the host's mounts");
    *ret_store = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_store < 0 ? err_sys("cannot open the store again") : 0;
}

/* The layers of a container, merged and read-only; upper NULL: without its own changes. */
int rootfs_merge_worker(const struct store *s, int store_fd, const struct ctr *c, const char *upper, int *ret_fd)
{
    auto_strv char **lowers = NULL, **all = NULL;
    int r = ctr_lowers(s, c, &lowers);
    if (r < 0)
        return r;
    if (upper)
        strv_add(&all, upper);
    strv_extend(&all, lowers);
    if (strv_len(all) > 1)
        return overlay_mount(store_fd, (const char *const *)all, (unsigned)strv_len(all), NULL, NULL,
                             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, ret_fd);
    *ret_fd = openat(store_fd, all[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a single one is its own merged view */
    return *ret_fd < 0 ? err_sys("cannot open the layers") : 0;
}

/* --rootfs DIR: it is the root itself. */
static int clone_rootfs(const struct ctr *c, int *ret_fd)
{
    uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (c->read_only ? MOUNT_ATTR_RDONLY : 0);
    auto_close int fd = -1;
    int r = mnt_clone(AT_FDCWD, c->rootfs, true, &fd);
    r = r < 0 ? r : mnt_attrs(fd, attrs, 0, true);
    if (r == 0)
        *ret_fd = take_fd(&fd);
    return r;
}

static int mount_worker(struct rootfs_job *j, int *ret_root)
{
    auto_free char *upper = xasprintf("containers/%s/upper", j->c->id),
                   *work = xasprintf("containers/%s/work", j->c->id);
    auto_close int store = -1;
    auto_strv char **lowers = NULL;
    int r = rootfs_unshare_worker(j->s, &store);
    if (r == 0 && j->c->rootfs && !j->c->rootfs_overlay)
        return clone_rootfs(j->c, ret_root);
    if (r < 0 || !(j->flags & ROOTFS_WRITE))
        return r < 0 ? r : rootfs_merge_worker(j->s, store, j->c, upper, ret_root);
    auto_free char *dir = xasprintf("containers/%s", j->c->id);
    r = view_take(store, dir, ret_root);
    if (r != 0)
        return MIN(r, 0);
    r = ctr_lowers(j->s, j->c, &lowers);
    if (r == 0)
        r = dir_make(store, work, 0700);
    if (r < 0)
        return r;
    uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (j->c->read_only ? MOUNT_ATTR_RDONLY : 0);
    r = overlay_mount(store, (const char *const *)lowers, (unsigned)strv_len(lowers), upper, work, attrs, ret_root);
    return r;
}

/* ---- the worker ---- */

/* Among the ids of a container that has others than the store's: in a user namespace below. */
struct nested_job {
    struct rootfs_job *j;
    int root;
};

static int nested_worker(void *arg)
{
    const struct nested_job *n = arg;
    become_root_worker(&n->j->map);
    return n->j->fn(n->root, n->j->arg);
}

static int root_worker(void *arg)
{
    struct rootfs_job *j = arg;
    auto_close int root = -1;
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is told as an error */
    int r = j->init >= 0 ? join_worker(j, &root) : mount_worker(j, &root);
    if (r == 0 && j->init < 0 && ctr_shifts(j->s, j->c))
        return userns_run(&j->map, nested_worker, &(struct nested_job){j, root});
    return r < 0 ? r : j->fn(root, j->arg);
}

/* Whether it is up is looked at under the lock that a start takes; one that is up needs none. */
static int prepare(struct rootfs_job *j, int *ret_lock)
{
    struct ctr_state state;
    int dir = -1;
    int r = ctr_lock(j->s, j->c->id, j->flags & ROOTFS_WRITE, &dir);
    if (r == 0)
        r = ctr_state(j->s, j->c->id, &state);
    if (r == -ENOENT)
        r = err_set(r, "container %s was removed", j->c->name);
    if (r == 0 && state.status == CTR_ELSEWHERE)
        r = err_set(-EBUSY, "container %s runs on another host", j->c->name);
    if (r == 0 && !ctr_is_up(&state)) {
        *ret_lock = dir;
        return 0;
    }
    ctr_unlock(j->s, j->c->id, dir);
    return r < 0 ? r : run_init_pidfd(j->s, j->c, &j->init);
}

int rootfs_worker(const struct store *s, const struct ctr *c, unsigned flags, int (*fn)(int root_fd, void *arg),
                  void *arg, struct worker *ret)
{
    struct rootfs_job j = {.s = s, .c = c, .flags = flags, .fn = fn, .arg = arg, .init = -1};
    auto_close int lock = -1, init = -1; /* the worker has them too */
    int r = ctr_idmap(s, c, &j.map);
    if (r == 0)
        r = prepare(&j, &lock);
    init = j.init;
    if (r < 0)
        return r;
    return init >= 0 ? worker_start(root_worker, &j, ret) : userns_worker_start(&s->map, root_worker, &j, ret);
}

int rootfs_run(const struct store *s, const struct ctr *c, unsigned flags, int (*fn)(int root_fd, void *arg), void *arg)
{
    struct worker w;
    int r = rootfs_worker(s, c, flags, fn, arg, &w);
    return r < 0 ? r : worker_wait(&w);
}

/* ---- export ---- */

static int export_worker(int root, void *arg)
{
    return tree_tar_write(&(struct tree_tar_write){.out = *(const int *)arg, .dir = root, .name = ".", .as = ""});
}

int rootfs_export(const struct store *s, const struct ctr *c, int out)
{
    return rootfs_run(s, c, 0, export_worker, &out);
}
