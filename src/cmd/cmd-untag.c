/* whelk untag: takes names from an image, and keeps the image. */
#include "cmd.h"

#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/ref.h"

/* Which of the image's names is meant; they are given short or in full. */
static int find_name(const struct store *s, const char *typed, const char *id, char ***names)
{
    auto_with(image_name_done) struct image_name n = {0};
    auto_free char *shown = str_printable(typed);
    int r = name_find(s, typed, false, &n);
    if (r == -ENOENT)
        return err_set(r, "no image is called %s (whelk images lists the names)", shown);
    if (r < 0)
        return r;
    if (!str_eq(n.image, id))
        return err_set(-EINVAL, "%s is a name of another image, %.12s", shown, n.image);
    if (!strv_has(*names, n.reference))
        strv_add(names, n.reference);
    return 0;
}

static int all_names(const struct store *s, const char *id, char ***names)
{
    struct rec_list list = {0};
    int r = names_load(s, &list);
    const struct image_name *n = list.items;
    for (size_t i = 0; i < list.n; i++)
        if (str_eq(n[i].image, id))
            strv_add(names, n[i].reference);
    names_done(&list);
    return r;
}

/* All are known before the first goes, so that a bad one changes nothing. */
static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    auto_strv char **names = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = image_find(s, args[0], &id, NULL);
    if (r == 0 && !args[1])
        r = all_names(s, id, &names);
    for (char **typed = args + 1; r == 0 && args[1] && *typed; typed++)
        r = find_name(s, *typed, id, &names);
    strv_foreach (name, names) {
        if (r == 0)
            r = name_remove(s, name);
        r = r == -ENOENT ? 0 : r;
    }
    return r;
}

const struct cmd cmd_untag = {
    .names = "untag;image untag",
    .args = "IMAGE [NAME[:TAG]...]",
    .summary = "take names from an image",
    .description =
        "Takes the names, or without one all names, from IMAGE. The image itself stays, also without a name: "
        "then whelk image prune removes it.",
    .examples = "whelk untag web\nwhelk untag registry.example.org/web:v1\nwhelk untag 3f5a web:v1 web:v2",
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
