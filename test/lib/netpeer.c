/* A server for tests, static, in the base image: netpeer tcp|tcp6|udp PORT
 * Tells who calls: over TCP a line with the caller's address, then everything back until the caller's end, then a line
 * "end"; over UDP the caller's address, a blank and the datagram. Prints "ready" when it listens. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *shown(const struct sockaddr_storage *sa, char buf[INET6_ADDRSTRLEN])
{
    if (sa->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, buf, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, buf, INET6_ADDRSTRLEN);
    return buf;
}

static void serve_tcp(int fd, const struct sockaddr_storage *from)
{
    char who[INET6_ADDRSTRLEN];
    static char bytes[65536];
    ssize_t n;
    dprintf(fd, "%s\n", shown(from, who));
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0, put; at < n; at += put)
            if ((put = write(fd, bytes + at, (size_t)(n - at))) < 0)
                return;
    dprintf(fd, "end\n");
}

static void tcp(int fd)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int peer = accept(fd, (struct sockaddr *)&from, &len);
        if (peer >= 0 && fork() == 0) {
            serve_tcp(peer, &from);
            _exit(0);
        }
        close(peer);
    }
}

static void udp(int fd)
{
    for (;;) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        char who[INET6_ADDRSTRLEN], in[2048], out[4096];
        ssize_t n = recvfrom(fd, in, sizeof in - 1, 0, (struct sockaddr *)&from, &len);
        if (n < 0)
            continue;
        in[n] = 0;
        snprintf(out, sizeof out, "%s %s", shown(&from, who), in);
        (void)!sendto(fd, out, strlen(out), 0, (struct sockaddr *)&from, len);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int is_udp = !strcmp(argv[1], "udp"), v6 = !strcmp(argv[1], "tcp6"), on = 1;
    unsigned short port = htons((unsigned short)atoi(argv[2]));
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = port};
    int fd = socket(v6 ? AF_INET6 : AF_INET, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, v6 ? (void *)&any6 : (void *)&any4, v6 ? sizeof any6 : sizeof any4) < 0 ||
        (!is_udp && listen(fd, 4096) < 0)) {
        perror("netpeer");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    if (is_udp)
        udp(fd);
    tcp(fd);
}
