/* Walks over directory trees that somebody else filled, and may still be changing: removing one, measuring one.
 *
 * Theory: the walk holds one descriptor, of the directory it is in, so a tree may be of any depth. It goes down by
 * openat2, which neither follows a link nor crosses a mount (a bind mount of the same file system has the same st_dev,
 * and below it lies a user's data). It goes up by "..", and only into the directory that it came down from, by device
 * and inode: a directory that was moved elsewhere meanwhile ends the walk. A frame a level holds the names of
 * directories to go into. */
#include "whelk/fd.h"

#include "whelk/err.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

struct frame {
    char **dirs;
    size_t next; /* the one that we are in, or go into next */
    dev_t dev;
    ino_t ino;
};

struct walk {
    /* Sees each entry. True: it is a directory, go into it. */
    bool (*entry)(struct walk *w, int dirfd, const char *name, unsigned char type);
    /* After all below the directory name. May be NULL. */
    void (*leave)(struct walk *w, int dirfd, const char *name);
    bool force; /* gives itself rwx on directories */
    const char *task,
        *path; /* for texts: "remove", and what the names in the first frame are below, with base_len bytes */
    int base_len;
    struct buf frames;
    int r; /* the first error; the walk goes on, the text is in the error slot */
    /* Of tree_usage: */
    uint64_t bytes, limit;
    struct buf links;
};

static struct frame *walk_top(struct walk *w)
{
    return w->frames.len ? (struct frame *)(void *)(w->frames.data + w->frames.len) - 1 : NULL;
}

static void walk_pop(struct walk *w)
{
    strv_free(walk_top(w)->dirs);
    w->frames.len -= sizeof(struct frame);
}

static void walk_done(struct walk *w)
{
    while (walk_top(w))
        walk_pop(w);
    buf_done(&w->frames);
    buf_done(&w->links);
}

/* Keeps the first error of all. The path in its text is cut in the middle if the tree is deep. */
static void walk_fail(struct walk *w, int r, const char *name)
{
    enum { SHOWN = 8 };
    if (w->r < 0 || r == -ENOENT) /* somebody else removed it */
        return;
    auto_buf struct buf path = {0};
    buf_add(&path, w->path, (size_t)w->base_len);
    size_t n = w->frames.len / sizeof(struct frame);
    const struct frame *frames = (const struct frame *)(void *)w->frames.data;
    for (size_t i = 0; i + 1 < n; i++)
        if (i < SHOWN)
            buf_addf(&path, "%s/", frames[i].dirs[frames[i].next]);
    if (n > SHOWN + 1)
        buf_adds(&path, ".../");
    const char *what = r == -EXDEV ? "something is mounted there" : strerror(-r);
    w->r = err_set(r, "cannot %s %s%s: %s", w->task, path.data, name, what);
}

/* ---- down and up ---- */

static int open_beneath(int dirfd, const char *name, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
        .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
    };
    int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
    /* Under an old seccomp profile: the device is compared below, which is nearly as good. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = openat(dirfd, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Opens a directory that its mode closes even to its owner. There is no fchmod for O_PATH, hence by /proc. */
static int open_forced(int dirfd, const char *name)
{
    auto_close int handle = open_beneath(dirfd, name, O_PATH);
    if (handle < 0)
        return handle;
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
    if (chmod(path, 0700) < 0)
        return -EACCES;
    return open_beneath(dirfd, name, O_RDONLY);
}

static int walk_open(struct walk *w, int dirfd, const char *name, struct stat *ret)
{
    auto_close int fd = open_beneath(dirfd, name, O_RDONLY);
    if (fd == -EACCES && w->force)
        fd = open_forced(dirfd, name);
    if (fd < 0)
        return fd;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_dev != walk_top(w)->dev)
        return -EXDEV;
    if (w->force && (st.st_mode & 0700) != 0700)
        (void)!fchmod(fd, st.st_mode | 0700); /* if it is not ours, the next call says so */
    *ret = st;
    return take_fd(&fd);
}

