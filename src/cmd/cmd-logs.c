/* whelk logs: what a container wrote. */
#include "cmd.h"

#include "whelk/run.h"

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    auto_close int dir = -1;
    int r = cmd_store(&s);
    if (r == 0)
        r = ctr_find(s, args[0], &id);
    if (r == 0)
        r = ctr_open_dir(s, id, &dir);
    if (r < 0)
        return r;
    err_clear();
    r = log_replay(dir, STDOUT_FILENO, STDERR_FILENO);
    if (r < 0 && r != -EPIPE && err_is_clear())
        return err_set(r, "cannot write out the log of %s: %s", args[0], strerror(-r));
    return r == -EPIPE ? 0 : r;
}

const struct cmd cmd_logs = {
    .names = "logs;container logs",
    .args = "CONTAINER",
    .summary = "show what a container wrote",
    .description = "Writes the stored standard output of a container to standard output and its standard error to standard error, of running and "
                   "ended ones.",
    .examples = "whelk logs web\nwhelk logs web 2>/dev/null | tail",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
