/* The least that the kernel must do for a container:  floor LOWER COMMAND...
 *
 * New user (not as root), pid, mount, network, ipc, uts and cgroup namespaces; the id maps by newuidmap and newgidmap
 * side by side; an overlay on the directory LOWER with an upper directory made for it; /proc and a minimal /dev;
 * pivot_root; exec. No store, no log, no supervisor, no security settings. What a real run costs beyond this is what
 * whelk adds.
 *
 * Runs in: the parent (maps, waiting, removing the upper directory), and the child (init of the new pid namespace). */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct overlay {
    char base[256];
    char upper[272], work[272], options[8192];
};

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void check(int r, const char *what)
{
    if (r < 0)
        die(what);
}

/* The first range of this user in /etc/subuid or /etc/subgid. */
static void subordinate(const char *file, char start[24], char count[24])
{
    struct passwd *pw = getpwuid(getuid());
    FILE *f = fopen(file, "re");
    char line[256], name[64];
    if (!f || !pw)
        die(file);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%63[^:]:%23[0-9]:%23[0-9]", name, start, count) == 3 && strcmp(name, pw->pw_name) == 0) {
            fclose(f);
            return;
        }
    errno = ENOENT;
    die(file);
}

static pid_t map_ids(const char *tool, const char *file, pid_t child, unsigned id)
{
    char pid[24], self[24], start[24], count[24];
    pid_t p;
    subordinate(file, start, count);
    snprintf(pid, sizeof(pid), "%d", child);
    snprintf(self, sizeof(self), "%u", id);
    char *argv[] = {(char *)tool, pid, "0", self, "1", "1", start, count, NULL};
    errno = posix_spawnp(&p, tool, NULL, NULL, argv, environ);
    if (errno)
        die(tool);
    return p;
}

static void map_both(pid_t child)
{
    pid_t u = map_ids("newuidmap", "/etc/subuid", child, getuid());
    pid_t g = map_ids("newgidmap", "/etc/subgid", child, getgid());
    int su, sg;
    if (waitpid(u, &su, 0) != u || waitpid(g, &sg, 0) != g || su || sg) {
        errno = EPERM;
        die("newuidmap, newgidmap");
    }
}

static void overlay_prepare(const char *lower, struct overlay *o)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(o->base, sizeof(o->base), "%s/floor.XXXXXX", tmp && strlen(tmp) < 240 ? tmp : "/var/tmp");
    if (!mkdtemp(o->base))
        die(o->base);
    snprintf(o->upper, sizeof(o->upper), "%s/upper", o->base);
    snprintf(o->work, sizeof(o->work), "%s/work", o->base);
    check(mkdir(o->upper, 0755), o->upper);
    check(mkdir(o->work, 0755), o->work);
    snprintf(o->options, sizeof(o->options), "userxattr,lowerdir=%s,upperdir=%s,workdir=%s", lower, o->upper, o->work);
}

static void overlay_remove(const struct overlay *o)
{
    char inner[288];
    snprintf(inner, sizeof(inner), "%s/work", o->work);
    rmdir(inner);
    rmdir(o->work);
    rmdir(o->upper);
    rmdir(o->base);
}

/* In a user namespace there is no mknod: the host's nodes are bound. */
static void make_device_child(const char *name, unsigned minor_, bool root)
{
    char path[64], source[64];
    snprintf(path, sizeof(path), "dev/%s", name);
    snprintf(source, sizeof(source), "/dev/%s", name);
    if (root) {
        check(mknod(path, S_IFCHR | 0666, makedev(1, minor_)), path);
        return;
    }
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    check(fd, path);
    close(fd);
    check(mount(source, path, NULL, MS_BIND, NULL), path);
}

static void make_root_child(const struct overlay *o, bool root)
{
    static const struct {
        const char *name;
        unsigned minor;
    } devices[] = {{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}};

    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    /* The mount covers the directory that holds upper and work: in this namespace only. */
    check(mount("overlay", o->base, "overlay", 0, o->options), "overlay");
    check(chdir(o->base), o->base);
    check(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "/proc");
    check(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k"), "/dev");
    for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
        make_device_child(devices[i].name, devices[i].minor, root);
    check(mkdir("dev/pts", 0755), "/dev/pts");
    check(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"),
          "/dev/pts");
    check((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "old root");
    check(chdir("/"), "/");
}

static int run_child(const struct overlay *o, bool root, int go, char *argv[])
{
    char byte;
    if (read(go, &byte, 1) != 1)
        return 125;
    if (!root)
        check(setresgid(0, 0, 0) | setresuid(0, 0, 0), "ids");
    check(sethostname("floor", 5), "hostname");
    make_root_child(o, root);
    execvp(argv[0], argv);
    perror(argv[0]);
    return 127;
}

int main(int argc, char *argv[])
{
    bool root = geteuid() == 0;
    struct overlay o;
    int go[2], status;
    if (argc < 3) {
        fprintf(stderr, "usage: floor LOWER COMMAND...\n");
        return 125;
    }
    overlay_prepare(argv[1], &o);
    check(pipe2(go, O_CLOEXEC), "pipe");
    struct clone_args {
        unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                 (root ? 0 : CLONE_NEWUSER),
        .exit_signal = SIGCHLD,
    };
    pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    check(child, "clone3");
    if (child == 0) {
        close(go[1]);
        _exit(run_child(&o, root, go[0], argv + 2));
    }
    if (!root)
        map_both(child);
    if (write(go[1], "", 1) != 1)
        die("pipe");
    waitpid(child, &status, 0);
    overlay_remove(&o);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
