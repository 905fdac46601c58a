/* The files of containers and images where whelk mount shows them (see view.h). */
#include "whelk/view.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/str.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define VIEW "merged"

static char *below(const char *kind, const char *id)
{
    return xasprintf("%s/%s/" VIEW, kind, id);
}

char *view_path(const struct store *s, const char *kind, const char *id)
{
    return xasprintf("%s/%s/%s/" VIEW, s->path, kind, id);
}

bool view_is_mounted(const struct store *s, const char *kind, const char *id)
{
    auto_free char *path = below(kind, id);
    struct statx x;
    return statx(s->fd, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &x) == 0 &&
           (x.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int view_attach(const struct store *s, const char *kind, const char *id, int mnt_fd)
{
    auto_free char *path = below(kind, id);
    int r = dir_make(s->fd, path, 0700);
    if (r < 0)
        return r;
    auto_close int place = openat(s->fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0)
        return err_sys("cannot open %s/%s", s->path, path);
    r = mnt_attach(mnt_fd, place);
    if (r < 0)
        unlinkat(s->fd, path, AT_REMOVEDIR);
    return r;
}

/* Of this namespace. umount2 takes no descriptor: the path leads through ours, and is not followed any further. */
static int unmount(const struct store *s, const char *path, bool force)
{
    auto_free char *full = xasprintf("/proc/self/fd/%d/%s", s->fd, path);
    if (umount2(full, UMOUNT_NOFOLLOW | (force ? MNT_DETACH : 0)) < 0)
        return errno == EBUSY ? -EBUSY : err_sys("cannot unmount %s/%s", s->path, path);
    return 0;
}

int view_detach(const struct store *s, const char *kind, const char *id, bool force)
{
    auto_free char *path = below(kind, id);
    if (!view_is_mounted(s, kind, id))
        return -ENOENT;
    int r = unmount(s, path, force);
    if (r == 0)
        unlinkat(s->fd, path, AT_REMOVEDIR);
    return r;
}

void view_drop(const struct store *s, const char *kind, const char *id)
{
    auto_free char *path = below(kind, id);
    if (unlinkat(s->fd, path, AT_REMOVEDIR) < 0 && errno == EBUSY && unmount(s, path, true) == 0)
        unlinkat(s->fd, path, AT_REMOVEDIR);
    err_clear();
}

int view_take(int store_fd, const char *dir, int *ret_fd)
{
    auto_free char *path = xasprintf("%s/" VIEW, dir);
    if (unlinkat(store_fd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != EBUSY)
        return err_sys("cannot remove %s", path);
    int r = mnt_clone(store_fd, path, false, ret_fd);
    return r < 0 ? r : 1;
}

bool view_there(int dir_fd)
{
    return faccessat(dir_fd, VIEW, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
