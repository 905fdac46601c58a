/* Finding the sources of a COPY (DF-39, S-063): wildcards, what is ignored, and the walk.
 *
 * A source is resolved in the root of its tree, links included; whether it is ignored is asked of its real path, so
 * that a link leads to nothing that is ignored. Below a directory, links are taken as links. */
#include "copy-source.h"

#include "rootpath.h"
#include "told.h"

#include "whelk/err.h"
#include "whelk/kept-owner.h"
#include "whelk/layer.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/xattr.h>

enum { DEPTH_MAX = 500, XATTR_MAX = 64 * 1024 };

void copy_list_done(struct copy_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->v[i].path);
        free(list->v[i].name);
        free(list->v[i].link);
    }
    free(list->v);
    *list = (struct copy_list){0};
}

static int failed(const struct copy_tree *t, const char *path, int r)
{
    auto_free char *shown = str_printable(path);
    return err_set(r, "cannot read %s in %s: %s", shown, t->what, strerror(-r));
}

/* Are path, and all that could be below it, left out? */
static bool is_ruled_out(const struct ignore *rules, const char *path, bool directory)
{
    if (!rules || !*path || !ignore_matches(rules, path))
        return false;
    return !directory || !ignore_may_include_below(rules, path);
}

static bool is_excluded(const struct copy_tree *t, const char *path, bool directory)
{
    return is_ruled_out(t->ignore, path, directory);
}

/* ---- the walk ---- */

/* A directory under walk. One that is ignored itself but holds something that is not is added when that is found. */
struct frame {
    struct frame *up;
    const struct copy_tree *tree;
    struct copy_list *list;
    const char *path, *name;
    struct stat st;
    size_t index; /* + 1, 0: not added */
    bool top;     /* the source itself: it stands for the destination */
    unsigned depth;
};

static size_t add_item(struct copy_list *list, const struct copy_tree *tree, const char *path, const char *name,
                       const struct stat *st, size_t parent)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 16;
        list->v = xrealloc(list->v, list->cap * sizeof(*list->v));
    }
    list->v[list->n++] = (struct copy_item){
        .tree = tree,
        .path = xstrdup(path),
        .name = xstrdup(name),
        .st = *st,
        .parent = parent,
    };
    return list->n;
}

static size_t frame_index(struct frame *f)
{
    if (!f->top && !f->index)
        f->index = add_item(f->list, f->tree, f->path, f->name, &f->st, frame_index(f->up));
    return f->index;
}

static int read_link(struct copy_item *item, int dir, const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target));
    if (n < 0 || n == sizeof(target))
        return n < 0 ? -errno : -ENAMETOOLONG;
    item->link = xstrndup(target, (size_t)n);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, hidden ones too, sorted. -errno without text. */
static int read_names(int fd, char ***ret)
{
    auto_strv char **names = NULL;
    auto_dir DIR *dir = dir_iterate(fd);
    size_t n = 0, cap = 0;
    if (!dir)
        return errno ? -errno : -EIO;
    for (struct dirent *e; (errno = 0, e = readdir(dir));) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        if (n + 1 >= cap) {
            cap = cap ? cap * 2 : 64;
            names = xrealloc(names, cap * sizeof(*names));
        }
        names[n++] = xstrdup(e->d_name);
        names[n] = NULL;
    }
    if (errno)
        return -errno;
    if (n)
        qsort(names, n, sizeof(*names), compare_names);
    *ret = take_ptr(&names);
    return 0;
}

static int walk_dir(struct frame *f, int fd);

static bool is_matched(const struct ignore *rules, const char *path)
{
    return rules && ignore_matches(rules, path);
}

static int walk_below(struct frame *f, int dir, const char *name, struct frame *sub)
{
    if (sub->depth > DEPTH_MAX)
        return err_set(-ELOOP, "%s has directories that are nested more than %d deep", f->tree->what, DEPTH_MAX);
    if (!is_matched(f->tree->ignore, sub->path) && !is_matched(f->tree->exclude, sub->name))
        frame_index(sub);
    auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? failed(f->tree, sub->path, -errno) : walk_dir(sub, fd);
}

static bool can_be_copied(const struct stat *st)
{
    return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode) || S_ISFIFO(st->st_mode);
}

