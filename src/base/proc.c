/* Processes: workers, helpers, pidfds, facts about processes. Signal names are in signal.c.
 * Runs in: every process; worker functions say which side they are of. */
#include "whelk/proc.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* ---- workers ---- */

/* Bounds what a worker makes its parent allocate: the last output of a failed step is the largest part. */
enum { WORKER_MESSAGE_MAX = 1 << 20 };

static int own_err_fd = -1;

int worker_err_fd(void)
{
    return own_err_fd;
}

/* The worker side. The parent may have died before prctl; if it is in another pid namespace, getppid gives 0 and cannot
 * tell. */
static void worker_main_child(pid_t parent, int err_fd, int (*fn)(void *arg), void *arg) __attribute__((noreturn));
static void worker_main_child(pid_t parent, int err_fd, int (*fn)(void *arg), void *arg)
{
    own_err_fd = err_fd;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        worker_finish(err_fd, err_sys("cannot tie a worker to its parent"));
    pid_t now = getppid();
    if (now != parent && now != 0)
        _exit(1);
    err_clear();
    worker_finish(err_fd, fn(arg));
}

int worker_start(int (*fn)(void *arg), void *arg, struct worker *ret)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    auto_close int read_end = ends[0], write_end = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return err_sys("cannot fork");
    if (pid == 0) {
        fd_close(read_end);
        worker_main_child(parent, write_end, fn, arg);
    }
    *ret = (struct worker){.pid = pid, .err_fd = take_fd(&read_end)};
    return 0;
}

/* A length goes before the message: its reader does not wait for an EOF, which a child of the worker may hold back. */
void worker_finish(int err_fd, int r)
{
    size_t len = 0;
    char *bytes = err_pack(r, &len);
    if (len > WORKER_MESSAGE_MAX) {
        if (r < 0)
            err_set(r, "%.4096s", err_text(r));
        else
            err_clear();
        bytes = err_pack(r, &len);
    }
    uint32_t head = (uint32_t)len;
    auto_buf struct buf b = {0};
    buf_add(&b, &head, sizeof(head));
    buf_add(&b, bytes, len);
    signal(SIGPIPE, SIG_IGN);
    _exit(fd_write_all(err_fd, b.data, b.len) < 0 || r < 0);
}

int worker_result(int err_fd)
{
    uint32_t len = 0;
    if (fd_read_full(err_fd, &len, sizeof(len)) != sizeof(len) || len > WORKER_MESSAGE_MAX)
        return -ECHILD;
    auto_free char *bytes = xmalloc(len);
    if (fd_read_full(err_fd, bytes, len) != (ssize_t)len)
        return -ECHILD;
    return err_unpack(bytes, len);
}

/* The text for a process that ended without saying why. */
static int err_ended(int r, const char *what, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return err_set(r, "%s was killed by signal %s", what, signal_name(WTERMSIG(wait_status)));
    return err_set(r, "%s ended with status %d", what, WEXITSTATUS(wait_status));
}

int worker_wait(struct worker *w)
{
    err_clear();
    int r = worker_result(w->err_fd);
    bool silent = r == -ECHILD && err_is_clear();
    fd_close(take_fd(&w->err_fd));
    int status = proc_reap(w->pid);
    w->pid = 0;
    if (!silent)
        return r;
    return status < 0 ? err_set(-ECHILD, "a worker process was lost") : err_ended(-ECHILD, "a worker process", status);
}

int proc_leave_caller(void)
{
    setsid();
    (void)!chdir("/"); /* else what is mounted there stays busy */
    auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return err_sys("cannot open /dev/null");
    for (int i = 0; i < 3; i++)
        dup2(null, i);
    if (null < 3)
        null = -1;
    return 0;
}

/* ---- helpers ---- */

enum { HELPER_OUTPUT_MAX = 4096 };

/* posix_spawn shares the memory until the exec, so its time does not grow with ours. The helper gets input (-1: none), its
 * output goes nowhere (ours is the answer of a command), its stderr to err_fd, all signals as by default, nothing else
 * open. */
static int helper_spawn(char *const argv[], int input, int err_fd, pid_t *ret)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&files, input, 0);
    else
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, err_fd, 2);
#ifdef __GLIBC__ /* elsewhere O_CLOEXEC must do */
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
#endif
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int r = posix_spawnp(ret, argv[0], &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -r;
}

/* Whether any directory of PATH has it. The search itself says EACCES as soon as PATH names a closed directory, as
 * after su, which would hide that the helper is missing. */
