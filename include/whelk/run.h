/* The life of a container (DESIGN 4, RUNTIME).
 *
 *     STARTER     the invocation. spec.c makes the record, launch.c forks the SUPERVISOR and waits for "started" or
 *                 an error; then it leaves (-d) or relays (attach.c) and exits with the container's status.
 *     SUPERVISOR  supervise.c: init of an outer pid namespace, holds the alive lock, reads the output, writes the
 *                 log, reaps.
 *     CHILD       child.c: a table of steps, then the command.
 *
 * Names with _child run after the fork in the CHILD. */
#ifndef WHELK_RUN_H
#define WHELK_RUN_H

#include "whelk/ctr.h"
#include "whelk/image-config.h"
#include "whelk/layer.h"

/* What the command line asks for (run, create): plain strings as typed, NULL or false when not given. */
struct run_options {
    bool detach, interactive, tty, rm, read_only, privileged, init, quiet;
    bool no_sig_proxy;
    char *name, *workdir, *user, *entrypoint, *hostname, *cidfile, *stop_signal;
    int64_t stop_timeout;
    char *restart, *health_cmd, *health_on_failure, *detach_keys;
    char *health_interval, *health_startup_cmd, *health_log_destination;
    int64_t health_timeout, health_start_period, health_start_interval;     /* ns; -1: not given */
    int64_t health_startup_interval, health_startup_timeout;                /* the same */
    int64_t health_retries, health_startup_retries, health_startup_success; /* -1: not given */
    int64_t health_log_count, health_log_size;                              /* the same */
    bool no_healthcheck, replace, rootfs;
    bool no_hosts, publish_all;
    char **networks, **network_aliases, *ip, *ip6, *mac, **dns, **dns_search, **dns_options, **add_hosts, *hosts_file;
    char **publish, **expose;
    char *log_driver, **log_opts;
    char *sdnotify, *cgroups;
    char **ulimits, *shm_size, *shm_size_systemd, *oom_score_adj, **group_add, **sysctls, *pid, *ipc, *uts, *cgroupns,
        *userns, *tz, **devices, **cdi_dirs, *gpus;
    char **uidmap, **gidmap, *subuidname, *subgidname;
    char **unset_env, **env_merge, **label_files, **annotations, **host_users;
    bool unset_env_all, http_proxy, passwd, no_hostname;
    int64_t timeout;
    char *pidfile, *conmon_pidfile, **requires, *cgroup_parent, *systemd;
    bool read_only_tmpfs;
    char *umask, *passwd_entry, *group_entry, *domainname, *personality;
    struct refused_words { /* what whelk does not do, a member for each line of refused-options.def */
#define REFUSED(field, ...) char *field;
#include "whelk/refused-options.def"
#undef REFUSED
    } refused;
    bool env_host;
    struct limit_words { /* as typed, a member for each line of limits.def */
#define LIMIT_WORD_SIZE char *
#define LIMIT_WORD_CPUS char *
#define LIMIT_WORD_COUNT char *
#define LIMIT_WORD_TEXT char *
#define LIMIT_WORD_DEVICES char **
#define LIMIT_WORD_CONF char **
#define LIMIT(field, kind, ...) LIMIT_WORD_##kind field;
#include "whelk/limits.def"
#undef LIMIT
    } limits;
    char *image_volume;
    char **env, **env_files, **volumes, **cap_add, **cap_drop, **security_opts, **labels, **tmpfs;
    char **mounts, **volumes_from, **secrets;
};

/* The pure final record out of image, options and words; reads env files, and the records of what --volumes-from and
 * --mount name. create_command may be NULL. The error names the flag. */
int spec_make(const struct store *s, const struct run_options *o, const char *image_id, const char *image_ref,
              const struct image_config *config, char *const *layers, char *const *command, struct ctr *ret);

/* The same for --rootfs, where the first word is DIR[:O] and no image says anything. */
int spec_make_rootfs(const struct store *s, const struct run_options *o, const char *word, char *const *command,
                     struct ctr *ret);

