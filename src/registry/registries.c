/* registries.conf. Files are read at each question (there is one a command) into one merged tree; nothing is cached.
 * Runs in: whoever resolves a name or talks with a registry. */
#include "whelk/registries.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/json.h"
#include "whelk/toml.h"

#include <fcntl.h>

enum { CONF_MAX = 1 << 20 };
static const char system_dir[] = "/etc/containers";

/* ---- reading ---- */

/* Objects are merged (aliases), registries with the same prefix replaced, everything else replaced. */
static const char *registry_prefix(const json_t *registry)
{
    const char *prefix = json_str(registry, "prefix");
    return !str_empty(prefix) ? prefix : json_str(registry, "location");
}

static int check_registry(const char *path, const json_t *registry)
{
    const char *prefix = registry_prefix(registry), *location = json_str(registry, "location");
    bool wildcard = prefix && str_after(prefix, "*.");
    if (str_empty(prefix))
        return err_set(-EBADMSG, "%s: a [[registry]] needs a prefix or a location", path);
    if (str_empty(location) && !wildcard && !json_bool(registry, "blocked", false) &&
        !json_object_get(registry, "mirror"))
        return err_set(-EBADMSG, "%s: the [[registry]] with prefix %s needs a location", path, prefix);
    return 0;
}

static int merge_registries(const char *path, json_t *into, const json_t *add)
{
    json_t *list = json_object_get(into, "registry");
    if (!list) {
        list = json_array();
        json_object_set_new(into, "registry", list);
    }
    size_t i;
    json_t *registry;
    json_array_foreach(add, i, registry)
    {
        int r = check_registry(path, registry);
        if (r < 0)
            return r;
        for (size_t k = json_array_size(list); k-- > 0;)
            if (str_eq(registry_prefix(json_array_get(list, k)), registry_prefix(registry)))
                json_array_remove(list, k);
        json_array_append(list, registry);
    }
    return 0;
}

static int merge(const char *path, json_t *into, const json_t *add)
{
    const char *key;
    json_t *value;
    if (json_object_get(add, "registries"))
        return err_set(-EBADMSG, "%s: this is version 1 of the format ([registries.search]); write version 2", path);
    json_object_foreach((json_t *)(uintptr_t)add, key, value)
    {
        json_t *old = json_object_get(into, key);
        int r = 0;
        if (str_eq(key, "registry"))
            r = merge_registries(path, into, value);
        else if (json_is_object(old) && json_is_object(value))
            json_object_update(old, value);
        else
            json_object_set(into, key, value);
        if (r < 0)
            return r;
    }
    return 0;
}

/* -ENOENT without text. */
static int conf_add(const char *path, json_t *into)
{
    auto_free char *text = NULL;
    auto_json json_t *j = NULL;
    size_t len;
    int r = file_read(AT_FDCWD, path, CONF_MAX, &text, &len);
    if (r == -ENOTDIR)
        return -ENOENT;
    if (r == 0)
        r = toml_parse(path, text, len, &j);
    return r < 0 ? r : merge(path, into, j);
}

