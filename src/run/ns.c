/* Namespaces that a container has, shares or joins (ns.h says how).
 *
 * Runs in: STARTER (ns_open, spec_ns), SUPERVISOR and CHILD (ns_join_*). */
#include "ns.h"

#include "launch.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/statfs.h>

static const struct ns_type {
    const char *option;
    uint64_t flag;
    size_t member; /* of struct ctr: the mode */
} types[] = {
    {"--pid", CLONE_NEWPID, offsetof(struct ctr, pid)},
    {"--network", CLONE_NEWNET, offsetof(struct ctr, network)},
    {"--ipc", CLONE_NEWIPC, offsetof(struct ctr, ipc)},
    {"--uts", CLONE_NEWUTS, offsetof(struct ctr, uts)},
    {"--cgroupns", CLONE_NEWCGROUP, offsetof(struct ctr, cgroupns)},
};

static const char *mode_of(const struct ctr *c, const struct ns_type *t)
{
    return *(char *const *)((const char *)c + t->member);
}

static const struct ns_type *type_of(uint64_t flag)
{
    const struct ns_type *t = types;
    while (t->flag != flag)
        t++;
    return t;
}

enum ns_kind ns_kind(const char *mode)
{
    if (!mode)
        return NS_OWN;
    if (str_eq(mode, "host"))
        return NS_HOST;
    return ns_container(mode) ? NS_CONTAINER : str_after(mode, "ns:") ? NS_PATH : NS_OWN;
}

const char *ns_mode(const struct ctr *c, uint64_t type)
{
    return mode_of(c, type_of(type));
}

const char *ns_container(const char *mode)
{
    return mode ? str_after(mode, "container:") : NULL;
}

uint64_t ns_own_flags(const struct ctr *c)
{
    uint64_t flags = CLONE_NEWNS;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (ns_kind(mode_of(c, &types[i])) == NS_OWN && types[i].flag != CLONE_NEWCGROUP)
            flags |= types[i].flag;
    return flags;
}

uint64_t ns_exec_flags(const struct ctr *c)
{
    uint64_t flags = CLONE_NEWNS;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (ns_kind(mode_of(c, &types[i])) != NS_HOST)
            flags |= types[i].flag;
    return flags;
}

/* ---- opening ---- */

static int open_container(const struct store *s, const struct ns_type *t, const char *id, struct ns_joins *j,
                          int *ret_fd)
{
    struct ctr other = {0};
    int r = ctr_load(s, id, &other);
    if (r < 0)
        return r == -ENOENT
                   ? err_set(r, "%s: container %.12s, whose namespace is to be used, was removed", t->option, id)
                   : r;
    r = run_init_pidfd(s, &other, ret_fd);
    if (r == 0 && !idmap_none(&s->map) && j->user < 0)
        r = run_supervisor(s, id, &j->user);
    if (r == -ESRCH)
        r = err_set(r, "%s container:%s: that container is not running; start it first: whelk start %s", t->option,
                    other.name, other.name);
    if (r == 0 && other.idmap && j->nested < 0)
        j->nested = *ret_fd;
    ctr_done(&other);
    return r;
}

/* Only what is a namespace of this type can be joined by setns; what else was named is refused there. */
static int open_path(const struct ns_type *t, const char *path, int *ret_fd)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys("%s ns:%s: cannot be opened", t->option, path);
    *ret_fd = fd;
    return 0;
}

static int open_one(const struct store *s, const struct ns_type *t, const char *mode, struct ns_joins *j)
{
    const char *id = ns_container(mode);
    struct ns_join *join = &j->list[j->n++];
    *join = (struct ns_join){.type = t->flag, .fd = -1, .mode = mode};
    return id ? open_container(s, t, id, j, &join->fd) : open_path(t, str_after(mode, "ns:"), &join->fd);
}

int ns_open(const struct store *s, const struct ctr *c, struct ns_joins *ret)
{
    static const struct ns_type user = {.option = "--userns"};
    int r = 0;
    *ret = (struct ns_joins){.user = -1, .nested = -1};
    for (size_t i = 0; i < ARRAY_LEN(types) && r == 0; i++)
        if (ns_kind(mode_of(c, &types[i])) > NS_HOST)
            r = open_one(s, &types[i], mode_of(c, &types[i]), ret);
    if (r == 0 && !ret->n && ns_container(c->userns)) /* nothing but the user namespace */
        r = open_one(s, &user, c->userns, ret);
    if (r < 0)
        ns_done(ret);
    return r;
}

void ns_done(struct ns_joins *j)
{
    for (size_t i = 0; i < j->n; i++)
        fd_close(j->list[i].fd);
    fd_close(j->user);
    *j = (struct ns_joins){.user = -1, .nested = -1};
}

/* ---- joining ---- */

static int join_failed(const char *option, const char *mode)
{
    if (errno == ESRCH)
        return err_set(-ESRCH, "%s %.22s: that container has ended", option, mode);
    if (errno == EPERM && ns_kind(mode) == NS_PATH)
        return err_set(-EPERM, "%s %s: operation not permitted; a namespace that belongs to the host is root's to join",
                       option, mode);
    if (errno == EPERM)
        return err_set(-EPERM,
                       "%s %.22s: operation not permitted; namespaces can be shared only with containers of one user "
                       "namespace",
                       option, mode);
    return err_sys("%s %.22s: cannot join the namespace", option, mode);
}

static int join_one(const struct ns_join *join)
{
    if (setns(join->fd, (int)join->type) < 0)
        return join_failed(type_of(join->type)->option, join->mode);
    return 0;
}

int ns_join_pid(const struct ns_joins *j)
{
    int r = 0;
    for (size_t i = 0; i < j->n; i++)
        if (j->list[i].type == CLONE_NEWPID)
            r = r < 0 ? r : join_one(&j->list[i]);
    return r;
}

