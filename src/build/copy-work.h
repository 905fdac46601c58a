/* What COPY and ADD find out before anything is copied. Private to src/build. */
#ifndef BUILD_COPY_WORK_H
#define BUILD_COPY_WORK_H

#include "builder.h"
#include "copy-source.h"
#include "owner.h"

/* A source of ADD that comes from elsewhere, or an archive that is unpacked: a directory of the step's own. */
struct add_scratch;

struct copy_work {
    char **sources, *destination; /* expanded */
    char **remotes;               /* URLs among the sources of ADD */
    char **texts;                 /* of heredocs, expanded, */
    char **names;                 /* and their names */
    bool into;                    /* the destination is written as a directory */
    char *chown, *chmod;          /* NULL: not given */
    struct mode_change mode;
    struct ignore *exclude; /* or NULL */
    char *checksum;         /* of ADD, or NULL */
    char **commits;         /* SOURCE=HASH of git repositories that were asked */
    struct copy_tree tree;
    char *what;
    char **layers, **diffids; /* what it is taken from, if not the context */
    struct copy_list list;
    struct add_scratch **scratches;
    size_t n_scratches;
};

/* -EINVAL with text for several sources and a destination that is not written as a directory. */
int copy_check_list(const struct copy_work *w);

/* ---- step-add.c ---- */

bool add_is_remote(const char *source);
/* The flags that only ADD has. */
int add_read_flags(struct step *s, struct copy_work *w);
/* Unpacks the archives of the list: their files follow in it. Runs in: the BUILDER. */
int add_unpack(struct step *s, struct copy_work *w);
void add_done(struct step *s, struct copy_work *w);

#endif
