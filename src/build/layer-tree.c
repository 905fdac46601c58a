/* Directories of a layer that is being made. */
#include "layer-tree.h"

#include "copy-source.h"
#include "rootpath.h"

#include "whelk/err.h"
#include "whelk/layer.h"

#include <fcntl.h>

struct layer_tree_dir {
    char *path;
    struct timespec mtime;
};

int layer_tree_failed(const char *path, int r)
{
    auto_free char *shown = str_printable(path);
    return err_set(r, "cannot make /%s in the layer: %s", shown, strerror(-r));
}

int layer_tree_make_root(const struct store *s, int dir, const char *name, char *const *layers)
{
    struct stat st;
    int r = layer_root_stat(s, layers, &st);
    if (r < 0)
        return r;
    if (mkdirat(dir, name, 0700) < 0 || fchownat(dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(dir, name, st.st_mode & 07777, 0) < 0)
        return err_sys("cannot make the root directory of a layer");
    return 0;
}

int layer_tree_begin(struct layer_tree *t, const struct store *s, int dir, char *const *layers, int lower,
                     int64_t created)
{
    const int64_t second = INT64_C(1000000000);
    *t = (struct layer_tree){
        .diff = -1, .lower = lower, .single = idmap_single(&s->map), .fresh = {created / second, created % second}};
    int r = layer_tree_make_root(s, dir, "diff", layers);
    if (r == 0)
        r = t->diff = dir_open(dir, "diff");
    return MIN(r, 0);
}

static void remember(struct layer_tree *t, const char *path, const struct timespec *mtime)
{
    if ((t->n_dirs & (t->n_dirs + 1)) == 0)
        t->dirs = xrealloc(t->dirs, (2 * t->n_dirs + 2) * sizeof(*t->dirs));
    t->dirs[t->n_dirs++] = (struct layer_tree_dir){xstrdup(path), *mtime};
}

int layer_tree_own(const struct layer_tree *t, int fd, uid_t uid, gid_t gid)
{
    if (t->single)
        return kept_owner_set(fd, (struct kept_owner){uid, gid});
    return fchown(fd, uid, gid) < 0 ? -errno : 0;
}

/* As the directory path is below; not there: root's, 0755. */
static int dress(struct layer_tree *t, int fd, const char *path)
{
    struct stat st = {.st_mode = S_IFDIR | 0755, .st_mtim = t->fresh};
    auto_close int low = rootpath_open(t->lower, path, O_RDONLY | O_DIRECTORY);
    if (low < 0 && low != -ENOENT && low != -ENOTDIR)
        return low;
    struct kept_owner kept;
    if (low >= 0 && fstat(low, &st) < 0)
        return -errno;
    if (t->single && low >= 0 && kept_owner_get(low, &kept)) {
        st.st_uid = kept.uid;
        st.st_gid = kept.gid;
    }
    int r = layer_tree_own(t, fd, st.st_uid, st.st_gid);
    if (r == 0 && fchmod(fd, st.st_mode & 07777) < 0)
        r = -errno;
    if (r < 0)
        return r;
    remember(t, path, &st.st_mtim);
    return low >= 0 ? copy_xattrs(low, fd) : 0;
}

static int make_in(struct layer_tree *t, const char *up, const char *name, const char *path)
{
    auto_close int parent = rootpath_open(t->diff, up, O_RDONLY | O_DIRECTORY);
    if (parent < 0)
        return parent;
    bool made = mkdirat(parent, name, 0700) == 0;
    if (!made && errno != EEXIST)
        return -errno;
    auto_close int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return made ? dress(t, fd, path) : 0;
}

int layer_tree_dir(struct layer_tree *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!*path || (t->last && str_eq(t->last, path)))
        return 0;
    auto_free char *up = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    int r = layer_tree_dir(t, up);
    if (r < 0)
        return r;
    r = make_in(t, up, slash ? slash + 1 : path, path);
    if (r < 0)
        return layer_tree_failed(path, r);
    free(t->last);
    t->last = xstrdup(path);
    return 0;
}

int layer_tree_set(struct layer_tree *t, const char *path, const struct stat *st)
{
    auto_close int fd = rootpath_open(t->diff, path, O_RDONLY | O_DIRECTORY);
    int r = MIN(fd, 0);
    if (r == 0)
        r = layer_tree_own(t, fd, st->st_uid, st->st_gid);
    if (r == 0 && fchmod(fd, st->st_mode & 07777) < 0)
        r = -errno;
    if (r < 0)
        return layer_tree_failed(path, r);
    remember(t, path, &st->st_mtim);
    return 0;
}

/* In the order in which they were given, so that the last one counts. */
int layer_tree_end(struct layer_tree *t)
{
    for (size_t i = 0; i < t->n_dirs; i++) {
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, t->dirs[i].mtime};
        auto_close int fd = rootpath_open(t->diff, t->dirs[i].path, O_RDONLY | O_DIRECTORY);
        if (fd < 0 || futimens(fd, times) < 0)
            return layer_tree_failed(t->dirs[i].path, fd < 0 ? fd : -errno);
    }
    return 0;
}

void layer_tree_done(struct layer_tree *t)
{
    for (size_t i = 0; i < t->n_dirs; i++)
        free(t->dirs[i].path);
    free(t->dirs);
    free(t->last);
    fd_close(t->diff);
    *t = (struct layer_tree){.diff = -1, .lower = -1};
}
