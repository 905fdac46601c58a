/* From what a user typed and what an image says to the record of a container: pure planning, nothing is touched but env files.
 * Only config.{Env, Cmd, Entrypoint, WorkingDir, User, ExposedPorts, StopSignal, Labels} of the image are looked at (H6). */
#include "whelk/run.h"

#include "whelk/caps.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/units.h"

#include <fcntl.h>

extern char **environ;

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* NAME* takes all of whelk's own variables that start so. */
static void env_wildcard(const char *word, char ***env)
{
    size_t n = strlen(word) - 1;
    strv_foreach(e, environ)
    {
        if (strncmp(e, word, n) != 0)
            continue;
        auto_free char *name = xstrndup(e, strcspn(e, "="));
        strv_env_set(env, name, strchr(e, '=') + 1);
    }
}

int spec_env(char *const *words, char ***env)
{
    strv_foreach(word, words)
    {
        const char *eq = strchr(word, '=');
        if (eq == word || !*word)
            return err_set(-EINVAL, "environment variable \"%s\" has no name; write -e NAME=value without blanks around =", word);
        if (eq) {
            auto_free char *name = xstrndup(word, (size_t)(eq - word));
            strv_env_set(env, name, eq + 1);
        } else if (str_ends(word, "*")) {
            env_wildcard(word, env);
        } else if (getenv(word)) {
            strv_env_set(env, word, getenv(word));
        }
    }
    return 0;
}

static int env_file(const char *file, char ***env)
{
    auto_free char *text = NULL;
    int r = file_read(AT_FDCWD, file, 1 << 20, &text, NULL);
    if (r < 0)
        return err_set(r, "cannot read the environment file %s: %s", file, strerror(-r));
    auto_strv char **lines = strv_split(text, "\r\n"), **words = NULL;
    strv_foreach(line, lines)
    {
        const char *start = line + strspn(line, " \t");
        if (*start && *start != '#')
            strv_add(&words, start);
    }
    r = spec_env(words, env);
    return r < 0 ? err_wrap(r, "%s", file) : 0;
}

int spec_env_files(char *const *files, char ***env)
{
    int r = 0;
    strv_foreach(file, files)
        if (r == 0)
            r = env_file(file, env);
    return r;
}

static int make_env(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    c->env = image_config_strv(config, "Env");
    if (!strv_env_get(c->env, "PATH"))
        strv_env_set(&c->env, "PATH", default_path);
    if (o->tty && !strv_env_get(c->env, "TERM"))
        strv_env_set(&c->env, "TERM", "xterm");
    strv_env_set(&c->env, "container", "whelk");
    strv_env_set(&c->env, "HOSTNAME", c->hostname);
    int r = spec_env_files(o->env_files, &c->env);
    return r < 0 ? r : spec_env(o->env, &c->env);
}

/* --entrypoint: a word, or a JSON array; given at all, it clears the image's CMD. */
static int parse_entrypoint(const char *text, char ***ret)
{
    if (*text != '[') {
        if (*text)
            strv_add(ret, text);
        return 0;
    }
    auto_json json_t *array = NULL;
    int r = json_parse("--entrypoint", text, strlen(text), &array);
    return r < 0 ? r : json_to_strv(array, ret);
}

static int make_args(const struct run_options *o, const struct image_config *config, char *const *command, struct ctr *c)
{
    int r = 0;
    if (o->entrypoint)
        r = parse_entrypoint(o->entrypoint, &c->args);
    else
        c->args = image_config_strv(config, "Entrypoint");
    if (r < 0)
        return r;
    c->n_entrypoint = (int64_t)strv_len(c->args);
    auto_strv char **cmd = command && *command ? strv_copy(command) : o->entrypoint ? NULL : image_config_strv(config, "Cmd");
    strv_extend(&c->args, cmd);
    if (!strv_len(c->args))
        return err_set(-EINVAL, "image %s says no command to run; give one after the image's name", c->image_ref);
    return 0;
}

/* "//usr//x/" is "/usr/x"; ".." has no place in a container's path as typed. Caller frees. */
static char *clean_path(const char *path)
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
    m->target = clean_path(fields[1]);
    m->options = take_ptr(&options);
    return 0;
}

