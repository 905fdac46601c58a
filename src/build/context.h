/* The build context: a directory, its ignore file, and the Dockerfile. Private to src/build. */
#ifndef BUILD_CONTEXT_H
#define BUILD_CONTEXT_H

#include "whelk/build.h"
#include "whelk/dockerfile.h"
#include "whelk/ignore.h"

struct context {
    int fd;                /* the directory */
    struct ignore *ignore; /* NULL: nothing is ignored */
    char *ignore_name;     /* for messages */
};

/* Opens the context, reads the ignore file, reads and parses the Dockerfile (DF-10, B-001). */
int context_open(const struct build_options *o, struct context *ret, struct dockerfile *ret_file);
void context_done(struct context *c);

#endif
