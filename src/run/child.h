/* What the CHILD needs, all decided before the fork, and its steps. */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include "whelk/caps.h"
#include "whelk/ctr.h"
#include "whelk/net.h"

struct ns_joins;

#include <sys/ioctl.h>

struct handed;

/* Parse, then plan, then act: the plan is complete before anything is cloned. */
struct plan {
    const struct ctr *c;
    const struct idmap *map;           /* its outside are ids of the store where it is nested */
    const struct idmap *store_map;     /* of the SUPERVISOR's user namespace */
    bool nested;                       /* the CHILD has a user namespace below that one (nested.c) */
    bool fresh;                        /* it was never started */
    const struct ns_joins *joins;      /* namespaces of others, or NULL */
    int store_fd;                      /* directories below are relative to it; -1 for exec */
    char **lowers;                     /* top first */
    const char *dir;                   /* "containers/<id>" or a staging directory: has upper/ and work/ */
    bool inject;                       /* hosts, hostname and resolv.conf of dir go over those of the image */
    const char *script;                /* NULL, or the name below /dev/pipes of the file "script" of dir */
    const struct secret_value *values; /* of secrets that no store has */
    size_t n_values;
    bool report_stubs; /* tell which mount points were made (FRAME_STUB) */
    void *filter;      /* seccomp program */
    size_t filter_len;
    int stdio[3];                /* become 0, 1, 2; -1: /dev/null. Not used with a tty */
    int sock;                    /* the CHILD's end of its socket pair */
    struct winsize size;         /* of a new terminal; ws_row 0: unknown */
    const struct net *net;       /* or NULL: the namespace is left as it is */
    const struct handed *handed; /* what the caller hands to the command, or NULL */
    bool notify;                 /* the command gets a socket for its notifications (FRAME_NOTIFY) */
    bool fake_ids;               /* one id is mapped, and all others are played (fake-ids.h) */
    bool exec;                   /* joins a running container: no mounts, no host name */
};
void plan_done(struct plan *p); /* frees lowers and filter */

/* The CHILD's state while it walks its steps. */
struct child {
    const struct plan *plan;
    bool builder;
    int store_fd;  /* plan->store_fd in this mount namespace */
    int dir_fd;    /* plan->dir; the root is mounted over it */
    int root_fd;   /* O_PATH of the container's root, until the pivot and after */
    int userns_fd; /* of a BUILDER: the container's user namespace */
    int shm_fd;    /* /dev/shm of the container whose IPC namespace is used, or -1 */
    int null_fd;   /* an own /dev/null, kept for masks and stdio; the container's as soon as that is there */
    bool host_sys; /* /sys is a bind of the host's */
    struct identity who;
    struct identity asked; /* the same, but where one id is mapped and the others are played */
    gid_t groups[64];
    char *home;
    int slave_fd; /* pty slave */
    char **env;
    int *own_fds; /* sources of mounts that are given to the user (option U) */
    size_t n_own;
};

/* Walks the steps and executes the command; reports a failure through plan->sock and ends. */
void child_main(const struct plan *p) __attribute__((noreturn));

/* nested.c: the BUILDER's whole life, and steps of its own and of its CHILD. */
void builder_main(const struct plan *p, int child) __attribute__((noreturn));
/* Lets the BUILDER make the tree for the CHILD of a session that waits for it. */
struct session;
int nested_build(struct session *s);
pid_t nested_clone(struct plan *p, uint64_t ns_flags, int *ret_pidfd);
int nested_become_builder(struct child *k);
int nested_hand_over(struct child *k);
int nested_take_root(struct child *k);
int nested_become_root(struct child *k);
/* An id of the container as the process that mounts sees it. */
uint32_t seen_uid(const struct child *k, uint32_t uid);
uint32_t seen_gid(const struct child *k, uint32_t gid);
void child_walk(struct child *k, unsigned mode) __attribute__((noreturn));
enum { STEP_RUN = 1, STEP_EXEC = 2, STEP_BUILD = 4, STEP_NESTED = 8 };

/* A step, and what the middle process of exec does for its CHILD, who has no /proc of the host. */
int child_oom_score(struct child *k);

/* child-mounts.c: steps on a root that is not yet entered. */
int child_mount_root(struct child *k);
int child_mount_base(struct child *k);
int child_mount_volumes(struct child *k);
int child_mount_files(struct child *k);
int child_own_volumes(struct child *k);
int child_mask(struct child *k);
int child_enter_root(struct child *k);

/* Attaches a detached mount at a path of the root, made if missing; not below its /proc. */
int child_attach(struct child *k, int mnt, const char *path, bool directory);

/* secrets.c: files, and variables into k->env; the latter also for exec and health checks. */
int child_mount_secrets(struct child *k);
int child_secret_env(struct child *k);
int secrets_env(int store_fd, const struct ctr *c, char ***env);

/* child-volumes.c: a detached mount for one row of volume_kinds. */
int child_volume_bind(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory);
int child_volume_named(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory);
int child_volume_tmpfs(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory);
int child_volume_devpts(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory);
int child_volume_image(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory);

/* child-user.c: who the command runs as, out of the image's passwd and group files. */
int child_find_user(struct child *k);
/* The text of a file of the container below its root; "" if it is not a plain file. Caller frees. */
char *child_read_etc(struct child *k, const char *path);

/* child-passwd.c: a line in /etc/passwd and /etc/group for a user that is given by number and not there. */
int child_add_user(struct child *k);

/* pid1.c: forks the command and stays as its init; returns in the forked child only. */
int child_init(struct child *k);

#endif
