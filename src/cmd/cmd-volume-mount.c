/* whelk volume mount: where the files of volumes are. */
#include "volumes.h"

/* What the volume's options say. Its files lie where they can be seen, so nothing has to be mounted. */
static int path_of(const struct store *s, const struct volume *v, char **ret)
{
    enum volume_kind kind;
    auto_free char *data = volume_data(v->name);
    int r = volume_check_options(v->options, &kind);
    if (r < 0)
        return err_wrap(r, "volume %s", v->name);
    if (kind == VOLUME_TMPFS)
        return err_set(-EOPNOTSUPP,
                       "volume %s is a tmpfs: it is empty anew in each container, and there is nothing to see here",
                       v->name);
    *ret = kind == VOLUME_BIND ? xstrdup(strv_env_get(v->options, "device")) : xasprintf("%s/%s", s->path, data);
    return 0;
}

static int mount_one(const char *arg, void *ctx)
{
    const struct store *s = ctx;
    auto_free char *name = NULL, *path = NULL;
    auto_with(volume_done) struct volume v = {0};
    int r = volume_find(s, arg, &name);
    if (r == 0)
        r = volume_load(s, name, &v);
    if (r == 0)
        r = path_of(s, &v, &path);
    if (r == 0)
        printf("%s\n", path);
    return r;
}

static int run(void *opts, char **args)
{
    struct store *s;
    int r = cmd_store_to_mount(NULL, &s);
    return r < 0 ? r : cmd_each(args, mount_one, s);
}

const struct cmd cmd_volume_mount = {
    .names = "volume mount",
    .args = "VOLUME [VOLUME...]",
    .summary = "print where the files of volumes are",
    .description = "Prints the directory of each volume, where its files can be read and written; nothing has to be "
                   "mounted for that. A user sees them with the owners that containers see inside whelk unshare.",
    .examples = "sudo ls \"$(sudo whelk volume mount data)\"\nwhelk unshare sh -c 'ls -l \"$(whelk volume mount "
                "data)\"'\nwhelk volume mount data logs",
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_VOLUME,
    .run = run,
};
