/* --squash, --layers=false: the new layers of the target as one; --squash-all: those of the base too.
 *
 * Each layer's tree is copied (its files belong to the layer), bottom first, and laid over what the ones below came to:
 * an upper name wins, directories are joined unless the upper one is opaque, a whiteout hides what is below it. At the
 * end whiteouts of what the remaining base does not have go. The one layer is a step of its own in the cache. Runs in:
 * the BUILDER. */
#include "builder.h"

#include "rootpath.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/tree-copy.h"
#include "whelk/units.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPAQUE "user.overlay.opaque"

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_opaque(int fd)
{
    char value;
    return fgetxattr(fd, OPAQUE, &value, 1) == 1 && value == 'y';
}

static int failed(const char *name)
{
    int r = -errno;
    auto_free char *shown = str_printable(name);
    return err_set(r, "cannot join layers at %s: %s", shown, strerror(-r));
}

/* ---- one upon the other ---- */

static int join(int below, int upper);

static int join_directories(int below, int upper, const char *name, bool below_is_directory)
{
    auto_close int up = dir_open(upper, name);
    if (up < 0)
        return up;
    if (!below_is_directory) /* a whiteout: what is in the base stays hidden */
        return fsetxattr(up, OPAQUE, "y", 1, 0) < 0 ? failed(name) : 0;
    auto_close int low = dir_open(below, name);
    return low < 0 ? low : is_opaque(up) ? 0 : join(low, up);
}

