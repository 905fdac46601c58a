/* Which containers a command works on: those that are named, and those that options choose. */
#ifndef CMD_TARGETS_H
#define CMD_TARGETS_H

#include "cmd.h"

#include "whelk/ctr.h"

/* The row of a bool member. */
#define TARGET_LATEST(member)                                                                                          \
    {                                                                                                                  \
        "latest", 'l', OPT_BOOL, .offset = member, .help = "the container that was made last"                          \
    }
/* A member of the options struct of commands over several containers; each has the rows below that it offers. */
struct targets {
    bool all, latest;
    bool ignore; /* a cid file that is not there is no error */
    char **filters, **cidfiles;
};
#define TARGETS_ALL(member, text)                                                                                      \
    {                                                                                                                  \
        "all", 'a', OPT_BOOL, .offset = (member) + offsetof(struct targets, all), .help = text                         \
    }
#define TARGETS_LATEST(member) TARGET_LATEST((member) + offsetof(struct targets, latest))
#define TARGETS_FILTER(member, short_name)                                                                             \
    {                                                                                                                  \
        "filter", short_name, OPT_LIST, .offset = (member) + offsetof(struct targets, filters), .arg = "KEY=VALUE",    \
                                        .help = "the containers that match, as label=KEY or name=REGEX",               \
                                        .complete = COMPLETE_WORDS, .words = CONTAINER_FILTER_WORDS                    \
    }
#define TARGETS_CIDFILE(member)                                                                                        \
    {                                                                                                                  \
        "cidfile", 0, OPT_LIST, .offset = (member) + offsetof(struct targets, cidfiles), .arg = "FILE",                \
                                .help = "the container whose id is in this file", .complete = COMPLETE_FILE            \
    }
/* Completion of --filter over containers. */
#define CONTAINER_FILTER_WORDS                                                                                         \
    "ancestor= before= command= exited= expose= health= id= label= name= network= publish= restart-policy= "           \
    "should-start-on-boot= since= status= until= "                                                                     \
    "volume="

/* args, and what t chooses: ids for what was not typed. running: of --all and --filter only those that run. -EINVAL
 * with text if there is nothing to work on. Caller frees. */
int targets_find(const struct store *s, const struct targets *t, bool running, char *const *args, char ***ret);
/* For a command over one container: the one that was made last, or typed; -EINVAL with text if typed is NULL. Loaded
 * into *ret (ctr_done); it may be gone in the next moment. */
int target_load(const struct store *s, bool latest, const char *typed, struct ctr *ret);
/* Removes the containers of these names, running ones after at most seconds (run_remove); what is gone by itself is
 * fine. */
int targets_remove(struct store *s, char *const *names, int64_t seconds);

#endif
