/* A RUN step of a build: the same CHILD as a container's, without record, log or supervisor. The builder is the init of
 * a pid namespace, so its death ends the step.
 *
 * Runs in: the builder, inside the store's user namespace. */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/layer.h"
#include "whelk/seccomp.h"

#include <fcntl.h>

static int run_session(struct session *session, struct plan *plan, const struct ctr *c)
{
    int r = session_start(session, plan, ns_own_flags(c), false);
    if (r == 0)
        r = session_await(session);
    return r < 0 ? r : session_loop(session);
}

int run_step(struct store *s, const struct step_spec *spec, char ***ret_stubs)
{
    struct ctr c = {
        .name = (char *)(uintptr_t) "build step",
        .args = (char **)(uintptr_t)spec->args,
        .env = (char **)(uintptr_t)spec->env,
        .cwd = (char *)(uintptr_t)spec->cwd,
        .user = (char *)(uintptr_t)spec->user,
        .network = (char *)(uintptr_t)spec->network,
        .hostname = (char *)(uintptr_t) "build",
        .cap_bounding = (int64_t)caps_default(),
        .cap_effective = (int64_t)caps_default(),
    };
    struct plan plan = {.c = &c,
                        .map = &s->map,
                        .store_fd = s->fd,
                        .dir = spec->dir,
                        .inject = true,
                        .report_stubs = true,
                        .stdio = {-1, -1, -1},
                        .sock = -1};
    struct session session;
    session_init(&session);
    session.raw_out = spec->out_fd;
    struct seccomp_spec filter = {.caps = caps_default()};
    auto_close int cache = openat(s->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = layer_lowers(s, spec->layers, &plan.lowers);
    if (r == 0)
        r = seccomp_filter(&filter, cache, &plan.filter, &plan.filter_len);
    if (r == 0)
        r = run_session(&session, &plan, &c);
    if (r >= 0)
        *ret_stubs = take_ptr(&session.stubs);
    session_done(&session);
    plan_done(&plan);
    return r;
}
