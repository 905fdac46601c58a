/* Platforms in OCI words. For this machine uname decides and not the compiler: what matters is which images the kernel
 * can run. */
#include "whelk/platform.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <ctype.h>
#include <sys/utsname.h>

struct machine {
    const char *name; /* utsname.machine */
    const char *architecture;
    const char *variant;
};

static const struct machine machines[] = {
    {"x86_64", "amd64", NULL},    {"aarch64", "arm64", "v8"},
    {"armv8l", "arm", "v7"}, /* 32-bit view of a 64-bit machine: v7 is what images are built for */
    {"armv7l", "arm", "v7"},      {"armv6l", "arm", "v6"},
    {"i386", "386", NULL},        {"i686", "386", NULL},
    {"ppc64le", "ppc64le", NULL}, {"s390x", "s390x", NULL},
    {"riscv64", "riscv64", NULL}, {"loongarch64", "loong64", NULL},
    {"mips64", "mips64le", NULL},
};

/* The row of this machine; one that is not listed goes by its own name and has no variant. */
static const struct machine *machine(void)
{
    static struct utsname uts;
    static struct machine unlisted;

    if (uname(&uts) == 0)
        for (size_t i = 0; i < ARRAY_LEN(machines); i++)
            if (str_eq(uts.machine, machines[i].name))
                return &machines[i];
    unlisted = (struct machine){uts.machine, uts.machine, NULL};
    return &unlisted;
}

const char *platform_os(void)
{
    return "linux";
}

const char *platform_architecture(void)
{
    return machine()->architecture;
}

const char *platform_variant(void)
{
    return machine()->variant;
}

/* ---- platforms as values ---- */

void platform_done(struct platform *p)
{
    free(p->os);
    free(p->architecture);
    free(p->variant);
    free(p->os_version);
    strv_free(p->os_features);
    *p = (struct platform){0};
}

void platform_host(struct platform *ret)
{
    *ret = (struct platform){
        .os = xstrdup(platform_os()),
        .architecture = xstrdup(platform_architecture()),
        .variant = xstrdup(platform_variant()),
    };
}

/* Other words for an architecture, with the variant that they mean. */
static const struct machine aliases[] = {
    {"x86_64", "amd64", NULL}, {"x86-64", "amd64", NULL}, {"aarch64", "arm64", NULL}, {"armhf", "arm", "v7"},
    {"armel", "arm", "v6"},    {"i386", "386", NULL},     {"i686", "386", NULL},
};

static const char *const systems[] = {"linux", "windows", "darwin", "freebsd", "wasip1", "wasi", NULL};

static bool is_system(const char *word)
{
    return strv_has((char *const *)systems, word);
}

static bool is_platform_word(const char *word)
{
    for (const char *p = word; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr("_.-", *p)))
            return false;
    return isalnum((unsigned char)*word) && strlen(word) <= 64;
}

static void put_architecture(struct platform *p, const char *word)
{
    const char *variant = str_eq(word, platform_architecture()) ? platform_variant() : NULL;
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (str_eq(word, aliases[i].name)) {
            word = aliases[i].architecture;
            variant = aliases[i].variant;
            break;
        }
    p->architecture = xstrdup(word);
    p->variant = xstrdup(variant);
}

int platform_parse(const char *s, struct platform *ret)
{
    auto_free char *lower = xstrdup(s), *shown = str_printable(s);
    for (char *c = lower; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    auto_strv char **words = strv_split(lower, "/");
    size_t n = strv_len(words);
    bool fine = n >= 1 && n <= 3;
    for (size_t i = 0; fine && i < n; i++)
        fine = is_platform_word(words[i]);
    if (!fine || (n > 1 && !is_system(words[0])))
        return err_set(-EINVAL, "\"%s\" is no platform; say OS/ARCHITECTURE[/VARIANT], as linux/arm64", shown);
    struct platform p = {.os = xstrdup(is_system(words[0]) ? words[0] : platform_os())};
    if (n == 1 && is_system(words[0]))
        put_architecture(&p, platform_architecture());
    else
        put_architecture(&p, words[n == 1 ? 0 : 1]);
    if (n == 3) {
        free(p.variant);
        p.variant = xstrdup(words[2]);
    }
    *ret = p;
    return 0;
}

char *platform_text(const struct platform *p)
{
    const char *os = p->os ? p->os : "unknown", *architecture = p->architecture ? p->architecture : "unknown";
    return str_empty(p->variant) ? xasprintf("%s/%s", os, architecture)
                                 : xasprintf("%s/%s/%s", os, architecture, p->variant);
}

/* Variants of an architecture are counted, each serving the later ones; the usual one goes without saying. */
static unsigned variant_rank(const char *architecture, const char *variant)
{
    static const struct {
        const char *architecture;
        unsigned usual;
    } ranked[] = {{"arm", 7}, {"arm64", 8}, {"amd64", 1}};
    unsigned long rank = 0;
    for (size_t i = 0; i < ARRAY_LEN(ranked); i++) {
        if (!str_eq(architecture, ranked[i].architecture))
            continue;
        if (str_empty(variant))
            return ranked[i].usual;
        rank = *variant == 'v' ? strtoul(variant + 1, NULL, 10) : 0;
    }
    return rank < 100 ? (unsigned)rank : 0;
}

unsigned platform_score(const struct platform *want, const struct platform *have)
{
    if (!want->os || !have->os || !want->architecture || !have->architecture || !str_eq(want->os, have->os) ||
        !str_eq(want->architecture, have->architecture))
        return 0;
    const char *a = want->variant ? want->variant : "", *b = have->variant ? have->variant : "";
    unsigned asked = variant_rank(want->architecture, a), there = variant_rank(want->architecture, b);
    if (str_eq(a, b) || (asked && asked == there))
        return 200;
    return asked && there && there < asked ? 100 + there : 0;
}
