/* From what a user typed and what an image says to the record of a container: pure planning, nothing is changed; env
 * files are read, and the records that --volumes-from and --mount type=image name. Only config.{Env, Cmd, Entrypoint,
 * WorkingDir, User, Volumes, ExposedPorts, StopSignal, Labels} of the image are looked at (H6). */
#include "ns.h"
#include "spec.h"

#include "whelk/err.h"
#include "whelk/proc.h"
#include "whelk/units.h"

#include <sched.h>
#include <sys/stat.h>

/* --entrypoint: a word, or a JSON array; given at all, it clears the image's CMD. */
static int parse_entrypoint(const char *text, char ***ret)
{
    if (*text != '[') {
        if (*text)
            strv_add(ret, text);
        return 0;
    }
    auto_json json_t *array = NULL;
    int r = json_parse("JSON array", text, strlen(text), &array);
    if (r == 0)
        r = json_to_strv(array, ret);
    return r < 0 ? err_wrap(r, "--entrypoint %s", text) : 0;
}

static int make_args(const struct run_options *o, const struct image_config *config, char *const *command,
                     struct ctr *c)
{
    int r = 0;
    if (o->entrypoint)
        r = parse_entrypoint(o->entrypoint, &c->args);
    else
        c->args = image_config_strv(config, "Entrypoint");
    if (r < 0)
        return r;
    c->n_entrypoint = (int64_t)strv_len(c->args);
    auto_strv char **cmd = command && *command ? strv_copy(command)
                           : o->entrypoint     ? NULL
                                               : image_config_strv(config, "Cmd");
    strv_extend(&c->args, cmd);
    if (!strv_len(c->args))
        return c->rootfs
                   ? err_set(-EINVAL, "--rootfs: no image says what to run; give a command after %s", c->rootfs)
                   : err_set(-EINVAL, "image %s says no command to run; give one after the image's name", c->image_ref);
    return 0;
}

static int add_pairs(const char *option, char *const *pairs, char ***to)
{
    strv_foreach (pair, pairs) {
        auto_free char *key = xstrndup(pair, strcspn(pair, "="));
        const char *eq = strchr(pair, '=');
        if (!*key)
            return err_set(-EINVAL, "--%s %s has no key; write KEY=VALUE", option, pair);
        strv_env_set(to, key, eq ? eq + 1 : "");
    }
    return 0;
}

static int make_labels(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    auto_strv char **lines = NULL;
    int r = 0;
    c->labels = image_config_map(config, "Labels");
    strv_foreach (file, o->label_files)
        r = r < 0 ? r : spec_read_lines("label", file, &lines);
    if (r == 0)
        r = add_pairs("label-file", lines, &c->labels);
    if (r == 0)
        r = add_pairs("label", o->labels, &c->labels);
    return r < 0 ? r : add_pairs("annotation", o->annotations, &c->annotations);
}

static const struct {
    size_t offset; /* in struct refused_words */
    const char *name, *fine, *way_out;
} refused[] = {
#define REFUSED(field, name, arg, fine, way_out) {offsetof(struct refused_words, field), name, fine, way_out},
#include "whelk/refused-options.def"
#undef REFUSED
};

int spec_check_refused(const struct run_options *o)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const char *word = *(char *const *)((const char *)&o->refused + refused[i].offset);
        if (word && (!refused[i].fine || !str_eq(word, refused[i].fine)))
            return err_set(-EOPNOTSUPP, "--%s: %s", refused[i].name, refused[i].way_out);
    }
    return 0;
}

