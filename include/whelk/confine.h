/* Confining workers that read hostile bytes (DESIGN 1.5): what is left to them is the descriptors that they hold. */
#ifndef WHELK_CONFINE_H
#define WHELK_CONFINE_H

#include <stdbool.h>

/* For a filter process (inflate): only read, write, memory and exit. Loads nothing afterwards: dlopen before. */
int confine_filter(void);
/* For a process that fills the directory dirfd: chroot into it, no network, no exec, no ptrace, no namespaces; file
 * calls allowed. Needs CAP_SYS_CHROOT (root of a user namespace). */
int confine_to_dir(int dirfd);
/* For a process that moves packets: the directory dirfd (closed here) becomes its root; sockets of the internet
 * protocols only, no exec, no capability but what rights say. host_root: it is root outside of any user namespace, and
 * becomes nobody. */
enum {
    CONFINE_ROUTES = 1, /* CAP_NET_ADMIN stays */
    CONFINE_READ = 2,   /* it reads what is below dirfd, also as nobody: dirfd is a mount that is read-only */
};
int confine_to_network(int dirfd, bool host_root, unsigned rights);

#endif
