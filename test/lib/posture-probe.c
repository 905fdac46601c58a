/* Run inside a container, of whichever tool: what can a process do and see there? Prints one JSON object, so that
 * postures can be compared. Static and free of the program's own code: it must run in an empty image and must not share
 * its mistakes.
 *
 * System calls are made with arguments that no kernel takes (-1), each in a child: the errno tells what answered.
 * ENOSYS and EPERM where the bare kernel says EBADF or EFAULT are a filter's. Values: 0 worked, > 0 the errno, < 0 the
 * signal that ended it, "blocked", "skipped". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

extern char **environ;

/* JSON out: a comma before every value but the first of its level. */
static bool first = true;

static void sep(void)
{
    if (!first)
        putchar(',');
    first = false;
}

static void quoted(const char *s)
{
    putchar('"');
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            printf("\\u%04x", (unsigned char)*s);
        else
            putchar(*s);
    putchar('"');
}

static void begin(const char *key, char bracket)
{
    sep();
    if (key) {
        quoted(key);
        putchar(':');
    }
    putchar(bracket);
    first = true;
}

static void end(char bracket)
{
    putchar(bracket);
    first = false;
}

static void put_text(const char *key, const char *value)
{
    sep();
    if (key) {
        quoted(key);
        putchar(':');
    }
    quoted(value);
}

static void put_number(const char *key, long long value)
{
    sep();
    if (key) {
        quoted(key);
        putchar(':');
    }
    printf("%lld", value);
}

/* ---- system calls ---- */

struct call {
    long nr;
    uint64_t args[6];
};

/* Numbers for which -1 everywhere says nothing, or says too much. */
static const struct call harmless[] = {
    {SYS_kill, {0x7fffffff}},                                /* not -1: that is everybody */
    {SYS_clone, {CLONE_THREAD}}, {SYS_msgget, {0x7e57ab1e}}, /* -1 would make a queue */
    {SYS_semget, {0x7e57ab1e}},  {SYS_shmget, {0x7e57ab1e}}, {SYS_membarrier, {0}},
    {SYS_unshare, {0}},          {SYS_acct, {UINT64_MAX}}, /* not NULL: that turns accounting off */
#ifdef SYS_modify_ldt
    {SYS_modify_ldt, {0}},
#endif
};

/* They end the caller, share its stack, stop the terminal or take long. */
static const long skipped[] = {SYS_exit,        SYS_exit_group, SYS_vhangup, SYS_sync,
#ifdef SYS_vfork
                               SYS_fork,        SYS_vfork,      SYS_pause,
#endif
                               SYS_rt_sigreturn};

