/* whelk version */
#include "cmd.h"
#include "listing.h"

#include "whelk/platform.h"

#include <sys/utsname.h>

struct version_opts {
    char *format;
};

static const struct opt version_table[] = {
    {"format", 'f', OPT_STR, OPT(struct version_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template, as '{{.Client.Version}}'"},
    OPT_END,
};

/* The API that the forms of output are like; nothing is served. */
#define API_VERSION "1.47"

/* Client and server are the same program; docker's and podman's names. */
static json_t *part_json(const char *release)
{
    auto_free char *os_arch = xasprintf("%s/%s", platform_os(), platform_architecture());
    const char *const texts[][2] = {
        {"Version", WHELK_VERSION},
        {"APIVersion", API_VERSION},
        {"ApiVersion", API_VERSION},
        {"MinAPIVersion", API_VERSION},
        {"DefaultAPIVersion", API_VERSION},
        {"GitCommit", ""},
        {"GoVersion", ""},
        {"Os", platform_os()},
        {"Arch", platform_architecture()},
        {"OsArch", os_arch},
        {"BuildTime", ""},
        {"BuiltTime", ""},
        {"KernelVersion", release},
        {"Context", "default"},
    };
    json_t *o = json_pack("{s:{s:s}, s:i, s:b}", "Platform", "Name", "whelk", "Built", 0, "Experimental", false);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_object_set_new(o, texts[i][0], json_from_str(texts[i][1]));
    return o;
}

static int print_formatted(const char *format, const char *release)
{
    auto_json json_t *o = json_pack("{s:o, s:o}", "Client", part_json(release), "Server", part_json(release));
    json_object_set_new(json_object_get(o, "Server"), "Components", json_array());
    return listing_print_object(format, o);
}

static int run(void *opts, char **args)
{
    const struct version_opts *o = opts;
    struct utsname un;
    if (uname(&un) < 0)
        return err_sys("uname");
    if (o->format)
        return print_formatted(o->format, un.release);
    printf("Client:\n"
           " Version:   %s\n"
           " OS/Arch:   %s/%s\n"
           " Kernel:    %s\n"
           " Features:  %clibcrypto %cisal\n"
           "\n"
           "Server: none, whelk does the work itself\n"
           " Version:   %s\n",
           WHELK_VERSION, platform_os(), platform_architecture(), un.release, HAVE_LIBCRYPTO ? '+' : '-',
           HAVE_ISAL ? '+' : '-', WHELK_VERSION);
    return 0;
}

const struct cmd cmd_version = {
    .names = "version",
    .args = "[OPTIONS]",
    .summary = "print the version and what it runs on",
    .description = "Prints the version of whelk, the platform that it makes images for, the running kernel, and which "
                   "optional libraries this whelk was built for. As there is no server, the part with that name "
                   "says the same version.",
    .examples = "whelk version\n"
                "whelk --version\n"
                "whelk version --format '{{.Server.Version}}'",
    .opts = version_table,
    .opts_size = sizeof(struct version_opts),
    .run = run,
};
