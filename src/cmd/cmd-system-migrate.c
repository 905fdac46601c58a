/* whelk system migrate: shifts a store to changed subordinate ids; else there is nothing to migrate. */
#include "cmd.h"

static int run(void *opts, char **args)
{
    bool changed = false;
    if (geteuid() != 0 || !globals.root) {
        printf("Nothing to do: whelk's records need no migration. After a change of /etc/subuid or /etc/subgid, root "
               "shifts a user's store with\n"
               "    whelk --root STORE system migrate\n");
        return 0;
    }
    int r = store_shift(globals.root, &changed);
    if (r < 0)
        return err_wrap(r, "cannot shift %s", globals.root);
    printf(changed ? "Shifted %s to the present subordinate ids.\n"
                   : "Nothing to do: %s has the present subordinate ids.\n",
           globals.root);
    return 0;
}

const struct cmd cmd_system_migrate = {
    .names = "system migrate",
    .args = "",
    .summary = "shift a user's store after a change of his subordinate ids",
    .description = "Run by root with --root STORE, it gives every file of that user's store the owner that the present "
                   "ranges of /etc/subuid and /etc/subgid "
                   "make of it. None of its containers may run. Otherwise there is nothing to migrate, and it says so.",
    .examples = "sudo whelk --root ~/.local/share/whelk system migrate",
    .max_args = 0,
    .run = run,
};
