/* whelk rm: removes containers. */
#include "targets.h"

#include "whelk/run.h"
#include "whelk/volume.h"

struct rm_opts {
    struct targets targets;
    bool depend, force, link, volumes;
    int64_t time;
};

static const struct opt rm_table[] = {
    TARGETS_ALL(offsetof(struct rm_opts, targets), "all containers"),
    TARGETS_CIDFILE(offsetof(struct rm_opts, targets)),
    TARGETS_FILTER(offsetof(struct rm_opts, targets), 0),
    TARGETS_LATEST(offsetof(struct rm_opts, targets)),
    {"depend", 0, OPT_BOOL, OPT(struct rm_opts, depend),
     .help = "first the containers that share namespaces or volumes with it, or require it"},
    {"force", 'f', OPT_BOOL, OPT(struct rm_opts, force),
     .help = "kill running ones; one that does not exist is no error"},
    {"ignore", 'i', OPT_BOOL, OPT(struct rm_opts, targets.ignore),
     .help = "a container that does not exist is no error"},
    {"link", 0, OPT_BOOL, OPT(struct rm_opts, link)},
    {"time", 't', OPT_INT, OPT(struct rm_opts, time), .arg = "SECONDS",
     .help = "with --force: send the stop signal and wait so long before SIGKILL", .def = "0"},
    {"volumes", 'v', OPT_BOOL, OPT(struct rm_opts, volumes),
     .help = "also the anonymous volumes that no other container has"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct rm_opts *opts;
};

/* The names of a container's anonymous volumes: its record is gone when it is their turn. Caller frees. */
static char **anonymous_volumes(const struct store *s, const char *id)
{
    char **names = NULL;
    struct ctr c = {0};
    if (ctr_load(s, id, &c) < 0)
        return NULL;
    const struct ctr_mount *m = c.mounts.items;
    for (size_t i = 0; i < c.mounts.n; i++)
        if (m[i].anonymous && m[i].source)
            strv_add(&names, m[i].source);
    ctr_done(&c);
    return names;
}

static int remove_with_volumes(const struct context *x, const char *id)
{
    auto_strv char **volumes = x->opts->volumes ? anonymous_volumes(x->store, id) : NULL;
    int r = run_remove(x->store, id, x->opts->force, x->opts->time);
    strv_foreach (volume, volumes) {
        int one = r < 0 ? r : volume_remove(x->store, volume);
        r = one == -ENOENT || one == -EBUSY ? r : one; /* another container has it: the last one takes it along */
    }
    return r;
}

static int rm_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL;
    int r = ctr_find(x->store, arg, &id);
    if (r == 0)
        r = remove_with_volumes(x, id);
    if (r == -ENOENT && (x->opts->targets.ignore || x->opts->force))
        return 0;
    if (r == -ENOENT)
        return err_with_status(r, 1);
    if (r == -EBUSY)
        return err_with_status(r, 2);
    if (r == 0)
        printf("%s\n", arg);
    return r;
}

/* ---- --depend ---- */

static bool shares(const char *mode, const char *id)
{
    const char *other = mode ? str_after(mode, "container:") : NULL;
    return other && str_eq(other, id);
}

static bool needs(const struct ctr *c, const char *id)
{
    const struct ctr_net *nets = c->networks.items;
    bool net = false;
    for (size_t i = 0; i < c->networks.n; i++)
        net = net || (str_eq(nets[i].name, "container") && nets[i].target && str_eq(nets[i].target, id));
    return net || shares(c->network, id) || shares(c->pid, id) || shares(c->ipc, id) || shares(c->uts, id) ||
           shares(c->cgroupns, id) || shares(c->userns, id) || strv_has(c->requires, id);
}

/* Adds the containers that need id, and before each those that need it. */
static int add_dependents(const struct store *s, char *const *all, const char *id, char ***found)
{
    int r = 0;
    strv_foreach (other, all) {
        struct ctr c = {0};
        bool wanted = !str_eq(other, id) && !strv_has(*found, other) && ctr_load(s, other, &c) == 0 && needs(&c, id);
        ctr_done(&c);
        if (wanted)
            r = add_dependents(s, all, other, found);
        if (wanted && r == 0 && !strv_has(*found, other))
            strv_add(found, other);
    }
    return r;
}

/* One after the other: who needs goes before what it needs. Those that were typed go with the others. */
static int remove_dependents(struct context *x, char *const *typed)
{
    auto_strv char **all = NULL, **ids = NULL, **found = NULL;
    int r = ctr_list(x->store, &all);
    strv_foreach (arg, typed) {
        char *id = NULL;
        if (ctr_find(x->store, arg, &id) == 0)
            strv_add_take(&ids, id);
    }
    err_clear();
    strv_foreach (id, ids)
        r = r < 0 ? r : add_dependents(x->store, all, id, &found);
    strv_foreach (id, found)
        if (r == 0 && !strv_has(ids, id))
            r = rm_one(id, x);
    fflush(stdout); /* the rest is printed by other processes */
    return r;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    int r = cmd_store(&x.store);
    auto_strv char **ids = NULL;
    if (r < 0)
        return r;
    if (x.opts->time < -1)
        return err_set(-EINVAL, "--time %lld: seconds, or -1 to wait for ever", (long long)x.opts->time);
    if (x.opts->link)
        return err_set(-EINVAL, "--link: whelk has no links between containers; they find each other by names");
    store_tidy(x.store);
    r = targets_find(x.store, &x.opts->targets, false, args, &ids);
    if (r == 0 && x.opts->depend)
        r = remove_dependents(&x, ids);
    return r < 0 ? r : cmd_each_parallel(ids, rm_one, &x);
}

const struct cmd cmd_rm = {
    .names = "rm;container rm;container remove;remove",
    .args = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "remove containers",
    .description = "Removes containers that do not run, with their writable layer and log, and prints each as it was "
                   "typed. A running one is refused "
                   "unless --force is given.",
    .examples = "whelk rm web\nwhelk rm -f $(whelk ps -aq)\nwhelk rm -af",
    .opts = rm_table,
    .opts_size = sizeof(struct rm_opts),
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
