/* COPY (DF-39, S-063). copy-source.c finds what is copied; here it is put into the tree of a new layer.
 *
 * Where it goes is resolved in the merged view of what lies below, links included: COPY to /bin of an image whose /bin
 * is a link to usr/bin lands in usr/bin. So are directories below the destination.
 *
 * Runs in: copy_prepare in the invocation; what reads or makes layers in the BUILDER. */
#include "builder.h"

#include "copy-source.h"
#include "layer-tree.h"
#include "lex.h"
#include "owner.h"
#include "rootpath.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/layer.h"
#include "whelk/mnt.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

enum { ETC_MAX = 4 << 20, SMALL = 64 * 1024 };

/* What prepare finds out. */
struct copy_work {
    char **sources, *destination; /* expanded */
    char **texts;                 /* of heredocs, expanded, */
    char **names;                 /* and their names */
    bool into;                    /* the destination is written as a directory */
    char *chown, *chmod;          /* NULL: not given */
    struct mode_change mode;
    struct copy_tree tree;
    char *what;
    char **layers, **diffids; /* what it is taken from, if not the context */
    struct copy_list list;
};

void copy_done(struct step *s)
{
    struct copy_work *w = s->work;
    if (!w)
        return;
    copy_list_done(&w->list);
    if (w->tree.layers)
        fd_close(w->tree.fd);
    strv_free(w->sources);
    strv_free(w->texts);
    strv_free(w->names);
    strv_free(w->layers);
    strv_free(w->diffids);
    free(w->destination);
    free(w->chown);
    free(w->chmod);
    free(w->what);
    free(w);
}

/* ---- preparing ---- */

static int expand_flag(struct step *s, const char *name, char **ret)
{
    const char *flag = instruction_flag(s->i, name);
    return flag ? expand_word(flag, s->b->file.escape, build_state_lookup, s->state, ret) : 0;
}

static int read_flags(struct step *s, struct copy_work *w)
{
    int r = expand_flag(s, "chown", &w->chown);
    if (r == 0)
        r = expand_flag(s, "chmod", &w->chmod);
    if (r == 0 && w->chmod)
        r = mode_parse(w->chmod, &w->mode);
    cache_key_add(&s->key, "chown", w->chown);
    cache_key_add(&s->key, "chmod", w->chmod);
    return r;
}

static bool ends_as_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash ? slash + 1 : path;
    return !*last || str_eq(last, ".") || str_eq(last, "..");
}

/* A file that stands in the Dockerfile (DF-06). */
static int read_heredoc(struct step *s, struct copy_work *w, const struct heredoc *h)
{
    auto_free char *text = heredoc_text(h);
    char *expanded = NULL;
    if (strchr(h->name, '/') || str_eq(h->name, ".") || str_eq(h->name, ".."))
        return err_set(-EINVAL, "<<%s is no name of a file", h->name);
    int r = h->expands ? expand_text(text, '\\', build_state_lookup, s->state, &expanded) : 0;
    if (r < 0)
        return r;
    strv_add_take(&w->texts, expanded ? expanded : take_ptr(&text));
    strv_add(&w->names, h->name);
    return 0;
}

static bool is_heredoc(const struct step *s, const char *written)
{
    struct lex_word word = {written, strlen(written)};
    return !s->i->json && s->i->n_heredocs && lex_is_heredoc(&word);
}

static int read_args(struct step *s, struct copy_work *w)
{
    size_t n = strv_len(s->args);
    int r = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        if (is_heredoc(s, s->i->args[i]))
            continue;
        if (!*s->args[i])
            return err_set(-EINVAL, "a source is empty; is a variable not set?");
        strv_add(&w->sources, s->args[i]);
    }
    for (size_t i = 0; i < s->i->n_heredocs && r == 0; i++)
        r = read_heredoc(s, w, &s->i->heredocs[i]);
    if (r < 0)
        return r;
    w->destination = xstrdup(s->args[n - 1]);
    w->into = ends_as_directory(w->destination);
    if (!*w->destination)
        return err_set(-EINVAL, "the destination is empty; is a variable not set?");
    return 0;
}

/* The list, once. Several sources want a directory, and it must be written as one. */
static int make_list(const struct step *s, struct copy_work *w)
{
    int r = copy_list_make(&w->tree, w->sources, &w->list);
    for (size_t i = 0; r == 0 && i < strv_len(w->texts); i++)
        copy_list_add_text(&w->list, w->names[i], w->texts[i], s->state->created);
    if (r == 0 && w->list.n_sources > 1 && !w->into)
        r = err_set(-EINVAL, "with more than one source the destination must be a directory and end with a /: %s/",
                    w->destination);
    return r;
}

