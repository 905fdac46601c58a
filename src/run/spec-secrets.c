/* --secret NAME[,type=mount|env][,target=...][,uid=][,gid=][,mode=]. */
#include "spec.h"

#include "whelk/err.h"
#include "whelk/passwd.h"
#include "whelk/secret.h"

enum { MODE_USUAL = 0444 };

/* One --secret before it is a record. */
struct ask {
    const char *spec;
    bool env;
    char *target; /* or NULL */
    struct ctr_secret *to;
};

static int set_type(struct ask *a, const char *value)
{
    a->env = str_eq(value, "env");
    return a->env || str_eq(value, "mount") ? 0 : -EINVAL;
}

static int set_target(struct ask *a, const char *value)
{
    free(a->target);
    a->target = xstrdup(value);
    return *value ? 0 : -EINVAL;
}

static int set_id(const char *value, int64_t *ret)
{
    uint32_t id;
    if (!passwd_id(value, &id))
        return -EINVAL;
    *ret = id;
    return 0;
}

static int set_uid(struct ask *a, const char *value)
{
    return set_id(value, &a->to->uid);
}

static int set_gid(struct ask *a, const char *value)
{
    return set_id(value, &a->to->gid);
}

/* Octal, as for chmod. */
static int set_mode(struct ask *a, const char *value)
{
    char *end;
    long mode = strtol(value, &end, 8);
    if (!*value || *end || mode < 0 || mode > 0777)
        return -EINVAL;
    a->to->mode = mode;
    return 0;
}

static const struct key {
    const char *name;
    int (*set)(struct ask *a, const char *value);
} keys[] = {
    {"type", set_type}, {"target", set_target}, {"uid", set_uid}, {"gid", set_gid}, {"mode", set_mode},
};

static int take_word(struct ask *a, const char *word)
{
    size_t len = strcspn(word, "=");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strlen(keys[i].name) != len || strncmp(keys[i].name, word, len) != 0)
            continue;
        if (!word[len] || keys[i].set(a, word + len + 1) < 0)
            return err_set(-EINVAL,
                           "--secret %s: %s is no value; write type=mount|env, target=PATH or NAME, uid=N, gid=N, "
                           "mode=OCTAL",
                           a->spec, word);
        return 0;
    }
    return err_set(-EINVAL, "--secret %s: \"%s\" is not known; known: type, target, uid, gid, mode", a->spec, word);
}

/* A file is below /run/secrets unless the target is absolute. */
static int settle(struct ask *a)
{
    struct ctr_secret *to = a->to;
    const char *target = a->target ? a->target : to->name;
    if (a->env && strchr(target, '='))
        return err_set(-EINVAL, "--secret %s: a variable's name has no =", a->spec);
    if (a->env) {
        to->variable = xstrdup(target);
        return 0;
    }
    auto_free char *path = *target == '/' ? xstrdup(target) : xasprintf("/run/secrets/%s", target);
    to->target = spec_clean_path(path);
    return str_eq(to->target, "/") || strstr(to->target, "/../") || str_ends(to->target, "/..")
               ? err_set(-EINVAL, "--secret %s: the target must be the path of a file", a->spec)
               : 0;
}

static int make_one(const struct store *s, const char *spec, struct ctr *c)
{
    auto_strv char **words = strv_split(spec, ",");
    struct ask a = {.spec = spec};
    int r = words ? 0 : err_set(-EINVAL, "--secret needs the name of a secret");
    if (r < 0)
        return r;
    a.to = rec_list_add(&ctr_secret_rec, &c->secrets);
    a.to->mode = MODE_USUAL;
    r = secret_find(s, words[0], &a.to->name);
    if (r < 0)
        return err_wrap(r, "--secret %s", spec);
    for (size_t i = 1; words[i] && r == 0; i++)
        r = take_word(&a, words[i]);
    if (r == 0)
        r = settle(&a);
    free(a.target);
    return r;
}

int spec_make_secrets(const struct store *s, const struct run_options *o, struct ctr *c)
{
    int r = 0;
    strv_foreach (spec, o->secrets)
        r = r < 0 ? r : make_one(s, spec, c);
    return r;
}
