/* A tree to a tar archive. The order is that of layer-pack.c: '-' and '.' sort before '/', so a directory stands twice
 * among the names of its parent, as "a" and as "a/" for what is below. */
#include "whelk/tree-tar.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/kept-owner.h"

#include "layer-private.h"

#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum {
    DATA_SIZE = 256 * 1024,
    XATTRS_MAX = 64 * 1024,
    OPEN_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
};

/* A file with several names, by the first one. */
struct seen {
    dev_t dev;
    ino_t ino;
    char *path;
};

struct writer {
    const struct tree_tar_write *w;
    struct buf out; /* not yet written */
    void *seen;     /* tree of struct seen */
    char *data, *names;
    dev_t dev; /* of the directories that are entered */
};

static int failed(const char *what, const char *path)
{
    int e = errno;
    auto_free char *shown = str_printable(*path ? path : "/");
    errno = e;
    return err_sys("cannot %s %s", what, shown);
}

/* ---- out ---- */

static int flush(struct writer *x)
{
    int r = fd_write_all(x->w->out, x->out.data, x->out.len);
    x->out.len = 0;
    return r < 0 ? err_set(r, "cannot write the archive: %s", strerror(-r)) : 0;
}

static int emit(struct writer *x, const void *data, size_t len)
{
    buf_add(&x->out, data, len);
    return x->out.len < DATA_SIZE ? 0 : flush(x);
}

static int emit_head(struct writer *x, const struct tar_entry *e)
{
    tar_format(e, &x->out);
    return x->out.len < DATA_SIZE ? 0 : flush(x);
}

/* Exactly the size that the head says: a file that grows meanwhile is cut, one that shrinks ends in zeros. */
static int emit_payload(struct writer *x, int fd, const struct tar_entry *e)
{
    static const char zeros[TAR_BLOCK_SIZE];
    for (uint64_t left = e->size; left > 0;) {
        size_t want = MIN(left, (uint64_t)DATA_SIZE);
        ssize_t n = fd_read_full(fd, x->data, want);
        if (n < 0) {
            errno = (int)-n;
            return failed("read", e->path);
        }
        memset(x->data + n, 0, want - (size_t)n);
        int r = emit(x, x->data, want);
        if (r < 0)
            return r;
        left -= want;
    }
    return emit(x, zeros, tar_padding(e->size));
}

/* ---- entries ---- */

static int seen_compare(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return x->ino != y->ino ? (x->ino < y->ino ? -1 : 1) : (x->dev > y->dev) - (x->dev < y->dev);
}

/* The path that a file of several names was written with before, or NULL after noting this one. */
static const char *seen_before(struct writer *x, const struct stat *st, const char *path)
{
    struct seen key = {st->st_dev, st->st_ino, NULL};
    struct seen **found = tfind(&key, &x->seen, seen_compare);
    if (found)
        return (*found)->path;
    struct seen *new = xmalloc(sizeof *new);
    *new = (struct seen){st->st_dev, st->st_ino, xstrdup(path)};
    if (!tsearch(new, &x->seen, seen_compare))
        abort();
    return NULL;
}

static void seen_free(struct writer *x)
{
    while (x->seen) {
        struct seen *first = *(struct seen **)x->seen;
        tdelete(first, &x->seen, seen_compare);
        free(first->path);
        free(first);
    }
}

static void add_xattrs(struct writer *x, int fd, struct tar_entry *e)
{
    ssize_t n = flistxattr(fd, x->names, XATTRS_MAX);
    for (char *p = x->names; n > 0 && p < x->names + n; p += strlen(p) + 1) {
        bool wanted = str_after(p, "user.") || str_eq(p, "security.capability");
        ssize_t len = wanted ? fgetxattr(fd, p, x->data, XATTRS_MAX) : -1;
        struct kept_owner owner;
        if (len >= 0 && !str_after(p, "user.whelk."))
            tar_entry_add_xattr(e, p, x->data, (size_t)len);
        else if (len >= 0 && str_eq(p, KEPT_OWNER_XATTR) && kept_owner_parse(x->data, (size_t)len, &owner)) {
            e->uid = owner.uid;
            e->gid = owner.gid;
        }
    }
}

/* What vanished or was replaced this instant is left out. */
static bool vanished(int e)
{
    return e == ENOENT || e == ELOOP || e == ENOTDIR || e == ENXIO;
}

static int write_opened(struct writer *x, int dir, const char *name, struct tar_entry *e, const struct stat *st)
{
    auto_close int fd = openat(dir, name, OPEN_FLAGS);
    struct stat now;
    if (fd < 0)
        return vanished(errno) ? 0 : failed("open", e->path);
    if (fstat(fd, &now) < 0 || ((now.st_mode ^ st->st_mode) & S_IFMT))
        return 0;
    e->size = S_ISREG(now.st_mode) ? (uint64_t)now.st_size : 0;
    add_xattrs(x, fd, e);
    int r = emit_head(x, e);
    return r < 0 ? r : emit_payload(x, fd, e);
}

