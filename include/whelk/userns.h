/* User namespaces and id maps: plain values in, kernel calls out. */
#ifndef WHELK_USERNS_H
#define WHELK_USERNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct id_range {
    uint32_t inside, outside, count;
};

enum { IDMAP_MAX = 16 };

/* Without ranges: no user namespace (root's store). One range of one id: "single", what an unprivileged user may map
 * without newuidmap. */
struct idmap {
    struct id_range uid[IDMAP_MAX], gid[IDMAP_MAX];
    unsigned n_uid, n_gid;
};

bool idmap_none(const struct idmap *m);
bool idmap_single(const struct idmap *m);
/* The map that this user may have: root none; else 0 -> own id and 1.. -> the ranges of /etc/subuid and /etc/subgid (if
 * both are there and newuidmap is installed), else single. */
int idmap_for_user(struct idmap *ret);
/* The same for another user by ids (root asks). */
int idmap_for_ids(uid_t uid, gid_t gid, struct idmap *ret);
/* Is id (as seen inside) mapped? */
bool idmap_has_uid(const struct idmap *m, uint32_t uid);
bool idmap_has_gid(const struct idmap *m, uint32_t gid);

/* ---- id maps as values (kernel/idmap.c) ---- */

#define ID_NONE UINT32_MAX
/* One half of a map. */
struct id_set {
    struct id_range r[IDMAP_MAX];
    unsigned n;
};
/* An id through a map, or ID_NONE. */
uint32_t id_outside(const struct id_range *r, unsigned n, uint32_t id);
uint32_t id_inside(const struct id_range *r, unsigned n, uint32_t id);
uint64_t ids_size(const struct id_range *r, unsigned n);
/* Adds: inside and the count ids behind it are those that pool numbers from, from + 1 ...; fewer if it has no more. */
int ids_slice(const struct id_set *pool, uint32_t from, uint32_t inside, uint64_t count, struct id_set *to);
/* Adds ranges and takes away what of s had the same ids, on either side. */
int ids_insert(struct id_set *s, const struct id_set *more);
/* No id twice, at least one. */
int ids_check(const struct id_set *s);
/* The user's own id (number 0 of pool) as id, the others around it in order; size: at most so many others, 0: all. */
int ids_keep(const struct id_set *pool, uint32_t id, uint64_t size, struct id_set *ret);
/* The words of --uidmap and --gidmap. */
struct id_word {
    uint32_t inside, from, count;
    bool host;       /* @: from is an id of the host, which is the caller's to find in the pool */
    bool extends;    /* +: the pool in its order is there already */
    bool uids, gids; /* u, g: for which of them it holds */
};
int id_word_parse(const char *word, struct id_word *ret);
int ids_add_word(const struct id_set *pool, const struct id_word *w, struct id_set *s);
/* The subordinate ids of users by name, numbered from 0; -ENOENT with text: there are none. */
int idmap_of_names(const char *uid_name, const char *gid_name, struct idmap *ret);

/* clone3 with CLONE_PIDFD, exit signal SIGCHLD and the CLONE_NEW* flags, or CLONE_PARENT or CLONE_FILES; like fork,
 * returns 0 in the child. In the parent *ret_pidfd is an O_CLOEXEC descriptor. -errno with text that explains refusals
 * (EPERM: the sysctl, ENOSPC: the limit). */
pid_t ns_clone(uint64_t flags, int *ret_pidfd);
/* Writes the maps of a process that is in a new user namespace: itself for a single map, through newuidmap and
 * newgidmap side by side for ranges. Called by its parent, outside. */
int userns_write_maps(pid_t pid, const struct idmap *m);

/* Forks a child into a new user namespace with map m (none: plain fork) plus the other CLONE_NEW* flags; returns 0 in
 * the child when the maps are set and it is root inside, the pid in the parent. The child dies with its parent. */
pid_t userns_fork(const struct idmap *m, uint64_t flags, int *ret_pidfd);
/* Goes on in a child as by userns_fork(m, CLONE_NEWPID): the caller's code after this call runs in the child, which is
 * init of a pid namespace; the calling process stays as its shadow and exits with its status. A fatal signal to the
 * shadow, also SIGKILL, ends the child and all that it started; after(arg) then runs in the shadow (not after SIGKILL)
 * to clean up; it may be NULL. */
int userns_become(const struct idmap *m, void (*after)(void *arg), void *arg);
/* worker_start with fn in a user namespace with map m; wait with worker_wait. */
struct worker;
int userns_worker_start(const struct idmap *m, int (*fn)(void *arg), void *arg, struct worker *ret);
/* Runs fn(arg) so and waits. */
int userns_run(const struct idmap *m, int (*fn)(void *arg), void *arg);

#endif
