/* Confining workers that read hostile bytes (DESIGN 1.5): what is left to them is the descriptors that they hold. */
#ifndef WHELK_CONFINE_H
#define WHELK_CONFINE_H

/* For a filter process (inflate): only read, write, memory and exit. Loads nothing afterwards: dlopen before. */
int confine_filter(void);
/* For a process that fills the directory dirfd: chroot into it, no network, no exec, no ptrace, no namespaces; file
 * calls allowed. Needs CAP_SYS_CHROOT (root of a user namespace). */
int confine_to_dir(int dirfd);

#endif
