/* whelk mount: the files of containers where the caller sees them. */
#include "targets.h"
#include "views.h"

#include "whelk/event.h"
#include "whelk/rootfs.h"

struct mount_opts {
    struct targets targets;
    char *format;
    bool no_trunc;
};

static const struct opt mount_table[] = {
    TARGETS_ALL(offsetof(struct mount_opts, targets), "all containers"),
    TARGETS_LATEST(offsetof(struct mount_opts, targets)),
    {"format", 0, OPT_STR, OPT(struct mount_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each, as '{{.Mountpoint}}'"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct mount_opts, no_trunc), .help = "show whole ids"},
    OPT_END,
};

struct context {
    struct store *store;
    bool no_trunc;
    json_t *rows;
};

/* A user's running container is in a user namespace beside the one that he is in, which he cannot enter from there. */
static int check(const struct store *s, const struct ctr *c)
{
    struct ctr_state st;
    if (c->idmap)
        return err_set(-EOPNOTSUPP, "container %s has ids of its own (--userns); use whelk cp or whelk export",
                       c->name);
    int r = s->unshared ? ctr_state(s, c->id, &st) : 0;
    if (r == 0 && s->unshared && ctr_is_up(&st))
        return err_set(
            -EBUSY,
            "container %s is running in a namespace of its own; leave whelk unshare and use whelk cp or whelk "
            "exec, or stop it",
            c->name);
    return r;
}

static int mount_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL;
    auto_with(ctr_done) struct ctr c = {0};
    int r = ctr_find(x->store, arg, &id);
    if (r < 0)
        return r;
    r = ctr_load(x->store, id, &c);
    if (r == 0 && !view_is_mounted(x->store, "containers", id)) {
        r = check(x->store, &c);
        if (r == 0)
            r = rootfs_mount(x->store, &c);
        if (r == 0)
            event_container(x->store, &c, "mount", NULL);
    }
    if (r < 0)
        return r == -ENOENT && err_is_clear() ? err_set(r, "no such container: %s", arg)
                                              : err_wrap(r, "cannot mount container %s", arg);
    view_add_row(x->rows, x->store, "containers", id, c.name, x->no_trunc);
    return 0;
}

/* Without names: what is mounted here. */
static int list(struct context *x)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(x->store, &ids);
    strv_foreach (id, ids) {
        auto_with(ctr_done) struct ctr c = {0};
        if (view_is_mounted(x->store, "containers", id) && ctr_load(x->store, id, &c) == 0)
            view_add_row(x->rows, x->store, "containers", id, c.name, x->no_trunc);
    }
    return r;
}

static int run(void *opts, char **args)
{
    const struct mount_opts *o = opts;
    auto_json json_t *rows = json_array();
    auto_strv char **found = NULL;
    struct context x = {.no_trunc = o->no_trunc, .rows = rows};
    bool named = *args || o->targets.all || o->targets.latest;
    int status = 0;
    int r = cmd_store_to_mount("whelk mount", &x.store);
    if (r == 0 && named)
        r = targets_find(x.store, &o->targets, false, args, &found);
    if (r == 0 && named)
        status = cmd_each(found, mount_one, &x);
    else if (r == 0)
        r = list(&x);
    if (r == 0)
        r = view_print(rows, o->format, strv_len(found) == 1 && !o->targets.all);
    return r < 0 ? r : status;
}

const struct cmd cmd_mount = {
    .names = "mount;container mount",
    .args = "[OPTIONS] [CONTAINER...]",
    .summary = "mount the files of containers and print where",
    .description = "Mounts the files of containers in the store and prints the path; without names, lists what is "
                   "mounted. For root in any state of the container; for a user inside whelk unshare, while it does "
                   "not run, until that ends.",
    .examples = "sudo whelk mount web\nwhelk unshare sh -c 'cp site.conf \"$(whelk mount web)/etc/\"; whelk umount "
                "web'\nsudo whelk mount --format json",
    .opts = mount_table,
    .opts_size = sizeof(struct mount_opts),
    .max_args = -1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
