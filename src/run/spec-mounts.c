/* Mounts of a container: -v, --mount, --tmpfs, --volumes-from, the image's VOLUMEs, and those that --read-only brings.
 */
#include "spec.h"

#include "whelk/err.h"
#include "whelk/id.h"
#include "whelk/image.h"
#include "whelk/store.h"
#include "whelk/units.h"

#include <glob.h>

void mount_ask_done(struct mount_ask *a)
{
    free(a->type);
    free(a->source);
    free(a->target);
    free(a->subpath);
    strv_free(a->options);
    *a = (struct mount_ask){0};
}

/* "//usr//x/" is "/usr/x"; ".." has no place in a container's path as typed. Caller frees. */
char *spec_clean_path(const char *path)
{
    auto_strv char **parts = strv_split(path, "/");
    auto_buf struct buf out = {0};
    strv_foreach (part, parts)
        if (!str_eq(part, "."))
            buf_addf(&out, "/%s", part);
    return out.len ? buf_take(&out) : xstrdup("/");
}

/* Where nothing of the user's may lie: what a container's kernel interfaces are. */
static int check_target(const struct mount_ask *a)
{
    if (*a->target != '/')
        return err_set(-EINVAL, "%s %s: the path in the container, \"%s\", is not absolute", a->flag, a->spec,
                       a->target);
    auto_strv char **parts = strv_split(a->target, "/");
    if (strv_has(parts, ".."))
        return err_set(-EINVAL, "%s %s: the path in the container may not hold ..", a->flag, a->spec);
    auto_free char *clean = spec_clean_path(a->target);
    if (str_eq(clean, "/"))
        return err_set(-EINVAL, "%s %s: the root of the container cannot be mounted over", a->flag, a->spec);
    if (str_eq(clean, "/proc") || str_after(clean, "/proc/"))
        return err_set(-EINVAL, "%s %s: nothing may be mounted below /proc of a container", a->flag, a->spec);
    return 0;
}

/* ---- options ---- */

enum { BIND = 1, VOLUME = 2, TMPFS = 4, IMAGE = 8, DEVPTS = 16, RAMFS = 32, TREE = BIND | VOLUME };
enum { MEMORY = TMPFS | RAMFS };
enum group { ANY, ACCESS, EXEC, SUID, DEV, DEPTH, PROPAGATION, LABEL, COPY };

/* Of a group only one may be given. */
static const struct mount_option {
    const char *name;
    unsigned kinds;
    enum group group;
    bool value; /* NAME=value */
} mount_options[] = {
    {"ro", TREE | MEMORY | IMAGE, ACCESS, false},
    {"rw", TREE | MEMORY, ACCESS, false},
    {"idmap", BIND, ANY, false},
    {"z", TREE, LABEL, false},
    {"Z", TREE, LABEL, false},
    {"U", TREE, ANY, false},
    {"copy", VOLUME, COPY, false},
    {"nocopy", VOLUME, COPY, false},
    {"bind", BIND, DEPTH, false},
    {"rbind", BIND, DEPTH, false},
    {"private", TREE, PROPAGATION, false},
    {"rprivate", TREE, PROPAGATION, false},
    {"shared", TREE, PROPAGATION, false},
    {"rshared", TREE, PROPAGATION, false},
    {"slave", TREE, PROPAGATION, false},
    {"rslave", TREE, PROPAGATION, false},
    {"exec", TREE | MEMORY, EXEC, false},
    {"noexec", TREE | MEMORY, EXEC, false},
    {"suid", TREE | MEMORY, SUID, false},
    {"nosuid", TREE | MEMORY, SUID, false},
    {"dev", TREE | MEMORY, DEV, false},
    {"nodev", TREE | MEMORY, DEV, false},
    {"tmpcopyup", MEMORY, COPY, false},
    {"notmpcopyup", MEMORY, COPY, false},
    {"size", TMPFS, ANY, true},
    {"mode", MEMORY | DEVPTS, ANY, true},
    {"nr_inodes", TMPFS, ANY, true},
    {"uid", TMPFS | DEVPTS, ANY, true},
    {"gid", TMPFS | DEVPTS, ANY, true},
    {"max", DEVPTS, ANY, true},
};

