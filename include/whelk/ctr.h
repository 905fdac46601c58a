/* Containers on disk: containers/<id>/{container.json, upper/, work/, log, hosts, hostname, resolv.conf, alive,
 * live.json} and container-names/<name>, a symlink to the id.
 *
 * Liveness (RUNTIME, life and death 2, 3): the supervisor holds a record lock on `alive`; running = held. `alive` has
 * the exit record: empty = never started; otherwise one fixed block, written at the start and, before the lock goes, at
 * the end. Nothing else says what state a container is in. */
#ifndef WHELK_CTR_H
#define WHELK_CTR_H

#include "whelk/cgroup.h"
#include "whelk/id.h"
#include "whelk/record.h"
#include "whelk/store.h"

/* One mount of a container. */
struct ctr_mount {
    char *type;     /* "bind", "volume", "tmpfs", "image" */
    char *source;   /* absolute host path of a bind, name of a volume, name of an image */
    char *target;   /* absolute, inside */
    char **options; /* "ro", "noexec", "rslave", ... as resolved */
    char *subpath;  /* of a volume: the directory in it, or NULL */
    char **layers;  /* of an image: keys, bottom first */
    bool anonymous; /* the volume was made for a container that gave it no name */
};
extern const struct rec_type ctr_mount_rec;

/* One secret of a container, by name: its bytes are read at each start. */
struct ctr_secret {
    char *name;
    char *variable; /* NULL: it is a file */
    char *target;   /* absolute */
    int64_t uid, gid, mode;
};
extern const struct rec_type ctr_secret_rec;
/* One network that a container is attached to, as asked for. */
struct ctr_net {
    char *name;     /* a kind ("private", "none", "host", "pasta", "ns", "container"), or a network's name */
    char *target;   /* ns: the path; container: the id */
    char **options; /* of the kind, as "mtu=1500" */
    char **aliases; /* further names of the container there */
    char *ip, *ip6, *mac, *interface;
};
/* Published ports: count ones from port on, to count ones from host_port on. */
struct ctr_port {
    char *host_ip;     /* NULL: every address */
    int64_t host_port; /* 0: a free one, found at the start */
    int64_t host_end;  /* of one port in the container: the first free one up to here; 0: just host_port */
    int64_t port;      /* in the container */
    int64_t count;
    char *proto; /* "tcp", "udp" */
    bool hide;   /* the container sees its gateway instead of the client's address */
};
extern const struct rec_type ctr_net_rec, ctr_port_rec;

/* What a container is: decided once by run/spec.c (or a build step), never changed by running it. */
struct ctr {
    struct rec_head head;
    char *id;
    char *name;
    char *image;     /* id, or NULL */
    char *image_ref; /* as shown in ps */
    int64_t created;
    char **layers;       /* keys, bottom first: rmi -f takes nothing from under a container (STORE, garbage 2) */
    char *rootfs;        /* instead of layers: the directory that is its root; absolute */
    bool rootfs_overlay; /* changes go to upper/, and the directory stays as it is */

    char **args;          /* entrypoint + command: what is executed */
    int64_t n_entrypoint; /* how many of args come from the entrypoint */
    char **env;
    char *cwd;  /* "" is "/" */
    char *user; /* "", "name", "uid", "user:group" */
    char *hostname;
    char **labels; /* KEY=VALUE */

