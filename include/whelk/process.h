/* What /proc tells of a process, for top and stats. Its name and arguments are the process's own words: print them
 * through str_printable. */
#ifndef WHELK_PROCESS_H
#define WHELK_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_NS_MAX = 33 }; /* the kernel nests 32 pid namespaces below the first */

struct process {
    pid_t pid, parent, group, session; /* in the pid namespace of /proc */
    char comm[64];
    char state; /* 'R', 'S', ... */
    int tty;    /* device number; 0: none */
    int64_t nice, threads;
    uint64_t cpu_ticks;    /* user and system */
    uint64_t waited_ticks; /* the same of its ended and reaped children */
    uint64_t start_ticks;  /* since boot */
    uint64_t virtual_bytes, resident_bytes;
    uint32_t uid[2], gid[2]; /* real, effective */
    char *groups;            /* "0 4 20" */
    uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
    int seccomp; /* 0 disabled, 1 strict, 2 filter */
    pid_t ns_pids[PROCESS_NS_MAX];
    unsigned n_ns_pids; /* its pid in each namespace, from that of /proc to its own */
};
void process_done(struct process *p);

/* Reads /proc/<pid>/stat and status. -ESRCH without text if it is gone. */
int process_read(pid_t pid, struct process *ret);
/* The two files as text. -EPROTO without text if they are damaged. */
int process_parse_stat(const char *text, struct process *p);
int process_parse_status(const char *text, struct process *p);

/* The command line with blanks between the words; "[comm]" if it has none. Caller frees. */
char *process_args(const struct process *p);
/* Bytes that it has had read from and written to disks; 0 where /proc/<pid>/io may not be read. */
void process_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written);
/* Bytes that the interfaces of its network namespace have received and sent, without loopback. -errno without text. */
int process_network(pid_t pid, uint64_t *ret_received, uint64_t *ret_sent);
/* The same out of the text of /proc/<pid>/net/dev. */
void process_parse_network(const char *text, uint64_t *ret_received, uint64_t *ret_sent);

/* Nanoseconds since the process started; ticks as nanoseconds. */
int64_t process_age(const struct process *p);
uint64_t process_ticks_ns(uint64_t ticks);

#endif
