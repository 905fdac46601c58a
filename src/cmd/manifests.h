/* What the manifest commands share. */
#ifndef CMD_MANIFESTS_H
#define CMD_MANIFESTS_H

#include "cmd.h"

#include "whelk/list.h"

/* How images get into a list: from the store, or, by a name like docker://NAME or oci:DIR, into the store first. */
struct list_adding {
    bool all; /* every image of an index */
    const void *registry;
};
/* Adds the image that typed means; each new entry goes through fn (may be NULL). */
int list_add(struct store *s, struct list *l, const char *typed, const struct list_adding *a,
             void (*fn)(struct descriptor *d, void *arg), void *arg);

/* What --arch, --os and so on say of an entry. Members NULL: nothing. */
struct entry_marks {
    char *arch, *os, *variant, *os_version;
    char **os_features, **annotations;
};
#define ENTRY_MARK_ROWS(type, member)                                                                                  \
    {"annotation",       0,                                                                                            \
     OPT_LIST,           OPT(type, member.annotations),                                                                \
     .arg = "KEY=VALUE", .help = "an annotation of the entry"},                                                        \
        {"arch", 0, OPT_STR, OPT(type, member.arch), .arg = "ARCH", .help = "its architecture, as arm64"},             \
        {"os", 0, OPT_STR, OPT(type, member.os), .arg = "OS", .help = "its system, as linux"},                         \
        {"os-features",    0,                                                                                          \
         OPT_LIST,         OPT(type, member.os_features),                                                              \
         .arg = "FEATURE", .help = "a feature that the system must have"},                                             \
        {"os-version", 0, OPT_STR, OPT(type, member.os_version), .arg = "VERSION", .help = "the system's version"},    \
    {                                                                                                                  \
        "variant", 0, OPT_STR, OPT(type, member.variant), .arg = "VARIANT", .help = "its variant, as v8"               \
    }
/* -EINVAL with text for an annotation without "=". */
int entry_marks_check(const struct entry_marks *m);
void entry_mark(struct descriptor *d, void *marks);

#endif
