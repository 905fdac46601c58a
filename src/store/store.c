/* Opening and making a store, its lock, and removal by way of the trash.
 *
 * Making one. gc.lock is the first file in a new store and the marker the last: whoever finds the lock but no marker
 * takes the lock exclusive, looks again, and makes what is missing. So any number of first invocations agree, and one
 * that was killed half-way is finished by the next. A directory that holds anything else is never touched.
 *
 * Opening is on the path of every command: it opens the directory, reads the marker, and nothing else. */
#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/lock.h"
#include "whelk/log.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <time.h>

enum { STORE_VERSION = 1, DIR_MODE = 0700 };

static const char gc_lock[] = "gc.lock";
static const char *const store_dirs[] = {
    "layers",   "images", "indexes",     "names",       "containers", "container-names", "volumes", "secrets",
    "networks", "cache",  "cache/steps", "cache/hints", "tmp",
};

/* ---- where it is ---- */

static const char *home_dir(void)
{
    const char *home = getenv("HOME");
    if (home && *home == '/')
        return home;
    const struct passwd *pw = getpwuid(geteuid());
    return pw ? pw->pw_dir : NULL;
}

static int default_root(char **ret)
{
    const char *data = getenv("XDG_DATA_HOME"), *home;
    if (geteuid() == 0)
        *ret = xstrdup("/var/lib/whelk");
    else if (data && *data == '/') /* the specification: relative ones are ignored */
        *ret = xasprintf("%s/whelk", data);
    else if ((home = home_dir()))
        *ret = xasprintf("%s/.local/share/whelk", home);
    else
        return err_set(-ENOENT, "cannot tell where the store is: HOME is not set; set it or give --root");
    return 0;
}

static int absolute_path(const char *path, char **ret)
{
    if (*path == '/') {
        *ret = xstrdup(path);
        return 0;
    }
    auto_free char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return err_sys("cannot tell the current directory");
    *ret = xasprintf("%s/%s", cwd, path);
    return 0;
}

/* ---- making one ---- */

