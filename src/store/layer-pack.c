/* From a directory to a layer (STORE, from upper directory to layer).
 * Runs in: a process that is root in the store's user namespace, after everybody who could change the tree has gone.
 * Reads: tmp/<stage>/<name>/diff, an overlay's upper directory or a tree made by COPY. Writes: recipe and layer.json
 * beside it; renames.
 *
 * Theory of operation. First whelk's own mount stubs go. Then one walk in strcmp order of full tar paths formats each
 * entry, hashes it with its payload, and writes the recipe. What a layer never has is put right on the way: sockets go,
 * overlayfs' own xattrs go, devices become what unpacking would make of them, times are clamped. So the tree is then
 * the one that the tar would give.
 *
 * The order: '-' and '.' sort before '/', so "a-b" comes between "a" and what is below "a". A directory therefore
 * stands in its parent's list twice, as "a" and as "a/". */
#include "layer-private.h"
#include "recipe.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/tar.h"

#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum {
    DATA_SIZE = 256 * 1024,
    XATTR_MAX = 64 * 1024, /* the kernel's bound on a value and on a list of names */
    DEPTH_OPEN = 64,       /* directories that stay open while what is below is walked */
    STUB_SLACK_NS = 20 * 1000 * 1000,
};

struct pack {
    const struct pack_options *options;
    int dir, diff; /* tmp/<stage>/<name>, its diff/ */
    bool single;   /* the store has one id: owners are kept beside the files */
    struct recipe_writer *recipe;
    struct digest *digest;
    struct buf head; /* of the current entry */
    char *data;
    void *links; /* tree of struct link */
    uint64_t entries, size;
    bool has_root, holds; /* an entry for the root; any other one */
    bool squashed;        /* an owner was kept that the disk cannot hold */
};

static int errno_of(int result)
{
    return result < 0 ? -errno : 0;
}

static int pack_failed(const char *path, int r)
{
    auto_free char *shown = str_printable(*path ? path : "/");
    return r < 0 ? err_set(r, "cannot make a layer, %s: %s", shown, strerror(-r)) : r;
}

static int pack_refused(const char *path, const char *what)
{
    auto_free char *shown = str_printable(path);
    return err_set(-EINVAL, "cannot make a layer: %s %s", shown, what);
}

static int64_t nanoseconds(const struct timespec *t)
{
    return t->tv_sec * NS_PER_SECOND + t->tv_nsec;
}

static int time_put(int fd, const char *name, const struct timespec *mtime)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *mtime};
    return errno_of(name ? utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) : futimens(fd, times));
}

/* ---- xattrs ---- */

#define ESCAPED "user.overlay.overlay."

enum xattr_rule { KEEP, UNESCAPE, OPAQUE, OWNER, REMOVE, PASS_OVER };

static const struct {
    const char *name;
    bool prefix;
    enum xattr_rule rule;
} xattr_rules[] = {
    {ESCAPED, true, UNESCAPE}, /* the kernel's escape for a container's own user.overlay.* */
    {OPAQUE_XATTR, false, OPAQUE},    {"user.overlay.", true, REMOVE}, {KEPT_OWNER_XATTR, false, OWNER},
    {"user.whelk.", true, PASS_OVER}, {"user.", true, KEEP},           {"security.capability", false, KEEP},
};

static enum xattr_rule xattr_rule(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(xattr_rules); i++) {
        const char *rule_name = xattr_rules[i].name;
        if (xattr_rules[i].prefix ? str_after(name, rule_name) != NULL : str_eq(name, rule_name))
            return xattr_rules[i].rule;
    }
    return PASS_OVER;
}

/* The tar says what the disk cannot. */
static void owner_put(struct pack *p, struct kept_owner owner, struct tar_entry *e)
{
    e->uid = owner.uid;
    e->gid = owner.gid;
    p->squashed = true;
}

static void owner_take(struct pack *p, const char *value, size_t len, struct tar_entry *e)
{
    struct kept_owner owner;
    if (kept_owner_parse(value, len, &owner))
        owner_put(p, owner, e);
}

