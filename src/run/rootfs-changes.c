/* diff: the upper directory of a container beside its layers, or the topmost layer of an image beside the others.
 * Runs in: a worker that is root in the store's user namespace. The container may be running: what changes meanwhile is
 * told or not. */
#include "rootfs-parts.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"

#include <fcntl.h>
#include <sys/xattr.h>

/* ---- what whelk makes itself ---- */

static void add_missing(char ***stubs, int lower, const char *path)
{
    auto_strv char **parts = strv_split(path, "/");
    auto_buf struct buf so_far = {0};
    strv_foreach (part, parts) {
        buf_addf(&so_far, "%s%s", so_far.len ? "/" : "", part);
        auto_close int fd = open_in_root(lower, so_far.data, O_PATH | O_NOFOLLOW, 0);
        if (fd == -ENOENT && !strv_has(*stubs, so_far.data))
            strv_add(stubs, so_far.data);
    }
}

char **rootfs_stubs(const struct ctr *c, int lower)
{
    static const char *const own[] = {"proc",         "dev",        "sys",       "etc/resolv.conf", "etc/hosts",
                                      "etc/hostname", "etc/passwd", "etc/group", CTR_MARK};
    const struct ctr_mount *m = c->mounts.items;
    char **stubs = NULL;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        add_missing(&stubs, lower, own[i]);
    for (size_t i = 0; i < c->mounts.n; i++)
        add_missing(&stubs, lower, m[i].target);
    return stubs;
}

/* ---- the comparison ---- */

struct changes {
    const struct store *s;
    const struct ctr *c; /* its layers are what lies below */
    const char *upper;   /* relative to the store */
    bool with_stubs;     /* whelk may have made mount points in upper */
    char **stubs;
    char **found; /* "A/path" */
    void (*line)(void *ctx, char kind, const char *path);
    void *ctx;
};

struct level {
    int upper, lower; /* lower -1: there is none */
    const char *path; /* without a leading slash */
    unsigned told;    /* changes in it */
    bool held_stubs;
};

static int failed(const char *path)
{
    int e = errno;
    auto_free char *shown = str_printable(path);
    errno = e;
    return err_sys("cannot look at /%s", shown);
}

