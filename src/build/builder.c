/* What all steps of a build share: the store's objects that it relies on, its records, its staging (see builder.h).
 * Runs in: the invocation until builder_enter, then the BUILDER. */
#include "builder.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/overlay.h"
#include "whelk/ref.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

/* What a kill may cost: work of this much is synced before more is begun. */
static const int64_t worth_a_sync_ns = INT64_C(1000000000);

/* Directories of the staging directory that hold what is shared: records that wait for a sync, what is told of them. */
static const char *const staged[] = {"steps", "told", "stages", "locks"};

/* ---- the log ---- */

static void __attribute__((format(printf, 3, 0)))
say(const struct builder *b, const char *prefix, const char *fmt, va_list ap)
{
    auto_free char *text = xvasprintf(fmt, ap);
    auto_free char *shown = str_printable(text);
    dprintf(b->options->log_fd, "%s%s%s\n", b->options->marks ? BUILD_MARK_SAID : "", prefix, shown);
}

void builder_say(const struct builder *b, const char *fmt, ...)
{
    va_list ap;
    if (b->options->quiet)
        return;
    va_start(ap, fmt);
    say(b, "", fmt, ap);
    va_end(ap);
}

void builder_warn(const struct builder *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(b, "Warning: ", fmt, ap);
    va_end(ap);
}

/* ---- beginning and end ---- */

static int check_network(const char *network)
{
    static const char *const known[] = {"private", "default", "none", "host"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!network || str_eq(network, known[i]))
            return 0;
    return err_set(-EINVAL, "--network %s is not known to this version; known: private, none, host", network);
}

static int check_labels(char *const *labels)
{
    strv_foreach (label, labels)
        if (!*label || *label == '=')
            return err_set(-EINVAL, "--label %s: the name is missing; give KEY=VALUE", label);
    return 0;
}

static int check_env(char *const *env)
{
    strv_foreach (word, env)
        if (!*word || *word == '=')
            return err_set(-EINVAL, "--env %s: the name is missing; give NAME=VALUE", word);
    return 0;
}

/* --from: another image for the first FROM. */
static void replace_base(struct builder *b)
{
    if (!b->options->from)
        return;
    free(b->file.stages[0].from.args[0]);
    b->file.stages[0].from.args[0] = xstrdup(b->options->from);
}

static int check_tags(struct builder *b)
{
    strv_foreach (tag, b->options->tags) {
        char *full;
        int r = ref_normalize_local(tag, &full);
        if (r < 0)
            return err_wrap(r, "--tag %s", tag);
        strv_add_take(&b->tags, full);
    }
    return 0;
}

int builder_named(struct builder *b, size_t named, struct context **ret)
{
    const struct plan_name *name = &b->plan.names[named];
    struct context *c = &b->named[named];
    int r = c->fd < 0 ? context_open_named(b->store, name->where, c) : 0;
    if (r < 0)
        return err_wrap(r, "--build-context %s", name->name);
    *ret = c;
    return 0;
}

static void make_named(struct builder *b)
{
    b->n_named = b->plan.n_names;
    b->named = xcalloc(b->n_named + 1, sizeof(*b->named));
    for (size_t i = 0; i < b->n_named; i++)
        b->named[i].fd = -1;
}

int builder_open(struct store *s, const struct build_options *o, struct builder *b)
{
    *b = (struct builder){.store = s, .options = o, .context.fd = -1, .hold = -1};
    int r = check_tags(b);
    if (r == 0)
        r = check_network(o->network);
    if (r == 0 && o->run)
        r = run_step_check(o->run);
    if (r == 0)
        r = check_labels(o->labels);
    if (r == 0)
        r = check_env(o->env);
    if (r == 0 && o->platform)
        r = build_plan_platform(o->platform);
    if (r == 0)
        r = build_args_init(&b->args, o->build_args);
    if (r == 0)
        r = build_times_read(o, &b->args, &b->times);
    if (r == 0)
        r = context_open(s, o, &b->context, &b->file);
    if (r == 0)
        r = build_check_errors(s, o, &b->context, &b->file);
    strv_foreach (warning, b->file.warnings)
        builder_warn(b, "%s", warning);
    if (r == 0)
        replace_base(b);
    if (r == 0)
        r = build_args_declare_global(&b->args, &b->file);
    if (r == 0)
        r = build_plan_make(&b->file, &b->args, o->target, o->contexts, &b->plan);
    if (r < 0)
        return r;
    make_named(b);
    b->stages = xcalloc(b->plan.n_stages, sizeof(*b->stages));
    r = side_open(b);
    if (r < 0)
        return r;
    r = file_digests_open(s, &b->digests);
    return r < 0 ? r : store_hold(s, &b->hold);
}