static int xattr_take(struct pack *p, int fd, const char *name, struct tar_entry *e, bool *ret_opaque)
{
    enum xattr_rule rule = xattr_rule(name);
    if (rule == PASS_OVER)
        return 0;
    if (rule == REMOVE)
        return errno_of(fremovexattr(fd, name));
    ssize_t len = fgetxattr(fd, name, p->data, XATTR_MAX);
    if (len < 0)
        return -errno;
    auto_free char *plain = rule == UNESCAPE ? xasprintf("user.overlay.%s", name + strlen(ESCAPED)) : xstrdup(name);
    if (rule == OPAQUE)
        *ret_opaque = len == 1 && p->data[0] == 'y';
    else if (rule == OWNER)
        owner_take(p, p->data, (size_t)len, e);
    else
        tar_entry_add_xattr(e, plain, p->data, len);
    return 0;
}

/* As it comes out of an overlay mount: nothing is escaped and nothing is ours to remove. */
static int merged_xattr_take(struct pack *p, int fd, const char *name, struct tar_entry *e, bool *ret_opaque)
{
    if (!str_after(name, "user.") && !str_eq(name, "security.capability"))
        return 0;
    ssize_t len = fgetxattr(fd, name, p->data, XATTR_MAX);
    if (len < 0)
        return -errno;
    if (str_eq(name, KEPT_OWNER_XATTR))
        owner_take(p, p->data, (size_t)len, e);
    else
        tar_entry_add_xattr(e, name, p->data, len);
    return 0;
}

/* Calls take for each xattr of fd: what the tar says of them goes into e. Returns -errno. */
static int xattrs_each(struct pack *p, int fd, struct tar_entry *e, bool *ret_opaque,
                       int (*take)(struct pack *, int, const char *, struct tar_entry *, bool *))
{
    ssize_t len = flistxattr(fd, p->data, XATTR_MAX);
    if (len <= 0)
        return len < 0 && errno != ENOTSUP ? -errno : 0;
    auto_free char *names = xmalloc(len);
    memcpy(names, p->data, len);
    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        int r = take(p, fd, name, e, ret_opaque);
        if (r < 0)
            return r;
    }
    return 0;
}

static int xattrs_take(struct pack *p, int fd, struct tar_entry *e, bool *ret_opaque)
{
    return xattrs_each(p, fd, e, ret_opaque, xattr_take);
}

static const struct tar_xattr *xattr_find(const struct tar_entry *e, const char *name)
{
    for (size_t i = 0; i < e->n_xattrs; i++)
        if (str_eq(e->xattrs[i].name, name))
            return &e->xattrs[i];
    return NULL;
}

static bool xattrs_equal(const struct tar_entry *a, const struct tar_entry *b)
{
    if (a->n_xattrs != b->n_xattrs)
        return false;
    for (size_t i = 0; i < a->n_xattrs; i++) {
        const struct tar_xattr *x = &a->xattrs[i], *y = xattr_find(b, x->name);
        if (!y || x->len != y->len || (x->len && memcmp(x->value, y->value, x->len) != 0))
            return false;
    }
    return true;
}

/* Are two directories the same in what an entry says, apart from times? low -1: as whelk makes new ones. -errno on
 * failure. */
static int dirs_equal(struct pack *p, int up, int low)
{
    auto_with(tar_entry_done) struct tar_entry a = {0}, b = {0};
    struct stat x, y = {.st_mode = S_IFDIR | 0755};
    bool opaque = false, ignored = false;
    if (fstat(up, &x) < 0 || (low >= 0 && fstat(low, &y) < 0))
        return -errno;
    int r = xattrs_take(p, up, &a, &opaque);
    if (r == 0 && low >= 0)
        r = xattrs_each(p, low, &b, &ignored, merged_xattr_take);
    if (r < 0)
        return r;
    return x.st_mode == y.st_mode && x.st_uid == y.st_uid && x.st_gid == y.st_gid && a.uid == b.uid && a.gid == b.gid &&
           !opaque && xattrs_equal(&a, &b);
}

/* ---- stubs ---- */

/* A path in two: *name is its last component, what is returned (caller frees) is before it, "" for none. */
static char *path_split(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    return xstrndup(path, slash ? (size_t)(slash - path) : 0);
}

