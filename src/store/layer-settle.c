/* Directories that a layer's archive has files in but no entry for (STORE, layers 1). Below an overlay mount they would
 * show as 0755 0:0, whatever the layers below say of them: /tmp without its sticky bit. So where they differ, the layer
 * is used as a copy of its tree in which they have what lies below says. The copy is of directories only: files are
 * shared by hard link, since layers never change. Runs in: the caller's process; the copy is made in a worker in the
 * store's user namespace. */
#include "layer-private.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"

#include <fcntl.h>
#include <sys/xattr.h>

enum { XATTR_MAX = 64 * 1024 };

struct settle {
    struct stage *st;
    const struct layer *layer;
    char *const *below; /* keys, bottom first */
    char name[40];      /* the copy, below the stage */
};

static int errno_of(int result)
{
    return result < 0 ? -errno : 0;
}

static int settle_failed(const char *path, int r)
{
    auto_free char *shown = str_printable(*path ? path : "/");
    return r < 0 ? err_set(r, "cannot settle a layer, %s: %s", shown, strerror(-r)) : r;
}

/* ---- what lies below ---- */

enum { MISSING, HIDDEN, FOUND };

static bool is_opaque(int fd)
{
    char mark;
    return fgetxattr(fd, OPAQUE_XATTR, &mark, 1) == 1 && mark == 'y';
}

/* Looks for directory path in one tree. HIDDEN: nothing of the layers below this one can show there. *ret_fd is set for
 * FOUND; *opaque: it or a directory on the way hides what is below. */
static int look_in(int diff, const char *path, int *ret_fd, bool *opaque)
{
    auto_free char *copy = xstrdup(path);
    auto_close int fd = openat(diff, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *opaque = false;
    for (char *rest = copy, *name; fd >= 0 && (name = strsep(&rest, "/"));) {
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            return errno == ENOENT && !*opaque ? MISSING : HIDDEN;
        fd_close(fd);
        fd = next;
        *opaque |= is_opaque(fd);
    }
    if (fd < 0)
        return -errno;
    *ret_fd = take_fd(&fd);
    return FOUND;
}

static int diff_open(const struct store *s, const char *key)
{
    auto_free char *path = xasprintf("layers/%s/diff", key);
    return dir_open(s->fd, path);
}

/* The topmost directory path below the layer, as 1 and *ret_fd; 0 if there is none. */
static int look_below(const struct settle *t, const char *path, int *ret_fd)
{
    for (size_t i = strv_len(t->below); i-- > 0;) {
        bool opaque;
        auto_close int diff = diff_open(t->st->store, t->below[i]);
        int r = diff < 0 ? diff : look_in(diff, path, ret_fd, &opaque);
        if (r != MISSING)
            return r < 0 ? r : r == FOUND;
    }
    return 0;
}

static bool has_xattrs(int fd)
{
    char names[XATTR_MAX];
    ssize_t len = flistxattr(fd, names, sizeof(names));
    for (const char *n = names; n < names + MAX(len, (ssize_t)0); n += strlen(n) + 1)
        if (str_after(n, "user.") && !str_after(n, "user.overlay."))
            return true;
    return false;
}

/* 1: the directory must be settled, *ret_fd is the one that it takes after. */
static int implicit_look(const struct settle *t, int own, const char *path, int *ret_fd)
{
    struct stat st;
    bool opaque;
    auto_close int mine = -1, from = -1;
    int r = look_in(own, path, &mine, &opaque);
    if (r < 0 || r != FOUND || opaque)
        return MIN(r, 0);
    r = look_below(t, path, &from);
    if (r <= 0)
        return r;
    if (fstat(from, &st) < 0)
        return -errno;
    if ((st.st_mode & 07777) == 0755 && st.st_uid == 0 && st.st_gid == 0 && !has_xattrs(from))
        return 0;
    *ret_fd = take_fd(&from);
    return 1;
}

/* ---- the copy ---- */

static int xattr_copy(int from, int to, const char *name)
{
    char value[XATTR_MAX];
    ssize_t len = fgetxattr(from, name, value, sizeof(value));
    return len < 0 ? -errno : errno_of(fsetxattr(to, name, value, len, 0));
}

/* All that an entry would say; with also xattrs of overlayfs where the tree is the same layer's. */
static int metadata_copy(int from, int to, bool same_layer)
{
    char names[XATTR_MAX];
    struct stat st;
    int r = errno_of(fstat(from, &st));
    if (r == 0)
        r = errno_of(fchown(to, st.st_uid, st.st_gid));
    if (r == 0)
        r = errno_of(fchmod(to, st.st_mode & 07777));
    ssize_t len = flistxattr(from, names, sizeof(names));
    for (const char *n = names; r == 0 && n < names + MAX(len, (ssize_t)0); n += strlen(n) + 1)
        if (str_after(n, "user.") && (same_layer || !str_after(n, "user.overlay.")))
            r = xattr_copy(from, to, n);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
    return r < 0 ? r : errno_of(futimens(to, times));
}

static int tree_copy(int from, int to);

static int name_copy(int from, int to, const char *name)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return errno_of(linkat(from, name, to, name, 0));
    if (mkdirat(to, name, 0700) < 0)
        return -errno;
    auto_close int sub = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    auto_close int new = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return sub < 0 || new < 0 ? -errno : tree_copy(sub, new);
}