static const struct mount_option *find_option(const char *text, unsigned kind)
{
    size_t len = strcspn(text, "=");
    for (size_t i = 0; i < ARRAY_LEN(mount_options); i++) {
        const struct mount_option *o = &mount_options[i];
        if ((o->kinds & kind) && strlen(o->name) == len && strncmp(o->name, text, len) == 0 &&
            o->value == (text[len] == '='))
            return o;
    }
    return NULL;
}

static int unknown_option(const struct mount_ask *a, unsigned kind, const char *option)
{
    auto_buf struct buf known = {0};
    for (size_t i = 0; i < ARRAY_LEN(mount_options); i++)
        if (mount_options[i].kinds & kind)
            buf_addf(&known, " %s", mount_options[i].name);
    return err_set(-EINVAL, "%s %s: %s\"%s\" is not an option; known:%s", a->flag, a->spec,
                   str_eq(a->flag, "-v") ? "read as HOST:CONTAINER:OPTIONS, " : "", option, known.data);
}

/* What the kernel would refuse only when the container starts: mode is octal, sizes and counts may end in k, m, g, a
 * size in %. */
static int check_number(const struct mount_ask *a, const char *option)
{
    const char *value = strchr(option, '=') + 1;
    bool size = str_after(option, "size=") != NULL;
    const char *units = size ? "kKmMgG%" : str_after(option, "nr_inodes=") ? "kKmMgG" : "";
    size_t digits = strspn(value, str_after(option, "mode=") ? "01234567" : "0123456789");
    const char *rest = value + digits;
    if (digits && (!*rest || (strchr(units, *rest) && !rest[1])))
        return 0;
    return err_set(-EINVAL, "%s %s: \"%s\" is no number that %.*s takes", a->flag, a->spec, value,
                   (int)strcspn(option, "="), option);
}

static int check_options(const struct mount_ask *a, unsigned kind)
{
    const char *seen[COPY + 1] = {0};
    strv_foreach (option, a->options) {
        const struct mount_option *o = find_option(option, kind);
        if (!o)
            return unknown_option(a, kind, option);
        int r = o->value ? check_number(a, option) : 0;
        if (r < 0)
            return r;
        if (o->group == LABEL && access("/sys/fs/selinux/enforce", F_OK) == 0)
            return err_set(-EOPNOTSUPP, "%s %s: this version does not relabel for SELinux", a->flag, a->spec);
        if (o->group != ANY && seen[o->group] && !str_eq(seen[o->group], option))
            return err_set(-EINVAL, "%s %s: %s and %s cannot both be", a->flag, a->spec, seen[o->group], option);
        seen[o->group] = option;
    }
    return 0;
}

/* ---- kinds ---- */

/* Only root may have the kernel show other owners, and only who has other ids than the host needs it. */
static int check_idmap(const struct store *s, const struct mount_ask *a)
{
    if (!strv_has(a->options, "idmap") || idmap_none(&s->map))
        return 0;
    return err_set(-EPERM,
                   "%s %s: only root may have files shown with other owners; --userns keep-id makes yours those of a "
                   "user in the container, and option U gives them to its user",
                   a->flag, a->spec);
}

static int find_host_path(const struct store *s, const struct mount_ask *a, struct ctr_mount *m)
{
    int r = check_idmap(s, a);
    if (r < 0)
        return r;
    if (str_empty(a->source))
        return err_set(-EINVAL, "%s %s: a bind mount needs a source", a->flag, a->spec);
    m->source = realpath(a->source, NULL);
    if (!m->source && errno == ENOENT)
        return err_set(-ENOENT, "%s %s: %s does not exist on the host; make it first: mkdir -p %s", a->flag, a->spec,
                       a->source, a->source);
    return m->source ? 0 : err_sys("%s %s: cannot use %s", a->flag, a->spec, a->source);
}

static int name_volume(const struct store *s, const struct mount_ask *a, struct ctr_mount *m)
{
    char id[ID_LEN + 1];
    if (str_empty(a->source)) {
        id_new(id);
        m->source = xstrdup(id);
        m->anonymous = true;
        return 0;
    }
    if (name_check("volume", a->source) < 0)
        return err_set(-EINVAL,
                       "%s %s: \"%s\" is no name of a volume; if a path is meant, write ./%s or an absolute one",
                       a->flag, a->spec, a->source, a->source);
    m->source = xstrdup(a->source);
    return 0;
}

