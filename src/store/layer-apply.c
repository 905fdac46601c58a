/* Unpacking: a tar stream becomes diff/ and the recipe (STORE, unpacking and the recipe).
 * Runs in: APPLY, a worker that is root in the store's user namespace, whose root directory is the layer's directory,
 * and which may do little but file calls (confine.h). Whoever owns it through a hostile archive owns one directory that
 * is not yet published. Reads: the plain tar stream from a pipe. Writes: diff/, lost/, recipe, facts.
 *
 * Theory of operation. Each entry is put in place when it comes, with its owner, mode, xattrs and time; only the times
 * of directories wait for the end, in an unnamed file, since each new name changes them. A name that is there already
 * gives way: a file that the recipe may refer to goes to lost/, anything else away. No path of an entry is resolved by
 * string: the directory part is opened beneath diff/ and through no symbolic link, and kept open for the entries that
 * follow. */
#include "layer-private.h"
#include "recipe.h"
#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/kept-owner.h"
#include "whelk/tar.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <search.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

enum {
    DATA_SIZE = 256 * 1024,
    HOLE_SIZE = 4096,             /* zeros of this length and alignment in a sparse file are left out */
    IMPLICIT_BYTES_MAX = 3 << 20, /* layer.json must stay readable */
};

struct apply {
    const struct apply_job *job;
    struct recipe_writer *recipe;
    struct tar_reader *tar;
    int diff;
    int lost; /* opened at first use */
    char *data;

    /* The directory of the current entry, kept for the next one. */
    char *parent;
    int parent_fd;
    bool parent_setgid; /* gives its group to what is made in it */

    /* The current entry. */
    const struct tar_entry *e;
    char *path, *name; /* normal form and its last component */

    void *implicit; /* tree of names of directories that had no entry yet */
    size_t n_implicit, implicit_bytes;
    FILE *times; /* struct dir_time and path of each directory with an entry */
    uint64_t bytes;
    bool has_root, squashed;
};

struct dir_time {
    int64_t mtime;
    size_t path_len;
};

/* ---- texts ---- */

static int bad_entry(const struct apply *a, int r, const char *what)
{
    auto_free char *path = str_printable(a->e->path);
    return err_set(r, "archive entry %s: %s", path, what);
}

/* For -errno of a call on the entry's name. */
static int entry_failed(const struct apply *a, int r)
{
    return r < 0 ? bad_entry(a, r, strerror(-r)) : r;
}

static int errno_of(int result)
{
    return result < 0 ? -errno : 0;
}

/* ---- names ---- */

bool layer_path_normal(const char *path, char *ret)
{
    char *to = ret;
    for (const char *p = path; *p;) {
        size_t len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.')
            return false;
        if (len > 0 && !(len == 1 && p[0] == '.')) {
            if (to > ret)
                *to++ = '/';
            memcpy(to, p, len);
            to += len;
        }
        p += len + (p[len] == '/');
    }
    *to = '\0';
    return true;
}

