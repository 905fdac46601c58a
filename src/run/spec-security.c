/* Capabilities, seccomp and the other --security-opt. */
#include "spec.h"

#include "whelk/caps.h"
#include "whelk/err.h"

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
    return err_set(-EOPNOTSUPP,
                   "--security-opt label: this version sets no SELinux labels; only label=disable is known");
}

static int opt_apparmor(struct ctr *c, const char *value)
{
    if (value && str_eq(value, "unconfined"))
        return 0; /* no profile is ever set */
    return err_set(-EOPNOTSUPP,
                   "--security-opt apparmor: this version sets no AppArmor profile; only apparmor=unconfined is known");
}

static const struct security_option {
    const char *name;
    int (*set)(struct ctr *c, const char *value);
} security_options[] = {
    {"no-new-privileges", opt_no_new_privileges},
    {"seccomp", opt_seccomp},
    {"nested", opt_nested},
    {"unmask", opt_unmask},
    {"systempaths", opt_unmask},
    {"label", opt_label},
    {"apparmor", opt_apparmor},
};

static int add_security_option(const char *word, struct ctr *c)
{
    size_t n = strcspn(word, "=:");
    const char *value = word[n] ? word + n + 1 : NULL;
    for (size_t i = 0; i < ARRAY_LEN(security_options); i++)
        if (strlen(security_options[i].name) == n && strncmp(word, security_options[i].name, n) == 0)
            return security_options[i].set(c, value);
    return err_set(
        -EINVAL,
        "--security-opt %s is not known; known: no-new-privileges, seccomp=unconfined|FILE, nested, unmask=ALL, "
        "label=disable, apparmor=unconfined",
        word);
}

int spec_make_security(const struct run_options *o, struct ctr *c)
{
    uint64_t caps = 0, adds = 0;
    c->privileged = o->privileged;
    if (o->privileged) {
        c->unmask = true;
        c->seccomp = xstrdup("unconfined");
    }
    int r = caps_compute(o->privileged ? caps_grantable() : caps_default(), o->cap_add, o->cap_drop, &caps);
    if (r == 0)
        r = caps_compute(0, o->cap_add, o->cap_drop, &adds);
    strv_foreach (word, o->security_opts)
        r = r < 0 ? r : add_security_option(word, c);
    c->cap_bounding = c->cap_effective = (int64_t)caps;
    c->cap_ambient = (int64_t)(adds & caps);
    return r;
}
