/* whelk help */
#include "cmd.h"

static int run(void *opts, char **args)
{
    if (!args[0]) {
        cmd_print_overview(stdout);
        return 0;
    }
    int argc = (int)strv_len(args), used;
    if (argc == 1 && cmd_print_group(args[0], false, stdout) == 0)
        return 0;
    const struct cmd *c = cmd_find(argc, args, &used);
    if (!c)
        return -EINVAL;
    cmd_print_help(c, stdout);
    return 0;
}

const struct cmd cmd_help = {
    .names = "help",
    .args = "[COMMAND]",
    .summary = "print help for a command",
    .description = "Prints the help of a command or of a group of commands, as COMMAND --help does. Without COMMAND, "
                   "prints all commands.",
    .examples = "whelk help\n"
                "whelk help run\n"
                "whelk help image prune",
    .max_args = -1,
    .complete = COMPLETE_COMMAND,
    .run = run,
};
