/* whelk image exists: says it by the exit status alone (CV-05). */
#include "cmd.h"

#include "whelk/image.h"

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = image_find(s, args[0], &id, NULL);
    return r == -ENOENT ? 1 : r;
}

const struct cmd cmd_image_exists = {
    .names = "image exists",
    .args = "IMAGE",
    .summary = "tell whether an image exists",
    .description = "Prints nothing and exits with 0 if there is such an image, with 1 if not.",
    .examples = "whelk image exists web && echo yes",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
