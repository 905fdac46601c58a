/* Owners of files: the calls that change them, tell them, and make files that have one.
 *
 * Files that root makes in a plain directory belong to 0:0 and keep nothing: the kernel makes them. Those of others,
 * and in directories that give their group on (mode 2000), are made here, by the same call, so that the new file is
 * known by descriptor and not by a name that may have become another's. Runs in: NOTIFIER. */
#include "fake-ids.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- owners of what keeps none on disk ---- */

struct kept_link {
    dev_t dev;
    ino_t ino;
    struct kept_owner owner;
};

static int link_compare(const void *a, const void *b)
{
    const struct kept_link *x = a, *y = b;
    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return (x->ino > y->ino) - (x->ino < y->ino);
}

static struct kept_link *link_find(const struct notifier *t, const struct stat *st)
{
    struct kept_link key = {.dev = st->st_dev, .ino = st->st_ino};
    struct kept_link **found = tfind(&key, (void *const *)&t->links, link_compare);
    return found ? *found : NULL;
}

static void link_keep(struct notifier *t, const struct stat *st, struct kept_owner owner)
{
    struct kept_link *l = link_find(t, st);
    if (!l) {
        l = xmalloc(sizeof *l);
        *l = (struct kept_link){.dev = st->st_dev, .ino = st->st_ino};
        if (!tsearch(l, &t->links, link_compare))
            abort();
    }
    l->owner = owner;
}

void files_done(struct notifier *t)
{
    while (t->links) {
        struct kept_link *l = *(struct kept_link **)t->links;
        tdelete(l, &t->links, link_compare);
        free(l);
    }
}

/* ---- finding ---- */

/* The asking process's root becomes this one's, so that absolute links and ".." mean what they mean there. */
static int enter_root(const struct question *q)
{
    auto_close int root = question_open(q, "root");
    if (root < 0)
        return root;
    return fchdir(root) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int open_base(const struct question *q, int dirfd)
{
    char what[32];
    if (dirfd == AT_FDCWD)
        return question_open(q, "cwd");
    snprintf(what, sizeof what, "fd/%d", dirfd);
    return question_open(q, what);
}

/* Links of /proc lead into this process's own world, not the asking one's: such a path is the kernel's. */
static int open_at(int base, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, base, path, &how, sizeof how);
    return fd < 0 ? -errno : fd;
}

/* O_PATH of what a call names. */
static int open_named(const struct question *q, int dirfd, const char *path, bool follow)
{
    int r = enter_root(q);
    if (r < 0)
        return r;
    auto_close int base = open_base(q, *path == '/' ? AT_FDCWD : dirfd);
    if (base < 0)
        return base;
    if (!notify_is_valid(q->t->listener, q->n->id))
        return -ESRCH;
    return *path ? open_at(base, path, O_PATH | (follow ? 0 : O_NOFOLLOW)) : take_fd(&base);
}

static int open_argument(const struct question *q, int dirfd, uint64_t at, unsigned flags)
{
    char path[PATH_MAX];
    int r = memory_read_path(q, at, path);
    if (r < 0)
        return r;
    if (!*path && !(flags & AT_EMPTY_PATH))
        return -ENOENT;
    return open_named(q, dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW));
}