/* --userns auto: does the container want ids that no other has; and gives it some. From there until run_create has
 * published it, the caller holds containers/.ids as a lock. */
bool spec_wants_ids(const struct ctr *c);
int spec_allot_ids(const struct store *s, struct ctr *c);

/* NAME=value, NAME (from whelk's own environment, absent if unset) and NAME* words of -e into env; files of such lines
 * first. */
int spec_env(char *const *words, char ***env);
int spec_env_files(char *const *files, char ***env);

/* The words of limit options as values; then limits_check. The caller owns *ret (limits_done). */
int spec_limits(const struct limit_words *words, struct limits *ret);

/* create: publishes the container. Holds the store from before the image is looked up (the caller's hold). claim: NULL,
 * or for who goes on to run_start: he keeps *claim open until that has returned (ctr_claim). */
int run_create(struct store *s, const struct ctr *c, int *claim);

/* Descriptors of the caller that a command gets at the numbers that they have. */
struct preserve_options {
    int64_t count; /* so many from 3 on, behind the sockets of systemd */
    char **lists;  /* numbers with commas */
};

struct launch_options {
    bool attach;     /* relay streams and wait; else return when started */
    bool stdin_open; /* attach stdin too */
    bool sig_proxy;
    const char *detach_keys;                 /* NULL: the usual */
    bool no_stdout, no_stderr;               /* attached without these */
    const struct preserve_options *preserve; /* NULL: none but the sockets that systemd passes */
};
/* Starts a created or exited container. Not attached: 0 when the command has been executed. Attached: relays and
 * returns the exit code (0..255). Errors of the start carry the status 125, 126 or 127. */
int run_start(struct store *s, const struct ctr *c, const struct launch_options *o);

struct attach_options {
    bool no_stdin, sig_proxy;
    const char *detach_keys; /* NULL: "ctrl-p,ctrl-q"; "": none */
};
/* Joins the streams of a running container's first process until it ends: its exit code; 0 after the detach keys. */
int run_attach(const struct store *s, const struct ctr *c, const struct attach_options *o);

/* Sends sig to the container's first process through its supervisor; asked: the death is wanted (restart policies).
 * -ESRCH with text "container X is not running". */
int run_kill(const struct store *s, const char *id, int sig);
/* Freezes or thaws all processes of a running container (its control group). */
int run_pause(const struct store *s, const char *id, bool paused);
/* The paths of /proc and /sys that it finds covered, and those that it cannot write. Caller frees. */
void run_hidden_paths(const struct ctr *c, char ***ret_masked, char ***ret_readonly);
/* Is it frozen? */
bool run_is_paused(const struct store *s, const char *id);

/* Stop signal (sig, 0: the container's own), wait, SIGKILL: done by the supervisor; returns when it has ended. timeout
 * in seconds, -1 for ever, -2 the container's own. Not running is success. *ret_forced may be NULL: SIGKILL was needed.
 */
int run_stop(const struct store *s, const char *id, int sig, int64_t timeout, bool *ret_forced);
/* Changes what a container was made with: limits, restart policy, health check, ulimits and variables of o (those that
 * are given), and drops the variables named in unset_env. Limits, policy and checks of a running one hold at once, the
 * rest from its next start. The record changes only if all could be done. */
int run_update(const struct store *s, const char *id, const struct run_options *o, char *const *unset_env);
/* Tells its supervisor, if it runs, that its record was changed. */
void run_reload(const struct store *s, const char *id);
/* Puts a container, running or not, on a further network, or takes it from one; it must be on a named one, and stay on
 * one. -EEXIST, -ENOENT with text: it is there already, or is not. */
struct ctr_net;
int run_connect(const struct store *s, const char *id, const struct ctr_net *spec);
int run_disconnect(const struct store *s, const char *id, const char *network);
/* Makes the packet filter of all networks again. */
int run_reload_networks(const struct store *s);
/* Removes a container. Running: -EBUSY with text, or with force it is stopped first (timeout as in run_stop; 0:
 * killed). */
