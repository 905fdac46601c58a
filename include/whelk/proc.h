/* Processes: workers with error hand-back, helpers, pidfds, and signal names. */
#ifndef WHELK_PROC_H
#define WHELK_PROC_H

#include "whelk/str.h"

#include <signal.h>
#include <sys/types.h>

/* Forks fn(arg) as a worker that dies with its parent (PR_SET_PDEATHSIG); its return value and error slot come back
 * through worker_wait. ret->pid is > 0. */
struct worker {
    pid_t pid;
    int err_fd;
};
int worker_start(int (*fn)(void *arg), void *arg, struct worker *ret);
/* In a worker: where its result goes, for the list of what stays open. */
int worker_err_fd(void);
/* Waits for the end; returns what fn returned, with its error text in the slot. A worker that was killed: -ECHILD. */
int worker_wait(struct worker *w);
/* In a forked child: sends r and the error slot into err_fd and ends the process. */
void worker_finish(int err_fd, int r) __attribute__((noreturn));
/* Reads what worker_finish sent, and does not wait for an EOF behind it: its r, and its error in the slot. EOF without
 * a message is -ECHILD and sets no text. */
int worker_result(int err_fd);

/* In a forked process that outlives its caller: a session of its own, no directory kept busy, 0-2 on /dev/null. What
 * else is open is its own to close (RUNTIME, processes 2). */
int proc_leave_caller(void);

/* For a process that is about to wait for long: gives back the memory that it does not need while it waits. What it
 * needs again comes again, by page faults: not for one that has forgotten its file (whelk/exe.h). */
void proc_trim_memory(void);

/* Runs argv[0] from PATH of whelk's own environment and waits; 0 if it ended with 0, -ENOENT with text if it is not
 * installed, -EIO with what it wrote to stderr (first line in the text, all in the detail, 4 KiB at most). It has no
 * input, no output, default signals, and must leave no process behind that holds its stderr. */
int helper_run(char *const argv[]);
/* The same with input as its descriptor 0. */
int helper_run_on(char *const argv[], int input);
/* The two halves of helper_run, for helpers side by side. argv[0] has to live until helper_wait. */
struct helper {
    pid_t pid;
    int err_fd;
    const char *name;
};
int helper_start(char *const argv[], struct helper *ret);
int helper_wait(struct helper *h);

/* pidfd_open; -ESRCH if gone. No text. */
int pidfd_open_pid(pid_t pid);
/* The process of a pidfd by its number in the pid namespace that /proc shows; 0 if it has none or is gone. */
pid_t pidfd_pid(int pidfd);
/* Sends a queued signal with an integer value. sig 0 tests. No text. Not by pid: a pidfd is never reused. */
int pidfd_signal(int pidfd, int sig, int value);
/* Waits until pidfd's process has ended; timeout in milliseconds, -1 for ever. 1 ended, 0 time-out, -errno. */
int pidfd_wait_end(int pidfd, int timeout_ms);
/* waitpid without EINTR; pid must be > 0. Returns the wait status or -errno. */
int proc_reap(pid_t pid);
/* 128+n or the exit status out of a wait status. */
int proc_exit_code(int wait_status);

/* "TERM", "SIGTERM", "15", "SIGRTMIN+3" to a number, or -EINVAL with text. And the name ("TERM", "RTMIN+3", or the
 * number for those without), static. */
int signal_parse(const char *name, int *ret);
const char *signal_name(int sig);
/* All signals to their defaults and the mask empty: what a command expects to start with. */
void signals_reset(void);

/* This boot's id from /proc/sys/kernel/random/boot_id, static; "" if unreadable. */
const char *proc_boot_id(void);
/* Start time of pid in clock ticks since boot (proc(5), stat field 22), or -errno, -ESRCH if gone. No text. */
int proc_start_time(pid_t pid, uint64_t *ret);

#endif
