/* Devices by the Container Device Interface: --device VENDOR/CLASS=NAME and --gpus. A file of a CDI directory says, in
 * JSON, which nodes, mounts, variables and groups a device needs; they become mounts and variables like those of other
 * options. What would run programs on the host (hooks) is refused.
 *
 * Reads: /var/run/cdi and, for what is not there, /etc/cdi; or the directories of --cdi-spec-dir, later ones first. */
#include "spec.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { FILE_MOST = 4 << 20 };

/* One device that was asked for, and where it was found. */
struct cdi_device {
    const struct store *s;
    struct ctr *c;
    const char *option;  /* "--device" */
    const char *word;    /* "vendor.com/class=name" */
    char *path;          /* of the file */
    json_t *spec;        /* its content */
    const json_t *entry; /* the device in it */
    char *yaml;          /* a file that could not be read because of its form, or NULL */
};

static void device_done(struct cdi_device *d)
{
    free(d->path);
    free(d->yaml);
    json_decref(d->spec);
}

bool spec_is_cdi(const char *word)
{
    const char *slash = strchr(word, '/'), *eq = strchr(word, '=');
    return slash && eq && slash > word && slash < eq - 1 && eq[1] && !strchr(word, ':');
}

/* ---- finding ---- */

static const json_t *entry_in(const json_t *spec, const char *word)
{
    const char *kind = json_str(spec, "kind"), *name = kind ? str_after(word, kind) : NULL;
    const json_t *list = json_object_get(spec, "devices");
    for (size_t i = 0; name && *name == '=' && i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *has = json_str(entry, "name");
        if (has && str_eq(has, name + 1))
            return entry;
    }
    return NULL;
}

static int look_in_file(struct cdi_device *d, const char *dir, const char *file)
{
    auto_free char *path = xasprintf("%s/%s", dir, file), *text = NULL;
    auto_json json_t *spec = NULL;
    size_t len = 0;
    int r = file_read(AT_FDCWD, path, FILE_MOST, &text, &len);
    if (r == 0)
        r = json_parse(path, text, len, &spec);
    if (r < 0)
        return err_wrap(r, "%s %s: cannot read %s", d->option, d->word, path);
    const json_t *entry = entry_in(spec, d->word);
    if (!entry)
        return 0;
    if (d->entry)
        return err_set(-EEXIST, "%s %s: both %s and %s have it", d->option, d->word, d->path, path);
    d->path = take_ptr(&path);
    d->spec = take_ptr(&spec);
    d->entry = entry;
    return 0;
}

static int look_in_dir(struct cdi_device *d, const char *dir)
{
    auto_strv char **files = NULL;
    int r = dir_names(AT_FDCWD, dir, &files);
    if (r == -ENOENT) {
        err_clear();
        return 0;
    }
    strv_foreach (file, files) {
        if (r == 0 && str_ends(file, ".json"))
            r = look_in_file(d, dir, file);
        else if (!d->yaml && (str_ends(file, ".yaml") || str_ends(file, ".yml")))
            d->yaml = xasprintf("%s/%s", dir, file);
    }
    return r;
}

static int find(struct cdi_device *d, char *const *dirs)
{
    int r = 0;
    for (size_t i = strv_len(dirs); i-- > 0 && r == 0 && !d->entry;)
        r = look_in_dir(d, dirs[i]);
    if (r < 0 || d->entry)
        return r;
    if (d->yaml)
        return err_set(-ENOENT,
                       "%s %s: no CDI file in JSON has it, and whelk does not read YAML as in %s; write that as JSON",
                       d->option, d->word, d->yaml);
    auto_free char *where = strv_join(dirs, " or ");
    return err_set(-ENOENT, "%s %s: no CDI file in %s has such a device", d->option, d->word, where);
}

/* ---- what a file wants to be done ---- */

static int broken(const struct cdi_device *d, const char *what)
{
    return err_set(-EBADMSG, "%s %s: %s in %s cannot be understood", d->option, d->word, what, d->path);
}

static int add_env(struct cdi_device *d, const json_t *value)
{
    const char *pair = json_string_value(value);
    const char *eq = pair ? strchr(pair, '=') : NULL;
    if (!eq || eq == pair)
        return broken(d, "a variable");
    auto_free char *name = xstrndup(pair, (size_t)(eq - pair));
    strv_env_set(&d->c->env, name, eq + 1);
    return 0;
}

static int add_bind(struct cdi_device *d, const char *source, const char *target, char **options)
{
    auto_with(mount_ask_done) struct mount_ask a = {.flag = d->option,
                                                    .spec = d->word,
                                                    .type = xstrdup("bind"),
                                                    .source = xstrdup(source),
                                                    .target = xstrdup(target),
                                                    .options = options};
    return spec_add_mount(d->s, &a, d->c);
}

