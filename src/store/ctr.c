/* Containers on disk: making, finding, removing. What state one is in is told by ctr-state.c.
 *
 * Publication. The draft tmp/ctr-<id> is there before the name's symlink is made and until it is renamed to
 * containers/<id>. So a name whose id is in neither place belongs to a container that is gone, and may be taken over.
 * Links are made by symlink(), which needs no lock; whoever removes one holds container-names/.lock, so that nobody
 * removes what another has just made anew.
 *
 * Nothing here is synced: a container that a power loss takes is no loss that a run should pay for. */
#include "whelk/ctr.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/lock.h"
#include "whelk/log.h"
#include "whelk/proc.h"
#include "whelk/view.h"
#include "whelk/volume.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600, ROOT_MODE = 0755 };

static const struct rec_field mount_fields[] = {
    REC_FIELD(struct ctr_mount, STR, type, "type"),
    REC_FIELD(struct ctr_mount, STR, source, "source"),
    REC_FIELD(struct ctr_mount, STR, target, "target"),
    REC_FIELD(struct ctr_mount, STRV, options, "options"),
    REC_FIELD(struct ctr_mount, STR, subpath, "subpath"),
    REC_FIELD(struct ctr_mount, STRV, layers, "layers"),
    REC_FIELD(struct ctr_mount, BOOL, anonymous, "anonymous"),
    REC_END,
};
const struct rec_type ctr_mount_rec = {"mount", 0, sizeof(struct ctr_mount), mount_fields};

static const struct rec_field secret_fields[] = {
    REC_FIELD(struct ctr_secret, STR, name, "name"),
    REC_FIELD(struct ctr_secret, STR, variable, "variable"),
    REC_FIELD(struct ctr_secret, STR, target, "target"),
    REC_FIELD(struct ctr_secret, INT, uid, "uid"),
    REC_FIELD(struct ctr_secret, INT, gid, "gid"),
    REC_FIELD(struct ctr_secret, INT, mode, "mode"),
    REC_END,
};
const struct rec_type ctr_secret_rec = {"secret", 0, sizeof(struct ctr_secret), secret_fields};

/* A key for each line of limits.def. */
#define LIMIT_REC_SIZE REC_INT
#define LIMIT_REC_CPUS REC_INT
#define LIMIT_REC_COUNT REC_INT
#define LIMIT_REC_TEXT REC_STR
#define LIMIT_REC_DEVICES REC_STRV
#define LIMIT_REC_CONF REC_STRV
static const struct rec_field limits_fields[] = {
#define LIMIT(field, type, ...) {.key = #field, .kind = LIMIT_REC_##type, .offset = offsetof(struct limits, field)},
#include "whelk/limits.def"
#undef LIMIT
    REC_END,
};
static const struct rec_type limits_rec = {"limits", 0, sizeof(struct limits), limits_fields};

