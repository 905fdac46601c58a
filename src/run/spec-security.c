/* Capabilities, seccomp and the other --security-opt. */
#include "ns.h"
#include "spec.h"

#include "whelk/caps.h"
#include "whelk/err.h"

#include <sched.h>

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

static int add_paths(const char *option, const char *value, char ***to)
{
    auto_strv char **paths = strv_split(value ? value : "", ":");
    if (!paths)
        return err_set(-EINVAL, "--security-opt %s= takes absolute paths, with colons in between", option);
    strv_foreach (path, paths) {
        if (*path != '/')
            return err_set(-EINVAL, "--security-opt %s=%s: \"%s\" is not an absolute path", option, value, path);
        strv_add_take(to, spec_clean_path(path));
    }
    return 0;
}

/* Paths and patterns of paths, or all. */
static int opt_unmask(struct ctr *c, const char *value)
{
    if (value && (str_eq(value, "ALL") || str_eq(value, "all"))) {
        c->unmask = true;
        return 0;
    }
    return add_paths("unmask", value, &c->unmasks);
}

static int opt_mask(struct ctr *c, const char *value)
{
    return add_paths("mask", value, &c->masks);
}

static int opt_systempaths(struct ctr *c, const char *value)
{
    c->unmask = value && str_eq(value, "unconfined");
    return c->unmask ? 0 : err_set(-EINVAL, "--security-opt systempaths takes unconfined");
}

/* What hides processes from each other; see proc(5). */
static int opt_proc(struct ctr *c, const char *value)
{
    auto_strv char **words = strv_split(value ? value : "", ",");
    strv_foreach (word, words)
        if (!str_after(word, "hidepid=") && !str_eq(word, "subset=pid") && !str_after(word, "gid="))
            return err_set(-EINVAL,
                           "--security-opt proc-opts=%s: \"%s\" is not known; known: hidepid=, gid=, subset=pid", value,
                           word);
    if (!words)
        return err_set(-EINVAL, "--security-opt proc-opts= takes options, as hidepid=invisible");
    if (ctr_ns_kind(c, CLONE_NEWPID) == NS_HOST)
        return err_set(-EINVAL, "--security-opt proc-opts: with --pid host, /proc is that of the host");
    free(c->proc_opts);
    c->proc_opts = xstrdup(value);
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
    {"mask", opt_mask},
    {"proc-opts", opt_proc},
    {"systempaths", opt_systempaths},
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
        "--security-opt %s is not known; known: no-new-privileges, seccomp=unconfined|FILE, nested, mask=PATHS, "
        "unmask=ALL|PATHS, proc-opts=, systempaths=unconfined, label=disable, apparmor=unconfined",
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
