/* Command-line options: one table per command gives parsing, usage, help and completion.
 *
 * Grammar (CV-28): --flag=v, --flag v, -f v, -fv, bundles of short booleans, booleans as --flag or --flag=false, --
 * ends options. Options may follow positionals unless stop_at_arg. An unknown option suggests the nearest. */
#ifndef WHELK_OPT_H
#define WHELK_OPT_H

#include "whelk/str.h"

/* What the shell may complete for a value or argument. */
enum complete {
    COMPLETE_NONE,
    COMPLETE_FILE,
    COMPLETE_DIR,
    COMPLETE_CONTAINER,         /* names of all containers */
    COMPLETE_RUNNING_CONTAINER, /* names of running ones */
    COMPLETE_IMAGE,
    COMPLETE_ANY, /* container or image */
    COMPLETE_VOLUME,
    COMPLETE_NETWORK,
    COMPLETE_SECRET,
    COMPLETE_SIGNAL,
    COMPLETE_CAPABILITY,
    COMPLETE_COMMAND, /* names of whelk's commands */
    COMPLETE_WORDS,   /* opt.words, blank-separated */
};

enum opt_kind {
    OPT_BOOL,     /* bool */
    OPT_STR,      /* char *: last one wins, owned by the options struct */
    OPT_LIST,     /* char **: repeatable */
    OPT_INT,      /* int64_t */
    OPT_SIZE,     /* int64_t bytes, size_parse */
    OPT_DURATION, /* int64_t nanoseconds */
    OPT_CALL,     /* parse(); without an arg text it takes no word and parse() gets "true" */
    OPT_BOOL_STR, /* char *: bare --flag gives opt.bare (as in build --pull), --flag=v gives v; never takes the next
                     word */
};

struct opt {
    const char *name; /* "publish"; long names only, without dashes. Several spellings: "net|network" (last is shown) */
    char letter;      /* 'p' or 0 */
    enum opt_kind kind : 8; /* narrow: tables are relocated, so each process has its own copy */
    enum complete complete : 8;
    unsigned offset;  /* in the options struct */
    const char *arg;  /* "PORT" in help; NULL for booleans */
    const char *help; /* one line, lower case, no full stop; NULL: accepted, but not shown */
    const char *def;  /* what help shows as the default, or NULL */
    union {
        const char *words;      /* COMPLETE_WORDS */
        const struct opt *more; /* OPT_CONTINUED */
    };
    union {
        const char *bare;                            /* OPT_BOOL_STR */
        int (*parse)(void *opts, const char *value); /* OPT_CALL */
    };
};

#define OPT(type, member) .offset = offsetof(type, member)
#define OPT_END                                                                                                        \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }

/* Ends a table with the rows of another, which several commands share: their options structs begin alike. */
#define OPT_CONTINUED(table)                                                                                           \
    {                                                                                                                  \
        .name = NULL, .more = (table)                                                                                  \
    }

/* o, or where the rows go on if it is the end of a table; NULL at the end of all. */
static inline const struct opt *opt_row(const struct opt *o)
{
    while (o && !o->name)
        o = o->more;
    return o;
}
#define opt_foreach(o, table) for (const struct opt *o = opt_row(table); o; o = opt_row(o + 1))

/* Parses argv[0..argc) (without the command's own name) into opts. what is the command as typed ("whelk run"), for the
 * error texts. *ret_args: the positionals, a new vector of copies that the caller owns. With stop_at_arg the first
 * positional ends the options. "--help" (and -h where no row has that letter) is found before anything else: returns 1,
 * nothing is stored. Members of options that are not given stay as they are. -EINVAL with text. */
int opt_parse(const struct opt *table, const char *what, void *opts, int argc, char *const argv[], bool stop_at_arg,
              char ***ret_args);
/* Frees what the table's members own. */
void opt_done(const struct opt *table, void *opts);
/* Appends the OPTIONS part of a help text, sorted by name. */
void opt_help(const struct opt *table, struct buf *out);
/* The row for a name ("--publish", "publish", "-p"), or NULL. */
const struct opt *opt_find(const struct opt *table, const char *name);
/* The name that help, man page and completion show: the last spelling. */
const char *opt_shown_name(const struct opt *o);

/* Where a command line stands after argv[0..argc): for completion of the word that follows. Refuses nothing. */
struct opt_state {
    const struct opt *pending; /* the row whose value the next word is, or NULL */
    int first_arg;             /* index in argv of the first positional, or argc */
    int n_args;                /* positionals so far */
    bool ended;                /* no options any more: "--", or a positional under stop_at_arg */
};
void opt_scan(const struct opt *table, int argc, char *const argv[], bool stop_at_arg, struct opt_state *ret);

#endif