static const struct rec_field ctr_fields[] = {
    REC_FIELD(struct ctr, STR, id, "id"),
    REC_FIELD(struct ctr, STR, name, "name"),
    REC_FIELD(struct ctr, STR, image, "image"),
    REC_FIELD(struct ctr, STR, image_ref, "image_ref"),
    REC_FIELD(struct ctr, TIME, created, "created"),
    REC_FIELD(struct ctr, STRV, layers, "layers"),
    REC_FIELD(struct ctr, STR, rootfs, "rootfs"),
    REC_FIELD(struct ctr, BOOL, rootfs_overlay, "rootfs_overlay"),
    REC_FIELD(struct ctr, STRV, args, "args"),
    REC_FIELD(struct ctr, INT, n_entrypoint, "n_entrypoint"),
    REC_FIELD(struct ctr, STRV, env, "env"),
    REC_FIELD(struct ctr, STR, cwd, "cwd"),
    REC_FIELD(struct ctr, STR, user, "user"),
    REC_FIELD(struct ctr, STR, hostname, "hostname"),
    REC_FIELD(struct ctr, STRV, labels, "labels"),
    REC_FIELD(struct ctr, BOOL, tty, "tty"),
    REC_FIELD(struct ctr, BOOL, open_stdin, "open_stdin"),
    REC_FIELD(struct ctr, BOOL, auto_remove, "auto_remove"),
    REC_FIELD(struct ctr, BOOL, init, "init"),
    REC_FIELD(struct ctr, BOOL, read_only, "read_only"),
    REC_FIELD(struct ctr, BOOL, privileged, "privileged"),
    REC_FIELD(struct ctr, BOOL, no_new_privs, "no_new_privs"),
    REC_FIELD(struct ctr, BOOL, nested, "nested"),
    REC_FIELD(struct ctr, BOOL, unmask, "unmask"),
    REC_FIELD(struct ctr, STR, network, "network"),
    REC_NESTED(struct ctr, LIST, networks, "networks", &ctr_net_rec),
    REC_NESTED(struct ctr, LIST, ports, "ports", &ctr_port_rec),
    REC_FIELD(struct ctr, BOOL, publish_all, "publish_all"),
    REC_FIELD(struct ctr, STRV, dns, "dns"),
    REC_FIELD(struct ctr, STRV, dns_search, "dns_search"),
    REC_FIELD(struct ctr, STRV, dns_options, "dns_options"),
    REC_FIELD(struct ctr, STRV, add_hosts, "add_hosts"),
    REC_FIELD(struct ctr, STR, hosts_file, "hosts_file"),
    REC_FIELD(struct ctr, STR, seccomp, "seccomp"),
    REC_FIELD(struct ctr, INT, cap_bounding, "cap_bounding"),
    REC_FIELD(struct ctr, INT, cap_effective, "cap_effective"),
    REC_FIELD(struct ctr, INT, cap_ambient, "cap_ambient"),
    REC_FIELD(struct ctr, STR, stop_signal, "stop_signal"),
    REC_FIELD(struct ctr, INT, stop_timeout, "stop_timeout"),
    REC_NESTED(struct ctr, LIST, mounts, "mounts", &ctr_mount_rec),
    REC_NESTED(struct ctr, LIST, secrets, "secrets", &ctr_secret_rec),
    REC_FIELD(struct ctr, STR, restart, "restart"),
    REC_FIELD(struct ctr, INT, restart_max, "restart_max"),
    REC_FIELD(struct ctr, STRV, health_cmd, "health_cmd"),
    REC_FIELD(struct ctr, INT, health_interval, "health_interval"),
    REC_FIELD(struct ctr, INT, health_timeout, "health_timeout"),
    REC_FIELD(struct ctr, INT, health_start_period, "health_start_period"),
    REC_FIELD(struct ctr, INT, health_start_interval, "health_start_interval"),
    REC_FIELD(struct ctr, INT, health_retries, "health_retries"),
    REC_FIELD(struct ctr, STRV, health_startup_cmd, "health_startup_cmd"),
    REC_FIELD(struct ctr, INT, health_startup_interval, "health_startup_interval"),
    REC_FIELD(struct ctr, INT, health_startup_timeout, "health_startup_timeout"),
    REC_FIELD(struct ctr, INT, health_startup_retries, "health_startup_retries"),
    REC_FIELD(struct ctr, INT, health_startup_success, "health_startup_success"),
    REC_FIELD(struct ctr, STR, health_on_failure, "health_on_failure"),
    REC_FIELD(struct ctr, STR, health_log, "health_log"),
    REC_FIELD(struct ctr, INT, health_log_count, "health_log_count"),
    REC_FIELD(struct ctr, INT, health_log_size, "health_log_size"),
    REC_FIELD(struct ctr, STRV, ulimits, "ulimits"),
    REC_FIELD(struct ctr, INT, shm_size, "shm_size"),
    REC_FIELD(struct ctr, STR, oom_score_adj, "oom_score_adj"),
    REC_FIELD(struct ctr, STRV, groups, "groups"),
    REC_FIELD(struct ctr, MAP, sysctls, "sysctls"),
    REC_FIELD(struct ctr, STR, ipc, "ipc"),
    REC_FIELD(struct ctr, STR, uts, "uts"),
    REC_FIELD(struct ctr, STR, pid, "pid"),
    REC_FIELD(struct ctr, STR, cgroupns, "cgroupns"),
    REC_FIELD(struct ctr, STR, userns, "userns"),
    REC_FIELD(struct ctr, JSON, idmap, "idmap"),
    REC_NESTED(struct ctr, SUB, limits, "limits", &limits_rec),
    REC_FIELD(struct ctr, STR, cgroups, "cgroups"),
    REC_FIELD(struct ctr, STR, log_driver, "log_driver"),
    REC_FIELD(struct ctr, STR, log_tag, "log_tag"),
    REC_FIELD(struct ctr, INT, log_max_size, "log_max_size"),
    REC_FIELD(struct ctr, INT, log_max_files, "log_max_files"),
    REC_FIELD(struct ctr, STR, sdnotify, "sdnotify"),
    REC_FIELD(struct ctr, INT, timeout, "timeout"),
    REC_FIELD(struct ctr, STR, pid_file, "pid_file"),
    REC_FIELD(struct ctr, STR, conmon_pid_file, "conmon_pid_file"),
    REC_FIELD(struct ctr, STRV, requires, "requires"),
    REC_FIELD(struct ctr, STR, cgroup_parent, "cgroup_parent"),
    REC_FIELD(struct ctr, STRV, masks, "masks"),
    REC_FIELD(struct ctr, STRV, unmasks, "unmasks"),
    REC_FIELD(struct ctr, STR, proc_opts, "proc_opts"),
    REC_FIELD(struct ctr, BOOL, systemd, "systemd"),
    REC_FIELD(struct ctr, MAP, annotations, "annotations"),
    REC_FIELD(struct ctr, BOOL, http_proxy, "http_proxy"),
    REC_FIELD(struct ctr, BOOL, no_hostname, "no_hostname"),
    REC_FIELD(struct ctr, BOOL, no_passwd, "no_passwd"),
    REC_FIELD(struct ctr, BOOL, keep_groups, "keep_groups"),
    REC_FIELD(struct ctr, STR, domainname, "domainname"),
    REC_FIELD(struct ctr, STR, umask, "umask"),
    REC_FIELD(struct ctr, STR, personality, "personality"),
    REC_FIELD(struct ctr, STR, passwd_entry, "passwd_entry"),
    REC_FIELD(struct ctr, STR, group_entry, "group_entry"),
    REC_FIELD(struct ctr, STRV, host_users, "host_users"),
    REC_FIELD(struct ctr, STRV, exposed_ports, "exposed_ports"),
    REC_FIELD(struct ctr, STR, cid_file, "cid_file"),
    REC_FIELD(struct ctr, STRV, create_command, "create_command"),
    REC_END,
};
const struct rec_type ctr_rec = {"container", 1, sizeof(struct ctr), ctr_fields};

