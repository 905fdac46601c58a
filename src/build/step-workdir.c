/* WORKDIR: the config's working directory, and the directory itself where it is missing (DF-36). */
#include "builder.h"

#include "layer-tree.h"
#include "rootpath.h"

#include "whelk/err.h"

char *workdir_join(const struct build_state *s, const char *word)
{
    auto_free char *joined = *word == '/' ? xstrdup(word) : xasprintf("%s/%s", build_state_workdir(s), word);
    auto_free char *clean = rootpath_clean(joined);
    return xasprintf("/%s", clean);
}

int workdir_prepare(struct step *s)
{
    if (!*s->args[0])
        return err_set(-EINVAL, "WORKDIR is empty");
    auto_free char *dir = workdir_join(s->state, s->args[0]);
    image_config_put_str(&s->state->config, "WorkingDir", dir);
    return 0;
}

int workdir_execute(struct step *s, int dir, struct layer_facts *ret)
{
    const char *path = build_state_workdir(s->state);
    auto_with(layer_tree_done) struct layer_tree tree = {.diff = -1};
    auto_free char *real = NULL;
    struct stat st;
    int r = rootpath_resolve(s->lower, path, true, &real, &st);
    if (r == -ENOTDIR || (r == 0 && st.st_mode && !S_ISDIR(st.st_mode)))
        return err_set(-ENOTDIR, "%s in the image is not a directory", path);
    if (r < 0)
        return err_set(r, "cannot look at %s in the image: %s", path, strerror(-r));
    if (st.st_mode)
        return 0;
    r = layer_tree_begin(&tree, s->b->store, dir, s->state->layers, s->lower, s->state->created);
    if (r == 0)
        r = layer_tree_dir(&tree, real);
    if (r == 0)
        r = layer_tree_end(&tree);
    ret->changed = true;
    return r;
}
