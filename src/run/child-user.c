/* Who the command runs as: USER of the image or --user, looked up in the container's own passwd and group files, which
 * are read as bounded text below the root; no NSS (H5).
 *
 * Runs in: CHILD, after it entered the root. */
#include "child.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/passwd.h"

#include <fcntl.h>

enum { PASSWD_MAX = 4 << 20 };

/* The text of a file of the container, "" if it is not a plain file. Files of /proc claim to be empty, and are not
 * asked: to read one, such as kmsg, can have effects, or never end. Caller frees. */
char *child_read_etc(struct child *k, const char *path)
{
    auto_close int fd = open_in_root(k->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    auto_buf struct buf text = {0};
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
        fd_read_all(fd, PASSWD_MAX, &text) < 0)
        return xstrdup("");
    return buf_take(&text);
}

/* passwd(5): name, password, uid, gid, comment, home, shell. */
static int find_passwd(struct child *k, const char *passwd, const char *user)
{
    uint32_t uid = 0, gid = 0;
    bool number = passwd_id(user, &uid);
    auto_strv char **by_name = passwd_line(passwd, 0, user);
    auto_strv char **by_uid = !by_name && number ? passwd_line(passwd, 2, user) : NULL;
    char **line = by_name ? by_name : by_uid;
    if (!line && !number)
        return err_set(-ENOENT, "the container's /etc/passwd has no user \"%s\"; use a number or a name that it has",
                       user);
    if (line && (strv_len(line) < 4 || !passwd_id(line[2], &uid) || !passwd_id(line[3], &gid)))
        return err_set(-EBADMSG, "the container's /etc/passwd has a damaged line for \"%s\"", user);
    k->who.uid = uid;
    k->who.gid = gid;
    k->home = xstrdup(line && strv_len(line) > 5 && *line[5] ? line[5] : "/");
    return 0;
}

static int group_id(const char *groups, const char *group, uint32_t *ret)
{
    auto_strv char **line = passwd_line(groups, 0, group);
    const char *number = line && strv_len(line) > 2 ? line[2] : group;
    if (!passwd_id(number, ret))
        return err_set(-ENOENT, "the container's /etc/group has no group \"%s\"; use a number or a name that it has",
                       group);
    return 0;
}

static int find_group(struct child *k, const char *groups, const char *group)
{
    uint32_t gid = 0;
    int r = group_id(groups, group, &gid);
    k->who.gid = gid;
    return r;
}

/* Does the comma-separated list have name? */
static bool list_has(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && memcmp(p, name, n) == 0)
            return true;
    return false;
}

static void add_group(struct child *k, uint32_t gid)
{
    for (unsigned i = 0; i < k->who.n_groups; i++)
        if (k->groups[i] == gid)
            return;
    if (k->who.n_groups < ARRAY_LEN(k->groups) && (k->plan->fake_ids || idmap_has_gid(k->plan->map, gid)))
        k->groups[k->who.n_groups++] = gid;
}

/* The supplementary groups that /etc/group gives to a user by name. */
static void find_memberships(struct child *k, const char *text, const char *user)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        auto_free char *line = xstrndup(text, len);
        char *rest = line;
        strsep(&rest, ":");
        strsep(&rest, ":");
        const char *gid = strsep(&rest, ":");
        uint32_t id;
        if (gid && rest && passwd_id(gid, &id) && list_has(rest, user))
            add_group(k, id);
        text += len + (text[len] == '\n');
    }
}

/* --group-add. Where only one id is mapped, the kernel allows no change of groups. */
static int add_asked_groups(struct child *k, const char *groups)
{
    strv_foreach (group, k->plan->c->groups) {
        uint32_t gid = 0;
        int r = group_id(groups, group, &gid);
        if (r == 0 && (idmap_single(k->plan->store_map) || !idmap_has_gid(k->plan->map, gid)))
            r = err_set(-EINVAL, "--group-add %s: group %u is not mapped; more ids are given in /etc/subgid", group,
                        gid);
        if (r < 0)
            return r;
        add_group(k, gid);
    }
    return 0;
}

/* An id without a mapping cannot be taken; say what is there. */
static int check_mapped(struct child *k)
{
    const struct idmap *m = k->plan->map;
    if (idmap_has_uid(m, k->who.uid) && idmap_has_gid(m, k->who.gid))
        return 0;
    if (idmap_single(m))
        return err_set(-EINVAL,
                       "user %u:%u needs more ids than this user has: only 0 is mapped; as root, usermod --add-subuids "
                       "100000-165535 --add-subgids 100000-165535 USER, then use a new store",
                       k->who.uid, k->who.gid);
    return err_set(-EINVAL,
                   "user %u:%u is outside of the ids that are mapped; more are given in /etc/subuid and /etc/subgid",
                   k->who.uid, k->who.gid);
}

static char *name_of(const char *passwd, const char *user)
{
    uint32_t uid;
    auto_strv char **line = passwd_id(user, &uid) ? passwd_line(passwd, 2, user) : NULL;
    return xstrdup(line ? line[0] : user);
}

int child_find_user(struct child *k)
{
    if (k->home)
        return 0; /* found already, for option U of a mount */
    const char *spec = str_empty(k->plan->c->user) ? "0" : k->plan->c->user;
    auto_free char *user = xstrdup(spec);
    char *group = strchr(user, ':');
    if (group)
        *group++ = 0;
    auto_free char *passwd = child_read_etc(k, "etc/passwd"), *groups = child_read_etc(k, "etc/group");
    int r = find_passwd(k, passwd, *user ? user : "0");
    if (r == 0 && group && *group)
        r = find_group(k, groups, group);
    k->asked = k->who;
    if (r == 0 && k->plan->fake_ids)
        k->who.uid = k->who.gid = 0;
    else if (r == 0)
        r = check_mapped(k);
    if (r < 0)
        return r;
    auto_free char *name = name_of(passwd, *user ? user : "0");
    /* The own group is among them, as after a login: a set-group-id program must not be a way to be rid of it. */
    add_group(k, k->asked.gid);
    if (!group)
        find_memberships(k, groups, name);
    r = add_asked_groups(k, groups);
    if (r < 0)
        return r;
    k->who.groups = k->groups;
    k->who.set_groups = !idmap_single(k->plan->store_map) && !k->plan->c->keep_groups;
    if (!strv_env_get(k->env, "HOME"))
        strv_env_set(&k->env, "HOME", k->home);
    return 0;
}
