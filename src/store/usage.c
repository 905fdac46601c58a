/* How much disk a tree of the store takes. What the caller may not look into himself, because it belongs to the ids of
 * containers, is counted by a worker that has them. */
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/store.h"

#include <sys/mman.h>

struct usage {
    const struct store *store;
    const char *path;
    uint64_t *bytes; /* shared with the worker */
};

static int usage_worker(void *arg)
{
    const struct usage *u = arg;
    return tree_usage(u->store->fd, u->path, u->bytes);
}

int store_usage(const struct store *s, const char *path, uint64_t *ret)
{
    int r = tree_usage(s->fd, path, ret);
    if ((r != -EACCES && r != -EPERM) || idmap_none(&s->map))
        return r;
    uint64_t *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return err_sys("cannot measure %s/%s", s->path, path);
    r = store_run(s, usage_worker, &(struct usage){s, path, shared});
    if (r == 0)
        *ret = *shared;
    munmap(shared, sizeof *shared);
    return r;
}