int layer_open_beneath(int diff_fd, const char *path, int flags)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = syscall(__NR_openat2, diff_fd, *path ? path : ".", &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

char *layer_path_escape(const char *path)
{
    struct buf b = {0};
    for (; *path; path++) {
        unsigned char c = *path;
        if (c == '%' || c < ' ' || c >= 0x7f)
            buf_addf(&b, "%%%02X", c);
        else
            buf_addc(&b, c);
    }
    return buf_take(&b);
}

char *layer_path_unescape(const char *escaped)
{
    struct buf b = {0};
    for (const char *p = escaped; *p; p++) {
        unsigned c;
        if (*p == '%' && p[1] && p[2] && sscanf(p + 1, "%2x", &c) == 1 && c) {
            buf_addc(&b, c);
            p += 2;
        } else {
            buf_addc(&b, *p);
        }
    }
    return buf_take(&b);
}

/* ---- implicit directories ---- */

static int path_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int implicit_add(struct apply *a, const char *path)
{
    auto_free char *copy = layer_path_escape(path);
    a->implicit_bytes += strlen(copy);
    a->n_implicit++;
    if (a->implicit_bytes > IMPLICIT_BYTES_MAX || a->n_implicit > a->job->limits.max_entries)
        return bad_entry(a, -E2BIG, "too many directories of the archive have no entry of their own");
    if (!tsearch(copy, &a->implicit, path_compare))
        abort();
    copy = NULL;
    return 0;
}

/* The directory has got an entry, or is gone. */
static void implicit_drop(struct apply *a, const char *path)
{
    if (!a->implicit)
        return;
    auto_free char *key = layer_path_escape(path);
    char **found = tfind(key, &a->implicit, path_compare);
    if (!found)
        return;
    auto_free char *old = *found;
    a->implicit_bytes -= strlen(old);
    a->n_implicit--;
    tdelete(key, &a->implicit, path_compare);
}

static int vector_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes the tree apart. */
static char **implicit_take(struct apply *a)
{
    char **v = xcalloc(a->n_implicit + 1, sizeof(*v));
    size_t n = 0;
    while (a->implicit) {
        v[n] = *(char **)a->implicit;
        tdelete(v[n++], &a->implicit, path_compare);
    }
    qsort(v, n, sizeof(*v), vector_compare);
    return v;
}

/* ---- directories' times ---- */

static int times_add(struct apply *a, const char *path, int64_t mtime)
{
    struct dir_time t = {mtime, strlen(path)};
    if (fwrite(&t, sizeof(t), 1, a->times) != 1 || (t.path_len && fwrite(path, t.path_len, 1, a->times) != 1))
        return err_sys("cannot note the time of a directory");
    return 0;
}

/* A directory that gave way to something else since is passed over. */
static int times_set_one(const struct apply *a, const char *path, int64_t mtime)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, layer_timespec(mtime)};
    auto_close int fd = layer_open_beneath(a->diff, path, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0;
    if (fd < 0 || futimens(fd, times) < 0)
        return err_sys("cannot set the time of directory %s", *path ? path : "/");
    return 0;
}

static int times_set(struct apply *a)
{
    struct dir_time t;
    char path[PATH_MAX + 1];
    rewind(a->times);
    while (fread(&t, sizeof(t), 1, a->times) == 1) {
        if (t.path_len > PATH_MAX || (t.path_len && fread(path, t.path_len, 1, a->times) != 1))
            return err_set(-EIO, "cannot read the times of directories");
        path[t.path_len] = '\0';
        int r = times_set_one(a, path, t.mtime);
        if (r < 0)
            return r;
    }
    return ferror(a->times) ? err_set(-EIO, "cannot read the times of directories") : 0;
}

/* ---- parents ---- */

/* By descriptor of the directory: whiteouts below this one are not looked at any more by overlayfs. */
static int opaque_set(int parent_fd, const char *name)
{
    auto_close int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : errno_of(fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0));
}

/* Makes a directory without an entry: 0755 0:0 whatever its parent would give it. */
static int implicit_make(struct apply *a, int parent_fd, const char *name, const char *path)
{
    int r = errno_of(mkdirat(parent_fd, name, 0755));
    if (r == 0 && !idmap_single(a->job->map))
        r = errno_of(fchownat(parent_fd, name, 0, 0, AT_SYMLINK_NOFOLLOW));
    if (r == 0)
        r = errno_of(fchmodat(parent_fd, name, 0755, 0));
    if (r == 0)
        r = times_add(a, path, 0);
    return r < 0 ? entry_failed(a, r) : implicit_add(a, path);
}

/* A component of the parent path is there and is no directory. A whiteout was about the layers below only: it becomes a
 * directory that hides them. */
static int parent_blocked(struct apply *a, int fd, const char *name, const char *path)
{
    struct stat st;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return entry_failed(a, -errno);
    if (S_ISCHR(st.st_mode)) {
        int r = errno_of(unlinkat(fd, name, 0));
        if (r < 0)
            return entry_failed(a, r);
        r = implicit_make(a, fd, name, path);
        return r < 0 ? r : entry_failed(a, opaque_set(fd, name));
    }
    auto_free char *shown = str_printable(path);
    auto_free char *what = S_ISLNK(st.st_mode) ? xasprintf("goes through %s, a symbolic link of the same layer", shown)
                                               : xasprintf("lies below %s, which is not a directory", shown);
    return bad_entry(a, -EBADMSG, what);
}

