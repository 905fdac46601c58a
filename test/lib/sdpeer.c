/* What a service does that knows systemd; static, for a container's /bin:
 *   sdpeer notify TEXT...   sends the texts, a line each, to $NOTIFY_SOCKET
 *   sdpeer accept FD        takes one connection of the listening socket FD, says who answers, and closes it
 *   sdpeer read FD          copies what comes from FD, to its end */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int notify(char *const *texts)
{
    char message[8192] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || strlen(path) >= sizeof(address.sun_path))
        return fail("NOTIFY_SOCKET");
    strcpy(address.sun_path, path);
    for (size_t len = 0; *texts; texts++)
        len += (size_t)snprintf(message + len, sizeof(message) - len, "%s\n", *texts);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (sendto(fd, message, strlen(message), 0, (struct sockaddr *)&address, sizeof(address)) < 0)
        return fail(path);
    return 0;
}

static int answer(int fd)
{
    char text[256];
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    int peer = accept(fd, NULL, NULL);
    if (peer < 0)
        return fail("accept");
    int n = snprintf(text, sizeof(text), "pid %d LISTEN_PID %s LISTEN_FDS %s LISTEN_FDNAMES %s\n", getpid(),
                     pid ? pid : "-", fds ? fds : "-", names ? names : "-");
    return write(peer, text, (size_t)n) == n ? 0 : fail("write");
}

static int copy(int fd)
{
    char buf[4096];
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        if (write(1, buf, (size_t)n) != n)
            return fail("write");
    return n < 0 ? fail("read") : 0;
}

int main(int argc, char *argv[])
{
    if (argc > 2 && strcmp(argv[1], "notify") == 0)
        return notify(argv + 2);
    if (argc == 3 && strcmp(argv[1], "accept") == 0)
        return answer(atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "read") == 0)
        return copy(atoi(argv[2]));
    fprintf(stderr, "usage: sdpeer notify TEXT... | accept FD | read FD\n");
    return 2;
}
