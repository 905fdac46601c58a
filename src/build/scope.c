/* Build arguments and where they are seen. */
#include "scope.h"

#include "whelk/err.h"
#include "whelk/platform.h"

#include <ctype.h>

static const char *const proxies[] = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"};

static bool is_proxy(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(proxies); i++) {
        auto_free char *lower = xstrdup(proxies[i]);
        for (char *p = lower; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        if (str_eq(name, proxies[i]) || str_eq(name, lower))
            return true;
    }
    return false;
}

static char *name_of(const char *pair)
{
    return xstrndup(pair, strcspn(pair, "="));
}

/* ---- the build's ---- */

static void add_platform(struct build_args *a, const char *prefix)
{
    const struct {
        const char *name, *value;
    } parts[] = {{"OS", platform_os()}, {"ARCH", platform_architecture()}, {"VARIANT", platform_variant()}};
    const char *variant = platform_variant();
    strv_addf(&a->global, "%sPLATFORM=%s/%s%s%s", prefix, platform_os(), platform_architecture(), variant ? "/" : "",
              variant ? variant : "");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        strv_addf(&a->global, "%s%s=%s", prefix, parts[i].name, parts[i].value ? parts[i].value : "");
}

int build_args_init(struct build_args *a, char *const *words)
{
    *a = (struct build_args){0};
    strv_foreach (word, words) {
        auto_free char *name = name_of(word);
        const char *value = strchr(word, '=') ? strchr(word, '=') + 1 : getenv(name);
        if (!*name) {
            build_args_done(a);
            return err_set(-EINVAL, "--build-arg %s: the name is missing; give NAME=VALUE", word);
        }
        if (value)
            strv_env_set(&a->given, name, value);
        else
            strv_add(&a->used, name); /* not set here either: as if it had not been given */
    }
    add_platform(a, "TARGET");
    add_platform(a, "BUILD");
    return 0;
}

void build_args_done(struct build_args *a)
{
    strv_free(a->given);
    strv_free(a->used);
    strv_free(a->global);
    *a = (struct build_args){0};
}

static const char *given(struct build_args *a, const char *name)
{
    if (!strv_has(a->used, name))
        strv_add(&a->used, name);
    return strv_env_get(a->given, name);
}

const char *build_args_lookup_global(void *ctx, const char *name)
{
    const struct build_args *a = ctx;
    return strv_env_get(a->global, name);
}

static int declare_global(struct build_args *a, const char *pair, char escape)
{
    auto_free char *name = NULL, *value = NULL;
    int r = expand_pair(pair, escape, build_args_lookup_global, a, &name, &value);
    if (r < 0)
        return r;
    const char *wins = given(a, name);
    if (wins || value)
        strv_env_set(&a->global, name, wins ? wins : value);
    return 0;
}

int build_args_declare_global(struct build_args *a, const struct dockerfile *d)
{
    for (size_t i = 0; i < d->n_global_args; i++) {
        strv_foreach (pair, d->global_args[i].args) {
            int r = declare_global(a, pair, d->escape);
            if (r < 0)
                return instruction_wrap(d->file, &d->global_args[i], r);
        }
    }
    return 0;
}

char **build_args_unused(const struct build_args *a)
{
    char **unused = NULL;
    strv_foreach (pair, a->given) {
        auto_free char *name = name_of(pair);
        bool buildkit = str_after(name, "BUILDKIT_") || str_eq(name, "SOURCE_DATE_EPOCH"); /* need no ARG either */
        if (!strv_has(a->used, name) && !is_proxy(name) && !buildkit)
            strv_add(&unused, name);
    }
    return unused;
}

/* ---- a stage's ---- */

void scope_declare(struct scope *s, const char *name, const char *fallback)
{
    const char *value = given(s->args, name);
    if (!value)
        value = fallback ? fallback : strv_env_get(s->args->global, name);
    if (value)
        strv_env_set(&s->values, name, value);
}

const char *scope_get(const struct scope *s, const char *name)
{
    const char *value = strv_env_get(s->values, name);
    return value || !is_proxy(name) ? value : strv_env_get(s->args->given, name);
}

char **scope_proxies(const struct scope *s)
{
    char **found = NULL;
    strv_foreach (pair, s->args->given) {
        auto_free char *name = name_of(pair);
        if (is_proxy(name) && !strv_env_get(s->values, name))
            strv_add(&found, pair);
    }
    return found;
}
