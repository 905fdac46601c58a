/* --init: a small init as pid 1 that reaps and forwards signals, built in. The command is its child.
 *
 * Runs in: CHILD (pid 1 of the container). Keeps no descriptor; non-dumpable, so nobody inside can look into it. */
#include "child.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* The command line of whelk names paths of the host, and everybody inside may read it in /proc/1/cmdline. Fields 48 and 49 of proc(5)'s stat
 * say where it lies. */
static void hide_arguments(void)
{
    static const char shown[] = "whelk-init";
    auto_free char *stat = NULL;
    uintptr_t begin = 0, end = 0;
    if (file_read(AT_FDCWD, "/proc/self/stat", 4096, &stat, NULL) < 0 || !strrchr(stat, ')'))
        return;
    auto_strv char **fields = strv_split(strrchr(stat, ')') + 1, " \n"); /* from the third on */
    if (strv_len(fields) < 47)
        return;
    begin = strtoull(fields[45], NULL, 10);
    end = strtoull(fields[46], NULL, 10);
    if (begin && end > begin) {
        memset((void *)begin, 0, end - begin);
        memcpy((void *)begin, shown, MIN(sizeof shown, end - begin) - 1);
    }
}

/* Passes every signal that arrives on to the command (and reaps) until the command has ended; the container ends with its status. */
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
    close_range(0, ~0U, 0);
    reap_and_forward(pid, &all);
    return 0;
}
