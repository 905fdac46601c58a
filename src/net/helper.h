/* Private to net/: helper processes of a SUPERVISOR. */
#ifndef NET_HELPER_H
#define NET_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* pid 0: none. */
struct net_helper {
    pid_t pid;
    pid_t killed; /* the one before it, not yet waited for */
    int pidfd;
    int sock; /* the SUPERVISOR's end; its closing ends the helper */
};

/* Forks a helper: fn(sock, arg) with nothing open but 0-2 on /dev/null, sock and keep. */
int net_helper_start(struct net_helper *h, void (*fn)(int sock, void *arg), void *arg, const int *keep, size_t n_keep);
/* Does not wait: what the kernel takes down with a helper takes milliseconds. */
void net_helper_stop(struct net_helper *h);

int64_t net_now(void); /* monotonic ms */

/* In a helper: whether it can work, with the error. And in the SUPERVISOR: waits for that; its error. */
void net_helper_tell(int sock, int r);
int net_helper_settle(struct net_helper *h);

/* In a helper: an empty root, no rights (routes: CAP_NET_ADMIN stays), few system calls. resolv_conf may be NULL: what
 * /etc/resolv.conf shall be there. Ids are mapped. host_root: the host's root, outside of any user namespace. */
int net_helper_confine(bool host_root, bool routes, const char *resolv_conf);

#endif
