/* A RUN step of a build: the same CHILD as a container's, without record, log or supervisor. The builder is the init of
 * a pid namespace, so its death ends the step.
 *
 * Runs in: the builder, inside the store's user namespace. */
#include "fake-ids.h"
#include "launch.h"
#include "spec.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/layer.h"
#include "whelk/log.h"
#include "whelk/seccomp.h"

#include <fcntl.h>

/* As the SUPERVISOR does for a container. */
static int run_session(struct session *session, struct plan *plan, struct net *net)
{
    const struct ctr *c = plan->c;
    auto_close int dir = dir_open(plan->store_fd, plan->dir);
    plan->net = net;
    int r = dir < 0 ? dir : run_write_files(dir, c);
    if (r == 0)
        r = session_start(session, plan, ns_own_flags(c), false);
    if (r == 0)
        r = session_attach_net(session, net);
    strv_foreach (line, net_warnings(net))
        log_warn("%s", line);
    if (r == 0)
        r = net_write_files(dir, c, net);
    if (r == 0)
        r = session_await(session);
    return r < 0 ? r : session_loop(session);
}

/* After the step ended with r. */
static int end_fake(struct fake_ids *fake, int r, struct pack_owners *owners)
{
    size_t len = 0;
    auto_free char *packed = err_pack(r, &len); /* why the step failed says more than what follows from it */
    int ended = fake_ids_finish(fake, r == 0 ? owners : NULL);
    if (r < 0)
        return err_unpack(packed, len);
    if (r > 0)
        err_clear();
    return r == 0 ? ended : r;
}

static int open_upper(const struct store *s, const struct step_spec *spec)
{
    auto_free char *path = xasprintf("%s/upper", spec->dir);
    return dir_open(s->fd, path);
}

/* What the options say of a container, which is the caller's. */
static int make_options(const struct run_options *o, struct ctr *ret)
{
    static const struct run_options none;
    const struct run_options *options = o ? o : &none;
    int r = spec_make_names(options, ret);
    if (r == 0)
        r = spec_make_step_process(options, ret);
    return r < 0 ? r : spec_make_security(options, ret);
}

int run_step_check(const struct run_options *o)
{
    auto_with(ctr_done) struct ctr c = {0};
    return make_options(o, &c);
}

/* The devices of the options, then the step's own. The array is the caller's, what is in it is not. */
static struct ctr_mount *join_mounts(const struct rec_list *devices, const struct rec_list *own)
{
    struct ctr_mount *all = xcalloc(devices->n + own->n + 1, sizeof(*all));
    if (devices->n)
        memcpy(all, devices->items, devices->n * sizeof(*all));
    if (own->n)
        memcpy(all + devices->n, own->items, own->n * sizeof(*all));
    return all;
}

int run_step(struct store *s, const struct step_spec *spec, char ***ret_stubs, struct pack_owners *ret_owners)
{
    auto_with(ctr_done) struct ctr options = {0};
    int r = make_options(spec->options, &options);
    if (r < 0)
        return r;
    struct ctr c = options; /* what is added is not its own */
    c.name = (char *)(uintptr_t) "build step";
    c.args = (char **)(uintptr_t)spec->args;
    c.env = (char **)(uintptr_t)spec->env;
    c.cwd = (char *)(uintptr_t)spec->cwd;
    c.user = (char *)(uintptr_t)spec->user;
    c.network = (char *)(uintptr_t)spec->network;
    c.hostname = (char *)(uintptr_t) "build";
    auto_free struct ctr_mount *mounts = join_mounts(&options.mounts, &spec->mounts);
    c.mounts = (struct rec_list){mounts, options.mounts.n + spec->mounts.n};
    c.secrets = spec->secrets;
    struct plan plan = {.c = &c,
                        .map = &s->map,
                        .store_map = &s->map,
                        .store_fd = s->fd,
                        .dir = spec->dir,
                        .inject = true,
                        .script = spec->script,
                        .report_stubs = true,
                        .values = spec->values,
                        .n_values = spec->n_values,
                        .fake_ids = idmap_single(&s->map),
                        .stdio = {-1, -1, -1},
                        .sock = -1};
    struct session session;
    session_init(&session);
    session.raw_out = spec->out_fd;
    struct seccomp_spec filter = {.profile = c.seccomp, .caps = (uint64_t)c.cap_bounding, .nested = c.nested};
    auto_close int cache = openat(s->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_close int upper = plan.fake_ids ? open_upper(s, spec) : -1;
    session.fake_upper = upper;
    r = layer_lowers(s, spec->layers, &plan.lowers);
    if (r == 0)
        r = seccomp_filter(&filter, cache, &plan.filter, &plan.filter_len);
    auto_with(net_close_auto) struct net *net = NULL;
    if (r == 0)
        r = net_open(s, &c, &s->map, NULL, &net);
    if (r == 0)
        r = run_session(&session, &plan, net);
    if (session.fake)
        r = end_fake(take_ptr(&session.fake), r, ret_owners);
    if (r >= 0)
        *ret_stubs = take_ptr(&session.stubs);
    session_done(&session);
    plan_done(&plan);
    return r;
}
