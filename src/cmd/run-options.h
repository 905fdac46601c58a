/* The options that run and create share, and what both do first. */
#ifndef CMD_RUN_OPTIONS_H
#define CMD_RUN_OPTIONS_H

#include "cmd.h"

#include "whelk/run.h"

#define LIMIT_OPT_SIZE OPT_STR
#define LIMIT_OPT_CPUS OPT_STR
#define LIMIT_OPT_COUNT OPT_STR
#define LIMIT_OPT_TEXT OPT_STR
#define LIMIT_OPT_DEVICES OPT_LIST
#define LIMIT_ARG_SIZE "SIZE"
#define LIMIT_ARG_CPUS "NUMBER"
#define LIMIT_ARG_COUNT "NUMBER"
#define LIMIT_ARG_TEXT "LIST"
#define LIMIT_ARG_DEVICES "DEVICE:VALUE"

/* The rows, for a struct type whose member `run` is a struct run_options. */
#define RUN_OPTION_ROWS(type)                                                                                          \
    {"cap-add",                                                                                                        \
     0,                                                                                                                \
     OPT_LIST,                                                                                                         \
     OPT(type, run.cap_add),                                                                                           \
     .arg = "CAPABILITY",                                                                                              \
     .help = "add a capability, or ALL",                                                                               \
     .complete = COMPLETE_CAPABILITY},                                                                                 \
        {"cap-drop",                                                                                                   \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.cap_drop),                                                                                      \
         .arg = "CAPABILITY",                                                                                          \
         .help = "drop a capability, or ALL",                                                                          \
         .complete = COMPLETE_CAPABILITY},                                                                             \
        {"cidfile",                                                                                                    \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.cidfile),                                                                                       \
         .arg = "FILE",                                                                                                \
         .help = "write the container's id into a new file",                                                           \
         .complete = COMPLETE_FILE},                                                                                   \
        {"device",                                                                                                     \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.devices),                                                                                       \
         .arg = "HOST[:CONTAINER]",                                                                                    \
         .help = "let it use a device of the host",                                                                    \
         .complete = COMPLETE_FILE},                                                                                   \
        {"entrypoint",     0,                                                                                          \
         OPT_STR,          OPT(type, run.entrypoint),                                                                  \
         .arg = "COMMAND", .help = "replace the image's ENTRYPOINT and CMD: a word or a JSON array"},                  \
        {"env",                                                                                                        \
         'e',                                                                                                          \
         OPT_LIST,                                                                                                     \
         OPT(type, run.env),                                                                                           \
         .arg = "NAME=VALUE",                                                                                          \
         .help = "set a variable; NAME alone takes it from here, NAME* all that begin so"},                            \
        {"env-host", 0, OPT_BOOL, OPT(type, run.env_host), .help = "take over all variables of this environment"},     \
        {"env-file",                                                                                                   \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.env_files),                                                                                     \
         .arg = "FILE",                                                                                                \
         .help = "read variables from a file, one a line",                                                             \
         .complete = COMPLETE_FILE},                                                                                   \
        {"group-add",    0,                                                                                            \
         OPT_LIST,       OPT(type, run.group_add),                                                                     \
         .arg = "GROUP", .help = "run in this group of the container too"},                                            \
        {"health-cmd",                                                                                                 \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.health_cmd),                                                                                    \
         .arg = "COMMAND",                                                                                             \
         .help = "check the container's health with this: for a shell, a JSON array of words, or none"},               \
        {"health-interval", 0,                                                                                         \
         OPT_DURATION,      OPT(type, run.health_interval),                                                            \
         .arg = "TIME",     .help = "time between checks",                                                             \
         .def = "30s"},                                                                                                \
        {"health-on-failure",                                                                                          \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.health_on_failure),                                                                             \
         .arg = "ACTION",                                                                                              \
         .help = "what to do when it becomes unhealthy: none, kill, restart or stop",                                  \
         .def = "none",                                                                                                \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "none kill restart stop"},                                                                           \
        {"health-retries", 0,                                                                                          \
         OPT_INT,          OPT(type, run.health_retries),                                                              \
         .arg = "TIMES",   .help = "failures in a row that make it unhealthy",                                         \
         .def = "3"},                                                                                                  \
        {"health-start-interval",                                                                                      \
         0,                                                                                                            \
         OPT_DURATION,                                                                                                 \
         OPT(type, run.health_start_interval),                                                                         \
         .arg = "TIME",                                                                                                \
         .help = "time between checks in the start period",                                                            \
         .def = "5s"},                                                                                                 \
        {"health-start-period",                                                                                        \
         0,                                                                                                            \
         OPT_DURATION,                                                                                                 \
         OPT(type, run.health_start_period),                                                                           \
         .arg = "TIME",                                                                                                \
         .help = "how long failures do not count after the start",                                                     \
         .def = "0s"},                                                                                                 \
        {"health-timeout", 0,                                                                                          \
         OPT_DURATION,     OPT(type, run.health_timeout),                                                              \
         .arg = "TIME",    .help = "a check that takes longer has failed",                                             \
         .def = "30s"},                                                                                                \
        {"hostname",                                                                                                   \
         'h',                                                                                                          \
         OPT_STR,                                                                                                      \
         OPT(type, run.hostname),                                                                                      \
         .arg = "NAME",                                                                                                \
         .help = "the container's host name",                                                                          \
         .def = "the first 12 digits of its id"},                                                                      \
        {"image-volume",                                                                                               \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.image_volume),                                                                                  \
         .arg = "KIND",                                                                                                \
         .help = "what the image's VOLUMEs become: anonymous, tmpfs or ignore",                                        \
         .def = "anonymous",                                                                                           \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "anonymous tmpfs ignore"},                                                                           \
        {"init", 0, OPT_BOOL, OPT(type, run.init),                                                                     \
         .help = "run a small init as process 1 that reaps and forwards signals"},                                     \
        {"interactive", 'i', OPT_BOOL, OPT(type, run.interactive), .help = "keep standard input open and forward it"}, \
        {"ipc",                                                                                                        \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.ipc),                                                                                           \
         .arg = "MODE",                                                                                                \
         .help = "IPC namespace: private or host",                                                                     \
         .def = "private",                                                                                             \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "private host"},                                                                                     \
        {"label", 'l', OPT_LIST, OPT(type, run.labels), .arg = "KEY=VALUE", .help = "set a label"},                    \
        {"log-driver",                                                                                                 \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.log_driver),                                                                                    \
         .arg = "DRIVER",                                                                                              \
         .help = "where output is kept: file or none",                                                                 \
         .def = "file",                                                                                                \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "file none"},                                                                                        \
        {"log-opt",                                                                                                    \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.log_opts),                                                                                      \
         .arg = "KEY=VALUE",                                                                                           \
         .help = "max-size=SIZE, max-file=NUMBER",                                                                     \
         .def = "max-size=10m max-file=3",                                                                             \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "max-size= max-file="},                                                                              \
        {"mount",                                                                                                      \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.mounts),                                                                                        \
         .arg = "KEY=VALUE,...",                                                                                       \
         .help = "mount as type=bind, volume, tmpfs or image says, with source= at target="},                          \
        {"name",                                                                                                       \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.name),                                                                                          \
         .arg = "NAME",                                                                                                \
         .help = "name the container",                                                                                 \
         .def = "two random words"},                                                                                   \
        {"net|network",                                                                                                \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.network),                                                                                       \
         .arg = "MODE",                                                                                                \
         .help = "private (own, with loopback only), none, or host",                                                   \
         .def = "private",                                                                                             \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "private none host"},                                                                                \
        {"no-healthcheck", 0, OPT_BOOL, OPT(type, run.no_healthcheck), .help = "do without the image's health check"}, \
        {"oom-score-adj",                                                                                              \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.oom_score_adj),                                                                                 \
         .arg = "NUMBER",                                                                                              \
         .help = "-1000 to 1000: killed early or late when memory runs out",                                           \
         .def = "whelk's + 100"},                                                                                      \
        {"privileged", 0, OPT_BOOL, OPT(type, run.privileged),                                                         \
         .help = "all capabilities, devices and paths that the user himself has; never more than those"},              \
        {"pull",                                                                                                       \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.pull),                                                                                          \
         .arg = "POLICY",                                                                                              \
         .help = "when to pull the image: missing or never",                                                           \
         .def = "missing",                                                                                             \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "missing never"},                                                                                    \
        {"read-only", 0, OPT_BOOL, OPT(type, run.read_only),                                                           \
         .help = "make the root file system read-only, with a tmpfs at /run, /tmp and /var/tmp"},                      \
        {"replace", 0, OPT_BOOL, OPT(type, run.replace), .help = "remove a container of the same name first"},         \
        {"restart",                                                                                                    \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.restart),                                                                                       \
         .arg = "POLICY",                                                                                              \
         .help = "start it again: no, always, unless-stopped, on-failure[:TIMES]",                                     \
         .def = "no",                                                                                                  \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "no always unless-stopped on-failure"},                                                              \
        {"rm", 0, OPT_BOOL, OPT(type, run.rm), .help = "remove the container when it has ended"},                      \
        {"security-opt",                                                                                               \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.security_opts),                                                                                 \
         .arg = "OPTION",                                                                                              \
         .help = "no-new-privileges, seccomp=unconfined|FILE, nested, unmask=ALL",                                     \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "no-new-privileges seccomp=unconfined nested unmask=ALL label=disable apparmor=unconfined"},         \
        {"shm-size", 0, OPT_STR, OPT(type, run.shm_size), .arg = "SIZE", .help = "size of /dev/shm", .def = "64m"},    \
        {"stop-signal",                                                                                                \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.stop_signal),                                                                                   \
         .arg = "SIGNAL",                                                                                              \
         .help = "what stop sends",                                                                                    \
         .def = "the image's STOPSIGNAL, else TERM",                                                                   \
         .complete = COMPLETE_SIGNAL},                                                                                 \
        {"stop-timeout",   0,                                                                                          \
         OPT_INT,          OPT(type, run.stop_timeout),                                                                \
         .arg = "SECONDS", .help = "how long stop waits before SIGKILL; -1: for ever",                                 \
         .def = "10"},                                                                                                 \
        {"sysctl",                                                                                                     \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.sysctls),                                                                                       \
         .arg = "NAME=VALUE",                                                                                          \
         .help = "set a kernel parameter of its own namespaces, as net.core.somaxconn"},                               \
        {"tmpfs", 0, OPT_LIST, OPT(type, run.tmpfs), .arg = "DIR[:OPTIONS]", .help = "mount an empty tmpfs"},          \
        {"tz", 0, OPT_STR, OPT(type, run.tz), .arg = "ZONE", .help = "time zone (TZ), or local for this machine's"},   \
        {"tty", 't', OPT_BOOL, OPT(type, run.tty), .help = "give the command a terminal"},                             \
        {"ulimit",                                                                                                     \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.ulimits),                                                                                       \
         .arg = "NAME=SOFT[:HARD]",                                                                                    \
         .help = "set a resource limit, as nofile=1024"},                                                              \
        {"user",                                                                                                       \
         'u',                                                                                                          \
         OPT_STR,                                                                                                      \
         OPT(type, run.user),                                                                                          \
         .arg = "USER[:GROUP]",                                                                                        \
         .help = "run as this name or id of the container",                                                            \
         .def = "the image's USER, else 0"},                                                                           \
        {"uts",                                                                                                        \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, run.uts),                                                                                           \
         .arg = "MODE",                                                                                                \
         .help = "UTS namespace (host name): private or host",                                                         \
         .def = "private",                                                                                             \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "private host"},                                                                                     \
        {"volume",                                                                                                     \
         'v',                                                                                                          \
         OPT_LIST,                                                                                                     \
         OPT(type, run.volumes),                                                                                       \
         .arg = "[HOST|NAME:]CONTAINER[:OPTIONS]",                                                                     \
         .help = "mount a path of the host, a volume by name, or a new volume",                                        \
         .complete = COMPLETE_FILE},                                                                                   \
        {"volumes-from",                                                                                               \
         0,                                                                                                            \
         OPT_LIST,                                                                                                     \
         OPT(type, run.volumes_from),                                                                                  \
         .arg = "CONTAINER[:ro]",                                                                                      \
         .help = "mount what another container has, at the same places",                                               \
         .complete = COMPLETE_CONTAINER},                                                                              \
    {                                                                                                                  \
        "workdir", 'w', OPT_STR, OPT(type, run.workdir), .arg = "DIR", .help = "working directory, made if missing",   \
                                                         .def = "the image's WORKDIR"                                  \
    }

/* What the options are when they are not given. */
void run_option_defaults(struct run_options *o);
/* Finds the image, makes and publishes the container's record, writes the cid file. args: IMAGE [COMMAND...]. On
 * success *ret is the caller's (ctr_done). */
int make_container(struct store *s, struct run_options *o, char **args, struct ctr *ret);

#endif
