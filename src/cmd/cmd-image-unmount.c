/* whelk image unmount */
#include "views.h"

#include "whelk/image.h"

struct unmount_opts {
    bool all, force;
};

static const struct opt unmount_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct unmount_opts, all), .help = "all images that are mounted"},
    {"force", 'f', OPT_BOOL, OPT(struct unmount_opts, force), .help = "also if something in it is open"},
    OPT_END,
};

struct context {
    struct store *store;
    bool force, all;
};

static int unmount_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *id = NULL;
    int r = image_find(x->store, arg, &id, NULL);
    if (r < 0 || (x->all && !view_is_mounted(x->store, "images", id)))
        return r;
    return view_end(x->store, "images", id, arg, x->force);
}

static int run(void *opts, char **args)
{
    const struct unmount_opts *o = opts;
    auto_strv char **all = NULL;
    struct context x = {.force = o->force, .all = o->all};
    if (o->all ? *args != NULL : *args == NULL)
        return err_set(-EINVAL, "name images, or give --all alone");
    int r = cmd_store_to_mount("whelk image unmount", &x.store);
    if (r == 0 && o->all)
        r = image_list(x.store, &all);
    return r < 0 ? r : cmd_each(o->all ? all : args, unmount_one, &x);
}

const struct cmd cmd_image_unmount = {
    .names = "image unmount;image umount",
    .args = "[OPTIONS] IMAGE...",
    .summary = "take mounts of images away again",
    .description = "Takes away what whelk image mount has mounted, and prints each name.",
    .examples =
        "sudo whelk image unmount debian:12\nsudo whelk image umount --all\nsudo whelk image unmount --force web",
    .opts = unmount_table,
    .opts_size = sizeof(struct unmount_opts),
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
