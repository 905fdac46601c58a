/* A store: everything on disk of one user (DESIGN 3, STORE). Rules that hold for all its parts:
 *
 * - Whole or absent: objects are built in tmp/ and published by one rename; removal renames into tmp/trash-* first.
 * - What no record and no running operation refers to is garbage (gc.h).
 * - Nothing on disk says that something runs (ctr.h has the liveness lock).
 * - Trees with the image's owners are touched only in the store's user namespace (store_run). */
#ifndef WHELK_STORE_H
#define WHELK_STORE_H

#include "whelk/userns.h"

struct store {
    int fd;         /* the root of the store */
    char *path;     /* absolute, for messages and inspect */
    char *run_path; /* directory of sockets; made at first use by store_run_dir */
    char *uuid;
    struct idmap map; /* what the trees are written with */
    bool unshared;    /* by store_open_unshared */
};

/* Opens or makes the store at root (NULL: $XDG_DATA_HOME/whelk, ~/.local/share/whelk; root: /var/lib/whelk); checks the
 * marker, its version, owner and id map. Refuses to make one in a directory that holds other things (PAIN-07). */
int store_open(const char *root, const char *runroot, struct store **ret);
/* The existing store at path for a command that the user runs in his own whelk unshare: there he is uid 0, and the ids
 * that the trees are written with are plain ones, so its map is none. */
int store_open_unshared(const char *path, struct store **ret);
void store_close(struct store *s);
/* Takes gc.lock shared: while the returned descriptor is open, nothing that exists is collected. For short operations;
 * long ones pin (stage.h). */
int store_hold(const struct store *s, int *ret_fd);
/* The runtime directory ($XDG_RUNTIME_DIR/whelk, /run/whelk, else a private one under /tmp whose owner, mode and boot
 * id are checked). */
int store_run_dir(struct store *s, int *ret_fd);
/* For root: gives the store of another user the ids that /etc/subuid and /etc/subgid give him now: every owner in its
 * trees moves from the marker's map to the new one. Nothing of it may run. *ret_changed: false if the map is the same.
 */
int store_shift(const char *root, bool *ret_changed);
/* Runs fn(arg) in a worker that is root in the store's user namespace. */
int store_run(const struct store *s, int (*fn)(void *arg), void *arg);
/* Bytes of disk that the tree at path (below the store) takes, with the store's ids if need be; -ENOENT without text. */
int store_usage(const struct store *s, const char *path, uint64_t *ret);
/* Moves dirfd/name to tmp/trash-<id> and removes it from there, with the store's ids if need be. */
int store_trash(const struct store *s, const char *dir, const char *name);
/* Bytes of disk of all of it. */
int store_size(const struct store *s, uint64_t *ret);
/* Is it somewhere that must not be removed: "/", the home, the runtime or the current directory? -EINVAL with text. */
int store_check_place(const struct store *s);
/* Removes the whole store but for what is not whelk's (PAIN-07). No container may run; s can only be closed then. */
int store_reset(const struct store *s);
/* Removes what killed commands left: staging without owner, trash, dead --rm containers. Cheap when there is nothing.
 * For commands that change the store; never fails a command. */
void store_tidy(const struct store *s);

#endif
