/* Layers: their record, their order in a mount, and the way from the recipe back to the tar.
 * Reads: layers/<key>/. Only layer_lowers may make something: layers/empty. */
#include "layer-private.h"
#include "recipe.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

static const struct rec_field layer_fields[] = {
    REC_FIELD(struct layer, STR, diffid, "diffid"),
    REC_FIELD(struct layer, INT, size, "size"),
    REC_FIELD(struct layer, STR, owners, "owners"),
    REC_FIELD(struct layer, STRV, implicit, "implicit"),
    REC_FIELD(struct layer, BOOL, has_root, "root"),
    REC_FIELD(struct layer, BOOL, empty, "empty"),
    REC_END,
};
const struct rec_type layer_rec = {"layer", 1, sizeof(struct layer), layer_fields};

static char *layer_path(const char *key, const char *rest)
{
    return xasprintf("layers/%s/%s", key, rest);
}

int layer_load(const struct store *s, const char *key, struct layer *ret)
{
    auto_free char *path = layer_path(key, "layer.json");
    return rec_load(&layer_rec, s->fd, path, memset(ret, 0, sizeof(*ret)));
}

void layer_done(struct layer *l)
{
    rec_done(&layer_rec, l);
}

bool layer_exists(const struct store *s, const char *key)
{
    auto_free char *path = layer_path(key, "layer.json");
    return faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- the stack ---- */

int layer_root_stat(const struct store *s, char *const *keys, struct stat *ret)
{
    strv_foreach (key, keys) {
        auto_with(layer_done) struct layer l = {0};
        int r = layer_load(s, key, &l);
        if (r < 0)
            return err_wrap(r, "layer %.12s", key);
        if (!l.has_root)
            continue;
        auto_free char *diff = layer_path(key, "diff");
        struct stat st;
        if (fstatat(s->fd, diff, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_sys("cannot look at layer %.12s", key);
        *ret = st;
        return 0;
    }
    *ret = (struct stat){.st_mode = S_IFDIR | 0755};
    return 0;
}

int layer_lowers(const struct store *s, char *const *keys, char ***ret)
{
    auto_strv char **lowers = NULL;
    for (size_t i = strv_len(keys); i-- > 0;) {
        auto_with(layer_done) struct layer l = {0};
        auto_free char *diff = layer_path(keys[i], "diff");
        int r = layer_load(s, keys[i], &l);
        if (r < 0)
            return err_wrap(r, "layer %.12s", keys[i]);
        if (!l.empty && !strv_has(lowers, diff))
            strv_add_take(&lowers, take_ptr(&diff));
    }
    if (!lowers) {
        int r = dir_make(s->fd, "layers/empty", 0755);
        if (r < 0)
            return err_wrap(r, "cannot make layers/empty");
        strv_add(&lowers, "layers/empty");
    }
    *ret = take_ptr(&lowers);
    return 0;
}

void layer_chain_id(char *const *diffids, char ret[65])
{
    ret[0] = '\0';
    strv_foreach (diffid, diffids) {
        if (!*ret) {
            snprintf(ret, DIGEST_BUF, "%s", diffid);
            continue;
        }
        auto_free char *both = xasprintf("sha256:%s sha256:%s", ret, diffid);
        digest_bytes(both, strlen(both), ret);
    }
}

/* ---- sending ---- */

enum { SEND_SIZE = 256 * 1024 };

struct send {
    int layer; /* layers/<key> */
    int out;   /* or -1 */
    struct digest *digest;
    char *data;
    size_t len;
};

static void send_done(struct send *s)
{
    fd_close(s->layer);
    digest_free(s->digest);
    free(s->data);
}

static int send_flush(struct send *s)
{
    int r = s->out >= 0 ? fd_write_all(s->out, s->data, s->len) : 0;
    s->len = 0;
    return r < 0 ? err_set(r, "cannot write the layer: %s", strerror(-r)) : 0;
}

/* Room behind what is held. Never called without more to come: so what is held at the end is never empty. */
static int send_room(struct send *s, char **ret, size_t *ret_room)
{
    int r = s->len == SEND_SIZE ? send_flush(s) : 0;
    *ret = s->data + s->len;
    *ret_room = SEND_SIZE - s->len;
    return r;
}

static void send_added(struct send *s, size_t len)
{
    digest_add(s->digest, s->data + s->len, len);
    s->len += len;
}

static int send_bytes(struct send *s, const char *data, size_t len)
{
    while (len > 0) {
        char *to;
        size_t room;
        int r = send_room(s, &to, &room);
        if (r < 0)
            return r;
        room = MIN(room, len);
        memcpy(to, data, room);
        send_added(s, room);
        data += room;
        len -= room;
    }
    return 0;
}

static int file_wrong(const char *path, const char *what)
{
    auto_free char *shown = str_printable(path);
    return err_set(-EBADMSG, "the layer is damaged: %s %s", shown, what);
}

static int send_open(const struct send *s, const struct recipe_item *item)
{
    struct stat st;
    auto_close int fd = layer_open_beneath(s->layer, item->path, O_RDONLY | O_NONBLOCK);
    if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
        return file_wrong(item->path, "is missing");
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(fd < 0 ? fd : -errno, "cannot open %s of a layer: %s", item->path,
                       strerror(fd < 0 ? -fd : errno));
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != item->len)
        return file_wrong(item->path, "is not the file that it was");
    return take_fd(&fd);
}

static int send_file(struct send *s, const struct recipe_item *item)
{
    auto_close int fd = send_open(s, item);
    if (fd < 0)
        return fd;
    for (uint64_t left = item->len; left > 0;) {
        char *to;
        size_t room;
        int r = send_room(s, &to, &room);
        if (r < 0)
            return r;
        ssize_t n = read(fd, to, MIN(left, (uint64_t)room));
        if (n < 0)
            return err_sys("cannot read %s of a layer", item->path);
        if (n == 0)
            return file_wrong(item->path, "is shorter than it was");
        send_added(s, n);
        left -= n;
    }
    return 0;
}

static int send_items(struct send *s, struct recipe_reader *recipe)
{
    struct recipe_item item;
    int n;
    while ((n = recipe_next(recipe, &item)) > 0) {
        int r = item.path ? send_file(s, &item) : send_bytes(s, item.data, item.len);
        if (r < 0)
            return r;
    }
    return n;
}

static int sum_lengths(struct recipe_reader *recipe, int64_t *ret)
{
    struct recipe_item item;
    uint64_t sum = 0;
    int n;
    while ((n = recipe_next(recipe, &item)) > 0) {
        if (item.len > INT64_MAX - sum)
            return err_set(-EBADMSG, "the recipe of the layer is damaged: its lengths are too large");
        sum += item.len;
    }
    *ret = (int64_t)sum;
    return n;
}

int layer_tar_size(const struct store *s, const char *key, int64_t *ret)
{
    auto_free char *path = layer_path(key, "recipe");
    auto_close int fd = openat(s->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct recipe_reader *recipe = NULL;
    if (fd < 0)
        return err_sys("cannot open the recipe of layer %.12s", key);
    int r = recipe_reader_new(fd, &recipe);
    if (r == 0)
        r = sum_lengths(recipe, ret);
    recipe_reader_free(recipe);
    return r < 0 ? err_wrap(r, "layer %.12s", key) : 0;
}

static int send_recipe(struct send *s)
{
    auto_close int fd = openat(s->layer, "recipe", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct recipe_reader *recipe = NULL;
    if (fd < 0)
        return err_sys("cannot open the recipe of a layer");
    int r = recipe_reader_new(fd, &recipe);
    if (r == 0)
        r = send_items(s, recipe);
    recipe_reader_free(recipe);
    return r;
}

int layer_send(const struct store *s, const char *key, int out)
{
    auto_with(layer_done) struct layer l = {0};
    auto_free char *dir = xasprintf("layers/%s", key);
    char hex[DIGEST_BUF];
    int r = layer_load(s, key, &l);
    if (r < 0)
        return err_wrap(r, "layer %.12s", key);
    auto_with(send_done) struct send send = {.layer = dir_open(s->fd, dir), .out = out, .digest = digest_new(true)};
    if (send.layer < 0)
        return err_sys("cannot open layer %.12s", key);
    send.data = xmalloc(SEND_SIZE);
    r = send_recipe(&send);
    if (r < 0)
        return err_wrap(r, "layer %.12s", key);
    digest_finish(send.digest, hex);
    if (!l.diffid || !str_eq(hex, l.diffid))
        return err_set(-EBADMSG, "layer %.12s is damaged: what it holds has the digest sha256:%s", key, hex);
    return send_flush(&send);
}
