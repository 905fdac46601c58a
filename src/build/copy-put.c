/* The copy of COPY and ADD: files out of a list go into the tree of a new layer.
 *
 * Where they go is resolved in the merged view of what lies below, links included: COPY to /bin of an image whose /bin
 * is a link to usr/bin lands in usr/bin. So are directories below the destination. With --link nothing lies below.
 *
 * Runs in: the BUILDER. */
#include "copy-work.h"

#include "layer-tree.h"
#include "rootpath.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/layer.h"
#include "whelk/mnt.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

enum { ETC_MAX = 4 << 20, SMALL = 64 * 1024 };

/* ---- the copy ---- */

struct copy {
    struct step *s;
    struct copy_work *w;
    struct layer_tree tree;
    uid_t uid; /* with --chown, or out of the context */
    gid_t gid;
    struct pack_owners *owners; /* that no file can keep */
    char **places;              /* real path of each directory of the list, [0] of the destination */
    char *file;                 /* the name that a single file gets, NULL: its own */
    size_t parent;              /* index in places of what is open: */
    int to, below;              /* in the layer; in the merged view below, -1: not there */
    bool changed;               /* a source changed after it was hashed */
    bool no_clone;              /* the file system does not share extents */
};

static int refuse(const struct copy *c, const char *place, const char *why)
{
    auto_free char *shown = str_printable(place);
    return err_set(-EEXIST, "cannot copy to /%s: %s", shown, why);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *item_name(const struct copy *c, const struct copy_item *item)
{
    return item->named && c->file ? c->file : base_name(item->name);
}

/* The owner and mode that an entry gets. */
static struct stat item_stat(const struct copy *c, const struct copy_item *item)
{
    struct stat st = item->st;
    if (c->w->chown || !item->tree || !item->tree->layers) {
        st.st_uid = c->uid;
        st.st_gid = c->gid;
    }
    if (c->w->chmod && !S_ISLNK(st.st_mode))
        st.st_mode = (st.st_mode & S_IFMT) | mode_apply(&c->w->mode, st.st_mode);
    return st;
}

static int set_times(int dir, const char *name, const struct stat *st)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};
    return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* ---- files ---- */

static int create(int dir, const char *name)
{
    for (int i = 0;; i++) {
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST || i > 0 || unlinkat(dir, name, 0) < 0) /* an earlier source had it too */
            return -errno;
    }
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0 &&
           memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) == 0;
}

/* Shared with the source where the file system can, which it says at the first file. Small ones take two calls. */
static int copy_bytes(struct copy *c, const struct copy_item *item, int from, int to)
{
    static char data[SMALL];
    if (!c->no_clone && ioctl(to, FICLONE, from) == 0)
        return 0;
    c->no_clone = true;
    if (item->st.st_size >= SMALL)
        return fd_copy(from, to);
    ssize_t n = fd_read_full(from, data, SMALL);
    if (n < 0)
        return (int)n;
    int r = fd_write_all(to, data, (size_t)n);
    return r < 0 || n < SMALL ? r : fd_copy(from, to);
}

static int fill(struct copy *c, const struct copy_item *item, int from, int to)
{
    struct stat now, st = item_stat(c, item);
    int r = copy_bytes(c, item, from, to);
    if (r == 0)
        r = layer_tree_own(&c->tree, to, st.st_uid, st.st_gid);
    if (r == 0 && fchmod(to, st.st_mode & 07777) < 0)
        r = -errno;
    if (r == 0 && item->tree->layers)
        r = copy_xattrs(from, to);
    if (r == 0 && fstat(from, &now) < 0)
        r = -errno;
    if (r < 0)
        return r;
    c->changed |= !item->tree->layers && !same_file(&now, &item->st);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
    return futimens(to, times) < 0 ? -errno : 0;
}

static int put_text(struct copy *c, const struct copy_item *item, const char *name)
{
    struct stat st = item_stat(c, item);
    auto_close int to = create(c->to, name);
    int r = to < 0 ? to : fd_write_all(to, item->text, strlen(item->text));
    if (r == 0)
        r = layer_tree_own(&c->tree, to, st.st_uid, st.st_gid);
    if (r == 0 && fchmod(to, st.st_mode & 07777) < 0)
        r = -errno;
    return r < 0 ? r : set_times(c->to, name, &st);
}