void ctr_done(struct ctr *c)
{
    rec_done(&ctr_rec, c);
}

int ctr_idmap(const struct store *s, const struct ctr *c, struct idmap *ret)
{
    if (!c->idmap) {
        *ret = s->map;
        return 0;
    }
    int r = idmap_from_json(c->idmap, ret);
    return r < 0 ? err_wrap(r, "container %s", c->name) : 0;
}

void ctr_set_idmap(struct ctr *c, const struct idmap *map)
{
    json_decref(c->idmap);
    c->idmap = idmap_to_json(map);
}

/* ---- reading ---- */

/* What every reader relies on: a record that was edited or restored by hand may lack it. */
static bool is_whole(const struct ctr *c, const char *id)
{
    return c->id && str_eq(c->id, id) && !str_empty(c->name) && strv_len(c->args) && c->n_entrypoint >= 0 &&
           (size_t)c->n_entrypoint <= strv_len(c->args);
}

int ctr_load(const struct store *s, const char *id, struct ctr *ret)
{
    auto_free char *path = xasprintf("containers/%s/container.json", id);
    int r = rec_load(&ctr_rec, s->fd, path, ret);
    if (r == 0 && !is_whole(ret, id)) {
        ctr_done(ret);
        r = err_set(-EBADMSG, "%s: its id, name or command is missing or wrong", path);
    }
    return r;
}

