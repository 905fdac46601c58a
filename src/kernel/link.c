/* Network interfaces, as far as plain ioctls go. Runs in: CHILD or SUPERVISOR, in the container's network namespace. */
#include "whelk/link.h"
#include "whelk/auto.h"
#include "whelk/err.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int link_loopback_up(void)
{
    /* lo has no other flag that could be lost, so there is no need to read them first. The kernel adds 127.0.0.1 and
     * ::1. Interface ioctls work on any socket; AF_UNIX is there without an IPv4 stack. */
    struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys("cannot open a socket");
    if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
        return err_sys("cannot bring the loopback interface up");
    return 0;
}
