/* Control groups of a container. Version 2 is the real thing: a delegated, writable subtree, or a scope that systemd makes over D-Bus; version 1
 * controllers are used where a host has only those (RUNTIME, namespaces and cgroups 6; DESIGN 7, 10). */
#ifndef WHELK_CGROUP_H
#define WHELK_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Zero or NULL: not asked for. -1 where an option says so: no limit. */
struct limits {
#define LIMIT(field, ...) int64_t field;
#define LIMIT_TEXT(field, ...) char *field;
#include "whelk/limits.def"
#undef LIMIT
#undef LIMIT_TEXT
    char **device_read_bps, **device_write_bps, **device_read_iops, **device_write_iops; /* "MAJ:MIN=N" as resolved */
};
bool limits_any(const struct limits *l);
/* Checks values and how they go together (minimum 6 MiB of memory, cpus with quota, swap below memory...). -EINVAL with text that names the option. */
int limits_check(const struct limits *l);

/* What this host offers to this user. */
enum cgroup_mode { CGROUP_NONE, CGROUP_V2, CGROUP_V1 };

struct cgroup; /* the group of one container */

/* Makes a group for container id: below the caller's own v2 group where that is writable and delegated; else a scope by systemd (user or system
 * manager, libsystemd through dlopen) that `pid` is moved into; else v1 directories, only for controllers that carry a limit. A limit whose controller
 * is not to be had is -EOPNOTSUPP with text that names the controller and says what to do; without limits nothing is made where that costs (v1).
 * Layout on v2: <group>/supervisor and <group>/ctr. */
int cgroup_make(const char *id, const struct limits *l, pid_t supervisor, struct cgroup **ret);
/* A descriptor of the v2 leaf for CLONE_INTO_CGROUP, or -1 (v1: call cgroup_enter in the child's place). */
int cgroup_child_fd(const struct cgroup *g);
int cgroup_enter(const struct cgroup *g, pid_t pid);
/* For the record, so that other commands find it: the group's paths as "controller:path" words ("": v2). Caller frees. And back. */
char **cgroup_paths(const struct cgroup *g);
int cgroup_open(char *const *paths, struct cgroup **ret);
int cgroup_set(const struct cgroup *g, const struct limits *l); /* update */
int cgroup_freeze(const struct cgroup *g, bool frozen);
bool cgroup_frozen(const struct cgroup *g);
bool cgroup_oom_killed(const struct cgroup *g);
int cgroup_kill(const struct cgroup *g); /* all processes in it */
/* Read back for inspect and stats. */
struct cgroup_usage {
    uint64_t cpu_ns, memory, memory_limit, io_read, io_write, pids;
};
int cgroup_usage(const struct cgroup *g, struct cgroup_usage *ret);
int cgroup_limits(const struct cgroup *g, struct limits *ret); /* what is in force */
void cgroup_remove(struct cgroup *g); /* when its processes are gone; frees g */
void cgroup_close(struct cgroup *g);  /* frees, leaves the group */

#endif