static const char tmpfs_flags[] = "ro rw exec noexec suid nosuid dev nodev";
static const char tmpfs_keys[] = "size mode nr_inodes uid gid";

static int check_tmpfs_option(const char *spec, const char *option)
{
    auto_strv char **flags = strv_split(tmpfs_flags, " "), **keys = strv_split(tmpfs_keys, " ");
    auto_free char *key = xstrndup(option, strcspn(option, "="));
    if (strchr(option, '=') ? strv_has(keys, key) : strv_has(flags, option))
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
    m->target = clean_path(target);
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
static int make_mounts(const struct run_options *o, struct ctr *c)
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

/* --security-opt, a row each. value: what follows = or :, or NULL. */
static int opt_no_new_privileges(struct ctr *c, const char *value)
{
    if (value && !str_eq(value, "true") && !str_eq(value, "false"))
        return err_set(-EINVAL, "--security-opt no-new-privileges takes true or false, not \"%s\"", value);
    c->no_new_privs = !value || str_eq(value, "true");
    return 0;
}

static int opt_seccomp(struct ctr *c, const char *value)
{
    if (str_empty(value))
        return err_set(-EINVAL, "--security-opt seccomp= takes unconfined or the path of a JSON profile");
    free(c->seccomp);
    c->seccomp = str_eq(value, "unconfined") ? xstrdup(value) : realpath(value, NULL);
    return c->seccomp ? 0 : err_sys("--security-opt seccomp=%s: cannot read the profile", value);
}

static int opt_nested(struct ctr *c, const char *value)
{
    c->nested = true;
    return value ? err_set(-EINVAL, "--security-opt nested takes no value") : 0;
}

static int opt_unmask(struct ctr *c, const char *value)
{
    if (!value || (!str_eq(value, "ALL") && !str_eq(value, "all") && !str_eq(value, "unconfined")))
        return err_set(-EINVAL, "--security-opt unmask takes ALL; single paths are not known to this version");
    c->unmask = true;
    return 0;
}

static int opt_label(struct ctr *c, const char *value)
{
    if (value && str_eq(value, "disable"))
        return 0; /* no label is ever set */
    return err_set(-EOPNOTSUPP, "--security-opt label: this version sets no SELinux labels; only label=disable is known");
}

static int opt_apparmor(struct ctr *c, const char *value)
{
    if (value && str_eq(value, "unconfined"))
        return 0; /* no profile is ever set */
    return err_set(-EOPNOTSUPP, "--security-opt apparmor: this version sets no AppArmor profile; only apparmor=unconfined is known");
}

static const struct security_option {
    const char *name;
    int (*set)(struct ctr *c, const char *value);
} security_options[] = {
    {"no-new-privileges", opt_no_new_privileges}, {"seccomp", opt_seccomp}, {"nested", opt_nested},
    {"unmask", opt_unmask}, {"systempaths", opt_unmask}, {"label", opt_label}, {"apparmor", opt_apparmor},
};

static int add_security_option(const char *word, struct ctr *c)
{
    size_t n = strcspn(word, "=:");
    const char *value = word[n] ? word + n + 1 : NULL;
    for (size_t i = 0; i < ARRAY_LEN(security_options); i++)
        if (strlen(security_options[i].name) == n && strncmp(word, security_options[i].name, n) == 0)
            return security_options[i].set(c, value);
    return err_set(-EINVAL, "--security-opt %s is not known; known: no-new-privileges, seccomp=unconfined|FILE, nested, unmask=ALL, "
                            "label=disable, apparmor=unconfined", word);
}

static int make_security(const struct run_options *o, struct ctr *c)
{
    uint64_t caps = 0, adds = 0;
    c->privileged = o->privileged;
    if (o->privileged) {
        c->unmask = true;
        c->seccomp = xstrdup("unconfined");
    }
    int r = caps_compute(o->privileged ? caps_all() : caps_default(), o->cap_add, o->cap_drop, &caps);
    if (r == 0)
        r = caps_compute(0, o->cap_add, o->cap_drop, &adds);
    strv_foreach(word, o->security_opts)
        r = r < 0 ? r : add_security_option(word, c);
    c->cap_bounding = c->cap_effective = (int64_t)caps;
    c->cap_ambient = (int64_t)(adds & caps);
    return r;
}

static int make_labels(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    c->labels = image_config_map(config, "Labels");
    strv_foreach(label, o->labels)
    {
        auto_free char *key = xstrndup(label, strcspn(label, "="));
        const char *eq = strchr(label, '=');
        if (!*key)
            return err_set(-EINVAL, "--label %s has no key; write KEY=VALUE", label);
        strv_env_set(&c->labels, key, eq ? eq + 1 : "");
    }
    return 0;
}

static int make_network(const struct run_options *o, struct ctr *c)
{
    static const char *const modes[] = {"private", "none", "host", NULL};
    const char *mode = o->network ? o->network : "private";
    for (size_t i = 0; modes[i]; i++)
        if (str_eq(mode, modes[i])) {
            c->network = xstrdup(mode);
            return 0;
        }
    return err_set(-EINVAL, "--network %s is not known to this version; known: private, none, host", mode);
}

/* A host name is a label or dotted labels (RFC 1123); 64 bytes is the kernel's limit. */
static int make_hostname(const struct run_options *o, struct ctr *c)
{
    char own[65] = "";
    const char *name = o->hostname;
    if (!name && str_eq(c->network, "host") && gethostname(own, sizeof own - 1) == 0)
        name = own;
    if (name && (strlen(name) > 64 || !*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")]))
        return err_set(-EINVAL, "--hostname %s: letters, digits, dots and dashes, at most 64", name);
    c->hostname = name ? xstrdup(name) : xstrndup(c->id, ID_SHORT);
    return 0;
}

static int make_stop(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    const char *signal = o->stop_signal ? o->stop_signal : image_config_str(config, "StopSignal");
    int number;
    c->stop_signal = xstrdup(str_empty(signal) ? "SIGTERM" : signal);
    c->stop_timeout = o->stop_timeout;
    return signal_parse(c->stop_signal, &number);
}

static int make_name(const struct run_options *o, struct ctr *c)
{
    char id[ID_LEN + 1];
    id_new(id);
    c->id = xstrdup(id);
    c->name = o->name ? xstrdup(o->name) : id_random_name();
    return name_check("container", c->name);
}

static void make_basics(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    const char *cwd = o->workdir ? o->workdir : image_config_str(config, "WorkingDir");
    const char *user = o->user ? o->user : image_config_str(config, "User");
    c->created = time_now();
    c->cwd = str_empty(cwd) ? xstrdup("/") : clean_path(cwd);
    c->user = xstrdup(user ? user : "");
    c->tty = o->tty;
    c->open_stdin = o->interactive;
    c->auto_remove = o->rm;
    c->init = o->init;
    c->read_only = o->read_only;
    c->exposed_ports = image_config_set_keys(config, "ExposedPorts");
    c->cid_file = o->cidfile ? realpath(o->cidfile, NULL) : NULL;
}

static int make_all(const struct run_options *o, const struct image_config *config, char *const *command, struct ctr *c)
{
    int r = make_name(o, c);
    if (r == 0 && o->workdir && *o->workdir != '/')
        r = err_set(-EINVAL, "--workdir %s: the working directory must be an absolute path", o->workdir);
    if (r < 0)
        return r;
    make_basics(o, config, c);
    r = make_network(o, c);
    if (r == 0)
        r = make_hostname(o, c);
    if (r == 0)
        r = make_env(o, config, c);
    if (r == 0)
        r = make_args(o, config, command, c);
    if (r == 0)
        r = make_mounts(o, c);
    if (r == 0)
        r = make_security(o, c);
    if (r == 0)
        r = make_labels(o, config, c);
    return r < 0 ? r : make_stop(o, config, c);
}

int spec_make(const struct store *s, const struct run_options *o, const char *image_id, const char *image_ref,
              const struct image_config *config, char *const *layers, char *const *command, struct ctr *ret)
{
    struct ctr c = {.image = xstrdup(image_id), .image_ref = xstrdup(image_ref), .layers = strv_copy(layers)};
    int r = make_all(o, config, command, &c);
    if (r < 0)
        ctr_done(&c);
    else
        *ret = c;
    return r;
}