static int conf_add_dir(const char *dir, json_t *into)
{
    auto_free char *path = xasprintf("%s/registries.conf.d", dir);
    auto_strv char **names = NULL;
    int r = dir_names(AT_FDCWD, path, &names);
    if (r < 0)
        return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? 0 : r;
    strv_foreach (name, names) {
        auto_free char *file = xasprintf("%s/%s", path, name);
        r = str_ends(name, ".conf") ? conf_add(file, into) : 0;
        if (r < 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

static int conf_load(json_t **ret)
{
    const char *own = getenv("CONTAINERS_REGISTRIES_CONF");
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    auto_json json_t *conf = json_object();
    if (!str_empty(own)) {
        int r = conf_add(own, conf);
        if (r < 0)
            return r == -ENOENT ? err_set(r, "CONTAINERS_REGISTRIES_CONF: there is no file %s", own) : r;
        *ret = take_ptr(&conf);
        return 0;
    }
    auto_free char *user_dir =
        !str_empty(xdg) ? xasprintf("%s/containers", xdg) : xasprintf("%s/.config/containers", home ?: "");
    auto_free char *user_file = xasprintf("%s/registries.conf", user_dir);
    auto_free char *system_file = xasprintf("%s/registries.conf", system_dir);
    int r = conf_add(user_file, conf);
    if (r == -ENOENT)
        r = conf_add(system_file, conf);
    if (r == 0 || r == -ENOENT)
        r = conf_add_dir(system_dir, conf);
    if (r == 0)
        r = conf_add_dir(user_dir, conf);
    if (r == 0)
        *ret = take_ptr(&conf);
    return r;
}

int registries_helpers(char ***ret)
{
    auto_json json_t *conf = NULL;
    int r = conf_load(&conf);
    if (r < 0)
        return r;
    const json_t *list = json_object_get(conf, "credential-helpers");
    *ret = NULL;
    return list ? json_to_strv(list, ret) : 0;
}

/* ---- short names ---- */

static int add_with_tag(const struct ref *typed, const char *name, char ***ret)
{
    auto_with(ref_done) struct ref full = {0};
    int r = ref_parse(name, &full);
    if (r < 0)
        return err_wrap(r, "registries.conf");
    free(full.tag);
    free(full.digest);
    full.tag = xstrdup(typed->tag);
    full.digest = xstrdup(typed->digest);
    strv_add_take(ret, ref_full(&full, "docker.io"));
    return 0;
}

int registries_candidates(const struct ref *typed, char ***ret)
{
    auto_json json_t *conf = NULL;
    auto_strv char **search = NULL, **found = NULL;
    if (typed->domain) {
        strv_add_take(ret, ref_full(typed, typed->domain));
        return 0;
    }
    int r = conf_load(&conf);
    if (r < 0)
        return r;
    const char *alias = json_str(json_object_get(conf, "aliases"), typed->path);
    const json_t *list = json_object_get(conf, "unqualified-search-registries");
    if (!str_empty(alias))
        r = add_with_tag(typed, alias, &found);
    else if (json_array_size(list))
        r = json_to_strv(list, &search);
    if (r < 0)
        return err_wrap(r, "registries.conf");
    strv_foreach (registry, search)
        strv_add_take(&found, ref_full(typed, registry));
    if (!found)
        strv_add_take(&found, ref_full(typed, "docker.io"));
    *ret = take_ptr(&found);
    return 0;
}

/* ---- places ---- */

void places_free(struct place *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(p[i].host);
        free(p[i].path);
    }
    free(p);
}

/* How much of name ("host/path") prefix covers, 0 if it does not match. */
static size_t prefix_match(const char *prefix, const char *name)
{
    const char *wild = str_after(prefix, "*");
    size_t host = strcspn(name, "/");
    if (wild) { /* "*.example.com": any depth of subdomain */
        size_t n = strlen(wild);
        return *wild == '.' && host > n && memcmp(name + host - n, wild, n) == 0 ? host : 0;
    }
    const char *rest = str_after(name, prefix);
    return rest && (!*rest || *rest == '/') ? strlen(prefix) : 0; /* another port is another registry */
}

static const json_t *registry_find(const json_t *conf, const char *name, size_t *ret_len)
{
    const json_t *best = NULL, *registry;
    size_t i, best_rank = 0;
    json_array_foreach(json_object_get(conf, "registry"), i, registry)
    {
        const char *prefix = registry_prefix(registry);
        size_t n = prefix_match(prefix, name), rank = n ? strlen(prefix) : 0;
        if (rank > best_rank) {
            best = registry;
            best_rank = rank;
            *ret_len = n;
        }
    }
    return best;
}

/* name with its first len bytes replaced by location ("" or NULL: as it is) into a new last place. */
static int place_add(struct place **all, size_t *n, const char *location, const char *name, size_t len)
{
    auto_free char *full = str_empty(location) ? xstrdup(name) : xasprintf("%s%s", location, name + len);
    char *slash = strchr(full, '/');
    if (!slash || !slash[1] || slash == full)
        return err_set(-EINVAL, "registries.conf: location %s makes no name of %s", location, name);
    *all = xrealloc(*all, (*n + 1) * sizeof(**all));
    (*all)[(*n)++] = (struct place){.host = xstrndup(full, slash - full), .path = xstrdup(slash + 1)};
    return 0;
}

static bool mirror_wanted(const json_t *registry, const json_t *mirror, bool digest)
{
    const char *from = json_str(mirror, "pull-from-mirror") ?: "all";
    if (json_bool(registry, "mirror-by-digest-only", false))
        from = "digest-only";
    return str_eq(from, "digest-only") ? digest : str_eq(from, "tag-only") ? !digest : true;
}

static int add_mirrors(const json_t *registry, const struct ref *ref, const char *name, size_t len, struct place **all,
                       size_t *n)
{
    const json_t *mirror;
    size_t i;
    json_array_foreach(json_object_get(registry, "mirror"), i, mirror)
    {
        const char *location = json_str(mirror, "location");
        if (str_empty(location))
            return err_set(-EBADMSG, "registries.conf: a [[registry.mirror]] needs a location");
        if (!mirror_wanted(registry, mirror, ref->digest != NULL))
            continue;
        int r = place_add(all, n, location, name, len);
        if (r < 0)
            return r;
        (*all)[*n - 1].insecure = json_bool(mirror, "insecure", false);
        (*all)[*n - 1].mirror = true;
    }
    return 0;
}

int registries_places(const struct ref *ref, bool pulling, struct place **ret, size_t *ret_n)
{
    auto_json json_t *conf = NULL;
    auto_free char *name = xasprintf("%s/%s", ref->domain, ref->path);
    struct place *all = NULL;
    size_t n = 0, len = 0;
    int r = conf_load(&conf);
    if (r < 0)
        return r;
    const json_t *registry = registry_find(conf, name, &len);
    if (registry && json_bool(registry, "blocked", false))
        return err_set(-EACCES, "registry %s is blocked by registries.conf", registry_prefix(registry));
    if (registry && pulling)
        r = add_mirrors(registry, ref, name, len, &all, &n);
    if (r == 0)
        r = place_add(&all, &n, registry ? json_str(registry, "location") : NULL, name, len);
    if (r < 0) {
        places_free(all, n);
        return r;
    }
    all[n - 1].insecure = registry && json_bool(registry, "insecure", false);
    *ret = all;
    *ret_n = n;
    return 0;
}
