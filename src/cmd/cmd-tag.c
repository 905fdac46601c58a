/* whelk tag: another name for an image. */
#include "cmd.h"

#include "whelk/image.h"
#include "whelk/ref.h"

/* All of them before the first is given, so that a bad one changes nothing. */
static int full_names(char *const *names, char ***ret)
{
    auto_strv char **references = NULL;
    strv_foreach (name, names) {
        char *reference;
        int r = ref_normalize_local(name, &reference);
        if (r < 0)
            return r;
        strv_add_take(&references, reference);
    }
    *ret = take_ptr(&references);
    return 0;
}

/* The new names say by which manifest the image came, as the old one does: for digests, and for pushing just that. */
static int tag_all(const struct store *s, const char *id, const char *old, char *const *references)
{
    auto_with(image_name_done) struct image_name n = {0};
    int r = old ? name_get_all(s, old, &n) : -ENOENT;
    bool same = r == 0 && n.image && str_eq(n.image, id);
    r = r == -ENOENT ? 0 : r;
    for (; r == 0 && *references; references++) {
        struct image_name new = {.reference = *references, .image = (char *)(uintptr_t)id};
        new.manifest = same ? n.manifest : NULL;
        new.index = same ? n.index : NULL;
        r = name_put(s, &new, NULL, 0);
    }
    return r;
}

static int run(void *opts, char **args)
{
    struct store *s;
    auto_strv char **references = NULL;
    auto_free char *id = NULL, *old = NULL;
    auto_close int hold = -1;
    int r = full_names(args + 1, &references);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = store_hold(s, &hold);
    if (r == 0)
        r = image_find(s, args[0], &id, &old);
    return r < 0 ? r : tag_all(s, id, old, references);
}

const struct cmd cmd_tag = {
    .names = "tag;image tag",
    .args = "IMAGE NAME[:TAG] [NAME[:TAG]...]",
    .summary = "give an image another name",
    .description = "Gives IMAGE, named by name, id or the start of its id, further names. A name that is taken moves. "
                   "Names without a registry become "
                   "localhost/NAME and are found as NAME.",
    .examples =
        "whelk tag 3f5a web:v2\nwhelk tag web web:stable web:2026\nwhelk tag web registry.example.org/team/web:latest",
    .min_args = 2,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
