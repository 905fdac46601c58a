/* whelk system reset: removes everything of the store (C-148). */
#include "cmd.h"
#include "confirm.h"

#include "whelk/ctr.h"
#include "whelk/run.h"
#include "whelk/units.h"

struct reset_opts {
    bool force;
};

static const struct opt reset_table[] = {
    {"force", 'f', OPT_BOOL, OPT(struct reset_opts, force), .help = "do not ask"},
    OPT_END,
};

static int remove_container(const char *id, void *ctx)
{
    int r = run_remove(ctx, id, true, 0);
    return r == -ENOENT ? 0 : r;
}

static int reset(struct store *s)
{
    auto_strv char **ids = NULL;
    store_tidy(s);
    int r = ctr_list(s, &ids);
    int status = r < 0 ? r : cmd_each_parallel(ids, remove_container, s);
    if (status)
        return status < 0 ? status : err_set(-EBUSY, "containers are left; the store %s is not removed", s->path);
    return store_reset(s);
}

static int run(void *opts, char **args)
{
    const struct reset_opts *o = opts;
    struct store *s;
    uint64_t bytes = 0;
    char size[16];
    int r = cmd_store(&s);
    if (r == 0)
        r = store_check_place(s);
    if (r == 0)
        r = store_size(s, &bytes);
    if (r < 0)
        return r;
    auto_free char *warning =
        xasprintf("This will remove all containers, running ones too, images, volumes, secrets and "
                  "the build cache: %s in %s.",
                  size_format(bytes, size), s->path);
    if (o->force)
        fprintf(stderr, "%s\n", warning);
    r = o->force ? 1 : cmd_confirm(warning);
    return r <= 0 ? r : reset(s);
}

const struct cmd cmd_system_reset = {
    .names = "system reset",
    .args = "[OPTIONS]",
    .summary = "remove everything: containers, images, volumes, secrets",
    .description =
        "Kills and removes all containers and removes all of the store. Says before how much that is and asks, on "
        "a terminal; elsewhere --force is needed. Only a directory that is marked as a store of this user is "
        "touched, and in it only what whelk has made.",
    .examples = "whelk system reset\nwhelk system reset -f\nwhelk --root ./store system reset -f",
    .opts = reset_table,
    .opts_size = sizeof(struct reset_opts),
    .max_args = 0,
    .run = run,
};
