/* whelk rename. */
#include "cmd.h"

#include "whelk/ctr.h"
#include "whelk/event.h"
#include "whelk/net.h"
#include "whelk/network.h"
#include "whelk/run.h"

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    auto_close int dir = -1;
    struct ctr c = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = ctr_find(s, args[0], &id);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == 0)
        r = ctr_rename(s, id, args[1]);
    if (r == 0)
        r = ctr_open_dir(s, id, &dir);
    if (r == 0) /* its own /etc/hosts follows at once: the same file, written anew */
        r = net_rename_host(dir, c.hostname, c.name, args[1]);
    if (r == 0) {
        net_leases_rename(s, id, args[1]);
        run_reload(s, id);
        event_container_id(s, id, "rename", NULL);
    }
    ctr_done(&c);
    return r;
}

const struct cmd cmd_rename = {
    .names = "rename;container rename",
    .args = "CONTAINER NAME",
    .summary = "give a container another name",
    .description = "Gives a container, running or not, another name. The old name is free afterwards.",
    .examples = "whelk rename focused_wing web\nwhelk rename web web-old\nwhelk container rename 3f5a web",
    .min_args = 2,
    .max_args = 2,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