int ctr_list(const struct store *s, char ***ret_ids)
{
    return ids_with_prefix(s, "containers", "", ret_ids);
}

int ctr_open_dir(const struct store *s, const char *id, int *ret_fd)
{
    auto_free char *path = xasprintf("containers/%s", id);
    int fd = openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot open %s/%s", s->path, path);
    *ret_fd = fd;
    return 0;
}

int ctr_lock(const struct store *s, const char *id, bool exclusive, int *ret_fd)
{
    auto_close int fd = -1;
    int r = ctr_open_dir(s, id, &fd);
    if (r < 0)
        return r;
    if (flock(fd, exclusive ? LOCK_EX : LOCK_SH) < 0)
        return err_sys("cannot lock container %.12s", id);
    *ret_fd = take_fd(&fd);
    return 0;
}

void ctr_unlock(const struct store *s, const char *id, int fd)
{
    if (fd < 0)
        return;
    fd_close(fd);
    if (store_has(s, "containers", id))
        return;
    size_t len = 0;
    bool clear = err_is_clear();
    auto_free char *packed = err_pack(-ENOENT, &len);
    store_tidy(s); /* clears the slot */
    if (!clear)
        err_unpack(packed, len);
}

/* ---- names ---- */

/* The id that a name's link holds; false if there is no such link. */
static bool name_target(const struct store *s, const char *name, char ret[ID_LEN + 1])
{
    auto_free char *path = xasprintf("container-names/%s", name);
    char id[ID_LEN + 1];
    if (strchr(name, '/') || readlinkat(s->fd, path, id, sizeof(id)) != ID_LEN)
        return false;
    memcpy(ret, id, ID_LEN);
    ret[ID_LEN] = '\0';
    return str_is_hex(ret, ID_LEN);
}

/* Looked for in the order in which a container passes, and again where it ends. */
static bool is_gone(const struct store *s, const char *id)
{
    auto_free char *draft = xasprintf("ctr-%s", id);
    return !store_has(s, "containers", id) && !store_has(s, "tmp", draft) && !store_has(s, "containers", id);
}

static int names_lock(const struct store *s, int *ret_fd)
{
    return lock_file(s->fd, "container-names/.lock", true, true, ret_fd);
}

/* Removes path, or with a trash directory moves it there: unlinking what has a block of its own (a link of 64 bytes
 * has) waits a millisecond for disks that discard at once, and here others wait for us. */
static void drop_entry(const struct store *s, const char *path, const char *trash, const char *trash_name)
{
    auto_free char *to = xasprintf("tmp/%s/%s", trash ? trash : "", trash_name);
    if (!trash || renameat(s->fd, path, s->fd, to) < 0)
        unlinkat(s->fd, path, 0);
}

/* Removes the link if it (still) points to id. The caller has names_lock. */
static void unlink_name(const struct store *s, const char *name, const char *id, const char *trash)
{
    char target[ID_LEN + 1];
    auto_free char *path = xasprintf("container-names/%s", name);
    if (name_target(s, name, target) && str_eq(target, id))
        drop_entry(s, path, trash, "name");
}