/* Its owner, mode and permissions inside are those that it has on the host: it is the same node. */
static int add_node(struct cdi_device *d, const json_t *value)
{
    const char *path = json_str(value, "path"), *host = json_str(value, "hostPath");
    struct stat st;
    char **options = NULL;
    if (!path)
        return broken(d, "a device node");
    host = host ? host : path;
    if (stat(host, &st) < 0)
        return err_sys("%s %s: cannot look at %s, which %s names", d->option, d->word, host, d->path);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_set(-EINVAL, "%s %s: %s, which %s names, is not a device", d->option, d->word, host, d->path);
    strv_add(&options, "dev");
    strv_add(&options, "noexec");
    return add_bind(d, host, path, options);
}

static int add_mount(struct cdi_device *d, const json_t *value)
{
    const char *host = json_str(value, "hostPath"), *target = json_str(value, "containerPath"),
               *type = json_str(value, "type");
    const json_t *list = json_object_get(value, "options");
    auto_strv char **options = NULL;
    if (!host || !target || (type && !str_eq(type, "bind") && !str_eq(type, "none")))
        return broken(d, "a mount");
    if (list && json_to_strv((json_t *)(uintptr_t)list, &options) < 0)
        return broken(d, "an option of a mount");
    return add_bind(d, host, target, take_ptr(&options));
}

static int add_group(struct cdi_device *d, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) >= UINT32_MAX)
        return broken(d, "a group");
    if (json_integer_value(value))
        strv_addf(&d->c->groups, "%lld", (long long)json_integer_value(value));
    return 0;
}

static int refuse_hook(struct cdi_device *d, const json_t *value)
{
    return err_set(-EOPNOTSUPP,
                   "%s %s: %s wants hooks, programs that run on the host with the container's start; whelk runs none. "
                   "Take them out of a copy in another directory, and give that with --cdi-spec-dir",
                   d->option, d->word, d->path);
}

/* A list each. */
static const struct {
    const char *key;
    int (*add)(struct cdi_device *d, const json_t *value);
} edit_kinds[] = {
    {"env", add_env},       {"deviceNodes", add_node}, {"mounts", add_mount}, {"additionalGids", add_group},
    {"hooks", refuse_hook},
};

static int apply_list(struct cdi_device *d, const char *key, const json_t *list)
{
    size_t kind = 0;
    while (kind < ARRAY_LEN(edit_kinds) && !str_eq(key, edit_kinds[kind].key))
        kind++;
    if (kind == ARRAY_LEN(edit_kinds))
        return err_set(-EOPNOTSUPP, "%s %s: %s wants \"%s\", which whelk does not do", d->option, d->word, d->path,
                       key);
    int r = json_is_array(list) || json_is_null(list) ? 0 : broken(d, key);
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
        r = edit_kinds[kind].add(d, json_array_get(list, i));
    return r;
}

static int apply(struct cdi_device *d, const json_t *owner)
{
    json_t *edits = json_object_get(owner, "containerEdits"), *list;
    const char *key;
    int r = edits && !json_is_object(edits) ? broken(d, "containerEdits") : 0;
    json_object_foreach(edits, key, list) r = r < 0 ? r : apply_list(d, key, list);
    return r;
}

/* Of the file once, however many of its devices are asked for. */
static int add_device(const struct store *s, const char *option, const char *word, char *const *dirs, char ***files,
                      struct ctr *c)
{
    struct cdi_device d = {.s = s, .c = c, .option = option, .word = word};
    int r = find(&d, dirs);
    if (r == 0 && !strv_has(*files, d.path)) {
        strv_add(files, d.path);
        r = apply(&d, d.spec);
    }
    if (r == 0)
        r = apply(&d, d.entry);
    device_done(&d);
    return r;
}

/* ---- --gpus ---- */

/* all, a number of them, or device=NAME,NAME...: as names of the CDI kind that NVIDIA's toolkit makes. */
static int gpu_names(const char *word, char ***names)
{
    const char *count = str_after(word, "count="), *list = str_after(word, "device=");
    int64_t n = 0;
    count = count ? count : word;
    if (str_eq(count, "all") || str_eq(count, "-1")) {
        strv_add(names, "nvidia.com/gpu=all");
        return 0;
    }
    if (!list && (!str_to_i64(count, &n) || n < 1 || n > 64))
        return err_set(-EINVAL, "--gpus %s: write all, a number, or device=NAME", word);
    auto_strv char **devices = strv_split(list ? list : "", ",");
    strv_foreach (device, devices)
        strv_addf(names, "nvidia.com/gpu=%s", device);
    for (int64_t i = 0; i < n; i++)
        strv_addf(names, "nvidia.com/gpu=%lld", (long long)i);
    return 0;
}

int spec_add_cdi(const struct store *s, const struct run_options *o, struct ctr *c)
{
    static const char *const usual[] = {"/etc/cdi", "/var/run/cdi", NULL};
    auto_strv char **files = NULL, **gpus = NULL;
    char *const *dirs = o->cdi_dirs ? o->cdi_dirs : (char *const *)(uintptr_t)usual;
    int r = o->gpus ? gpu_names(o->gpus, &gpus) : 0;
    strv_foreach (word, o->devices)
        if (spec_is_cdi(word))
            r = r < 0 ? r : add_device(s, "--device", word, dirs, &files, c);
    strv_foreach (word, gpus)
        r = r < 0 ? r : add_device(s, "--gpus", word, dirs, &files, c);
    return r;
}