static int take_context(struct step *s, struct copy_work *w)
{
    const struct builder *b = s->b;
    w->what = xstrdup("the build context");
    w->tree = (struct copy_tree){
        .fd = b->context.fd,
        .what = w->what,
        .ignore = b->context.ignore,
        .ignore_name = b->context.ignore_name,
        .trust_stat = !b->options->no_cache,
        .digests = b->digests,
    };
    int r = make_list(s, w);
    return r < 0 ? r : copy_list_key(&w->tree, &w->list, &s->key);
}

static int take_image(struct step *s, struct copy_work *w, const char *image)
{
    struct image_config config = {0};
    auto_free char *id = NULL;
    int r = builder_image(s->b, image, &id, &config, &w->layers);
    if (r < 0)
        return err_wrap(r, "--from=%s: this is no stage before this one, and no image that is here", image);
    w->diffids = image_config_diff_ids(&config);
    w->what = xasprintf("image %s", image);
    image_config_done(&config);
    return 0;
}

static int take_stage(struct step *s, struct copy_work *w, size_t stage)
{
    const struct build_state *from = &s->b->stages[stage];
    const char *name = s->b->file.stages[stage].name;
    w->layers = strv_copy(from->layers);
    w->diffids = image_config_diff_ids(&from->config);
    w->what = name ? xasprintf("stage %s", name) : xasprintf("stage %zu", stage);
    return 0;
}

static int take_layers(struct step *s, struct copy_work *w, const struct plan_source *from)
{
    int r = from->kind == FROM_STAGE ? take_stage(s, w, from->stage) : take_image(s, w, from->image);
    s->indirect = true;
    w->tree = (struct copy_tree){.fd = -1,
                                 .what = w->what,
                                 .layers = true,
                                 .kept_owners = idmap_single(&s->b->store->map),
                                 .digests = s->b->digests};
    return r;
}

static int refuse_later(const struct step *s)
{
    static const char *const flags[] = {"link", "parents", "exclude", "checksum", "keep-git-dir", "unpack"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (instruction_flag(s->i, flags[i]))
            return err_set(-EOPNOTSUPP, "--%s is not done by this version", flags[i]);
    return 0;
}

int add_prepare(struct step *s)
{
    strv_foreach (source, s->args)
        if (strstr(source, "://") || str_after(source, "git@"))
            return err_set(-EOPNOTSUPP, "ADD of a URL is not done by this version");
    return copy_prepare(s);
}

int copy_prepare(struct step *s)
{
    int late = refuse_later(s);
    if (late < 0)
        return late;
    const struct plan_source *from = &s->b->plan.stages[s->stage].copies[s->number];
    struct copy_work *w = s->work = xcalloc(1, sizeof(*w));
    int r = read_args(s, w);
    if (r == 0)
        r = read_flags(s, w);
    if (r < 0)
        return r;
    return from->kind == FROM_CONTEXT ? take_context(s, w) : take_layers(s, w, from);
}

int copy_key_source(struct step *s, struct cache_key *k)
{
    const struct copy_work *w = s->work;
    cache_key_add_strv(k, "diffids", w->diffids);
    return 0;
}

int copy_key_content(struct step *s, struct cache_key *k)
{
    struct copy_work *w = s->work;
    int r = builder_merged(s->b, w->layers, &w->tree.fd);
    if (r == 0)
        r = make_list(s, w);
    return r < 0 ? r : copy_list_key(&w->tree, &w->list, k);
}

/* ---- the copy ---- */

struct copy {
    struct step *s;
    struct copy_work *w;
    struct layer_tree tree;
    uid_t uid; /* with --chown, or out of the context */
    gid_t gid;
    bool keep_owners;
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
    if (!c->keep_owners) {
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
    if (r == 0 && c->w->tree.layers)
        r = copy_xattrs(from, to);
    if (r == 0 && fstat(from, &now) < 0)
        r = -errno;
    if (r < 0)
        return r;
    c->changed |= !c->w->tree.layers && !same_file(&now, &item->st);
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

static int put_file(struct copy *c, const struct copy_item *item, const char *name)
{
    if (item->text)
        return put_text(c, item, name);
    auto_close int from = rootpath_open(c->w->tree.fd, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
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
    c->keep_owners = c->w->tree.layers && !c->w->chown;
    if (!c->w->chown)
        return 0;
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

int copy_execute(struct step *s, int dir, struct layer_facts *ret)
{
    struct copy_work *w = s->work;
    auto_with(copy_end) struct copy c = {
        .s = s,
        .w = w,
        .tree = {.diff = -1},
        .owners = &ret->owners,
        .places = xcalloc(w->list.n + 1, sizeof(char *)),
        .to = -1,
        .below = -1,
    };
    int r = layer_tree_begin(&c.tree, s->b->store, dir, s->state->layers, s->lower, s->state->created);
    if (r == 0)
        r = copy_all(&c);
    if (r < 0)
        return r;
    ret->changed = true;
    ret->unstable = c.changed;
    tell(&c, ret);
    return 0;
}
