/* What is mounted where the user or the image asks for it, and what it takes over from the image at its first use.
 *
 * Copy-up. A volume that never took anything over and is empty gets what the image has at the place. It is copied into
 * filling/ beside data/, which becomes filled/ by one rename when it is whole; then its entries move into data/ by
 * rename, one by one, and at last `copied` is made. Whoever is killed meanwhile leaves filling/ (thrown away by the
 * next one) or filled/ (moved on by the next one). data/ itself stays the same directory throughout, since others may
 * have it mounted; `lock` keeps a second container waiting. The source is the image's own tree: it is never looked for
 * below another mount.
 *
 * Runs in: CHILD, in its own mount namespace, with the host's tree still there. */
#include "child.h"

#include "whelk/copy-tree.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/layer.h"
#include "whelk/lock.h"
#include "whelk/mnt.h"
#include "whelk/overlay.h"
#include "whelk/volume.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>

enum {
    SAFE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
    SAFE_DATA = SAFE | MOUNT_ATTR_NOEXEC,
};

/* ---- options ---- */

/* Those that are mount attributes. */
static const struct attr_option {
    const char *name;
    uint64_t set, clear;
} attr_options[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},   {"rw", 0, MOUNT_ATTR_RDONLY},     {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC}, {"nosuid", MOUNT_ATTR_NOSUID, 0}, {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0}, {"dev", 0, MOUNT_ATTR_NODEV},
};

static uint64_t mount_attrs(const struct ctr_mount *m, uint64_t attrs)
{
    strv_foreach (option, m->options)
        for (size_t i = 0; i < ARRAY_LEN(attr_options); i++)
            if (str_eq(option, attr_options[i].name))
                attrs = (attrs | attr_options[i].set) & ~attr_options[i].clear;
    return attrs;
}

/* And those that say how mounts made later on one side are seen on the other. */
static const struct {
    const char *name;
    uint64_t propagation;
    bool recursive;
} propagation_options[] = {
    {"private", MS_PRIVATE, false}, {"rprivate", MS_PRIVATE, true}, {"shared", MS_SHARED, false},
    {"rshared", MS_SHARED, true},   {"slave", MS_SLAVE, false},     {"rslave", MS_SLAVE, true},
};

static int set_propagation(const struct ctr_mount *m, int mnt)
{
    size_t chosen = 1;
    for (size_t i = 0; i < ARRAY_LEN(propagation_options); i++)
        if (strv_has(m->options, propagation_options[i].name))
            chosen = i;
    return mnt_propagation(mnt, propagation_options[chosen].propagation, propagation_options[chosen].recursive);
}

/* ---- trees of the host and of the store ---- */

