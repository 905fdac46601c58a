/* Resolving paths below a root, component by component. */
#include "rootpath.h"

#include "whelk/err.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

enum { LINKS_MAX = 40 };

/* A path under resolution. Invariant: dir is open on the directory real, or real does not exist (missing). */
struct walk {
    int root, dir;
    char **real;
    char *rest; /* components that are still to be read */
    unsigned links;
    bool missing;
    struct stat st; /* of real, mode 0 while missing */
};

bool stat_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

int rootpath_open(int root, const char *real, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root, *real ? real : ".", &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

char *rootpath_clean(const char *path)
{
    auto_strv char **parts = strv_split(path, "/"), **kept = NULL;
    strv_foreach (part, parts) {
        size_t n = strv_len(kept);
        if (str_eq(part, ".") || (str_eq(part, "..") && n == 0))
            continue;
        if (str_eq(part, ".."))
            strv_remove(kept, n - 1);
        else
            strv_add(&kept, part);
    }
    return strv_len(kept) ? strv_join(kept, "/") : xstrdup("");
}

char *rootpath_join(const char *a, const char *b)
{
    return xasprintf("%s%s%s", a, *a && *b ? "/" : "", b);
}

static char *walk_path(const struct walk *w)
{
    return strv_len(w->real) ? strv_join(w->real, "/") : xstrdup("");
}

/* Looks at real again, from the root: after "..", or a link that led to the root. */
static int walk_reopen(struct walk *w)
{
    auto_free char *path = walk_path(w);
    fd_close(take_fd(&w->dir));
    w->dir = rootpath_open(w->root, path, O_PATH);
    w->missing = w->dir == -ENOENT;
    w->st = (struct stat){0};
    if (w->missing)
        return 0;
    if (w->dir < 0)
        return w->dir;
    return fstat(w->dir, &w->st) < 0 ? -errno : 0;
}

static int walk_up(struct walk *w)
{
    size_t n = strv_len(w->real);
    if (n)
        strv_remove(w->real, n - 1);
    return walk_reopen(w);
}

/* A link at fd: what it says stands before the rest. */
static int walk_link(struct walk *w, int fd)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    if (++w->links > LINKS_MAX || strlen(w->rest) + (size_t)n > (size_t)LINKS_MAX * PATH_MAX)
        return -ELOOP;
    target[n] = '\0';
    char *rest = xasprintf("%s/%s", target, w->rest);
    free(w->rest);
    w->rest = rest;
    if (*target != '/')
        return 0;
    strv_free(take_ptr(&w->real));
    return walk_reopen(w);
}

static int walk_down(struct walk *w, const char *name, bool last, bool follow_last)
{
    struct stat st = {0};
    auto_close int fd = w->missing ? -1 : openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (!w->missing && fd < 0 && errno != ENOENT)
        return -errno;
    if (fd >= 0 && fstat(fd, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode) && (!last || follow_last))
        return walk_link(w, fd);
    strv_add(&w->real, name);
    w->missing = fd < 0 || stat_is_whiteout(&st);
    w->st = w->missing ? (struct stat){0} : st;
    if (w->missing)
        return 0;
    fd_close(w->dir);
    w->dir = take_fd(&fd);
    return 0;
}

/* Takes the next component off the rest; "" at the end. The caller frees. */
static char *walk_next(struct walk *w)
{
    const char *p = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(p, "/");
    char *name = xstrndup(p, len);
    p += len;
    memmove(w->rest, p, strlen(p) + 1);
    return name;
}

static int walk_all(struct walk *w, bool follow_last)
{
    int r = walk_reopen(w);
    while (r == 0) {
        auto_free char *name = walk_next(w);
        if (!*name)
            break;
        if (str_eq(name, "."))
            continue;
        bool last = w->rest[strspn(w->rest, "/")] == '\0';
        r = str_eq(name, "..") ? walk_up(w) : walk_down(w, name, last, follow_last);
    }
    return r;
}

int rootpath_resolve(int root, const char *path, bool follow_last, char **ret, struct stat *ret_st)
{
    struct walk w = {.root = root, .dir = -1, .rest = xstrdup(path)};
    int r = strlen(path) >= PATH_MAX ? -ENAMETOOLONG : walk_all(&w, follow_last);
    if (r == 0) {
        *ret = walk_path(&w);
        *ret_st = w.st;
    }
    fd_close(w.dir);
    strv_free(w.real);
    free(w.rest);
    return r;
}
