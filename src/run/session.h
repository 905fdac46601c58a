/* A session: one running command, its streams, its log and its client. The common part of SUPERVISOR, exec and build
 * steps. */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include "child.h"
#include "frame.h"

#include "whelk/run.h"

#include <sys/ioctl.h>

/* Requests to a supervisor travel as a queued signal with a value (RUNTIME, life and death 4). */
enum { REQUEST_SIGNAL_OFFSET = 1 }; /* SIGRTMIN + 1 */
enum { TIMEOUT_OWN = -2, TIMEOUT_NONE = -1 };
int request_pack_kill(int sig);
int request_pack_stop(int64_t timeout);   /* seconds, TIMEOUT_NONE, TIMEOUT_OWN */
int request_pack_attach(unsigned number); /* connect to tmp/attach-<number>; below ATTACH_NUMBERS */
int request_pack_stop_signal(int sig);    /* what a stop that follows is done with */
int request_pack_reload(void);            /* the container's record has changed */
enum { ATTACH_NUMBERS = 1 << 24 };

enum { CLIENTS_MAX = 16, TIMERS_MAX = 4, SOURCES_MAX = 6 };

/* Somebody who reads the output and may write the input. */
struct client {
    int sock;   /* -1: free place */
    bool owner; /* the container dies with it (attached run) */
    int queued; /* frames of its input that wait for the command */
    int taken;  /* and that were taken, but it could not be told yet */
    /* a frame that it could not take yet; all output waits for it */
    enum frame pending_type;
    size_t pending_len;
    char *pending; /* FRAME_MAX bytes */
};

struct session;
/* Called once when its time (monotonic ms) has come. */
struct timer {
    int64_t at; /* 0: off */
    void (*fire)(struct session *s, void *ctx);
    void *ctx;
};
/* A further descriptor to look after. */
struct source {
    int fd; /* -1: free place */
    void (*ready)(struct session *s, void *ctx);
    void *ctx;
};

struct session {
    const struct plan *plan; /* of the CHILD */
    pid_t pid;               /* the CHILD; 0: not started */
    int pidfd;
    int sock;               /* to the CHILD, until it has executed the command */
    int out[2];             /* read ends of stdout and stderr; -1 with a tty or when at their end */
    int master;             /* the pty, or -1 */
    int notify;             /* where the command's notifications arrive, or -1 */
    int in;                 /* write end of a relayed stdin, or -1 */
    size_t rest[3];         /* of stdout, stderr and pty: what is still to be read when the command has ended */
    int signals;            /* signalfd, or -1 */
    int raw_out;            /* output is written here as it is (build steps, health checks), or -1 */
    size_t raw_max;         /* at most so many bytes of it; 0: all */
    struct log_writer *log; /* or NULL */
    struct winsize size;    /* of the client's terminal; ws_row 0: unknown */
    char **stubs;           /* reported by the CHILD */
    struct fake_ids *fake;  /* plays ids where one is mapped, or NULL */
    int fake_upper;         /* the overlay's upper directory, for the owners of links; -1: they are not asked for */
    struct client clients[CLIENTS_MAX];
    struct timer timers[TIMERS_MAX];
    struct source sources[SOURCES_MAX];
    int store_fd; /* where attach sockets are, or -1 */

    int stop_signal;             /* what a graceful stop sends */
    int64_t stop_timeout;        /* seconds */
    bool stop_asked;             /* the end was wanted: no restart */
    void (*stopping)(void *ctx); /* called once when a stop is asked for, or NULL */
    void *stopping_ctx;
    int64_t deadline; /* monotonic ms at which SIGKILL follows, 0: none */
    /* Gives memory back in silence. Only where the program is still its file: one that was forgotten (whelk/exe.h) is a
     * copy, and what is given back of that does not come again. */
    bool trims;
    void (*reload)(void *ctx); /* answers request_pack_reload, or NULL */
    void *reload_ctx;

    /* Input that the command could not take yet: a window of each client, so that what else a client says, such as a
     * signal or that it is gone, is never stuck behind what the command does not read. */
    size_t input_len, input_at;
    char *input;
    bool input_end; /* and then comes the end */
};

void session_init(struct session *s);
void session_done(struct session *s);
/* Makes pipes (or leaves the pty to the CHILD) and clones the CHILD with ns_flags; p->sock and stdout, stderr of
 * p->stdio are filled in here; p->stdio[0] is the caller's. With relay_stdin a pipe is made for it. */
int session_start(struct session *s, struct plan *p, uint64_t ns_flags, bool relay_stdin);
/* Like fork, with the store as the working directory of the child, who has CLONE_NEWNS. */
pid_t session_clone_at_store(const struct plan *p, uint64_t flags, int *ret_pidfd);
/* Lets the CHILD go on and reads what it reports until the command is executed (0) or failed: then the CHILD's error,
 * status included. */
int session_await(struct session *s);
/* Joins the network that the CHILD has made its end of; before session_await. */
int session_attach_net(struct session *s, struct net *net);
/* Runs the streams until the command has ended and its output is drained; returns the exit code (0..255). */
int session_loop(struct session *s);
/* Closes what belonged to a command that has ended, so that another can be started. */
void session_reset(struct session *s);
/* Without a command: serves clients, signals, timers and sources for ms or until an end is asked for. */
void session_idle(struct session *s, int64_t ms);
int64_t session_now(void); /* monotonic ms */
/* Sets a timer (a free place, or the one with the same fire and ctx); at 0 turns it off. */
void session_timer(struct session *s, int64_t at, void (*fire)(struct session *s, void *ctx), void *ctx);
/* Adds a source, or with fd -1 removes the one with the same ready and ctx. */
void session_source(struct session *s, int fd, void (*ready)(struct session *s, void *ctx), void *ctx);
/* A graceful stop: the stop signal, then after timeout seconds SIGKILL. */
void session_stop(struct session *s, int64_t timeout);

/* Moves what clients sent on to the command, or forgets it (session-client.c). */
void session_write_input(struct session *s);
void session_drop_input(struct session *s);

/* session-client.c */
void client_add(struct session *s, int sock, bool owner); /* takes sock */
void clients_done(struct session *s);
/* Gives a frame to all; one that cannot take it now gets it later (clients_stalled). */
void clients_send(struct session *s, enum frame type, const void *data, size_t len);
/* The last frame. */
void clients_finish(struct session *s, int code);
bool clients_stalled(const struct session *s);
/* Lets go of those that only watch and take nothing. */
void clients_drop_stalled(struct session *s);
bool client_waits(const struct client *c); /* is there something for client_flush? */
void client_flush(struct session *s, struct client *c);
/* Takes one frame of a client. */
void client_receive(struct session *s, struct client *c);

#endif
