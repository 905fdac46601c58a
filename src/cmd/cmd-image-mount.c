/* whelk image mount: the files of images where the caller sees them. */
#include "views.h"

#include "whelk/event.h"
#include "whelk/image.h"
#include "whelk/rootfs.h"

struct mount_opts {
    char *format;
    bool all, no_trunc;
};

static const struct opt mount_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct mount_opts, all), .help = "all images"},
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

static int mount_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *id = NULL, *reference = NULL;
    int r = image_find(x->store, arg, &id, &reference);
    if (r < 0)
        return r;
    if (!view_is_mounted(x->store, "images", id)) {
        r = rootfs_mount_image(x->store, id);
        if (r < 0)
            return err_wrap(r, "cannot mount image %s", arg);
        event_object(x->store, "image", "mount", id, reference ? reference : id);
    }
    view_add_row(x->rows, x->store, "images", id, reference, x->no_trunc);
    return 0;
}

static int run(void *opts, char **args)
{
    const struct mount_opts *o = opts;
    auto_json json_t *rows = json_array();
    auto_strv char **all = NULL;
    struct context x = {.no_trunc = o->no_trunc, .rows = rows};
    int status = 0;
    if (o->all && *args)
        return err_set(-EINVAL, "--all takes no names, but got \"%s\"", *args);
    int r = cmd_store_to_mount("whelk image mount", &x.store);
    if (r == 0 && !*args)
        r = image_list(x.store, &all);
    if (r < 0)
        return r;
    if (o->all || *args)
        status = cmd_each(o->all ? all : args, mount_one, &x);
    strv_foreach (id, o->all || *args ? NULL : all) /* what is mounted here */
        if (view_is_mounted(x.store, "images", id))
            view_add_row(rows, x.store, "images", id, NULL, o->no_trunc);
    r = view_print(rows, o->format, strv_len(args) == 1);
    return r < 0 ? r : status;
}

const struct cmd cmd_image_mount = {
    .names = "image mount",
    .args = "[OPTIONS] [IMAGE...]",
    .summary = "mount the files of images and print where",
    .description = "Mounts the files of images, read-only, in the store and prints the path; without names, lists what "
                   "is mounted. For root, or for a user inside whelk unshare until that ends.",
    .examples =
        "sudo whelk image mount debian:12\nwhelk unshare sh -c 'ls \"$(whelk image mount web)/srv\"'\nsudo whelk "
        "image mount --format json",
    .opts = mount_table,
    .opts_size = sizeof(struct mount_opts),
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