    bool tty, open_stdin, auto_remove, init, read_only, privileged, no_new_privs, nested, unmask;
    char *network;            /* name of the first network */
    struct rec_list networks; /* struct ctr_net */
    struct rec_list ports;    /* struct ctr_port */
    bool publish_all;         /* ports has what is exposed too */
    char **dns, **dns_search, **dns_options;
    char **add_hosts;                    /* "NAME=ADDRESS"; ADDRESS may be "host-gateway" */
    char *hosts_file;                    /* NULL: made; "none", "image" or the path of what it begins with */
    char *seccomp;                       /* NULL: built in; "unconfined"; path */
    int64_t cap_bounding, cap_effective; /* bit sets; effective for uid 0 */
    int64_t cap_ambient;                 /* explicit adds, for other users */
    char *stop_signal;                   /* "SIGTERM" */
    int64_t stop_timeout;                /* seconds, -1 for ever */
    struct rec_list mounts;              /* struct ctr_mount */
    struct rec_list secrets;             /* struct ctr_secret */
    char *restart;                       /* "no", "always", "on-failure", "unless-stopped" */
    int64_t restart_max;                 /* tries of on-failure; 0: no limit */
    char **health_cmd;                   /* "CMD-SHELL" text, or "CMD" words; NULL: none */
    int64_t health_interval, health_timeout, health_start_period, health_start_interval; /* ns; interval -1: never */
    int64_t health_retries;
    char **health_startup_cmd; /* like health_cmd: until it has succeeded the other is not run */
    int64_t health_startup_interval, health_startup_timeout; /* ns */
    int64_t health_startup_retries;            /* failures in a row that start the container again; 0: no number does */
    int64_t health_startup_success;            /* successes in a row that are wanted */
    char *health_on_failure;                   /* "none", "kill", "restart", "stop" */
    char *health_log;                          /* where results go beside health.json: NULL, "events", or a directory */
    int64_t health_log_count, health_log_size; /* results kept, bytes of each; 0: the usual */
    char **ulimits;                            /* "nofile=1024:2048", by name, soft and hard */
    int64_t shm_size;                          /* bytes; 0: the usual 64 MB */
    char *oom_score_adj;                       /* a number as text; NULL: the supervisor's + 100 */
    char **groups;                             /* further groups, names or numbers of the container */
    char **sysctls;                            /* "net.core.somaxconn=128" */
    char *pid, *ipc, *uts, *cgroupns;    /* NULL: of its own; else as run/ns.h says; ipc also "shareable", "none" */
    char *userns;                        /* NULL: the store's map; else what was asked for, or "container:ID" */
    json_t *idmap;                       /* of its user namespace, in ids of the store (kernel/idmap.c); NULL: the
                                          * store's map */
    struct limits limits;                /* asked for */
    char *cgroups;                       /* NULL: enabled; "disabled", "split" */
    char *log_driver;                    /* NULL: file; "none", "journald", "passthrough" */
    char *log_tag;                       /* CONTAINER_TAG of the journal; NULL: the short id */
    int64_t log_max_size, log_max_files; /* 0: the usual */
    char *sdnotify;                      /* NULL: conmon */
    int64_t timeout;                     /* seconds after which it is stopped; 0: never */
    char *pid_file, *conmon_pid_file;    /* written at each start; absolute */
    char **requires;                     /* ids of containers that are started before */
    char *cgroup_parent;                 /* path in the hierarchy, or NULL */
    char **masks, **unmasks;             /* paths; patterns of paths */
    char *proc_opts;                     /* further options of the mount of /proc */
    bool systemd;                        /* its command is an init system */
    char **annotations;                  /* KEY=VALUE */
    bool http_proxy;                     /* env has the caller's proxies */
    bool no_hostname, no_passwd, keep_groups;
    char *domainname, *umask, *personality; /* NULL: the usual */
    char *passwd_entry, *group_entry;       /* templates; NULL: the usual */
    char **host_users;                      /* lines of passwd(5) */
    char **exposed_ports;
    char *cid_file;        /* removed with the container */
    char **create_command; /* argv, for inspect */
};
extern const struct rec_type ctr_rec;
void ctr_done(struct ctr *c);
/* The id map that its processes have: idmap or the store's. -EBADMSG with text. */
int ctr_idmap(const struct store *s, const struct ctr *c, struct idmap *ret);
void ctr_set_idmap(struct ctr *c, const struct idmap *map);
/* Is what it has on disk written with other ids than the store's trees? (Root's containers with a map see the store
 * through an idmapped mount; where there is one id only, every owner is that one.) */
bool ctr_shifts(const struct store *s, const struct ctr *c);
/* The keys of layers (bottom first) as its processes see them: of its own, or, where it shifts, of copies with the
 * owners of its map. layers_shift makes what is missing of these; the caller holds the store. Caller frees. */
char **ctr_layer_keys(const struct store *s, const struct ctr *c, char *const *keys);
/* The directories below its upper one for overlayfs, top first: of its layers, or its rootfs. Caller frees. */
int ctr_lowers(const struct store *s, const struct ctr *c, char ***ret);
int ctr_shift_layers(const struct store *s, const struct ctr *c);

/* An empty file in each container, below its root. */
#define CTR_MARK "run/.containerenv"

/* A freshly made container directory in tmp/, not yet visible: container.json, empty upper/ and work/, alive, hosts,
 * hostname, resolv.conf are the caller's to fill through fd. */
struct ctr_draft {
    char tmp_name[80];
    int fd;
    bool claimed;
};
/* hold: the caller has store_hold from before it looked up the image until after ctr_publish. */
int ctr_draft_begin(const struct store *s, const struct ctr *c, struct ctr_draft *ret);
/* For who starts the container himself (run): while the descriptor is open he is at it. A --rm container that was
 * claimed, and is not started when the claim has gone, is dead: its STARTER was killed. */
int ctr_claim(struct ctr_draft *draft, int *ret_fd);
/* Makes the name unique (its holder's id is in the error text, R-009), marks --rm containers for store_tidy, renames
 * into place. */
int ctr_publish(const struct store *s, const struct ctr *c, struct ctr_draft *draft);
void ctr_draft_drop(const struct store *s, struct ctr_draft *draft);

/* Name, full id or unique prefix to the id; -ENOENT with text "no such container: X"; ambiguous lists candidates
 * (S-044). Caller frees. */
int ctr_find(const struct store *s, const char *typed, char **ret_id);
int ctr_load(const struct store *s, const char *id, struct ctr *ret); /* -ENOENT without text */
int ctr_list(const struct store *s, char ***ret_ids);
int ctr_open_dir(const struct store *s, const char *id, int *ret_fd); /* -ENOENT without text */
/* Opens and flocks a container's directory: while it is held the container is neither started nor removed (exclusive:
 * nor looked at by others who lock). A --rm container may end and go all the same, and then the files are the holder's
 * to delete: ctr_unlock does it. -ENOENT without text. */
