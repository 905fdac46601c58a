/* Logins in files. A file is read whole, changed as a tree and published by rename, so keys of other tools survive.
 * Runs in: the process that talks with a registry (find), login and logout (store, erase). */
#include "whelk/credentials.h"

#include "helper.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/json.h"
#include "whelk/lock.h"
#include "whelk/log.h"
#include "whelk/registries.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 20 };
static const char docker_hub_key[] = "https://index.docker.io/v1/";

void credential_done(struct credential *c)
{
    free(c->user);
    free(c->password);
    free(c->identity_token);
    *c = (struct credential){0};
}

int credential_parse(const char *s, struct credential *ret)
{
    const char *colon = strchr(s, ':');
    if (!colon || colon == s)
        return err_set(-EINVAL, "a login is written USER:PASSWORD");
    *ret = (struct credential){.user = xstrndup(s, colon - s), .password = xstrdup(colon + 1)};
    return 0;
}

/* ---- base64 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
    const unsigned char *p = data;
    auto_buf struct buf b = {0};
    for (size_t i = 0; i < len; i += 3) {
        size_t n = MIN(len - i, (size_t)3);
        unsigned v = p[i] << 16 | (n > 1 ? p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_addc(&b, k <= n ? alphabet[v >> (18 - 6 * k) & 63] : '=');
    }
    return buf_take(&b);
}

char *base64_decode(const char *s, size_t *ret_len)
{
    auto_buf struct buf b = {0};
    size_t len = strlen(s);
    if (len % 4)
        return NULL;
    for (size_t i = 0; i < len; i += 4) {
        unsigned v = 0, pad = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = s[i + k];
            const char *at = strchr(alphabet, c);
            bool padding = c == '=' && i + 4 == len && k >= 2;
            if ((!at && !padding) || (pad && !padding))
                return NULL;
            pad += padding;
            v = v << 6 | (padding ? 0 : (unsigned)(at - alphabet));
        }
        const char bytes[] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        buf_add(&b, bytes, 3 - pad);
    }
    if (ret_len)
        *ret_len = b.len;
    return buf_take(&b);
}

/* ---- where they are ---- */

static char *config_home(void)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    return !str_empty(xdg) ? xstrdup(xdg) : xasprintf("%s/.config", !str_empty(home) ? home : "");
}

static char *own_file(const char *authfile)
{
    const char *env = getenv("REGISTRY_AUTH_FILE");
    auto_free char *config = config_home();
    return authfile ? xstrdup(authfile) : !str_empty(env) ? xstrdup(env) : xasprintf("%s/containers/auth.json", config);
}

/* In the order of reading. */
static char **login_files(const char *authfile)
{
    const char *env = getenv("REGISTRY_AUTH_FILE"), *runtime = getenv("XDG_RUNTIME_DIR");
    const char *docker = getenv("DOCKER_CONFIG"), *home = getenv("HOME") ?: "";
    char **files = NULL;
    if (authfile || !str_empty(env)) {
        strv_add(&files, authfile ?: env);
        return files;
    }
    if (!str_empty(runtime))
        strv_addf(&files, "%s/containers/auth.json", runtime);
    strv_add_take(&files, own_file(NULL));
    if (!str_empty(docker))
        strv_addf(&files, "%s/config.json", docker);
    else
        strv_addf(&files, "%s/.docker/config.json", home);
    strv_addf(&files, "%s/.dockercfg", home);
    return files;
}

/* .dockercfg is the "auths" object itself. -ENOENT without text. */
static int file_load(const char *path, json_t **ret)
{
    auto_free char *text = NULL;
    auto_json json_t *j = NULL;
    size_t len;
    int r = file_read(AT_FDCWD, path, FILE_MAX, &text, &len);
    if (r == -ENOTDIR)
        return -ENOENT;
    if (r == 0 && len == 0)
        j = json_object();
    else if (r == 0)
        r = json_parse(path, text, len, &j);
    if (r < 0)
        return r;
    if (!json_is_object(j))
        return err_set(-EBADMSG, "%s: the file of logins is not a JSON object", path);
    if (str_ends(path, "/.dockercfg")) {
        json_t *whole = json_object();
        json_object_set(whole, "auths", j);
        json_decref(j);
        j = whole;
    }
    *ret = take_ptr(&j);
    return 0;
}

