/* RUN --mount: what a step sees beside its layers (DF-22 .. DF-26).
 *
 *   bind    of the context: the directory itself, or a copy without what the ignore file leaves out; of a stage or an
 *           image: its layers; with rw a copy, since what is written is thrown away
 *   cache   cache/mounts/<hash of the id>/data, with `lock` beside it for sharing=locked and private
 *   tmpfs   empty
 *   secret  in memory only; its value counts for no key and comes into no layer
 *   ssh     the socket of an agent
 *
 * The key has the contents of what is bound, without times; of everything else only what the flag says.
 * Runs in: mounts_make in the BUILDER. */
#include "step-mount.h"

#include "copy-source.h"
#include "layer-tree.h"
#include "mount.h"
#include "rootpath.h"

#include "whelk/copy-tree.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/lock.h"

#include <fcntl.h>

enum { SECRET_MAX = 500 * 1000, PRIVATE_MAX = 64 };

#define SSH_SOCKET "/run/buildkit/ssh_agent.%zu" /* where docker's users look for it */

struct mount {
    struct mount_flag flag;
    char *target; /* absolute */
    /* of a bind */
    struct plan_source from;
    char *what;
    char **layers, **diffids;
    struct copy_tree tree;
    struct copy_list list;
    bool listed;
    char *copy; /* of what is bound, in the staging directory; NULL: none */
    int lock;   /* of a cache */
};

struct run_mounts {
    struct mount *v;
    size_t n;
};

/* ---- preparing ---- */

static char *default_target(const struct mount *m, size_t number)
{
    if (m->flag.kind == MOUNT_SECRET)
        return m->flag.env ? NULL : xasprintf("/run/secrets/%s", m->flag.id);
    return xasprintf(SSH_SOCKET, number);
}

static const char *secret_id(const struct mount *m)
{
    const char *slash = m->flag.target ? strrchr(m->flag.target, '/') : NULL;
    return m->flag.id ? m->flag.id : slash ? slash + 1 : m->flag.target;
}

static int find_target(struct step *s, struct mount *m, size_t number)
{
    m->target = m->flag.target ? workdir_join(s->state, m->flag.target) : default_target(m, number);
    if (!m->target || !str_eq(m->target, "/"))
        return 0;
    return err_set(-EINVAL, "--mount: the target cannot be the root directory");
}

static int take_layers(struct step *s, struct mount *m)
{
    struct image_config config = {0};
    auto_free char *id = NULL;
    if (m->from.kind == FROM_STAGE) {
        const struct build_state *from;
        int r = builder_stage(s->b, s->stage, m->from.stage, &from);
        if (r < 0)
            return r;
        m->layers = strv_copy(from->layers);
        m->diffids = image_config_diff_ids(&from->config);
    } else {
        int r = builder_image(s->b, m->from.image, &id, &config, &m->layers);
        if (r < 0)
            return err_wrap(r, "--mount: from=%s is no stage before this one, and no image that is here",
                            m->from.image);
        m->diffids = image_config_diff_ids(&config);
        image_config_done(&config);
    }
    m->what = xasprintf("from=%s", m->flag.from);
    m->tree = (struct copy_tree){.fd = -1,
                                 .what = m->what,
                                 .layers = true,
                                 .kept_owners = idmap_single(&s->b->store->map),
                                 .digests = s->b->digests};
    return 0;
}

static int make_list(struct mount *m)
{
    char *const sources[] = {m->flag.source ? m->flag.source : (char *)(uintptr_t) ".", NULL};
    m->listed = true;
    return copy_list_add(&m->tree, sources, &m->list);
}