struct sibling {
    const struct ns_joins *j;
    int pidfd;
    uint64_t flags;
    void (*run)(void *arg);
    void *arg;
};

/* The worker clones its own sibling. A pid namespace cannot be cloned into together with CLONE_PARENT: it is made or
 * joined before. */
static int clone_sibling(void *arg)
{
    const struct sibling *b = arg;
    int pidfd = -1;
    if (setns(b->pidfd, CLONE_NEWUSER) < 0)
        return err_sys("cannot join the user namespace of the other container");
    int r = b->flags & CLONE_NEWNS ? ns_join_pid(b->j) : 0;
    if (r == 0 && (b->flags & CLONE_NEWPID) && unshare(CLONE_NEWPID) < 0)
        r = err_sys("cannot make a pid namespace");
    pid_t pid = r < 0 ? r : ns_clone(CLONE_PARENT | (b->flags & ~(uint64_t)CLONE_NEWPID), &pidfd);
    if (pid == 0)
        b->run(b->arg);
    return pid;
}

pid_t ns_clone_in(const struct ns_joins *j, int pidfd, uint64_t flags, void (*run)(void *arg), void *arg,
                  int *ret_pidfd)
{
    struct sibling b = {j, pidfd, flags, run, arg};
    struct worker w;
    int r = worker_start(clone_sibling, &b, &w);
    pid_t pid = r < 0 ? r : worker_wait(&w);
    if (pid > 0)
        *ret_pidfd = pidfd_open_pid(pid);
    return pid;
}

int ns_join_rest(const struct ns_joins *j)
{
    int r = 0;
    for (size_t i = 0; i < j->n; i++)
        if (j->list[i].type && j->list[i].type != CLONE_NEWPID)
            r = r < 0 ? r : join_one(&j->list[i]);
    return r;
}

/* In a process of its own, which shares the table of descriptors: coming back from a mount namespace would cost the
 * working directory. The number comes as the exit status. */
static void __attribute__((noreturn)) clone_shm_child(int pidfd)
{
    struct statfs fs;
    int mnt = -1;
    if (setns(pidfd, CLONE_NEWNS) < 0)
        _exit(255);
    auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
                   shm = open_in_root(root, "dev/shm", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    if (shm < 0 || fstatfs(shm, &fs) < 0 || fs.f_type != TMPFS_MAGIC || mnt_clone(shm, "", false, &mnt) < 0)
        _exit(255);
    _exit(mnt < 255 ? mnt : 255);
}

int ns_clone_shm(const struct ns_joins *j, int *ret_fd)
{
    const struct ns_join *ipc = NULL;
    auto_close int pidfd = -1;
    for (size_t i = 0; i < j->n; i++)
        if (j->list[i].type == CLONE_NEWIPC && ns_kind(j->list[i].mode) == NS_CONTAINER)
            ipc = &j->list[i];
    *ret_fd = -1;
    if (!ipc)
        return 0;
    pid_t pid = ns_clone(CLONE_FILES, &pidfd);
    if (pid == 0)
        clone_shm_child(ipc->fd);
    int status = pid < 0 ? pid : proc_exit_code(proc_reap(pid));
    if (status < 0 || status == 255)
        return err_set(-EIO, "--ipc %.22s: cannot share the /dev/shm of that container", ipc->mode);
    *ret_fd = status;
    return 0;
}

/* ---- from words ---- */

static int unknown_mode(const char *option, const char *word, const char *modes)
{
    auto_strv char **known = strv_split(modes, " ");
    struct buf list = {0};
    strv_foreach (mode, known)
        buf_addf(&list, "%s%s%s", list.len ? ", " : "", mode,
                 str_eq(mode, "container") ? ":NAME"
                 : str_eq(mode, "ns")      ? ":PATH"
                                           : "");
    auto_free char *text = buf_take(&list);
    return err_set(-EINVAL, "%s %s is not known; known: %s", option, word, text);
}

/* What the other container shares is what it has itself: the host's, if it has that. */
static int use_container(const struct store *s, const struct ns_type *t, const char *name, char **ret)
{
    auto_free char *id = NULL;
    struct ctr other = {0};
    int r = ctr_find(s, name, &id);
    if (r == 0)
        r = ctr_load(s, id, &other);
    if (r < 0)
        return err_wrap(r, "%s", t->option);
    const char *theirs = mode_of(&other, t);
    if (t->flag == CLONE_NEWIPC && (!theirs || str_eq(theirs, "none")))
        r = err_set(-EINVAL, "--ipc container:%s: its IPC namespace is private; start it with --ipc shareable", name);
    else
        *ret = ns_kind(theirs) == NS_HOST ? xstrdup("host") : xasprintf("container:%s", id);
    ctr_done(&other);
    return r;
}

int spec_ns(const struct store *s, uint64_t type, const char *word, const char *modes, char **ret)
{
    const struct ns_type *t = type_of(type);
    auto_strv char **known = strv_split(modes, " ");
    if (str_empty(word) || str_eq(word, "private"))
        return 0;
    auto_free char *head = xstrndup(word, strcspn(word, ":"));
    const char *rest = word[strlen(head)] ? word + strlen(head) + 1 : NULL;
    bool container = str_eq(head, "container"), path = str_eq(head, "ns");
    if (!strv_has(known, head) || (container || path) == str_empty(rest))
        return unknown_mode(t->option, word, modes);
    if (container)
        return use_container(s, t, rest, ret);
    if (path && *rest != '/')
        return err_set(-EINVAL, "%s %s: write ns: and an absolute path, as ns:/proc/PID/ns/net", t->option, word);
    *ret = xstrdup(word);
    return 0;
}
