/* Freezing containers through their control group; one that has none gets one now (late-group.c). */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/event.h"

static int open_group(const struct store *s, const char *id, bool make, struct cgroup **ret)
{
    struct ctr_live live = {0};
    struct ctr_state state;
    int r = ctr_state(s, id, &state);
    if (r == 0 && state.status != CTR_RUNNING)
        r = err_set(-ESRCH, "container %.12s is not running", id);
    if (r == 0)
        r = ctr_live_load(s, id, &live);
    if (r == 0 && live.cgroup)
        r = cgroup_open(live.cgroup, ret);
    else if (r == 0)
        r = make ? late_group(s, id, state.supervisor, NULL, &live, ret) : -ENOENT;
    ctr_live_done(&live);
    return r;
}

int run_pause(const struct store *s, const char *id, bool paused)
{
    struct cgroup *g = NULL;
    int r = open_group(s, id, paused, &g);
    if (r == -ENOENT && !paused)
        return err_set(-EINVAL, "container %.12s is not paused", id);
    if (r < 0)
        return r;
    if (cgroup_frozen(g) == paused)
        r = err_set(-EINVAL, "container %.12s is %s", id, paused ? "paused already" : "not paused");
    else
        r = cgroup_freeze(g, paused);
    if (r == 0)
        event_container_id(s, id, paused ? "pause" : "unpause", NULL);
    cgroup_close(g);
    return r;
}

bool run_is_paused(const struct store *s, const char *id)
{
    struct cgroup *g = NULL;
    bool paused = open_group(s, id, false, &g) == 0 && cgroup_frozen(g);
    if (g)
        cgroup_close(g);
    err_clear();
    return paused;
}
