/* The runtime directory: sockets only. It may be wiped at log-out at any time, so it is made again whenever it is
 * needed. */
#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>

enum { DIR_MODE = 0700 };

/* $XDG_RUNTIME_DIR is believed only if it is the caller's own: su and sudo leave the one of somebody else (CV-70). */
static bool is_own_dir(const char *path)
{
    struct stat st;
    return path && *path == '/' && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* Below /tmp the boot id is part of the name, so that what an earlier boot left is never taken for ours. */
static char *private_path(void)
{
    return xasprintf("/tmp/whelk-%u-%.13s", (unsigned)geteuid(), proc_boot_id());
}

static char *choose_path(void)
{
    auto_free char *user_dir = xasprintf("/run/user/%u", (unsigned)geteuid());
    const char *const parents[] = {
        geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR"),
        geteuid() == 0 ? NULL : user_dir,
    };
    for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
        if (is_own_dir(parents[i]) && access(parents[i], W_OK | X_OK) == 0)
            return xasprintf("%s/whelk", parents[i]);
    }
    return private_path();
}

/* Somebody else may have made the directory (names below /tmp can be guessed): owner and mode tell. */
static int check_private(int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys("cannot read %s", path);
    if (st.st_uid != geteuid())
        return err_set(-EPERM, "the runtime directory %s belongs to uid %u; set XDG_RUNTIME_DIR or give --runroot",
                       path, (unsigned)st.st_uid);
    if (st.st_mode & 077)
        return err_set(-EPERM, "the runtime directory %s has mode %04o, it must be 0700", path,
                       (unsigned)st.st_mode & 07777);
    return 0;
}

int store_run_dir(struct store *s, int *ret_fd)
{
    auto_free char *path = s->run_path ? xstrdup(s->run_path) : choose_path();
    int r = dir_make_all(path, DIR_MODE);
    if (r < 0)
        return err_wrap(r, "cannot make the runtime directory");
    auto_close int fd = dir_open(AT_FDCWD, path);
    if (fd < 0)
        return fd;
    r = check_private(fd, path);
    if (r < 0)
        return r;
    if (!s->run_path)
        s->run_path = take_ptr(&path);
    *ret_fd = take_fd(&fd);
    return 0;
}
