/* whelk logout: forgets a login. */
#include "cmd.h"

#include "whelk/credentials.h"

struct logout_opts {
    char *authfile;
    bool all;
};

static const struct opt logout_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct logout_opts, all), .help = "forget every login"},
    {"authfile", 0, OPT_STR, OPT(struct logout_opts, authfile), .arg = "FILE", .help = "where logins are stored",
     .complete = COMPLETE_FILE},
    OPT_END,
};

static int run(void *opts, char **args)
{
    const struct logout_opts *o = opts;
    auto_strv char **removed = NULL;
    if (o->all && args[0])
        return err_set(-EINVAL, "--all and a registry cannot be given together");
    int r = credentials_erase(o->authfile, o->all ? NULL : args[0] ?: "docker.io", &removed);
    if (r < 0)
        return r;
    if (o->all)
        puts("Removed login credentials for all registries");
    else
        strv_foreach (key, removed)
            printf("Removed login credentials for %s\n", key);
    return 0;
}

const struct cmd cmd_logout = {
    .names = "logout",
    .args = "[OPTIONS] [REGISTRY[/PATH]]",
    .summary = "forget the login of a registry",
    .description =
        "Removes the stored login of REGISTRY (docker.io if none is given) from every file that logins are read "
        "from.",
    .examples = "whelk logout registry.example.org\nwhelk logout --authfile ./auth.json registry.example.org\nwhelk logout --all",
    .opts = logout_table,
    .opts_size = sizeof(struct logout_opts),
    .max_args = 1,
    .run = run,
};
