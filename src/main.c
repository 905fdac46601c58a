/* whelk: global options, command look-up, the one error line, the exit status. */
#include "cmd.h"

#include "whelk/fd.h"

#include <signal.h>

struct main_opts {
    struct globals where;
    bool version, debug;
};

static int set_log_level(void *opts, const char *value)
{
    enum log_level level;
    int r = log_level_parse(value, &level);
    if (r == 0)
        log_set_level(level);
    return r;
}

static int set_storage_driver(void *opts, const char *value)
{
    if (str_eq(value, "overlay") || str_eq(value, "overlay2"))
        return 0;
    return err_set(-EINVAL, "whelk has one storage driver, overlay, not \"%s\"", value);
}

/* Scripts that say which server they mean: the one that is meant by default is this machine. */
static int refuse_remote(void *opts, const char *value)
{
    if (str_eq(value, "default") || str_eq(value, "false"))
        return 0;
    return err_set(-EINVAL, "whelk has no server to connect to; run it on the other machine: ssh HOST whelk ...");
}

const struct opt global_opts[] = {
    {"debug", 'D', OPT_BOOL, OPT(struct main_opts, debug), .help = "the same as --log-level debug"},
    {"log-level", 0, OPT_CALL, .arg = "LEVEL", .parse = set_log_level, .help = "what to tell on standard error",
     .def = "warn", .complete = COMPLETE_WORDS, .words = "debug info warn error"},
    {"root", 0, OPT_STR, OPT(struct main_opts, where.root), .arg = "DIR",
     .help = "where images and containers are kept", .def = "$XDG_DATA_HOME/whelk, as root /var/lib/whelk",
     .complete = COMPLETE_DIR},
    {"runroot", 0, OPT_STR, OPT(struct main_opts, where.runroot), .arg = "DIR", .help = "where sockets are kept",
     .def = "$XDG_RUNTIME_DIR/whelk, as root /run/whelk", .complete = COMPLETE_DIR},
    {"version", 'v', OPT_BOOL, OPT(struct main_opts, version), .help = "print the version"},
    {"storage-driver", 0, OPT_CALL, .arg = "DRIVER", .parse = set_storage_driver},
    {"host", 'H', OPT_CALL, .arg = "ADDRESS", .parse = refuse_remote},
    {"context", 'c', OPT_CALL, .arg = "NAME", .parse = refuse_remote},
    {"connection", 0, OPT_CALL, .arg = "NAME", .parse = refuse_remote},
    {"url", 0, OPT_CALL, .arg = "URL", .parse = refuse_remote},
    {"remote", 'r', OPT_CALL, .parse = refuse_remote},
    {"identity", 0, OPT_CALL, .arg = "FILE", .parse = refuse_remote},
    OPT_END,
};

static int run_command(int argc, char *const argv[])
{
    if (argc == 0) {
        cmd_print_overview(stdout);
        return 0;
    }
    bool alone = argc == 1;
    bool asks = argc == 2 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h"));
    if ((alone || asks) && cmd_print_group(argv[0], alone, stdout) == 0)
        return 0;
    int used;
    const struct cmd *c = cmd_find(argc, argv, &used);
    return c ? cmd_invoke(c, argc - used, argv + used) : -EINVAL;
}

static int run_main(int argc, char *const argv[])
{
    struct main_opts opts = {0};
    auto_strv char **args = NULL;
    int r = opt_parse(global_opts, "whelk", &opts, argc, argv, true, &args);
    globals = opts.where; /* for the rest of the process */
    if (r < 0)
        return r;
    if (r == 1) {
        cmd_print_overview(stdout);
        return 0;
    }
    if (opts.version) {
        printf("whelk version %s\n", WHELK_VERSION);
        return 0;
    }
    if (opts.debug)
        log_set_level(LOG_DEBUG_);
    return run_command((int)strv_len(args), args);
}

static void ignore(int sig)
{
}

/* A closed pipe shall be an EPIPE here (CV-15). A handler and not SIG_IGN, because exec turns a handler back into the
 * default, which is what every program that we start expects. */
static void catch_sigpipe(void)
{
    struct sigaction sa = {.sa_handler = ignore, .sa_flags = SA_RESTART};
    sigaction(SIGPIPE, &sa, NULL);
}

int main(int argc, char *argv[])
{
    cmd_words = argv;
    fd_sanitize_std();
    catch_sigpipe();
    signal(SIGCHLD, SIG_DFL); /* a caller that ignores it would have our children reaped before we ask */
    return cmd_finish(argc > 0 ? run_main(argc - 1, argv + 1) : run_main(0, argv));
}