/* ---- keys ---- */

/* "https://index.docker.io/v1/" is docker.io, "https://host/v2/" host; others stay. Caller frees. */
static char *key_normal(const char *key)
{
    static const char *const schemes[] = {"https://", "http://"};
    static const char *const hub[] = {"index.docker.io", "registry-1.docker.io", "registry.docker.io"};
    const char *rest = key;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        rest = str_after(rest, schemes[i]) ?: rest;
    size_t n = strlen(rest);
    while (n && rest[n - 1] == '/')
        n--;
    auto_free char *s = xstrndup(rest, n);
    if (str_ends(s, "/v1") || str_ends(s, "/v2"))
        s[strlen(s) - 3] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(hub); i++)
        if (str_eq(s, hub[i]))
            return xstrdup("docker.io");
    return take_ptr(&s);
}

static const char *helper_server(const char *host)
{
    return str_eq(host, "docker.io") ? docker_hub_key : host;
}

static const char *file_helper(const json_t *file, const char *host)
{
    const json_t *helpers = json_object_get(file, "credHelpers");
    return json_str(helpers, host) ?: json_str(helpers, helper_server(host)) ?: json_str(file, "credsStore");
}

static int entry_read(const char *path, const json_t *entry, struct credential *ret)
{
    const char *auth = json_str(entry, "auth"), *identity = json_str(entry, "identitytoken");
    const char *user = json_str(entry, "username"), *password = json_str(entry, "password");
    struct credential c = {0};
    if (!str_empty(auth)) {
        size_t len = 0;
        auto_free char *both = base64_decode(auth, &len);
        if (!both || strlen(both) != len || credential_parse(both, &c) < 0)
            return err_set(-EBADMSG, "%s: an \"auth\" in it is not base64 of USER:PASSWORD", path);
    } else if (!str_empty(user) && password) {
        c = (struct credential){.user = xstrdup(user), .password = xstrdup(password)};
    }
    if (!str_empty(identity)) {
        c.identity_token = xstrdup(identity);
        c.user = c.user ?: xstrdup("<token>");
    }
    *ret = c;
    return 0;
}

/* The entry of the longest key that is repository or a beginning of it. */
static const json_t *entry_find(json_t *file, const char *repository)
{
    json_t *auths = json_object_get(file, "auths"), *entry, *best = NULL;
    const char *key;
    size_t best_len = 0;
    json_object_foreach(auths, key, entry)
    {
        auto_free char *normal = key_normal(key);
        const char *rest = str_after(repository, normal);
        if (*normal && rest && (!*rest || *rest == '/') && strlen(normal) > best_len) {
            best = entry;
            best_len = strlen(normal);
        }
    }
    return best;
}

static int find_in_helper(const char *helper, const char *host, struct credential *ret)
{
    int r = helper_get(helper, helper_server(host), ret);
    if (r != -ENOENT)
        return r;
    log_warn("%s", err_text(r)); /* as left behind by a desktop program: others may know more */
    err_clear();
    return 0;
}

static int find_in_file(const char *path, const char *repository, struct credential *ret)
{
    auto_json json_t *file = NULL;
    auto_free char *host = xstrndup(repository, strcspn(repository, "/"));
    int r = file_load(path, &file);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    const char *helper = file_helper(file, host);
    if (helper)
        r = find_in_helper(helper, host, ret);
    if (r < 0 || ret->user)
        return r;
    return entry_read(path, entry_find(file, repository), ret);
}

static int find_in_files(const char *authfile, const char *repository, struct credential *ret)
{
    auto_strv char **files = login_files(authfile);
    int r = 0;
    strv_foreach (path, files)
        if (r == 0 && !ret->user)
            r = find_in_file(path, repository, ret);
    return r;
}

int credentials_find(const char *authfile, const char *repository, struct credential *ret)
{
    auto_strv char **helpers = NULL;
    auto_free char *host = xstrndup(repository, strcspn(repository, "/"));
    *ret = (struct credential){0};
    int r = authfile ? 0 : registries_helpers(&helpers);
    if (r < 0)
        return r;
    if (!helpers)
        return find_in_files(authfile, repository, ret);
    strv_foreach (helper, helpers) {
        if (r < 0 || ret->user)
            break;
        r = str_eq(helper, "containers-auth.json") ? find_in_files(NULL, repository, ret)
                                                   : find_in_helper(helper, host, ret);
    }
    return r;
}

