/* whelk system check: looks for damage in the store, and mends it (C-149). */
#include "cmd.h"

#include "whelk/check.h"

struct check_opts {
    bool repair, quick, force;
};

static const struct opt check_table[] = {
    {"force", 'f', OPT_BOOL, OPT(struct check_opts, force),
     .help = "with --repair: also remove containers and secrets that are damaged"},
    {"quick", 'q', OPT_BOOL, OPT(struct check_opts, quick), .help = "do not hash what is in the layers"},
    {"repair", 'r', OPT_BOOL, OPT(struct check_opts, repair),
     .help = "mend what can be mended, and remove damaged layers and images"},
    OPT_END,
};

static void tell(void *ctx, const char *line)
{
    auto_free char *shown = str_printable(line);
    printf("%s\n", shown);
    fflush(stdout);
}

static int run(void *opts, char **args)
{
    const struct check_opts *o = opts;
    struct check_options check = {.quick = o->quick, .repair = o->repair, .force = o->force, .tell = tell};
    struct store *s;
    size_t found = 0, left = 0;
    if (o->force && !o->repair)
        return err_set(-EINVAL, "--force is for --repair");
    int r = cmd_store(&s);
    if (r == 0)
        r = store_check(s, &check, &found, &left);
    if (r < 0)
        return r;
    if (left && !o->repair)
        fprintf(stderr, "%zu damaged; whelk system check --repair mends what can be mended\n", left);
    else if (left)
        fprintf(stderr, "%zu damaged, %zu left%s\n", found, left,
                o->force ? "" : "; --force removes containers and secrets too");
    return left ? 1 : 0;
}

const struct cmd cmd_system_check = {
    .names = "system check",
    .args = "[OPTIONS]",
    .summary = "look for damage in the store, and mend it",
    .description =
        "Looks whether all records can be read and lead to what is there, whether the layers still have the "
        "content that their names say, and whether only their owner can read them. Prints a line for each "
        "damage. With --repair, damaged layers and images are removed and wrong names and modes are put right.",
    .examples = "whelk system check\nwhelk system check --quick\nwhelk system check --repair",
    .opts = check_table,
    .opts_size = sizeof(struct check_opts),
    .max_args = 0,
    .run = run,
};