/* The same file or directory, so that it has attributes. */
static int open_again(const struct notifier *t, int fd)
{
    char path[48];
    snprintf(path, sizeof path, "self/fd/%d", fd);
    return openat(t->proc, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool keeps_attributes(const struct stat *st)
{
    return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

static bool owner_of(const struct notifier *t, int fd, const struct stat *st, struct kept_owner *ret)
{
    if (keeps_attributes(st)) {
        auto_close int again = open_again(t, fd);
        return again >= 0 && kept_owner_get(again, ret);
    }
    const struct kept_link *l = link_find(t, st);
    if (l)
        *ret = l->owner;
    return l != NULL;
}

/* Where a file system has no attributes, such as /proc, the change is believed and forgotten. */
static void owner_keep(struct notifier *t, int fd, const struct stat *st, struct kept_owner owner)
{
    if (!keeps_attributes(st)) {
        link_keep(t, st, owner);
        return;
    }
    auto_close int again = open_again(t, fd);
    if (again >= 0)
        kept_owner_set(again, owner);
}

/* ---- chown ---- */

static bool in_groups(const struct fake_creds *c, uint32_t gid)
{
    for (uint32_t i = 0; i < c->n_groups; i++)
        if (c->groups[i] == gid)
            return true;
    return c->gid[ID_FS] == gid;
}

/* chown(2): others than root may only give their own files to one of their groups. */
static bool may_chown(const struct fake_creds *c, struct kept_owner was, struct kept_owner new)
{
    if (c->uid[ID_FS] == 0)
        return true;
    return was.uid == c->uid[ID_FS] && new.uid == was.uid && (new.gid == was.gid || in_groups(c, new.gid));
}

/* The kernel's own call, to root, says whether the file can be changed at all, takes set-id bits away and lets
 * overlayfs copy the file up. */
static int give(struct question *q, int fd, uint32_t uid, uint32_t gid)
{
    struct stat st;
    struct kept_owner was = {0, 0};
    if (fd < 0)
        return fd == -ELOOP ? ANSWER_CONTINUE : fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    owner_of(q->t, fd, &st, &was);
    struct kept_owner new = {uid == UINT32_MAX ? was.uid : uid, gid == UINT32_MAX ? was.gid : gid};
    if (!may_chown(creds_of(q), was, new))
        return -EPERM;
    if (fchownat(fd, "", 0, 0, AT_EMPTY_PATH) < 0)
        return -errno;
    if (fstat(fd, &st) == 0)
        owner_keep(q->t, fd, &st, new);
    return 0;
}

static int chown_argument(struct question *q, int dirfd, unsigned path, unsigned flags)
{
    auto_close int fd = open_argument(q, dirfd, question_arg(q, path), flags);
    return give(q, fd, (uint32_t)question_arg(q, path + 1), (uint32_t)question_arg(q, path + 2));
}

int files_chown(struct question *q, int64_t *ret_value)
{
    return chown_argument(q, AT_FDCWD, 0, 0);
}

int files_lchown(struct question *q, int64_t *ret_value)
{
    return chown_argument(q, AT_FDCWD, 0, AT_SYMLINK_NOFOLLOW);
}

int files_fchown(struct question *q, int64_t *ret_value)
{
    auto_close int fd = open_named(q, (int)question_arg(q, 0), "", false);
    return give(q, fd, (uint32_t)question_arg(q, 1), (uint32_t)question_arg(q, 2));
}

int files_fchownat(struct question *q, int64_t *ret_value)
{
    return chown_argument(q, (int)question_arg(q, 0), 1, (unsigned)question_arg(q, 4));
}

/* ---- stat ---- */

/* Only what has a kept owner is told here: all else the kernel tells better. */
static int tell_stat(struct question *q, int fd, uint64_t at)
{
    struct stat st;
    struct kept_owner owner;
    if (fd < 0 || fstat(fd, &st) < 0 || !owner_of(q->t, fd, &st, &owner))
        return ANSWER_CONTINUE;
    st.st_uid = owner.uid;
    st.st_gid = owner.gid;
    return memory_write(q, at, &st, sizeof st); /* on 64-bit machines the kernel's struct is glibc's */
}

int files_stat(struct question *q, int64_t *ret_value)
{
    auto_close int fd = open_argument(q, AT_FDCWD, question_arg(q, 0), 0);
    return tell_stat(q, fd, question_arg(q, 1));
}

int files_lstat(struct question *q, int64_t *ret_value)
{
    auto_close int fd = open_argument(q, AT_FDCWD, question_arg(q, 0), AT_SYMLINK_NOFOLLOW);
    return tell_stat(q, fd, question_arg(q, 1));
}

int files_fstat(struct question *q, int64_t *ret_value)
{
    auto_close int fd = open_named(q, (int)question_arg(q, 0), "", false);
    return tell_stat(q, fd, question_arg(q, 1));
}

int files_fstatat(struct question *q, int64_t *ret_value)
{
    unsigned flags = (unsigned)question_arg(q, 3);
    auto_close int fd = open_argument(q, (int)question_arg(q, 0), question_arg(q, 1), flags);
    return tell_stat(q, fd, question_arg(q, 2));
}

int files_statx(struct question *q, int64_t *ret_value)
{
    unsigned flags = (unsigned)question_arg(q, 2), mask = (unsigned)question_arg(q, 3);
    struct statx stx;
    struct stat st;
    struct kept_owner owner;
    auto_close int fd = open_argument(q, (int)question_arg(q, 0), question_arg(q, 1), flags);
    if (fd < 0 || fstat(fd, &st) < 0 || !owner_of(q->t, fd, &st, &owner) ||
        statx(fd, "", (int)(AT_EMPTY_PATH | (flags & AT_STATX_SYNC_TYPE)), mask, &stx) < 0)
        return ANSWER_CONTINUE;
    stx.stx_uid = owner.uid;
    stx.stx_gid = owner.gid;
    return memory_write(q, question_arg(q, 4), &stx, sizeof stx);
}

/* ---- making ---- */

/* A file that is about to be made. */
struct birth {
    int parent;
    const char *name;
    mode_t mode; /* without what the umask takes */
    struct kept_owner owner;
    char path[PATH_MAX];
};

/* 0: make it. ANSWER_CONTINUE: the kernel does, or says what is wrong. */
static int birth_prepare(struct question *q, int dirfd, uint64_t at, mode_t mode, struct birth *ret)
{
    struct stat st;
    struct kept_owner group;
    int r = memory_read_path(q, at, ret->path);
    if (r < 0)
        return ANSWER_CONTINUE;
    size_t len = strlen(ret->path);
    while (len > 1 && ret->path[len - 1] == '/')
        ret->path[--len] = '\0';
    char *slash = strrchr(ret->path, '/');
    ret->name = slash ? slash + 1 : ret->path;
    auto_free char *above = slash ? xstrndup(ret->path, (size_t)(slash - ret->path) + 1) : xstrdup(".");
    ret->parent = open_named(q, dirfd, above, true);
    if (ret->parent < 0 || fstat(ret->parent, &st) < 0 || !S_ISDIR(st.st_mode))
        return ANSWER_CONTINUE;
    const struct fake_creds *c = creds_of(q);
    ret->owner = (struct kept_owner){c->uid[ID_FS], c->gid[ID_FS]};
    if (st.st_mode & S_ISGID)
        ret->owner.gid = owner_of(q->t, ret->parent, &st, &group) ? group.gid : 0;
    bool plain = ret->owner.uid == 0 && ret->owner.gid == 0;
    if (plain || !*ret->name || fstatat(ret->parent, ret->name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
        question_read_status(q) < 0)
        return ANSWER_CONTINUE;
    ret->mode = mode & 07777 & ~q->umask;
    return 0;
}

static void keep_new(struct question *q, const struct birth *b)
{
    struct stat st;
    auto_close int fd = open_at(b->parent, b->name, O_PATH | O_NOFOLLOW);
    if (fd >= 0 && fstat(fd, &st) == 0)
        owner_keep(q->t, fd, &st, b->owner);
}

typedef int maker_fn(const struct birth *b, const void *arg);

/* Makes what make makes at the path. */
static int make(struct question *q, int dirfd, unsigned path, mode_t mode, maker_fn *maker, const void *arg)
{
    struct birth b = {.parent = -1};
    int r = birth_prepare(q, dirfd, question_arg(q, path), mode, &b);
    if (r == 0) {
        r = maker(&b, arg) < 0 ? -errno : 0;
        if (r == 0)
            keep_new(q, &b);
    }
    fd_close(b.parent);
    return r;
}

static int make_dir(const struct birth *b, const void *arg)
{
    return mkdirat(b->parent, b->name, b->mode);
}

int files_mkdir(struct question *q, int64_t *ret_value)
{
    return make(q, AT_FDCWD, 0, (mode_t)question_arg(q, 1), make_dir, NULL);
}

int files_mkdirat(struct question *q, int64_t *ret_value)
{
    return make(q, (int)question_arg(q, 0), 1, (mode_t)question_arg(q, 2), make_dir, NULL);
}

static int make_node(const struct birth *b, const void *arg)
{
    return mknodat(b->parent, b->name, *(const mode_t *)arg | b->mode, 0);
}

/* Devices are refused by the kernel, whoever asks. */
static int make_kind(struct question *q, int dirfd, unsigned path)
{
    mode_t mode = (mode_t)question_arg(q, path + 1), type = mode & S_IFMT;
    if (type == S_IFCHR || type == S_IFBLK)
        return ANSWER_CONTINUE;
    return make(q, dirfd, path, mode, make_node, &type);
}

int files_mknod(struct question *q, int64_t *ret_value)
{
    return make_kind(q, AT_FDCWD, 0);
}

int files_mknodat(struct question *q, int64_t *ret_value)
{
    return make_kind(q, (int)question_arg(q, 0), 1);
}

static int make_link(const struct birth *b, const void *arg)
{
    return symlinkat(arg, b->parent, b->name);
}

static int make_symlink(struct question *q, int dirfd, unsigned path)
{
    char target[PATH_MAX];
    int r = memory_read_path(q, question_arg(q, 0), target);
    return r < 0 || !*target ? ANSWER_CONTINUE : make(q, dirfd, path, 0, make_link, target);
}

int files_symlink(struct question *q, int64_t *ret_value)
{
    return make_symlink(q, AT_FDCWD, 1);
}

int files_symlinkat(struct question *q, int64_t *ret_value)
{
    return make_symlink(q, (int)question_arg(q, 1), 2);
}

/* ---- open with O_CREAT ---- */

static int make_file(struct question *q, int dirfd, uint64_t path, uint64_t flags, mode_t mode)
{
    struct birth b = {.parent = -1};
    auto_close int fd = -1;
    if (!(flags & O_CREAT))
        return ANSWER_CONTINUE; /* O_TMPFILE: has no name yet, and so no owner that counts */
    int r = birth_prepare(q, dirfd, path, mode, &b);
    if (r == 0) {
        fd = openat(b.parent, b.name, ((int)flags & ~O_CLOEXEC) | O_EXCL | O_NOFOLLOW | O_CLOEXEC, b.mode);
        r = fd < 0 ? -errno : 0;
    }
    if (r == -EEXIST && !(flags & O_EXCL))
        r = ANSWER_CONTINUE; /* somebody else made it this instant */
    if (r == 0) {
        keep_new(q, &b);
        notify_answer_fd(q->t->listener, q->n->id, fd, (unsigned)flags & O_CLOEXEC);
        r = ANSWER_GIVEN;
    }
    fd_close(b.parent);
    return r;
}

int files_open(struct question *q, int64_t *ret_value)
{
    return make_file(q, AT_FDCWD, question_arg(q, 0), question_arg(q, 1), (mode_t)question_arg(q, 2));
}

int files_creat(struct question *q, int64_t *ret_value)
{
    return make_file(q, AT_FDCWD, question_arg(q, 0), O_CREAT | O_WRONLY | O_TRUNC, (mode_t)question_arg(q, 1));
}

int files_openat(struct question *q, int64_t *ret_value)
{
    return make_file(q, (int)question_arg(q, 0), question_arg(q, 1), (uint32_t)question_arg(q, 2),
                     (mode_t)question_arg(q, 3));
}

/* With a way of resolving it is the kernel's. */
int files_openat2(struct question *q, int64_t *ret_value)
{
    struct open_how how;
    if (question_arg(q, 3) < sizeof how || memory_read(q, question_arg(q, 2), &how, sizeof how) < 0 || how.resolve)
        return ANSWER_CONTINUE;
    return make_file(q, (int)question_arg(q, 0), question_arg(q, 1), how.flags, (mode_t)how.mode);
}

/* ---- at the end ---- */

/* Numbers of files differ between the overlay and what lies below it, names do not. */
static int tell_below(struct notifier *t, int dir, const char *path, int out)
{
    auto_dir DIR *names = dir_iterate(dir);
    int r = 0;
    for (struct dirent *e; names && r == 0 && (e = readdir(names));) {
        struct stat st;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        auto_free char *below = xasprintf("%s%s%s", path, *path ? "/" : "", e->d_name);
        if (e->d_type == DT_DIR) {
            auto_close int sub = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            r = sub < 0 ? 0 : tell_below(t, sub, below, out);
        } else if (e->d_type != DT_REG && fstatat(t->root, below, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            const struct kept_link *l = link_find(t, &st);
            auto_free char *line = l ? xasprintf("%u:%u:%s", l->owner.uid, l->owner.gid, below) : NULL;
            r = line ? fd_write_all(out, line, strlen(line) + 1) : 0;
        }
    }
    return r;
}

int files_tell_links(struct notifier *t, int upper, int out)
{
    return t->links && upper >= 0 && t->root >= 0 ? tell_below(t, upper, "", out) : 0;
}
