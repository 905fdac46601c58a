/* The files of a container from outside, running or not: for cp, export, diff and commit.
 *
 * A worker gets the root as a descriptor and goes no other way (SECURITY H1). Of a running container it is a copy of
 * the mount that the container sees as "/", which it joins namespaces for; else the layers and the upper directory are
 * mounted anew. Nothing runs inside. */
#ifndef WHELK_ROOTFS_H
#define WHELK_ROOTFS_H

#include "whelk/ctr.h"
#include "whelk/proc.h"

enum {
    ROOTFS_WRITE = 1,  /* changes are wanted */
    ROOTFS_MOUNTS = 2, /* with what is mounted in it, if it runs; else it is the bare root */
};
/* Starts fn as a worker that is root among the container's ids. A container that is not up cannot be started until the
 * worker has ended. */
int rootfs_worker(const struct store *s, const struct ctr *c, unsigned flags, int (*fn)(int root_fd, void *arg),
                  void *arg, struct worker *ret);
/* The same, and waits. */
int rootfs_run(const struct store *s, const struct ctr *c, unsigned flags, int (*fn)(int root_fd, void *arg),
               void *arg);

/* All files of the root as a tar archive, without mounts. */
int rootfs_export(const struct store *s, const struct ctr *c, int out);

/* Calls line(ctx, 'A' | 'C' | 'D', path) for what the container has added, changed and deleted, sorted by path, and at
 * the end line(ctx, 0, NULL); what whelk put there itself is left out. Runs in a worker: line may print, and flushes
 * what it prints. */
int rootfs_changes(const struct store *s, const struct ctr *c, void (*line)(void *ctx, char kind, const char *path),
                   void *ctx);
/* The same for the topmost layer of an image (keys, bottom first) beside those below. */
int rootfs_image_changes(const struct store *s, char *const *layers,
                         void (*line)(void *ctx, char kind, const char *path), void *ctx);

/* Mounts a container's files, without its volumes, or those of an image, read-only, as a view (whelk/view.h) that is
 * not there yet. Of a running container it is what its processes see, else what the next start goes on with. For
 * callers that may mount: root, or inside whelk unshare. */
int rootfs_mount(const struct store *s, const struct ctr *c);
int rootfs_mount_image(const struct store *s, const char *id);

/* One side of a copy. */
struct copy_end {
    const struct ctr *c; /* NULL: the host */
    const char *path;    /* as typed; of the host, relative to the working directory */
    int archive;         /* >= 0: a tar stream on this descriptor instead; c is NULL */
};
struct copy_options {
    bool owners; /* keep owners (-a); else what comes to a container is root's, and what comes to the host the caller's
                  */
    bool follow_link; /* the source, if it is a link */
    bool overwrite;   /* directories take the place of other things in the destination, and the other way round */
};
/* Copies by the rules of docker cp: a directory's name is kept where the destination is a directory, unless the source
 * ends in "/."; a destination with a slash at its end must be a directory. */
int rootfs_copy(const struct store *s, const struct copy_end *from, const struct copy_end *to,
                const struct copy_options *o);

#endif