/* Opens the directory name in *fd, making it if need be, and puts it in the place of *fd. */
static int parent_descend(struct apply *a, int *fd, const char *name, const char *path)
{
    enum { FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int next = openat(*fd, name, FLAGS);
    if (next < 0) {
        int r = errno == ENOENT ? implicit_make(a, *fd, name, path) : parent_blocked(a, *fd, name, path);
        if (r < 0)
            return r;
        next = openat(*fd, name, FLAGS);
    }
    if (next < 0)
        return entry_failed(a, -errno);
    fd_close(*fd);
    *fd = next;
    return 0;
}

/* The slow way, component by component: makes what is missing and says what is in the way. */
static int parent_walk(struct apply *a, char *parent, int *ret_fd)
{
    auto_close int fd = layer_open_beneath(a->diff, "", O_PATH | O_DIRECTORY);
    int r = fd < 0 ? entry_failed(a, fd) : 0;
    for (char *p = parent, *slash; r == 0 && p; p = slash ? slash + 1 : NULL) {
        slash = strchr(p, '/');
        if (slash)
            *slash = '\0';
        r = parent_descend(a, &fd, p, parent);
        if (slash)
            *slash = '/';
    }
    if (r == 0)
        *ret_fd = take_fd(&fd);
    return r;
}

/* Makes the directory of a->path the current one. */
static int parent_enter(struct apply *a)
{
    char *slash = strrchr(a->path, '/');
    size_t len = slash ? (size_t)(slash - a->path) : 0;
    if (a->parent_fd >= 0 && strlen(a->parent) == len && memcmp(a->parent, a->path, len) == 0)
        return 0;
    auto_free char *parent = xstrndup(a->path, len);
    auto_close int fd = layer_open_beneath(a->diff, parent, O_PATH | O_DIRECTORY);
    struct stat st;
    int r = fd >= 0 ? 0 : parent_walk(a, parent, &fd);
    if (r == 0 && fstat(fd, &st) < 0)
        r = entry_failed(a, -errno);
    if (r < 0)
        return r;
    fd_close(a->parent_fd);
    free(a->parent);
    a->parent_fd = take_fd(&fd);
    a->parent = take_ptr(&parent);
    a->parent_setgid = st.st_mode & S_ISGID;
    return 0;
}

/* ---- giving way ---- */

/* What stood at the entry's name. */
enum { WAS_NOTHING, WAS_DIR, WAS_WHITEOUT };

static int move_to_lost(struct apply *a)
{
    uint64_t n;
    char to[24];
    if (a->lost < 0)
        a->lost = layer_open_beneath(a->job->dir, "lost", O_PATH | O_DIRECTORY);
    if (a->lost < 0)
        return entry_failed(a, a->lost);
    int r = recipe_add_moved(a->recipe, a->path, &n);
    if (r < 0)
        return r;
    snprintf(to, sizeof(to), "%llu", (unsigned long long)n);
    return entry_failed(a, errno_of(renameat(a->parent_fd, a->name, a->lost, to)));
}

static int dir_gives_way(struct apply *a)
{
    int r = errno_of(unlinkat(a->parent_fd, a->name, AT_REMOVEDIR));
    if (r == -ENOTEMPTY || r == -EEXIST)
        return bad_entry(a, -EBADMSG, "would replace a directory of the same layer that is not empty");
    implicit_drop(a, a->path);
    return entry_failed(a, r);
}

/* Clears the entry's name. WAS_DIR: a directory is there, stays, and may. */
static int give_way(struct apply *a, bool dir_may_stay)
{
    struct stat st;
    if (fstatat(a->parent_fd, a->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return entry_failed(a, -errno);
    if (S_ISDIR(st.st_mode))
        return dir_may_stay ? WAS_DIR : dir_gives_way(a);
    if (S_ISREG(st.st_mode) && st.st_size > 0)
        return move_to_lost(a);
    int r = errno_of(unlinkat(a->parent_fd, a->name, 0));
    return r < 0 ? entry_failed(a, r) : S_ISCHR(st.st_mode) ? WAS_WHITEOUT : WAS_NOTHING;
}

/* Makes the entry's name by make, which returns -errno, after what is there already has given way. */
static int make_name(struct apply *a, int (*make)(struct apply *a))
{
    int r = make(a);
    if (r == -EEXIST) {
        r = give_way(a, false);
        if (r < 0)
            return r;
        r = make(a);
    }
    return entry_failed(a, r);
}

/* ---- metadata ---- */

static bool has_owner(const struct apply *a)
{
    return !idmap_single(a->job->map) && (a->e->uid || a->e->gid || a->parent_setgid);
}

static uint64_t ids_mapped(const struct id_range *ranges, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += ranges[i].count;
    return sum;
}

static int id_missing(const struct apply *a, const char *kind, uint32_t id, uint64_t have)
{
    auto_free char *what =
        xasprintf("belongs to %s %u, but this user may use %llu %ss only: %llu are needed (sudo usermod --add-sub%ss "
                  "FIRST-LAST USER adds a range)",
                  kind, id, (unsigned long long)have, kind, (unsigned long long)id + 1, kind);
    return bad_entry(a, -EPERM, what);
}

static int owner_check(struct apply *a)
{
    const struct idmap *m = a->job->map;
    if (idmap_single(m)) {
        a->squashed |= a->e->uid || a->e->gid;
        return 0;
    }
    if (a->e->uid == UINT32_MAX || a->e->gid == UINT32_MAX)
        return bad_entry(a, -EBADMSG, "has no valid owner");
    if (!idmap_has_uid(m, a->e->uid))
        return id_missing(a, "uid", a->e->uid, ids_mapped(m->uid, m->n_uid));
    if (!idmap_has_gid(m, a->e->gid))
        return id_missing(a, "gid", a->e->gid, ids_mapped(m->gid, m->n_gid));
    return 0;
}

/* trusted.* and overlayfs' own ones could hide or redirect what lies below: they are in the recipe only. A layer
 * without owners has no use for file capabilities. user.whelk.* says what whelk says (kept-owner.h). */
static bool xattr_wanted(const struct apply *a, const char *name)
{
    if (str_after(name, "user.whelk."))
        return false;
    if (str_eq(name, "security.capability"))
        return !idmap_single(a->job->map);
    return str_after(name, "user.") && !str_after(name, "user.overlay.");
}

static int xattrs_set(const struct apply *a, int fd)
{
    for (size_t i = 0; i < a->e->n_xattrs; i++) {
        const struct tar_xattr *x = &a->e->xattrs[i];
        if (!xattr_wanted(a, x->name))
            continue;
        int r = errno_of(fsetxattr(fd, x->name, x->value, x->len, 0));
        if (r < 0 && r != -ENOTSUP) {
            auto_free char *name = str_printable(x->name);
            auto_free char *what = xasprintf("extended attribute %s: %s", name, strerror(-r));
            return bad_entry(a, r, what);
        }
    }
    return 0;
}

/* What the disk cannot hold is kept beside it. */
static int owner_keep(const struct apply *a, int fd)
{
    if (!idmap_single(a->job->map))
        return 0;
    return entry_failed(a, kept_owner_set(fd, (struct kept_owner){a->e->uid, a->e->gid}));
}

/* Owner and time of what cannot be opened. */
static int name_metadata(struct apply *a)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, layer_timespec(a->e->mtime)};
    int r = has_owner(a) ? errno_of(fchownat(a->parent_fd, a->name, a->e->uid, a->e->gid, AT_SYMLINK_NOFOLLOW)) : 0;
    if (r == 0)
        r = errno_of(utimensat(a->parent_fd, a->name, times, AT_SYMLINK_NOFOLLOW));
    return entry_failed(a, r);
}

/* Owner first: it takes setuid bits and capabilities away. Time last. */
static int file_metadata(struct apply *a, int fd)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, layer_timespec(a->e->mtime)};
    int r = has_owner(a) ? errno_of(fchown(fd, a->e->uid, a->e->gid)) : 0;
    if (r == 0 && a->e->mode & 07000)
        r = errno_of(fchmod(fd, a->e->mode));
    if (r < 0)
        return entry_failed(a, r);
    r = xattrs_set(a, fd);
    if (r == 0 && (a->e->uid || a->e->gid))
        r = owner_keep(a, fd);
    return r < 0 ? r : entry_failed(a, errno_of(futimens(fd, times)));
}