static void release_name(const struct store *s, const char *name, const char *id, const char *trash)
{
    auto_close int lock = -1;
    if (names_lock(s, &lock) == 0)
        unlink_name(s, name, id, trash);
}

/* For a container whose record cannot say its name: every link to it. And, with id NULL, every link to what is gone. */
static void release_links(const struct store *s, const char *id)
{
    auto_strv char **names = NULL;
    auto_close int lock = -1;
    if (names_lock(s, &lock) < 0 || dir_names(s->fd, "container-names", &names) < 0)
        return;
    strv_foreach (name, names) {
        char target[ID_LEN + 1];
        if (name_target(s, name, target) && (id ? str_eq(target, id) : is_gone(s, target)))
            unlink_name(s, name, target, NULL);
    }
}

void ctr_names_sweep(const struct store *s)
{
    release_links(s, NULL);
}

static int name_taken(const char *name, const char *holder)
{
    return err_set(-EEXIST,
                   "the container name \"%s\" is already in use by %s: remove that container or choose another name",
                   name, holder);
}

/* -EAGAIN: the holder is gone and so is its link now. */
static int name_dispute(const struct store *s, const char *name)
{
    char holder[ID_LEN + 1];
    if (!name_target(s, name, holder))
        return faccessat(s->fd, "container-names", F_OK, 0) < 0 ? err_sys("cannot open %s/container-names", s->path)
                                                                : -EAGAIN;
    if (!is_gone(s, holder))
        return name_taken(name, holder);
    release_name(s, name, holder, NULL);
    return -EAGAIN;
}

static int name_claim(const struct store *s, const char *name, const char *id)
{
    enum { TRIES = 100 };
    auto_free char *path = xasprintf("container-names/%s", name);
    for (int i = 0; i < TRIES; i++) {
        if (symlinkat(id, s->fd, path) == 0)
            return 0;
        if (errno != EEXIST)
            return err_sys("cannot take the container name %s", name);
        int r = name_dispute(s, name);
        if (r != -EAGAIN)
            return r;
    }
    return err_set(-EEXIST, "cannot take the container name %s: %s/%s is in the way", name, s->path, path);
}

/* ---- making ---- */

static int make_subdir(int fd, const char *name, mode_t mode)
{
    int r = dir_make(fd, name, mode);
    if (r == 0 && fchmodat(fd, name, mode, 0) < 0) /* the umask took bits */
        r = err_sys("cannot set the mode of %s", name);
    return r;
}

static int fill_draft(int fd, const struct ctr *c)
{
    int r = make_subdir(fd, "upper", ROOT_MODE);
    if (r == 0)
        r = file_write(fd, "alive", "", 0, FILE_MODE);
    return r < 0 ? r : rec_write(&ctr_rec, fd, "container.json", c);
}

int ctr_draft_begin(const struct store *s, const struct ctr *c, struct ctr_draft *ret)
{
    struct ctr_draft d = {.fd = -1};
    if (!str_is_hex(c->id, ID_LEN))
        return err_set(-EINVAL, "a container id is %d hexadecimal digits", ID_LEN);
    int r = name_check("container", c->name);
    if (r < 0)
        return r;
    snprintf(d.tmp_name, sizeof(d.tmp_name), "tmp/ctr-%s", c->id);
    if (mkdirat(s->fd, d.tmp_name, DIR_MODE) < 0)
        return err_sys("cannot make %s/%s", s->path, d.tmp_name);
    d.fd = dir_open(s->fd, d.tmp_name);
    r = d.fd < 0 ? d.fd : fill_draft(d.fd, c);
    if (r < 0)
        ctr_draft_drop(s, &d);
    else
        *ret = d;
    return r;
}

void ctr_draft_drop(const struct store *s, struct ctr_draft *draft)
{
    if (!*draft->tmp_name)
        return;
    fd_close(draft->fd);
    store_trash(s, "tmp", draft->tmp_name + strlen("tmp/"));
    *draft = (struct ctr_draft){.fd = -1};
}

