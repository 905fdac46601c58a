/* Changing a container after it was made.
 *
 * Order: the new record is made in memory, the limits are written to the control group of a running container (which is
 * made now if there is none), and only then the record is saved and the supervisor told to read it. So a limit that
 * cannot be had changes nothing.
 *
 * Runs in: the invocation. Lock: the container's directory, as for a start. */
#include "launch.h"
#include "spec.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"


static bool gives_limits(const struct limit_words *words)
{
    bool any = false;
#define LIMIT(field, ...) any = any || words->field;
#include "whelk/limits.def"
#undef LIMIT
    return any;
}

static int apply_limits(const struct store *s, const struct ctr *c, const struct ctr_state *state)
{
    struct ctr_live live = {0};
    struct cgroup *g = NULL;
    int r = ctr_live_load(s, c->id, &live);
    if (r == -ENOENT)
        return err_set(-EAGAIN, "container %s is just starting or ending", c->name);
    if (r < 0)
        return r;
    bool has = live.cgroup && cgroup_open(live.cgroup, &g) == 0;
    r = has ? cgroup_set(g, &c->limits) : -EOPNOTSUPP;
    cgroup_close(take_ptr(&g));
    if (r == -EOPNOTSUPP) { /* no group, or none of that controller */
        err_clear();
        r = late_group(s, c->id, state->supervisor, &c->limits, &live, &g);
        cgroup_close(g);
    }
    ctr_live_done(&live);
    return r;
}

static int change_record(const struct run_options *o, char *const *unset_env, struct ctr *c)
{
    int r = spec_change_limits(&o->limits, &c->limits);
    if (r == 0)
        r = spec_change_life(o, c);
    if (r == 0)
        r = spec_change_ulimits(o->ulimits, c);
    if (r == 0)
        r = spec_env(o->env, &c->env);
    strv_foreach (name, unset_env)
        for (size_t i = 0; c->env && c->env[i];) {
            const char *rest = str_after(c->env[i], name);
            if (rest && *rest == '=')
                strv_remove(c->env, i);
            else
                i++;
        }
    return r;
}

static int update_locked(const struct store *s, int dir, struct ctr *c, const struct run_options *o,
                         char *const *unset_env)
{
    struct ctr_state state;
    int r = ctr_state(s, c->id, &state);
    if (r == 0)
        r = change_record(o, unset_env, c);
    if (r == 0 && ctr_is_up(&state) && gives_limits(&o->limits))
        r = apply_limits(s, c, &state);
    return r < 0 ? r : rec_save(&ctr_rec, dir, "container.json", c, false);
}

int run_update(const struct store *s, const char *id, const struct run_options *o, char *const *unset_env)
{
    int dir = -1;
    struct ctr c = {0};
    int r = ctr_lock(s, id, true, &dir);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == -ENOENT && err_is_clear())
        r = err_set(r, "no such container: %.12s", id);
    if (r == 0)
        r = update_locked(s, dir, &c, o, unset_env);
    if (r == 0) {
        run_reload(s, id);
        event_container(s, &c, "update", NULL);
    }
    ctr_unlock(s, id, dir);
    ctr_done(&c);
    return r;
}
