/* whelk healthcheck run: a container's health check, now (C-030). */
#include "cmd.h"

#include "whelk/run.h"

struct healthcheck_opts {
    bool ignore_result;
};

static const struct opt healthcheck_table[] = {
    {"ignore-result", 0, OPT_BOOL, OPT(struct healthcheck_opts, ignore_result),
     .help = "exit with 0 whatever the check says"},
    OPT_END,
};

static int check(const struct store *s, const struct ctr *c)
{
    if (!c->health_cmd)
        return err_set(-EINVAL, "container %s has no health check", c->name);
    auto_strv char **command = health_command(c->health_cmd);
    int r = run_exec(s, c->id, &(struct exec_options){0}, command);
    return r > 0 ? 1 : r;
}

static int run(void *opts, char **args)
{
    struct store *s;
    struct ctr c = {0};
    auto_free char *id = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = ctr_find(s, args[0], &id);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == -ENOENT && err_is_clear())
        r = err_set(r, "no such container: %s", args[0]);
    if (r == 0)
        r = check(s, &c);
    ctr_done(&c);
    const struct healthcheck_opts *o = opts;
    return r < 0 ? err_with_status(r, 125) : o->ignore_result ? 0 : r;
}

const struct cmd cmd_healthcheck_run = {
    .names = "healthcheck run",
    .args = "[OPTIONS] CONTAINER",
    .summary = "run a container's health check now",
    .description =
        "Runs the health check of a running container once, shows its output, and exits with 0 if it is healthy and "
        "with 1 if not. The recorded status does not change.",
    .examples = "whelk healthcheck run web && echo healthy\nwhelk healthcheck run --ignore-result web\nwhelk healthcheck "
                "run web || whelk restart web",
    .opts = healthcheck_table,
    .opts_size = sizeof(struct healthcheck_opts),
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