int run_remove(const struct store *s, const char *id, bool force, int64_t timeout);
/* Waits for the end without polling; returns the exit code (0..255). A container that does not run: its last code. */
int run_wait(const struct store *s, const char *id, int *ret_code);
/* Waits, without polling, until one of the conditions holds ("running", "healthy", "removed" ...): *ret_code is the
 * exit code if it is the end that was waited for, else -1. -ENOENT with text if the container is removed meanwhile. */
int run_wait_for(const struct store *s, const char *id, char *const *conditions, int *ret_code);
int run_check_conditions(char *const *conditions); /* -EINVAL with text */

/* The words to execute for a health_cmd ("CMD-SHELL" text, or "CMD" words). Caller frees. */
char **health_command(char *const *cmd);

struct exec_options {
    bool interactive, tty, privileged;
    bool detach;       /* without streams: returns 0 when the command has been executed */
    char *detach_keys; /* NULL: the usual */
    char *workdir, *user;
    char **env, **env_files;
    struct preserve_options preserve;
};
/* Runs a command in a running container with the caller's streams; returns its exit code. */
int run_exec(const struct store *s, const char *id, const struct exec_options *o, char *const *command);

/* One step of a build: a container without record or supervisor. The caller is inside the store's user namespace and
 * init of a pid namespace (userns_become). Overlay of layers (bottom first) with dir/upper and dir/work. Output goes to
 * out_fd (both streams). Returns the command's exit code, or a negative errno with text. stubs: what whelk put into the
 * tree (for layer_pack); caller frees. ret_owners gets the owners of what keeps none on disk. */
struct secret_value {
    const char *name;
    char *data;
    size_t len;
};
struct step_spec {
    char *const *layers;
    const char *dir; /* below the store's root: has upper/ and work/ */
    char *const *args, *const *env;
    const char *cwd, *user, *network;
    const char *script; /* NULL, or: file "script" of dir is bound to /dev/pipes/<this name>, for execution */
    struct rec_list mounts, secrets; /* struct ctr_mount, struct ctr_secret */
    struct secret_value *values;     /* of the secrets, which no store has */
    size_t n_values;
    int out_fd;
    const struct run_options *options; /* see run_step_check; NULL: none */
};
/* The options of run that a step may have: add_hosts, dns, dns_search, dns_options, ulimits, shm_size, devices, cap_add,
 * cap_drop, security_opts. Are they right? The error names the flag. */
int run_step_check(const struct run_options *o);
int run_step(struct store *s, const struct step_spec *spec, char ***ret_stubs, struct pack_owners *ret_owners);

/* Log files: CRI lines "<RFC 3339 ns> stdout|stderr F|P text", rotated. */
enum { LOG_MAX_SIZE = 10 * 1000 * 1000, LOG_MAX_FILES = 3 };
struct log_writer;
/* *ret is NULL where the driver keeps nothing. */
int log_open(int ctr_fd, const struct ctr *c, struct log_writer **ret);
/* Appends output of stream (1 stdout, 2 stderr). */
int log_add(struct log_writer *w, int stream, const void *data, size_t len);
/* Somebody has moved the file away: goes on with a new one. */
void log_reopen(struct log_writer *w);
void log_close(struct log_writer *w);

struct log_query {
    int64_t since, until; /* ns; 0: no bound */
    int64_t tail;         /* the last so many lines; -1: all */
    bool timestamps, follow;
    const char *prefix;  /* before each line, or NULL */
    int out_fd, err_fd;  /* -1: this stream is left out */
    const char *journal; /* the container's id if its log is in systemd's journal, else NULL */
    int supervisor;      /* with follow: a pidfd whose end is the end, -1: it does not run */
};
/* Writes what the log holds and, with follow, what comes. -EPIPE without text when the reader has gone. */
int log_read(int ctr_fd, const struct log_query *q);
/* A supervisor's pidfd for log_query; -ESRCH without text: not running. */
int run_supervisor(const struct store *s, const char *id, int *ret_pidfd);

#endif
