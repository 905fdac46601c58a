/* The container's file system tree, built on descriptors before anybody enters it (SECURITY H1-H4, 2.3-2.5). Tables say
 * what is mounted, masked and bound; the code only walks them.
 *
 * Runs in: CHILD, in its own mount namespace, with the host's tree still there. */
#include "child.h"

#include "frame.h"
#include "notify.h"
#include "ns.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/overlay.h"
#include "whelk/run.h"
#include "whelk/view.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

enum {
    DEVICE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
    SAFE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
    SAFE_DATA = SAFE | MOUNT_ATTR_NOEXEC,
};

/* Tells the parent which parts of path do not exist yet: they are whelk's, not the image's. */
static void report_missing(struct child *k, const char *path)
{
    auto_strv char **parts = strv_split(path, "/");
    auto_buf struct buf so_far = {0};
    strv_foreach (part, parts) {
        buf_addf(&so_far, "%s%s", so_far.len ? "/" : "", part);
        auto_close int fd = open_in_root(k->root_fd, so_far.data, O_PATH | O_NOFOLLOW, 0);
        if (fd == -ENOENT)
            frame_send(k->plan->sock, FRAME_STUB, so_far.data, so_far.len, -1, 0);
    }
}

static int target(struct child *k, const char *path, bool directory, int *ret_fd)
{
    path += strspn(path, "/");
    if (k->plan->report_stubs)
        report_missing(k, path);
    return open_target(k->root_fd, path, directory, ret_fd);
}

static int attach_at(struct child *k, int mnt, const char *path, bool directory)
{
    auto_close int fd = -1;
    int r = target(k, path, directory, &fd);
    return r < 0 ? r : mnt_attach(mnt, fd);
}

/* The kernel's own file systems go on real directories, there or made. A link of the image would decide what "/proc"
 * is, and could be another place by the time that /proc/kcore is masked. */
static int attach_base(struct child *k, int mnt, const char *path)
{
    auto_close int fd = open_in_root(k->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd == -ENOENT)
        return attach_at(k, mnt, path, true);
    return fd < 0 ? err_set(fd, "it is not a directory in the image") : mnt_attach(mnt, fd);
}

/* The upper directory was made by the caller; its owner is that of the container's root directory. */
static int own_upper(struct child *k, const char *upper)
{
    uint32_t uid = seen_uid(k, 0), gid = seen_gid(k, 0);
    if (uid == ID_NONE || gid == ID_NONE || idmap_none(k->plan->store_map))
        return 0;
    return fchownat(k->store_fd, upper, uid, gid, AT_SYMLINK_NOFOLLOW) < 0
               ? err_sys("cannot change the owner of %s", upper)
               : 0;
}

/* --rootfs DIR: the user's directory, as it is, with what is mounted in it; nothing that is mounted later on one side
 * comes to the other. */