static void found(struct changes *x, struct level *l, char kind, const char *path)
{
    strv_addf(&x->found, "%c/%s", kind, path);
    l->told++;
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_opaque(int fd)
{
    char value[2];
    return fgetxattr(fd, "user.overlay.opaque", value, sizeof value) == 1 && *value == 'y';
}

static int open_level(int dir, const char *name)
{
    return dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Whatever is below and not in an opaque directory is gone. */
static int look_opaque(struct changes *x, struct level *l)
{
    auto_dir DIR *dir = l->lower >= 0 && is_opaque(l->upper) ? dir_iterate(l->lower) : NULL;
    struct stat st;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        auto_free char *path = xasprintf("%s%s%s", l->path, *l->path ? "/" : "", e->d_name);
        bool dots = str_eq(e->d_name, ".") || str_eq(e->d_name, "..");
        if (!dots && fstatat(l->upper, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            found(x, l, 'D', path);
    }
    return 0;
}

static int look_below(struct changes *x, struct level *l);

/* A directory is changed if anything in it is, or something about itself; that whelk made a mount point in it does not
 * count. */
static int look_dir(struct changes *x, struct level *up, const char *name, const char *path, const struct stat *st,
                    const struct stat *low)
{
    auto_close int upper = open_level(up->upper, name), lower = low ? open_level(up->lower, name) : -1;
    struct level l = {.upper = upper, .lower = lower, .path = path};
    if (upper < 0)
        return errno == ENOENT ? 0 : failed(path);
    int r = look_below(x, &l);
    if (r < 0)
        return r;
    bool stub = !low && !l.told && strv_has(x->stubs, path);
    bool same = low && !l.told && low->st_mode == st->st_mode && low->st_uid == st->st_uid &&
                low->st_gid == st->st_gid && (l.held_stubs || low->st_mtim.tv_sec == st->st_mtim.tv_sec);
    up->held_stubs |= stub;
    if (!stub && !same)
        found(x, up, low ? 'C' : 'A', path);
    return 0;
}

static int look_name(struct changes *x, struct level *l, const char *name)
{
    auto_free char *path = xasprintf("%s%s%s", l->path, *l->path ? "/" : "", name);
    struct stat st, low;
    if (fstatat(l->upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : failed(path);
    bool below = l->lower >= 0 && fstatat(l->lower, name, &low, AT_SYMLINK_NOFOLLOW) == 0;
    if (S_ISDIR(st.st_mode))
        return look_dir(x, l, name, path, &st, below ? &low : NULL);
    bool stub = !below && S_ISREG(st.st_mode) && st.st_size == 0 && strv_has(x->stubs, path);
    l->held_stubs |= stub;
    if (is_whiteout(&st) ? below : !stub)
        found(x, l, is_whiteout(&st) ? 'D' : below ? 'C' : 'A', path);
    return 0;
}

static int look_below(struct changes *x, struct level *l)
{
    auto_dir DIR *dir = dir_iterate(l->upper);
    int r = dir ? look_opaque(x, l) : -EIO;
    for (struct dirent *e; r == 0 && (e = readdir(dir));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            r = look_name(x, l, e->d_name);
    return r;
}

static int path_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static int changes_worker(void *arg)
{
    struct changes *x = arg;
    auto_close int store = -1, lower = -1, upper = dir_open(x->s->fd, x->upper);
    int r = upper < 0 ? upper : rootfs_unshare_worker(x->s, &store);
    if (r == 0)
        r = rootfs_merge_worker(x->s, store, x->c, NULL, &lower);
    if (r < 0)
        return r;
    auto_close int root = openat(lower, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    x->stubs = x->with_stubs ? rootfs_stubs(x->c, root) : NULL;
    r = look_below(x, &(struct level){.upper = upper, .lower = root, .path = ""});
    if (r < 0)
        return r;
    size_t n = strv_len(x->found);
    if (n)
        qsort(x->found, n, sizeof *x->found, path_compare);
    strv_foreach (line, x->found)
        x->line(x->ctx, *line, line + 1);
    x->line(x->ctx, 0, NULL);
    return 0; /* the process ends here, and with it what was found */
}

int rootfs_changes(const struct store *s, const struct ctr *c, void (*line)(void *ctx, char kind, const char *path),
                   void *ctx)
{
    auto_free char *upper = xasprintf("containers/%s/upper", c->id);
    struct changes x = {.s = s, .c = c, .upper = upper, .with_stubs = true, .line = line, .ctx = ctx};
    if (c->rootfs && !c->rootfs_overlay)
        return err_set(-EINVAL,
                       "container %s writes to %s itself: what it changed there is not known; --rootfs %s:O keeps it "
                       "apart",
                       c->name, c->rootfs, c->rootfs);
    fflush(NULL);
    return store_run(s, changes_worker, &x);
}

/* A layer that is in the image twice, or holds nothing, has changed nothing where it comes again. */
int rootfs_image_changes(const struct store *s, char *const *layers,
                         void (*line)(void *ctx, char kind, const char *path), void *ctx)
{
    size_t n = strv_len(layers);
    auto_strv char **below = NULL;
    for (size_t i = 0; i + 1 < n; i++)
        strv_add(&below, layers[i]);
    auto_free char *upper = n ? xasprintf("layers/%s/diff", layers[n - 1]) : xstrdup("layers/empty");
    struct changes x = {.s = s, .c = &(struct ctr){.layers = below}, .upper = upper, .line = line, .ctx = ctx};
    fflush(NULL);
    return store_run(s, changes_worker, &x);
}
