/* The processes of a running container as the host sees them, for top and stats: those in its pid namespace and in
 * namespaces below it. Nothing is entered and nothing runs inside. */
#ifndef WHELK_PROCESSES_H
#define WHELK_PROCESSES_H

#include "whelk/ctr.h"
#include "whelk/process.h"

struct ctr_processes {
    struct process *items; /* by pid in the container */
    size_t n;
    unsigned depth; /* ns_pids[depth]: the pid in the container */
    pid_t init;     /* the container's first process, in the host's numbers */
    struct id_range uids[IDMAP_MAX], gids[IDMAP_MAX];
    unsigned n_uids, n_gids;
};
/* -ESRCH with text that the container is not running. */
int ctr_processes(const struct store *s, const struct ctr *c, struct ctr_processes *ret);
void ctr_processes_done(struct ctr_processes *ps);

/* The pid in the container of one of them, and of its parent (0: outside). */
pid_t ctr_process_pid(const struct ctr_processes *ps, const struct process *p);
pid_t ctr_process_parent(const struct ctr_processes *ps, const struct process *p);
/* A user or group id as the container knows it; 65534 for one that it does not. */
uint32_t ctr_process_uid(const struct ctr_processes *ps, uint32_t uid);
uint32_t ctr_process_gid(const struct ctr_processes *ps, uint32_t gid);
/* The text of a plain file below the container's root, "" if it is none or may not be read. Caller frees. */
char *ctr_processes_file(const struct ctr_processes *ps, const char *path);

#endif
