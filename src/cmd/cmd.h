/* The command idiom: one file cmd-x.c holds the options struct, the option table, the handler and one `const struct
 * cmd`. Its name goes into the list in src/cmd/meson.build; nothing else changes. Handlers call one or two library
 * functions and print; they alone write to stdout. */
#ifndef WHELK_CMD_H
#define WHELK_CMD_H

#include "whelk/err.h"
#include "whelk/log.h"
#include "whelk/opt.h"
#include "whelk/store.h"

struct cmd {
    const char *names;   /* "ps;container ls;container list;container ps": the first is the name in man page and help */
    const char *args;    /* "[OPTIONS] IMAGE [COMMAND [ARG...]]" */
    const char *summary; /* one line for the command list */
    const char *description; /* a paragraph for --help */
    const char *examples;    /* lines "whelk run ...", newline-separated */
    const struct opt *opts;  /* NULL: none */
    size_t opts_size;
    void (*defaults)(void *opts); /* fills in what is not zero when not given; may be NULL */
    bool stop_at_arg;             /* run, create, exec, unshare, top: the first non-option ends parsing */
    bool raw;                     /* argv goes to the handler unparsed (__complete) */
    int min_args, max_args;       /* max -1: any number */
    enum complete complete;       /* of the positionals */
    const char *words;            /* COMPLETE_WORDS, blank-separated */
    bool hidden;
    /* Returns the exit status, or a negative errno with the slot set (main prints it and exits with err_status()). */
    int (*run)(void *opts, char **args);
};

extern const struct cmd *const commands[]; /* NULL-terminated, generated from src/cmd/meson.build */

/* The options before the command's name, in main.c. */
extern const struct opt global_opts[];

/* The command for argv ("image ls ..."): *ret_used is how many words its name took. NULL with text. */
const struct cmd *cmd_find(int argc, char *const argv[], int *ret_used);
/* How many words of argv spell one of names ("ps;container ls"), the longest counts; 0 if none does. */
int cmd_match(const char *names, int argc, char *const argv[]);
/* Is word the first of two-word names, as "image"? */
bool cmd_is_group(const char *word);
/* The first of its names, "ps"; caller frees. */
char *cmd_name(const struct cmd *c);
/* Why whelk does not have what argv names ("swarm", "system connection"), or NULL. *ret_used: how many words that is; may
 * be NULL. */
const char *cmd_absent(int argc, char *const argv[], int *ret_used);
/* Parses and runs it, prints --help itself. Returns the exit status, or a negative errno with the slot set. */
int cmd_invoke(const struct cmd *c, int argc, char *const argv[]);
/* The end of an invocation: flushes, reports r if it is negative, returns the exit status. */
int cmd_finish(int r);

void cmd_print_help(const struct cmd *c, FILE *out);
void cmd_print_overview(FILE *out); /* all commands, for whelk --help */
/* The commands of a group; typed without anything behind it (alone), a hint to its ls comes first (S-030). -ENOENT
 * without text if there is no such group. */
int cmd_print_group(const char *group, bool alone, FILE *out);

/* Set by whelk unshare for its command: the store's path. */
#define UNSHARED_ENV "WHELK_UNSHARED"
/* The store of this invocation (--root), opened at the first call and kept. */
int cmd_store(struct store **ret);
/* For commands that mount: the same as root; for a user the store of the whelk unshare that they run in, -EPERM with
 * text outside of it. what: the command, to be shown; NULL: the user may be outside too, and gets what cmd_store gives. */
int cmd_store_to_mount(const char *what, struct store **ret);
/* For commands over several objects: calls fn for each argument, prints the error of each that fails ("Error: ...") and
 * goes on. Returns 0 or what cmd_worse makes of the errors' statuses. */
int cmd_each(char *const *args, int (*fn)(const char *arg, void *ctx), void *ctx);
/* The status of a command over several objects: the first error's, but 1 (it did not exist) gives way to any other
 * (CV-04). */
int cmd_worse(int status, int next);
/* The same with a process for each object, for those that wait; what they print comes in no fixed order. */
int cmd_each_parallel(char *const *args, int (*fn)(const char *arg, void *ctx), void *ctx);
/* Prints "Error: <slot>" (and the detail lines) to stderr. */
void cmd_report(int r);
/* Flushes stdout; a failed write (full disk) is an error, a closed pipe is quiet (CV-15). */
int cmd_flush(void);

/* The names that begin with prefix, of a kind of object that has names. Kinds that nobody provides have none. */
int complete_objects(enum complete kind, const char *prefix, char ***ret);

/* Global options that change where things are; set by main before a command runs. */
struct globals {
    char *root;
    char *runroot;
};
extern struct globals globals;
/* The words that whelk was called with, argv; for the record of who makes a container. */
extern char *const *cmd_words;

#endif
