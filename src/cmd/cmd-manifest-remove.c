/* whelk manifest remove */
#include "manifests.h"

static int run(void *opts, char **args)
{
    auto_with(list_done) struct list l = {0};
    struct store *s;
    char digest[DIGEST_TEXT];
    int r = cmd_store(&s);
    if (r == 0)
        r = list_load(s, args[0], &l);
    for (char **typed = args + 1; r == 0 && *typed; typed++) {
        size_t i;
        r = list_find(s, &l, *typed, &i);
        if (r == 0)
            list_remove(&l, i);
    }
    if (r == 0)
        r = list_save(s, &l, digest);
    if (r == 0)
        printf("%s\n", digest);
    return r;
}

const struct cmd cmd_manifest_remove = {
    .names = "manifest remove",
    .args = "LIST IMAGE|DIGEST [IMAGE|DIGEST...]",
    .summary = "take images out of a list of manifests",
    .description =
        "Takes the entries that images of the store, or digests or their starts, mean out of the list. The images "
        "stay. Prints the list's new digest.",
    .examples = "whelk manifest remove web:all web:arm64\nwhelk manifest remove web:all sha256:3f5a",
    .min_args = 2,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