static int no_source(const struct store *s, const struct mount_ask *a, struct ctr_mount *m)
{
    return a->source ? err_set(-EINVAL, "%s %s: a %s has no source", a->flag, a->spec, a->type) : 0;
}

static int find_image(const struct store *s, const struct mount_ask *a, struct ctr_mount *m)
{
    auto_free char *id = NULL;
    struct image image = {0};
    if (str_empty(a->source))
        return err_set(-EINVAL, "%s %s: an image mount needs a source", a->flag, a->spec);
    int r = image_find(s, a->source, &id, NULL);
    if (r == 0)
        r = image_load(s, id, &image);
    if (r < 0)
        return err_wrap(r, "%s %s", a->flag, a->spec);
    m->source = xstrdup(a->source);
    m->layers = take_ptr(&image.layers);
    image_done(&image);
    return 0;
}

static const struct kind {
    const char *type;
    unsigned bit;
    int (*resolve)(const struct store *s, const struct mount_ask *a, struct ctr_mount *m);
} kinds[] = {
    {"bind", BIND, find_host_path}, {"volume", VOLUME, name_volume}, {"tmpfs", TMPFS, no_source},
    {"image", IMAGE, find_image},   {"devpts", DEVPTS, no_source},   {"ramfs", RAMFS, no_source},
};

int spec_add_mount(const struct store *s, struct mount_ask *a, struct ctr *c)
{
    const struct kind *kind = NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(a->type, kinds[i].type))
            kind = &kinds[i];
    if (!kind)
        return err_set(-EINVAL, "%s %s: mounts of type \"%s\" are not known; " MOUNT_TYPES, a->flag, a->spec, a->type);
    struct ctr_mount m = {0};
    int r = check_target(a);
    if (r == 0)
        r = check_options(a, kind->bit);
    if (r == 0)
        r = kind->resolve(s, a, &m);
    if (r < 0)
        return r;
    m.type = xstrdup(kind->type);
    m.target = spec_clean_path(a->target);
    m.subpath = take_ptr(&a->subpath);
    m.options = take_ptr(&a->options);
    *(struct ctr_mount *)rec_list_add(&ctr_mount_rec, &c->mounts) = m;
    return 0;
}

/* type=glob: a bind for each path of the host that the pattern fits, below the target or, without one, at its own path.
 */
static int add_glob(const struct store *s, const struct mount_ask *a, struct ctr *c)
{
    glob_t found = {0};
    int r = str_empty(a->source) ? err_set(-EINVAL, "%s %s: a glob mount needs a source", a->flag, a->spec) : 0;
    if (r == 0 && (glob(a->source, 0, NULL, &found) != 0 || !found.gl_pathc))
        r = err_set(-ENOENT, "%s %s: no path of the host is like %s", a->flag, a->spec, a->source);
    for (size_t i = 0; i < found.gl_pathc && r == 0; i++) {
        auto_free char *path = realpath(found.gl_pathv[i], NULL);
        const char *name = strrchr(found.gl_pathv[i], '/');
        auto_with(mount_ask_done) struct mount_ask one = {.flag = a->flag,
                                                          .spec = a->spec,
                                                          .type = xstrdup("bind"),
                                                          .source = xstrdup(found.gl_pathv[i]),
                                                          .options = strv_copy(a->options)};
        one.target = a->target ? xasprintf("%s/%s", a->target, name ? name + 1 : found.gl_pathv[i]) : take_ptr(&path);
        r = one.target ? spec_add_mount(s, &one, c) : err_sys("%s %s: cannot use %s", a->flag, a->spec, one.source);
    }
    globfree(&found);
    return r;
}

/* ---- the flags ---- */

/* [SOURCE:]CONTAINER[:OPTIONS], fields kept when empty. More fields are a slip, such as a Windows path (S-009). */
static int parse_volume(struct mount_ask *a)
{
    char *fields[4] = {0};
    auto_free char *copy = xstrdup(a->spec);
    size_t n = 0;
    for (char *rest = copy, *f; n < ARRAY_LEN(fields) && (f = strsep(&rest, ":"));)
        fields[n++] = f;
    if (n > 3 || !*fields[0])
        return err_set(
            -EINVAL,
            "-v %s: read as %zu%s fields between colons; write [HOST|NAME:]CONTAINER or HOST:CONTAINER:OPTIONS",
            a->spec, n, n > 3 ? " or more" : "");
    bool path = n > 1 && strchr("/.~", *fields[0]);
    a->type = xstrdup(path ? "bind" : "volume");
    a->source = n > 1 ? xstrdup(fields[0]) : NULL;
    a->target = xstrdup(n > 1 ? fields[1] : fields[0]);
    a->options = fields[2] ? strv_split(fields[2], ",") : NULL;
    return 0;
}

