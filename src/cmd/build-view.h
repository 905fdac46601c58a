/* What a build shows on a terminal: its steps with their times. Private to src/cmd. */
#ifndef CMD_BUILD_VIEW_H
#define CMD_BUILD_VIEW_H

#include "whelk/build.h"

struct build_view {
    int log_fd;   /* lines go in here */
    int ended_fd; /* EOF when the last has been drawn */
};

/* How --progress (NULL: auto) wants it, unless build is quiet: sets log_fd and marks of build where a view is started,
 * for a terminal. -EINVAL with text. */
int build_view_start(const char *progress, struct build_options *build, struct build_view *ret);
/* Takes it off the terminal; keeps the error in the slot. One that was not started is fine. */
void build_view_end(struct build_view *v);

#endif