int ctr_claim(struct ctr_draft *draft, int *ret_fd)
{
    auto_close int fd = openat(draft->fd, "alive", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open the record of a container");
    int r = claim_lock_take(fd);
    if (r < 0)
        return r;
    draft->claimed = true;
    *ret_fd = take_fd(&fd);
    return 0;
}

static int make_rm_marker(const struct store *s, const struct ctr *c, bool claimed)
{
    auto_free char *path = xasprintf("tmp/rm-%s", c->id);
    if (c->auto_remove && symlinkat(claimed ? rm_marker_claimed : ".", s->fd, path) < 0 && errno != EEXIST)
        return err_sys("cannot make %s/%s", s->path, path);
    return 0;
}

static void remove_rm_marker(const struct store *s, const char *id, const char *trash)
{
    auto_free char *path = xasprintf("tmp/rm-%s", id);
    drop_entry(s, path, trash, "marker");
}

static int move_draft(const struct store *s, const struct ctr *c, const struct ctr_draft *draft)
{
    auto_free char *path = xasprintf("containers/%s", c->id);
    int r = make_rm_marker(s, c, draft->claimed);
    if (r == 0 && renameat(s->fd, draft->tmp_name, s->fd, path) < 0)
        r = err_sys("cannot publish %s/%s", s->path, path);
    return r;
}

int ctr_publish(const struct store *s, const struct ctr *c, struct ctr_draft *draft)
{
    int r = name_claim(s, c->name, c->id);
    if (r < 0)
        return r;
    r = move_draft(s, c, draft);
    if (r < 0) {
        remove_rm_marker(s, c->id, NULL);
        release_name(s, c->name, c->id, NULL);
        return r;
    }
    fd_close(draft->fd);
    *draft = (struct ctr_draft){.fd = -1};
    return 0;
}

/* The new name first, then the record, then the old name goes: a crash between leaves a name too many, which still
 * leads here. */
int ctr_rename(const struct store *s, const char *id, const char *name)
{
    struct ctr c = {0};
    auto_close int dir = -1;
    auto_free char *old = NULL;
    int r = name_check("container", name);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == 0)
        r = ctr_open_dir(s, id, &dir);
    if (r == 0)
        r = name_claim(s, name, id);
    if (r == 0) {
        old = c.name;
        c.name = xstrdup(name);
        r = rec_save(&ctr_rec, dir, "container.json", &c, false);
        release_name(s, r < 0 ? name : old, id, NULL);
    }
    ctr_done(&c);
    return r;
}

/* ---- finding ---- */

static int find_by_prefix(const struct store *s, const char *prefix, char **ret_id)
{
    auto_strv char **ids = NULL;
    int r = ids_with_prefix(s, "containers", prefix, &ids);
    if (r < 0)
        return r;
    if (strv_len(ids) == 1) {
        *ret_id = xstrdup(ids[0]);
        return 0;
    }
    if (strv_len(ids) == 0)
        return -ENOENT;
    auto_free char *candidates = candidates_text(ids, prefix);
    return err_set(-EINVAL, "\"%s\" is the start of more than one container id: %s", prefix, candidates);
}

static int find_typed(const struct store *s, const char *typed, char **ret_id)
{
    char id[ID_LEN + 1];
    bool found = name_target(s, typed, id) && store_has(s, "containers", id);
    if (!found && str_is_hex(typed, ID_LEN)) {
        memcpy(id, typed, sizeof(id));
        found = store_has(s, "containers", id);
    }
    if (found) {
        *ret_id = xstrdup(id);
        return 0;
    }
    return id_prefix_like(typed) ? find_by_prefix(s, typed, ret_id) : -ENOENT;
}

int ctr_find(const struct store *s, const char *typed, char **ret_id)
{
    int r = find_typed(s, typed, ret_id);
    if (r == -ENOENT) {
        auto_free char *shown = str_printable(typed);
        return err_set(r, "no such container: %s", shown);
    }
    return r;
}

