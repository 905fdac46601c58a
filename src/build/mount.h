/* RUN --mount (DF-22 .. DF-26): what a flag says. Private to src/build. */
#ifndef BUILD_MOUNT_H
#define BUILD_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

enum mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH, MOUNT_KINDS };
enum mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };

struct mount_flag {
    enum mount_kind kind;
    char *target; /* as written; NULL: not given */
    char *source, *from, *id, *env;
    enum mount_sharing sharing;
    bool read_only, required;
    bool write_given;             /* ro or rw */
    int64_t uid, gid, mode, size; /* -1: not given */
};

/* Reads the value of --mount, variables expanded. -EINVAL with text that names the field. */
int mount_flag_parse(const char *text, struct mount_flag *ret);
void mount_flag_done(struct mount_flag *f);
/* The from= of the value, before variables are expanded, or NULL; the caller frees. For the plan, which asks before. */
char *mount_flag_from(const char *text);
const char *mount_kind_name(enum mount_kind kind);

#endif
