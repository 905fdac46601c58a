/* Staging directories and their pins (STORE, garbage 1).
 *
 * The order of things. tmp/op-<id> is made and flocked under gc.lock shared, so the collector, who holds it exclusive,
 * never sees one without its flock whose owner lives. Pins are written under gc.lock shared too, and before the caller
 * looks for the objects: either the collector's marking comes later and sees them, or it came before and the caller
 * finds the object gone and makes it. The flock belongs to the open directory: forked workers share it, so staging is
 * in use until the last of them has ended.
 *
 * Trees that are made here are spread over the disk. ext4 puts a new tree beside its parent otherwise, so beside all
 * others, and for minutes after one of thousands of files was deleted there, each new file is looked for past all of
 * the deleted ones: ten times the time of writing it. */
#include "whelk/stage.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"

#include <fcntl.h>
#include <sys/file.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600 };

static int stage_make(struct stage *st)
{
    auto_free char *path = xasprintf("tmp/%s", st->name);
    if (mkdirat(st->store->fd, path, DIR_MODE) < 0)
        return err_sys("cannot make %s/%s", st->store->path, path);
    st->fd = dir_open(st->store->fd, path);
    if (st->fd < 0)
        return st->fd;
    while (flock(st->fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return err_sys("cannot lock %s/%s", st->store->path, path);
    }
    dir_spread(st->fd);
    return 0;
}

DEFINE_AUTO(struct stage *, stage_end)

int stage_begin(const struct store *s, struct stage **ret)
{
    auto_with(stage_end_auto) struct stage *st = xcalloc(1, sizeof(*st));
    auto_close int hold = -1;
    char id[ID_LEN + 1];
    *st = (struct stage){.store = s, .fd = -1};
    st->sync_fd = dir_open(s->fd, "tmp");
    if (st->sync_fd < 0)
        return st->sync_fd;
    int r = store_hold(s, &hold);
    if (r < 0)
        return r;
    id_new(id);
    snprintf(st->name, sizeof(st->name), "op-%s", id);
    r = stage_make(st);
    if (r == 0)
        *ret = take_ptr(&st);
    return r;
}

/* Adds lines to a file of the staging directory by one write: a killed writer leaves no half line before a whole one.
 */
static int stage_note(const struct stage *st, const char *file, const struct buf *lines)
{
    auto_close int fd = openat(st->fd, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return err_sys("cannot open %s/tmp/%s/%s", st->store->path, st->name, file);
    int r = fd_write_all(fd, lines->data, lines->len);
    return r < 0 ? err_set(r, "cannot write %s/tmp/%s/%s: %s", st->store->path, st->name, file, strerror(-r)) : 0;
}

int stage_pin(struct stage *st, const char *const *objects, unsigned n)
{
    auto_close int hold = -1;
    auto_buf struct buf lines = {0};
    for (unsigned i = 0; i < n; i++)
        buf_addf(&lines, "%s\n", objects[i]);
    if (!lines.len)
        return 0;
    int r = store_hold(st->store, &hold);
    return r < 0 ? r : stage_note(st, "pins", &lines);
}

int stage_sync(struct stage *st)
{
    return syncfs(st->sync_fd) < 0 ? err_sys("cannot write the store %s to disk", st->store->path) : 0;
}

/* Mostly it holds just the notes. What else is in it may belong to the image's users, so it goes by way of the trash;
 * the lock is let go first, since trash that is locked is somebody else's work. */
void stage_end(struct stage *st)
{
    static const char *const notes[] = {"pins", "made"};
    if (!st)
        return;
    auto_free char *path = xasprintf("tmp/%s", st->name);
    for (size_t i = 0; st->fd >= 0 && i < ARRAY_LEN(notes); i++)
        unlinkat(st->fd, notes[i], 0);
    bool left = *st->name && unlinkat(st->store->fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT;
    if (st->fd >= 0)
        flock(st->fd, LOCK_UN); /* for those too who were forked with it: the shadow of a builder outlives it */
    fd_close(st->fd);
    fd_close(st->sync_fd);
    if (left)
        store_trash(st->store, "tmp", st->name);
    free(st);
}

bool stage_is_stale(const struct store *s, const char *name)
{
    auto_free char *path = xasprintf("tmp/%s", name);
    auto_close int fd = openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0; /* shared: testers do not meet */
}

/* ---- layers ---- */

static int note_made(const struct stage *st, const char *key)
{
    auto_buf struct buf line = {0};
    buf_addf(&line, "layers/%s\n", key);
    return stage_note(st, "made", &line);
}

/* There is one that nothing vouches for: changing places leaves no moment without a layer of this name. */
static int replace_layer(struct stage *st, const char *name, const char *layer)
{
    if (renameat2(st->fd, name, st->store->fd, layer, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != ENOENT) /* the old one was collected this instant: then plainly */
        return err_sys("cannot replace %s/%s", st->store->path, layer);
    return renameat(st->fd, name, st->store->fd, layer) < 0 ? err_sys("cannot publish %s/%s", st->store->path, layer)
                                                            : 0;
}

/* Pinned before it is there: a collector that had marked already must not find it unmarked. The note that vouches for
 * it comes after, or it would vouch for an old one of the same name. */
int stage_publish_layer(struct stage *st, const char *name, const char *key)
{
    auto_free char *layer = xasprintf("layers/%s", key);
    int pinned = stage_pin(st, (const char *const[]){layer}, 1);
    if (pinned < 0)
        return pinned;
    if (renameat(st->fd, name, st->store->fd, layer) < 0) {
        if (errno != ENOTEMPTY && errno != EEXIST)
            return err_sys("cannot publish %s/%s", st->store->path, layer);
        if (layer_trusted(st->store, key))
            return 0;
        int r = replace_layer(st, name, layer);
        if (r < 0)
            return r;
    }
    return note_made(st, key);
}
