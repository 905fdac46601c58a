/* Runs a command for a test, and leaves nothing of it:  within [-q] SECONDS COMMAND...
 *
 * Whatever the command leaves behind (daemons, orphans: this process is their subreaper) is killed when it has ended or
 * when its time is up. Every process is found by descent from here and signalled through a pidfd; nothing goes by name.
 * It names what it kills so, but for -q. Exit status: the command's; 128+n for signal n; 124 when the time was up.
 * WITHIN_PID in the environment is this process: its children, but for the command itself, are orphans. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCS 65536

struct proc {
    pid_t pid, parent;
    char state;
    bool ours;
    char name[32];
};

static struct proc procs[MAX_PROCS];
static unsigned n_procs;

static bool proc_read(const char *pid, struct proc *ret)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(line, 1, sizeof(line) - 1, f);
    fclose(f);
    line[n] = '\0';
    /* The name in parentheses may hold anything. */
    char *open = strchr(line, '('), *close = strrchr(line, ')');
    if (!open || !close)
        return false;
    *close = '\0';
    ret->pid = atoi(line);
    ret->ours = false;
    snprintf(ret->name, sizeof(ret->name), "%s", open + 1);
    return sscanf(close + 1, " %c %d", &ret->state, &ret->parent) == 2;
}

static bool is_ours(pid_t pid)
{
    for (unsigned i = 0; i < n_procs; i++)
        if (procs[i].pid == pid)
            return procs[i].ours;
    return false;
}

/* Fills procs and marks the descendants of this process. */
static void scan(void)
{
    DIR *dir = opendir("/proc");
    n_procs = 0;
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir)) && n_procs < MAX_PROCS;)
        if (isdigit((unsigned char)e->d_name[0]) && proc_read(e->d_name, &procs[n_procs]))
            n_procs++;
    closedir(dir);
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < n_procs; i++) {
            struct proc *p = &procs[i];
            if (p->ours || !(p->parent == getpid() || is_ours(p->parent)))
                continue;
            p->ours = more = true;
        }
    }
}

/* The pidfd is opened first, then the parent is compared again: the pid may have come again since the scan. */
static void kill_one(const struct proc *p)
{
    struct proc now;
    char name[24];
    if (p->pid <= 1 || p->state == 'Z')
        return;
    int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (fd < 0)
        return;
    snprintf(name, sizeof(name), "%d", p->pid);
    if (proc_read(name, &now) && (now.parent == p->parent || now.parent == getpid()))
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    close(fd);
}

/* Kills all descendants, round by round: the dying give their children to this process. Returns how many there were. */
static unsigned kill_rest(bool tell)
{
    unsigned found = 0;
    for (int round = 0; round < 500; round++) {
        unsigned alive = 0;
        scan();
        for (unsigned i = 0; i < n_procs; i++) {
            if (!procs[i].ours || procs[i].state == 'Z')
                continue;
            if (round == 0 && tell)
                fprintf(stderr, "# left over: %d %s\n", procs[i].pid, procs[i].name);
            kill_one(&procs[i]);
            alive++;
        }
        if (round == 0)
            found = alive;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (alive == 0)
            return found;
        usleep(10000);
    }
    fprintf(stderr, "# some processes cannot be killed\n");
    return found;
}

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reaps until the command has ended (its status) or the time is up or a signal asks to stop (-1 after a word about it).
 */
static int reap_until(pid_t command, int signals, long long deadline)
{
    for (;;) {
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
            if (pid == command)
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        long long left = deadline - now_ms();
        struct pollfd p = {.fd = signals, .events = POLLIN};
        if (left <= 0) {
            fprintf(stderr, "# stopped: the time is up\n");
            return -1;
        }
        struct signalfd_siginfo info;
        if (poll(&p, 1, (int)left) > 0 && read(signals, &info, sizeof(info)) == sizeof(info) &&
            info.ssi_signo != SIGCHLD) {
            fprintf(stderr, "# stopped by signal %u\n", info.ssi_signo);
            return -1;
        }
    }
}

int main(int argc, char *argv[])
{
    bool quiet = argc > 1 && strcmp(argv[1], "-q") == 0;
    argc -= quiet;
    argv += quiet;
    int seconds = argc > 2 ? atoi(argv[1]) : 0;
    if (seconds <= 0) {
        fprintf(stderr, "usage: within [-q] SECONDS COMMAND...\n");
        return 2;
    }
    sigset_t set;
    sigemptyset(&set);
    int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof(watched) / sizeof(*watched); i++)
        sigaddset(&set, watched[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    char self[24];
    snprintf(self, sizeof(self), "%d", getpid());
    setenv("WITHIN_PID", self, 1);
    prctl(PR_SET_CHILD_SUBREAPER, 1);

    pid_t command = fork();
    if (command < 0 || signals < 0) {
        perror("within");
        return 2;
    }
    if (command == 0) {
        setsid();
        snprintf(self, sizeof(self), "%d", getpid());
        setenv("WITHIN_MAIN", self, 1);
        /* Whoever started this may ignore signals (nohup, a shell's background): the tests must not inherit that. */
        for (int sig = 1; sig < NSIG; sig++)
            signal(sig, SIG_DFL);
        sigemptyset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
        execvp(argv[2], argv + 2);
        fprintf(stderr, "within: %s: %s\n", argv[2], strerror(errno));
        _exit(127);
    }
    int r = reap_until(command, signals, now_ms() + seconds * 1000LL);
    kill_rest(!quiet);
    return r < 0 ? 124 : r;
}
