/* What the diff commands share. */
#ifndef CMD_DIFF_H
#define CMD_DIFF_H

#include "cmd.h"

struct diff_request {
    const char *typed, *format;
    bool latest;             /* the container that was made last, instead of typed */
    bool containers, images; /* where the name is looked for, in this order */
};
int diff_print(const struct diff_request *q);

#define DIFF_FORMAT_ROW(member)                                                                                        \
    {                                                                                                                  \
        "format", 0, OPT_STR, .offset = member, .arg = "json",                                                         \
                              .help = "print an object with the lists added, changed and deleted",                     \
                              .complete = COMPLETE_WORDS, .words = "json"                                              \
    }

#endif
