/* What a container's processes start with: resource limits, groups, kernel parameters, shared memory, devices, time
 * zone. */
#include "ns.h"
#include "spec.h"
#include "ulimit.h"

#include "whelk/err.h"
#include "whelk/units.h"

#include <pwd.h>
#include <sched.h>
#include <sys/stat.h>

int spec_change_ulimits(char *const *words, struct ctr *c)
{
    strv_foreach (word, words) {
        struct ulimit u;
        int r = ulimit_parse(word, &u);
        if (r < 0)
            return r;
        auto_free char *name = xstrndup(word, strcspn(word, "="));
        strv_env_set(&c->ulimits, name, strchr(word, '=') + 1);
    }
    return 0;
}

static int make_shm(const struct run_options *o, struct ctr *c)
{
    uint64_t bytes = 0;
    int r = o->shm_size ? size_parse(o->shm_size, &bytes) : 0;
    c->shm_size = (int64_t)bytes;
    if (r == 0 && o->shm_size && bytes == 0)
        r = err_set(-EINVAL, "--shm-size must be more than 0");
    return r < 0 ? err_wrap(r, "--shm-size") : 0;
}

static int make_oom(const struct run_options *o, struct ctr *c)
{
    int64_t score;
    if (!o->oom_score_adj)
        return 0;
    if (!str_to_i64(o->oom_score_adj, &score) || score < -1000 || score > 1000)
        return err_set(-EINVAL, "--oom-score-adj %s is not a number from -1000 to 1000", o->oom_score_adj);
    c->oom_score_adj = xstrdup(o->oom_score_adj);
    return 0;
}

