/* RUN --mount: the value of the flag, comma-separated fields as in CSV files. Pure. */
#include "mount.h"

#include "whelk/err.h"
#include "whelk/str.h"
#include "whelk/units.h"

#include <stddef.h>

enum {
    BIND = 1 << MOUNT_BIND,
    CACHE = 1 << MOUNT_CACHE,
    TMPFS = 1 << MOUNT_TMPFS,
    SECRET = 1 << MOUNT_SECRET,
    SSH = 1 << MOUNT_SSH,
    ALL = BIND | CACHE | TMPFS | SECRET | SSH,
};

static const char *const kind_names[MOUNT_KINDS] = {
    [MOUNT_BIND] = "bind",     [MOUNT_CACHE] = "cache", [MOUNT_TMPFS] = "tmpfs",
    [MOUNT_SECRET] = "secret", [MOUNT_SSH] = "ssh",
};

const char *mount_kind_name(enum mount_kind kind)
{
    return kind_names[kind];
}

/* ---- kinds of values ---- */

static int set_text(void *field, const char *value)
{
    char **text = field;
    free(*text);
    *text = xstrdup(value);
    return *value ? 0 : -EINVAL;
}

static int set_number(void *field, const char *value)
{
    uint64_t number;
    if (!str_to_u64(value, &number) || number >= UINT32_MAX)
        return -EINVAL;
    *(int64_t *)field = (int64_t)number;
    return 0;
}

static int set_mode(void *field, const char *value)
{
    if (!*value || strlen(value) > 5 || value[strspn(value, "01234567")])
        return -EINVAL;
    *(int64_t *)field = strtol(value, NULL, 8) & 07777;
    return 0;
}

static int set_size(void *field, const char *value)
{
    uint64_t bytes;
    if (size_parse(value, &bytes) < 0)
        return -EINVAL;
    *(int64_t *)field = (int64_t)bytes;
    return 0;
}

/* The key alone is true. */
static int set_switch(void *field, const char *value)
{
    *(bool *)field = !str_eq(value, "false") && !str_eq(value, "0");
    return str_eq(value, "") || str_eq(value, "true") || str_eq(value, "1") || !*(bool *)field ? 0 : -EINVAL;
}

static int set_sharing(void *field, const char *value)
{
    static const char *const names[] = {
        [SHARING_SHARED] = "shared", [SHARING_PRIVATE] = "private", [SHARING_LOCKED] = "locked"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_eq(value, names[i]))
            continue;
        *(enum mount_sharing *)field = (enum mount_sharing)i;
        return 0;
    }
    return -EINVAL;
}

/* ---- keys ---- */

static const struct mount_key {
    const char *name;
    unsigned kinds;
    int (*set)(void *field, const char *value);
    size_t field;
    const char *takes;
    bool alone; /* may stand without a value */
    bool inverse;
} keys[] = {
    {"target", ALL, set_text, offsetof(struct mount_flag, target), "a path"},
    {"dst", ALL, set_text, offsetof(struct mount_flag, target), "a path"},
    {"destination", ALL, set_text, offsetof(struct mount_flag, target), "a path"},
    {"source", BIND | CACHE, set_text, offsetof(struct mount_flag, source), "a path"},
    {"src", BIND | CACHE, set_text, offsetof(struct mount_flag, source), "a path"},
    {"from", BIND | CACHE, set_text, offsetof(struct mount_flag, from), "a stage or an image"},
    {"id", CACHE | SECRET | SSH, set_text, offsetof(struct mount_flag, id), "a name"},
    {"env", SECRET, set_text, offsetof(struct mount_flag, env), "the name of a variable"},
    {"sharing", CACHE, set_sharing, offsetof(struct mount_flag, sharing), "shared, private or locked"},
    {"ro", BIND | CACHE, set_switch, offsetof(struct mount_flag, read_only), "true or false", true},
    {"readonly", BIND | CACHE, set_switch, offsetof(struct mount_flag, read_only), "true or false", true},
    {"rw", BIND | CACHE, set_switch, offsetof(struct mount_flag, read_only), "true or false", true, true},
    {"readwrite", BIND | CACHE, set_switch, offsetof(struct mount_flag, read_only), "true or false", true, true},
    {"required", SECRET | SSH, set_switch, offsetof(struct mount_flag, required), "true or false", true},
    {"uid", CACHE | SECRET | SSH, set_number, offsetof(struct mount_flag, uid), "a number"},
    {"gid", CACHE | SECRET | SSH, set_number, offsetof(struct mount_flag, gid), "a number"},
    {"mode", CACHE | SECRET | SSH, set_mode, offsetof(struct mount_flag, mode), "an octal number"},
    {"size", TMPFS, set_size, offsetof(struct mount_flag, size), "a size, as 64m"},
};

