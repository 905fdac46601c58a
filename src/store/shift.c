/* Shifting a store to another range of subordinate ids (STORE, unpacking 5).
 *
 * Done by root over a directory that belongs to another user, who may be hostile: every step is by descriptor, no link
 * is followed, and only owners within the store's old ranges are touched, so that nothing that was linked in from
 * elsewhere changes. A crash in the middle leaves owners of both ranges and the old marker; running it again goes on,
 * because owners of the new range are left alone (overlapping ranges are refused for that reason). */
#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <sys/xattr.h>

enum { DEPTH_MAX = 1000, CAPABILITY_MAX = 64 };

struct shift {
    struct idmap from, to;
};

/* An id outside, through the old map inward and the new one out again; ids that are not in the old ranges stay. The
 * caller's own id (the first range) does not move. */
static uint32_t shift_id(const struct id_range *from, unsigned n_from, const struct id_range *to, unsigned n_to,
                         uint32_t id)
{
    for (unsigned i = 1; i < n_from; i++) {
        if (id < from[i].outside || id - from[i].outside >= from[i].count)
            continue;
        uint32_t inside = from[i].inside + (id - from[i].outside);
        for (unsigned j = 1; j < n_to; j++)
            if (inside >= to[j].inside && inside - to[j].inside < to[j].count)
                return to[j].outside + (inside - to[j].inside);
    }
    return id;
}

/* Changing the owner drops set-id bits and capabilities: both are put back. */
static int shift_file(int fd, const struct stat *st, uint32_t uid, uint32_t gid)
{
    char path[32], capability[CAPABILITY_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = S_ISREG(st->st_mode) ? getxattr(path, "security.capability", capability, sizeof capability) : -1;
    if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys("cannot change an owner");
    if (!S_ISLNK(st->st_mode) && (st->st_mode & (S_ISUID | S_ISGID)) && chmod(path, st->st_mode & 07777) < 0)
        return err_sys("cannot put back the mode of a file");
    if (n > 0 && setxattr(path, "security.capability", capability, (size_t)n, 0) < 0)
        return err_sys("cannot put back the capabilities of a file");
    return 0;
}

static int shift_tree(const struct shift *s, int parent, const char *name, int depth)
{
    struct stat st;
    auto_close int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? 0 : err_sys("cannot look at %s", name);
    uint32_t uid = shift_id(s->from.uid, s->from.n_uid, s->to.uid, s->to.n_uid, st.st_uid);
    uint32_t gid = shift_id(s->from.gid, s->from.n_gid, s->to.gid, s->to.n_gid, st.st_gid);
    int r = uid != st.st_uid || gid != st.st_gid ? shift_file(fd, &st, uid, gid) : 0;
    if (r < 0 || !S_ISDIR(st.st_mode))
        return r;
    if (depth == DEPTH_MAX)
        return err_set(-ELOOP, "%s is too deep", name);
    auto_strv char **names = NULL;
    auto_dir DIR *d = dir_iterate(fd);
    if (!d)
        return err_sys("cannot read the directory %s", name);
    for (struct dirent *e; (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            strv_add(&names, e->d_name);
    strv_foreach (entry, names)
        r = r < 0 ? r : shift_tree(s, fd, entry, depth + 1);
    return r;
}

static bool overlap(const struct id_range *a, unsigned n_a, const struct id_range *b, unsigned n_b)
{
    for (unsigned i = 1; i < n_a; i++)
        for (unsigned j = 1; j < n_b; j++)
            if (a[i].outside < b[j].outside + b[j].count && b[j].outside < a[i].outside + a[i].count)
                return true;
    return false;
}

static int check_maps(const struct shift *s)
{
    if (idmap_single(&s->from) || idmap_single(&s->to))
        return err_set(-EOPNOTSUPP, "a store with one id cannot become one with ranges, nor the other way round; make "
                                    "a new one and import or build again");
    if (overlap(s->from.uid, s->from.n_uid, s->to.uid, s->to.n_uid) ||
        overlap(s->from.gid, s->from.n_gid, s->to.gid, s->to.n_gid))
        return err_set(-EINVAL, "the old and the new ranges overlap; shift by way of a third one");
    return 0;
}

static int shift_all(int fd, const struct shift *s)
{
    static const char *const trees[] = {"layers", "containers", "volumes", "tmp"};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(trees) && r == 0; i++)
        r = shift_tree(s, fd, trees[i], 0);
    return r;
}

int store_shift(const char *root, bool *ret_changed)
{
    struct store_marker m = {0};
    struct shift s = {0};
    struct stat st;
    auto_close int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = -1;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys("cannot open the store %s", root);
    int r = rec_load(&store_marker_rec, fd, store_marker_name, &m);
    if (r == -ENOENT)
        return err_set(r, "%s is not a store: it has no %s", root, store_marker_name);
    if (r == 0)
        r = idmap_from_json(m.idmap, &s.from);
    if (r == 0)
        r = idmap_for_ids(st.st_uid, st.st_gid, &s.to);
    *ret_changed = r == 0 && memcmp(&s.from, &s.to, sizeof s.from) != 0;
    if (*ret_changed)
        r = check_maps(&s);
    struct store store = {.fd = fd, .path = (char *)(uintptr_t)root};
    if (r == 0 && *ret_changed && store_lock_all(&store, 5000, &lock) < 0)
        r = err_set(-EBUSY, "the store %s is in use", root);
    if (r == 0 && *ret_changed)
        r = shift_all(fd, &s);
    if (r == 0 && *ret_changed) {
        json_decref(m.idmap);
        m.idmap = idmap_to_json(&s.to);
        r = rec_save(&store_marker_rec, fd, store_marker_name, &m, true);
        if (r == 0 && fchownat(fd, store_marker_name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
            r = err_sys("cannot give back %s", store_marker_name);
    }
    rec_done(&store_marker_rec, &m);
    return r;
}
