/* whelk manifest rm */
#include "manifests.h"

#include "whelk/gc.h"

static int rm_one(const char *arg, void *ctx)
{
    auto_with(image_name_done) struct image_name n = {0};
    auto_free char *shown = str_printable(arg);
    int r = name_find(ctx, arg, true, &n);
    if (r == -ENOENT)
        return err_with_status(err_set(r, "no list of manifests is called %s", shown), 1);
    if (r == 0)
        r = name_remove(ctx, n.reference);
    if (r == 0)
        printf("Untagged: %s\nDeleted: %s\n", n.reference, n.index);
    return r;
}

static int run(void *opts, char **args)
{
    struct store *s;
    int r = cmd_store(&s);
    if (r < 0)
        return r;
    int status = cmd_each(args, rm_one, s);
    r = gc_run(s, NULL);
    return status ? status : r;
}

const struct cmd cmd_manifest_rm = {
    .names = "manifest rm",
    .args = "LIST [LIST...]",
    .summary = "remove lists of manifests",
    .description = "Removes lists. The images that they name stay.",
    .examples = "whelk manifest rm web:all",
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
