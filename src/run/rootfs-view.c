/* mount: the files of a container, or the merged layers of an image, as a view of the caller (whelk/view.h).
 *
 * Mounting needs a mount namespace of its own (rootfs.c says why), and a container's own mount is reached from its
 * namespace only. So a worker makes the mount and hands it out through a socket; the caller attaches it. The worker
 * lives until that is done, because it has the lock that keeps the container from being started meanwhile. */
#include "rootfs-parts.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/mnt.h"
#include "whelk/overlay.h"
#include "whelk/sock.h"
#include "whelk/view.h"

#include <fcntl.h>
#include <sys/mount.h>

enum { SAFE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

struct hand_out {
    const struct store *s;
    int ends[2]; /* the caller's, the worker's */
    char *const *layers;
};

/* Until the caller closes his end. */
static int hand_out_worker(const struct hand_out *h, int mnt)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    fd_close(h->ends[0]);
    int r = sock_send(h->ends[1], &part, 1, mnt, 0);
    if (r < 0)
        return err_set(r, "cannot hand out a mount: %s", strerror(-r));
    (void)!sock_recv(h->ends[1], &part, 1, NULL, 0);
    return 0;
}

static int container_worker(int root, void *arg)
{
    int r = mnt_attrs(root, SAFE, 0, false);
    return r < 0 ? r : hand_out_worker(arg, root);
}

static int image_worker(void *arg)
{
    const struct hand_out *h = arg;
    auto_close int store = -1, mnt = -1;
    auto_strv char **lowers = NULL;
    int r = rootfs_unshare_worker(h->s, &store);
    if (r == 0)
        r = layer_lowers(h->s, h->layers, &lowers);
    if (r < 0)
        return r;
    unsigned n = (unsigned)strv_len(lowers);
    uint64_t attrs = SAFE | MOUNT_ATTR_RDONLY;
    if (n > 1)
        r = overlay_mount(store, (const char *const *)lowers, n, NULL, NULL, attrs, &mnt);
    else /* a single layer is its own merged view */
        r = mnt_clone(store, lowers[0], false, &mnt);
    if (r == 0 && n == 1)
        r = mnt_attrs(mnt, attrs, 0, false);
    return r < 0 ? r : hand_out_worker(h, mnt);
}

/* What the worker w hands out becomes the view. */
static int attach(const struct hand_out *h, struct worker *w, const char *kind, const char *id)
{
    char byte;
    struct iovec part = {&byte, 1};
    auto_close int mnt = -1;
    fd_close(h->ends[1]);
    ssize_t n = sock_recv(h->ends[0], &part, 1, &mnt, 0); /* none: its error comes below */
    int attached = n > 0 && mnt >= 0 ? view_attach(h->s, kind, id, mnt) : 0;
    fd_close(h->ends[0]);
    if (attached < 0) {
        auto_free char *text = xstrdup(err_text(attached));
        worker_wait(w);
        return err_set(attached, "%s", text);
    }
    return worker_wait(w);
}

int rootfs_mount(const struct store *s, const struct ctr *c)
{
    struct hand_out h = {.s = s};
    struct worker w;
    int r = sock_pair(h.ends);
    if (r == 0)
        r = rootfs_worker(s, c, ROOTFS_WRITE, container_worker, &h, &w);
    return r < 0 ? r : attach(&h, &w, "containers", c->id);
}

int rootfs_mount_image(const struct store *s, const char *id)
{
    struct image image = {0};
    struct hand_out h = {.s = s};
    struct worker w;
    int r = image_load(s, id, &image);
    h.layers = image.layers;
    if (r == 0)
        r = sock_pair(h.ends);
    if (r == 0)
        r = userns_worker_start(&s->map, image_worker, &h, &w);
    if (r == 0)
        r = attach(&h, &w, "images", id);
    image_done(&image);
    return r;
}
