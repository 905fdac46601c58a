/* The two ends of the network benchmark, static, in its image:
 *
 *   netload serve PORT                    answers what the others ask; prints "ready"
 *   netload in|out HOST PORT SECONDS      MB/s from or to a server
 *   netload connect HOST PORT SECONDS     short connections per second, from four processes
 *
 * Each prints one number. HOST is an IPv4 address. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, CALLERS = 4 };

static char block[BLOCK];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "netload: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the server ---- */

/* The first byte says what is wanted: c, a byte and the end; i, as much as goes; o, nothing but to take it. */
static void answer(int fd)
{
    char want;
    if (read(fd, &want, 1) != 1)
        return;
    if (want == 'c')
        (void)!write(fd, "c", 1);
    while (want == 'i' && write(fd, block, BLOCK) > 0)
        ;
    while (want == 'o' && read(fd, block, BLOCK) > 0)
        ;
}

static void serve(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
        die("cannot listen");
    puts("ready");
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < CALLERS; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            break;
        }
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        if (peer >= 0)
            answer(peer);
        close(peer);
    }
}

/* ---- the callers ---- */

static int call(const char *host, int port, char want)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1 || fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
        die("cannot connect");
    if (write(fd, &want, 1) != 1)
        die("cannot ask");
    return fd;
}

static double stream(const char *host, int port, double seconds, char want)
{
    int fd = call(host, port, want);
    double start = now(), bytes = 0;
    while (now() < start + seconds) {
        ssize_t n = want == 'i' ? read(fd, block, BLOCK) : write(fd, block, BLOCK);
        if (n <= 0)
            die("the connection broke");
        bytes += (double)n;
    }
    return bytes / 1e6 / (now() - start);
}

static unsigned connect_all(const char *host, int port, double seconds)
{
    unsigned n = 0;
    for (double end = now() + seconds; now() < end; n++) {
        char c;
        int fd = call(host, port, 'c');
        if (read(fd, &c, 1) != 1)
            die("no answer");
        close(fd);
    }
    return n;
}

static double connects(const char *host, int port, double seconds)
{
    int results[2];
    unsigned n, all = 0;
    if (pipe(results) < 0)
        die("no pipe");
    for (int i = 0; i < CALLERS; i++)
        if (fork() == 0) {
            n = connect_all(host, port, seconds);
            _exit(write(results[1], &n, sizeof n) != sizeof n);
        }
    close(results[1]);
    for (int i = 0; i < CALLERS; i++) {
        if (read(results[0], &n, sizeof n) != sizeof n)
            die("a caller failed");
        all += n;
    }
    return all / seconds;
}

int main(int argc, char *argv[])
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(atoi(argv[2]));
    if (argc != 5)
        return 2;
    double seconds = atof(argv[4]);
    if (strcmp(argv[1], "connect") == 0)
        printf("%.0f\n", connects(argv[2], atoi(argv[3]), seconds));
    else
        printf("%.0f\n", stream(argv[2], atoi(argv[3]), seconds, argv[1][0]));
    return 0;
}
