/* The value of --mount: comma-separated KEY=VALUE fields, quoted as in CSV files, to what -v says in its own way. */
#include "spec.h"

#include "whelk/err.h"
#include "whelk/units.h"

/* ---- fields ---- */

static int split_fields(const struct mount_ask *a, char ***ret)
{
    if (strv_split_csv(a->spec, ret) == 0)
        return 0;
    return err_set(-EINVAL, "--mount %s: quotes go around a whole field, as in '\"source=/a,b\",target=/c'", a->spec);
}

/* ---- keys ---- */

enum { BIND = 1, VOLUME = 2, TMPFS = 4, IMAGE = 8, GLOB = 16, DEVPTS = 32, RAMFS = 64 };
enum {
    PATHS = BIND | GLOB,
    TREE = PATHS | VOLUME,
    MEMORY = TMPFS | RAMFS,
    FILES = TREE | MEMORY | IMAGE,
    ALL = FILES | DEVPTS
};

static int set_source(struct mount_ask *a, const char *value)
{
    free(a->source);
    a->source = *value ? xstrdup(value) : NULL;
    return 0;
}

static int set_target(struct mount_ask *a, const char *value)
{
    free(a->target);
    a->target = xstrdup(value);
    return 0;
}

static int set_subpath(struct mount_ask *a, const char *value)
{
    auto_strv char **parts = strv_split(value, "/");
    if (*value == '/' || strv_has(parts, ".."))
        return err_set(-EINVAL, "--mount %s: subpath is a path in the volume, without .. and without a slash in front",
                       a->spec);
    free(a->subpath);
    a->subpath = *value ? xstrdup(value) : NULL;
    return 0;
}

static int set_propagation(struct mount_ask *a, const char *value)
{
    strv_add(&a->options, value);
    return 0;
}

static int set_relabel(struct mount_ask *a, const char *value)
{
    if (!str_eq(value, "shared") && !str_eq(value, "private"))
        return err_set(-EINVAL, "--mount %s: relabel is shared or private", a->spec);
    strv_add(&a->options, *value == 's' ? "z" : "Z");
    return 0;
}

static int set_size(struct mount_ask *a, const char *value)
{
    uint64_t bytes;
    int r = size_parse(value, &bytes);
    if (r < 0)
        return err_wrap(r, "--mount %s", a->spec);
    strv_addf(&a->options, "size=%llu", (unsigned long long)bytes);
    return 0;
}

static int set_mode(struct mount_ask *a, const char *value)
{
    if (!*value || value[strspn(value, "01234567")])
        return err_set(-EINVAL, "--mount %s: a mode is an octal number", a->spec);
    strv_addf(&a->options, "mode=%s", value);
    return 0;
}

/* Numbers of devpts, checked with those of -v. */
static int set_uid(struct mount_ask *a, const char *value)
{
    strv_addf(&a->options, "uid=%s", value);
    return 0;
}

static int set_gid(struct mount_ask *a, const char *value)
{
    strv_addf(&a->options, "gid=%s", value);
    return 0;
}

static int set_max(struct mount_ask *a, const char *value)
{
    strv_addf(&a->options, "max=%s", value);
    return 0;
}

/* Podman's maps in the value are those of one mount alone. */
static int set_idmap(struct mount_ask *a, const char *value)
{
    if (!str_eq(value, "true") && !str_eq(value, "false"))
        return err_set(-EOPNOTSUPP,
                       "--mount %s: whelk maps a mount as --userns maps the container, and has no map of its "
                       "own for it: write idmap alone",
                       a->spec);
    if (*value == 't')
        strv_add(&a->options, "idmap");
    return 0;
}

static int set_driver(struct mount_ask *a, const char *value)
{
    return str_eq(value, "local") ? 0 : err_set(-EINVAL, "--mount %s: the only volume driver is local", a->spec);
}

static int set_nothing(struct mount_ask *a, const char *value)
{
    return 0;
}

