/* Seccomp user notification: a filter whose calls are answered by another process (seccomp_unotify(2), Linux 5.14 with
 * SECCOMP_ADDFD_FLAG_SEND). */
#ifndef WHELK_SECCOMP_NOTIFY_H
#define WHELK_SECCOMP_NOTIFY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A call that is asked about: always, or only where its argument has one of these bits. */
struct notify_call {
    int nr;
    unsigned argument;
    uint32_t bits; /* 0: always */
};

/* Installs a filter for the native architecture that asks about the calls and lets all others pass; it goes on top of
 * what is installed. Needs CAP_SYS_ADMIN here or no_new_privs. *ret is the listener. */
int notify_install(const struct notify_call *calls, size_t n, int *ret);

/* The next question; -ENOENT without text when the asking thread has gone meanwhile, -errno without text else. */
int notify_receive(int listener, struct seccomp_notif *ret);
/* Is the thread that asked still the one that waits? What was opened by its pid before this call is its own. */
bool notify_is_valid(int listener, uint64_t id);
/* Answers. error: 0 or -errno. A thread that has gone is no error. */
void notify_answer(int listener, uint64_t id, int64_t value, int error);
/* The kernel goes on with the call as if nobody had asked. */
void notify_continue(int listener, uint64_t id);
/* Gives the thread a copy of fd and answers with its number. flags: O_CLOEXEC or 0. */
void notify_answer_fd(int listener, uint64_t id, int fd, unsigned flags);

#endif
