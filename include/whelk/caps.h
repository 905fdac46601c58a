/* Capabilities as 64-bit sets (bit n = capability n). */
#ifndef WHELK_CAPS_H
#define WHELK_CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* "NET_RAW", "cap_net_raw" to its number, or -EINVAL with text that suggests the nearest. */
int cap_parse(const char *name, unsigned *ret);
const char *cap_name(unsigned cap); /* "CAP_NET_RAW", static; NULL if unknown */
uint64_t caps_default(void);        /* the 11 of podman (SECURITY 2.1) */
uint64_t caps_all(void);            /* all that this kernel knows */
uint64_t
caps_grantable(void); /* those of them that a container of the caller can have: a root with few caps has not all */
/* The default changed by --cap-add and --cap-drop lists (vectors; "ALL" known; drops first when ALL is dropped, R-091,
 * R-092). -EINVAL with text for an unknown name, and for what is both added and dropped. */
int caps_compute(uint64_t base, char *const *add, char *const *drop, uint64_t *ret);

/* Sets groups, gid and uid and leaves the process with bounding = bounding, inheritable = ambient = ambient (the kernel
 * wants the one for the other), permitted = effective = effective | ambient | extra; extra is for a last privileged
 * call (seccomp without no_new_privs) and is dropped with caps_drop_extra. set_groups false where the namespace denies
 * setgroups. */
struct identity {
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    unsigned n_groups;
    bool set_groups;
};
int caps_become(const struct identity *who, uint64_t bounding, uint64_t effective, uint64_t ambient, uint64_t extra);
int caps_drop_extra(uint64_t effective);

#endif