/* CONTAINER[:OPTIONS]. */
static int parse_tmpfs(struct mount_ask *a)
{
    const char *colon = strchr(a->spec, ':');
    a->type = xstrdup("tmpfs");
    a->target = xstrndup(a->spec, strcspn(a->spec, ":"));
    a->options = colon ? strv_split(colon + 1, ",") : NULL;
    return 0;
}

static int add_flag(const struct store *s, const char *flag, const char *spec, int (*parse)(struct mount_ask *a),
                    struct ctr *c)
{
    auto_with(mount_ask_done) struct mount_ask a = {.flag = flag, .spec = spec};
    int r = parse(&a);
    if (r < 0)
        return r;
    return str_eq(a.type, "glob") ? add_glob(s, &a, c) : spec_add_mount(s, &a, c);
}

static int add_flags(const struct store *s, const char *flag, char *const *specs, int (*parse)(struct mount_ask *a),
                     struct ctr *c)
{
    int r = 0;
    strv_foreach (spec, specs)
        r = r < 0 ? r : add_flag(s, flag, spec, parse, c);
    return r;
}

static struct ctr_mount *mounted_at(const struct ctr *c, const char *target)
{
    struct ctr_mount *mounts = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++)
        if (str_eq(mounts[i].target, target))
            return &mounts[i];
    return NULL;
}

/* ---- --volumes-from ---- */

/* A copy of m with the words of --volumes-from in place of its own of the same group. */
static void copy_mount(const struct ctr_mount *m, char *const *words, struct ctr_mount *ret)
{
    *ret = (struct ctr_mount){.type = xstrdup(m->type),
                              .source = xstrdup(m->source),
                              .target = xstrdup(m->target),
                              .subpath = xstrdup(m->subpath),
                              .layers = strv_copy(m->layers),
                              .anonymous = m->anonymous};
    bool access = strv_has(words, "ro") || strv_has(words, "rw");
    strv_foreach (option, m->options)
        if (!access || (!str_eq(option, "ro") && !str_eq(option, "rw")))
            strv_add(&ret->options, option);
    strv_foreach (word, words)
        if (!str_eq(m->type, "image"))
            strv_add(&ret->options, word);
}

/* What is named later wins over what is named earlier; what the other flags say (the first n_own) over both. */
static void inherit(const struct ctr *other, char *const *words, size_t n_own, struct ctr *c)
{
    const struct ctr_mount *theirs = other->mounts.items;
    for (size_t i = 0; i < other->mounts.n; i++) {
        if (str_eq(theirs[i].type, "tmpfs"))
            continue;
        struct ctr_mount *there = mounted_at(c, theirs[i].target);
        if (there && (size_t)(there - (struct ctr_mount *)c->mounts.items) < n_own)
            continue;
        if (there)
            rec_done(&ctr_mount_rec, there);
        copy_mount(&theirs[i], words, there ? there : rec_list_add(&ctr_mount_rec, &c->mounts));
    }
}

static int add_volumes_from(const struct store *s, const char *spec, size_t n_own, struct ctr *c)
{
    static const char *const known[] = {"ro", "rw", "z", "Z"};
    auto_free char *name = xstrndup(spec, strcspn(spec, ":")), *id = NULL;
    auto_strv char **words = spec[strlen(name)] ? strv_split(spec + strlen(name) + 1, ",") : NULL;
    strv_foreach (word, words) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found = found || str_eq(word, known[i]);
        if (!found)
            return err_set(-EINVAL, "--volumes-from %s: \"%s\" is not an option; known: ro rw z Z", spec, word);
    }
    struct ctr other = {0};
    int r = ctr_find(s, name, &id);
    if (r == 0)
        r = ctr_load(s, id, &other);
    if (r < 0)
        return err_wrap(r, "--volumes-from %s", spec);
    inherit(&other, words, n_own, c);
    ctr_done(&other);
    return 0;
}