/* A detached mount of what fd (O_PATH) is open on; U remembers it for the step that knows the user. */
static int mount_tree(struct child *k, const struct ctr_mount *m, int fd, bool recursive, int *ret_fd,
                      bool *ret_directory)
{
    struct stat st;
    int r = fstat(fd, &st) < 0 ? err_sys("cannot use %s", m->source) : mnt_clone(fd, "", recursive, ret_fd);
    if (r == 0)
        r = set_propagation(m, *ret_fd);
    if (r == 0)
        r = mnt_attrs(*ret_fd, mount_attrs(m, SAFE), 0, true);
    if (r < 0)
        return r;
    *ret_directory = S_ISDIR(st.st_mode);
    if (strv_has(m->options, "U")) {
        k->own_fds = xrealloc(k->own_fds, (k->n_own + 1) * sizeof *k->own_fds);
        k->own_fds[k->n_own++] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    return 0;
}

/* Option idmap, which is root's: the files have the owners that the container's user namespace makes of theirs. Without
 * one of its own they are the same. */
static int map_owners(const struct child *k, const struct ctr_mount *m, int mnt)
{
    int r = k->userns_fd >= 0 ? mnt_idmap(mnt, k->userns_fd) : 0;
    return r < 0 ? err_wrap(r, "idmap: the file system of %s cannot show other owners", m->source) : 0;
}

int child_volume_bind(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory)
{
    auto_close int fd = open(m->source, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open %s", m->source);
    bool mapped = strv_has(m->options, "idmap");
    int r = mount_tree(k, m, fd, !mapped && !strv_has(m->options, "bind"), ret_fd, ret_directory);
    return r == 0 && mapped ? map_owners(k, m, *ret_fd) : r;
}

/* ---- taking over from the image ---- */

/* The image's directory where m goes, not through any other mount; -errno without text if there is none. */
static int open_image_dir(struct child *k, const struct ctr_mount *m)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    int fd = (int)syscall(SYS_openat2, k->root_fd, m->target, &how, sizeof how);
    return fd < 0 ? -errno : fd;
}

static bool is_empty(int fd)
{
    auto_dir DIR *dir = dir_iterate(fd);
    size_t n = 0;
    while (dir && readdir(dir))
        n++;
    return n <= 2; /* . and .. */
}

/* Copies into filling/, which then is filled/. */
static int fill_beside(int vol, int image)
{
    int r = tree_remove(vol, "filling");
    if (r == 0)
        r = dir_make(vol, "filling", 0700);
    if (r < 0)
        return r;
    auto_close int to = dir_open(vol, "filling");
    r = to < 0 ? to : copy_tree(image, to);
    if (r == 0 && renameat(vol, "filling", vol, "filled") < 0)
        r = err_sys("cannot finish a copy");
    return r;
}

/* A name that data/ has by now is somebody's who was faster: it stays. */
static int move_filled(int vol, int data)
{
    auto_close int filled = dir_open(vol, "filled");
    auto_dir DIR *dir = filled < 0 ? NULL : dir_iterate(filled);
    if (!dir)
        return -EIO;
    for (struct dirent *e; (e = readdir(dir));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
            renameat2(filled, e->d_name, data, e->d_name, RENAME_NOREPLACE) < 0 && errno != EEXIST)
            return err_sys("cannot move %s into the volume", e->d_name);
    return tree_remove(vol, "filled");
}

static int take_over(int vol, int data, int image, bool owned)
{
    bool filled = faccessat(vol, "filled", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!filled && !is_empty(data))
        return 0;
    int r = filled || is_empty(image) ? 0 : fill_beside(vol, image);
    if (r == 0 && (filled || !is_empty(image)))
        r = move_filled(vol, data);
    if (r == 0 && !owned)
        r = copy_metadata(image, data);
    return r < 0 ? r : file_write(vol, "copied", "", 0, 0600);
}

/* Only where the image has a directory is there anything to take over; an empty one still gives its owner and mode. */
static int copy_up(struct child *k, const struct ctr_mount *m, bool owned, int vol, int data)
{
    auto_close int image = -1, lock = -1;
    if (strv_has(m->options, "nocopy") || m->subpath || faccessat(vol, "copied", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    image = open_image_dir(k, m);
    if (image < 0)
        return 0;
    int r = lock_file(vol, "lock", true, true, &lock);
    if (r == 0 && faccessat(vol, "copied", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        r = take_over(vol, data, image, owned);
    return r < 0 ? err_wrap(r, "cannot copy what the image has at %s", m->target) : 0;
}

/* ---- volumes ---- */

static int volume_own_data(struct child *k, const struct ctr_mount *m, const struct volume *v, int *ret_fd,
                           bool *ret_directory)
{
    auto_free char *path = xasprintf("volumes/%s", m->source);
    auto_close int vol = dir_open(k->store_fd, path);
    auto_close int data = vol < 0 ? -1 : dir_open(vol, "data");
    if (data < 0)
        return vol < 0 ? vol : data;
    int r = copy_up(k, m, v->owned, vol, data);
    if (r < 0)
        return r;
    /* What is in a volume is its containers' making. */
    auto_close int part = open_in_root(data, m->subpath ? m->subpath : ".", O_PATH, 0);
    if (part < 0)
        return err_set(part, "cannot open %s in the volume: %s", m->subpath, strerror(-part));
    return mount_tree(k, m, part, false, ret_fd, ret_directory);
}

static int volume_device(struct child *k, const struct ctr_mount *m, const struct volume *v, int *ret_fd,
                         bool *ret_directory)
{
    const char *device = strv_env_get(v->options, "device");
    auto_close int fd = open(device ? device : "", O_PATH | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open %s", device);
    return mount_tree(k, m, fd, true, ret_fd, ret_directory);
}

/* "size=1m,mode=700" as options of tmpfs. Caller frees. */
static char **tmpfs_words(const struct child *k, char *const *options)
{
    char **words = NULL;
    strv_foreach (option, options) {
        const char *eq = strchr(option, '='), *uid = str_after(option, "uid="), *gid = str_after(option, "gid=");
        if (!eq)
            continue;
        strv_add_take(&words, xstrndup(option, (size_t)(eq - option)));
        if (uid || gid)
            strv_addf(&words, "%u", uid ? seen_uid(k, (uint32_t)atoll(uid)) : seen_gid(k, (uint32_t)atoll(gid)));
        else
            strv_add(&words, eq + 1);
    }
    return words;
}

static int volume_memory(struct child *k, const struct ctr_mount *m, const struct volume *v, int *ret_fd,
                         bool *ret_directory)
{
    const char *o = strv_env_get(v->options, "o");
    auto_strv char **options = strv_split(o ? o : "", ","), **words = tmpfs_words(k, options);
    *ret_directory = true;
    return mnt_new("tmpfs", mount_attrs(m, SAFE), (const char *const *)words, ret_fd);
}

int child_volume_named(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory)
{
    static int (*const kinds[])(struct child *, const struct ctr_mount *, const struct volume *, int *, bool *) = {
        [VOLUME_DATA] = volume_own_data, [VOLUME_BIND] = volume_device, [VOLUME_TMPFS] = volume_memory};
    struct store store = {.fd = k->store_fd};
    struct volume v = {0};
    enum volume_kind kind = VOLUME_DATA;
    int r = volume_load(&store, m->source, &v);
    if (r == -ENOENT)
        return err_set(r, "there is no such volume any more");
    if (r == 0)
        r = volume_check_options(v.options, &kind);
    if (r == 0)
        r = kinds[kind](k, m, &v, ret_fd, ret_directory);
    volume_done(&v);
    return r;
}

/* ---- tmpfs ---- */

static bool has_key(char *const *options, const char *key)
{
    return strv_env_get(options, key) != NULL;
}

/* A tmpfs (or ramfs) over a directory of the image begins as a copy of it. */
static int fill_tmpfs(struct child *k, const struct ctr_mount *m, int mnt)
{
    auto_close int image = strv_has(m->options, "notmpcopyup") ? -1 : open_image_dir(k, m);
    struct stat st;
    if (image < 0)
        return 0;
    auto_close int to = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0 || fstat(image, &st) < 0)
        return err_sys("cannot open a new tmpfs");
    if (!has_key(m->options, "uid") && !has_key(m->options, "gid") && fchown(to, st.st_uid, st.st_gid) < 0)
        return err_sys("cannot set the owner of a tmpfs");
    if (!has_key(m->options, "mode") && fchmod(to, st.st_mode & 07777) < 0)
        return err_sys("cannot set the mode of a tmpfs");
    int r = copy_tree(image, to);
    return r < 0 ? err_wrap(r, "cannot copy what the image has there (notmpcopyup leaves it out)") : 0;
}

int child_volume_tmpfs(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory)
{
    auto_strv char **words = tmpfs_words(k, m->options);
    uint64_t attrs = mount_attrs(m, SAFE_DATA);
    auto_close int mnt = -1;
    int r = mnt_new(m->type, attrs & ~(uint64_t)MOUNT_ATTR_RDONLY, (const char *const *)words, &mnt);
    if (r == 0)
        r = fill_tmpfs(k, m, mnt);
    if (r == 0)
        r = mnt_attrs(mnt, attrs & MOUNT_ATTR_RDONLY, 0, false);
    if (r < 0)
        return r;
    *ret_directory = true;
    *ret_fd = take_fd(&mnt);
    return 0;
}

/* --mount type=devpts: terminals of its own, beside those of /dev/pts. */
int child_volume_devpts(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory)
{
    auto_strv char **words = tmpfs_words(k, m->options);
    strv_add(&words, "ptmxmode");
    strv_add(&words, "0666");
    *ret_directory = true;
    return mnt_new("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, (const char *const *)words, ret_fd);
}

/* ---- images ---- */

/* A part of the detached mount whole. Kernels before 6.15 clone only what is attached: for the moment it is, in /dev.
 */
static int image_part(struct child *k, const struct ctr_mount *m, int whole, int *ret_fd, bool *ret_directory)
{
    static const char place[] = "dev/.image";
    struct stat st;
    int r = child_attach(k, whole, place, true);
    auto_close int part = r < 0 ? r : open_in_root(whole, m->subpath, O_PATH, 0);
    if (r == 0 && part < 0)
        r = err_set(part, "cannot open %s in it: %s", m->subpath, strerror(-part));
    if (r == 0 && fstat(part, &st) < 0)
        r = err_sys("cannot look at %s", m->subpath);
    if (r == 0)
        r = mnt_clone(part, "", false, ret_fd);
    if (r == 0)
        *ret_directory = S_ISDIR(st.st_mode);
    if (r == 0)
        r = mnt_detach(whole);
    return r == 0 && unlinkat(k->root_fd, place, AT_REMOVEDIR) < 0 ? err_sys("cannot remove /%s again", place) : r;
}

/* Its layers, read-only. overlayfs wants two lower directories where there is no upper one. */
static int image_whole(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory)
{
    static const char empty[] = "layers/empty";
    struct store store = {.fd = k->store_fd};
    auto_strv char **lowers = NULL;
    uint64_t attrs = mount_attrs(m, SAFE | MOUNT_ATTR_RDONLY);
    store.map = *k->plan->store_map;
    auto_strv char **layers = ctr_layer_keys(&store, k->plan->c, m->layers);
    int r = layer_lowers(&store, layers, &lowers);
    if (r == 0)
        r = dir_make(k->store_fd, empty, 0755);
    if (r < 0)
        return r;
    *ret_directory = true;
    if (str_eq(lowers[0], empty)) {
        r = mnt_clone(k->store_fd, empty, false, ret_fd);
        return r < 0 ? r : mnt_attrs(*ret_fd, attrs, 0, false);
    }
    strv_add(&lowers, empty);
    return overlay_mount(k->store_fd, (const char *const *)lowers, (unsigned)strv_len(lowers), NULL, NULL, attrs,
                         ret_fd);
}

int child_volume_image(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory)
{
    auto_close int whole = -1;
    int r = image_whole(k, m, &whole, ret_directory);
    if (r == 0 && m->subpath)
        return image_part(k, m, whole, ret_fd, ret_directory);
    if (r == 0)
        *ret_fd = take_fd(&whole);
    return r;
}

/* ---- U ---- */

int child_own_volumes(struct child *k)
{
    int r = k->n_own ? child_find_user(k) : 0;
    for (size_t i = 0; i < k->n_own && r == 0; i++) {
        r = own_tree(k->own_fds[i], seen_uid(k, k->who.uid), seen_gid(k, k->who.gid));
        fd_close(k->own_fds[i]);
    }
    return r < 0 ? err_wrap(r, "option U") : 0;
}
