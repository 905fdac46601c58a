/* Volumes on disk: making, finding, removing, and who uses them. */
#include "whelk/volume.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/lock.h"
#include "whelk/stage.h"
#include "whelk/units.h"

#include <fcntl.h>

enum { DATA_MODE = 0755, DIR_MODE = 0700 };

static const struct rec_field volume_fields[] = {
    REC_FIELD(struct volume, STR, name, "name"),        REC_FIELD(struct volume, STR, driver, "driver"),
    REC_FIELD(struct volume, MAP, labels, "labels"),    REC_FIELD(struct volume, MAP, options, "options"),
    REC_FIELD(struct volume, TIME, created, "created"), REC_FIELD(struct volume, BOOL, anonymous, "anonymous"),
    REC_FIELD(struct volume, BOOL, owned, "owned"),     REC_FIELD(struct volume, INT, uid, "uid"),
    REC_FIELD(struct volume, INT, gid, "gid"),          REC_END,
};
const struct rec_type volume_rec = {"volume", 1, sizeof(struct volume), volume_fields};

void volume_done(struct volume *v)
{
    rec_done(&volume_rec, v);
}

char *volume_data(const char *name)
{
    return xasprintf("volumes/%s/data", name);
}

/* ---- reading ---- */

int volume_load(const struct store *s, const char *name, struct volume *ret)
{
    auto_free char *path = xasprintf("volumes/%s/volume.json", name);
    int r = rec_load(&volume_rec, s->fd, path, ret);
    if (r == 0 && (str_empty(ret->name) || !str_eq(ret->name, name))) {
        volume_done(ret);
        r = err_set(-EBADMSG, "%s: its name is missing or wrong", path);
    }
    return r;
}

int volume_list(const struct store *s, char ***ret_names)
{
    return dir_names(s->fd, "volumes", ret_names);
}

static int find_by_prefix(const struct store *s, const char *prefix, char **ret_name)
{
    auto_strv char **ids = NULL;
    int r = id_prefix_like(prefix) ? ids_with_prefix(s, "volumes", prefix, &ids) : 0;
    if (r < 0 || !strv_len(ids))
        return r < 0 ? r : -ENOENT;
    if (strv_len(ids) > 1) {
        auto_free char *candidates = candidates_text(ids, prefix);
        return err_set(-EINVAL, "\"%s\" is the start of more than one volume's name: %s", prefix, candidates);
    }
    *ret_name = xstrdup(ids[0]);
    return 0;
}

int volume_find(const struct store *s, const char *typed, char **ret_name)
{
    bool plain = *typed != '.' && !strchr(typed, '/');
    if (plain && *typed && store_has(s, "volumes", typed)) {
        *ret_name = xstrdup(typed);
        return 0;
    }
    int r = find_by_prefix(s, typed, ret_name);
    if (r == -ENOENT) {
        auto_free char *shown = str_printable(typed);
        return err_set(r, "no such volume: %s", shown);
    }
    return r;
}

/* ---- users ---- */

static bool has_volume(const struct ctr *c, const char *name)
{
    const struct ctr_mount *mounts = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++)
        if (str_eq(mounts[i].type, "volume") && mounts[i].source && str_eq(mounts[i].source, name))
            return true;
    return false;
}

int volume_users(const struct store *s, const char *name, char ***ret_names)
{
    auto_strv char **ids = NULL, **users = NULL;
    int r = ctr_list(s, &ids);
    if (r < 0)
        return r;
    strv_foreach (id, ids) {
        struct ctr c = {0};
        r = ctr_load(s, id, &c);
        if (r < 0 && r != -ENOENT)
            return err_wrap(r, "cannot tell who uses volume %s", name);
        if (r == 0 && has_volume(&c, name))
            strv_add(&users, c.name);
        ctr_done(&c);
    }
    *ret_names = take_ptr(&users);
    return 0;
}

int volumes_used(const struct store *s, char ***ret_names)
{
    auto_strv char **ids = NULL, **used = NULL;
    int r = ctr_list(s, &ids);
    strv_foreach (id, ids) {
        struct ctr c = {0};
        r = ctr_load(s, id, &c);
        if (r < 0 && r != -ENOENT)
            return err_wrap(r, "cannot tell which volumes are in use");
        const struct ctr_mount *mounts = c.mounts.items;
        for (size_t i = 0; r == 0 && i < c.mounts.n; i++)
            if (str_eq(mounts[i].type, "volume") && mounts[i].source)
                strv_add(&used, mounts[i].source);
        ctr_done(&c);
    }
    if (r < 0 && r != -ENOENT)
        return r;
    *ret_names = take_ptr(&used);
    return 0;
}