static bool same_dir(const struct stat *st, const char *path)
{
    struct stat other;
    return path && *path == '/' && stat(path, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* Directories that a later removal must never start from (PAIN-07). */
static int check_place(const struct store *s)
{
    const char *const refused[] = {"/", home_dir(), getenv("XDG_RUNTIME_DIR")};
    struct stat st;
    if (fstat(s->fd, &st) < 0)
        return err_sys("cannot read %s", s->path);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (same_dir(&st, refused[i]))
            return err_set(-EINVAL, "%s cannot be a store: give a directory below it", s->path);
    }
    return 0;
}

int store_check_place(const struct store *s)
{
    struct stat st, here;
    int r = check_place(s);
    if (r == 0 && fstat(s->fd, &st) == 0 && stat(".", &here) == 0 && st.st_dev == here.st_dev &&
        st.st_ino == here.st_ino)
        r = err_set(-EINVAL, "%s is the current directory; call it from elsewhere", s->path);
    return r;
}

static bool is_store_entry(const char *name)
{
    bool own = str_eq(name, gc_lock) || str_eq(name, store_marker_name) || str_after(name, ".tmp-");
    for (size_t i = 0; i < ARRAY_LEN(store_dirs); i++)
        own = own || str_eq(name, store_dirs[i]);
    return own;
}

/* The first entry that is not of a store's making, hidden ones too; "" if there is none. Caller frees. */
static int foreign_entry(const struct store *s, char **ret)
{
    auto_dir DIR *dir = dir_iterate(s->fd);
    if (!dir)
        return -EIO;
    auto_free char *found = NULL;
    for (struct dirent *e; !found && (e = readdir(dir));) {
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") && !is_store_entry(e->d_name))
            found = xstrdup(e->d_name);
    }
    *ret = found ? take_ptr(&found) : xstrdup("");
    return 0;
}

/* Nothing, or only what an unfinished creation left or a faster one has just made: then gc.lock is there too, since it
 * is made before all else. Without the lock it has to be looked for after the rest. */
static int check_vacant(const struct store *s)
{
    auto_strv char **names = NULL;
    auto_free char *foreign = NULL;
    int r = foreign_entry(s, &foreign);
    if (r == 0)
        r = dir_names(s->fd, ".", &names);
    if (r < 0)
        return r;
    bool unfinished = faccessat(s->fd, gc_lock, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*foreign && (!*names || unfinished))
        return 0;
    auto_free char *shown = str_printable(*foreign ? foreign : *names);
    return err_set(-ENOTEMPTY, "%s is not a store of whelk and holds other things, as %s: give an empty directory",
                   s->path, shown);
}

static char *uuid_new(void)
{
    char id[ID_LEN + 1];
    id_new(id);
    return xasprintf("%.8s-%.4s-4%.3s-a%.3s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
}

static int write_marker(const struct store *s)
{
    struct idmap map;
    int r = idmap_for_user(&map);
    if (r < 0)
        return r;
    struct store_marker m = {
        .version = STORE_VERSION,
        .uuid = uuid_new(),
        .uid = geteuid(),
        .idmap = idmap_to_json(&map),
    };
    r = rec_save(&store_marker_rec, s->fd, store_marker_name, &m, true);
    rec_done(&store_marker_rec, &m);
    return r;
}

static int make_contents(const struct store *s)
{
    if (fchmod(s->fd, DIR_MODE) < 0)
        return err_sys("cannot set the mode of %s", s->path);
    for (size_t i = 0; i < ARRAY_LEN(store_dirs); i++) {
        int r = dir_make(s->fd, store_dirs[i], DIR_MODE);
        if (r < 0)
            return r;
    }
    return write_marker(s);
}

static int store_make(const struct store *s)
{
    auto_close int lock = -1;
    int r = check_place(s);
    if (r == 0)
        r = check_vacant(s);
    if (r == 0)
        r = lock_file(s->fd, gc_lock, true, true, &lock);
    if (r < 0)
        return r;
    if (faccessat(s->fd, store_marker_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0; /* another invocation was faster */
    r = check_vacant(s);
    return r < 0 ? r : make_contents(s);
}

/* ---- opening ---- */

static int open_root(struct store *s)
{
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0 && errno == ENOENT) {
        int r = dir_make_all(s->path, DIR_MODE);
        if (r < 0)
            return err_wrap(r, "cannot make the store");
        s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return s->fd < 0 ? err_sys("cannot open the store %s", s->path) : 0;
}

static int check_marker(struct store *s, const struct store_marker *m)
{
    if (m->version != STORE_VERSION)
        return err_set(-EPROTO, "the store %s has version %lld, this whelk knows version %d", s->path,
                       (long long)m->version, STORE_VERSION);
    if (!s->unshared && m->uid != (int64_t)geteuid())
        return err_set(-EPERM, "the store %s belongs to uid %lld, not to uid %u", s->path, (long long)m->uid,
                       (unsigned)geteuid());
    if (str_empty(m->uuid))
        return err_set(-EBADMSG, "the marker of the store %s has no uuid", s->path);
    return s->unshared ? 0 : idmap_from_json(m->idmap, &s->map);
}

static int read_marker(struct store *s)
{
    struct store_marker m = {0};
    int r = rec_load(&store_marker_rec, s->fd, store_marker_name, &m);
    if (r == -ENOENT) {
        r = store_make(s);
        if (r == 0)
            r = rec_load(&store_marker_rec, s->fd, store_marker_name, &m);
    }
    if (r < 0)
        return err_wrap(r, "store %s", s->path);
    r = check_marker(s, &m);
    if (r == 0)
        s->uuid = take_ptr(&m.uuid);
    rec_done(&store_marker_rec, &m);
    return r;
}

/* What the marker says counts only in a directory that nobody else could have written it to. */
static int check_owner(const struct store *s)
{
    struct stat st;
    if (fstat(s->fd, &st) < 0)
        return err_sys("cannot read %s", s->path);
    if (st.st_uid != geteuid())
        return err_set(-EPERM, "the store %s belongs to uid %u, not to uid %u", s->path, (unsigned)st.st_uid,
                       (unsigned)geteuid());
    if (st.st_mode & 022)
        return err_set(-EPERM, "the store %s can be written by others: chmod 700 it if you trust what it holds",
                       s->path);
    return 0;
}

DEFINE_AUTO(struct store *, store_close)

int store_open(const char *root, const char *runroot, struct store **ret)
{
    auto_with(store_close_auto) struct store *s = xcalloc(1, sizeof(*s));
    auto_free char *fallback = NULL;
    s->fd = -1;
    int r = str_empty(root) ? default_root(&fallback) : 0;
    if (r == 0)
        r = absolute_path(fallback ? fallback : root, &s->path);
    if (r == 0 && !str_empty(runroot))
        r = absolute_path(runroot, &s->run_path);
    if (r == 0)
        r = open_root(s);
    if (r == 0)
        r = check_owner(s);
    if (r == 0)
        r = read_marker(s);
    if (r == 0)
        *ret = take_ptr(&s);
    return r;
}

int store_open_unshared(const char *path, struct store **ret)
{
    auto_with(store_close_auto) struct store *s = xcalloc(1, sizeof(*s));
    s->unshared = true;
    s->path = xstrdup(path);
    s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = s->fd < 0 ? err_sys("cannot open the store %s", path) : check_owner(s);
    if (r == 0 && faccessat(s->fd, store_marker_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        r = err_set(-ENOENT, "%s is not a store", path);
    if (r == 0)
        r = read_marker(s);
    if (r == 0)
        *ret = take_ptr(&s);
    return r;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    fd_close(s->fd);
    free(s->path);
    free(s->run_path);
    free(s->uuid);
    free(s);
}

/* ---- locks and workers ---- */

int store_hold(const struct store *s, int *ret_fd)
{
    return lock_file(s->fd, gc_lock, false, true, ret_fd);
}

int store_lock_all(const struct store *s, int patience_ms, int *ret_fd)
{
    enum { STEP_MS = 5 };
    for (int waited = 0;; waited += STEP_MS) {
        int r = lock_file(s->fd, gc_lock, true, false, ret_fd);
        if (r != -EWOULDBLOCK || waited >= patience_ms)
            return r;
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
}

int store_run(const struct store *s, int (*fn)(void *arg), void *arg)
{
    return userns_run(&s->map, fn, arg);
}

/* ---- trash ---- */

int trash_move(const struct store *s, const char *dir, const char *name, char ret[TRASH_NAME])
{
    char id[ID_LEN + 1], trash[TRASH_NAME];
    id_new(id);
    snprintf(trash, sizeof(trash), "trash-%s", id);
    auto_free char *from = xasprintf("%s/%s", dir, name);
    auto_free char *to = xasprintf("tmp/%s", trash);
    if (renameat(s->fd, from, s->fd, to) < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot remove %s/%s", s->path, from);
    if (ret)
        memcpy(ret, trash, sizeof(trash));
    return 0;
}

struct removal {
    const struct store *store;
    const char *path;
};

static int remove_worker(void *arg)
{
    const struct removal *r = arg;
    return tree_remove(r->store->fd, r->path);
}

/* Trees with the image's owners may hold directories that only the store's root may empty; mostly they do not. */
static int remove_any(const struct store *s, const char *path)
{
    int r = tree_remove(s->fd, path);
    if ((r != -EACCES && r != -EPERM) || idmap_none(&s->map))
        return r;
    return store_run(s, remove_worker, &(struct removal){s, path});
}

int trash_remove(const struct store *s, const char *name, enum trash_busy busy)
{
    auto_free char *path = xasprintf("tmp/%s", name);
    auto_close int lock = openat(s->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | (busy == TRASH_LEAVE ? LOCK_NB : 0)) < 0 && errno == EWOULDBLOCK)
        return 0;
    return remove_any(s, path);
}

void trash_finish(const struct store *s, const char *name)
{
    ctr_finish_retired(s, name);
    if (trash_remove(s, name, TRASH_LEAVE) < 0)
        log_debug("cannot remove tmp/%s: %s", name, err_text(-EIO));
}

void trash_empty(const struct store *s)
{
    auto_strv char **names = NULL;
    if (dir_names(s->fd, "tmp", &names) < 0)
        return;
    strv_foreach (name, names) {
        if (str_after(name, "trash-"))
            trash_finish(s, name);
    }
}

int store_trash(const struct store *s, const char *dir, const char *name)
{
    char trash[TRASH_NAME];
    int r = trash_move(s, dir, name, trash);
    if (r < 0)
        return r;
    r = trash_remove(s, trash, TRASH_WAIT);
    if (r < 0)
        log_warn("%s/%s was removed, but its files are still in %s/tmp/%s: %s", dir, name, s->path, trash, err_text(r));
    return 0;
}

/* ---- small look-ups ---- */

bool store_has(const struct store *s, const char *dir, const char *name)
{
    auto_free char *path = xasprintf("%s/%s", dir, name);
    return faccessat(s->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int ids_with_prefix(const struct store *s, const char *dir, const char *prefix, char ***ret)
{
    auto_strv char **names = NULL;
    int r = dir_names(s->fd, dir, &names);
    if (r < 0)
        return r;
    size_t n = 0;
    for (char **p = names; p && *p; p++) {
        if (str_is_hex(*p, ID_LEN) && str_after(*p, prefix))
            names[n++] = *p;
        else
            free(*p);
    }
    if (names)
        names[n] = NULL;
    *ret = take_ptr(&names);
    return 0;
}

char *candidates_text(char *const *ids, const char *prefix)
{
    enum { SHOWN = 10 };
    struct buf b = {0};
    int digits = strlen(prefix) < ID_SHORT ? ID_SHORT : ID_LEN;
    for (size_t i = 0; ids[i] && i < SHOWN; i++)
        buf_addf(&b, "%s%.*s", i ? ", " : "", digits, ids[i]);
    if (strv_len(ids) > SHOWN)
        buf_addf(&b, " and %zu more", strv_len(ids) - SHOWN);
    return buf_take(&b);
}
