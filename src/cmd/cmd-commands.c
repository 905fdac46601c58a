/* whelk __commands: each command and its options, one line a command, for the test of the man pages. */
#include "cmd.h"

static int run(void *opts, char **args)
{
    for (const struct cmd *const *c = commands; *c; c++) {
        if ((*c)->hidden)
            continue;
        auto_free char *name = cmd_name(*c);
        for (char *blank = name; (blank = strchr(blank, ' '));)
            *blank = '-';
        fputs(name, stdout);
        opt_foreach(o, (*c)->opts) if (o->help) printf(" --%s", opt_shown_name(o));
        putchar('\n');
    }
    return 0;
}

const struct cmd cmd_commands = {
    .names = "__commands",
    .summary = "list all commands with their options",
    .hidden = true,
    .run = run,
};
