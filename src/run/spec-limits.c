/* Limits from words to values: each kind of limits.def has a parser. */
#include "spec.h"

#include "whelk/err.h"
#include "whelk/units.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

static int parse_SIZE(const char *option, const char *word, int64_t *ret)
{
    uint64_t bytes = 0;
    if (str_eq(word, "-1")) {
        *ret = -1;
        return 0;
    }
    int r = size_parse(word, &bytes);
    if (r == 0 && bytes > INT64_MAX)
        r = err_set(-EINVAL, "%s is too large", word);
    *ret = (int64_t)bytes;
    return r < 0 ? err_wrap(r, "--%s", option) : 0;
}

static int parse_COUNT(const char *option, const char *word, int64_t *ret)
{
    if (str_to_i64(word, ret))
        return 0;
    return err_set(-EINVAL, "--%s %s is not a number", option, word);
}

static int parse_CPUS(const char *option, const char *word, int64_t *ret)
{
    char *end;
    double cpus = strtod(word, &end);
    if (end == word || *end || !(cpus >= 0) || cpus > 1e6)
        return err_set(-EINVAL, "--%s %s is not a number of processors, such as 1.5", option, word);
    *ret = (int64_t)(cpus * 1e9 + 0.5);
    return 0;
}

static int parse_TEXT(const char *option, const char *word, char **ret)
{
    *ret = xstrdup(word);
    return 0;
}

/* PATH:VALUE to MAJ:MIN=N. */
static int parse_device(const char *option, const char *word, char ***ret)
{
    const char *colon = strrchr(word, ':');
    struct stat st;
    uint64_t value = 0;
    auto_free char *path = xstrndup(word, colon ? (size_t)(colon - word) : 0);
    if (!colon || !*path)
        return err_set(-EINVAL, "--%s %s: write DEVICE:VALUE, such as /dev/sda:1mb", option, word);
    int r = size_parse(colon + 1, &value);
    if (r < 0)
        return err_wrap(r, "--%s %s", option, word);
    if (stat(path, &st) < 0)
        return err_sys("--%s: cannot look at %s", option, path);
    if (!S_ISBLK(st.st_mode))
        return err_set(-EINVAL, "--%s: %s is not a block device", option, path);
    strv_addf(ret, "%u:%u=%llu", major(st.st_rdev), minor(st.st_rdev), (unsigned long long)value);
    return 0;
}

static int parse_DEVICES(const char *option, char *const *words, char ***ret)
{
    int r = 0;
    strv_foreach (word, words)
        r = r < 0 ? r : parse_device(option, word, ret);
    return r;
}

/* Checked with all others (limits_check). */
static int parse_CONF(const char *option, char *const *words, char ***ret)
{
    *ret = strv_copy(words);
    return 0;
}

int spec_limits(const struct limit_words *words, struct limits *ret)
{
    struct limits l = {0};
    int r = spec_change_limits(words, &l);
    if (r < 0)
        limits_done(&l);
    else
        *ret = l;
    return r;
}

static void drop_SIZE(int64_t *value)
{
    *value = 0;
}

static void drop_TEXT(char **text)
{
    free(take_ptr(text));
}

static void drop_DEVICES(char ***words)
{
    strv_free(take_ptr(words));
}
#define drop_CONF drop_DEVICES
#define drop_CPUS drop_SIZE
#define drop_COUNT drop_SIZE

/* A share of the processors is given in one of two ways: a new one takes the place of the other. */
static void drop_other_share(const struct limit_words *words, struct limits *l)
{
    if (words->nano_cpus)
        l->cpu_quota = l->cpu_period = 0;
    if (words->cpu_quota || words->cpu_period)
        l->nano_cpus = 0;
}

int spec_change_limits(const struct limit_words *words, struct limits *l)
{
    int r = 0;
    drop_other_share(words, l);
#define LIMIT(field, kind, option, ...)                                                                                \
    if (r == 0 && words->field) {                                                                                      \
        drop_##kind(&l->field);                                                                                        \
        r = parse_##kind(option, words->field, &l->field);                                                             \
    }
#include "whelk/limits.def"
#undef LIMIT
    return r < 0 ? r : limits_check(l);
}

/* Podman's words: there is no conmon, so "no-conmon" is how it is anyway. */
int spec_make_cgroups(const struct run_options *o, struct ctr *c)
{
    const char *mode = o->cgroups, *parent = o->cgroup_parent;
    if (parent && (*parent != '/' || strstr(parent, "..") || !parent[1]))
        return err_set(-EINVAL,
                       "--cgroup-parent %s: write the path of a group, as /machine/containers; slices of systemd "
                       "are chosen by the unit that whelk runs in",
                       parent);
    if (parent && mode && (str_eq(mode, "disabled") || str_eq(mode, "split")))
        return err_set(-EINVAL, "--cgroups %s and --cgroup-parent contradict each other", mode);
    c->cgroup_parent = xstrdup(parent);
    if (!mode || str_eq(mode, "enabled") || str_eq(mode, "no-conmon"))
        return 0;
    if (!str_eq(mode, "disabled") && !str_eq(mode, "split"))
        return err_set(-EINVAL, "--cgroups %s is not known; known: enabled, disabled, no-conmon, split", mode);
    if (str_eq(mode, "disabled") && limits_any(&c->limits))
        return err_set(-EINVAL, "--cgroups disabled and a limit contradict each other");
    c->cgroups = xstrdup(mode);
    return 0;
}
