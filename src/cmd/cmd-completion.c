/* whelk completion: the scripts of completions/, which ask `whelk __complete`. */
#include "cmd.h"

/* Made from the installed files, see meson.build here. */
static const struct {
    const char *shell, *script;
} scripts[] = {
    {
        "bash",
#include "whelk.bash.inc"
    },
    {
        "zsh",
#include "_whelk.inc"
    },
    {
        "fish",
#include "whelk.fish.inc"
    },
};

static int run(void *opts, char **args)
{
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (str_eq(args[0], scripts[i].shell)) {
            fputs(scripts[i].script, stdout);
            return 0;
        }
    return err_set(-EINVAL, "no completion for the shell \"%s\"; there is one for bash, zsh and fish", args[0]);
}

const struct cmd cmd_completion = {
    .names = "completion",
    .args = "bash|zsh|fish",
    .summary = "print a script that completes whelk's command line",
    .description = "Prints the completion script for a shell on standard output. The script asks whelk itself, so it "
                   "never has to be renewed; names of containers and images are completed too.",
    .examples = "source <(whelk completion bash)\n"
                "whelk completion zsh > ~/.zfunc/_whelk\n"
                "whelk completion fish > ~/.config/fish/completions/whelk.fish",
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_WORDS,
    .words = "bash zsh fish",
    .run = run,
};
