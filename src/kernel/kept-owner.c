/* Owners that the file system cannot hold: kept as "uid:gid" in an extended attribute. */
#include "whelk/kept-owner.h"

#include "whelk/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

enum { OWNER_TEXT = 24 }; /* two numbers of 10 digits, a colon, the end */

int kept_owner_set(int fd, struct kept_owner owner)
{
    char text[OWNER_TEXT];
    if (owner.uid == 0 && owner.gid == 0)
        return fremovexattr(fd, KEPT_OWNER_XATTR) < 0 && errno != ENODATA ? -errno : 0;
    int len = snprintf(text, sizeof text, "%u:%u", owner.uid, owner.gid);
    return fsetxattr(fd, KEPT_OWNER_XATTR, text, (size_t)len, 0) < 0 ? -errno : 0;
}

static bool parse_id(const char *text, uint32_t *ret)
{
    uint64_t id;
    if (!str_to_u64(text, &id) || id >= UINT32_MAX)
        return false;
    *ret = (uint32_t)id;
    return true;
}

bool kept_owner_parse(const char *value, size_t len, struct kept_owner *ret)
{
    char text[OWNER_TEXT];
    struct kept_owner owner;
    if (len >= sizeof text)
        return false;
    memcpy(text, value, len);
    text[len] = '\0';
    char *gid = strchr(text, ':');
    if (!gid)
        return false;
    *gid++ = '\0';
    if (!parse_id(text, &owner.uid) || !parse_id(gid, &owner.gid))
        return false;
    *ret = owner;
    return true;
}

bool kept_owner_get(int fd, struct kept_owner *ret)
{
    char text[OWNER_TEXT];
    ssize_t len = fgetxattr(fd, KEPT_OWNER_XATTR, text, sizeof text);
    return len > 0 && kept_owner_parse(text, (size_t)len, ret);
}
