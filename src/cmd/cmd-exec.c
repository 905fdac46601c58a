/* whelk exec: another command in a running container. */
#include "targets.h"

#include "whelk/run.h"

struct exec_opts {
    struct exec_options exec;
    bool latest, no_session;
    char *cidfile;
};

static const struct opt exec_table[] = {
    {"cidfile", 0, OPT_STR, OPT(struct exec_opts, cidfile), .arg = "FILE",
     .help = "in the container whose id is in this file", .complete = COMPLETE_FILE},
    {"detach", 'd', OPT_BOOL, OPT(struct exec_opts, exec.detach), .help = "leave it running, without streams"},
    {"detach-keys", 0, OPT_STR, OPT(struct exec_opts, exec.detach_keys), .arg = "KEYS",
     .help = "keys that leave it running: letters or ctrl-X, with commas", .def = "ctrl-p,ctrl-q"},
    {"env", 'e', OPT_LIST, OPT(struct exec_opts, exec.env), .arg = "NAME=VALUE", .help = "set a variable"},
    {"env-file", 0, OPT_LIST, OPT(struct exec_opts, exec.env_files), .arg = "FILE",
     .help = "read variables from a file, one a line", .complete = COMPLETE_FILE},
    {"interactive", 'i', OPT_BOOL, OPT(struct exec_opts, exec.interactive), .help = "forward standard input"},
    TARGET_LATEST(offsetof(struct exec_opts, latest)),
    {"no-session", 0, OPT_BOOL, OPT(struct exec_opts, no_session)}, /* podman's: leave no record. None is ever left */
    {"preserve-fd", 0, OPT_LIST, OPT(struct exec_opts, exec.preserve.lists), .arg = "LIST",
     .help = "hand in these open pipes and sockets, as 5,7"},
    {"preserve-fds", 0, OPT_INT, OPT(struct exec_opts, exec.preserve.count), .arg = "NUMBER",
     .help = "hand in so many open pipes and sockets from descriptor 3 on", .def = "0"},
    {"privileged", 0, OPT_BOOL, OPT(struct exec_opts, exec.privileged),
     .help = "all capabilities and no seccomp filter"},
    {"tty", 't', OPT_BOOL, OPT(struct exec_opts, exec.tty), .help = "give the command a terminal"},
    {"user", 'u', OPT_STR, OPT(struct exec_opts, exec.user), .arg = "USER[:GROUP]",
     .help = "run as this name or id of the container", .def = "the container's user"},
    {"workdir", 'w', OPT_STR, OPT(struct exec_opts, exec.workdir), .arg = "DIR", .help = "working directory",
     .def = "the container's"},
    OPT_END,
};

/* The container: typed first, or chosen by an option; then all words are the command's. */
static int find(struct store *s, const struct exec_opts *o, char ***args, char **ret_id)
{
    struct targets t = {.latest = o->latest, .cidfiles = o->cidfile ? (char *[]){o->cidfile, NULL} : NULL};
    char *typed[] = {o->latest || o->cidfile ? NULL : **args, NULL};
    auto_strv char **ids = NULL;
    int r = targets_find(s, &t, false, typed, &ids);
    if (r == 0)
        r = ctr_find(s, ids[0], ret_id);
    *args += typed[0] != NULL;
    return r;
}

static int run(void *opts, char **args)
{
    struct exec_opts *o = opts;
    struct store *s;
    auto_free char *id = NULL;
    if (o->exec.workdir && *o->exec.workdir != '/')
        return err_set(-EINVAL, "--workdir %s: the working directory must be an absolute path", o->exec.workdir);
    if (o->latest && o->cidfile)
        return err_set(-EINVAL, "--latest and --cidfile cannot be used together");
    int r = cmd_store(&s);
    if (r == 0)
        r = find(s, o, &args, &id);
    if (r == 0 && !*args)
        r = err_set(-EINVAL, "\"whelk exec\" needs a command to run; see whelk exec --help");
    return r < 0 ? r : run_exec(s, id, &o->exec, args);
}

const struct cmd cmd_exec = {
    .names = "exec;container exec",
    .args = "[OPTIONS] CONTAINER COMMAND [ARG...]",
    .summary = "run another command in a running container",
    .description = "Runs COMMAND in all namespaces of a running container, with its environment, user and working "
                   "directory unless told "
                   "otherwise, and exits with the command's status.",
    .examples = "whelk exec web cat /etc/hosts\nwhelk exec -it web sh\nwhelk exec -u 0 -w /srv web ls -l",
    .opts = exec_table,
    .opts_size = sizeof(struct exec_opts),
    .stop_at_arg = true,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