void builder_close(struct builder *b)
{
    side_close(b);
    for (size_t i = 0; b->stages && i < b->plan.n_stages; i++)
        build_state_done(&b->stages[i]);
    if (b->digests)
        file_digests_close(b->digests); /* what is not remembered is read again */
    for (size_t i = 0; b->staging && i < ARRAY_LEN(staged); i++)
        tree_remove(b->staging->fd, staged[i]);
    stage_end(b->staging);
    free(b->stages);
    fd_close(b->hold);
    strv_free(b->used);
    strv_free(b->tags);
    build_plan_done(&b->plan);
    build_args_done(&b->args);
    dockerfile_done(&b->file);
    context_done(&b->context);
    for (size_t i = 0; i < b->n_named; i++)
        context_done(&b->named[i]);
    free(b->named);
}

/* ---- what is relied on ---- */

/* Pins are written before anybody looks whether the objects are there (STORE, garbage 1). */
static int pin_now(struct builder *b, char *const *layers)
{
    auto_strv char **objects = NULL;
    strv_foreach (layer, layers)
        strv_addf(&objects, "layers/%s", layer);
    int r = stage_pin(b->staging, (const char *const *)objects, (unsigned)strv_len(objects));
    if (r < 0)
        return r;
    strv_foreach (layer, layers)
        if (!layer_exists(b->store, layer))
            return err_set(-ESTALE, "layer %.12s was removed while the build was about to use it; build again", layer);
    return 0;
}

int builder_pin(struct builder *b, char *const *layers)
{
    if (b->staging)
        return pin_now(b, layers);
    strv_extend(&b->used, layers);
    return 0;
}

static void tidy(void *arg)
{
    store_tidy(arg);
}

/* Opens the store again in this mount namespace: overlayfs takes no layers from another one. Only the working directory
 * is taken along into a new namespace. */
static int store_reopen(const struct store *s)
{
    auto_close int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || dup3(fd, s->fd, O_CLOEXEC) < 0)
        return err_sys("cannot open the store again");
    return 0;
}

/* Overlays are mounted in a namespace of their own; nothing of that goes back to the host. */
static int own_mounts(const struct store *s)
{
    auto_close int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fchdir(s->fd) < 0)
        return err_sys("cannot enter the store");
    if (unshare(CLONE_NEWNS) < 0)
        return err_sys("cannot make a mount namespace");
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return err_sys("cannot detach from the host's mounts");
    int r = store_reopen(s);
    if (cwd >= 0 && fchdir(cwd) < 0 && r == 0)
        r = err_sys("cannot go back to the working directory");
    return r;
}

int builder_enter(struct builder *b)
{
    if (b->staging)
        return 0;
    fd_close(take_fd(&b->hold)); /* the shadow would hold it as long as the build lasts */
    int r = userns_become(&b->store->map, tidy, b->store);
    if (r == 0)
        r = own_mounts(b->store);
    if (r == 0)
        r = stage_begin(b->store, &b->staging);
    return r < 0 ? r : pin_now(b, b->used);
}

/* While the store is held: by the build itself until it has staging, then only for the look. */
static int find_image(struct builder *b, const char *name, char **ret_id, struct image_config *ret_config,
                      char ***ret_layers)
{
    struct image image = {0};
    auto_close int hold = -1;
    int r = b->hold < 0 ? store_hold(b->store, &hold) : 0;
    if (r == 0)
        r = image_find(b->store, name, ret_id, NULL);
    if (r == 0)
        r = image_load(b->store, *ret_id, &image);
    if (r < 0)
        return r;
    r = image_load_config(b->store, *ret_id, ret_config);
    if (r == 0)
        *ret_layers = take_ptr(&image.layers);
    image_done(&image);
    return r == 0 ? builder_pin(b, *ret_layers) : r;
}

