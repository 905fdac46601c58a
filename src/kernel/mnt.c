/* The new mount API. Everything works on descriptors: nothing here takes a path that an image or container could have
 * made. */
#include "whelk/mnt.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>

/* The reason that the file system itself gave (fsopen(2): messages are read from the context), without its "e " tag. */
static void context_message(int fs, char *buf, size_t size)
{
    ssize_t n = read(fs, buf, size - 1);
    buf[n > 0 ? n : 0] = 0;
    char *nl = strchr(buf, '\n');
    if (nl)
        *nl = 0;
}

static int context_error(int fs, const char *fstype)
{
    int e = errno;
    char why[256];
    context_message(fs, why, sizeof why);
    errno = e;
    return err_sys("cannot mount %s%s%s", fstype, *why ? ": " : "", *why ? why + 2 : "");
}

int mnt_new(const char *fstype, uint64_t attrs, const char *const *options, int *ret_fd)
{
    auto_close int fs = fsopen(fstype, FSOPEN_CLOEXEC);
    if (fs < 0)
        return err_sys("cannot mount %s", fstype);
    fsconfig(fs, FSCONFIG_SET_STRING, "source", fstype, 0); /* what df and mount show; "none" else */
    for (; options && options[0]; options += 2) {
        int r = options[1] ? fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0)
                           : fsconfig(fs, FSCONFIG_SET_FLAG, options[0], NULL, 0);
        if (r < 0)
            return context_error(fs, fstype);
    }
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return context_error(fs, fstype);
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
    if (fd < 0)
        return context_error(fs, fstype);
    *ret_fd = fd;
    return 0;
}

int mnt_clone(int dirfd, const char *path, bool recursive, int *ret_fd)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);
    int fd = open_tree(dirfd, path, flags);
    if (fd < 0)
        return err_sys("cannot bind %s", path);
    *ret_fd = fd;
    return 0;
}

static int set_attrs(int mnt_fd, struct mount_attr *attr, bool recursive)
{
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    if (mount_setattr(mnt_fd, "", flags, attr, sizeof *attr) < 0)
        return err_sys("cannot change mount attributes");
    return 0;
}

int mnt_attrs(int mnt_fd, uint64_t set, uint64_t clear, bool recursive)
{
    if (!set && !clear)
        return 0;
    return set_attrs(mnt_fd, &(struct mount_attr){.attr_set = set, .attr_clr = clear}, recursive);
}

int mnt_idmap(int mnt_fd, int userns_fd)
{
    return set_attrs(mnt_fd, &(struct mount_attr){.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd},
                     false);
}

int mnt_propagation(int mnt_fd, uint64_t propagation, bool recursive)
{
    return set_attrs(mnt_fd, &(struct mount_attr){.propagation = propagation}, recursive);
}

int mnt_attach(int mnt_fd, int target_fd)
{
    if (move_mount(mnt_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return err_sys("cannot attach a mount");
    return 0;
}

int mnt_detach(int mnt_fd)
{
    auto_close int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = before < 0 || fchdir(mnt_fd) < 0 || umount2(".", MNT_DETACH) < 0 ? err_sys("cannot unmount again") : 0;
    if (before >= 0 && fchdir(before) < 0 && r == 0)
        r = err_sys("cannot go back to the working directory");
    return r;
}

int mnt_pivot(int new_root_fd)
{
    if (fchdir(new_root_fd) < 0)
        return err_sys("cannot enter the container's root");
    /* pivot_root(".", ".") stacks the old root on the new one, where it is detached (pivot_root(2), notes). */
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_sys("cannot change the root");
    if (umount2(".", MNT_DETACH) < 0)
        return err_sys("cannot let go of the host's root");
    if (chdir("/") < 0)
        return err_sys("cannot enter the container's root");
    return 0;
}

int open_in_root(int root_fd, const char *path, uint64_t flags, unsigned mode)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd;
    do
        fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN); /* a rename or mount raced with the resolution (openat2(2)) */
    return fd < 0 ? -errno : fd;
}

/* Enters or makes one component below dir. A symbolic link is resolved in the root: path_so_far is what leads to it. */
static int step_into(int root_fd, const char *path_so_far)
{
    int fd = open_in_root(root_fd, path_so_far, O_PATH | O_DIRECTORY, 0);
    if (fd != -ENOENT)
        return fd;
    auto_free char *parent = xstrdup(path_so_far);
    char *slash = strrchr(parent, '/');
    const char *name = slash ? slash + 1 : parent;
    if (slash)
        *slash = 0;
    auto_close int dir = open_in_root(root_fd, slash && *parent ? parent : ".", O_PATH | O_DIRECTORY, 0);
    if (dir < 0)
        return dir;
    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    return open_in_root(root_fd, path_so_far, O_PATH | O_DIRECTORY, 0);
}

int make_dirs_in_root(int root_fd, const char *path, int *ret_fd)
{
    int fd = open_in_root(root_fd, *path ? path : ".", O_PATH | O_DIRECTORY, 0);
    if (fd == -ENOENT) {
        auto_strv char **parts = strv_split(path, "/");
        auto_buf struct buf so_far = {0};
        strv_foreach (part, parts) {
            buf_addf(&so_far, "%s%s", so_far.len ? "/" : "", part);
            fd_close(fd);
            fd = step_into(root_fd, so_far.data);
            if (fd < 0)
                break;
        }
    }
    if (fd < 0)
        return err_set(fd, "cannot make the directory %s in the container: %s", path, strerror(-fd));
    *ret_fd = fd;
    return 0;
}

/* The file's parent and its name. An existing last component is followed within the root, as a bind mount's target
 * would be. */
static int make_file_in_root(int root_fd, const char *path)
{
    int fd = open_in_root(root_fd, path, O_PATH, 0);
    if (fd != -ENOENT)
        return fd;
    auto_free char *copy = xstrdup(path);
    char *slash = strrchr(copy, '/');
    auto_close int dir = -1;
    if (slash)
        *slash = 0;
    int r = make_dirs_in_root(root_fd, slash ? copy : "", &dir);
    if (r < 0)
        return r;
    auto_close int made =
        openat(dir, slash ? slash + 1 : copy, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0644);
    if (made < 0 && errno != EEXIST)
        return -errno;
    return open_in_root(root_fd, path, O_PATH, 0);
}

int open_target(int root_fd, const char *path, bool directory, int *ret_fd)
{
    if (directory)
        return make_dirs_in_root(root_fd, path, ret_fd);
    int fd = make_file_in_root(root_fd, path);
    if (fd < 0)
        return err_set(fd, "cannot make the mount point %s in the container: %s", path, strerror(-fd));
    *ret_fd = fd;
    return 0;
}