static int join_name(int below, int upper, const char *name)
{
    struct stat low, up;
    if (fstatat(below, name, &low, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(name);
    if (fstatat(upper, name, &up, AT_SYMLINK_NOFOLLOW) < 0)
        return errno != ENOENT || renameat(below, name, upper, name) < 0 ? failed(name) : 0;
    if (S_ISDIR(up.st_mode) && (S_ISDIR(low.st_mode) || is_whiteout(&low)))
        return join_directories(below, upper, name, S_ISDIR(low.st_mode));
    return 0;
}

/* Opaqueness of a lower directory counts for the base still. */
static int keep_opaque(int below, int upper)
{
    return is_opaque(below) && fsetxattr(upper, OPAQUE, "y", 1, 0) < 0 ? failed("a directory") : 0;
}

/* Moves into upper what it does not have. Its times stay. */
static int join(int below, int upper)
{
    struct stat st;
    auto_dir DIR *dir = dir_iterate(below);
    int r = dir && fstat(upper, &st) == 0 ? keep_opaque(below, upper) : -EIO;
    for (struct dirent *e; r == 0 && (e = readdir(dir));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            r = join_name(below, upper, e->d_name);
    if (r == 0 && futimens(upper, (struct timespec[]){st.st_atim, st.st_mtim}) < 0)
        r = failed("a directory");
    return r;
}

/* ---- whiteouts of nothing ---- */

static bool base_has(int lower, const char *path)
{
    auto_close int fd = lower < 0 ? -1 : rootpath_open(lower, path, O_PATH | O_NOFOLLOW);
    return fd >= 0;
}

static int sweep(int dir, int lower, const char *path);

static int sweep_name(int dir, int lower, const char *name, const char *path)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(path);
    if (is_whiteout(&st))
        return !base_has(lower, path) && unlinkat(dir, name, 0) < 0 ? failed(path) : 0;
    if (!S_ISDIR(st.st_mode))
        return 0;
    auto_close int fd = dir_open(dir, name);
    if (fd < 0)
        return fd;
    if (is_opaque(fd) && !base_has(lower, path))
        fremovexattr(fd, OPAQUE);
    return sweep(fd, lower, path);
}

static int sweep(int dir, int lower, const char *path)
{
    struct stat st;
    auto_dir DIR *d = dir_iterate(dir);
    int r = d && fstat(dir, &st) == 0 ? 0 : -EIO;
    for (struct dirent *e; r == 0 && (e = readdir(d));) {
        auto_free char *below = xasprintf("%s%s%s", path, *path ? "/" : "", e->d_name);
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            r = sweep_name(dir, lower, e->d_name, below);
    }
    if (r == 0 && futimens(dir, (struct timespec[]){st.st_atim, st.st_mtim}) < 0)
        r = failed(path);
    return r;
}

/* ---- the layer ---- */

/* The copy of a layer's tree as name in at; opened. */
static int copy_layer(const struct builder *b, const char *layer, int at, const char *name, int *ret)
{
    auto_free char *path = xasprintf("layers/%s/diff", layer);
    auto_close int from = dir_open(b->store->fd, path), to = -1;
    int r = from < 0 ? from : dir_make(at, name, 0700);
    if (r == 0)
        r = to = dir_open(at, name);
    if (r >= 0)
        r = tree_copy(from, to, NULL);
    if (r == 0)
        *ret = take_fd(&to);
    return r;
}

/* One after the other becomes "diff"; the one below it is then called "below" and goes. */
static int lay_over(const struct builder *b, const char *layer, int dir)
{
    auto_close int below = -1, upper = -1;
    bool first = faccessat(dir, "diff", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    if (!first && renameat(dir, "diff", dir, "below") < 0)
        return failed("diff");
    int r = first ? 0 : dir_open(dir, "below");
    below = first ? -1 : r;
    if (r >= 0)
        r = copy_layer(b, layer, dir, "diff", &upper);
    if (r == 0 && !first)
        r = join(below, upper);
    return r < 0 || first ? r : tree_remove(dir, "below");
}

static int make_tree(struct builder *b, char *const *layers, const char *name, int lower)
{
    auto_close int dir = -1, diff = -1;
    int r = dir_make(b->staging->fd, name, 0700);
    if (r == 0)
        r = dir = dir_open(b->staging->fd, name);
    for (size_t i = 0; r >= 0 && layers[i]; i++)
        r = lay_over(b, layers[i], dir);
    if (r >= 0)
        r = diff = dir_open(dir, "diff");
    return r < 0 ? r : sweep(diff, lower, "");
}

static int make_layer(struct builder *b, char *const *base, char *const *layers, struct cache_step *record)
{
    auto_free char *name = xasprintf("%u-squash", b->n_dirs++);
    auto_close int lower = -1;
    auto_with(layer_done) struct layer l = {0};
    int r = base && *base ? builder_merged(b, base, &lower) : 0;
    if (r == 0)
        r = make_tree(b, layers, name, lower);
    struct pack_options options = {
        .epoch = b->times.clamp ? b->times.epoch : -1, .same_time = b->times.same, .lower_fd = lower};
    if (r == 0)
        r = layer_pack(b->staging, name, &options, &record->layer);
    if (r == 0 && record->layer)
        r = layer_load(b->store, record->layer, &l);
    if (r < 0)
        return r;
    record->diffid = take_ptr(&l.diffid);
    record->size = l.size;
    record->created = record->used = time_now();
    record->created_by = xstrdup("squash");
    return record->layer ? builder_pin(b, (char *const[]){record->layer, NULL}) : 0;
}

/* ---- the config ---- */

/* The layers from the base on are one now: so says the history. */
static void change_config(struct build_state *state, size_t base, const struct cache_step *record, int64_t created)
{
    json_t *ids = json_object_get(json_object_get(state->config.root, "rootfs"), "diff_ids"), *entry;
    json_t *history = json_object_get(state->config.root, "history");
    size_t i, layer = 0;
    while (json_array_size(ids) > base)
        json_array_remove(ids, json_array_size(ids) - 1);
    json_array_foreach(history, i, entry)
    {
        bool empty = json_bool(entry, "empty_layer", false);
        if (!empty && layer++ >= base)
            json_object_set_new(entry, "empty_layer", json_true());
    }
    if (record->diffid)
        image_config_add_diff_id(&state->config, record->diffid);
    image_config_add_history(&state->config, created, "squash", NULL, !record->diffid);
}

static void change_layers(struct build_state *state, size_t base, const struct cache_step *record)
{
    while (strv_len(state->layers) > base)
        strv_remove(state->layers, strv_len(state->layers) - 1);
    if (record->layer)
        strv_add(&state->layers, record->layer);
}

static void make_key(const struct builder *b, const struct build_state *state, char ret[CACHE_KEY])
{
    struct cache_key k;
    cache_key_begin(&k, state->key, "squash");
    cache_key_add_number(&k, "all", b->options->squash == SQUASH_ALL);
    cache_key_add_strv(&k, "layers", state->layers);
    if (b->times.clamp)
        cache_key_add_number(&k, b->times.same ? "timestamp" : "epoch", (uint64_t)b->times.epoch);
    cache_key_end(&k, ret);
}

static int find_or_make(struct builder *b, const struct build_state *state, size_t n_base, struct cache_step *ret)
{
    char key[CACHE_KEY];
    auto_strv char **base = NULL;
    make_key(b, state, key);
    int r = state->anew ? -ENOENT : builder_find(b, key, ret);
    if (r != -ENOENT)
        return r;
    for (size_t i = 0; i < n_base; i++)
        strv_add(&base, state->layers[i]);
    r = builder_enter(b);
    if (r == 0)
        r = make_layer(b, base, state->layers + n_base, ret);
    return r < 0 ? r : builder_record(b, key, ret, NULL, 0);
}

int build_squash(struct builder *b)
{
    struct build_state *state = &b->stages[b->plan.target];
    size_t base = b->options->squash == SQUASH_ALL ? 0 : state->n_base;
    struct cache_step record = {0};
    if (b->options->squash == SQUASH_NOT || strv_len(state->layers) <= base + 1)
        return 0;
    int r = find_or_make(b, state, base, &record);
    if (r < 0)
        return err_wrap(r, "--squash");
    state->created = build_time(b, MAX(state->created, record.created));
    change_config(state, base, &record, state->created);
    change_layers(state, base, &record);
    builder_say(b, "SQUASH");
    builder_say(b, "--> %.12s", record.layer ? record.layer : "nothing");
    cache_step_done(&record);
    return 0;
}