/* Only what belongs to a namespace of the container's own may be set (SECURITY 2.7); / and . both separate. */
static int check_sysctl(const char *key, const struct ctr *c)
{
    static const char *const ipc_keys =
        "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni "
        "kernel.shm_rmid_forced";
    auto_strv char **known = strv_split(ipc_keys, " ");
    bool ipc = strv_has(known, key) || str_after(key, "fs.mqueue.");
    bool net = str_after(key, "net.") != NULL, uts = str_eq(key, "kernel.domainname");
    if (strstr(key, "..") || key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
        return err_set(-EINVAL, "--sysctl %s is not the name of a kernel parameter", key);
    if (!ipc && !net && !uts)
        return err_set(
            -EINVAL,
            "--sysctl %s is not of a container's own namespaces; known: net.*, fs.mqueue.*, kernel.domainname, %s", key,
            ipc_keys);
    if ((net && ctr_ns_kind(c, CLONE_NEWNET) != NS_OWN) || (ipc && ctr_ns_kind(c, CLONE_NEWIPC) != NS_OWN) ||
        (uts && ctr_ns_kind(c, CLONE_NEWUTS) != NS_OWN))
        return err_set(-EINVAL, "--sysctl %s would change more than this container: the namespace is not its own", key);
    return 0;
}

static int make_sysctls(const struct run_options *o, struct ctr *c)
{
    strv_foreach (word, o->sysctls) {
        const char *eq = strchr(word, '=');
        auto_free char *key = xstrndup(word, eq ? (size_t)(eq - word) : 0);
        for (char *p = key; *p; p++)
            *p = *p == '/' ? '.' : *p;
        int r = eq ? check_sysctl(key, c) : err_set(-EINVAL, "--sysctl %s: write NAME=VALUE", word);
        if (r < 0)
            return r;
        strv_env_set(&c->sysctls, key, eq + 1);
    }
    return 0;
}

/* HOST[:CONTAINER[:PERMISSIONS]]: a bind of the node, with what the caller may do with it. */
static int add_device(const char *spec, struct ctr *c)
{
    auto_strv char **fields = strv_split(spec, ":");
    struct stat st;
    size_t n = strv_len(fields);
    if (spec_is_cdi(spec)) /* the steps of a build come here with it */
        return err_set(-EOPNOTSUPP, "--device %s: a build takes devices of the host only, as HOST[:CONTAINER[:rwm]]",
                       spec);
    if (n < 1 || n > 3 || *fields[0] != '/')
        return err_set(-EINVAL, "--device %s: write HOST[:CONTAINER[:rwm]] or VENDOR/CLASS=NAME", spec);
    const char *permissions = n == 3 ? fields[2] : n == 2 && *fields[1] != '/' ? fields[1] : "rwm";
    const char *target = n > 1 && *fields[1] == '/' ? fields[1] : fields[0];
    if (stat(fields[0], &st) < 0)
        return err_sys("--device %s: cannot look at %s", spec, fields[0]);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_set(-EINVAL, "--device %s: %s is not a device", spec, fields[0]);
    if (permissions[strspn(permissions, "rwm")] || !strchr(permissions, 'r') || !strchr(permissions, 'w'))
        return err_set(
            -EINVAL, "--device %s: permissions other than rw and rwm cannot be had without a device controller", spec);
    struct ctr_mount *m = rec_list_add(&ctr_mount_rec, &c->mounts);
    m->type = xstrdup("bind");
    m->source = xstrdup(fields[0]);
    m->target = spec_clean_path(target);
    strv_add(&m->options, "dev");
    strv_add(&m->options, "noexec");
    return 0;
}

/* TZ is understood by libc through the image's own zone files; "local" is the host's zone. */
static int make_time_zone(const struct run_options *o, struct ctr *c)
{
    char link[256];
    if (!o->tz)
        return 0;
    const char *zone = o->tz;
    ssize_t n = str_eq(zone, "local") ? readlink("/etc/localtime", link, sizeof link - 1) : 0;
    link[MAX(n, 0)] = 0;
    char *name = n > 0 ? strstr(link, "zoneinfo/") : NULL;
    if (str_eq(zone, "local"))
        zone = name ? name + strlen("zoneinfo/") : "UTC";
    if (strstr(zone, "..") || *zone == '/')
        return err_set(-EINVAL, "--tz %s is not the name of a time zone", zone);
    strv_env_set(&c->env, "TZ", zone);
    return 0;
}

/* keep-groups, as an option or as crun's annotation: those of the caller stay, and no others can be had. */
static int make_groups(const struct run_options *o, struct ctr *c)
{
    bool keep = strv_has(o->group_add, "keep-groups"),
         noted = strv_has(o->annotations, "run.oci.keep_original_groups=1");
    if (keep && strv_len(o->group_add) > 1)
        return err_set(-EINVAL, "--group-add keep-groups goes with no other --group-add");
    c->keep_groups = keep || (noted && !o->group_add);
    c->groups = keep ? NULL : strv_copy(o->group_add);
    return 0;
}

static int make_umask(const struct run_options *o, struct ctr *c)
{
    if (!o->umask)
        return 0;
    if (!*o->umask || strlen(o->umask) > 4 || o->umask[strspn(o->umask, "01234567")] ||
        strtol(o->umask, NULL, 8) > 0777)
        return err_set(-EINVAL, "--umask %s is not an octal number up to 0777", o->umask);
    c->umask = xstrdup(o->umask);
    return 0;
}

static int make_personality(const struct run_options *o, struct ctr *c)
{
    if (!o->personality || str_eq(o->personality, "LINUX"))
        return 0;
    if (!str_eq(o->personality, "LINUX32"))
        return err_set(-EINVAL, "--personality %s is not known; known: LINUX, LINUX32", o->personality);
    c->personality = xstrdup(o->personality);
    return 0;
}

/* Lines of this machine's users; and of the caller, who has his own id inside (keep-id). */
static int make_users(const struct run_options *o, struct ctr *c)
{
    c->no_passwd = !o->passwd;
    c->passwd_entry = xstrdup(o->passwd_entry);
    c->group_entry = xstrdup(o->group_entry);
    strv_foreach (name, o->host_users) {
        const struct passwd *pw = getpwnam(name);
        if (!pw)
            return err_set(-ENOENT, "--hostuser %s: this machine has no such user", name);
        strv_addf(&c->host_users, "%s:x:%u:%u:%s:%s:%s", pw->pw_name, pw->pw_uid, pw->pw_gid, pw->pw_gecos, pw->pw_dir,
                  pw->pw_shell);
    }
    const struct passwd *self =
        !o->passwd_entry && c->userns && str_after(c->userns, "keep-id") ? getpwuid(getuid()) : NULL;
    if (self)
        c->passwd_entry = xasprintf("%s:x:$UID:$GID:%s:$HOME:/bin/sh", self->pw_name, self->pw_gecos);
    return 0;
}

int spec_make_step_process(const struct run_options *o, struct ctr *c)
{
    int r = spec_change_ulimits(o->ulimits, c);
    if (r == 0)
        r = make_shm(o, c);
    strv_foreach (device, o->devices)
        r = r < 0 ? r : add_device(device, c);
    return r;
}

int spec_make_process(const struct run_options *o, struct ctr *c)
{
    int r = spec_change_ulimits(o->ulimits, c);
    if (r == 0)
        r = make_shm(o, c);
    if (r == 0)
        r = make_oom(o, c);
    if (r == 0)
        r = make_sysctls(o, c);
    strv_foreach (device, o->devices)
        r = r < 0 || spec_is_cdi(device) ? r : add_device(device, c);
    if (r == 0)
        r = make_groups(o, c);
    if (r == 0)
        r = make_umask(o, c);
    if (r == 0)
        r = make_personality(o, c);
    if (r == 0)
        r = make_users(o, c);
    return r < 0 ? r : make_time_zone(o, c);
}