static int take_context(struct step *s, struct mount *m)
{
    struct builder *b = s->b;
    struct context *c = &b->context;
    bool named = m->from.kind == FROM_NAMED;
    int r = named ? builder_named(b, m->from.named, &c) : 0;
    if (r < 0)
        return r;
    m->what =
        named ? xasprintf("the build context %s", b->plan.names[m->from.named].name) : xstrdup("the build context");
    m->tree = (struct copy_tree){.fd = c->fd,
                                 .what = m->what,
                                 .ignore = c->ignore,
                                 .ignore_name = c->ignore_name,
                                 .trust_stat = !b->options->no_cache,
                                 .digests = b->digests};
    r = make_list(m);
    return r < 0 ? r : copy_list_key(&m->list, &s->key);
}

static int take_source(struct step *s, struct mount *m)
{
    bool bind = m->flag.kind == MOUNT_BIND;
    if (!m->flag.from)
        return bind ? take_context(s, m) : 0;
    int r = build_plan_find(&s->b->plan, &s->b->file, s->stage, m->flag.from, &m->from);
    if (r == 0 && m->from.kind == FROM_NAMED)
        return bind ? take_context(s, m)
                    : err_set(-EOPNOTSUPP, "--mount=type=cache: from= takes a stage or an image, not a build context");
    if (r == 0)
        r = take_layers(s, m);
    s->indirect |= r == 0 && bind;
    return r;
}

/* What the flag says; of a secret all but what it is. */
static void add_key(struct step *s, const struct mount *m)
{
    const struct mount_flag *f = &m->flag;
    cache_key_add(&s->key, "mount", mount_kind_name(f->kind));
    cache_key_add(&s->key, "target", m->target);
    cache_key_add(&s->key, "source", f->source);
    cache_key_add(&s->key, "id", f->id);
    cache_key_add(&s->key, "env", f->env);
    const int64_t numbers[] = {f->read_only, f->required, f->sharing, f->uid, f->gid, f->mode, f->size};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        cache_key_add_number(&s->key, "number", (uint64_t)numbers[i]);
}

static int prepare_one(struct step *s, struct mount *m, const char *flag, size_t number)
{
    auto_free char *expanded = NULL;
    int r = expand_word(flag, s->b->file.escape, build_state_lookup, s->state, &expanded);
    if (r == 0)
        r = mount_flag_parse(expanded, &m->flag);
    if (r == 0)
        r = find_target(s, m, number);
    if (r < 0)
        return r;
    add_key(s, m);
    return take_source(s, m);
}

int mounts_prepare(struct step *s)
{
    struct run_mounts *all = NULL;
    int r = 0;
    strv_foreach (flag, s->i->flags) {
        const char *value = str_after(flag, "mount=");
        if (!value || r < 0)
            continue;
        if (!all) {
            s->work = all = xcalloc(1, sizeof(*all));
            all->v = xcalloc(strv_len(s->i->flags), sizeof(*all->v)); /* lists point into it: it never moves */
        }
        all->v[all->n] = (struct mount){.tree = {.fd = -1}, .lock = -1};
        r = prepare_one(s, &all->v[all->n], value, all->n);
        all->n++;
    }
    return r;
}

/* ---- keys of what is bound out of layers ---- */

int mounts_key_source(struct step *s, struct cache_key *k)
{
    const struct run_mounts *all = s->work;
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].flag.kind == MOUNT_BIND && all->v[i].layers)
            cache_key_add_strv(k, "diffids", all->v[i].diffids);
    return 0;
}

int mounts_key_content(struct step *s, struct cache_key *k)
{
    struct run_mounts *all = s->work;
    int r = 0;
    for (size_t i = 0; i < all->n && r == 0; i++) {
        struct mount *m = &all->v[i];
        if (m->flag.kind != MOUNT_BIND || !m->layers)
            continue;
        r = builder_merged(s->b, m->layers, &m->tree.fd);
        if (r == 0)
            r = make_list(m);
        if (r == 0)
            r = copy_list_key(&m->list, k);
    }
    return r;
}