/* Shows every entry of the open directory to the walk; gives the names of directories to go into. */
static int walk_list(struct walk *w, int fd, char ***ret)
{
    static _Alignas(struct dirent64) char entries[32768];
    struct buf dirs = {0};
    ssize_t n;
    while ((n = getdents64(fd, entries, sizeof(entries))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *e = (const struct dirent64 *)(void *)(entries + at);
            at += e->d_reclen;
            if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") || !w->entry(w, fd, e->d_name, e->d_type))
                continue;
            char *name = xstrdup(e->d_name);
            buf_add(&dirs, &name, sizeof(name));
        }
    }
    int r = n < 0 ? -errno : 0;
    buf_add(&dirs, &(char *){NULL}, sizeof(char *));
    *ret = (char **)(void *)buf_take(&dirs);
    return r;
}

/* Goes from *fd into its directory name. What cannot be entered is left out; leave() then fails on it. */
static bool walk_down(struct walk *w, int *fd, const char *name)
{
    struct stat st = {0};
    int sub = walk_open(w, *fd, name, &st);
    if (sub < 0) {
        bool passed_over = sub == -EXDEV && !w->leave; /* what only looks has no business in another file system */
        if (sub != -ENOTDIR && sub != -ELOOP && !passed_over) /* it is something else by now */
            walk_fail(w, sub, name);
        return false;
    }
    fd_close(*fd);
    *fd = sub;
    struct frame f = {.dev = st.st_dev, .ino = st.st_ino};
    buf_add(&w->frames, &f, sizeof(f));
    char **dirs = NULL;
    int r = walk_list(w, sub, &dirs);
    walk_top(w)->dirs = dirs;
    if (r < 0)
        walk_fail(w, r, ".");
    return true;
}

/* Goes from *fd up into the directory of the top frame. The start is not taken from "..": it may be where a mount
 * begins. */
static int walk_up(struct walk *w, int *fd, int start)
{
    const struct frame *f = walk_top(w);
    auto_close int up = w->frames.len == sizeof(*f) ? fcntl(start, F_DUPFD_CLOEXEC, 3)
                                                    : openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (up < 0 || fstat(up, &st) < 0)
        return err_sys("cannot %s %s: going up from %s", w->task, w->path, f->dirs[f->next]);
    if (st.st_dev != f->dev || st.st_ino != f->ino)
        return err_set(-ESTALE, "cannot %s %s: %s in it was moved meanwhile", w->task, w->path, f->dirs[f->next]);
    fd_close(*fd);
    *fd = take_fd(&up);
    return 0;
}

/* Goes into dirs (taken over), which are in the directory start, and all below. */
static int walk_run(struct walk *w, int start, char **dirs)
{
    struct frame bottom = {.dirs = dirs};
    buf_add(&w->frames, &bottom, sizeof(bottom));
    auto_close int fd = fcntl(start, F_DUPFD_CLOEXEC, 3);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys("cannot %s %s", w->task, w->path);
    walk_top(w)->dev = st.st_dev;
    walk_top(w)->ino = st.st_ino;

    for (struct frame *f; (f = walk_top(w));) {
        const char *name = f->dirs ? f->dirs[f->next] : NULL;
        if (name && walk_down(w, &fd, name))
            continue;
        if (!name) { /* done here: back to where f is one of the directories */
            walk_pop(w);
            f = walk_top(w);
            int r = f ? walk_up(w, &fd, start) : 0;
            if (r < 0)
                return r;
        }
        if (f && w->leave)
            w->leave(w, fd, f->dirs[f->next]);
        if (f)
            f->next++;
    }
    return w->r;
}

/* ---- removal ---- */

static bool remove_entry(struct walk *w, int dirfd, const char *name, unsigned char type)
{
    if (type == DT_DIR)
        return true;
    if (unlinkat(dirfd, name, 0) == 0)
        return false;
    if (errno == EISDIR)
        return true;
    walk_fail(w, -errno, name);
    return false;
}

static void remove_dir(struct walk *w, int dirfd, const char *name)
{
    /* ENOTDIR: somebody put another thing there meanwhile. */
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && (errno != ENOTDIR || unlinkat(dirfd, name, 0) < 0))
        walk_fail(w, -errno, name);
}

/* Where the last component of path begins. */
static const char *last_component(const char *path)
{
    const char *last = path;
    for (const char *p = path; *p; p++)
        if (p[0] == '/' && p[1] && p[1] != '/')
            last = p + 1;
    return last;
}

