/* whelk unshare: a command in the user namespace that the store's files are written with. */
#include "cmd.h"

#include "whelk/proc.h"

#include <sched.h>
#include <signal.h>

static int execute(char **args)
{
    char *shell = getenv("SHELL");
    char *fallback[] = {shell ? shell : (char[]){"/bin/sh"}, NULL};
    char **command = *args ? args : fallback;
    execvp(command[0], command);
    int e = errno;
    return err_with_status(err_set(-e, "cannot execute %s: %s", command[0], strerror(e)), e == ENOENT ? 127 : 126);
}

static int run(void *opts, char **args)
{
    struct store *s;
    int r = cmd_store(&s);
    if (r < 0)
        return r;
    if (idmap_none(&s->map))
        return execute(args);
    /* For cmd_store: inside, the caller is uid 0 and yet not the root that has a store of its own. */
    setenv(UNSHARED_ENV, s->path, 1);
    int pidfd = -1;
    pid_t pid = userns_fork(&s->map, CLONE_NEWNS, &pidfd);
    if (pid == 0)
        r = execute(args);
    if (pid <= 0)
        return pid < 0 ? pid : r;
    /* The keys of the terminal are for the command, as with a shell. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    fd_close(pidfd);
    return proc_exit_code(proc_reap(pid));
}

const struct cmd cmd_unshare = {
    .names = "unshare",
    .args = "[COMMAND [ARG...]]",
    .summary = "run a command as root of the store's user namespace",
    .description =
        "Runs COMMAND, or a shell, in the user namespace that the store's files are written with: there, files of a "
        "container's users have the "
        "owners that the container sees, and the caller is root over them. As root it just runs the command.",
    .examples = "whelk unshare\nwhelk unshare du -sh ~/.local/share/whelk\nwhelk unshare rm -rf ./made-by-a-container",
    .stop_at_arg = true,
    .max_args = -1,
    .complete = COMPLETE_FILE,
    .run = run,
};
