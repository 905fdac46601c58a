/* Resource limits by name, as --ulimit writes them: NAME=SOFT[:HARD]; -1 and unlimited are no limit. */
#ifndef RUN_ULIMIT_H
#define RUN_ULIMIT_H

#include <sys/resource.h>

struct ulimit {
    int resource;
    struct rlimit value;
};
/* -EINVAL with text. */
int ulimit_parse(const char *word, struct ulimit *ret);

#endif
