/* whelk version */
#include "cmd.h"

#include "whelk/platform.h"

#include <sys/utsname.h>

static int run(void *opts, char **args)
{
    struct utsname un;
    if (uname(&un) < 0)
        return err_sys("uname");
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
    .summary = "print the version and what it runs on",
    .description = "Prints the version of whelk, the platform that it makes images for, the running kernel, and which "
                   "optional libraries this whelk was built for. As there is no server, the part with that name "
                   "says the same version.",
    .examples = "whelk version\n"
                "whelk --version\n"
                "whelk version | grep Kernel",
    .run = run,
};
