/* Mounts of a container: -v, --tmpfs, and those that --read-only brings. */
#include "spec.h"

#include "whelk/err.h"

/* "//usr//x/" is "/usr/x"; ".." has no place in a container's path as typed. Caller frees. */
char *spec_clean_path(const char *path)
{
    auto_strv char **parts = strv_split(path, "/");
    auto_buf struct buf out = {0};
    strv_foreach(part, parts)
        if (!str_eq(part, "."))
            buf_addf(&out, "/%s", part);
    return out.len ? buf_take(&out) : xstrdup("/");
}

/* Where nothing of the user's may lie: what a container's kernel interfaces are. */
static int check_target(const char *flag, const char *spec, const char *target)
{
    if (*target != '/')
        return err_set(-EINVAL, "%s %s: the path in the container, \"%s\", is not absolute", flag, spec, target);
    auto_strv char **parts = strv_split(target, "/");
    if (strv_has(parts, ".."))
        return err_set(-EINVAL, "%s %s: the path in the container may not hold ..", flag, spec);
    if (!strv_len(parts))
        return err_set(-EINVAL, "%s %s: the root of the container cannot be mounted over", flag, spec);
    if (str_eq(parts[0], "proc"))
        return err_set(-EINVAL, "%s %s: nothing may be mounted below /proc of a container", flag, spec);
    return 0;
}

static const char volume_options[] = "ro rw z Z bind rbind private rprivate exec noexec suid nosuid dev nodev";

static int check_volume_options(const char *spec, char *const *options)
{
    auto_strv char **known = strv_split(volume_options, " ");
    strv_foreach(option, options)
    {
        if (!strv_has(known, option))
            return err_set(-EINVAL, "-v %s: read as HOST:CONTAINER:OPTIONS, \"%s\" is not an option; known: %s", spec, option, volume_options);
        if ((str_eq(option, "z") || str_eq(option, "Z")) && access("/sys/fs/selinux/enforce", F_OK) == 0)
            return err_set(-EOPNOTSUPP, "-v %s: this version does not relabel for SELinux", spec);
    }
    return 0;
}

static int host_path(const char *spec, const char *source, char **ret)
{
    if (*source != '/' && *source != '.' && *source != '~')
        return err_set(-EINVAL, "-v %s: this version has no named volumes; \"%s\" is not a path, write ./%s or an absolute one", spec, source, source);
    char *real = realpath(source, NULL);
    if (!real && errno == ENOENT)
        return err_set(-ENOENT, "-v %s: %s does not exist on the host; make it first: mkdir -p %s", spec, source, source);
    if (!real)
        return err_sys("-v %s: cannot use %s", spec, source);
    *ret = real;
    return 0;
}

/* [HOST:]CONTAINER[:OPTIONS], fields kept when empty. More fields are a slip, such as a Windows path (S-009). */
static int add_volume(const char *spec, struct ctr *c)
{
    char *fields[4] = {0};
    auto_free char *copy = xstrdup(spec);
    size_t n = 0;
    for (char *rest = copy, *f; (f = strsep(&rest, ":")) && n < 4;)
        fields[n++] = f;
    if (n > 3 || n < 2 || !*fields[0])
        return err_set(-EINVAL, "-v %s: read as %zu%s fields between colons; write HOST:CONTAINER or HOST:CONTAINER:OPTIONS", spec, n, n > 3 ? " or more" : "");
    auto_free char *source = NULL;
    auto_strv char **options = fields[2] ? strv_split(fields[2], ",") : NULL;
    int r = check_target("-v", spec, fields[1]);
    if (r == 0)
        r = check_volume_options(spec, options);
    if (r == 0)
        r = host_path(spec, fields[0], &source);
    if (r < 0)
        return r;
    struct ctr_mount *m = rec_list_add(&ctr_mount_rec, &c->mounts);
    m->type = xstrdup("bind");
    m->source = take_ptr(&source);
    m->target = spec_clean_path(fields[1]);
    m->options = take_ptr(&options);
    return 0;
}

static const char tmpfs_flags[] = "ro rw exec noexec suid nosuid dev nodev";
static const char tmpfs_keys[] = "size mode nr_inodes uid gid";

/* What the kernel would refuse only when the container starts: mode is octal, sizes and counts may end in k, m, g, a size in %. */
static bool tmpfs_number(const char *key, const char *value)
{
    bool mode = str_eq(key, "mode"), size = str_eq(key, "size");
    size_t digits = strspn(value, mode ? "01234567" : "0123456789");
    const char *units = size ? "kKmMgG%" : str_eq(key, "nr_inodes") ? "kKmMgG" : "";
    const char *rest = value + digits;
    return digits && (!*rest || (strchr(units, *rest) && !rest[1]));
}

static int check_tmpfs_option(const char *spec, const char *option)
{
    auto_strv char **flags = strv_split(tmpfs_flags, " "), **keys = strv_split(tmpfs_keys, " ");
    auto_free char *key = xstrndup(option, strcspn(option, "="));
    const char *eq = strchr(option, '=');
    if (eq && strv_has(keys, key) && !tmpfs_number(key, eq + 1))
        return err_set(-EINVAL, "--tmpfs %s: \"%s\" is no number that %s takes", spec, eq + 1, key);
    if (eq ? strv_has(keys, key) : strv_has(flags, option))
        return 0;
    return err_set(-EINVAL, "--tmpfs %s: \"%s\" is not an option; known: %s %s", spec, option, tmpfs_flags, tmpfs_keys);
}

/* CONTAINER[:OPTIONS]. */
static int add_tmpfs(const char *spec, struct ctr *c)
{
    auto_free char *target = xstrndup(spec, strcspn(spec, ":"));
    const char *colon = strchr(spec, ':');
    auto_strv char **options = colon ? strv_split(colon + 1, ",") : NULL;
    int r = check_target("--tmpfs", spec, target);
    strv_foreach(option, options)
        r = r < 0 ? r : check_tmpfs_option(spec, option);
    if (r < 0)
        return r;
    struct ctr_mount *m = rec_list_add(&ctr_mount_rec, &c->mounts);
    m->type = xstrdup("tmpfs");
    m->target = spec_clean_path(target);
    m->options = take_ptr(&options);
    return 0;
}

static bool mounted_over(const struct ctr *c, const char *target)
{
    const struct ctr_mount *mounts = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++)
        if (str_eq(mounts[i].target, target))
            return true;
    return false;
}

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct ctr_mount *)a)->target, ((const struct ctr_mount *)b)->target);
}

/* Sorted, so that what lies deeper is mounted later. */
int spec_make_mounts(const struct run_options *o, struct ctr *c)
{
    static const char *const writable[] = {"/run", "/tmp", "/var/tmp"};
    int r = 0;
    strv_foreach(spec, o->volumes)
        r = r < 0 ? r : add_volume(spec, c);
    strv_foreach(spec, o->tmpfs)
        r = r < 0 ? r : add_tmpfs(spec, c);
    /* As podman does: a read-only root still has its places for scratch files. */
    for (size_t i = 0; c->read_only && r == 0 && i < ARRAY_LEN(writable); i++)
        if (!mounted_over(c, writable[i]))
            r = add_tmpfs(writable[i], c);
    if (r < 0)
        return r;
    struct ctr_mount *mounts = c->mounts.items;
    if (c->mounts.n)
        qsort(mounts, c->mounts.n, sizeof *mounts, compare_targets);
    for (size_t i = 1; i < c->mounts.n; i++)
        if (str_eq(mounts[i - 1].target, mounts[i].target))
            return err_set(-EINVAL, "two mounts at %s", mounts[i].target);
    return 0;
}
