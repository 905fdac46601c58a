/* The options of commands that talk with a registry, checked. */
#include "registry-flags.h"

#include "whelk/err.h"

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
