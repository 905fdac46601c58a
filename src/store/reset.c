/* Removing a whole store (PAIN-07). Only a directory with the marker of a store of this user, which store_open has
 * checked, and never one that is somebody's home; by descriptor, never along a link or into another mount; and only
 * names that whelk gives. What else lies there stays, and then the directory too. The marker goes last: a reset that
 * was killed can be done again.
 *
 * Lock: gc.lock exclusive, so no operation is at work; containers are the caller's matter. */
#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/view.h"

#include <fcntl.h>

enum { PATIENCE_MS = 5000 };

static const char *const trees[] = {"names",           "images",  "indexes", "containers",
                                    "container-names", "volumes", "secrets", "networks",
                                    "cache",           "layers",  "tmp"};
static const char *const files[] = {"events", "events.1", "gc.lock"};

int store_size(const struct store *s, uint64_t *ret)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
        uint64_t bytes = 0;
        int r = store_usage(s, trees[i], &bytes);
        if (r < 0 && r != -ENOENT)
            return r;
        sum += r == 0 ? bytes : 0;
    }
    *ret = sum;
    return 0;
}

static int remove_trees(void *arg)
{
    const struct store *s = arg;
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
        int one = tree_remove(s->fd, trees[i]);
        r = r < 0 ? r : one;
    }
    return r;
}

/* Those of containers went with them. */
static void drop_views(const struct store *s)
{
    auto_strv char **images = NULL;
    if (dir_names(s->fd, "images", &images) < 0)
        err_clear(); /* the removal will tell */
    strv_foreach (id, images)
        view_drop(s, "images", id);
}

int store_reset(const struct store *s)
{
    auto_close int lock = -1;
    int r = store_check_place(s);
    if (r == 0)
        r = store_lock_all(s, PATIENCE_MS, &lock);
    if (r == -EWOULDBLOCK)
        return err_set(-EBUSY, "the store %s is in use: another command is at work", s->path);
    if (r == 0)
        drop_views(s);
    if (r == 0)
        r = store_run(s, remove_trees, (void *)(uintptr_t)s);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlinkat(s->fd, files[i], 0);
    if (unlinkat(s->fd, store_marker_name, 0) < 0)
        return err_sys("cannot remove %s/%s", s->path, store_marker_name);
    rmdir(s->path); /* where nothing else lies there */
    return 0;
}