/* What goes with the step has its owner, mode, times and xattrs already, but for what flags say. */
static int move_file(struct copy *c, const struct copy_item *item, const char *name)
{
    const char *slash = strrchr(item->path, '/');
    auto_free char *up = xstrndup(item->path, slash ? (size_t)(slash - item->path) : 0);
    auto_close int dir = rootpath_open(item->tree->fd, up, O_RDONLY | O_DIRECTORY);
    struct stat st = item_stat(c, item);
    if (dir < 0)
        return dir;
    for (int i = 0;; i++) {
        if (linkat(dir, slash ? slash + 1 : item->path, c->to, name, 0) == 0)
            break;
        if (errno != EEXIST || i > 0 || unlinkat(c->to, name, 0) < 0)
            return -errno;
    }
    bool owned = st.st_uid == item->st.st_uid && st.st_gid == item->st.st_gid;
    if (owned && st.st_mode == item->st.st_mode)
        return 0;
    auto_close int to = openat(c->to, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int r = to < 0 ? -errno : owned ? 0 : layer_tree_own(&c->tree, to, st.st_uid, st.st_gid);
    return r == 0 && fchmod(to, st.st_mode & 07777) < 0 ? -errno : r;
}

static int put_file(struct copy *c, const struct copy_item *item, const char *name)
{
    if (item->text)
        return put_text(c, item, name);
    if (item->tree->movable)
        return move_file(c, item, name);
    auto_close int from = rootpath_open(item->tree->fd, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (from < 0)
        return from;
    auto_close int to = create(c->to, name);
    return to < 0 ? to : fill(c, item, from, to);
}

/* ---- other kinds ---- */

/* Of what keeps no owner on disk, the list does. */
static int own_special(struct copy *c, const char *name, const struct stat *st)
{
    if (!c->tree.single)
        return fchownat(c->to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    auto_free char *path = rootpath_join(c->places[c->parent], name);
    pack_owners_add(c->owners, path, (struct kept_owner){st->st_uid, st->st_gid});
    return 0;
}

static int put_special(struct copy *c, const struct copy_item *item, const char *name)
{
    struct stat st = item_stat(c, item);
    bool link = S_ISLNK(st.st_mode);
    for (int i = 0;; i++) {
        int r = link ? symlinkat(item->link, c->to, name) : mknodat(c->to, name, S_IFIFO | 0600, 0);
        if (r == 0)
            break;
        if (errno != EEXIST || i > 0 || unlinkat(c->to, name, 0) < 0)
            return -errno;
    }
    int r = own_special(c, name, &st);
    if (r == 0 && !link && fchmodat(c->to, name, st.st_mode & 07777, 0) < 0)
        r = -errno;
    return r < 0 ? r : set_times(c->to, name, &st);
}

static int put_twin(struct copy *c, const struct copy_item *item, const char *name)
{
    const struct copy_item *first = &c->w->list.v[item->twin - 1];
    auto_close int dir = rootpath_open(c->tree.diff, c->places[first->parent], O_RDONLY | O_DIRECTORY);
    if (dir < 0)
        return dir;
    if (linkat(dir, item_name(c, first), c->to, name, 0) == 0)
        return 0;
    return errno == EEXIST || errno == ENOENT || errno == EMLINK ? put_file(c, item, name) : -errno;
}

static int put(struct copy *c, const struct copy_item *item, const char *name)
{
    if (item->twin)
        return put_twin(c, item, name);
    return S_ISREG(item->st.st_mode) ? put_file(c, item, name) : put_special(c, item, name);
}

/* ---- directories ---- */

/* Opens the directory that the next entries go to; they come in rows. */
static int enter(struct copy *c, size_t parent)
{
    if (c->to >= 0 && c->parent == parent)
        return 0;
    fd_close(take_fd(&c->to));
    fd_close(take_fd(&c->below));
    int r = layer_tree_dir(&c->tree, c->places[parent]);
    if (r < 0)
        return r;
    c->parent = parent;
    c->to = rootpath_open(c->tree.diff, c->places[parent], O_RDONLY | O_DIRECTORY);
    c->below = rootpath_open(c->s->lower, c->places[parent], O_PATH | O_DIRECTORY);
    return c->to < 0 ? layer_tree_failed(c->places[parent], c->to) : 0;
}

static int put_dir(struct copy *c, size_t at)
{
    const struct copy_item *item = &c->w->list.v[at];
    auto_free char *path = rootpath_join(c->places[item->parent], base_name(item->name));
    struct stat below, st = item_stat(c, item);
    int r = rootpath_resolve(c->s->lower, path, true, &c->places[at + 1], &below);
    if (r < 0)
        return layer_tree_failed(path, r);
    if (below.st_mode && !S_ISDIR(below.st_mode))
        return refuse(c, path, "the image has something there that is no directory");
    r = layer_tree_dir(&c->tree, c->places[at + 1]);
    return r < 0 ? r : layer_tree_set(&c->tree, c->places[at + 1], &st);
}

static int put_item(struct copy *c, size_t at)
{
    const struct copy_item *item = &c->w->list.v[at];
    const char *name = item_name(c, item);
    struct stat below;
    if (item->unpacked)
        return 0;
    if (S_ISDIR(item->st.st_mode))
        return put_dir(c, at);
    int r = enter(c, item->parent);
    if (r < 0)
        return r;
    auto_free char *path = rootpath_join(c->places[item->parent], name);
    if (c->below >= 0 && fstatat(c->below, name, &below, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(below.st_mode))
        return refuse(c, path, "the image has a directory there");
    r = put(c, item, name);
    return r < 0 ? layer_tree_failed(path, r) : 0;
}

/* ---- the destination ---- */

/* A directory that COPY --chown makes is its user's; those above it are root's. */
static int make_destination(struct copy *c, const struct stat *below)
{
    struct stat st = {.st_mode = S_IFDIR | 0755, .st_uid = c->uid, .st_gid = c->gid, .st_mtim = c->tree.fresh};
    int r = layer_tree_dir(&c->tree, c->places[0]);
    return r < 0 || below->st_mode || !c->w->chown ? r : layer_tree_set(&c->tree, c->places[0], &st);
}

/* The one file's own name: the destination says it all. */
static void split_destination(struct copy *c, char *real)
{
    char *slash = strrchr(real, '/');
    c->file = xstrdup(slash ? slash + 1 : real);
    *(slash ? slash : real) = '\0';
    c->places[0] = real;
}

static int find_destination(struct copy *c)
{
    const struct copy_work *w = c->w;
    auto_free char *path = workdir_join(c->s->state, w->destination), *real = NULL;
    struct stat below;
    int r = rootpath_resolve(c->s->lower, path, true, &real, &below);
    if (r == -ENOTDIR)
        return refuse(c, path + 1, "the image has something in its path that is no directory");
    if (r < 0)
        return layer_tree_failed(path + 1, r);
    bool into = w->into || w->list.directories || w->list.n_sources > 1;
    if (into && below.st_mode && !S_ISDIR(below.st_mode))
        return refuse(c, path + 1, "the image has something there that is no directory");
    if (!into && !S_ISDIR(below.st_mode)) {
        split_destination(c, take_ptr(&real));
        return 0;
    }
    c->places[0] = take_ptr(&real);
    return make_destination(c, &below);
}

static char *read_etc(struct copy *c, const char *path)
{
    auto_close int fd = open_in_root(c->s->lower, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    auto_buf struct buf text = {0};
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fd_read_all(fd, ETC_MAX, &text) < 0)
        return xstrdup("");
    return buf_take(&text);
}

/* Where only one id is mapped, owners are kept beside the files: any will do. */
static int check_owner(const struct copy *c)
{
    const struct idmap *map = &c->s->b->store->map;
    if (idmap_single(map) || (idmap_has_uid(map, c->uid) && idmap_has_gid(map, c->gid)))
        return 0;
    return err_set(-EINVAL, "--chown=%s: %u:%u is outside of the ids that this user has (/etc/subuid, /etc/subgid)",
                   c->w->chown, c->uid, c->gid);
}

static int find_owner(struct copy *c)
{
    if (!c->w->chown)
        return 0;
    if (c->s->link && c->w->chown[strspn(c->w->chown, "0123456789:")])
        return err_set(-EINVAL, "--chown=%s: with --link only numbers are known: the image's names are not looked at",
                       c->w->chown);
    auto_free char *passwd = read_etc(c, "etc/passwd"), *group = read_etc(c, "etc/group");
    int r = owner_parse(c->w->chown, passwd, group, &c->uid, &c->gid);
    return r < 0 ? r : check_owner(c);
}

/* ---- the whole ---- */

static int copy_all(struct copy *c)
{
    int r = find_owner(c);
    if (r == 0)
        r = find_destination(c);
    for (size_t i = 0; i < c->w->list.n && r == 0; i++)
        r = put_item(c, i);
    return r < 0 ? r : layer_tree_end(&c->tree);
}

static void tell(struct copy *c, const struct layer_facts *facts)
{
    if (facts->unstable)
        builder_warn(c->s->b, "files changed while they were copied; this step will not be taken from the cache");
}

static void copy_end(struct copy *c)
{
    for (size_t i = 0; i <= c->w->list.n; i++)
        free(c->places[i]);
    free(c->places);
    free(c->file);
    fd_close(c->to);
    fd_close(c->below);
    layer_tree_done(&c->tree);
}

/* Directories that --link makes must not tell what lies below. */
static int64_t newest(const struct copy_list *list)
{
    int64_t newest = 0;
    for (size_t i = 0; i < list->n; i++)
        newest = MAX(newest, (int64_t)list->v[i].st.st_mtim.tv_sec * 1000000000 + list->v[i].st.st_mtim.tv_nsec);
    return newest;
}

int copy_execute(struct step *s, int dir, struct layer_facts *ret)
{
    struct copy_work *w = s->work;
    int r = s->i->kind == INSTR_ADD ? add_unpack(s, w) : 0;
    if (r < 0)
        return r;
    auto_with(copy_end) struct copy c = {
        .s = s,
        .w = w,
        .tree = {.diff = -1},
        .owners = &ret->owners,
        .places = xcalloc(w->list.n + 1, sizeof(char *)),
        .to = -1,
        .below = -1,
    };
    int64_t created = s->link ? newest(&w->list) : s->state->created;
    r = layer_tree_begin(&c.tree, s->b->store, dir, step_layers(s), s->lower, created);
    if (r == 0)
        r = copy_all(&c);
    if (r < 0)
        return r;
    ret->changed = true;
    ret->unstable = c.changed;
    tell(&c, ret);
    return 0;
}
