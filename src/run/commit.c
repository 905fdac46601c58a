/* commit: a layer out of what a container has changed, and the config of its image with what the container was started
 * with.
 *
 * The upper directory stays the container's: it is copied into staging, and the copy becomes the layer (STORE, from
 * upper directory to layer 4). Runs in: the caller; a worker that is root in the store's user namespace (names in
 * _worker). */
#include "whelk/commit.h"

#include "rootfs-parts.h"
#include "spec.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/log.h"
#include "whelk/run.h"
#include "whelk/tree-copy.h"

#include <fcntl.h>
#include <signal.h>

/* ---- the layer ---- */

struct commit_job {
    struct stage *st;
    const struct ctr *c;
    bool squash;
    int out; /* the key goes there */
};

static const char staged[] = "commit";

/* Copies the directory from to tmp/<stage>/commit/diff. Owners in it are those of the container's map, where it has one
 * of its own. */
static int copy_worker(const struct commit_job *j, int from)
{
    auto_close int dir = -1;
    int r = dir_make(j->st->fd, staged, 0700);
    if (r == 0)
        r = dir = dir_open(j->st->fd, staged);
    if (r >= 0)
        r = dir_make(dir, "diff", 0700);
    if (r < 0)
        return r;
    auto_close int diff = dir_open(dir, "diff");
    struct idmap map;
    r = diff < 0 ? diff : ctr_idmap(j->st->store, j->c, &map);
    return r < 0 ? r : tree_copy(from, diff, ctr_shifts(j->st->store, j->c) ? &(struct id_change){&map, true} : NULL);
}

/* What becomes the layer: the upper directory, or all as the container sees it. */
static int open_source_worker(const struct commit_job *j, int store, int *ret_fd)
{
    auto_free char *path = xasprintf("containers/%s/upper", j->c->id);
    auto_close int merged = -1;
    if (!j->squash)
        return *ret_fd = dir_open(j->st->store->fd, path);
    int r = rootfs_merge_worker(j->st->store, store, j->c, path, &merged);
    return r < 0 ? r : (*ret_fd = dir_open(merged, "."));
}

