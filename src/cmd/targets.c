/* Commands over several containers: which ones, and side by side. */
#include "cmd.h"

#include "whelk/ctr.h"
#include "whelk/proc.h"

int cmd_targets(const struct store *s, bool all, bool running, char *const *args, char ***ret)
{
    if (all && strv_len(args))
        return err_set(-EINVAL, "--all takes no containers besides");
    if (!all && !strv_len(args))
        return err_set(-EINVAL, "name at least one container, or give --all");
    if (!all) {
        *ret = strv_copy(args);
        return 0;
    }
    auto_strv char **ids = NULL;
    int r = ctr_list(s, &ids);
    if (r < 0)
        return r;
    auto_strv char **wanted = NULL;
    strv_foreach (id, ids) {
        struct ctr_state state;
        if (ctr_state(s, id, &state) == 0 && (!running || ctr_is_up(&state)))
            strv_add(&wanted, id);
    }
    *ret = take_ptr(&wanted);
    return 0;
}

struct one {
    const char *arg;
    int (*fn)(const char *arg, void *ctx);
    void *ctx;
};

/* In the forked process: its error is printed by the parent, its output by itself. */
static int run_one(void *arg)
{
    struct one *o = arg;
    int r = o->fn(o->arg, o->ctx);
    fflush(stdout);
    return r;
}

int cmd_each_parallel(char *const *args, int (*fn)(const char *arg, void *ctx), void *ctx)
{
    size_t n = strv_len(args);
    if (n < 2)
        return cmd_each(args, fn, ctx);
    auto_free struct worker *workers = xcalloc(n, sizeof *workers);
    auto_free struct one *ones = xcalloc(n, sizeof *ones);
    int status = 0;
    size_t started = 0, ended = 0;
    enum { AT_ONCE = 64 };
    while (ended < n) {
        for (; started < n && started - ended < AT_ONCE; started++) {
            ones[started] = (struct one){args[started], fn, ctx};
            if (worker_start(run_one, &ones[started], &workers[started]) < 0)
                workers[started].pid = 0;
        }
        int r = workers[ended].pid > 0 ? worker_wait(&workers[ended]) : run_one(&ones[ended]);
        ended++;
        if (r < 0) {
            cmd_report(r);
            status = cmd_worse(status, err_status());
        }
        err_clear();
    }
    return status;
}