/* Either a function takes the value, or it is true or false and stands for an option. */
static const struct mount_key {
    const char *names;
    unsigned kinds;
    int (*set)(struct mount_ask *a, const char *value);
    const char *yes, *no;
} mount_keys[] = {
    {"type", ALL, set_nothing, NULL, NULL},
    {"source;src", TREE | IMAGE, set_source, NULL, NULL},
    {"target;destination;dest;dst", ALL, set_target, NULL, NULL},
    {"readonly;ro", FILES, NULL, "ro", "rw"},
    {"rw", TREE | MEMORY, NULL, "rw", "ro"},
    {"exec", TREE | MEMORY, NULL, "exec", "noexec"},
    {"noexec", TREE | MEMORY, NULL, "noexec", "exec"},
    {"suid", TREE | MEMORY, NULL, "suid", "nosuid"},
    {"nosuid", TREE | MEMORY, NULL, "nosuid", "suid"},
    {"dev", TREE | MEMORY, NULL, "dev", "nodev"},
    {"nodev", TREE | MEMORY, NULL, "nodev", "dev"},
    {"bind-propagation", PATHS, set_propagation, NULL, NULL},
    {"bind-nonrecursive", PATHS, NULL, "bind", "rbind"},
    {"idmap", PATHS, set_idmap, NULL, NULL},
    {"relabel", TREE, set_relabel, NULL, NULL},
    {"U;chown", TREE, NULL, "U", ""},
    {"volume-nocopy;nocopy", VOLUME, NULL, "nocopy", "copy"},
    {"volume-subpath;subpath", VOLUME, set_subpath, NULL, NULL},
    {"volume-driver", VOLUME, set_driver, NULL, NULL},
    {"tmpfs-size", TMPFS, set_size, NULL, NULL},
    {"tmpfs-mode", MEMORY, set_mode, NULL, NULL},
    {"mode", DEVPTS | RAMFS, set_mode, NULL, NULL},
    {"uid", DEVPTS, set_uid, NULL, NULL},
    {"gid", DEVPTS, set_gid, NULL, NULL},
    {"max", DEVPTS, set_max, NULL, NULL},
    {"tmpcopyup", MEMORY, NULL, "tmpcopyup", "notmpcopyup"},
    {"notmpcopyup", MEMORY, NULL, "notmpcopyup", "tmpcopyup"},
    {"consistency", ALL, set_nothing, NULL, NULL}, /* of other systems; nothing to do here */
};

static unsigned kind_bit(const char *type)
{
    static const char *const types[] = {"bind", "volume", "tmpfs", "image", "glob", "devpts", "ramfs"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(type, types[i]))
            return 1u << i;
    return 0;
}

static const struct mount_key *find_key(const char *name, unsigned kind)
{
    for (size_t i = 0; i < ARRAY_LEN(mount_keys); i++) {
        auto_strv char **names = strv_split(mount_keys[i].names, ";");
        if ((mount_keys[i].kinds & kind) && strv_has(names, name))
            return &mount_keys[i];
    }
    return NULL;
}

static int unknown_key(const struct mount_ask *a, const char *name, unsigned kind)
{
    auto_buf struct buf known = {0};
    for (size_t i = 0; i < ARRAY_LEN(mount_keys); i++)
        if (mount_keys[i].kinds & kind)
            buf_addf(&known, " %.*s", (int)strcspn(mount_keys[i].names, ";"), mount_keys[i].names);
    return err_set(-EINVAL, "--mount %s: \"%s\" is not known for type=%s; known:%s", a->spec, name, a->type,
                   known.data);
}

static int set_bool(struct mount_ask *a, const struct mount_key *key, const char *value)
{
    bool yes = !value || str_eq(value, "true") || str_eq(value, "1"),
         no = value && (str_eq(value, "false") || str_eq(value, "0"));
    if (!yes && !no)
        return err_set(-EINVAL, "--mount %s: \"%s\" is neither true nor false", a->spec, value);
    const char *option = yes ? key->yes : key->no;
    if (*option)
        strv_add(&a->options, option);
    return 0;
}

static int apply_field(struct mount_ask *a, const char *field, unsigned kind)
{
    auto_free char *name = xstrndup(field, strcspn(field, "="));
    const char *eq = strchr(field, '=');
    const struct mount_key *key = find_key(name, kind);
    if (!key)
        return unknown_key(a, name, kind);
    if (!key->set)
        return set_bool(a, key, eq ? eq + 1 : NULL);
    if (!eq && key->set == set_idmap)
        return set_idmap(a, "true");
    return eq ? key->set(a, eq + 1) : err_set(-EINVAL, "--mount %s: %s needs a value", a->spec, name);
}

/* type decides which keys there are, wherever it stands. */
int spec_parse_mount(struct mount_ask *a)
{
    auto_strv char **fields = NULL;
    int r = split_fields(a, &fields);
    if (r < 0)
        return r;
    const char *type = strv_env_get(fields, "type");
    a->type = xstrdup(type ? type : "volume");
    unsigned kind = kind_bit(a->type);
    if (!kind)
        return err_set(-EINVAL, "--mount %s: mounts of type \"%s\" are not known; " MOUNT_TYPES, a->spec, a->type);
    strv_foreach (field, fields)
        r = r < 0 ? r : apply_field(a, field, kind);
    if (r == 0 && str_empty(a->target) && kind != GLOB)
        r = err_set(-EINVAL, "--mount %s: target= is missing", a->spec);
    return r;
}