/* A host name is a label or dotted labels (RFC 1123); 64 bytes is the kernel's limit. */
static int make_hostname(const struct run_options *o, struct ctr *c)
{
    char own[65] = "";
    const char *name = o->hostname;
    if (!name && str_eq(c->network, "host") && gethostname(own, sizeof own - 1) == 0)
        name = own;
    if (name && (strlen(name) > 64 || !*name ||
                 name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")]))
        return err_set(-EINVAL, "--hostname %s: letters, digits, dots and dashes, at most 64", name);
    c->hostname = name ? xstrdup(name) : xstrndup(c->id, ID_SHORT);
    c->no_hostname = o->no_hostname;
    if (o->domainname && (!*o->domainname || strlen(o->domainname) > 64))
        return err_set(-EINVAL, "--domainname %s: 1 to 64 characters", o->domainname);
    if (o->domainname && ctr_ns_kind(c, CLONE_NEWUTS) != NS_OWN)
        return err_set(-EINVAL, "--domainname would change more than this container: --uts is not private");
    c->domainname = o->domainname ? xstrdup(o->domainname) : NULL;
    return 0;
}

static int make_stop(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    const char *signal = o->stop_signal ? o->stop_signal : image_config_str(config, "StopSignal");
    int number;
    c->stop_signal = xstrdup(!str_empty(signal) ? signal : c->systemd ? "SIGRTMIN+3" : "SIGTERM");
    c->stop_timeout = o->stop_timeout;
    if (c->stop_timeout < -1)
        return err_set(-EINVAL, "--stop-timeout %lld: seconds, or -1 to wait for ever", (long long)c->stop_timeout);
    int r = signal_parse(c->stop_signal, &number);
    return r < 0 ? err_wrap(r, "%s", o->stop_signal ? "--stop-signal" : "the image's STOPSIGNAL") : 0;
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
    c->cwd = str_empty(cwd) ? xstrdup("/") : spec_clean_path(cwd);
    c->user = xstrdup(user ? user : "");
    c->tty = o->tty;
    c->open_stdin = o->interactive;
    c->auto_remove = o->rm;
    c->init = o->init;
    c->read_only = o->read_only;
    c->exposed_ports = image_config_set_keys(config, "ExposedPorts");
    c->cid_file = o->cidfile ? realpath(o->cidfile, NULL) : NULL;
}

/* Is the command an init system? Then it gets what it expects; always: whatever the command is called. */
static int make_systemd(const struct run_options *o, struct ctr *c)
{
    static const char *const names[] = {"/sbin/init", "/usr/sbin/init",       "/usr/local/sbin/init",
                                        "systemd",    "/lib/systemd/systemd", "/usr/lib/systemd/systemd",
                                        "init"};
    const char *when = o->systemd ? o->systemd : "true";
    if (!str_eq(when, "true") && !str_eq(when, "false") && !str_eq(when, "always"))
        return err_set(-EINVAL, "--systemd %s is not known; known: true, false, always", when);
    c->systemd = str_eq(when, "always");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        c->systemd = c->systemd || (str_eq(when, "true") && str_eq(c->args[0], names[i]));
    if (!c->systemd)
        return 0;
    auto_free char *uuid = xasprintf("%.8s-%.4s-%.4s-%.4s-%.12s", c->id, c->id + 8, c->id + 12, c->id + 16, c->id + 20);
    strv_env_set(&c->env, "container_uuid", uuid);
    return 0;
}

static int make_all(const struct store *s, const struct run_options *o, const struct image_config *config,
                    char *const *command, struct ctr *c)
{
    int r = spec_check_refused(o);
    if (r == 0)
        r = make_name(o, c);
    if (r == 0 && o->workdir && *o->workdir != '/')
        r = err_set(-EINVAL, "--workdir %s: the working directory must be an absolute path", o->workdir);
    if (r < 0)
        return r;
    make_basics(o, config, c);
    r = spec_make_network(s, o, c);
    if (r == 0)
        r = spec_make_namespaces(s, o, c);
    if (r == 0)
        r = make_hostname(o, c);
    if (r == 0)
        r = spec_make_env(o, config, c);
    if (r == 0)
        r = make_args(o, config, command, c);
    if (r == 0)
        r = make_systemd(o, c);
    if (r == 0)
        r = spec_make_process(o, c);
    if (r == 0)
        r = spec_make_mounts(s, o, config, c);
    if (r == 0)
        r = spec_make_secrets(s, o, c);
    if (r == 0)
        r = spec_make_security(o, c);
    if (r == 0)
        r = spec_make_life(o, config, c);
    if (r == 0)
        r = spec_limits(&o->limits, &c->limits);
    if (r == 0)
        r = spec_make_cgroups(o, c);
    if (r == 0)
        r = spec_make_start(s, o, c);
    if (r == 0)
        r = make_labels(o, config, c);
    return r < 0 ? r : make_stop(o, config, c);
}

int spec_make(const struct store *s, const struct run_options *o, const char *image_id, const char *image_ref,
              const struct image_config *config, char *const *layers, char *const *command, struct ctr *ret)
{
    struct ctr c = {.image = xstrdup(image_id), .image_ref = xstrdup(image_ref), .layers = strv_copy(layers)};
    int r = make_all(s, o, config, command, &c);
    if (r < 0)
        ctr_done(&c);
    else
        *ret = c;
    return r;
}

/* DIR, or DIR:O for an overlay on it; the name of the directory may have colons too. */
static int parse_rootfs(const struct store *s, const char *word, struct ctr *c)
{
    size_t len = strlen(word);
    struct stat st;
    const char *idmap = strstr(word, ":idmap");
    if (idmap && (!idmap[6] || idmap[6] == '='))
        return err_set(
            -EOPNOTSUPP,
            "--rootfs %s: the owners of a directory are shown as they are; whelk import makes an image of it, "
            "which any --userns can have",
            word);
    c->rootfs_overlay = len > 2 && str_eq(word + len - 2, ":O");
    auto_free char *dir = xstrndup(word, c->rootfs_overlay ? len - 2 : len);
    c->rootfs = realpath(dir, NULL);
    if (!c->rootfs)
        return err_sys("--rootfs %s: DIR or DIR:O", word);
    if (stat(c->rootfs, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(-ENOTDIR, "--rootfs %s is no directory; an archive becomes an image by whelk import", dir);
    auto_free char *store = realpath(s->path, NULL);
    const char *below = store ? str_after(store, c->rootfs) : NULL;
    if (c->rootfs_overlay && below && (!*below || *below == '/' || str_eq(c->rootfs, "/")))
        return err_set(
            -EINVAL, "--rootfs %s: whelk's store is in this directory, and so the changes cannot be kept apart from it",
            word);
    c->image_ref = xstrdup(c->rootfs);
    return 0;
}

int spec_make_rootfs(const struct store *s, const struct run_options *o, const char *word, char *const *command,
                     struct ctr *ret)
{
    struct ctr c = {0};
    struct image_config config;
    image_config_new(&config);
    int r = parse_rootfs(s, word, &c);
    if (r == 0)
        r = make_all(s, o, &config, command, &c);
    if (r == 0 && (c.idmap || spec_wants_ids(&c)))
        r = err_set(-EINVAL, "--rootfs %s: the owners of a directory are shown as they are, for --userns host only",
                    word);
    image_config_done(&config);
    if (r < 0)
        ctr_done(&c);
    else
        *ret = c;
    return r;
}