/* ---- removing ---- */

/* The caller's file, so it goes only if it still has what was written there. */
static void remove_cid_file(const char *path, const char *id)
{
    enum { CID_FILE_MAX = 256 };
    auto_free char *text = NULL;
    if (str_empty(path) || file_read(AT_FDCWD, path, CID_FILE_MAX, &text, NULL) < 0)
        return;
    if (str_eq(str_trim(text), id))
        unlink(path);
}

/* With a --rm container go the volumes that only it had. One that cannot go now is for `volume prune`. */
static void retire_volumes(const struct store *s, const struct ctr *c, const char *trash)
{
    const struct ctr_mount *mounts = c->mounts.items;
    for (size_t i = 0; c->auto_remove && i < c->mounts.n; i++)
        if (mounts[i].anonymous && mounts[i].source && volume_retire(s, mounts[i].source, trash) == -ENOENT)
            volume_remove(s, mounts[i].source); /* somebody has emptied the trash already */
    err_clear();
}

int ctr_retire(const struct store *s, const char *id, char ret_trash[80])
{
    struct ctr c = {0};
    int loaded = ctr_load(s, id, &c); /* a damaged record must not make it stay */
    view_drop(s, "containers", id);
    int r = trash_move(s, "containers", id, ret_trash);
    if (r < 0) {
        ctr_done(&c);
        return r;
    }
    if (loaded == 0 && c.name)
        release_name(s, c.name, id, ret_trash);
    else
        release_links(s, id);
    remove_rm_marker(s, id, ret_trash);
    retire_volumes(s, &c, ret_trash);
    remove_cid_file(c.cid_file, id);
    ctr_done(&c);
    return 0;
}

void ctr_finish_retired(const struct store *s, const char *trash)
{
    auto_free char *record = xasprintf("tmp/%s/container.json", trash);
    auto_free char *name = xasprintf("tmp/%s/name", trash);
    struct ctr c = {0};
    if (faccessat(s->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && rec_load(&ctr_rec, s->fd, record, &c) == 0 && c.id &&
        c.name)
        release_name(s, c.name, c.id, NULL);
    ctr_done(&c);
    err_clear();
}

/* Not waited for: rm holds the lock while it waits for the end of a supervisor, which comes here. */
void ctr_delete_retired(const struct store *s, const char *trash)
{
    int r = trash_remove(s, trash, TRASH_LEAVE);
    if (r < 0)
        log_warn("a container was removed, but its files are still in %s/tmp/%s: %s", s->path, trash, err_text(r));
}

/* Runs in: a child that outlives the command. */
static void __attribute__((noreturn)) delete_child(const struct store *s, const char *trash)
{
    const int keep[] = {0, 1, 2, s->fd};
    if (proc_leave_caller() == 0) {
        fd_close_except(keep, ARRAY_LEN(keep));
        ctr_delete_retired(s, trash);
    }
    _exit(0);
}

/* One child at a time: who removes many at once waits for the disk. */
void ctr_delete_soon(const struct store *s, const char *trash)
{
    enum { SMALL = 512 * 1024 };
    static pid_t busy;
    auto_free char *path = xasprintf("tmp/%s", trash);
    if (busy > 0 && waitpid(busy, NULL, WNOHANG) != 0)
        busy = 0;
    pid_t pid = busy == 0 && tree_is_small(s->fd, path, SMALL) ? fork() : -1;
    if (pid == 0)
        delete_child(s, trash);
    if (pid > 0)
        busy = pid;
    else
        ctr_delete_retired(s, trash);
}

int ctr_remove(const struct store *s, const char *id)
{
    char trash[TRASH_NAME];
    int r = ctr_retire(s, id, trash);
    if (r == 0)
        ctr_delete_retired(s, trash);
    return r;
}
