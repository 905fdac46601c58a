/* Locks. flock for short exclusion between commands (dies with the last descriptor); POSIX record locks for liveness,
 * because fork does not inherit them and F_GETLK names the holder (RUNTIME, life and death 2). */
#ifndef WHELK_LOCK_H
#define WHELK_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

/* Opens (creating 0600) and flocks; the descriptor is the lock. With wait false: -EWOULDBLOCK without text. If the file
 * was replaced or removed while waiting, the lock is on the one that is there now. */
int lock_file(int dirfd, const char *path, bool exclusive, bool wait, int *ret_fd);

/* Takes the write record lock on the first byte: 0, or -EAGAIN without text if somebody holds it. Only one descriptor
 * of a process may ever be opened on the file: closing any other one drops the lock. */
int record_lock_take(int fd);
/* Who holds it: pid > 0 in the caller's pid namespace, 0 nobody, -1 held but invisible from here, else -errno
 * (never -EPERM). The caller's own lock is not seen. */
pid_t record_lock_holder(int fd);

/* A second lock in the same file, on its second byte: it belongs to the open descriptor, so that it goes with the last
 * copy of that, whoever has it; testing it takes nothing. 0 or -errno with text. */
int claim_lock_take(int fd);
bool claim_lock_held(int fd);

#endif