/* ---- changing ---- */

static int file_save(const char *path, const json_t *file)
{
    auto_free char *text = json_text(file, true);
    bool old = str_ends(path, "/.dockercfg");
    auto_free char *inner = old ? json_text(json_object_get(file, "auths"), true) : NULL;
    const char *data = old ? inner : text;
    return file_publish(AT_FDCWD, path, data, strlen(data), 0600, true);
}

static int file_lock(const char *path, int *ret_fd)
{
    auto_free char *lock = xasprintf("%s.lock", path);
    return lock_file(AT_FDCWD, lock, true, true, ret_fd);
}

static int dir_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    auto_free char *dir = slash ? xstrndup(path, slash - path) : NULL;
    return !str_empty(dir) ? dir_make_all(dir, 0700) : 0;
}

static json_t *object_at(json_t *parent, const char *key)
{
    json_t *o = json_object_get(parent, key);
    if (!json_is_object(o)) {
        o = json_object();
        json_object_set_new(parent, key, o);
    }
    return o;
}

static json_t *entry_new(const struct credential *c)
{
    json_t *entry = json_object();
    auto_free char *both = xasprintf("%s:%s", c->user, c->password ?: "");
    auto_free char *code = base64_encode(both, strlen(both));
    json_object_set_new(entry, "auth", json_string(code));
    if (c->identity_token)
        json_object_set_new(entry, "identitytoken", json_from_str(c->identity_token));
    return entry;
}

int credentials_store(const char *authfile, const char *key, const struct credential *c)
{
    auto_free char *path = own_file(authfile);
    auto_close int lock = -1;
    auto_json json_t *file = NULL;
    int r = dir_of_file(path);
    if (r == 0)
        r = file_lock(path, &lock);
    if (r == 0)
        r = file_load(path, &file);
    if (r == -ENOENT) {
        file = json_object();
        r = 0;
    }
    if (r < 0)
        return r;
    const char *helper = strchr(key, '/') ? NULL : file_helper(file, key);
    if (helper)
        return helper_store(helper, helper_server(key), c);
    json_object_set_new(object_at(file, "auths"), key, entry_new(c));
    return file_save(path, file);
}

/* Removes the entries of key (NULL: all) from one file's tree; true if there were some. */
static int erase_entries(json_t *file, const char *key, char ***removed)
{
    json_t *auths = json_object_get(file, "auths"), *entry;
    auto_strv char **drop = NULL;
    const char *name;
    int r = 0;
    json_object_foreach(auths, name, entry)
    {
        auto_free char *normal = key_normal(name);
        if (!key || str_eq(normal, key))
            strv_add(&drop, name);
    }
    strv_foreach (each, drop) {
        auto_free char *normal = key_normal(each);
        json_object_del(auths, each);
        if (!strv_has(*removed, normal))
            strv_add(removed, normal);
    }
    const char *helper = key && !strchr(key, '/') ? file_helper(file, key) : NULL;
    if (helper) {
        r = helper_erase(helper, helper_server(key));
        if (r == 0 && !strv_has(*removed, key))
            strv_add(removed, key);
    }
    return r < 0 ? r : drop != NULL;
}

static int erase_in_file(const char *path, const char *key, char ***removed)
{
    auto_close int lock = -1;
    auto_json json_t *file = NULL;
    if (access(path, F_OK) < 0)
        return 0;
    int r = file_lock(path, &lock);
    if (r == 0)
        r = file_load(path, &file);
    if (r == 0)
        r = erase_entries(file, key, removed);
    return r > 0 ? file_save(path, file) : r;
}

int credentials_erase(const char *authfile, const char *key, char ***ret_removed)
{
    auto_strv char **files = login_files(authfile);
    auto_strv char **removed = NULL;
    int r = 0;
    strv_foreach (path, files)
        if (r == 0)
            r = erase_in_file(path, key, &removed);
    if (r == 0 && key && !removed)
        r = err_set(-ENOENT, "not logged in to %s", key);
    if (r == 0)
        *ret_removed = take_ptr(&removed);
    return r;
}
