/* Contexts: a directory, a git repository, an archive; the ignore file; and the Dockerfile. Private to src/build. */
#ifndef BUILD_CONTEXT_H
#define BUILD_CONTEXT_H

#include "whelk/build.h"
#include "whelk/dockerfile.h"
#include "whelk/ignore.h"
#include "whelk/stage.h"

struct context {
    int fd;                /* the directory */
    struct stage *stage;   /* where that is, if it was made for the build; or NULL */
    struct ignore *ignore; /* NULL: nothing is ignored */
    char *ignore_name;     /* for messages */
};

/* Opens the context, reads the ignore file, reads and parses the Dockerfile (DF-10, B-001). */
int context_open(const struct store *s, const struct build_options *o, struct context *ret,
                 struct dockerfile *ret_file);
/* One of --build-context: with the ignore file that it has itself. */
int context_open_named(const struct store *s, const char *where, struct context *ret);
void context_done(struct context *c);
/* lint.c: of a file with "# check=error=true": -EINVAL with text if there is anything to find. */
int build_check_errors(struct store *s, const struct build_options *o, struct context *c, struct dockerfile *d);

#endif