static long call_now(const struct call *c)
{
    static uint32_t word;
    const uint64_t *a = c->args;

    if (c->nr == SYS_futex)
        return syscall(SYS_futex, &word, FUTEX_WAKE, 0, NULL, NULL, 0);
    return syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

enum { BLOCKED = -1000, BROKEN = -1001 };

/* 0, the errno, minus the signal, or one of the above. */
static int try(const struct call *c)
{
    int pipe_fd[2], result = 0, status;

    if (pipe(pipe_fd) < 0)
        return BROKEN;
    pid_t pid = fork();
    if (pid < 0)
        return BROKEN;
    if (pid == 0) {
        result = call_now(c) == -1 ? errno : 0;
        ssize_t n = write(pipe_fd[1], &result, sizeof(result));
        _exit(n == sizeof(result) ? 0 : 1);
    }
    close(pipe_fd[1]);
    struct pollfd p = {.fd = pipe_fd[0], .events = POLLIN};
    bool answered = poll(&p, 1, 500) > 0;
    if (!answered)
        kill(pid, SIGKILL); /* > 0, see above */
    ssize_t n = answered ? read(pipe_fd[0], &result, sizeof(result)) : 0;
    close(pipe_fd[0]);
    if (waitpid(pid, &status, 0) != pid)
        return BROKEN;
    if (n == sizeof(result))
        return result;
    return !answered ? BLOCKED : WIFSIGNALED(status) ? -WTERMSIG(status) : BROKEN;
}

static void put_verdict(const char *key, const struct call *c)
{
    int r = try(c);
    if (r == BLOCKED || r == BROKEN)
        put_text(key, r == BLOCKED ? "blocked" : "broken");
    else
        put_number(key, r);
}

static void probe_numbers(void)
{
    begin("syscalls", '{');
    for (long nr = 0; nr <= 470; nr++) {
        struct call c = {nr, {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
        bool skip = false;
        char key[16];

        snprintf(key, sizeof(key), "%ld", nr);
        for (size_t i = 0; i < LEN(skipped); i++)
            skip |= skipped[i] == nr;
        for (size_t i = 0; i < LEN(harmless); i++)
            if (harmless[i].nr == nr)
                c = harmless[i];
        if (skip)
            put_text(key, "skipped");
        else
            put_verdict(key, &c);
    }
    end('}');
}

/* Where the arguments decide. CLONE_THREAD without CLONE_SIGHAND makes each clone invalid for the kernel. */
static const struct {
    const char *key;
    struct call call;
} with_args[] = {
    {"clone newuser", {SYS_clone, {CLONE_THREAD | CLONE_NEWUSER}}},
    {"clone newns", {SYS_clone, {CLONE_THREAD | CLONE_NEWNS}}},
    {"clone newnet", {SYS_clone, {CLONE_THREAD | CLONE_NEWNET}}},
    {"clone newpid", {SYS_clone, {CLONE_THREAD | CLONE_NEWPID}}},
    {"clone newcgroup", {SYS_clone, {CLONE_THREAD | CLONE_NEWCGROUP}}},
    {"ioctl TIOCSTI", {SYS_ioctl, {UINT64_MAX, TIOCSTI}}},
    {"ioctl TIOCSTI with upper half", {SYS_ioctl, {UINT64_MAX, TIOCSTI | (UINT64_C(1) << 32)}}},
    {"ioctl TIOCLINUX", {SYS_ioctl, {UINT64_MAX, TIOCLINUX}}},
    {"personality ask", {SYS_personality, {0xffffffff}}},
    {"personality linux32", {SYS_personality, {PER_LINUX32}}},
    {"personality no randomize", {SYS_personality, {ADDR_NO_RANDOMIZE}}},
    {"personality read implies exec", {SYS_personality, {READ_IMPLIES_EXEC}}},
    {"ptrace traceme", {SYS_ptrace, {0}}},
    {"socket raw", {SYS_socket, {AF_INET, SOCK_RAW, 1}}},
};

static void probe_args(void)
{
    char key[16];

    begin("args", '{');
    for (size_t i = 0; i < LEN(with_args); i++)
        put_verdict(with_args[i].key, &with_args[i].call);
    end('}');
    begin("socket families", '{');
    for (unsigned family = 0; family <= 46; family++) {
        struct call c = {SYS_socket, {family, SOCK_DGRAM}};
        snprintf(key, sizeof(key), "%u", family);
        put_verdict(key, &c);
    }
    end('}');
    begin("netlink protocols", '{');
    for (unsigned protocol = 0; protocol <= 22; protocol++) {
        struct call c = {SYS_socket, {AF_NETLINK, SOCK_RAW, protocol}};
        snprintf(key, sizeof(key), "%u", protocol);
        put_verdict(key, &c);
    }
    end('}');
}

/* ---- what /proc/self says ---- */

static void probe_status(void)
{
    static const char *const wanted[] = {"CapInh",  "CapPrm",          "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
                                         "Seccomp", "Seccomp_filters", "Groups", "Umask",  "Uid",    "Gid"};
    char line[1024];
    FILE *f = fopen("/proc/self/status", "re");

    begin("status", '{');
    while (f && fgets(line, sizeof(line), f)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        for (size_t i = 0; i < LEN(wanted); i++)
            if (strcmp(line, wanted[i]) == 0)
                put_text(line, value);
    }
    if (f)
        fclose(f);
    end('}');
}

/* The lines of a file as an array. */
static void put_lines(const char *key, const char *path)
{
    char line[8192];
    FILE *f = fopen(path, "re");

    begin(key, '[');
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        put_text(NULL, line);
    }
    if (f)
        fclose(f);
    end(']');
}

/* mountinfo: id parent dev root target options fields... - type source super-options */
static void probe_mounts(void)
{
    char line[8192], root[4096], target[4096], options[512], type[64], super[4096];
    FILE *f = fopen("/proc/self/mountinfo", "re");

    begin("mounts", '[');
    while (f && fgets(line, sizeof(line), f)) {
        char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s %511s", root, target, options) != 3 ||
            sscanf(rest, " - %63s %*s %4095s", type, super) != 2)
            continue;
        begin(NULL, '{');
        put_text("target", target);
        put_text("root", root);
        put_text("type", type);
        put_text("options", options);
        put_text("super", super);
        put_text("propagation", strstr(line, " shared:") ? "shared" : strstr(line, " master:") ? "slave" : "private");
        end('}');
    }
    if (f)
        fclose(f);
    end(']');
}

/* The links of a directory of /proc/self: descriptors, namespaces. */
static void probe_links(const char *key, const char *dir)
{
    DIR *d = opendir(dir);

    begin(key, '{');
    for (struct dirent *e; d && (e = readdir(d));) {
        char target[4096] = "";
        if (e->d_name[0] == '.' || (strcmp(key, "fds") == 0 && atoi(e->d_name) == dirfd(d)))
            continue;
        if (readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1) > 0)
            put_text(e->d_name, target);
    }
    if (d)
        closedir(d);
    end('}');
}

