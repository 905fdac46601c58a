/* What STARTER hands to the SUPERVISOR that it forks. */
#ifndef RUN_LAUNCH_H
#define RUN_LAUNCH_H

#include "handed.h"
#include "notify.h"
#include "ns.h"
#include "session.h"

#include "whelk/net.h"

struct launch {
    struct store *store;
    const struct ctr *c;
    char *dir; /* "containers/<id>" */
    int ctr_fd;
    struct plan plan; /* stdio[0] is what the container gets as stdin, or -1 */
    struct idmap map; /* the container's */
    struct ns_joins joins;
    struct net_space space; /* where its named networks are */
    bool relay_stdin; /* stdin comes from clients */
    bool attached;    /* the STARTER stays: the container dies with it */
    int sock;         /* frames to the STARTER */
    struct winsize size;
    struct handed handed;
    int streams[2]; /* the log driver passthrough: the caller's stdout and stderr; -1 else, and for /dev/null */
    enum sdnotify sdnotify;
    int notify;      /* where the SUPERVISOR writes its messages to systemd, or -1 */
    int notify_host; /* STARTER: connected to $NOTIFY_SOCKET, or -1 */
    int notify_from; /* STARTER that stays: the other end of notify, or -1 */
    bool watchdog;   /* systemd waits for signs of life, and the health check gives them */
    pid_t supervisor;
};

/* Writes hosts, hostname and resolv.conf, not knowing the network yet, for a container or step into dirfd. */
int run_write_files(int dirfd, const struct ctr *c);

/* NULL: none is wanted. */
int write_pid_file(const char *path, pid_t pid);
/* Removes the groups that the live record of an ended container names. */
void remove_cgroup(const struct ctr_live *live);

/* Makes a group for a running container, with these limits or NULL, moves its processes there and saves *live, which is
 * the caller's. *ret may be set on an error too; the caller closes it. */
int late_group(const struct store *s, const char *id, pid_t supervisor, const struct limits *limits,
               struct ctr_live *live, struct cgroup **ret);

/* The SUPERVISOR's life; never returns. */
void supervise(struct launch *l) __attribute__((noreturn));

/* The container's first process as a pidfd that is checked against the record (H12). -ESRCH with text. */
int run_init_pidfd(const struct store *s, const struct ctr *c, int *ret_pidfd);

/* The relay of an attached STARTER or exec (attach.c). */
struct attach {
    int sock;        /* frames from and to the session */
    bool tty;        /* raw mode, window size */
    bool read_stdin; /* send own stdin as frames */
    bool sig_proxy;
    bool no_stdout, no_stderr;  /* what comes there is for others */
    bool send_size;             /* tell the terminal's size at once: the session does not know it */
    const char *detach_keys;    /* NULL: ctrl-p,ctrl-q; only with a terminal */
    bool stop_on_term;          /* SIGTERM is the wish for a graceful stop, not a signal to be passed on */
    int notify_from, notify_to; /* messages to systemd are passed on; 0 or -1: there are none */
};
/* Until the session's FRAME_EXIT; returns the exit code. A session that ends without one: 137 with text in *ret...
 * -EPIPE. */
int attach_relay(const struct attach *a);
/* Decides what becomes of the caller's stdin: *ret_fd is handed in as it is (pipe, socket) or -1 (/dev/null);
 * *ret_relay: it must be relayed. Directories are refused. */
int attach_stdin(bool interactive, bool tty, int *ret_fd, bool *ret_relay);

/* A command run by the SUPERVISOR in its container, as a health check. In a forked child of it; ends with the command's
 * status, after timeout_ms with 137. The start of its output goes to out_fd. */
struct probe {
    const struct plan *plan; /* of the container */
    int init;                /* pidfd of its first process */
    char *const *command;
    int64_t timeout_ms;
    size_t output_max; /* bytes */
    int out_fd;
};
void exec_probe(const struct probe *p) __attribute__((noreturn));

#endif
