/* whelk manifest add */
#include "manifests.h"
#include "registry-flags.h"

#include "whelk/transport-docker.h"

struct add_opts {
    bool all;
    struct entry_marks marks;
    struct registry_flags registry;
};

static const struct opt add_table[] = {
    {"all", 0, OPT_BOOL, OPT(struct add_opts, all), .help = "of an image elsewhere: every platform of its index"},
    ENTRY_MARK_ROWS(struct add_opts, marks),
    REGISTRY_TRANSFER_ROWS(struct add_opts, registry),
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct add_opts *)opts)->registry);
}

static int run(void *opts, char **args)
{
    struct add_opts *o = opts;
    struct docker_options docker = {0};
    struct list_adding how = {o->all, &docker};
    auto_with(list_done) struct list l = {0};
    struct store *s;
    char digest[DIGEST_TEXT];
    int r = entry_marks_check(&o->marks);
    if (r == 0)
        r = registry_flags_options(&o->registry, &docker.registry);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = list_load(s, args[0], &l);
    for (char **image = args + 1; r == 0 && *image; image++)
        r = list_add(s, &l, *image, &how, entry_mark, &o->marks);
    if (r == 0)
        r = list_save(s, &l, digest);
    if (r == 0)
        printf("%s\n", digest);
    return r;
}

const struct cmd cmd_manifest_add = {
    .names = "manifest add",
    .args = "[OPTIONS] LIST IMAGE [IMAGE...]",
    .summary = "add images to a list of manifests",
    .description =
        "Adds images of the store, by name or id, or of elsewhere, as docker://NAME, oci:DIR and the others of whelk "
        "image copy, which come into the store. The platform is what the image says, unless options say "
        "otherwise. Prints the list's new digest.",
    .examples = "whelk manifest add web:all web:arm64\nwhelk manifest add --arch arm --variant v7 web:all web:armv7",
    .opts = add_table,
    .opts_size = sizeof(struct add_opts),
    .defaults = defaults,
    .min_args = 2,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
