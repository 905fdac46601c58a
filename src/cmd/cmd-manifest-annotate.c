/* whelk manifest annotate */
#include "manifests.h"

struct annotate_opts {
    struct entry_marks marks;
};

static const struct opt annotate_table[] = {
    ENTRY_MARK_ROWS(struct annotate_opts, marks),
    OPT_END,
};

static int run(void *opts, char **args)
{
    struct annotate_opts *o = opts;
    auto_with(list_done) struct list l = {0};
    struct store *s;
    char digest[DIGEST_TEXT];
    size_t i = 0;
    int r = entry_marks_check(&o->marks);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = list_load(s, args[0], &l);
    if (r == 0)
        r = list_find(s, &l, args[1], &i);
    if (r < 0)
        return r;
    entry_mark((struct descriptor *)l.m.manifests.items + i, &o->marks);
    r = list_save(s, &l, digest);
    if (r == 0)
        printf("%s\n", digest);
    return r;
}

const struct cmd cmd_manifest_annotate = {
    .names = "manifest annotate",
    .args = "[OPTIONS] LIST IMAGE|DIGEST",
    .summary = "change what a list of manifests says of an image",
    .description =
        "Changes the platform or the annotations of the entry that an image of the store, or a digest or its start, "
        "means. Prints the list's new digest.",
    .examples =
        "whelk manifest annotate --arch arm64 --variant v8 web:all web:arm\nwhelk manifest annotate --annotation "
        "org.example.note=first web:all sha256:3f5a",
    .opts = annotate_table,
    .opts_size = sizeof(struct annotate_opts),
    .min_args = 2,
    .max_args = 2,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