/* ---- paths ---- */

static const char *const guarded[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/config.gz",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/irq",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/pressure/cpu",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/slabinfo",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/vmallocinfo",
    "/sys/dev/block",
    "/sys/devices/system/cpu/cpu0/thermal_throttle",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/selinux",
    "/sys/kernel/debug",
    "/sys/kernel/mm",
    "/sys/kernel/security",
    "/sys/kernel/tracing",
    "/sys/kernel/uevent_helper",
};

static size_t count_entries(int fd)
{
    DIR *d = fdopendir(fd);
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    else
        close(fd);
    return n;
}

/* "read": bytes or entries seen (of one read), or minus the errno; "write": 0 or the errno of opening (nothing is ever
 * written). */
static void probe_path(const char *path)
{
    char byte[16];
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    long seen = -errno;
    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

    if (fd >= 0 && is_dir) {
        seen = (long)count_entries(fd);
    } else if (fd >= 0) {
        seen = read(fd, byte, sizeof(byte));
        seen = seen < 0 ? -errno : seen;
        close(fd);
    }
    begin(path, '{');
    put_number("read", seen);
    if (is_dir) {
        put_number("write", access(path, W_OK) < 0 ? errno : 0);
    } else {
        fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        put_number("write", fd < 0 ? errno : 0);
        if (fd >= 0)
            close(fd);
    }
    end('}');
}

static void probe_paths(void)
{
    begin("paths", '{');
    for (size_t i = 0; i < LEN(guarded); i++)
        probe_path(guarded[i]);
    end('}');
}

static void probe_device(int dir, const char *prefix, const char *name, int depth)
{
    char path[512], target[512] = "", value[600];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", prefix, name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISLNK(st.st_mode) && readlinkat(dir, name, target, sizeof(target) - 1) > 0)
        snprintf(value, sizeof(value), "-> %s", target);
    else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        snprintf(value, sizeof(value), "%c %u:%u %04o", S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev),
                 minor(st.st_rdev), st.st_mode & 07777);
    else
        snprintf(value, sizeof(value), "%s %04o", S_ISDIR(st.st_mode) ? "dir" : "file", st.st_mode & 07777);
    put_text(path, value);
    if (!S_ISDIR(st.st_mode) || depth == 0)
        return;

    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            probe_device(dirfd(d), path, e->d_name, depth - 1);
    if (d)
        closedir(d);
}

static void probe_limits(void)
{
    begin("rlimits", '{');
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit l;
        char key[16], value[64];
        if (getrlimit((__rlimit_resource_t)i, &l) < 0)
            continue;
        snprintf(key, sizeof(key), "%d", i);
        snprintf(value, sizeof(value), "%lld %lld", (long long)l.rlim_cur, (long long)l.rlim_max);
        put_text(key, value); /* -1: unlimited */
    }
    end('}');
}

static void probe_environment(void)
{
    begin("env", '[');
    for (char **e = environ; *e; e++) {
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="), *e);
        put_text(NULL, name);
    }
    end(']');
}

int main(void)
{
    /* One write at the end: children must not flush a copy, and the order of output is ours. */
    setvbuf(stdout, NULL, _IOFBF, 1 << 20);
    begin(NULL, '{');
    probe_links("fds", "/proc/self/fd");
    probe_links("namespaces", "/proc/self/ns");
    probe_status();
    put_lines("uid_map", "/proc/self/uid_map");
    put_lines("gid_map", "/proc/self/gid_map");
    put_lines("setgroups", "/proc/self/setgroups");
    put_lines("oom_score_adj", "/proc/self/oom_score_adj");
    put_lines("cgroup", "/proc/self/cgroup");
    probe_environment();
    probe_limits();
    probe_mounts();
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    begin("dev", '{');
    probe_device(root, "", "dev", 2);
    end('}');
    close(root);
    probe_paths();
    probe_args();
    probe_numbers();
    end('}');
    putchar('\n');
    return fflush(stdout) == 0 ? 0 : 1;
}
