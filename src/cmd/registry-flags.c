/* The options of commands that talk with a registry, checked. */
#include "registry-flags.h"

#include "whelk/err.h"
#include "whelk/platform.h"
#include "whelk/pull.h"

void registry_flags_defaults(struct registry_flags *f)
{
    f->retry = REGISTRY_RETRIES;
}

static int truth(const char *s, int *ret)
{
    static const char *const words[] = {"false", "true", "0", "1", "f", "t"};
    *ret = -1;
    if (!s)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(s, words[i])) {
            *ret = (int)(i & 1);
            return 0;
        }
    return err_set(-EINVAL, "--tls-verify is true or false, not \"%s\"", s);
}

int registry_flags_options(const struct registry_flags *f, struct registry_options *ret)
{
    *ret = (struct registry_options){
        .authfile = f->authfile,
        .creds = f->creds,
        .cert_dir = f->cert_dir,
        .retries = f->retry,
        .retry_delay = f->retry_delay,
        .stall = f->stall,
    };
    if (f->retry < 0 || f->retry > 100)
        return err_set(-EINVAL, "--retry is a number from 0 to 100, not %lld", (long long)f->retry);
    return truth(f->tls_verify, &ret->tls_verify);
}

int platform_flags_text(const struct platform_flags *f, char **ret)
{
    if (f->platform && (f->arch || f->os || f->variant))
        return err_set(-EINVAL, "--platform says what --arch, --os and --variant say; give the one or the others");
    if (f->variant && !f->arch)
        return err_set(-EINVAL, "--variant needs --arch");
    if (f->arch || f->os)
        *ret = xasprintf("%s/%s%s%s", f->os ?: platform_os(), f->arch ?: platform_architecture(), f->variant ? "/" : "",
                         f->variant ?: "");
    else
        *ret = xstrdup(f->platform);
    return 0;
}

/* *ret_platform: the caller frees; ret->platform is it. */
static int fill(const struct pull_flags *f, struct pull_options *ret, enum pull_policy *ret_policy, char **ret_platform)
{
    *ret = (struct pull_options){.quiet = f->quiet};
    int r = pull_policy_parse(f->policy, ret_policy);
    if (r < 0)
        return err_wrap(r, "--pull");
    r = platform_flags_text(&f->platform, ret_platform);
    ret->platform = *ret_platform;
    return r < 0 ? r : registry_flags_options(&f->registry, &ret->registry);
}

int pull_flags_check(const struct pull_flags *f)
{
    struct pull_options o;
    enum pull_policy policy;
    auto_free char *platform = NULL;
    return fill(f, &o, &policy, &platform);
}

int pull_flags_need(struct store *s, const struct pull_flags *f, const char *image)
{
    struct pull_options o;
    enum pull_policy policy;
    auto_free char *platform = NULL;
    int r = fill(f, &o, &policy, &platform);
    return r < 0 ? r : image_need(s, image, policy, &o);
}