int builder_image(struct builder *b, const char *name, char **ret_id, struct image_config *ret_config,
                  char ***ret_layers)
{
    auto_free char *id = NULL;
    auto_strv char **layers = NULL;
    struct image_config config = {0};
    int r = find_image(b, name, &id, &config, &layers);
    if (r < 0) {
        image_config_done(&config);
        return r;
    }
    *ret_id = take_ptr(&id);
    *ret_config = config;
    *ret_layers = take_ptr(&layers);
    return 0;
}

/* ---- records of steps ---- */

/* Another stage of this build may have made it. */
static bool find_staged(const struct builder *b, const char *key, struct cache_step *ret)
{
    auto_free char *path = xasprintf("steps/%s", key);
    return b->staging && rec_load(&cache_step_rec, b->staging->fd, path, ret) == 0;
}

int builder_find(struct builder *b, const char *key, struct cache_step *ret)
{
    auto_close int hold = -1;
    if (find_staged(b, key, ret))
        return 0;
    int r = b->hold < 0 ? store_hold(b->store, &hold) : 0;
    if (r == 0)
        r = cache_step_get(b->store, key, ret);
    if (r < 0 || !ret->layer)
        return r;
    r = builder_pin(b, (char *const[]){ret->layer, NULL});
    if (r < 0)
        cache_step_done(ret);
    return r;
}

/* What is told of it is for people: without it the record is as good. */
static int stage_told(const struct builder *b, const char *key, const char *told)
{
    auto_free char *path = xasprintf("told/%s", key);
    int r = dir_make(b->staging->fd, "told", 0700);
    return r < 0 ? r : file_write(b->staging->fd, path, told, strlen(told), 0600);
}

int builder_record(struct builder *b, const char *key, const struct cache_step *record, const char *told, int64_t spent)
{
    auto_free char *path = xasprintf("steps/%s", key);
    if (told && stage_told(b, key, told) < 0)
        err_clear();
    int r = dir_make(b->staging->fd, "steps", 0700);
    b->unsynced += spent;
    return r < 0 ? r : rec_save(&cache_step_rec, b->staging->fd, path, record, false);
}

/* Those that are there before the sync: others come meanwhile. */
int builder_flush(struct builder *b, bool now)
{
    auto_strv char **keys = NULL;
    if (!b->staging || (!now && b->unsynced < worth_a_sync_ns))
        return 0;
    int r = dir_names(b->staging->fd, "steps", &keys);
    if (r < 0 || !keys)
        return r == -ENOENT ? 0 : r;
    r = stage_sync(b->staging);
    strv_foreach (key, keys)
        r = r < 0 ? r : cache_step_adopt(b->store, b->staging->fd, key);
    b->unsynced = 0;
    return r;
}

/* ---- trees ---- */

static int open_dir(int at, const char *path, int *ret_fd)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open the layers");
    *ret_fd = fd;
    return 0;
}

static int mount_merged(const struct store *s, char *const *lowers, int *ret_mnt)
{
    auto_close int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC); /* overlay_mount leaves it */
    int r = overlay_mount(s->fd, (const char *const *)lowers, (unsigned)strv_len(lowers), NULL, NULL,
                          MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, ret_mnt);
    if (r == 0 && cwd >= 0 && fchdir(cwd) < 0)
        r = err_sys("cannot go back to the working directory");
    return r;
}

/* overlayfs wants two directories; a single one is its own merged view. The mount is attached nowhere and ends with the
 * descriptor that is returned. */
int builder_merged(struct builder *b, char *const *layers, int *ret_fd)
{
    auto_strv char **lowers = NULL;
    auto_close int mnt = -1;
    int r = layer_lowers(b->store, layers, &lowers);
    if (r < 0)
        return r;
    if (strv_len(lowers) == 1)
        return open_dir(b->store->fd, lowers[0], ret_fd);
    r = mount_merged(b->store, lowers, &mnt);
    return r < 0 ? r : open_dir(mnt, ".", ret_fd);
}
