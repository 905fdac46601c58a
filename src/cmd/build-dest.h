/* Where a build's result goes beside the store: --output, --push. Private to src/cmd. */
#ifndef CMD_BUILD_DEST_H
#define CMD_BUILD_DEST_H

#include "build-after.h"
#include "registry-flags.h"

#include "whelk/build.h"

struct build_dest_options {
    char *output, *format;
    bool push;
    const struct registry_flags *registry;
};
struct build_dest {
    bool to_stdout; /* which the id then does not get */
    struct build_after_job *jobs;
    size_t n;
};

/* Opens directories and archives of files (into build), and makes command lines of the rest. -EINVAL with text. */
int build_dest_open(const struct build_dest_options *o, struct build_options *build, struct build_dest *ret);
void build_dest_done(struct build_dest *d);

#endif
