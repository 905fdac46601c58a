/* The platform in OCI words. uname decides and not the compiler: what matters is which images the kernel can run. */
#include "whelk/platform.h"

#include "whelk/str.h"

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