/* ---- what the image brings ---- */

/* The places come from the image: they are paths in its own tree, and go through the same checks as those of flags. */
static int add_image_volumes(const struct store *s, const struct run_options *o, const struct image_config *config,
                             struct ctr *c)
{
    const char *how = o->image_volume ? o->image_volume : "anonymous";
    bool volume = str_eq(how, "anonymous") || str_eq(how, "bind"), tmpfs = str_eq(how, "tmpfs");
    if (!volume && !tmpfs && !str_eq(how, "ignore"))
        return err_set(-EINVAL, "--image-volume %s is not known; known: anonymous, tmpfs, ignore", how);
    auto_strv char **targets = volume || tmpfs ? image_config_set_keys(config, "Volumes") : NULL;
    int r = 0;
    strv_foreach (target, targets) {
        auto_free char *clean = spec_clean_path(target);
        if (mounted_at(c, clean))
            continue;
        auto_with(mount_ask_done) struct mount_ask a = {.flag = "the image's VOLUME",
                                                        .spec = target,
                                                        .type = xstrdup(volume ? "volume" : "tmpfs"),
                                                        .target = xstrdup(target)};
        r = spec_add_mount(s, &a, c);
        if (r < 0)
            return err_wrap(r, "--image-volume ignore leaves it out");
    }
    return 0;
}

/* As podman does: a read-only root still has its places for scratch files. */
static int add_scratch(const struct store *s, struct ctr *c)
{
    static const char *const writable[] = {"/run", "/tmp", "/var/tmp"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(writable); i++)
        if (!mounted_at(c, writable[i]))
            r = add_flag(s, "--read-only", writable[i], parse_tmpfs, c);
    return r;
}

/* Where systemd as the command wants to write, whatever the image has there. */
static int add_systemd(const struct store *s, const struct run_options *o, struct ctr *c)
{
    static const char *const writable[][2] = {
        {"/run", ":exec"}, {"/run/lock", ":noexec"}, {"/tmp", ":exec"}, {"/var/log/journal", ":noexec"}};
    uint64_t bytes = 0;
    int r = o->shm_size_systemd ? size_parse(o->shm_size_systemd, &bytes) : 0;
    if (r < 0)
        return err_wrap(r, "--shm-size-systemd");
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(writable); i++) {
        auto_buf struct buf spec = {0};
        buf_addf(&spec, "%s%s", writable[i][0], writable[i][1]);
        if (bytes)
            buf_addf(&spec, ",size=%llu", (unsigned long long)bytes);
        if (!mounted_at(c, writable[i][0]))
            r = add_flag(s, "--systemd", spec.data, parse_tmpfs, c);
    }
    return r;
}

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct ctr_mount *)a)->target, ((const struct ctr_mount *)b)->target);
}

/* Sorted, so that what lies deeper is mounted later. */
static int sort_mounts(struct ctr *c)
{
    struct ctr_mount *mounts = c->mounts.items;
    if (c->mounts.n)
        qsort(mounts, c->mounts.n, sizeof *mounts, compare_targets);
    for (size_t i = 1; i < c->mounts.n; i++)
        if (str_eq(mounts[i - 1].target, mounts[i].target))
            return err_set(-EINVAL, "two mounts at %s", mounts[i].target);
    return 0;
}

/* In the order of who wins: the flags, then containers named by --volumes-from, then the image. */
int spec_make_mounts(const struct store *s, const struct run_options *o, const struct image_config *config,
                     struct ctr *c)
{
    int r = add_flags(s, "-v", o->volumes, parse_volume, c);
    if (r == 0)
        r = add_flags(s, "--mount", o->mounts, spec_parse_mount, c);
    if (r == 0)
        r = add_flags(s, "--tmpfs", o->tmpfs, parse_tmpfs, c);
    size_t n_own = c->mounts.n;
    strv_foreach (spec, o->volumes_from)
        r = r < 0 ? r : add_volumes_from(s, spec, n_own, c);
    if (r == 0)
        r = add_image_volumes(s, o, config, c);
    if (r == 0)
        r = spec_add_cdi(s, o, c);
    if (r == 0 && c->read_only && o->read_only_tmpfs)
        r = add_scratch(s, c);
    if (r == 0 && c->systemd)
        r = add_systemd(s, o, c);
    return r < 0 ? r : sort_mounts(c);
}