static int walk_name(struct frame *f, int dir, const char *entry)
{
    auto_free char *path = rootpath_join(f->path, entry), *name = rootpath_join(f->name, entry);
    struct stat st;
    if (fstatat(dir, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : failed(f->tree, path, -errno);
    if (!can_be_copied(&st) || is_excluded(f->tree, path, S_ISDIR(st.st_mode)) ||
        is_ruled_out(f->tree->exclude, name, S_ISDIR(st.st_mode))) {
        f->list->left_out = true;
        return 0;
    }
    if (S_ISDIR(st.st_mode)) {
        struct frame sub = {f, f->tree, f->list, path, name, st, 0, false, f->depth + 1};
        return walk_below(f, dir, entry, &sub);
    }
    size_t at = add_item(f->list, f->tree, path, name, &st, frame_index(f));
    int r = S_ISLNK(st.st_mode) ? read_link(&f->list->v[at - 1], dir, entry) : 0;
    return r < 0 ? failed(f->tree, path, r) : 0;
}

static int walk_dir(struct frame *f, int fd)
{
    auto_strv char **names = NULL;
    int r = read_names(fd, &names);
    if (r < 0)
        return failed(f->tree, f->path, r);
    strv_foreach (name, names) {
        r = walk_name(f, fd, name);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- one source ---- */

static int add_directory(const struct copy_tree *t, const char *real, const char *name, const struct stat *st,
                         size_t index, struct copy_list *list)
{
    struct frame top = {NULL, t, list, real, name, *st, index, !index, 0};
    auto_close int fd = rootpath_open(t->fd, real, O_RDONLY | O_DIRECTORY);
    list->directories = true;
    return fd < 0 ? failed(t, real, fd) : walk_dir(&top, fd);
}

/* The item of a directory by its name; made, with those above it, as the tree has them. root: where names begin. */
static int add_parents(const struct copy_tree *t, const char *root, const char *name, struct copy_list *list,
                       size_t *ret)
{
    const char *slash = strrchr(name, '/');
    auto_free char *up = xstrndup(name, slash ? (size_t)(slash - name) : 0), *path = rootpath_join(root, name);
    auto_free char *real = NULL;
    size_t parent = 0;
    struct stat st;
    *ret = 0;
    if (!*name)
        return 0;
    for (size_t i = list->n; i > 0; i--) {
        if (!S_ISDIR(list->v[i - 1].st.st_mode) || !str_eq(list->v[i - 1].name, name))
            continue;
        *ret = i;
        return 0;
    }
    int r = add_parents(t, root, up, list, &parent);
    if (r == 0)
        r = rootpath_resolve(t->fd, path, true, &real, &st);
    if (r < 0 || !S_ISDIR(st.st_mode))
        return r < 0 ? r : -ENOTDIR;
    *ret = add_item(list, t, real, name, &st, parent);
    return 0;
}

/* pivot: bytes of source before the part that is kept by --parents. */
static int add_with_parents(const struct copy_tree *t, const char *source, size_t pivot, const char *real,
                            const struct stat *st, struct copy_list *list)
{
    const char *name = source + pivot + strspn(source + pivot, "/"), *slash = strrchr(name, '/');
    auto_free char *root = xstrndup(source, pivot), *up = xstrndup(name, slash ? (size_t)(slash - name) : 0);
    bool directory = S_ISDIR(st->st_mode);
    size_t parent;
    list->directories = true; /* the destination is one, whatever is written */
    int r = add_parents(t, root, directory ? name : up, list, &parent);
    if (r < 0)
        return failed(t, source, r);
    if (directory)
        return add_directory(t, real, name, st, parent, list);
    add_item(list, t, real, name, st, parent);
    return 0;
}

static int add_source(const struct copy_tree *t, const char *source, size_t pivot, const char *real,
                      const struct stat *st, struct copy_list *list)
{
    const char *slash = strrchr(source, '/');
    list->n_sources++;
    if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode))
        return err_set(-EINVAL, "%s in %s is neither a file nor a directory", source, t->what);
    if (t->parents)
        return add_with_parents(t, source, pivot, real, st, list);
    if (S_ISDIR(st->st_mode))
        return add_directory(t, real, "", st, 0, list);
    const char *name = slash ? slash + 1 : source;
    if (is_matched(t->exclude, name))
        return 0;
    size_t at = add_item(list, t, real, name, st, 0);
    list->v[at - 1].named = true;
    return 0;
}

static int fail_ignored(const struct copy_tree *t, const char *source, const char *real)
{
    auto_free char *shown = str_printable(source);
    const char *rule = ignore_rule(t->ignore, real);
    return err_set(-ENOENT, "%s is left out of %s by the line \"%s\" of %s", shown, t->what, rule ? rule : "",
                   t->ignore_name);
}

static int add_plain(const struct copy_tree *t, const char *source, size_t pivot, struct copy_list *list)
{
    auto_free char *real = NULL, *shown = str_printable(*source ? source : "/");
    struct stat st;
    int r = rootpath_resolve(t->fd, source, true, &real, &st);
    if (r == 0 && is_excluded(t, real, S_ISDIR(st.st_mode)))
        return fail_ignored(t, source, real);
    if (r == -ENOTDIR || (r == 0 && !st.st_mode))
        return err_set(-ENOENT, "%s is not in %s", shown, t->what);
    return r < 0 ? failed(t, source, r) : add_source(t, source, pivot, real, &st, list);
}

/* ---- wildcards ---- */

struct glob {
    const struct copy_tree *tree;
    struct copy_list *list;
    char **parts;  /* of the pattern */
    size_t pivot;  /* components of parts that --parents does not keep */
    char *ignored; /* real path of a match that is left out */
    size_t found;
    unsigned depth;
};

static bool is_pattern(const char *s)
{
    return strpbrk(s, "*?[\\") != NULL;
}

static int glob_from(struct glob *g, const char *so_far, size_t at);

/* The bytes of the first n components. */
static size_t pivot_of(const char *path, size_t n)
{
    const char *p = path;
    for (; n && *p; n--) {
        p += strcspn(p, "/");
        p += *p == '/' && n > 1;
    }
    return (size_t)(p - path);
}

/* ** of --parents: here, and below every directory; links are not followed. */
static int glob_deep(struct glob *g, const char *so_far, int dir, size_t at)
{
    auto_strv char **names = NULL;
    int r = glob_from(g, so_far, at + 1);
    if (r == 0)
        r = read_names(dir, &names);
    if (r < 0)
        return r;
    if (g->depth > DEPTH_MAX)
        return failed(g->tree, so_far, -ELOOP);
    g->depth++;
    strv_foreach (name, names) {
        auto_free char *path = rootpath_join(so_far, name);
        auto_close int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        r = below >= 0 ? glob_deep(g, path, below, at) : 0;
        if (r < 0)
            return r;
    }
    g->depth--;
    return 0;
}

static int glob_found(struct glob *g, const char *path)
{
    auto_free char *real = NULL;
    struct stat st;
    int r = rootpath_resolve(g->tree->fd, path, true, &real, &st);
    if (r < 0 || !st.st_mode)
        return 0; /* a link that leads nowhere */
    if (is_excluded(g->tree, real, S_ISDIR(st.st_mode))) {
        free(g->ignored);
        g->ignored = take_ptr(&real);
        return 0;
    }
    g->found++;
    return add_source(g->tree, path, pivot_of(path, g->pivot), real, &st, g->list);
}

static int glob_names(struct glob *g, const char *so_far, int dir, size_t at)
{
    auto_strv char **names = NULL;
    int r = read_names(dir, &names);
    if (r < 0)
        return failed(g->tree, so_far, r);
    strv_foreach (name, names) {
        auto_free char *path = rootpath_join(so_far, name);
        if (!path_match(g->parts[at], name))
            continue;
        r = glob_from(g, path, at + 1);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What matches parts[at...] below so_far. */
static int glob_from(struct glob *g, const char *so_far, size_t at)
{
    auto_free char *real = NULL;
    struct stat st;
    if (!g->parts[at])
        return glob_found(g, so_far);
    if (!is_pattern(g->parts[at])) {
        auto_free char *path = rootpath_join(so_far, g->parts[at]);
        return glob_from(g, path, at + 1);
    }
    if (rootpath_resolve(g->tree->fd, so_far, true, &real, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    auto_close int dir = rootpath_open(g->tree->fd, real, O_RDONLY | O_DIRECTORY);
    if (dir < 0)
        return failed(g->tree, real, dir);
    bool deep = g->tree->parents && str_eq(g->parts[at], "**");
    return deep ? glob_deep(g, so_far, dir, at) : glob_names(g, so_far, dir, at);
}

static int add_matches(const struct copy_tree *t, const char *pattern, size_t pivot, struct copy_list *list)
{
    auto_strv char **parts = strv_split(pattern, "/");
    auto_free char *before = xstrndup(pattern, pivot);
    auto_strv char **dropped = strv_split(before, "/");
    struct glob g = {.tree = t, .list = list, .parts = parts, .pivot = strv_len(dropped)};
    auto_free char *shown = str_printable(pattern);
    int r = glob_from(&g, "", 0);
    auto_free char *ignored = g.ignored;
    if (r < 0 || g.found)
        return r;
    if (ignored)
        return fail_ignored(t, pattern, ignored);
    return err_set(-ENOENT, "nothing in %s matches %s", t->what, shown);
}

/* ---- hard links ---- */

static int compare_inodes(const void *va, const void *vb)
{
    const struct copy_item *a = *(struct copy_item *const *)va, *b = *(struct copy_item *const *)vb;
    if (a->st.st_dev != b->st.st_dev)
        return a->st.st_dev < b->st.st_dev ? -1 : 1;
    if (a->st.st_ino != b->st.st_ino)
        return a->st.st_ino < b->st.st_ino ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void find_twins(struct copy_list *list)
{
    auto_free struct copy_item **linked = xcalloc(list->n + 1, sizeof(struct copy_item *));
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        list->v[i].twin = 0;
        if (S_ISREG(list->v[i].st.st_mode) && list->v[i].st.st_nlink > 1)
            linked[n++] = &list->v[i];
    }
    if (n)
        qsort(linked, n, sizeof(struct copy_item *), compare_inodes);
    for (size_t i = 1, first = 0; i < n; i++) {
        const struct stat *a = &linked[first]->st, *b = &linked[i]->st;
        if (a->st_dev == b->st_dev && a->st_ino == b->st_ino)
            linked[i]->twin = (size_t)(linked[first] - list->v) + 1;
        else
            first = i;
    }
}

static bool find_kept_owner(const struct copy_tree *t, const struct copy_item *item, struct kept_owner *ret)
{
    if (!S_ISREG(item->st.st_mode) && !S_ISDIR(item->st.st_mode)) {
        const struct kept_owner *found = t->special_owners ? pack_owners_find(t->special_owners, item->path) : NULL;
        *ret = found ? *found : *ret;
        return found;
    }
    auto_close int fd = rootpath_open(t->fd, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return fd >= 0 && kept_owner_get(fd, ret);
}

/* Whose files are where the disk cannot say it. */
static void take_kept_owners(const struct copy_tree *t, struct copy_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct copy_item *item = &list->v[i];
        struct kept_owner owner = {0};
        if (item->tree != t || !find_kept_owner(t, item, &owner))
            continue;
        item->st.st_uid = owner.uid;
        item->st.st_gid = owner.gid;
    }
}

/* Where the part of a source begins that --parents keeps: behind the last /./ . */
static size_t find_pivot(const char *source)
{
    const char *found = NULL;
    for (const char *p = source; (p = strstr(p, "/./")); p++)
        found = p;
    if (!found)
        return 0;
    auto_free char *before = xstrndup(source, (size_t)(found - source)), *clean = rootpath_clean(before);
    return strlen(clean);
}

int copy_list_add(const struct copy_tree *t, char *const *sources, struct copy_list *list)
{
    strv_foreach (source, sources) {
        auto_free char *clean = rootpath_clean(source);
        size_t pivot = t->parents ? find_pivot(source) : 0;
        int r = is_pattern(clean) ? add_matches(t, clean, pivot, list) : add_plain(t, clean, pivot, list);
        if (r < 0)
            return r;
    }
    find_twins(list);
    if (t->kept_owners)
        take_kept_owners(t, list);
    return 0;
}

void copy_list_add_text(struct copy_list *list, const char *name, const char *text, int64_t mtime)
{
    const int64_t second = INT64_C(1000000000);
    struct stat st = {.st_mode = S_IFREG | 0644, .st_mtim = {mtime / second, mtime % second}};
    st.st_size = (off_t)strlen(text);
    size_t at = add_item(list, NULL, name, name, &st, 0);
    struct copy_item *item = &list->v[at - 1];
    item->named = true;
    item->text = text;
    list->n_sources++;
}

/* ---- the key ---- */

static bool keeps_xattr(const char *name)
{
    return str_eq(name, "security.capability") || (str_after(name, "user.") && !str_after(name, "user.overlay."));
}

/* Calls fn for each kept xattr of fd. */
static int each_xattr(int fd, int (*fn)(void *ctx, const char *name, const void *value, size_t len), void *ctx)
{
    auto_free char *names = xmalloc(XATTR_MAX), *value = xmalloc(XATTR_MAX);
    ssize_t len = flistxattr(fd, names, XATTR_MAX);
    for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
        ssize_t n = keeps_xattr(name) ? fgetxattr(fd, name, value, XATTR_MAX) : -1;
        int r = n >= 0 ? fn(ctx, name, value, (size_t)n) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int key_xattr(void *ctx, const char *name, const void *value, size_t len)
{
    char hex[DIGEST_BUF];
    digest_bytes(value, len, hex);
    cache_key_add(ctx, name, hex);
    return 0;
}

static int set_xattr(void *ctx, const char *name, const void *value, size_t len)
{
    if (str_eq(name, KEPT_OWNER_XATTR))
        return 0;
    return fsetxattr(*(const int *)ctx, name, value, len, 0) < 0 ? -errno : 0;
}

int copy_xattrs(int from, int to)
{
    return each_xattr(from, set_xattr, &to);
}

static int key_content(const struct copy_item *item, struct cache_key *k)
{
    const struct copy_tree *t = item->tree;
    char hex[DIGEST_BUF];
    if (item->text) {
        digest_bytes(item->text, strlen(item->text), hex);
        cache_key_add(k, "content", hex);
        return 0;
    }
    if (!t->layers && t->trust_stat && file_digests_known(t->digests, &item->st, hex)) {
        cache_key_add(k, "content", hex);
        return 0;
    }
    auto_close int fd = rootpath_open(t->fd, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return failed(t, item->path, fd);
    int r = file_digests_get(t->digests, fd, &item->st, t->trust_stat, hex);
    if (r < 0)
        return r;
    cache_key_add(k, "content", hex);
    return t->layers ? each_xattr(fd, key_xattr, k) : 0;
}

static int key_items(const struct copy_list *list, struct cache_key *k)
{
    cache_key_add_number(k, "sources", list->n_sources);
    cache_key_add_number(k, "directories", list->directories);
    cache_key_add_number(k, "items", list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct copy_item *item = &list->v[i];
        bool owned = item->tree && item->tree->layers;
        cache_key_add(k, item->named ? "named" : "name", item->name);
        cache_key_add_number(k, "mode", item->st.st_mode);
        cache_key_add_number(k, "twin", item->twin);
        cache_key_add(k, "link", item->link);
        cache_key_add_number(k, "uid", owned ? item->st.st_uid : 0);
        cache_key_add_number(k, "gid", owned ? item->st.st_gid : 0);
        int r = S_ISREG(item->st.st_mode) && !item->twin ? key_content(item, k) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int copy_list_key(const struct copy_list *list, struct cache_key *k)
{
    struct buf *told = k->told;
    k->told = NULL; /* the files are told by copy_list_tell, when anybody wants to know */
    int r = key_items(list, k);
    k->told = told;
    return r;
}

static int item_tell(const struct copy_item *item, struct buf *told)
{
    bool owned = item->tree && item->tree->layers;
    char content[CACHE_KEY] = "-";
    struct cache_key k;
    if (S_ISREG(item->st.st_mode) && !item->twin) {
        cache_key_begin(&k, "", "content");
        int r = key_content(item, &k);
        if (r < 0) {
            cache_key_drop(&k);
            return r;
        }
        cache_key_end(&k, content);
    }
    auto_free char *meta =
        xasprintf("%o %u:%u %zu %s", item->st.st_mode, owned ? item->st.st_uid : 0, owned ? item->st.st_gid : 0,
                  item->twin ? (size_t)1 : 0, item->link ? item->link : "-");
    told_add_file(told, item->name, meta, content);
    return 0;
}

int copy_list_tell(const struct copy_list *list, struct buf *told)
{
    int r = 0;
    for (size_t i = 0; i < list->n && r == 0; i++)
        r = item_tell(&list->v[i], told);
    return r;
}
