/* Where only one id is mapped, a command believes to have all: the answers to calls about ids and owners come from the
 * NOTIFIER instead of the kernel. Private to src/run.
 *
 * Theory of operation. The CHILD puts a filter on top of the container's own, which makes calls that change or tell ids
 * (setuid, getgroups ...), change or tell owners (chown, stat ...) or make files ask a listener. It hands the listener
 * to whoever started it, who forks the NOTIFIER: a process that keeps a table of who each process believes to be, keeps
 * owners beside the files (whelk/kept-owner.h) and answers. All else goes on in the kernel: rights are not played, a
 * process that believes to be a plain user may still do what root of the container may. When the last process with the
 * filter has ended, the NOTIFIER hands over the owners of symbolic links and pipes, which keep none on disk, and ends.
 *
 * What a process points to may change between question and answer: the NOTIFIER reads it once, and acts only below that
 * process's own root, with no right that the process has not. */
#ifndef RUN_FAKE_IDS_H
#define RUN_FAKE_IDS_H

#include "whelk/layer.h"
#include "whelk/seccomp-notify.h"

#include <sys/types.h>

enum { FAKE_GROUPS_MAX = 64 };

/* Who a process believes to be. */
enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FS, ID_COUNT };
struct fake_creds {
    uint32_t uid[ID_COUNT], gid[ID_COUNT];
    uint32_t n_groups, groups[FAKE_GROUPS_MAX];
};

/* Runs in: CHILD. Installs the filter as the last one. */
int fake_ids_install(int *ret_listener);

/* Forks the NOTIFIER for listener; first is the pid of the CHILD, creds who it is. upper: the overlay's upper directory
 * where the owners of links are asked for, or -1. */
struct fake_ids;
int fake_ids_start(int listener, pid_t first, const struct fake_creds *creds, int upper, struct fake_ids **ret);
/* Waits for its end and adds the owners of links to owners, which may be NULL. Frees f, which may be NULL. */
int fake_ids_finish(struct fake_ids *f, struct pack_owners *owners);

/* What the parts of the NOTIFIER share. */

struct fake_process { /* that is not as the first one was */
    pid_t pid;        /* of the thread group */
    uint64_t start;   /* its start time: pids come again */
    struct fake_creds creds;
};

struct notifier {
    int listener;
    int proc; /* procfs of this pid namespace */
    int root; /* of the container, as its first process sees it; -1: not yet opened */
    pid_t first_pid;
    struct fake_creds first; /* of whoever has no entry: */
    struct fake_process *v;
    size_t n, cap;
    void *links; /* tree of struct kept_link: owners of what keeps none on disk */
};

/* One question under work. */
struct question {
    struct notifier *t;
    const struct seccomp_notif *n;
    pid_t pid, parent; /* thread group; 0: not read yet */
    unsigned umask;
    struct fake_creds *creds;
};

/* What a handler says: a value, -errno, or one of these. */
enum { ANSWER_CONTINUE = 1, ANSWER_GIVEN = 2 };

static inline uint64_t question_arg(const struct question *q, unsigned i)
{
    return q->n->data.args[i];
}

/* fake-ids-creds.c: who asks. Both are valid until the next question. */
const struct fake_creds *creds_of(struct question *q);
/* To change: with an entry of its own. */
struct fake_creds *creds_own(struct question *q);
/* Reads /proc/PID/status once. */
int question_read_status(struct question *q);

typedef int handler_fn(struct question *q, int64_t *ret_value);
handler_fn ids_getuid, ids_geteuid, ids_getgid, ids_getegid, ids_getresuid, ids_getresgid, ids_getgroups;
handler_fn ids_setuid, ids_setgid, ids_setreuid, ids_setregid, ids_setresuid, ids_setresgid, ids_setfsuid, ids_setfsgid,
    ids_setgroups;

/* fake-ids-files.c */
handler_fn files_chown, files_lchown, files_fchown, files_fchownat;
handler_fn files_stat, files_lstat, files_fstat, files_fstatat, files_statx;
handler_fn files_open, files_openat, files_openat2, files_creat, files_mkdir, files_mkdirat, files_mknod, files_mknodat,
    files_symlink, files_symlinkat;
void files_done(struct notifier *t);
/* Writes the owners of links below upper, which the container sees below its root, to out: see fake_ids_finish. */
int files_tell_links(struct notifier *t, int upper, int out);

/* fake-ids-memory.c: what belongs to the asking thread. -errno without text. */
int memory_read(const struct question *q, uint64_t at, void *ret, size_t len);
int memory_write(const struct question *q, uint64_t at, const void *data, size_t len);
int memory_read_path(const struct question *q, uint64_t at, char ret[4096]);
/* Opens proc/PID/what (O_PATH). */
int question_open(const struct question *q, const char *what);

#endif