static int find_kind(char *const *fields, enum mount_kind *ret)
{
    *ret = MOUNT_BIND;
    const char *type = strv_env_get(fields, "type");
    if (!type)
        return 0;
    for (size_t i = 0; i < MOUNT_KINDS; i++) {
        if (!str_eq(type, kind_names[i]))
            continue;
        *ret = (enum mount_kind)i;
        return 0;
    }
    const char *const names[] = {kind_names[0], kind_names[1], kind_names[2], kind_names[3], kind_names[4], NULL};
    const char *near = str_nearest(type, names);
    return near ? err_set(-EINVAL, "--mount: there is no type %s; did you mean %s?", type, near)
                : err_set(-EINVAL, "--mount: there is no type %s; known: bind, cache, tmpfs, secret, ssh", type);
}

static int fail_key(const char *name, enum mount_kind kind)
{
    const char *known[ARRAY_LEN(keys) + 1] = {0};
    auto_buf struct buf list = {0};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].kinds & 1u << kind)
            known[n++] = keys[i].name;
    for (size_t i = 0; i < n; i++)
        buf_addf(&list, "%s%s", i ? ", " : "", known[i]);
    const char *near = str_nearest(name, known);
    return near ? err_set(-EINVAL, "--mount=type=%s has no \"%s\"; did you mean %s?", kind_names[kind], name, near)
                : err_set(-EINVAL, "--mount=type=%s has no \"%s\"; known: %s", kind_names[kind], name, list.data);
}

static int read_field(struct mount_flag *f, const char *field)
{
    auto_free char *name = xstrndup(field, strcspn(field, "="));
    const char *value = field[strlen(name)] ? field + strlen(name) + 1 : NULL;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const struct mount_key *k = &keys[i];
        if (!str_eq(name, k->name) || !(k->kinds & 1u << f->kind))
            continue;
        if (!value && !k->alone)
            return err_set(-EINVAL, "--mount: %s needs a value: %s", name, k->takes);
        if (k->set((char *)f + k->field, value ? value : "") < 0)
            return err_set(-EINVAL, "--mount: %s=%s: this is to be %s", name, value ? value : "", k->takes);
        if (k->inverse)
            f->read_only = !f->read_only;
        f->write_given |= k->set == set_switch && k->field == offsetof(struct mount_flag, read_only);
        return 0;
    }
    return fail_key(name, f->kind);
}

static int check(const struct mount_flag *f)
{
    bool free_place = f->kind == MOUNT_SECRET || f->kind == MOUNT_SSH;
    if (!f->target && !free_place)
        return err_set(-EINVAL, "--mount=type=%s needs target=PATH", kind_names[f->kind]);
    if (f->kind == MOUNT_SECRET && !f->id && !f->target)
        return err_set(-EINVAL, "--mount=type=secret needs id=NAME");
    if (f->kind == MOUNT_CACHE && f->source && !f->from)
        return err_set(-EINVAL, "--mount=type=cache: source= is a path in what from= names, which is missing");
    return 0;
}

int mount_flag_parse(const char *text, struct mount_flag *ret)
{
    struct mount_flag f = {.uid = -1, .gid = -1, .mode = -1, .size = -1};
    auto_strv char **fields = NULL;
    if (strv_split_csv(text, &fields) < 0)
        return err_set(-EINVAL, "--mount=%s: quotes go around a whole field", text);
    int r = find_kind(fields, &f.kind);
    strv_foreach (field, fields)
        if (r == 0 && !str_after(field, "type="))
            r = read_field(&f, field);
    if (f.kind == MOUNT_BIND && !f.write_given)
        f.read_only = true;
    if (r == 0)
        r = check(&f);
    if (r < 0)
        mount_flag_done(&f);
    else
        *ret = f;
    return r;
}

void mount_flag_done(struct mount_flag *f)
{
    char *const texts[] = {f->target, f->source, f->from, f->id, f->env};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    *f = (struct mount_flag){0};
}

char *mount_flag_from(const char *text)
{
    auto_strv char **fields = NULL;
    if (strv_split_csv(text, &fields) < 0)
        return NULL;
    const char *from = strv_env_get(fields, "from");
    return from ? xstrdup(from) : NULL;
}