static int clone_rootfs(const struct ctr *c, uint64_t attrs, int *ret_fd)
{
    auto_close int fd = open(c->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open the container's root %s", c->rootfs);
    int r = mnt_clone(fd, "", true, ret_fd);
    if (r == 0)
        r = mnt_propagation(*ret_fd, MS_PRIVATE, true);
    return r < 0 ? r : mnt_attrs(*ret_fd, attrs, 0, true);
}

static int mount_overlay(struct child *k, uint64_t attrs, int *ret_fd)
{
    const struct plan *p = k->plan;
    auto_free char *upper = xasprintf("%s/upper", p->dir);
    auto_free char *work = xasprintf("%s/work", p->dir);
    int r = p->fresh && k->builder ? own_upper(k, upper) : 0;
    int taken = r < 0 ? r : view_take(k->store_fd, p->dir, ret_fd); /* whelk mount was faster */
    if (taken < 0)
        return taken;
    return taken ? mnt_attrs(*ret_fd, attrs, (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV) & ~attrs, false)
                 : overlay_mount(k->store_fd, (const char *const *)p->lowers, (unsigned)strv_len(p->lowers), upper,
                                 work, attrs, ret_fd);
}

int child_mount_root(struct child *k)
{
    const struct plan *p = k->plan;
    auto_close int root = -1;
    uint64_t attrs = p->c->no_new_privs ? SAFE : MOUNT_ATTR_NODEV; /* all devices are in /dev */
    bool direct = p->c->rootfs && !p->c->rootfs_overlay;
    int r = direct ? clone_rootfs(p->c, attrs, &root) : mount_overlay(k, attrs, &root);
    if (r < 0)
        return r;
    k->dir_fd = openat(k->store_fd, p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (k->dir_fd < 0)
        return err_sys("cannot open %s", p->dir);
    r = mnt_attach(root, k->dir_fd);
    if (r == 0)
        k->root_fd = take_fd(&root);
    return r;
}

/* The nodes of /dev (SECURITY 2.4). Root makes them; a user namespace may not, so there they are bound from the host.
 */
static const struct node {
    const char *name;
    unsigned major, minor;
} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

static const char *const links[][2] = {
    {"pts/ptmx", "ptmx"},          {"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"},
    {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
};

/* Binds the host's /dev/<name> over an empty file of the same name in dev. The device is checked after it was taken
 * (H4). */
static int bind_node(int dev, const char *name, dev_t rdev)
{
    auto_free char *host = xasprintf("/dev/%s", name);
    auto_close int mnt = -1, place = openat(dev, name, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (place < 0)
        return err_sys("cannot make /dev/%s in the container", name);
    int r = mnt_clone(AT_FDCWD, host, false, &mnt);
    struct stat st;
    if (r == 0 && (fstat(mnt, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != rdev))
        r = err_set(-ENODEV, "%s on the host is not the device %u:%u", host, major(rdev), minor(rdev));
    r = r < 0 ? r : mnt_attrs(mnt, DEVICE, 0, false);
    return r < 0 ? r : mnt_attach(mnt, place);
}

static int make_node(struct child *k, int dev, const struct node *n)
{
    dev_t rdev = makedev(n->major, n->minor);
    if (idmap_none(k->plan->map) && mknodat(dev, n->name, S_IFCHR | 0666, rdev) == 0)
        return fchmodat(dev, n->name, 0666, 0) < 0 ? err_sys("cannot make /dev/%s", n->name) : 0;
    return bind_node(dev, n->name, rdev);
}

/* --privileged: every device of the host's /dev that the caller may reach; those that cannot be bound are left out. */
static int bind_all_nodes(int dev)
{
    auto_strv char **names = NULL;
    int r = dir_names(AT_FDCWD, "/dev", &names);
    if (r < 0)
        return r;
    strv_foreach (name, names) {
        auto_free char *host = xasprintf("/dev/%s", name);
        auto_close int mnt = -1;
        struct stat st;
        if (str_after(name, "tty") || str_after(name, "console") || str_after(name, "ptmx") || lstat(host, &st) < 0 ||
            (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) || faccessat(dev, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        auto_close int place = openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (place < 0 || mnt_clone(AT_FDCWD, host, false, &mnt) < 0 || mnt_attrs(mnt, DEVICE, 0, false) < 0 ||
            mnt_attach(mnt, place) < 0)
            unlinkat(dev, name, 0);
    }
    err_clear();
    return 0;
}

/* From here on the container's own null device stands in for streams and masks: root in it may change mode and owner,
 * which must not be those of the host's. */
static int take_null(struct child *k, int dev)
{
    int fd = openat(dev, "null", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_sys("cannot open the container's /dev/null");
    fd_close(k->null_fd);
    k->null_fd = fd;
    return 0;
}

/* With CAP_MKNOD and the host's ids, a container could make itself a node of any disk: so no node works in its /dev but
 * those that are mounted there. */
static int seal_dev(struct child *k, int dev)
{
    int r = 0;
    if (!idmap_none(k->plan->map) || k->plan->c->privileged ||
        !((uint64_t)k->plan->c->cap_bounding & UINT64_C(1) << CAP_MKNOD))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(nodes) && r == 0; i++) {
        auto_close int mnt = -1, place = openat(dev, nodes[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        r = mnt_clone(dev, nodes[i].name, false, &mnt);
        if (r == 0)
            r = mnt_attach(mnt, place);
    }
    return r < 0 ? r : mnt_attrs(dev, MOUNT_ATTR_NODEV, 0, false);
}

/* Here, where nothing of the image or of a volume is in the way. */
static int make_notify(struct child *k, int dev)
{
    auto_close int fd = -1;
    int r = k->plan->notify ? notify_listen(dev, &fd) : 0;
    if (r == 0 && fd >= 0 && frame_send(k->plan->sock, FRAME_NOTIFY, NULL, 0, fd, 0) < 0)
        r = err_set(-EPIPE, "cannot hand over " NOTIFY_PATH);
    return r;
}

static int fill_dev(struct child *k, int dev)
{
    static const char *const dirs[] = {"pts", "shm", "mqueue"};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (mkdirat(dev, dirs[i], 0755) < 0)
            return err_sys("cannot make /dev/%s", dirs[i]);
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            return err_sys("cannot make /dev/%s", links[i][1]);
    for (size_t i = 0; i < ARRAY_LEN(nodes) && r == 0; i++)
        r = make_node(k, dev, &nodes[i]);
    if (r == 0)
        r = seal_dev(k, dev);
    if (r == 0)
        r = take_null(k, dev);
    if (r == 0)
        r = make_notify(k, dev);
    return r == 0 && k->plan->c->privileged ? bind_all_nodes(dev) : r;
}

enum {
    OPTIONAL = 1,
    GID5 = 2,
    HOST_IF_REFUSED = 4,
    READ_ONLY = 8,
    DEV = 16,
    SHM = 32 /* has --shm-size; may be shared, or not be there */,
    PROC = 64 /* has --security-opt proc-opts */
};

static const struct base_mount {
    const char *type, *target;
    uint64_t attrs;
    uint64_t ns; /* what it shows is this namespace's; where that is the host's, so is the mount */
    unsigned flags;
    const char *options[9];
} base_mounts[] = {
    {"proc", "proc", SAFE_DATA, CLONE_NEWPID, PROC, {NULL}},
    {"tmpfs", "dev", DEVICE, 0, DEV, {"mode", "755", "size", "64k", NULL}},
    {"devpts", "dev/pts", DEVICE, 0, GID5, {"ptmxmode", "0666", "mode", "0620", NULL}},
    {"tmpfs", "dev/shm", SAFE_DATA, CLONE_NEWIPC, SHM, {"mode", "1777", NULL}},
    {"mqueue", "dev/mqueue", SAFE_DATA, CLONE_NEWIPC, 0, {NULL}},
    {"sysfs", "sys", SAFE_DATA, 0, READ_ONLY | HOST_IF_REFUSED, {NULL}},
    {"cgroup2", "sys/fs/cgroup", SAFE_DATA, CLONE_NEWCGROUP, READ_ONLY | OPTIONAL, {NULL}},
};

static bool is_hosts(const struct child *k, const struct base_mount *m)
{
    return m->ns && ctr_ns_kind(k->plan->c, m->ns) == NS_HOST;
}

/* A host whose network namespace is used owns its sysfs: then its mount is shown, read-only. */
static int clone_host(const struct base_mount *m, uint64_t more, int *ret_fd)
{
    auto_free char *path = xasprintf("/%s", m->target);
    int r = mnt_clone(AT_FDCWD, path, true, ret_fd);
    return r < 0 ? r : mnt_attrs(*ret_fd, m->attrs | more, 0, true);
}

enum { PROC_OPTS = 3 };

/* Keys and values in turn. */
static char **proc_words(const struct child *k)
{
    auto_strv char **options = strv_split(k->plan->c->proc_opts ? k->plan->c->proc_opts : "", ",");
    char **words = NULL;
    for (size_t i = 0; options && options[i] && i < PROC_OPTS; i++) {
        const char *value = strchr(options[i], '=') + 1;
        strv_add_take(&words, xstrndup(options[i], (size_t)(value - 1 - options[i])));
        if (str_after(options[i], "gid="))
            strv_addf(&words, "%u", seen_gid(k, (uint32_t)atoll(value)));
        else
            strv_add(&words, value);
    }
    return words;
}

static int make_base(struct child *k, const struct base_mount *m, int *ret_fd)
{
    const char *options[ARRAY_LEN(m->options) + 2 + 2 * PROC_OPTS] = {0};
    auto_strv char **words = (m->flags & PROC) ? proc_words(k) : NULL;
    char shm[32], gid[16];
    size_t n = 0;
    bool group =
        m->ns == CLONE_NEWCGROUP && k->plan->c->systemd && !is_hosts(k, m); /* systemd makes groups in its own */
    bool ro = (m->flags & READ_ONLY) && !k->plan->c->privileged && !group;
    if (is_hosts(k, m))
        return clone_host(m, ro ? MOUNT_ATTR_RDONLY : 0, ret_fd);
    for (; m->options[n]; n++)
        options[n] = m->options[n];
    if ((m->flags & GID5) && idmap_has_gid(k->plan->map, 5)) {
        snprintf(gid, sizeof gid, "%u", seen_gid(k, 5));
        options[n++] = "gid";
        options[n++] = gid;
    }
    if (m->flags & SHM) {
        int64_t size = k->plan->c->shm_size;
        snprintf(shm, sizeof shm, "%lld", size ? (long long)size : 64LL << 20);
        options[n++] = "size";
        options[n++] = shm;
    }
    strv_foreach (word, words)
        options[n++] = word;
    int r = mnt_new(m->type, m->attrs | (ro ? MOUNT_ATTR_RDONLY : 0), options, ret_fd);
    if (r != -EPERM || !(m->flags & HOST_IF_REFUSED))
        return r;
    k->host_sys = true;
    return clone_host(m, MOUNT_ATTR_RDONLY, ret_fd);
}

static int mount_one_base(struct child *k, const struct base_mount *m)
{
    auto_close int mnt = (m->flags & SHM) ? take_fd(&k->shm_fd) : -1;
    if ((m->flags & SHM) && k->plan->c->ipc && str_eq(k->plan->c->ipc, "none"))
        return 0;
    int r = mnt >= 0 ? 0 : make_base(k, m, &mnt);
    if (r == 0)
        r = attach_base(k, mnt, m->target);
    if (r == 0 && (m->flags & DEV))
        r = fill_dev(k, mnt);
    bool host_lacks = r == -ENOENT && is_hosts(k, m);
    if (r < 0 && ((m->flags & OPTIONAL) || host_lacks)) {
        err_clear();
        return 0;
    }
    return r < 0 ? err_wrap(r, "cannot mount /%s", m->target) : 0;
}

int child_mount_base(struct child *k)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(base_mounts) && r == 0; i++)
        r = mount_one_base(k, &base_mounts[i]);
    return r;
}

static const struct volume_kind {
    const char *type;
    int (*make)(struct child *k, const struct ctr_mount *m, int *ret_fd, bool *ret_directory);
} volume_kinds[] = {
    {"bind", child_volume_bind},   {"volume", child_volume_named},  {"tmpfs", child_volume_tmpfs},
    {"image", child_volume_image}, {"devpts", child_volume_devpts}, {"ramfs", child_volume_tmpfs},
};

/* The image may have made a link of what the user called a path: what is checked is where it leads. */
int child_attach(struct child *k, int mnt, const char *path, bool directory)
{
    auto_close int fd = -1;
    struct statfs fs;
    int r = target(k, path, directory, &fd);
    if (r == 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC)
        r = err_set(-EPERM, "the path leads below /proc of the container");
    return r < 0 ? r : mnt_attach(mnt, fd);
}

static int mount_volume(struct child *k, const struct ctr_mount *m)
{
    for (size_t i = 0; i < ARRAY_LEN(volume_kinds); i++) {
        if (!str_eq(m->type, volume_kinds[i].type))
            continue;
        auto_close int mnt = -1;
        bool directory = true;
        int r = volume_kinds[i].make(k, m, &mnt, &directory);
        if (r == 0)
            r = child_attach(k, mnt, m->target, directory);
        return r < 0 ? err_wrap(r, "cannot mount %s at %s", m->source ? m->source : m->type, m->target) : 0;
    }
    return err_set(-EINVAL, "mounts of type %s are not known", m->type);
}

int child_mount_volumes(struct child *k)
{
    const struct rec_list *list = &k->plan->c->mounts;
    const struct ctr_mount *mounts = list->items;
    int r = 0;
    for (size_t i = 0; i < list->n && r == 0; i++)
        r = mount_volume(k, &mounts[i]);
    return r;
}

/* --dns none, --no-hosts: the image's own stays. */
static bool leaves_image(const struct ctr *c, const char *file)
{
    return (str_eq(file, "hostname") && c->no_hostname) || (str_eq(file, "resolv.conf") && strv_has(c->dns, "none")) ||
           (str_eq(file, "hosts") && c->hosts_file && str_eq(c->hosts_file, "image"));
}

/* The script of a build step: in /dev, where it leaves nothing in the layer. */
static int mount_script(struct child *k)
{
    auto_free char *path = xasprintf("/dev/pipes/%s", k->plan->script);
    auto_close int mnt = -1;
    int r = mnt_clone(k->dir_fd, "script", false, &mnt);
    if (r == 0)
        r = mnt_attrs(mnt, SAFE | MOUNT_ATTR_RDONLY, 0, false);
    return r < 0 ? r : attach_at(k, mnt, path, false);
}

/* The file by which programs see that they are in a container (CV-79): empty, as any place for a mount. It is not put
 * into a directory of the host or a volume. */
static void mark_container(struct child *k)
{
    const struct rec_list *list = &k->plan->c->mounts;
    const struct ctr_mount *mounts = list->items;
    auto_close int fd = -1;
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(mounts[i].target, "/run") && !str_eq(mounts[i].type, "tmpfs"))
            return;
    if (target(k, CTR_MARK, false, &fd) < 0) /* the image has another idea of /run */
        err_clear();
}

/* What whelk writes for each container lies over what the image has; the user's own mounts win. */
int child_mount_files(struct child *k)
{
    static const char *const files[][2] = {
        {"resolv.conf", "/etc/resolv.conf"}, {"hosts", "/etc/hosts"}, {"hostname", "/etc/hostname"}};
    const struct rec_list *list = &k->plan->c->mounts;
    const struct ctr_mount *mounts = list->items;
    int r = 0;
    for (size_t i = 0; k->plan->inject && i < ARRAY_LEN(files) && r == 0; i++) {
        bool taken = leaves_image(k->plan->c, files[i][0]);
        for (size_t j = 0; j < list->n; j++)
            taken = taken || str_eq(mounts[j].target, files[i][1]);
        auto_close int mnt = -1;
        if (taken)
            continue;
        r = mnt_clone(k->dir_fd, files[i][0], false, &mnt);
        if (r == 0)
            r = mnt_attrs(mnt, SAFE_DATA | (k->plan->c->read_only ? MOUNT_ATTR_RDONLY : 0), 0, false);
        if (r == 0)
            r = attach_at(k, mnt, files[i][1], false);
    }
    if (r == 0 && k->plan->inject)
        mark_container(k);
    return r == 0 && k->plan->script ? mount_script(k) : r;
}

/* Masked: files by /dev/null, directories by an empty read-only tmpfs (SECURITY 2.3). */
static const char *const masked[] = {
    "proc/acpi",          "proc/asound",      "proc/config.gz",   "proc/interrupts",     "proc/kallsyms",
    "proc/kcore",         "proc/keys",        "proc/kpagecgroup", "proc/kpagecount",     "proc/kpageflags",
    "proc/latency_stats", "proc/modules",     "proc/sched_debug", "proc/scsi",           "proc/slabinfo",
    "proc/timer_list",    "proc/timer_stats", "proc/vmallocinfo", "sys/dev/block",       "sys/devices/virtual/powercap",
    "sys/firmware",       "sys/fs/selinux",   "sys/kernel/debug", "sys/kernel/security", "sys/kernel/tracing",
};

static const char *const readonly_paths[] = {"proc/bus",      "proc/fs",  "proc/irq",
                                             "proc/pressure", "proc/sys", "proc/sysrq-trigger"};

void run_hidden_paths(const struct ctr *c, char ***ret_masked, char ***ret_readonly)
{
    for (size_t i = 0; i < ARRAY_LEN(masked) && !c->unmask; i++)
        strv_addf(ret_masked, "/%s", masked[i]);
    for (size_t i = 0; i < ARRAY_LEN(readonly_paths) && !c->unmask; i++)
        strv_addf(ret_readonly, "/%s", readonly_paths[i]);
}

/* The one empty tmpfs that covers all masked directories. */
struct mask {
    int empty;
    bool attached;
};

/* --security-opt unmask=: a path, or a pattern of paths. */
static bool is_unmasked(const struct child *k, const char *path)
{
    strv_foreach (pattern, k->plan->c->unmasks)
        if (fnmatch(pattern + 1, path, FNM_PATHNAME) == 0)
            return true;
    return false;
}

static int mask_one(struct child *k, const char *path, struct mask *mask)
{
    if (is_unmasked(k, path))
        return 0;
    int *empty = &mask->empty;
    bool *attached = &mask->attached;
    auto_close int place = open_in_root(k->root_fd, path, O_PATH, 0), mnt = -1;
    struct stat st;
    if (place == -ENOENT || place == -ENOTDIR)
        return 0; /* this kernel does not have it */
    int r = place < 0 ? place : fstat(place, &st) < 0 ? -errno : 0;
    if (r < 0)
        return err_set(r, "cannot mask /%s: %s", path, strerror(-r));
    if (S_ISDIR(st.st_mode) && *empty < 0)
        r = mnt_new("tmpfs", SAFE_DATA | MOUNT_ATTR_RDONLY, (const char *const[]){"size", "0", "nr_inodes", "1", NULL},
                    empty);
    /* The first directory gets the tmpfs itself: a mount that is never attached costs an RCU grace period (1 ms) when
     * it is closed. */
    bool first = r == 0 && S_ISDIR(st.st_mode) && !*attached;
    if (r == 0 && !first)
        r = mnt_clone(S_ISDIR(st.st_mode) ? *empty : k->null_fd, "", false, &mnt);
    if (r == 0 && !S_ISDIR(st.st_mode))
        r = mnt_attrs(mnt, DEVICE | MOUNT_ATTR_RDONLY, 0, false);
    if (r == 0)
        r = mnt_attach(first ? *empty : mnt, place);
    *attached = *attached || first;
    return r < 0 ? err_wrap(r, "cannot mask /%s", path) : 0;
}

static int make_readonly(struct child *k, const char *path)
{
    if (is_unmasked(k, path))
        return 0;
    auto_close int place = open_in_root(k->root_fd, path, O_PATH, 0), mnt = -1;
    if (place == -ENOENT || place == -ENOTDIR)
        return 0;
    if (place < 0)
        return err_set(place, "cannot make /%s read-only: %s", path, strerror(-place));
    int r = mnt_clone(place, "", true, &mnt);
    if (r == 0)
        r = mnt_attrs(mnt, MOUNT_ATTR_RDONLY | SAFE_DATA, 0, true);
    if (r == 0)
        r = mnt_attach(mnt, place);
    return r < 0 ? err_wrap(r, "cannot make /%s read-only", path) : 0;
}

/* The processors' throttle counters are one directory each. */
static int mask_throttle(struct child *k, struct mask *mask)
{
    glob_t found = {0};
    int r = 0;
    if (glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle", GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
            r = mask_one(k, found.gl_pathv[i] + 1, mask);
    globfree(&found);
    return r;
}

int child_mask(struct child *k)
{
    struct mask mask = {.empty = -1};
    int r = 0;
    strv_foreach (path, k->plan->c->masks)
        r = r < 0 ? r : mask_one(k, path + 1, &mask);
    if (r < 0 || k->plan->c->unmask) {
        fd_close(mask.empty);
        return r;
    }
    for (size_t i = 0; i < ARRAY_LEN(readonly_paths) && r == 0; i++)
        r = make_readonly(k, readonly_paths[i]);
    for (size_t i = 0; i < ARRAY_LEN(masked) && r == 0; i++)
        r = mask_one(k, masked[i], &mask);
    if (r == 0 && k->host_sys)
        r = mask_one(k, "sys/kernel", &mask);
    if (r == 0)
        r = mask_throttle(k, &mask);
    fd_close(mask.empty);
    return r;
}

int child_enter_root(struct child *k)
{
    int r = k->plan->c->read_only ? mnt_attrs(k->root_fd, MOUNT_ATTR_RDONLY, 0, false) : 0;
    return r < 0 ? r : mnt_pivot(k->root_fd);
}
