/* --chown and --chmod of COPY. Private to src/build. */
#ifndef BUILD_OWNER_H
#define BUILD_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

/* "755", "u+x,go-w", "a=rX": a plain struct that is applied to each entry. Pure. */
struct mode_change {
    bool absolute;
    mode_t mode;
    const char *symbolic; /* within the text that was parsed */
};
/* -EINVAL with text. */
int mode_parse(const char *text, struct mode_change *ret);
/* mode: with its type, which X looks at. Returns the permission bits. */
mode_t mode_apply(const struct mode_change *change, mode_t mode);

/* "user[:group]" with names out of passwd and group (texts of the target image, "" if there are none). A user without a
 * group gets the one that passwd gives it, or the group of its own number. Pure. -EINVAL or -ENOENT with text. */
int owner_parse(const char *text, const char *passwd, const char *group, uid_t *ret_uid, gid_t *ret_gid);

#endif
