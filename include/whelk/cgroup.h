/* Control groups of a container. Version 2 is the real thing: a delegated, writable subtree, or a scope that systemd
 * makes over D-Bus; version 1 controllers are used where a host has only those (RUNTIME, namespaces and cgroups 6;
 * DESIGN 7, 10).
 *
 * Which group a container gets:
 *
 *     version 2, the caller's group is delegated (a unit with Delegate=yes; without systemd any group that it may
 *              write):
 *                  <group>/whelk-ID     and, as soon as controllers are needed, the group's processes in
 *                                       <group>/supervisor
 *     version 2, else, under systemd: a scope by the system's manager (root) or the user's:
 *                  whelk-ID-PID.scope/ctr and whelk-ID-PID.scope/supervisor
 *     version 1    <the caller's own group of each controller that is needed>/whelk-ID, below /sys/fs/cgroup/CONTROLLER
 *
 * ID: the first 12 digits. A process in a group with controllers for its children is not allowed by the kernel (version
 * 2), hence the leaf "supervisor". */
#ifndef WHELK_CGROUP_H
#define WHELK_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Zero or NULL: not asked for. -1 where the option says so: no limit. The caller owns texts and vectors. */
#define LIMIT_TYPE_SIZE int64_t
#define LIMIT_TYPE_CPUS int64_t
#define LIMIT_TYPE_COUNT int64_t
#define LIMIT_TYPE_TEXT char *
#define LIMIT_TYPE_DEVICES char **
#define LIMIT_TYPE_CONF char **
struct limits {
#define LIMIT(field, kind, ...) LIMIT_TYPE_##kind field;
#include "whelk/limits.def"
#undef LIMIT
};
bool limits_any(const struct limits *l);
/* Checks each value and how they go together (swap below memory, cpus with a quota ...). -EINVAL with text that names
 * the option. */
int limits_check(const struct limits *l);
void limits_done(struct limits *l); /* frees what it holds */

/* What this host has. */
enum cgroup_mode { CGROUP_NONE, CGROUP_V2, CGROUP_V1 };
enum cgroup_mode cgroup_mode(void);

struct cgroup; /* the group of one container */

struct cgroup_request {
    const char *id;
    const struct limits *limits;   /* asked for: one that cannot be set is an error. NULL: none */
    const struct limits *defaults; /* set where that can be had without asking systemd, else left. NULL: none */
    const char *parent;            /* the path of a group to make it in, or NULL: the caller's own */
    bool split;                    /* below the caller's own group or not at all (--cgroups split) */
    bool full; /* have a group also without limits, with what pause and stats need, if this user may; costs a call to
                * systemd or some directories */
    pid_t supervisor; /* > 0, of the caller's pid namespace; moved beside the container where the kernel or systemd
                         wants it so */
};
/* Makes the group. *ret is NULL if nothing had to be made, or nothing could and nothing has to be. A limit whose
 * controller is not to be had is -EOPNOTSUPP with text that names option, controller and what to do. Talks to systemd
 * in a forked child that ends. */
int cgroup_make(const struct cgroup_request *q, struct cgroup **ret);
/* A descriptor of the v2 group for CLONE_INTO_CGROUP (good as long as g is), or -1 (v1: cgroup_enter). */
int cgroup_child_fd(const struct cgroup *g);
/* Moves pid, of the host's pid namespace where the caller cannot do it itself: a user's process that was born outside
 * of the group's unit is moved by systemd, which costs some milliseconds. What the SUPERVISOR clones should be born
 * where it is already. */
int cgroup_enter(const struct cgroup *g, pid_t pid);

/* For the record, so that other commands find it: "controller:path" words (v2: ":path"). Caller frees. */
char **cgroup_paths(const struct cgroup *g);
/* And back. -ENOENT without text if none of them is there any more. */
int cgroup_open(char *const *paths, struct cgroup **ret);
/* Writes all limits that l has (update: the old ones and the new ones together); -EOPNOTSUPP for a controller that g
 * has not. */
int cgroup_set(const struct cgroup *g, const struct limits *l);
/* Returns when all processes are frozen (thawed); -EOPNOTSUPP if g cannot. */
int cgroup_freeze(const struct cgroup *g, bool frozen);
bool cgroup_frozen(const struct cgroup *g);
int64_t cgroup_oom_kills(const struct cgroup *g); /* processes that were killed in it, since it was made */
int cgroup_kill(const struct cgroup *g);          /* SIGKILL to all processes in it */

/* Read back for inspect and stats. What its controllers do not tell is 0. */
struct cgroup_usage {
    uint64_t cpu_ns;
    uint64_t memory;       /* without the page cache that can be dropped at once, as docker shows it */
    uint64_t memory_limit; /* 0: none */
    uint64_t io_read, io_write, pids;
};
int cgroup_usage(const struct cgroup *g, struct cgroup_usage *ret);
int cgroup_limits(const struct cgroup *g,
                  struct limits *ret); /* what is in force; limits_done. cpus come as quota and period */

/* When its processes are gone, or about to be: waits a little for the kernel. Absent groups are fine. Frees g, which
 * may be NULL. */
void cgroup_remove(struct cgroup *g);
void cgroup_close(struct cgroup *g); /* frees, leaves the group */

#endif
