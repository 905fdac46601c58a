/* Commands over containers: which ones, and several side by side. */
#include "targets.h"

#include "containers.h"

#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/run.h"

#include <fcntl.h>

/* ---- which ---- */

static int latest_id(const struct store *s, char **ret)
{
    auto_strv char **ids = NULL;
    const char *newest = NULL;
    int64_t created = 0;
    int r = ctr_list(s, &ids);
    strv_foreach (id, ids) {
        struct ctr c = {0};
        if (ctr_load(s, id, &c) == 0 && (!newest || c.created > created)) {
            newest = id;
            created = c.created;
        }
        ctr_done(&c);
    }
    if (r == 0 && !newest)
        r = err_set(-EINVAL, "--latest: there is no container");
    if (r == 0)
        *ret = xstrdup(newest);
    return r;
}

static int add_latest(const struct store *s, char ***found)
{
    char *id = NULL;
    int r = latest_id(s, &id);
    if (r == 0)
        strv_add_take(found, id);
    return r;
}

static int add_cidfiles(const struct targets *t, char ***found)
{
    strv_foreach (path, t->cidfiles) {
        auto_free char *text = NULL;
        int r = file_read(AT_FDCWD, path, 4096, &text, NULL);
        if (r == -ENOENT && t->ignore)
            continue;
        if (r < 0)
            return r == -ENOENT ? err_set(r, "--cidfile %s: there is no such file", path) : r;
        char *id = str_trim(text);
        if (!*id)
            return err_set(-EINVAL, "--cidfile %s: there is no id in it", path);
        strv_add(found, id);
    }
    return 0;
}

/* By the filters of ps, which see running ones only unless told otherwise. */
static int add_filtered(const struct store *s, const struct targets *t, bool running, char ***found)
{
    struct ctr_rows rows = {0};
    int r = ctr_rows_load(s, !running, t->filters, &rows);
    for (size_t i = 0; r == 0 && i < rows.n; i++)
        if (!running || ctr_is_up(&rows.items[i].state))
            strv_add(found, rows.items[i].c.id);
    ctr_rows_done(&rows);
    return r;
}

static int add_all(const struct store *s, bool running, char ***found)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(s, &ids);
    strv_foreach (id, ids) {
        struct ctr_state state;
        if (ctr_state(s, id, &state) == 0 && (!running || ctr_is_up(&state)))
            strv_add(found, id);
    }
    return r;
}

int targets_find(const struct store *s, const struct targets *t, bool running, char *const *args, char ***ret)
{
    auto_strv char **found = strv_copy(args);
    bool chosen = t->all || t->latest || t->filters;
    if (chosen && strv_len(args))
        return err_set(-EINVAL, "--%s takes no containers besides", t->all ? "all" : t->latest ? "latest" : "filter");
    if (!chosen && !t->cidfiles && !strv_len(args))
        return err_set(-EINVAL, "name at least one container, or give --all");
    int r = add_cidfiles(t, &found);
    if (r == 0 && t->latest)
        r = add_latest(s, &found);
    if (r == 0 && t->filters)
        r = add_filtered(s, t, running, &found);
    else if (r == 0 && t->all)
        r = add_all(s, running, &found);
    if (r == 0)
        *ret = take_ptr(&found);
    return r;
}

int target_load(const struct store *s, bool latest, const char *typed, struct ctr *ret)
{
    auto_free char *id = NULL;
    if (!latest && !typed)
        return err_set(-EINVAL, "name a container, or give --latest");
    int r = latest ? latest_id(s, &id) : ctr_find(s, typed, &id);
    if (r == 0)
        r = ctr_load(s, id, ret);
    return r == -ENOENT && err_is_clear() ? err_set(r, "no such container: %s", typed ? typed : id) : r;
}

/* ---- side by side ---- */

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

int targets_remove(struct store *s, char *const *names, int64_t seconds)
{
    int r = 0;
    strv_foreach (name, names) {
        auto_free char *id = NULL;
        int one = ctr_find(s, name, &id);
        if (one == 0)
            one = run_remove(s, id, true, seconds);
        r = r < 0 || one == -ENOENT ? r : one;
    }
    return r;
}
