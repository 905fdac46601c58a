/* Resource limits by name. */
#include "ulimit.h"

#include "whelk/err.h"
#include "whelk/str.h"

static const struct {
    const char *name;
    int resource;
} names[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

static bool to_limit(const char *word, rlim_t *ret)
{
    uint64_t n;
    bool none = str_eq(word, "-1") || str_eq(word, "unlimited");
    if (!none && !str_to_u64(word, &n))
        return false;
    *ret = none ? RLIM_INFINITY : (rlim_t)n;
    return true;
}

int ulimit_parse(const char *word, struct ulimit *ret)
{
    auto_strv char **parts = strv_split(word, "=:");
    size_t n = strv_len(parts);
    struct ulimit u = {.resource = -1};
    for (size_t i = 0; n && i < ARRAY_LEN(names); i++)
        if (str_eq(parts[0], names[i].name))
            u.resource = names[i].resource;
    if (u.resource < 0 || n < 2 || n > 3 || !to_limit(parts[1], &u.value.rlim_cur) ||
        !to_limit(parts[n - 1], &u.value.rlim_max))
        return err_set(-EINVAL,
                       "--ulimit %s: write NAME=SOFT[:HARD], with a name such as nofile, nproc, core, memlock, stack",
                       word);
    if (u.value.rlim_cur > u.value.rlim_max)
        return err_set(-EINVAL, "--ulimit %s: the soft limit is above the hard one", word);
    *ret = u;
    return 0;
}
