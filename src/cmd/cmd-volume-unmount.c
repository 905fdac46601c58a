/* whelk volume unmount: the other half of whelk volume mount, which leaves nothing to undo. */
#include "volumes.h"

static int unmount_one(const char *arg, void *ctx)
{
    auto_free char *name = NULL;
    int r = volume_find(ctx, arg, &name);
    if (r == 0)
        printf("%s\n", arg);
    return r;
}

static int run(void *opts, char **args)
{
    struct store *s;
    int r = cmd_store_to_mount(NULL, &s);
    return r < 0 ? r : cmd_each(args, unmount_one, s);
}

const struct cmd cmd_volume_unmount = {
    .names = "volume unmount;volume umount",
    .args = "VOLUME [VOLUME...]",
    .summary = "the end of whelk volume mount, for scripts",
    .description = "Prints the name of each volume that there is. whelk volume mount mounts nothing, so there is "
                   "nothing to take away; scripts that were written for podman find what they look for.",
    .examples = "whelk volume unmount data\nwhelk volume umount data logs\nwhelk volume unmount $(whelk volume ls -q)",
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_VOLUME,
    .run = run,
};