static bool helper_exists(const char *name)
{
    auto_strv char **dirs = strv_split(getenv("PATH") ? getenv("PATH") : "/bin:/usr/bin", ":");
    strv_foreach (dir, strchr(name, '/') ? NULL : dirs) {
        auto_free char *path = xasprintf("%s/%s", dir, name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return strchr(name, '/') && access(name, F_OK) == 0;
}

static int helper_begin(char *const argv[], int input, struct helper *ret)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    auto_close int read_end = ends[0], write_end = fd_move_above(ends[1], 3);
    if (write_end < 0)
        return err_set(write_end, "cannot make a pipe: %s", strerror(-write_end));
    pid_t pid = 0;
    int r = helper_spawn(argv, input, write_end, &pid);
    if (r == -ENOENT || (r == -EACCES && !helper_exists(argv[0])))
        return err_set(-ENOENT, "%s is not installed (not found in PATH)", argv[0]);
    if (r < 0)
        return err_set(r, "cannot run %s: %s", argv[0], strerror(-r));
    const char *slash = strrchr(argv[0], '/');
    *ret = (struct helper){.pid = pid, .err_fd = take_fd(&read_end), .name = slash ? slash + 1 : argv[0]};
    return 0;
}

int helper_start(char *const argv[], struct helper *ret)
{
    return helper_begin(argv, -1, ret);
}

/* What the helper wrote, as much as is kept; what is beyond is read too, so that it does not block. */
static void helper_output(int fd, struct buf *ret)
{
    char more[512];
    if (fd_read_all(fd, HELPER_OUTPUT_MAX, ret) == -EFBIG) {
        ret->len = strlen(ret->data);
        while (fd_read_full(fd, more, sizeof(more)) > 0)
            ;
    }
}

/* "newuidmap failed: " and the first line that it wrote, without its own name before it; all below if there are more.
 */
static int helper_error(const char *name, char *output, int status)
{
    char *text = str_trim(output);
    if (!*text)
        return err_ended(-EIO, name, status);
    size_t line_len = strcspn(text, "\n");
    auto_free char *line = xstrndup(text, line_len);
    const char *rest = str_after(line, name);
    if (rest && str_after(rest, ": "))
        rest += 2;
    else
        rest = line;
    int r = err_set(-EIO, "%s failed: %s", name, str_trim(line + (rest - line)));
    return text[line_len] ? err_detail(r, text) : r;
}

int helper_wait(struct helper *h)
{
    auto_buf struct buf output = {0};
    helper_output(h->err_fd, &output);
    fd_close(take_fd(&h->err_fd));
    int status = proc_reap(h->pid);
    h->pid = 0;
    if (status < 0)
        return err_set(status, "%s was lost: %s", h->name, strerror(-status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    auto_free char *text = buf_take(&output);
    return helper_error(h->name, text, status);
}

int helper_run(char *const argv[])
{
    struct helper h;
    int r = helper_start(argv, &h);
    return r < 0 ? r : helper_wait(&h);
}

int helper_run_on(char *const argv[], int input)
{
    struct helper h;
    int r = helper_begin(argv, input, &h);
    return r < 0 ? r : helper_wait(&h);
}

/* ---- pidfds and waiting ---- */

int pidfd_open_pid(pid_t pid)
{
    if (pid <= 0)
        return -EINVAL;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : fd;
}

/* fdinfo of a pidfd speaks in the pid namespace of the /proc that is read. */
pid_t pidfd_pid(int pidfd)
{
    char path[64];
    auto_free char *text = NULL;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0)
        return 0;
    const char *pid = strstr(text, "\nPid:");
    return pid ? MAX((pid_t)atoi(pid + 5), 0) : 0;
}

int pidfd_signal(int pidfd, int sig, int value)
{
    siginfo_t info = {.si_signo = sig, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    return syscall(SYS_pidfd_send_signal, pidfd, sig, &info, 0) < 0 ? -errno : 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int pidfd_wait_end(int pidfd, int timeout_ms)
{
    int64_t end = now_ms() + timeout_ms;
    for (;;) {
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        int n = poll(&p, 1, timeout_ms < 0 ? -1 : (int)MAX(end - now_ms(), (int64_t)0));
        if (n > 0 && (p.revents & POLLNVAL))
            return -EBADF;
        if (n >= 0)
            return n > 0;
        if (errno != EINTR)
            return -errno;
    }
}

int proc_reap(pid_t pid)
{
    if (pid <= 0)
        return -EINVAL;
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status;
}

int proc_exit_code(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* ---- facts ---- */

const char *proc_boot_id(void)
{
    static char id[37];
    if (!*id) {
        auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fd_read_full(fd, id, sizeof(id) - 1) != (ssize_t)sizeof(id) - 1)
            *id = '\0';
    }
    return id;
}

/* The name of the process, field 2, may hold blanks and brackets: the fields are counted from the last bracket. */
int proc_start_time(pid_t pid, uint64_t *ret)
{
    enum { FIELD = 22, FIRST_BEHIND_NAME = 3 };
    char path[32], line[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    auto_close int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return pid > 0 && errno != ENOENT ? -errno : -ESRCH;
    ssize_t n = fd_read_full(fd, line, sizeof(line) - 1);
    if (n < 0)
        return (int)n;
    line[n] = '\0';
    char *field = strrchr(line, ')'), *save = NULL;
    field = field ? strtok_r(field + 1, " ", &save) : NULL;
    for (int i = FIRST_BEHIND_NAME; field && i < FIELD; i++)
        field = strtok_r(NULL, " ", &save);
    return field && str_to_u64(field, ret) ? 0 : -EPROTO;
}