/* ---- payload ---- */

/* Payload that stays out of the tree goes into the recipe. */
static int payload_to_recipe(struct apply *a)
{
    ssize_t n;
    if (a->e->type != TAR_FILE || a->e->sparse)
        return 0; /* the reader has passed it to the recipe, or will */
    while ((n = tar_data(a->tar, a->data, DATA_SIZE)) > 0) {
        int r = recipe_add_bytes(a->recipe, a->data, n);
        if (r < 0)
            return r;
    }
    return n;
}

static int plain_write(struct apply *a, int fd)
{
    ssize_t n;
    int r = a->e->size ? recipe_add_file(a->recipe, a->path, a->e->size) : 0;
    if (r < 0)
        return r;
    while ((n = tar_data(a->tar, a->data, DATA_SIZE)) > 0) {
        r = fd_write_all(fd, a->data, n);
        if (r < 0)
            return entry_failed(a, r);
    }
    return n;
}

static bool is_zero(const char *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

static int sparse_write(struct apply *a, int fd)
{
    uint64_t at = 0;
    while (at < a->e->size) {
        size_t want = MIN(a->e->size - at, (uint64_t)HOLE_SIZE), got = 0;
        ssize_t n = 1;
        for (; got < want && n > 0; got += MAX(n, 0))
            n = tar_data(a->tar, a->data + got, want - got);
        if (n < 0)
            return n;
        if (got < want)
            return bad_entry(a, -EBADMSG, "is shorter than its header says");
        if (!is_zero(a->data, got) && pwrite(fd, a->data, got, at) != (ssize_t)got)
            return entry_failed(a, errno ? -errno : -EIO);
        at += got;
    }
    return entry_failed(a, errno_of(ftruncate(fd, a->e->size)));
}

/* ---- one function for each type of entry ---- */

/* The descriptor of the new file is handed over in a variable of make_file's caller: make functions have the entry
 * only. */
static int file_open(struct apply *a)
{
    int fd = openat(a->parent_fd, a->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, a->e->mode & 0777);
    return fd < 0 ? -errno : fd;
}

static int make_file(struct apply *a)
{
    a->bytes += a->e->size;
    if (a->bytes > a->job->limits.max_bytes || a->e->size > INT64_MAX)
        return bad_entry(a, -EFBIG, "the archive's files are larger than the limit");
    auto_close int fd = make_name(a, file_open);
    if (fd < 0)
        return fd;
    int r = a->e->sparse ? sparse_write(a, fd) : plain_write(a, fd);
    return r < 0 ? r : file_metadata(a, fd);
}

static int symlink_make(struct apply *a)
{
    return errno_of(symlinkat(a->e->link, a->parent_fd, a->name));
}

static int make_symlink(struct apply *a)
{
    int r = make_name(a, symlink_make);
    return r < 0 ? r : name_metadata(a);
}

static int fifo_make(struct apply *a)
{
    int r = errno_of(mkfifoat(a->parent_fd, a->name, 0600));
    return r < 0 ? r : errno_of(fchmodat(a->parent_fd, a->name, a->e->mode, 0));
}

static int make_fifo(struct apply *a)
{
    int r = make_name(a, fifo_make);
    return r < 0 ? r : name_metadata(a);
}

/* Devices are in the recipe only. An empty file that nobody may open keeps what lies below from shining through. */
static int placeholder_make(struct apply *a)
{
    auto_close int fd = openat(a->parent_fd, a->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
    return fd < 0 ? -errno : 0;
}

static int make_device(struct apply *a)
{
    int r = make_name(a, placeholder_make);
    return r < 0 ? r : name_metadata(a);
}

static int link_bad(const struct apply *a)
{
    auto_free char *link = str_printable(a->e->link);
    auto_free char *what = xasprintf("is a hard link to %s, which is not a file of this layer", link);
    return bad_entry(a, -EBADMSG, what);
}

/* A second name for a file of this layer. The target is looked up as an entry's name would be. */
static int link_make(struct apply *a)
{
    auto_free char *target = xmalloc(strlen(a->e->link) + 1);
    struct stat st;
    if (!layer_path_normal(a->e->link, target) || !*target)
        return -EXDEV;
    char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (slash)
        *slash = '\0';
    auto_close int fd = layer_open_beneath(a->diff, slash ? target : "", O_PATH | O_DIRECTORY);
    if (fd < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode) || S_ISCHR(st.st_mode))
        return -EXDEV;
    return errno_of(linkat(fd, name, a->parent_fd, a->name, 0));
}

static bool links_to_itself(const struct apply *a)
{
    auto_free char *target = xmalloc(strlen(a->e->link) + 1);
    return layer_path_normal(a->e->link, target) && str_eq(target, a->path);
}

/* A link to itself says nothing new, if there is such a file. */
static int make_hardlink(struct apply *a)
{
    int r = link_make(a);
    if (r == -EXDEV)
        return link_bad(a);
    if (r == -EEXIST && links_to_itself(a))
        return 0;
    return r == -EEXIST ? make_name(a, link_make) : entry_failed(a, r);
}

static int dir_make_name(struct apply *a)
{
    return errno_of(mkdirat(a->parent_fd, a->name, a->e->mode & 0777));
}

static int dir_metadata(struct apply *a, bool hides)
{
    bool single = idmap_single(a->job->map);
    auto_close int fd = openat(a->parent_fd, a->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : single ? 0 : errno_of(fchown(fd, a->e->uid, a->e->gid));
    if (r == 0)
        r = errno_of(fchmod(fd, a->e->mode));
    if (r == 0 && hides)
        r = errno_of(fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0));
    if (r < 0)
        return entry_failed(a, r);
    r = xattrs_set(a, fd);
    if (r == 0)
        r = owner_keep(a, fd); /* also where an earlier entry had another owner */
    return r < 0 ? r : times_add(a, a->path, a->e->mtime);
}

static int make_dir(struct apply *a)
{
    int was = WAS_NOTHING, r = dir_make_name(a);
    if (r == -EEXIST) {
        was = give_way(a, true);
        if (was < 0)
            return was;
        r = was == WAS_DIR ? 0 : dir_make_name(a);
    }
    if (r < 0)
        return entry_failed(a, r);
    if (was == WAS_DIR)
        implicit_drop(a, a->path);
    return dir_metadata(a, was == WAS_WHITEOUT);
}

static int (*const makers[])(struct apply *a) = {
    [TAR_FILE] = make_file,    [TAR_HARDLINK] = make_hardlink, [TAR_SYMLINK] = make_symlink, [TAR_CHAR] = make_device,
    [TAR_BLOCK] = make_device, [TAR_DIR] = make_dir,           [TAR_FIFO] = make_fifo,
};

/* ---- entries ---- */

static int apply_root(struct apply *a)
{
    if (a->e->type != TAR_DIR)
        return bad_entry(a, -EBADMSG, "the root directory is not a directory");
    a->has_root = true;
    a->parent_setgid = false;
    fd_close(a->parent_fd);
    a->parent_fd = openat(a->job->dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (a->parent_fd < 0)
        return entry_failed(a, -errno);
    a->name = (char *)"diff";
    int r = dir_metadata(a, false);
    fd_close(take_fd(&a->parent_fd));
    return r;
}

/* A whiteout is about the layers below: what this layer has at the name wins, but a directory then hides what was below
 * it. */
static int whiteout_make(struct apply *a, const char *name)
{
    struct stat st;
    if (!*name || str_eq(name, ".") || str_eq(name, ".."))
        return bad_entry(a, -EBADMSG, "is a whiteout of nothing");
    int r = errno_of(mknodat(a->parent_fd, name, S_IFCHR, 0));
    if (r != -EEXIST)
        return entry_failed(a, r);
    if (fstatat(a->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return entry_failed(a, -errno);
    return S_ISDIR(st.st_mode) ? entry_failed(a, opaque_set(a->parent_fd, name)) : 0;
}

static int apply_whiteout(struct apply *a)
{
    int r = payload_to_recipe(a);
    if (r < 0)
        return r;
    if (str_eq(a->name, WHITEOUT_OPAQUE))
        return entry_failed(a, opaque_set(a->parent_fd, "."));
    if (str_after(a->name, WHITEOUT_META))
        return 0;
    return whiteout_make(a, a->name + strlen(WHITEOUT_PREFIX));
}

/* What old tools kept beside their trees (.wh..wh.plnk/...), and what no tool makes. */
static int dirs_check(const struct apply *a, bool *ret_ignore)
{
    for (const char *p = a->path, *slash; (slash = strchr(p, '/')); p = slash + 1) {
        *ret_ignore |= str_after(p, WHITEOUT_META) != NULL;
        if (!*ret_ignore && str_after(p, WHITEOUT_PREFIX))
            return bad_entry(a, -EBADMSG, "lies below a whiteout");
    }
    return 0;
}

static int entry_path(struct apply *a)
{
    free(take_ptr(&a->path));
    a->path = xmalloc(strlen(a->e->path) + 1);
    if (!layer_path_normal(a->e->path, a->path))
        return bad_entry(a, -EBADMSG, "has '..' in its path");
    char *slash = strrchr(a->path, '/');
    a->name = slash ? slash + 1 : a->path;
    return 0;
}

static int apply_entry(struct apply *a)
{
    bool ignore = false;
    int r = entry_path(a);
    if (r == 0)
        r = owner_check(a);
    if (r == 0)
        r = dirs_check(a, &ignore);
    if (r < 0)
        return r;
    if (!*a->path)
        return apply_root(a);
    bool whiteout = str_after(a->name, WHITEOUT_PREFIX);
    if (ignore || (whiteout && str_after(a->name, WHITEOUT_META) && !str_eq(a->name, WHITEOUT_OPAQUE)))
        return payload_to_recipe(a);
    r = parent_enter(a);
    if (r < 0)
        return r;
    return whiteout ? apply_whiteout(a) : makers[a->e->type](a);
}

/* ---- the whole ---- */

static int raw_to_recipe(void *arg, const void *data, size_t len)
{
    return recipe_add_bytes(arg, data, len);
}

/* A file that vanishes with its descriptor. */
static int times_open(struct apply *a)
{
    auto_close int fd = openat(a->job->dir, "times", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || unlinkat(a->job->dir, "times", 0) < 0 || !(a->times = fdopen(fd, "w+")))
        return err_sys("cannot make a file for the times of directories");
    take_fd(&fd);
    return 0;
}

static int facts_write(struct apply *a)
{
    auto_dir DIR *d = dir_iterate(a->diff);
    struct layer facts = {
        .size = a->bytes,
        .owners = a->squashed ? (char *)OWNERS_SQUASHED : (char *)OWNERS_EXACT,
        .has_root = a->has_root,
        .empty = true,
    };
    for (struct dirent *entry; d && (entry = readdir(d));)
        facts.empty &= str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..");
    auto_strv char **implicit = implicit_take(a);
    facts.implicit = implicit;
    auto_json json_t *j = rec_to_json(&layer_rec, &facts);
    auto_free char *text = json_text(j, false);
    int r = fd_write_all(a->job->facts, text, strlen(text));
    return r < 0 ? err_set(r, "cannot hand over the facts of a layer: %s", strerror(-r)) : 0;
}

static int apply_run(struct apply *a)
{
    int n, r = 0;
    while (r == 0 && (n = tar_next(a->tar, &a->e)) != 0)
        r = n < 0 ? n : apply_entry(a);
    if (r == 0)
        r = times_set(a);
    if (r == 0)
        r = recipe_finish(a->recipe);
    return r < 0 ? r : facts_write(a);
}

static void apply_done(struct apply *a)
{
    strv_free(implicit_take(a));
    tar_reader_free(a->tar);
    recipe_writer_free(a->recipe);
    if (a->times)
        fclose(a->times);
    fd_close(a->diff);
    fd_close(a->lost);
    fd_close(a->parent_fd);
    free(a->parent);
    free(a->path);
    free(a->data);
}

int layer_apply(struct apply_job *job)
{
    auto_with(apply_done) struct apply a = {.job = job, .diff = -1, .lost = -1, .parent_fd = -1};
    struct tar_limits limits = {.max_entries = job->limits.max_entries};
    umask(0);
    int r = confine_to_dir(job->dir);
    if (r < 0)
        return r;
    a.diff = layer_open_beneath(job->dir, "diff", O_RDONLY | O_DIRECTORY);
    if (a.diff < 0)
        return err_set(a.diff, "cannot open the new layer's directory: %s", strerror(-a.diff));
    a.data = xmalloc(DATA_SIZE);
    a.recipe = recipe_writer_new(job->recipe);
    a.tar = tar_reader_new(job->in, &limits, raw_to_recipe, a.recipe);
    r = times_open(&a);
    return r < 0 ? r : apply_run(&a);
}
