/* overlayfs mounts. */
#include "whelk/overlay.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/str.h"

#include <fcntl.h>
#include <sys/mount.h>

/* Whelk's one on-disk form: redirect and metacopy stay off with userxattr; the rest must not depend on the host's
 * module parameters. */
static const char *const fixed_options[][2] = {
    {"userxattr", NULL}, {"index", "off"}, {"nfs_export", "off"}, {"xino", "off"}};

static int set(int fs, const char *key, const char *value)
{
    int r = value ? fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) : fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
    return r < 0 ? -errno : 0;
}

/* Before 6.5 overlayfs gets its options as one string when all are there: any name is taken until then. */
static bool takes_anything(int fs)
{
    return set(fs, "whelk-probe", NULL) == 0;
}

/* -EOPNOTSUPP without text: the kernel is too old for lowerdir+. */
static int new_api(const char *const *lower, unsigned n_lower, const char *upper, const char *work, uint64_t attrs,
                   int *ret_fd)
{
    auto_close int fs = fsopen("overlay", FSOPEN_CLOEXEC);
    if (fs < 0)
        return err_sys("cannot mount overlay");
    if (takes_anything(fs))
        return -EOPNOTSUPP;
    set(fs, "source", "overlay");
    int r = set(fs, "lowerdir+", lower[0]);
    if (r == -EINVAL && access(lower[0], F_OK) == 0)
        return -EOPNOTSUPP;
    for (unsigned i = 1; i < n_lower && r == 0; i++)
        r = set(fs, "lowerdir+", lower[i]);
    if (r < 0)
        return err_set(r, "cannot mount %u layers: %s", n_lower, strerror(-r));
    for (size_t i = 0; i < ARRAY_LEN(fixed_options) && r == 0; i++)
        r = set(fs, fixed_options[i][0], fixed_options[i][1]);
    if (r == 0 && upper)
        r = set(fs, "upperdir", upper);
    if (r == 0 && upper)
        r = set(fs, "workdir", work);
    if (r == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        r = -errno;
    if (r < 0)
        return err_set(r, "cannot mount the container's root (overlay): %s%s", strerror(-r),
                       r == -EINVAL ? "; this file system may not carry overlayfs with user xattrs" : "");
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
    if (fd < 0)
        return err_sys("cannot mount the container's root (overlay)");
    *ret_fd = fd;
    return 0;
}

/* The options of an old-style mount: directories as /proc/self/fd/N, because the string must fit in one page. */
static int old_options(const int *fds, unsigned n, const char *upper, const char *work, struct buf *o)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed_options); i++)
        buf_addf(o, "%s%s%s,", fixed_options[i][0], fixed_options[i][1] ? "=" : "",
                 fixed_options[i][1] ? fixed_options[i][1] : "");
    for (unsigned i = 0; i < n; i++)
        buf_addf(o, "%s/proc/self/fd/%d", i ? ":" : "lowerdir=", fds[i]);
    if (upper)
        buf_addf(o, ",upperdir=%s,workdir=%s", upper, work);
    if (o->len >= (size_t)sysconf(_SC_PAGESIZE))
        return err_set(-E2BIG, "%u layers are too many for this kernel: Linux 6.7 lifts the limit of about 200", n);
    return 0;
}

/* Kernels before 6.7: mount(2) on top of a directory of the store, of which the caller gets a detached copy. */
static int old_mount(const int *fds, unsigned n, const char *upper, const char *work, uint64_t attrs, int *ret_fd)
{
    auto_buf struct buf options = {0};
    int r = old_options(fds, n, upper, work, &options);
    if (r < 0)
        return r;
    if (mount("overlay", "tmp", "overlay", upper ? 0 : MS_RDONLY, options.data) < 0)
        return err_sys("cannot mount the container's root (overlay)");
    auto_close int fd = -1;
    r = mnt_clone(AT_FDCWD, "tmp", false, &fd);
    umount2("tmp", MNT_DETACH);
    r = r < 0 ? r : mnt_attrs(fd, attrs, 0, false);
    if (r == 0)
        *ret_fd = take_fd(&fd);
    return r;
}

static int old_api(const char *const *lower, unsigned n_lower, const char *upper, const char *work, uint64_t attrs,
                   int *ret_fd)
{
    auto_free int *fds = xcalloc(n_lower, sizeof *fds);
    unsigned n = 0;
    int r = 0;
    for (; n < n_lower && r == 0; n++) {
        fds[n] = open(lower[n], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fds[n] < 0)
            r = err_sys("cannot open the layer %s", lower[n]);
    }
    if (r == 0)
        r = old_mount(fds, n, upper, work, attrs, ret_fd);
    while (n-- > 0)
        fd_close(fds[n]);
    return r;
}

int overlay_mount(int base_fd, const char *const *lower, unsigned n_lower, const char *upper, const char *work,
                  uint64_t attrs, int *ret_fd)
{
    /* overlayfs resolves relative directories from the working directory: short, whatever the store's path is. */
    if (fchdir(base_fd) < 0)
        return err_sys("cannot enter the store");
    int r = new_api(lower, n_lower, upper, work, attrs, ret_fd);
    return r == -EOPNOTSUPP ? old_api(lower, n_lower, upper, work, attrs, ret_fd) : r;
}
