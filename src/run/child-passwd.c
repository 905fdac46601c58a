/* A name for a user that the image does not know: where the command runs as a number that is not in
 * the container's /etc/passwd, a copy with one more line is mounted over it; /etc/group likewise. The copies are in the
 * container's directory, made anew at each start.
 *
 * Runs in: CHILD or BUILDER, before the root is entered. */
#include "child.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/passwd.h"

#include <sys/mount.h>

/* The template with $KEY replaced; keys and values in pairs, NULL at the end. Caller frees. */
static char *fill_in(const char *template, const char *const *pairs)
{
    struct buf b = {0};
    while (*template) {
        const char *const *p = pairs;
        while (*p && (*template != '$' || !str_after(template + 1, *p)))
            p += 2;
        if (*p)
            buf_adds(&b, p[1]);
        else
            buf_addc(&b, *template);
        template += *p ? 1 + strlen(*p) : 1;
    }
    return buf_take(&b);
}

static bool is_mounted(const struct ctr *c, const char *path)
{
    const struct ctr_mount *m = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++)
        if (str_eq(m[i].target, path))
            return true;
    return false;
}

/* The text and more lines behind it, at path inside. */
static int mount_with(struct child *k, const char *name, const char *path, const char *text, char *const *lines)
{
    auto_buf struct buf b = {0};
    auto_close int mnt = -1;
    size_t len = strlen(text);
    buf_adds(&b, text);
    if (len && text[len - 1] != '\n')
        buf_addc(&b, '\n');
    strv_foreach (line, lines)
        buf_addf(&b, "%s\n", line);
    int r = file_write(k->dir_fd, name, b.data, b.len, 0644);
    if (r == 0)
        r = mnt_clone(k->dir_fd, name, false, &mnt);
    if (r == 0)
        r = mnt_attrs(mnt,
                      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                          (k->plan->c->read_only ? MOUNT_ATTR_RDONLY : 0),
                      0, false);
    return r < 0 ? r : child_attach(k, mnt, path, false);
}

static bool has_line(const char *text, unsigned index, const char *key)
{
    auto_strv char **line = passwd_line(text, index, key);
    return line != NULL;
}

/* Lines of users of the host that are not there by name, and the one of the user. */
static char **passwd_lines(const struct ctr *c, const char *text, const char *uid, const char *gid)
{
    char **lines = NULL;
    strv_foreach (line, c->host_users) {
        auto_free char *name = xstrndup(line, strcspn(line, ":"));
        if (!has_line(text, 0, name))
            strv_add(&lines, line);
    }
    bool there = has_line(text, 2, uid);
    strv_foreach (line, lines) {
        auto_strv char **fields = passwd_line(line, 2, uid);
        there = there || fields;
    }
    const char *home = str_empty(c->cwd) ? "/" : c->cwd, *usual = "$USERNAME:x:$UID:$GID:$NAME:$HOME:/bin/sh";
    const char *const pairs[] = {"USERNAME", uid, "UID", uid, "GID", gid, "NAME", "container user", "HOME", home, NULL};
    if (!there)
        strv_add_take(&lines, fill_in(c->passwd_entry ? c->passwd_entry : usual, pairs));
    return lines;
}

static char **group_lines(const struct ctr *c, const char *text, const char *uid, const char *gid)
{
    char **lines = NULL;
    const char *const pairs[] = {"GROUPNAME", gid, "GID", gid, "USERLIST", uid, NULL};
    if (!has_line(text, 2, gid))
        strv_add_take(&lines, fill_in(c->group_entry ? c->group_entry : "$GROUPNAME:x:$GID:$USERLIST", pairs));
    return lines;
}

int child_add_user(struct child *k)
{
    const struct ctr *c = k->plan->c;
    auto_free char *user = xstrndup(c->user ? c->user : "", strcspn(c->user ? c->user : "", ":"));
    const char *group = c->user ? strchr(c->user, ':') : NULL;
    uint32_t uid = 0, gid = 0;
    bool number = passwd_id(user, &uid) && uid != 0;
    if (!c->id || c->no_passwd || (!number && !c->host_users) || is_mounted(c, "/etc/passwd"))
        return 0;
    auto_free char *passwd = child_read_etc(k, "etc/passwd"), *groups = child_read_etc(k, "etc/group");
    const char *gid_text = group && passwd_id(group + 1, &gid) ? group + 1 : "0";
    auto_strv char **lines = passwd_lines(c, passwd, number ? user : "0", gid_text);
    int r = lines ? mount_with(k, "passwd", "/etc/passwd", passwd, lines) : 0;
    if (r < 0 || !number || !gid || is_mounted(c, "/etc/group"))
        return r;
    auto_strv char **more = group_lines(c, groups, user, gid_text);
    return more ? mount_with(k, "group", "/etc/group", groups, more) : 0;
}