static int commit_worker(void *arg)
{
    const struct commit_job *j = arg;
    auto_close int store = -1, lower = -1, from = -1;
    auto_free char *key = NULL;
    struct ctr plain = *j->c; /* its layers as they are in the image */
    plain.idmap = NULL;
    umask(0);
    int r = rootfs_unshare_worker(j->st->store, &store);
    if (r == 0)
        r = open_source_worker(j, store, &from);
    if (r >= 0)
        r = copy_worker(j, from);
    if (r == 0)
        r = rootfs_merge_worker(j->st->store, store, &plain, NULL, &lower);
    if (r < 0)
        return r;
    auto_close int root = openat(lower, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_strv char **stubs = rootfs_stubs(j->c, root);
    r = layer_pack(j->st, staged,
                   &(struct pack_options){.stubs = stubs, .epoch = -1, .lower_fd = j->squash ? -1 : root}, &key);
    if (r == 0 && key)
        r = fd_write_all(j->out, key, strlen(key));
    return r;
}

/* Frozen, if that can be done and it is not yet: true if it is to be thawed. */
static bool freeze(const struct store *s, const struct ctr *c)
{
    if (run_is_paused(s, c->id))
        return false;
    int r = run_pause(s, c->id, true);
    if (r < 0)
        log_debug("container %s is not paused meanwhile: %s", c->name, err_text(r));
    err_clear();
    return r == 0;
}

static int make_layer(struct commit_job *j, char **ret_key)
{
    char key[129] = "";
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    j->out = ends[1];
    int r = store_run(j->st->store, commit_worker, j);
    close(ends[1]);
    ssize_t n = r == 0 ? fd_read_full(ends[0], key, sizeof key - 1) : 0;
    close(ends[0]);
    if (r == 0)
        *ret_key = n > 0 ? xstrdup(key) : NULL;
    return r;
}

/* Signals wait meanwhile: a container must not stay frozen because somebody lost patience. */
static int make_layer_frozen(struct commit_job *j, char **ret_key)
{
    const struct store *s = j->st->store;
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    bool frozen = freeze(s, j->c);
    int r = make_layer(j, ret_key);
    auto_free char *text = r < 0 ? xstrdup(err_text(r)) : NULL;
    int thawed = frozen ? run_pause(s, j->c->id, false) : 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (r < 0)
        return err_set(r, "%s", text);
    return thawed == -ESRCH || thawed == -EINVAL ? 0 : thawed; /* killed, or thawed by somebody else */
}

int commit_layer(struct stage *st, const struct ctr *c, const struct commit_layer_options *o, char **ret_key)
{
    const struct store *s = st->store;
    struct commit_job j = {.st = st, .c = c, .squash = o->squash};
    struct ctr_state state;
    int dir = -1;
    if (c->rootfs)
        return err_set(-EINVAL,
                       "its root is %s, which is in no image; make one of all: whelk export %s | whelk import - NAME",
                       c->rootfs, c->name);
    int r = ctr_lock(s, c->id, false, &dir);
    if (r == 0)
        r = ctr_state(s, c->id, &state);
    if (r == -ENOENT)
        r = err_set(r, "container %s was removed", c->name);
    if (r == 0)
        r = o->pause && state.status == CTR_RUNNING ? make_layer_frozen(&j, ret_key) : make_layer(&j, ret_key);
    ctr_unlock(s, c->id, dir);
    return r;
}

/* ---- the config ---- */

/* The image of a container may be gone; its layers are not. */
static int base_config(const struct store *s, const struct ctr *c, struct image_config *ret)
{
    int r = c->image ? image_load_config(s, c->image, ret) : -ENOENT;
    if (r != -ENOENT)
        return r;
    struct image_config config;
    image_config_new(&config);
    r = 0;
    strv_foreach (key, c->layers) {
        struct layer l = {0};
        r = r < 0 ? r : layer_load(s, key, &l);
        if (r == 0)
            image_config_add_diff_id(&config, l.diffid);
        layer_done(&l);
    }
    if (r < 0) {
        image_config_done(&config);
        return err_wrap(r, "a layer of container %s", c->name);
    }
    *ret = config;
    return 0;
}

static bool is_proxy(const char *name)
{
    return strv_has((char *const *)(uintptr_t)env_proxies, name);
}

/* What every container gets anew is not the image's. */
static void put_env(struct image_config *config, const struct ctr *c)
{
    static const char *const own[] = {"HOSTNAME", "container", "TERM", NULL};
    auto_strv char **env = image_config_strv(config, "Env");
    strv_foreach (pair, c->env) {
        auto_free char *name = xstrndup(pair, strcspn(pair, "="));
        if (c->http_proxy && is_proxy(name))
            continue;
        if (pair[strlen(name)] && (!strv_has((char *const *)(uintptr_t)own, name) || strv_env_get(env, name)))
            strv_env_set(&env, name, pair + strlen(name) + 1);
    }
    if (env)
        image_config_put_strv(config, "Env", env);
}

static void put_args(struct image_config *config, const struct ctr *c)
{
    auto_strv char **entrypoint = NULL;
    size_t n = 0;
    for (; n < (size_t)c->n_entrypoint && c->args && c->args[n]; n++)
        strv_add(&entrypoint, c->args[n]);
    image_config_put_strv(config, "Entrypoint", entrypoint);
    image_config_put_strv(config, "Cmd", c->args && c->args[n] ? c->args + n : NULL);
}

static void put_differing(struct image_config *config, const char *key, const char *value, const char *usual)
{
    const char *there = image_config_str(config, key);
    if (value && !str_eq(value, str_empty(there) ? usual : there))
        image_config_put_str(config, key, *value ? value : NULL);
}

int commit_config(const struct store *s, const struct ctr *c, struct image_config *ret)
{
    int r = base_config(s, c, ret);
    if (r < 0)
        return r;
    put_env(ret, c);
    put_args(ret, c);
    put_differing(ret, "WorkingDir", c->cwd, "/");
    if (!c->userns || !str_after(c->userns, "keep-id")) /* else it is the caller's */
        put_differing(ret, "User", c->user, "");
    put_differing(ret, "StopSignal", c->stop_signal, "SIGTERM");
    strv_foreach (label, c->labels) {
        auto_free char *name = xstrndup(label, strcspn(label, "="));
        image_config_put_map(ret, "Labels", name, label[strlen(name)] ? label + strlen(name) + 1 : "");
    }
    strv_foreach (port, c->exposed_ports)
        image_config_put_set_key(ret, "ExposedPorts", port);
    return 0;
}
