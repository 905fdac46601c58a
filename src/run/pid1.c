/* --init: a small init as pid 1 that reaps and forwards signals, built in. The command is its child.
 *
 * It never executes anything, so its memory counts as the host's: non-dumpable, it would be closed to the container,
 * but also to the user whose "exec" joins the container through it. In a user namespace it is dumpable therefore, and
 * holds a capability that the container has not: the kernel lets nobody inside look into a process with more
 * capabilities, while the namespace's owner has all.
 *
 * Runs in: CHILD (pid 1 of the container). Keeps no descriptor. */
#include "child.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/seccomp.h"

#include "frame.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void wipe(char *const *bounds)
{
    uintptr_t begin = strtoull(bounds[0], NULL, 10), end = strtoull(bounds[1], NULL, 10);
    if (begin && end > begin)
        memset((void *)begin, 0, end - begin);
}

/* The command line of whelk names paths of the host, and everybody inside may read it in /proc/1/cmdline; its
 * environment may have secrets. Fields 48 to 51 of proc(5)'s stat say where they lie. */
static void hide_arguments(void)
{
    static const char shown[] = "whelk-init";
    auto_free char *stat = NULL;
    uintptr_t begin = 0, end = 0;
    if (file_read(AT_FDCWD, "/proc/self/stat", 4096, &stat, NULL) < 0 || !strrchr(stat, ')'))
        return;
    auto_strv char **fields = strv_split(strrchr(stat, ')') + 1, " \n"); /* from the third on */
    if (strv_len(fields) < 49)
        return;
    wipe(fields + 45);
    wipe(fields + 47);
    begin = strtoull(fields[45], NULL, 10);
    end = strtoull(fields[46], NULL, 10);
    if (begin && end > begin)
        memcpy((void *)begin, shown, MIN(sizeof shown, end - begin) - 1);
}

/* What it takes to signal whoever the command has become, and behind the container's filter. */
static int drop_rights(struct child *k)
{
    const struct plan *p = k->plan;
    const struct identity root = {.uid = idmap_has_uid(p->map, 0) ? 0 : p->map->uid[0].inside,
                                  .gid = idmap_has_gid(p->map, 0) ? 0 : p->map->gid[0].inside,
                                  .set_groups = !idmap_single(p->store_map)};
    bool shared = idmap_none(p->map);
    uint64_t more = shared ? 0 : UINT64_C(1) << CAP_SYS_PTRACE;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys("cannot set no_new_privs");
    int r = caps_become(&root, 0, UINT64_C(1) << CAP_KILL, 0, more);
    if (r == 0)
        r = seccomp_install(p->filter, p->filter_len);
    if (r == 0 && prctl(PR_SET_DUMPABLE, !shared, 0, 0, 0) < 0)
        r = err_sys("cannot set the dumpable flag");
    return r;
}

/* Passes every signal that arrives on to the command (and reaps) until the command has ended; the container ends with
 * its status. */
static void reap_and_forward(pid_t command, const sigset_t *all)
{
    for (;;) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            if (pid == command)
                _exit(proc_exit_code(status));
        siginfo_t info;
        int sig = sigwaitinfo(all, &info);
        if (sig > 0 && sig != SIGCHLD && command > 0)
            kill(command, sig);
    }
}

int child_init(struct child *k)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid < 0)
        return err_sys("cannot start the command");
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        setsid(); /* the terminal becomes the command's, so that ^C reaches it once */
        return 0;
    }
    prctl(PR_SET_NAME, "whelk-init", 0, 0, 0);
    hide_arguments();
    int r = drop_rights(k);
    if (r < 0) {
        frame_send_error(k->plan->sock, r);
        _exit(125);
    }
    close_range(0, ~0U, 0);
    reap_and_forward(pid, &all);
    return 0;
}