/* Opens the directory that path's last component is in, and gives that component (caller frees). -ENOENT without text.
 */
static int open_parent(int dirfd, const char *path, char **ret_name)
{
    const char *last = last_component(path);
    auto_free char *name = xstrndup(last, strcspn(last, "/"));
    auto_free char *dir = last == path ? xstrdup(".") : xstrndup(path, (size_t)(last - path));
    if (str_empty(name) || str_eq(name, ".") || str_eq(name, ".."))
        return err_set(-EINVAL, "cannot remove '%s'", path);
    int fd = openat(dirfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot remove %s", path);
    *ret_name = take_ptr(&name);
    return fd;
}

int tree_remove(int dirfd, const char *path)
{
    auto_free char *name = NULL;
    auto_close int parent = open_parent(dirfd, path, &name);
    if (parent < 0)
        return parent == -ENOENT ? 0 : parent;
    auto_with(walk_done) struct walk w = {
        .entry = remove_entry, .leave = remove_dir, .force = true, .task = "remove", .path = path};
    w.base_len = (int)(last_component(path) - path);
    char **dirs = NULL;
    if (remove_entry(&w, parent, name, DT_UNKNOWN))
        strv_add(&dirs, name);
    return walk_run(&w, parent, dirs);
}

/* ---- usage ---- */

struct link {
    dev_t dev;
    ino_t ino;
    uint64_t bytes;
};

static bool usage_entry(struct walk *w, int dirfd, const char *name, unsigned char type)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        walk_fail(w, -errno, name);
        return false;
    }
    uint64_t bytes = (uint64_t)st.st_blocks * 512;
    if (S_ISDIR(st.st_mode) || st.st_nlink < 2) {
        w->bytes += bytes;
        return S_ISDIR(st.st_mode);
    }
    struct link l = {.dev = st.st_dev, .ino = st.st_ino, .bytes = bytes};
    buf_add(&w->links, &l, sizeof(l));
    return false;
}

static int link_compare(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    return x->dev != y->dev ? (x->dev > y->dev) - (x->dev < y->dev) : (x->ino > y->ino) - (x->ino < y->ino);
}

static uint64_t links_sum(struct buf *b)
{
    struct link *links = (struct link *)(void *)b->data;
    size_t n = b->len / sizeof(*links);
    uint64_t sum = 0;
    if (n)
        qsort(links, n, sizeof(*links), link_compare);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || link_compare(&links[i - 1], &links[i]) != 0)
            sum += links[i].bytes;
    return sum;
}

/* Measures the open directory and all below it. */
static int usage_run(struct walk *w, int fd)
{
    char **dirs = NULL;
    int r = walk_list(w, fd, &dirs);
    if (r < 0)
        walk_fail(w, r, w->path);
    return walk_run(w, fd, dirs);
}

int tree_usage(int dirfd, const char *path, uint64_t *ret)
{
    struct stat st;
    if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot read %s", path);
    auto_with(walk_done) struct walk w = {
        .entry = usage_entry, .task = "measure", .path = path, .bytes = (uint64_t)st.st_blocks * 512};
    if (S_ISDIR(st.st_mode)) {
        auto_close int fd = dir_open(dirfd, path);
        if (fd < 0)
            return fd;
        auto_free char *base = xasprintf("%s/", path);
        w.path = base;
        w.base_len = (int)strlen(base);
        int r = usage_run(&w, fd);
        if (r < 0)
            return r;
    }
    *ret = w.bytes + links_sum(&w.links);
    return 0;
}

/* An entry counts as a block at least: a million empty files are much work too. */
static bool small_entry(struct walk *w, int dirfd, const char *name, unsigned char type)
{
    enum { BLOCK = 4096 };
    if (w->bytes >= w->limit)
        return false;
    w->bytes += BLOCK;
    return usage_entry(w, dirfd, name, type);
}

bool tree_is_small(int dirfd, const char *path, uint64_t bytes)
{
    auto_with(walk_done) struct walk w = {.entry = small_entry, .task = "measure", .path = path, .limit = bytes};
    auto_close int fd = dir_open(dirfd, path);
    int r = fd < 0 ? fd : usage_run(&w, fd);
    err_clear();
    return r == 0 && w.bytes + links_sum(&w.links) < bytes;
}