/* The directory as it is below, or a negative number. */
static int lower_open(const struct pack *p, const char *path)
{
    return p->options->lower_fd < 0 ? -ENOENT : layer_open_beneath(p->options->lower_fd, path, O_RDONLY | O_DIRECTORY);
}

/* Drops directories from path upwards that hold nothing and are as below: they were copied up only to hold a stub. */
static int drop_unchanged(struct pack *p, char *path)
{
    while (*path) {
        const char *name;
        struct stat st;
        auto_free char *up = path_split(path, &name);
        auto_close int fd = layer_open_beneath(p->diff, path, O_RDONLY | O_DIRECTORY);
        auto_close int low = lower_open(p, path);
        auto_close int parent = layer_open_beneath(p->diff, up, O_RDONLY | O_DIRECTORY);
        if (fd < 0 || low < 0 || parent < 0 || fstat(parent, &st) < 0)
            return 0;
        int r = dirs_equal(p, fd, low);
        if (r <= 0)
            return pack_failed(path, r);
        if (unlinkat(parent, name, AT_REMOVEDIR) < 0)
            return errno == ENOTEMPTY || errno == EEXIST ? 0 : pack_failed(path, -errno);
        r = time_put(parent, NULL, &st.st_mtim);
        if (r < 0)
            return pack_failed(path, r);
        strcpy(path, up);
    }
    return 0;
}

static bool stub_unlink(int fd, const char *name, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return unlinkat(fd, name, AT_REMOVEDIR) == 0;
    return S_ISREG(st->st_mode) && st->st_size == 0 && unlinkat(fd, name, 0) == 0;
}

/* Its directory gets back the time that it has below, if nothing but the making of the stub has changed that. */
static int stub_remove(struct pack *p, const char *stub)
{
    const char *name;
    struct stat st, dir, low_st;
    auto_free char *path = xmalloc(strlen(stub) + 1);
    if (!layer_path_normal(stub, path) || !*path)
        return 0;
    auto_free char *parent = path_split(path, &name);
    auto_close int fd = layer_open_beneath(p->diff, parent, O_RDONLY | O_DIRECTORY);
    auto_close int low = lower_open(p, parent);
    if (fd < 0 || fstat(fd, &dir) < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !stub_unlink(fd, name, &st))
        return 0;
    bool ours = nanoseconds(&dir.st_mtim) <= nanoseconds(&st.st_ctim) + STUB_SLACK_NS;
    bool restore = ours && low >= 0 && fstat(low, &low_st) == 0;
    int r = time_put(fd, NULL, restore ? &low_st.st_mtim : &dir.st_mtim);
    return r < 0 ? pack_failed(parent, r) : drop_unchanged(p, parent);
}

