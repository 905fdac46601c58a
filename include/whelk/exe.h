/* Keeping the whelk binary out of a container's reach (CVE-2019-5736; RUNTIME, processes 5). */
#ifndef WHELK_EXE_H
#define WHELK_EXE_H

#include <stdbool.h>

/* Makes this process non-dumpable and its /proc/self/exe an empty file: its code moves to anonymous memory, or where
 * own_mounts says that the mount namespace is this process's own and its root will be left, to a read-only mount there,
 * which is cheaper. So a container that executes /proc/self/exe finds nothing. Called in a process that is about to execute a container's
 * command, after it is root in its user namespace (-EPERM otherwise). Single-threaded processes only. Linux 4.18,
 * CONFIG_CHECKPOINT_RESTORE: -EOPNOTSUPP without. */
int exe_forget(bool own_mounts);

#endif