/* ---- size ---- */

int volume_usage(const struct store *s, const char *name, uint64_t *ret)
{
    auto_free char *path = volume_data(name);
    return store_usage(s, path, ret);
}

/* ---- making ---- */

static void tell(const struct store *s, const char *action, const char *name)
{
    char type[] = "volume";
    event_write(s, &(struct event){.type = type,
                                   .action = (char *)(uintptr_t)action,
                                   .id = (char *)(uintptr_t)name,
                                   .name = (char *)(uintptr_t)name});
}

static const struct {
    const char *type, *flag; /* flag: a word that o must have, or NULL */
    enum volume_kind kind;
    bool device;
} kinds[] = {
    {"", NULL, VOLUME_DATA, false},    {"none", "bind", VOLUME_BIND, true}, {"none", "rbind", VOLUME_BIND, true},
    {"bind", NULL, VOLUME_BIND, true}, {"", "bind", VOLUME_BIND, true},     {"tmpfs", NULL, VOLUME_TMPFS, false},
};

static int check_keys(char *const *options)
{
    strv_foreach (option, options)
        if (!str_after(option, "type=") && !str_after(option, "device=") && !str_after(option, "o="))
            return err_set(-EINVAL, "\"%s\" is not an option of the driver local; known: type=, device=, o=", option);
    return 0;
}

int volume_check_options(char *const *options, enum volume_kind *ret)
{
    const char *type = strv_env_get(options, "type"), *device = strv_env_get(options, "device"),
               *o = strv_env_get(options, "o");
    auto_strv char **flags = strv_split(o ? o : "", ",");
    int r = check_keys(options);
    if (r < 0)
        return r;
    size_t found = ARRAY_LEN(kinds);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].type, type ? type : "") && (!kinds[i].flag || strv_has(flags, kinds[i].flag)))
            found = i;
    if (found == ARRAY_LEN(kinds))
        return err_set(-EINVAL,
                       "volumes of type \"%s\" are not known to this version; known: type=tmpfs, and type=none,o=bind "
                       "with device=DIR",
                       type ? type : "");
    if (kinds[found].device && (!device || *device != '/'))
        return err_set(-EINVAL, "a volume that binds needs device= with an absolute path");
    *ret = kinds[found].kind;
    return 0;
}

static int fill(int stage_fd, const struct volume *v)
{
    static const char dir[] = "volume";
    int r = dir_make(stage_fd, dir, DIR_MODE);
    if (r < 0)
        return r;
    auto_close int fd = dir_open(stage_fd, dir);
    if (fd < 0)
        return fd;
    r = dir_make(fd, "data", DATA_MODE);
    if (r == 0 && fchmodat(fd, "data", DATA_MODE, 0) < 0) /* the umask took bits */
        r = err_sys("cannot set the mode of a volume");
    return r < 0 ? r : rec_write(&volume_rec, fd, "volume.json", v);
}

struct owner {
    int fd; /* of the volume */
    const struct volume *v;
};

