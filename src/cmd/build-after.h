/* What is done with an image once it is built: --push, --output of archives. Private to src/cmd. */
#ifndef CMD_BUILD_AFTER_H
#define CMD_BUILD_AFTER_H

#include "whelk/str.h"

struct build_after {
    int id_fd, err_fd;
};

/* jobs: command lines of whelk, words with BUILD_AFTER_ID in the place of the image. They stay the caller's. None:
 * nothing is started. */
#define BUILD_AFTER_ID "<image>"
struct build_after_job {
    char **words;
};
int build_after_start(const struct build_after_job *jobs, size_t n, struct build_after *ret);
/* Has them done, one after the other, and returns the first failure. NULL: the build failed, nothing is done. */
int build_after_run(struct build_after *a, const char *id);

#endif