/* Three descriptors are open per level: a tree deeper than a few hundred directories is refused by their limit. */
static int tree_copy(int from, int to)
{
    auto_dir DIR *d = dir_iterate(from);
    int r = d ? 0 : -EIO;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            r = name_copy(from, to, e->d_name);
    return r < 0 ? r : metadata_copy(from, to, true);
}

/* The layer's directory as tmp/<stage>/<name>, recipe and record too. */
static int layer_copy(struct settle *t, int layer)
{
    if (mkdirat(t->st->fd, t->name, 0700) < 0)
        return err_sys("cannot make a directory for a layer");
    auto_close int to = dir_open(t->st->fd, t->name);
    return to < 0 ? to : settle_failed("", tree_copy(layer, to));
}

static int implicit_settle(struct settle *t, const char *path, int from)
{
    auto_free char *copy = xasprintf("%s/diff", t->name);
    auto_close int diff = dir_open(t->st->fd, copy);
    auto_close int to = diff < 0 ? diff : layer_open_beneath(diff, path, O_RDONLY | O_DIRECTORY);
    return settle_failed(path, to < 0 ? to : metadata_copy(from, to, false));
}

/* Runs in: a worker in the store's user namespace. 1: there is a copy. */
static int settle_run(void *arg)
{
    struct settle *t = arg;
    auto_free char *layer_path = xasprintf("layers/%s", t->layer->diffid);
    auto_close int layer = dir_open(t->st->store->fd, layer_path);
    auto_close int own = layer < 0 ? -1 : dir_open(layer, "diff");
    if (own < 0)
        return err_sys("cannot open layer %.12s", t->layer->diffid);
    bool copied = false;
    strv_foreach (escaped, t->layer->implicit) {
        auto_free char *path = layer_path_unescape(escaped);
        auto_close int from = -1;
        int r = implicit_look(t, own, path, &from);
        if (r < 0)
            return settle_failed(path, r);
        if (r == 0)
            continue;
        r = copied ? 0 : layer_copy(t, layer);
        copied = true;
        if (r == 0)
            r = implicit_settle(t, path, from);
        if (r < 0)
            return r;
    }
    return copied;
}

/* ---- the whole ---- */

/* <diffid>-<16 hex of the chain id of what is below>. */
char *layer_settled_key(char *const *below, const char *diffid)
{
    auto_strv char **diffids = NULL;
    char chain[65];
    strv_foreach (key, below)
        strv_add_take(&diffids, xstrndup(key, ID_LEN));
    layer_chain_id(diffids, chain);
    return xasprintf("%s-%.16s", diffid, chain);
}

static int settle_layer(struct settle *t, char **ret_key)
{
    char id[ID_LEN + 1];
    auto_free char *key = layer_settled_key(t->below, t->layer->diffid);
    if (layer_exists(t->st->store, key) && layer_trusted(t->st->store, key)) {
        *ret_key = take_ptr(&key);
        return 0;
    }
    id_new(id);
    snprintf(t->name, sizeof(t->name), "settled-%.16s", id);
    int r = store_run(t->st->store, settle_run, t);
    if (r > 0)
        r = stage_publish_layer(t->st, t->name, key);
    else if (r == 0)
        snprintf(key, strlen(key) + 1, "%s", t->layer->diffid);
    if (r == 0)
        *ret_key = take_ptr(&key);
    return r;
}

int layer_settle(struct stage *st, char *const *below, const char *diffid, char **ret_key)
{
    auto_with(layer_done) struct layer l = {0};
    int r = layer_load(st->store, diffid, &l);
    if (r < 0)
        return err_wrap(r, "layer %.12s", diffid);
    if (strv_len(l.implicit) > 0 && strv_len(below) > 0)
        return settle_layer(&(struct settle){.st = st, .layer = &l, .below = below}, ret_key);
    *ret_key = xstrdup(diffid);
    return 0;
}
