/* whelk manifest create */
#include "manifests.h"
#include "registry-flags.h"

#include "whelk/ref.h"
#include "whelk/transport-docker.h"

struct create_opts {
    bool all, amend;
    struct registry_flags registry;
};

static const struct opt create_table[] = {
    {"all", 0, OPT_BOOL, OPT(struct create_opts, all), .help = "of images elsewhere: every platform of their index"},
    {"amend", 'a', OPT_BOOL, OPT(struct create_opts, amend), .help = "add to the list if there is one"},
    REGISTRY_TRANSFER_ROWS(struct create_opts, registry),
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct create_opts *)opts)->registry);
}

/* The list of this name if it may be amended, else a new one; a name that is taken is left alone. */
static int begin(const struct store *s, const char *reference, bool amend, struct list *ret)
{
    auto_with(image_name_done) struct image_name taken = {0};
    int r = name_get_all(s, reference, &taken);
    if (r == -ENOENT) {
        list_new(reference, ret);
        return 0;
    }
    if (r < 0)
        return r;
    if (taken.image)
        return err_set(-EEXIST, "%s is the name of an image; choose another one for the list", reference);
    if (!amend)
        return err_set(-EEXIST, "the list %s is there; --amend adds to it, whelk manifest rm removes it", reference);
    return list_load(s, reference, ret);
}

static int run(void *opts, char **args)
{
    const struct create_opts *o = opts;
    struct docker_options docker = {0};
    struct list_adding how = {o->all, &docker};
    auto_with(list_done) struct list l = {0};
    auto_free char *reference = NULL;
    struct store *s;
    char digest[DIGEST_TEXT];
    int r = registry_flags_options(&o->registry, &docker.registry);
    if (r == 0)
        r = ref_normalize_local(args[0], &reference);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = begin(s, reference, o->amend, &l);
    for (char **image = args + 1; r == 0 && *image; image++)
        r = list_add(s, &l, *image, &how, NULL, NULL);
    if (r == 0)
        r = list_save(s, &l, digest);
    if (r == 0)
        printf("%s\n", digest);
    return r;
}

const struct cmd cmd_manifest_create = {
    .names = "manifest create",
    .args = "[OPTIONS] LIST [IMAGE...]",
    .summary = "make a list of the manifests of several images",
    .description =
        "Makes a list under the name LIST, empty or with images: those of the store by name or id, or elsewhere as "
        "docker://NAME, oci:DIR and the others of whelk image copy; these come into the store. Prints the "
        "list's digest.",
    .examples = "whelk manifest create web:all web:amd64 web:arm64\nwhelk manifest create --all web:all "
                "docker://registry.example.org/web:v1",
    .opts = create_table,
    .opts_size = sizeof(struct create_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