int ctr_lock(const struct store *s, const char *id, bool exclusive, int *ret_fd);
void ctr_unlock(const struct store *s, const char *id, int fd); /* fd may be -1 */
/* containers/<id> to trash, name and --rm marker away, cid file away. The caller knows that it does not run. */
int ctr_remove(const struct store *s, const char *id);
/* Gives a container another name, in any state. The name's rules and uniqueness as in ctr_publish. */
int ctr_rename(const struct store *s, const char *id, const char *name);
/* The two halves of ctr_remove: after the first the container is gone for everybody and its name is free; the second
 * deletes the files, which may take a while. A lock on the container's directory must be dropped between them. */
int ctr_retire(const struct store *s, const char *id, char ret_trash[80]);
void ctr_delete_retired(const struct store *s, const char *trash);
/* The same, but what holds little (nobody waits for that space) is deleted by a process that nobody waits for either:
 * on disks that discard at once each unlink takes a millisecond. */
void ctr_delete_soon(const struct store *s, const char *trash);

enum ctr_status {
    CTR_CREATED,
    CTR_RUNNING,
    CTR_RESTARTING /* its supervisor waits to start it again */,
    CTR_EXITED,
    CTR_ELSEWHERE /* runs on another host: shared home */
};

/* One network of a running container. */
struct ctr_live_net {
    char *name, *interface, *mac;
    char *ip, *gateway, *ip6, *gateway6;
    int64_t prefix, prefix6;
};
extern const struct rec_type ctr_live_net_rec;

/* The live record, published by the supervisor when the command runs. */
struct ctr_live {
    struct rec_head head;
    char *boot_id;
    int64_t pid;              /* of the container's init, in the host's pid namespace */
    int64_t pid_start;        /* its start time in ticks: pids come again (H12) */
    int64_t started;          /* ns */
    char **cgroup;            /* cgroup_paths of its group; NULL: none */
    int64_t restarts;         /* how often the restart policy started it again */
    struct rec_list networks; /* struct ctr_live_net */
    struct rec_list ports;    /* struct ctr_port, each with the port of the host that it has */
};
extern const struct rec_type ctr_live_rec;
void ctr_live_done(struct ctr_live *l);

/* What is known of a container's life at this moment. */
struct ctr_state {
    enum ctr_status status;
    pid_t supervisor;          /* > 0 while running and visible from here */
    int64_t generation;        /* how often it was started */
    int exit_code;             /* exited: its code; 137 if the supervisor was lost */
    bool oom;                  /* its last end: OOMKilled */
    bool timed_out;            /* it was stopped by --timeout */
    bool stopped;              /* somebody wanted its last end: stop, or kill with a signal that ends it */
    bool lost;                 /* the supervisor was killed and left no status */
    bool claimed;              /* created, and somebody is starting it (ctr_claim) */
    bool abandoned;            /* created and claimed, --rm, but whoever wanted to start it was killed */
    int64_t started, finished; /* ns; 0 unknown */
    char error[160];           /* why it could not start, or "" */
};
int ctr_state(const struct store *s, const char *id, struct ctr_state *ret);
/* Has it a supervisor here? */
static inline bool ctr_is_up(const struct ctr_state *st)
{
    return st->status == CTR_RUNNING || st->status == CTR_RESTARTING;
}
/* A --rm container that nobody is to see any more: the next command that changes the store takes it away. */
static inline bool ctr_is_dead_rm(const struct ctr *c, const struct ctr_state *st)
{
    return c->auto_remove && (st->status == CTR_EXITED || st->abandoned);
}
int ctr_live_load(const struct store *s, const char *id, struct ctr_live *ret); /* -ENOENT without text */
const char *ctr_status_name(enum ctr_status st);                                /* "created", "running", "exited" */

/* What the health checks of the current run found: health.json. */
struct health_result {
    int64_t started, finished; /* ns */
    int64_t exit_code;
    char *output;
};
struct ctr_health {
    struct rec_head head;
    char *status; /* "starting", "healthy", "unhealthy" */
    int64_t failing_streak;
    struct rec_list log; /* struct health_result, the last five */
};
extern const struct rec_type health_result_rec, ctr_health_rec;
int ctr_health_load(const struct store *s, const char *id, struct ctr_health *ret); /* -ENOENT without text */

/* The exit record in alive. The supervisor opens alive once for writing and keeps it. */
struct exit_record {
    int64_t generation, started, finished; /* finished 0: not yet */
    int exit_code;
    bool timed_out;  /* --timeout was over */
    bool stopped;    /* stop, or kill with a signal that ends it */
    bool oom;        /* the kernel killed in its group for want of memory */
    bool restarting; /* the restart policy will start it again */
    char error[160];
};
int exit_record_write(int alive_fd, const struct exit_record *r); /* one pwrite of one block */
int exit_record_read(int alive_fd, struct exit_record *ret);      /* -ENOENT without text: never started */

#endif
