/* The namespaces of a container: its own, the host's, another container's, or one by its path.
 *
 * A record says for each type what was asked for (ctr.h: pid, ipc, uts, network, cgroupns): "host", "container:ID",
 * "ns:PATH"; NULL and every other word (private, shareable, the name of a network) is a namespace of the container's
 * own. The words of options become that by spec_ns.
 *
 * Joining, in the order in which the processes do it. The STARTER opens what is joined (ns_open): another container
 * must be running, and its first process is held as a pidfd that was checked against its record (H12). Where its
 * supervisor is in a user namespace, the new SUPERVISOR is cloned there (ns_join_user, by a process in between): only
 * who has rights there may join the others, so all that are joined must be of one user namespace, and the container has
 * its id map; where that is in a namespace below (nested.c), the CHILD is cloned into that one in the same way
 * (ns_join_nested). A process id namespace is joined by the SUPERVISOR, since that holds for its children
 * (ns_join_pid), the rest by the CHILD (ns_join_rest). Only the pidfd is kept: a restart asks it again and is refused
 * when the other container has ended, and nothing of an ended container is kept alive by one that waits to be
 * restarted. */
#ifndef RUN_NS_H
#define RUN_NS_H

#include "whelk/ctr.h"

enum ns_kind { NS_OWN, NS_HOST, NS_CONTAINER, NS_PATH };
enum ns_kind ns_kind(const char *mode);
/* The word of the record for CLONE_NEWPID, NEWNET, NEWIPC, NEWUTS or NEWCGROUP; may be NULL. */
const char *ns_mode(const struct ctr *c, uint64_t type);
static inline enum ns_kind ctr_ns_kind(const struct ctr *c, uint64_t type)
{
    return ns_kind(ns_mode(c, type));
}
/* The id in "container:ID", or NULL. */
const char *ns_container(const char *mode);

/* CLONE_NEW* of what the CHILD is cloned into: the mount namespace and those of its own. The user namespace is the
 * SUPERVISOR's; the cgroup namespace the CHILD makes itself, in its group. */
uint64_t ns_own_flags(const struct ctr *c);
/* And of what is not the host's: what exec joins. */
uint64_t ns_exec_flags(const struct ctr *c);

struct ns_joins {
    struct ns_join {
        uint64_t type;
        int fd;           /* a pidfd, or the namespace */
        const char *mode; /* the record's */
    } list[5];
    size_t n;
    int user;   /* pidfd of the supervisor whose user namespace is joined, or -1 */
    int nested; /* pidfd of the container whose own user namespace is joined, or -1; one of list */
};
/* -ESRCH with text that names the option: the other container does not run. Nothing to join: an empty list. */
int ns_open(const struct store *s, const struct ctr *c, struct ns_joins *ret);
void ns_done(struct ns_joins *j);
/* Clones run(arg) with flags as a child of this process in the user namespace of what a pidfd is of: a worker goes
 * there. With flags of a CHILD the process id namespace of j is joined too. */
pid_t ns_clone_in(const struct ns_joins *j, int pidfd, uint64_t flags, void (*run)(void *arg), void *arg,
                  int *ret_pidfd);
int ns_join_pid(const struct ns_joins *j);
int ns_join_rest(const struct ns_joins *j);
/* A detached copy of the /dev/shm of the container whose IPC namespace is joined; before ns_join_rest. -1: none is. */
int ns_clone_shm(const struct ns_joins *j, int *ret_fd);

/* The word of the option for a type as the record has it: private and "" are NULL; the name behind container: becomes
 * an id, or host if that container has the host's. Words that are not among modes (blank-separated; "container" and
 * "ns" stand for container:NAME and ns:PATH) are refused with the list. */
int spec_ns(const struct store *s, uint64_t type, const char *word, const char *modes, char **ret);

#endif
