/* A session: one running command, its streams, its log and its client. The common part of SUPERVISOR, exec and build steps. */
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
int request_pack_stop(int64_t timeout); /* seconds, TIMEOUT_NONE, TIMEOUT_OWN */

struct session {
    pid_t pid;   /* the CHILD; 0: not started */
    int pidfd;
    int sock;    /* to the CHILD, until it has executed the command */
    int out[2];  /* read ends of stdout and stderr; -1 with a tty or when at their end */
    int master;  /* the pty, or -1 */
    int in;      /* write end of a relayed stdin, or -1 */
    int client;  /* frames to the STARTER, or -1 */
    bool client_owns; /* the container dies with its client (attached run) */
    int signals; /* signalfd, or -1 */
    int raw_out; /* output is written here as it is (build steps), or -1 */
    struct log_writer *log; /* or NULL */
    struct winsize size;    /* of the client's terminal; ws_row 0: unknown */
    char **stubs;           /* reported by the CHILD */

    int stop_signal;        /* what a graceful stop sends */
    int64_t stop_timeout;   /* seconds */
    int64_t deadline;       /* monotonic ms at which SIGKILL follows, 0: none */

    /* a frame that the client could not take yet; output waits for it */
    enum frame pending_type;
    size_t pending_len;
    char *pending;          /* FRAME_MAX bytes */
    /* input that the command could not take yet; the client's frames wait for it */
    size_t input_len, input_at;
    char *input;            /* FRAME_MAX bytes */
};

void session_init(struct session *s);
void session_done(struct session *s);
/* Makes pipes (or leaves the pty to the CHILD) and clones the CHILD with ns_flags; p->sock and stdout, stderr of p->stdio are filled in
 * here; p->stdio[0] is the caller's. With relay_stdin a pipe is made for it. */
int session_start(struct session *s, struct plan *p, uint64_t ns_flags, bool relay_stdin);
/* Lets the CHILD go on and reads what it reports until the command is executed (0) or failed: then the CHILD's error, status included. */
int session_await(struct session *s);
/* Runs the streams until the command has ended and its output is drained; returns the exit code (0..255). */
int session_loop(struct session *s);

#endif
