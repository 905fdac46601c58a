/* whelk tag: another name for an image. */
#include "cmd.h"

#include "whelk/image.h"
#include "whelk/ref.h"

static int tag_one(const struct store *s, const char *id, const char *name)
{
    auto_free char *reference = NULL;
    int r = ref_normalize_local(name, &reference);
    return r < 0 ? r : name_set(s, reference, id);
}

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    auto_close int hold = -1;
    int r = cmd_store(&s);
    if (r == 0)
        r = store_hold(s, &hold);
    if (r == 0)
        r = image_find(s, args[0], &id, NULL);
    for (char **name = args + 1; r == 0 && *name; name++)
        r = tag_one(s, id, *name);
    return r;
}

const struct cmd cmd_tag = {
    .names = "tag;image tag",
    .args = "IMAGE NAME[:TAG] [NAME[:TAG]...]",
    .summary = "give an image another name",
    .description = "Gives IMAGE, named by name, id or the start of its id, further names. A name that is taken moves. Names without a registry become "
                   "localhost/NAME and are found as NAME.",
    .examples = "whelk tag 3f5a web:v2\nwhelk tag web registry.example.org/team/web:latest",
    .min_args = 2,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