static int own_worker(void *arg)
{
    const struct owner *o = arg;
    if (fchownat(o->fd, "data", (uid_t)o->v->uid, (gid_t)o->v->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys("cannot give volume %s to %lld:%lld", o->v->name, (long long)o->v->uid, (long long)o->v->gid);
    return 0;
}

/* Ids are those of containers: in the store's user namespace. */
static int own_data(const struct store *s, int stage_fd, const struct volume *v)
{
    bool known =
        idmap_none(&s->map) || (idmap_has_uid(&s->map, (uint32_t)v->uid) && idmap_has_gid(&s->map, (uint32_t)v->gid));
    if (!known)
        return err_set(-EINVAL, "volume %s cannot belong to %lld:%lld: containers of this user have no such id",
                       v->name, (long long)v->uid, (long long)v->gid);
    auto_close int fd = dir_open(stage_fd, "volume");
    return fd < 0 ? fd : store_run(s, own_worker, &(struct owner){fd, v});
}

int volume_create(const struct store *s, const struct volume *v)
{
    auto_stage struct stage *st = NULL;
    auto_free char *path = xasprintf("volumes/%s", v->name);
    int r = name_check("volume", v->name);
    if (r < 0)
        return r;
    if (store_has(s, "volumes", v->name))
        return -EEXIST;
    r = stage_begin(s, &st);
    if (r == 0)
        r = fill(st->fd, v);
    if (r == 0 && v->owned)
        r = own_data(s, st->fd, v);
    if (r == 0 && renameat(st->fd, "volume", s->fd, path) < 0)
        r = errno == ENOTEMPTY || errno == EEXIST ? -EEXIST : err_sys("cannot publish %s/%s", s->path, path);
    if (r == 0)
        tell(s, "create", v->name);
    return r;
}

/* ---- holding ---- */

/* -ENOENT without text. */
static int volume_lock(const struct store *s, const char *name, bool exclusive, int *ret_fd)
{
    auto_free char *record = xasprintf("volumes/%s/volume.json", name);
    auto_free char *path = xasprintf("volumes/%s/lock", name);
    if (faccessat(s->fd, record, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot look at %s/%s", s->path, record);
    int r = lock_file(s->fd, path, exclusive, true, ret_fd);
    if (r == -ENOENT)
        err_clear();
    return r;
}

/* Somebody may remove it between making and holding: then once more. */
static int hold_one(const struct store *s, const struct ctr_mount *m, int *ret_fd)
{
    enum { TRIES = 100 };
    char driver[] = "local";
    for (int i = 0; i < TRIES; i++) {
        int r = volume_lock(s, m->source, false, ret_fd);
        if (r != -ENOENT)
            return r;
        struct volume v = {.name = m->source, .driver = driver, .created = time_now(), .anonymous = m->anonymous};
        r = volume_create(s, &v);
        if (r < 0 && r != -EEXIST)
            return r;
    }
    return err_set(-EAGAIN, "cannot hold volume %s: others remove it all the time", m->source);
}

int volumes_hold(const struct store *s, const struct ctr *c, struct volumes_held *ret)
{
    const struct ctr_mount *mounts = c->mounts.items;
    struct volumes_held held = {.fds = xcalloc(c->mounts.n + 1, sizeof(int))};
    int r = 0;
    for (size_t i = 0; i < c->mounts.n && r == 0; i++) {
        if (!str_eq(mounts[i].type, "volume"))
            continue;
        r = hold_one(s, &mounts[i], &held.fds[held.n]);
        held.n += r == 0;
    }
    if (r < 0)
        volumes_release(s, c, &held, true);
    else
        *ret = held;
    return r;
}

void volumes_release(const struct store *s, const struct ctr *c, struct volumes_held *held, bool failed)
{
    const struct ctr_mount *mounts = c->mounts.items;
    for (size_t i = 0; i < held->n; i++)
        fd_close(held->fds[i]);
    free(held->fds);
    *held = (struct volumes_held){0};
    if (!failed)
        return;
    size_t len;
    auto_free char *error = err_pack(0, &len); /* the one that counts */
    for (size_t i = 0; i < c->mounts.n; i++)
        if (mounts[i].anonymous)
            volume_remove(s, mounts[i].source);
    err_unpack(error, len);
}

/* ---- removing ---- */

static int in_use(const char *name, char *const *users)
{
    auto_free char *list = strv_join(users, ", ");
    return err_set(-EBUSY, "volume %s is in use by %s: remove the container%s first", name, list,
                   strv_len(users) > 1 ? "s" : "");
}

/* Moves it to tmp/<to> when no container has it. */
static int move_unused(const struct store *s, const char *name, const char *to)
{
    auto_close int lock = -1;
    auto_strv char **users = NULL;
    auto_free char *from = xasprintf("volumes/%s", name), *path = xasprintf("tmp/%s", to);
    int r = volume_lock(s, name, true, &lock);
    if (r == 0)
        r = volume_users(s, name, &users);
    if (r == 0 && users)
        r = in_use(name, users);
    if (r == 0 && renameat(s->fd, from, s->fd, path) < 0)
        r = err_sys("cannot remove %s/%s", s->path, from);
    if (r == 0)
        tell(s, "remove", name);
    return r;
}

int volume_retire(const struct store *s, const char *name, const char *trash)
{
    auto_free char *to = xasprintf("%s/volume-%s", trash, name);
    return move_unused(s, name, to);
}

int volume_remove(const struct store *s, const char *name)
{
    char id[ID_LEN + 1];
    id_new(id);
    auto_free char *trash = xasprintf("trash-%s", id);
    int r = move_unused(s, name, trash);
    if (r == 0 && trash_remove(s, trash, TRASH_WAIT) < 0)
        err_clear(); /* it is gone for everybody; the next command goes on with its files */
    return r;
}
