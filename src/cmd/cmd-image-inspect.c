/* whelk image inspect: everything about images as JSON, in the store or where else they are. */
#include "cmd.h"
#include "inspect.h"
#include "registry-flags.h"

#include "whelk/transport-docker.h"
#include "whelk/transport.h"

struct inspect_opts {
    char *format, *platform;
    bool remote, raw, config;
    struct registry_flags registry;
};

static const struct opt inspect_table[] = {
    {"config", 0, OPT_BOOL, OPT(struct inspect_opts, config),
     .help = "of an image elsewhere: the configuration, with --raw byte for byte"},
    {"format", 'f', OPT_STR, OPT(struct inspect_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each object, as '{{.Id}}'"},
    {"platform", 0, OPT_STR, OPT(struct inspect_opts, platform), .arg = "OS/ARCH[/VARIANT]",
     .help = "the image of this platform that the index lists"},
    {"raw", 0, OPT_BOOL, OPT(struct inspect_opts, raw),
     .help = "of an image elsewhere: the manifest or index, byte for byte"},
    {"remote", 0, OPT_BOOL, OPT(struct inspect_opts, remote), .help = "look in the registry, not in the store"},
    REGISTRY_TRANSFER_ROWS(struct inspect_opts, registry),
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct inspect_opts *)opts)->registry);
}

struct context {
    const struct inspect_opts *o;
    struct inspect_remote q;
};

static int remote_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *name = transport_rest(arg) ? xstrdup(arg) : xasprintf("docker://%s", arg);
    return inspect_remote(&x->q, name);
}

static int run(void *opts, char **args)
{
    const struct inspect_opts *o = opts;
    struct docker_options docker = {0};
    struct context x = {.o = o};
    x.q = (struct inspect_remote){o->raw, o->config, o->format, o->platform, &docker};
    bool elsewhere = o->remote || transport_rest(args[0]);
    if (!elsewhere && (o->raw || o->config))
        return err_set(-EINVAL, "--raw and --config are for images elsewhere: give --remote, or a name like oci:DIR");
    if (!elsewhere)
        return inspect_print(&(struct inspect_request){.images = true, .format = o->format, .platform = o->platform},
                             args);
    int r = registry_flags_options(&o->registry, &docker.registry);
    return r < 0 ? r : cmd_each(args, remote_one, &x);
}

const struct cmd cmd_image_inspect = {
    .names = "image inspect",
    .args = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "show all about images as JSON",
    .description =
        "Shows what whelk inspect --type image does. With --remote, or names like docker://NAME, oci:DIR and the "
        "others of whelk image copy, it shows images where they are, without taking them into the store.",
    .examples =
        "whelk image inspect web\nwhelk image inspect web | jq '.[0].RootFS.Layers'\nwhelk image inspect --remote "
        "registry.example.org/web:latest\nwhelk image inspect --raw oci:layout:web",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