int mounts_tell(struct step *s, struct buf *told)
{
    const struct run_mounts *all = s->work;
    int r = 0;
    for (size_t i = 0; all && i < all->n && r == 0; i++)
        r = copy_list_tell(&all->v[i].list, told);
    return r;
}

/* ---- bind ---- */

struct making {
    struct step *s;
    struct step_spec *spec;
    char ***env;
    size_t number;
};

static struct ctr_mount *add_mount(struct step_spec *spec, const char *type, const char *source, const char *target)
{
    struct ctr_mount *c = rec_list_add(&ctr_mount_rec, &spec->mounts);
    c->type = xstrdup(type);
    c->source = xstrdup(source);
    c->target = xstrdup(target);
    return c;
}

static int put_item(int dir, const struct copy_item *item)
{
    mode_t mode = item->st.st_mode & 07777;
    if (S_ISDIR(item->st.st_mode))
        return mkdirat(dir, item->name, mode) < 0 ? -errno : 0;
    if (S_ISLNK(item->st.st_mode))
        return symlinkat(item->link, dir, item->name) < 0 ? -errno : 0;
    auto_close int from = rootpath_open(item->tree->fd, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    auto_close int to = openat(dir, item->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    return from < 0 ? from : to < 0 ? -errno : fd_copy(from, to);
}

/* A copy of what the list has: names are below the directory, in an order in which directories come first. */
static int copy_out(const struct mount *m, int at, const char *name)
{
    int r = dir_make(at, name, 0755);
    auto_close int dir = r < 0 ? r : dir_open(at, name);
    r = MIN(dir, 0);
    for (size_t i = 0; i < m->list.n && r == 0; i++) {
        const struct copy_item *item = &m->list.v[i];
        if (S_ISREG(item->st.st_mode) || S_ISDIR(item->st.st_mode) || S_ISLNK(item->st.st_mode))
            r = put_item(dir, item);
        if (r < 0)
            return err_set(r, "cannot copy %s for a mount: %s", item->path, strerror(-r));
    }
    return r;
}

/* Beside the box, which the step's root is mounted over. */
static int bind_copy(struct making *k, struct mount *m)
{
    const struct builder *b = k->s->b;
    const char *box = strrchr(k->spec->dir, '/') + 1;
    bool file = !m->list.directories && m->list.n == 1;
    m->copy = xasprintf("%s-mount-%zu", box, k->number);
    int r = copy_out(m, b->staging->fd, m->copy);
    auto_free char *source = xasprintf("%s/tmp/%s/%s%s%s", b->store->path, b->staging->name, m->copy, file ? "/" : "",
                                       file ? m->list.v[0].name : "");
    struct ctr_mount *c = add_mount(k->spec, "bind", source, m->target);
    strv_add(&c->options, m->flag.read_only ? "ro" : "rw");
    strv_add(&c->options, "exec");
    return r;
}

/* The real path of the source in its tree. */
static int resolve_source(const struct mount *m, char **ret)
{
    struct stat st;
    int r = rootpath_resolve(m->tree.fd, m->flag.source ? m->flag.source : ".", true, ret, &st);
    if (r == 0 && !st.st_mode)
        r = -ENOENT;
    return r < 0 ? err_set(r, "--mount: source=%s in %s: %s", m->flag.source, m->tree.what, strerror(-r)) : 0;
}

static int bind_context(struct making *k, const struct mount *m)
{
    char top[PATH_MAX], fd[32];
    auto_free char *real = NULL;
    int r = resolve_source(m, &real);
    snprintf(fd, sizeof(fd), "/proc/self/fd/%d", m->tree.fd);
    ssize_t len = r < 0 ? 0 : readlink(fd, top, sizeof(top) - 1);
    if (len < 0)
        r = err_sys("cannot find the build context again");
    if (r < 0)
        return r;
    top[len] = '\0';
    auto_free char *source = xasprintf("%s%s%s", top, *real ? "/" : "", real);
    struct ctr_mount *c = add_mount(k->spec, "bind", source, m->target);
    strv_add(&c->options, "ro");
    strv_add(&c->options, "exec");
    return 0;
}

static int bind_layers(struct making *k, const struct mount *m)
{
    auto_free char *real = NULL;
    int r = resolve_source(m, &real);
    if (r < 0)
        return r;
    struct ctr_mount *c = add_mount(k->spec, "image", m->what, m->target);
    c->layers = strv_copy(m->layers);
    c->subpath = *real ? take_ptr(&real) : NULL;
    strv_add(&c->options, "exec");
    return 0;
}

static int make_bind(struct making *k, struct mount *m)
{
    if (!m->flag.read_only || m->list.left_out)
        return bind_copy(k, m);
    return m->layers ? bind_layers(k, m) : bind_context(k, m);
}

/* ---- cache ---- */

/* What a new cache begins with. */
static int fill_cache(struct step *s, struct mount *m, int data)
{
    auto_close int merged = -1, from = -1;
    auto_free char *real = NULL;
    if (!m->layers)
        return 0;
    int r = builder_merged(s->b, m->layers, &merged);
    m->tree.fd = merged;
    if (r == 0)
        r = resolve_source(m, &real);
    if (r == 0)
        r = from = rootpath_open(merged, real, O_RDONLY | O_DIRECTORY);
    m->tree.fd = -1;
    return r < 0 ? err_wrap(r, "--mount=type=cache") : copy_tree(from, data);
}

static int make_data(struct step *s, struct mount *m, int dir)
{
    int r = tree_remove(dir, "new");
    if (r == 0)
        r = dir_make(dir, "new", 0755);
    auto_close int data = r < 0 ? r : dir_open(dir, "new");
    r = data < 0 ? data : fill_cache(s, m, data);
    if (r == 0 && fchmod(data, (mode_t)(m->flag.mode < 0 ? 0755 : m->flag.mode)) < 0)
        r = err_sys("cannot set the mode of a cache");
    if (r == 0 && (m->flag.uid > 0 || m->flag.gid > 0))
        r = layer_tree_own(&(struct layer_tree){.single = idmap_single(&s->b->store->map)}, data,
                           (uid_t)MAX(m->flag.uid, 0), (gid_t)MAX(m->flag.gid, 0));
    if (r == 0 && renameat(dir, "new", dir, "data") < 0)
        r = err_sys("cannot make a cache");
    return r;
}

/* Held for as long as the step runs. */
static int lock_cache(struct mount *m, int dir, bool wait)
{
    bool exclusive = m->flag.sharing != SHARING_SHARED;
    return lock_file(dir, "lock", exclusive, wait, &m->lock);
}

/* builder prune may have taken it away in between. */
static bool is_there(const struct step *s, int dir, const char *path)
{
    struct stat held, now;
    return fstat(dir, &held) == 0 && fstatat(s->b->store->fd, path, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_ino == now.st_ino;
}

static int open_cache(struct step *s, struct mount *m, const char *path, bool wait)
{
    const char *id = m->flag.id ? m->flag.id : m->target;
    int r = dir_make(s->b->store->fd, path, 0700);
    auto_close int dir = r < 0 ? r : dir_open(s->b->store->fd, path), setup = -1;
    r = dir < 0 ? dir : lock_file(dir, "setup", true, true, &setup);
    if (r == 0 && faccessat(dir, "data", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        r = make_data(s, m, dir);
    if (r == 0) /* for people, and its time for the pruner */
        r = file_publish(dir, "id", id, strlen(id), 0600, false);
    fd_close(take_fd(&setup));
    if (r == 0)
        r = lock_cache(m, dir, wait);
    return r < 0 || is_there(s, dir, path) ? r : -ESTALE;
}

/* sharing=private: the first one that nobody uses. */
static int make_cache(struct making *k, struct mount *m)
{
    struct step *s = k->s;
    const char *id = m->flag.id ? m->flag.id : m->target;
    char hex[DIGEST_BUF];
    auto_free char *path = NULL;
    digest_bytes(id, strlen(id), hex);
    int r = dir_make(s->b->store->fd, CACHE_MOUNTS, 0700);
    bool private = m->flag.sharing == SHARING_PRIVATE;
    for (unsigned i = 0; r == 0; i++) {
        free(path);
        path = i ? xasprintf(CACHE_MOUNTS "/%.32s-%u", hex, i) : xasprintf(CACHE_MOUNTS "/%.32s", hex);
        while ((r = open_cache(s, m, path, !private)) == -ESTALE)
            fd_close(take_fd(&m->lock));
        if (r == 0)
            break;
        if (r == -EWOULDBLOCK && i < PRIVATE_MAX)
            r = 0; /* somebody else's */
    }
    if (r < 0)
        return err_wrap(r, "--mount=type=cache,id=%s", id);
    auto_free char *source = xasprintf("%s/%s/data", s->b->store->path, path);
    struct ctr_mount *c = add_mount(k->spec, "bind", source, m->target);
    strv_add(&c->options, m->flag.read_only ? "ro" : "rw");
    strv_add(&c->options, "exec");
    return 0;
}

/* ---- tmpfs, secret, ssh ---- */

static int make_tmpfs(struct making *k, struct mount *m)
{
    struct ctr_mount *c = add_mount(k->spec, "tmpfs", "tmpfs", m->target);
    strv_add(&c->options, "notmpcopyup");
    strv_add(&c->options, "exec");
    if (m->flag.size >= 0)
        strv_addf(&c->options, "size=%lld", (long long)m->flag.size);
    return 0;
}

/* The words of --secret or --ssh with this id, or NULL. */
static char **find_word(char *const *words, const char *id)
{
    strv_foreach (word, words) {
        char **fields = NULL;
        if (strv_split_csv(word, &fields) < 0)
            continue;
        const char *own = strv_env_get(fields, "id");
        if (own && str_eq(own, id))
            return fields;
        strv_free(fields);
    }
    return NULL;
}

/* id=NAME[,src=FILE|,env=VARIABLE][,type=file|env]; without either it is a variable or a file of that name. */
static int read_secret(char *const *fields, const char *id, char **ret, size_t *ret_len)
{
    const char *src = strv_env_get(fields, "src"), *type = strv_env_get(fields, "type");
    const char *env = strv_env_get(fields, "env");
    src = src ? src : strv_env_get(fields, "source");
    if (!env && ((type && str_eq(type, "env")) || (!src && !type && getenv(id))))
        env = src ? src : id;
    if (env) {
        const char *value = getenv(env);
        if (!value)
            return err_set(-ENOENT, "--secret id=%s: the variable %s is not set", id, env);
        *ret = xstrdup(value);
        *ret_len = strlen(value);
        return 0;
    }
    int r = file_read(AT_FDCWD, src ? src : id, SECRET_MAX, ret, ret_len);
    return r < 0 ? err_set(r, "--secret id=%s: cannot read %s: %s", id, src ? src : id, strerror(-r)) : 0;
}

static void add_secret(const struct mount *m, const char *id, char *data, size_t len, struct step_spec *spec)
{
    struct ctr_secret *c = rec_list_add(&ctr_secret_rec, &spec->secrets);
    *c = (struct ctr_secret){.name = xstrdup(id),
                             .target = xstrdup(m->target),
                             .uid = MAX(m->flag.uid, 0),
                             .gid = MAX(m->flag.gid, 0),
                             .mode = m->flag.mode < 0 ? 0400 : m->flag.mode};
    spec->values = xrealloc(spec->values, (spec->n_values + 1) * sizeof(*spec->values));
    spec->values[spec->n_values++] = (struct secret_value){c->name, data, len};
}

static int make_secret(struct making *k, struct mount *m)
{
    const char *id = secret_id(m);
    auto_strv char **fields = find_word(k->s->b->options->secrets, id);
    auto_free char *data = NULL;
    size_t len = 0;
    if (!fields)
        return m->flag.required ? err_set(-ENOENT, "RUN needs the secret %s: give --secret id=%s,src=FILE", id, id) : 0;
    int r = read_secret(fields, id, &data, &len);
    if (r == 0 && m->flag.env && memchr(data, '\0', len))
        r = err_set(-EINVAL, "--secret id=%s has a zero byte: it cannot be a variable", id);
    if (r < 0)
        return r;
    if (m->flag.env)
        strv_env_set(k->env, m->flag.env, data);
    if (m->target)
        add_secret(m, id, take_ptr(&data), len, k->spec);
    return 0;
}

/* default, or id[=SOCKET]: an agent's socket. */
static const char *find_agent(char *const *words, const char *id)
{
    strv_foreach (word, words) {
        const char *path = str_after(word, id);
        if (path && (!*path || *path == '='))
            return *path ? path + 1 : getenv("SSH_AUTH_SOCK");
    }
    return NULL;
}

static int make_ssh(struct making *k, struct mount *m)
{
    const char *id = m->flag.id ? m->flag.id : "default";
    const char *agent = find_agent(k->s->b->options->ssh, id);
    struct stat st;
    if (!agent)
        return m->flag.required ? err_set(-ENOENT, "RUN needs an ssh agent: give --ssh %s (SSH_AUTH_SOCK is %s)", id,
                                          getenv("SSH_AUTH_SOCK") ? "set" : "not set")
                                : 0;
    if (stat(agent, &st) < 0)
        return err_sys("--ssh %s: %s", id, agent);
    if (!S_ISSOCK(st.st_mode))
        return err_set(-EINVAL, "--ssh %s: %s is not the socket of an agent; load keys into one with ssh-add", id,
                       agent);
    add_mount(k->spec, "bind", agent, m->target);
    if (!strv_env_get(*k->env, "SSH_AUTH_SOCK"))
        strv_env_set(k->env, "SSH_AUTH_SOCK", m->target);
    return 0;
}

/* ---- the whole ---- */

static int (*const makers[MOUNT_KINDS])(struct making *k, struct mount *m) = {
    [MOUNT_BIND] = make_bind,     [MOUNT_CACHE] = make_cache, [MOUNT_TMPFS] = make_tmpfs,
    [MOUNT_SECRET] = make_secret, [MOUNT_SSH] = make_ssh,
};

int mounts_make(struct step *s, struct step_spec *spec, char ***env)
{
    struct run_mounts *all = s->work;
    struct making k = {.s = s, .spec = spec, .env = env};
    int r = 0;
    for (; all && k.number < all->n && r == 0; k.number++) {
        struct mount *m = &all->v[k.number];
        r = makers[m->flag.kind](&k, m);
    }
    return r;
}

void mounts_spec_done(struct step_spec *spec)
{
    struct ctr c = {.mounts = spec->mounts, .secrets = spec->secrets};
    for (size_t i = 0; i < spec->n_values; i++)
        free(spec->values[i].data);
    free(spec->values);
    ctr_done(&c);
}

void mounts_done(struct step *s)
{
    struct run_mounts *all = s->work;
    for (size_t i = 0; all && i < all->n; i++) {
        struct mount *m = &all->v[i];
        mount_flag_done(&m->flag);
        copy_list_done(&m->list);
        if (m->layers)
            fd_close(m->tree.fd);
        fd_close(m->lock);
        if (m->copy)
            tree_remove(s->b->staging->fd, m->copy);
        free(m->copy);
        free(m->target);
        free(m->what);
        free(m->from.image);
        strv_free(m->layers);
        strv_free(m->diffids);
    }
    if (all)
        free(all->v);
    free(all);
    s->work = NULL;
}
