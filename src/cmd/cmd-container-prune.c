/* whelk container prune: removes all that have ended. */
#include "cmd.h"
#include "confirm.h"

#include "whelk/fd.h"
#include "whelk/run.h"
#include "whelk/units.h"

#include <fcntl.h>

struct prune_opts {
    bool force;
};

static const struct opt prune_table[] = {
    {"force", 'f', OPT_BOOL, OPT(struct prune_opts, force), .help = "do not ask"},
    OPT_END,
};

static int prune_one(const struct store *s, const char *id, uint64_t *sum)
{
    struct ctr_state state;
    uint64_t bytes = 0;
    auto_free char *path = xasprintf("containers/%s", id);
    if (ctr_state(s, id, &state) < 0 || (state.status != CTR_EXITED && state.status != CTR_CREATED))
        return 0;
    if (tree_usage(s->fd, path, &bytes) < 0)
        bytes = 0; /* what belongs to others inside cannot be counted from here */
    int r = run_remove(s, id, false, 0);
    if (r < 0)
        return r;
    *sum += bytes;
    printf("%s\n", id);
    return 0;
}

static int run(void *opts, char **args)
{
    const struct prune_opts *o = opts;
    struct store *s;
    auto_strv char **ids = NULL;
    uint64_t sum = 0;
    char size[16];
    int sure = o->force ? 1 : cmd_confirm("This will remove all containers that do not run.");
    int r = sure > 0 ? cmd_store(&s) : sure;
    if (sure <= 0)
        return r;
    if (r == 0)
        r = ctr_list(s, &ids);
    strv_foreach (id, ids)
        r = r < 0 ? r : prune_one(s, id, &sum);
    if (r == 0)
        printf("Total reclaimed space: %s\n", size_format(sum, size));
    return r;
}

const struct cmd cmd_container_prune = {
    .names = "container prune",
    .args = "[OPTIONS]",
    .summary = "remove all containers that do not run",
    .description = "Removes created and ended containers and prints their ids and what they held. Asks before, on a terminal; elsewhere --force is needed.",
    .examples = "whelk container prune -f",
    .opts = prune_table,
    .opts_size = sizeof(struct prune_opts),
    .max_args = 0,
    .run = run,
};
