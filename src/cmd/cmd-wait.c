/* whelk wait: prints the exit statuses of containers when they have ended. */
#include "cmd.h"

#include "whelk/run.h"

static int wait_one(const char *arg, void *ctx)
{
    const struct store *s = ctx;
    auto_free char *id = NULL;
    int code = 0;
    int r = ctr_find(s, arg, &id);
    if (r == 0)
        r = run_wait(s, id, &code);
    if (r == 0)
        printf("%d\n", code);
    fflush(stdout);
    return r;
}

static int run(void *opts, char **args)
{
    struct store *s;
    int r = cmd_store(&s);
    return r < 0 ? r : cmd_each(args, wait_one, s);
}

const struct cmd cmd_wait = {
    .names = "wait;container wait",
    .args = "CONTAINER [CONTAINER...]",
    .summary = "wait for containers to end and print their exit statuses",
    .description = "Waits without polling until each container has ended and prints its exit status, one a line in the "
                   "order given. A container that "
                   "has ended already gives its last status.",
    .examples = "id=$(whelk run -d busybox sleep 5)\nwhelk wait \"$id\"\nwhelk wait job1 job2",
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