static int write_symlink(struct writer *x, int dir, const char *name, struct tar_entry *e, const struct stat *st)
{
    char link[PATH_MAX + 1];
    ssize_t n = readlinkat(dir, name, link, sizeof link - 1);
    if (n < 0)
        return 0;
    e->link = xstrndup(link, (size_t)n);
    return emit_head(x, e);
}

static int write_plain(struct writer *x, int dir, const char *name, struct tar_entry *e, const struct stat *st)
{
    e->major = major(st->st_rdev);
    e->minor = minor(st->st_rdev);
    return emit_head(x, e);
}

static const struct {
    mode_t mode;
    enum tar_type type;
    int (*write)(struct writer *x, int dir, const char *name, struct tar_entry *e, const struct stat *st);
} types[] = {
    {S_IFREG, TAR_FILE, write_opened}, {S_IFDIR, TAR_DIR, write_opened}, {S_IFLNK, TAR_SYMLINK, write_symlink},
    {S_IFIFO, TAR_FIFO, write_plain},  {S_IFCHR, TAR_CHAR, write_plain}, {S_IFBLK, TAR_BLOCK, write_plain},
};

static int write_name(struct writer *x, int dir, const char *name, const char *path, const struct stat *st)
{
    size_t kind = 0;
    while (kind < ARRAY_LEN(types) && types[kind].mode != (st->st_mode & S_IFMT))
        kind++;
    if (kind == ARRAY_LEN(types))
        return 0;
    auto_with(tar_entry_done) struct tar_entry e = {.path = xstrdup(path),
                                                    .type = types[kind].type,
                                                    .mode = st->st_mode & 07777,
                                                    .uid = x->w->root_owned ? 0 : st->st_uid,
                                                    .gid = x->w->root_owned ? 0 : st->st_gid,
                                                    .mtime = st->st_mtim.tv_sec * NS_PER_SECOND + st->st_mtim.tv_nsec};
    const char *first = st->st_nlink > 1 && !S_ISDIR(st->st_mode) ? seen_before(x, st, path) : NULL;
    if (!first)
        return types[kind].write(x, dir, name, &e, st);
    e.type = TAR_HARDLINK;
    e.link = xstrdup(first);
    return emit_head(x, &e);
}

/* ---- directories ---- */

/* The names in a directory, sorted, each directory a second time with a slash behind it. */
static int gather(struct writer *x, int fd, const char *path, char ***ret)
{
    auto_dir DIR *dir = dir_iterate(fd);
    struct stat st;
    if (!dir)
        return -EIO;
    for (struct dirent *e; (errno = 0, e = readdir(dir));) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        strv_add(ret, e->d_name);
        bool unknown =
            e->d_type == DT_UNKNOWN && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
        if (e->d_type == DT_DIR || unknown)
            strv_addf(ret, "%s/", e->d_name);
    }
    return errno ? failed("read", path) : 0;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int write_below(struct writer *x, int fd, const char *path);

static int write_item(struct writer *x, int fd, const char *path, char *name)
{
    size_t len = strlen(name);
    bool below = name[len - 1] == '/';
    if (below)
        name[len - 1] = '\0';
    auto_free char *full = xasprintf("%s%s%s", path, *path ? "/" : "", name);
    struct stat st;
    if (strlen(full) >= PATH_MAX)
        return err_set(-ENAMETOOLONG, "cannot write the archive: a path in it would be longer than %d bytes",
                       PATH_MAX - 1);
    if (!below && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : failed("look at", full);
    if (!below)
        return write_name(x, fd, name, full, &st);
    auto_close int dir = openat(fd, name, OPEN_FLAGS | O_DIRECTORY);
    if (dir < 0)
        return vanished(errno) ? 0 : failed("open", full);
    return fstat(dir, &st) < 0 || st.st_dev != x->dev ? 0 : write_below(x, dir, full);
}

static int write_below(struct writer *x, int fd, const char *path)
{
    auto_strv char **names = NULL;
    int r = gather(x, fd, path, &names);
    size_t n = strv_len(names);
    if (n)
        qsort(names, n, sizeof *names, name_compare);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = write_item(x, fd, path, names[i]);
    return r;
}

static int write_all(struct writer *x)
{
    static const char end[TAR_END_SIZE];
    const struct tree_tar_write *w = x->w;
    struct stat st;
    if (fstatat(w->dir, w->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("look at", w->name);
    int r = *w->as ? write_name(x, w->dir, w->name, w->as, &st) : 0;
    if (r == 0 && S_ISDIR(st.st_mode)) {
        auto_close int fd = openat(w->dir, w->name, OPEN_FLAGS | O_DIRECTORY);
        x->dev = st.st_dev;
        r = fd < 0 ? failed("open", w->name) : write_below(x, fd, w->as);
    }
    if (r == 0)
        r = emit(x, end, sizeof end);
    return r < 0 ? r : flush(x);
}

int tree_tar_write(const struct tree_tar_write *w)
{
    struct writer x = {.w = w, .data = xmalloc(DATA_SIZE), .names = xmalloc(XATTRS_MAX)};
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* one for each level */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int r = write_all(&x);
    seen_free(&x);
    buf_done(&x.out);
    free(x.names);
    free(x.data);
    return r;
}