/* Last made, first removed: a stub may lie in a directory that is one. */
static int stubs_remove(struct pack *p)
{
    for (size_t i = strv_len(p->options->stubs); i-- > 0;) {
        int r = stub_remove(p, p->options->stubs[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- hard links ---- */

struct link {
    dev_t dev;
    ino_t ino;
    char *path;
};

static int link_compare(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return (x->ino > y->ino) - (x->ino < y->ino);
}

/* The path under which this file was met first, or NULL: this is the first. */
static const char *link_first(struct pack *p, const struct stat *st, const char *path)
{
    struct link key = {.dev = st->st_dev, .ino = st->st_ino};
    struct link **found = tfind(&key, &p->links, link_compare);
    if (found)
        return (*found)->path;
    struct link *l = xmalloc(sizeof(*l));
    *l = (struct link){st->st_dev, st->st_ino, xstrdup(path)};
    if (!tsearch(l, &p->links, link_compare))
        abort();
    return NULL;
}

static void links_free(struct pack *p)
{
    while (p->links) {
        struct link *l = *(struct link **)p->links;
        tdelete(l, &p->links, link_compare);
        free(l->path);
        free(l);
    }
}

/* ---- the stream ---- */

static int emit(struct pack *p, const void *data, size_t len)
{
    digest_add(p->digest, data, len);
    return recipe_add_bytes(p->recipe, data, len);
}

static int emit_entry(struct pack *p, const struct tar_entry *e)
{
    p->head.len = 0;
    tar_format(e, &p->head);
    p->entries++;
    p->holds |= !str_eq(e->path, "./");
    return emit(p, p->head.data, p->head.len);
}

static int emit_payload(struct pack *p, int fd, const struct tar_entry *e)
{
    static const char zeros[TAR_BLOCK_SIZE];
    int r = e->size ? recipe_add_file(p->recipe, e->path, e->size) : 0;
    for (uint64_t left = e->size; r == 0 && left > 0;) {
        ssize_t n = read(fd, p->data, MIN(left, (uint64_t)DATA_SIZE));
        if (n <= 0)
            return n < 0 ? pack_failed(e->path, -errno) : pack_refused(e->path, "became shorter while it was read");
        digest_add(p->digest, p->data, n);
        left -= n;
    }
    p->size += e->size;
    return r < 0 ? r : emit(p, zeros, tar_padding(e->size));
}

/* ---- entries ---- */

/* A name in a directory, or what is below a directory. */
struct item {
    char *key;  /* sorts: the tar name, with a slash behind it for what is below */
    char *name; /* on disk */
    struct stat st;
    enum { NAME, BELOW, WHITEOUT, OPAQUE_MARK } kind;
};

struct place {
    struct pack *p;
    const char *path; /* of the directory, "" for the root */
    unsigned depth;
    int fd; /* opened where it is needed, see place_fd */
    struct stat st;
    struct item *items;
    size_t n;
    bool changed; /* something was removed or replaced: the time must be put back */
};

static void place_done(struct place *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->items[i].key);
        free(d->items[i].name);
    }
    free(d->items);
    fd_close(d->fd);
}

static int place_fd(struct place *d)
{
    if (d->fd < 0)
        d->fd = layer_open_beneath(d->p->diff, d->path, O_RDONLY | O_DIRECTORY);
    return d->fd;
}

static char *path_in(const struct place *d, const char *name)
{
    return xasprintf("%s%s%s", d->path, *d->path ? "/" : "", name);
}

/* The time of the entry, after it was clamped on disk too. */
static int entry_time(const struct pack *p, int fd, const char *name, const struct stat *st, int64_t *ret)
{
    struct timespec clamp = {.tv_sec = p->options->epoch};
    bool late = p->options->epoch >= 0 && (p->options->same_time || nanoseconds(&st->st_mtim) > nanoseconds(&clamp));
    *ret = nanoseconds(late ? &clamp : &st->st_mtim);
    return late ? time_put(fd, name, &clamp) : 0;
}

static int owner_compare(const void *a, const void *b)
{
    const struct pack_owner *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static int owner_compare_order(const void *a, const void *b)
{
    const struct pack_owner *x = a, *y = b;
    int order = owner_compare(x, y);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

void pack_owners_add(struct pack_owners *o, const char *path, struct kept_owner owner)
{
    if ((o->n & (o->n + 1)) == 0)
        o->v = xrealloc(o->v, (2 * o->n + 2) * sizeof(*o->v));
    o->v[o->n] = (struct pack_owner){xstrdup(path), owner, o->n};
    o->n++;
}

void pack_owners_done(struct pack_owners *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->v[i].path);
    free(o->v);
    *o = (struct pack_owners){0};
}

void pack_owners_sort(struct pack_owners *o)
{
    size_t n = 0;
    if (o->n)
        qsort(o->v, o->n, sizeof(*o->v), owner_compare_order);
    for (size_t i = 0; i < o->n; i++) {
        if (i + 1 < o->n && str_eq(o->v[i].path, o->v[i + 1].path))
            free(o->v[i].path);
        else
            o->v[n++] = o->v[i];
    }
    o->n = n;
}

const struct kept_owner *pack_owners_find(const struct pack_owners *o, const char *path)
{
    struct pack_owner key = {.path = (char *)(uintptr_t)path};
    const struct pack_owner *found = o->n ? bsearch(&key, o->v, o->n, sizeof(*o->v), owner_compare) : NULL;
    return found ? &found->owner : NULL;
}

static void entry_owner(struct pack *p, struct tar_entry *e)
{
    const struct pack_owners *o = p->options->owners;
    const struct kept_owner *found = o ? pack_owners_find(o, e->path) : NULL;
    if (found)
        owner_put(p, *found, e);
}

static int entry_begin(struct place *d, const struct item *item, enum tar_type type, struct tar_entry *ret)
{
    *ret = (struct tar_entry){
        .path = path_in(d, item->name),
        .type = type,
        .mode = item->st.st_mode & 07777,
        .uid = item->st.st_uid,
        .gid = item->st.st_gid,
    };
    entry_owner(d->p, ret);
    return entry_time(d->p, d->fd, item->name, &item->st, &ret->mtime);
}

static int pack_file(struct place *d, const struct item *item)
{
    auto_with(tar_entry_done) struct tar_entry e = {0};
    bool opaque;
    auto_close int fd = openat(d->fd, item->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int r = errno_of(fd);
    if (r == 0)
        r = entry_begin(d, item, TAR_FILE, &e);
    if (r == 0)
        r = xattrs_take(d->p, fd, &e, &opaque);
    if (r < 0)
        return r;
    e.size = item->st.st_size;
    r = emit_entry(d->p, &e);
    return r < 0 ? r : emit_payload(d->p, fd, &e);
}

static int pack_dir(struct place *d, const struct item *item)
{
    auto_with(tar_entry_done) struct tar_entry e = {0};
    bool opaque;
    auto_close int fd = openat(d->fd, item->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = errno_of(fd);
    if (r == 0)
        r = entry_begin(d, item, TAR_DIR, &e);
    if (r == 0)
        r = xattrs_take(d->p, fd, &e, &opaque);
    return r < 0 ? r : emit_entry(d->p, &e);
}

static int pack_symlink(struct place *d, const struct item *item)
{
    auto_with(tar_entry_done) struct tar_entry e = {0};
    char target[PATH_MAX];
    ssize_t len = readlinkat(d->fd, item->name, target, sizeof(target));
    if (len < 0 || len == sizeof(target))
        return len < 0 ? -errno : -ENAMETOOLONG;
    int r = entry_begin(d, item, TAR_SYMLINK, &e);
    if (r < 0)
        return r;
    e.link = xstrndup(target, len);
    return emit_entry(d->p, &e);
}

static int pack_fifo(struct place *d, const struct item *item)
{
    auto_with(tar_entry_done) struct tar_entry e = {0};
    int r = entry_begin(d, item, TAR_FIFO, &e);
    return r < 0 ? r : emit_entry(d->p, &e);
}

/* The node itself goes, as when the layer had been unpacked from its tar. */
static int device_replace(struct place *d, const struct item *item, int64_t mtime)
{
    struct timespec time = layer_timespec(mtime);
    d->changed = true;
    if (unlinkat(d->fd, item->name, 0) < 0)
        return -errno;
    auto_close int fd = openat(d->fd, item->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0 || fchown(fd, item->st.st_uid, item->st.st_gid) < 0)
        return -errno;
    return time_put(fd, NULL, &time);
}

static int pack_device(struct place *d, const struct item *item)
{
    auto_with(tar_entry_done) struct tar_entry e = {0};
    int r = entry_begin(d, item, S_ISCHR(item->st.st_mode) ? TAR_CHAR : TAR_BLOCK, &e);
    if (r < 0)
        return r;
    e.major = major(item->st.st_rdev);
    e.minor = minor(item->st.st_rdev);
    r = device_replace(d, item, e.mtime);
    return r < 0 ? r : emit_entry(d->p, &e);
}

static int pack_hardlink(struct place *d, const struct item *item, const char *first)
{
    auto_with(tar_entry_done) struct tar_entry e = {0};
    struct kept_owner owner;
    auto_close int fd = -1;
    int r = entry_begin(d, item, TAR_HARDLINK, &e);
    if (r < 0)
        return r;
    if (d->p->single && S_ISREG(item->st.st_mode))
        fd = openat(d->fd, item->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && kept_owner_get(fd, &owner))
        owner_put(d->p, owner, &e);
    e.link = xstrdup(first);
    return emit_entry(d->p, &e);
}

/* Whiteouts have a name and nothing else. */
static int pack_whiteout(struct place *d, const struct item *item)
{
    auto_with(tar_entry_done) struct tar_entry e = {.path = path_in(d, item->key), .type = TAR_FILE};
    return emit_entry(d->p, &e);
}

static const struct {
    mode_t type;
    int (*pack)(struct place *d, const struct item *item);
} packers[] = {
    {S_IFREG, pack_file}, {S_IFDIR, pack_dir},    {S_IFLNK, pack_symlink},
    {S_IFIFO, pack_fifo}, {S_IFCHR, pack_device}, {S_IFBLK, pack_device},
};

static int pack_name(struct place *d, const struct item *item)
{
    mode_t type = item->st.st_mode & S_IFMT;
    bool linkable = type == S_IFREG || type == S_IFLNK || type == S_IFIFO;
    if (linkable && item->st.st_nlink > 1) {
        auto_free char *path = path_in(d, item->name);
        const char *first = link_first(d->p, &item->st, path);
        if (first)
            return pack_hardlink(d, item, first);
    }
    for (size_t i = 0; i < ARRAY_LEN(packers); i++)
        if (packers[i].type == type)
            return packers[i].pack(d, item);
    return -EINVAL;
}

/* ---- directories ---- */

static void item_add(struct place *d, char *key, const char *name, int kind, const struct stat *st)
{
    if ((d->n & (d->n + 1)) == 0) /* room for twice as many, and one */
        d->items = xrealloc(d->items, (2 * d->n + 2) * sizeof(*d->items));
    struct item *item = &d->items[d->n++];
    *item = (struct item){.key = key, .name = xstrdup(name), .kind = kind};
    if (st)
        item->st = *st;
}

static int gather_name(struct place *d, const char *name)
{
    struct stat st;
    auto_free char *path = path_in(d, name);
    if (strlen(path) + strlen(WHITEOUT_PREFIX) >= PATH_MAX)
        return pack_refused(path, "has a path that is too long for an archive");
    if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : pack_failed(path, -errno); /* a whiteout, seen through an overlay */
    if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
        item_add(d, xasprintf("%s%s", WHITEOUT_PREFIX, name), name, WHITEOUT, &st);
        return 0;
    }
    if (S_ISSOCK(st.st_mode)) {
        d->changed = true;
        return pack_failed(path, errno_of(unlinkat(d->fd, name, 0)));
    }
    if (str_after(name, WHITEOUT_PREFIX))
        return pack_refused(path, "has a name that means something else in a layer (it begins with .wh.)");
    item_add(d, xstrdup(name), name, NAME, &st);
    if (S_ISDIR(st.st_mode))
        item_add(d, xasprintf("%s/", name), name, BELOW, &st);
    return 0;
}

static int item_compare(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

static int gather(struct place *d)
{
    auto_dir DIR *names = dir_iterate(d->fd);
    char mark;
    if (!names)
        return pack_failed(d->path, -errno);
    for (struct dirent *e; (errno = 0, e = readdir(names));) {
        int r = str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ? 0 : gather_name(d, e->d_name);
        if (r < 0)
            return r;
    }
    if (errno)
        return pack_failed(d->path, -errno);
    if (fgetxattr(d->fd, OPAQUE_XATTR, &mark, 1) == 1 && mark == 'y')
        item_add(d, xstrdup(WHITEOUT_OPAQUE), "", OPAQUE_MARK, NULL);
    if (d->n)
        qsort(d->items, d->n, sizeof(*d->items), item_compare);
    return 0;
}

static int pack_below(struct pack *p, const char *path, unsigned depth);

static int pack_item(struct place *d, const struct item *item)
{
    auto_free char *path = path_in(d, item->name);
    if (item->kind == BELOW) {
        if (d->depth >= DEPTH_OPEN)
            fd_close(take_fd(&d->fd));
        return pack_below(d->p, path, d->depth + 1);
    }
    int r = place_fd(d);
    if (r < 0)
        return pack_failed(d->path, r);
    err_clear();
    r = item->kind == NAME ? pack_name(d, item) : pack_whiteout(d, item);
    return r < 0 && err_is_clear() ? pack_failed(path, r) : r;
}

/* All that is below the directory path, whose own entry is out. */
static int pack_below(struct pack *p, const char *path, unsigned depth)
{
    auto_with(place_done) struct place d = {.p = p, .path = path, .depth = depth, .fd = -1};
    if (place_fd(&d) < 0)
        return pack_failed(path, d.fd);
    if (fstat(d.fd, &d.st) < 0)
        return pack_failed(path, -errno);
    int r = gather(&d);
    for (size_t i = 0; r == 0 && i < d.n; i++)
        r = pack_item(&d, &d.items[i]);
    if (r == 0 && d.changed)
        r = place_fd(&d) < 0 ? pack_failed(path, d.fd) : pack_failed(path, time_put(d.fd, NULL, &d.st.st_mtim));
    return r;
}

/* The root directory has an entry only if something about it changed; its time always does. */
static int pack_root(struct pack *p)
{
    auto_with(tar_entry_done) struct tar_entry e = {.path = xstrdup("./"), .type = TAR_DIR};
    struct stat st;
    bool opaque;
    int r = dirs_equal(p, p->diff, p->options->lower_fd);
    if (r != 0)
        return r < 0 ? pack_failed("", r) : 0;
    if (fstat(p->diff, &st) < 0)
        return pack_failed("", -errno);
    e.mode = st.st_mode & 07777;
    e.uid = st.st_uid;
    e.gid = st.st_gid;
    r = entry_time(p, p->diff, NULL, &st, &e.mtime);
    if (r == 0)
        r = xattrs_take(p, p->diff, &e, &opaque);
    if (r < 0)
        return pack_failed("", r);
    p->has_root = true;
    return emit_entry(p, &e);
}

/* ---- the whole ---- */

static int pack_stream(struct pack *p)
{
    static const char end[TAR_END_SIZE];
    if (p->options->owners)
        pack_owners_sort(p->options->owners);
    int r = stubs_remove(p);
    if (r == 0)
        r = pack_root(p);
    if (r == 0)
        r = pack_below(p, "", 0);
    if (r == 0)
        r = emit(p, end, sizeof(end));
    return r < 0 ? r : recipe_finish(p->recipe);
}

static int pack_publish(struct pack *p, struct stage *st, const char *name, char **ret_key)
{
    char hex[DIGEST_BUF];
    digest_finish(p->digest, hex);
    struct layer l = {
        .diffid = hex,
        .size = p->size,
        .owners = (char *)(p->squashed ? OWNERS_SQUASHED : OWNERS_EXACT),
        .has_root = p->has_root,
        .empty = !p->holds,
    };
    int r = rec_write(&layer_rec, p->dir, "layer.json", &l);
    if (r == 0)
        r = tree_remove(p->dir, "work");
    if (r == 0 && fchmod(p->dir, 0700) < 0)
        r = err_sys("cannot make a layer");
    if (r == 0)
        r = stage_publish_layer(st, name, hex);
    if (r == 0)
        *ret_key = xstrdup(hex);
    return r;
}

static void pack_done(struct pack *p)
{
    links_free(p);
    recipe_writer_free(p->recipe);
    digest_free(p->digest);
    buf_done(&p->head);
    free(p->data);
    fd_close(p->diff);
    fd_close(p->dir);
}

int layer_pack(struct stage *st, const char *name, const struct pack_options *options, char **ret_key)
{
    auto_with(pack_done) struct pack p = {
        .options = options, .single = idmap_single(&st->store->map), .dir = dir_open(st->fd, name), .diff = -1};
    if (p.dir < 0)
        return p.dir;
    p.diff = dir_open(p.dir, "diff");
    if (p.diff < 0)
        return p.diff;
    auto_close int recipe = openat(p.dir, "recipe", O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (recipe < 0)
        return err_sys("cannot make the recipe of a layer");
    p.recipe = recipe_writer_new(recipe);
    p.digest = digest_new(true);
    p.data = xmalloc(DATA_SIZE);
    int r = pack_stream(&p);
    if (r < 0)
        return r;
    if (p.entries > 0)
        return pack_publish(&p, st, name, ret_key);
    *ret_key = NULL;
    return 0;
}
