/* Descriptors that the caller hands to a command.
 *
 * Runs in: STARTER, the invocation of exec (collects); SUPERVISOR (keeps them for restarts); CHILD (hands over). */
#include "handed.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { FDS_MAX = 1024 };

const char *handed_refuses(int fd)
{
    static const struct {
        mode_t type;
        const char *name;
    } kinds[] = {
        {S_IFREG, "a file"},   {S_IFDIR, "a directory"},    {S_IFCHR, "a device"},
        {S_IFBLK, "a device"}, {S_IFIFO, "a pipe by name"}, {S_IFLNK, "a link"},
    };
    struct statfs fs;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return "closed";
    if (S_ISSOCK(st.st_mode) || (S_ISFIFO(st.st_mode) && fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].type == (st.st_mode & S_IFMT))
            return kinds[i].name;
    return "something else";
}

static int add(struct handed *h, const char *what, int fd)
{
    const char *wrong = handed_refuses(fd);
    if (wrong)
        return err_set(-EINVAL, "%s: descriptor %d is %s; only pipes and sockets may enter a container", what, fd,
                       wrong);
    h->fds = xrealloc(h->fds, (h->n + 1) * sizeof *h->fds);
    h->fds[h->n++] = fd;
    return fd_set_cloexec(fd, true);
}

static bool has(const struct handed *h, int fd)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->fds[i] == fd)
            return true;
    return false;
}

/* A descriptor of whelk's own is close-on-exec, one that the caller left open is not. */
static int add_callers(struct handed *h, const char *what, int fd)
{
    if (has(h, fd))
        return 0;
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC))
        return err_set(-EBADF, "%s: descriptor %d is not open", what, fd);
    return add(h, what, fd);
}

/* What systemd passes to its main process, which is this one only if the pid says so (sd_listen_fds(3)). */
static int collect_sockets(struct handed *h)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    int64_t p, n;
    if (!pid || !count || !str_to_i64(pid, &p) || p != getpid() || !str_to_i64(count, &n) || n < 1)
        return 0;
    if (n > FDS_MAX)
        return err_set(-EINVAL, "LISTEN_FDS is %s; at most %d sockets can be passed", count, FDS_MAX);
    int r = 0;
    for (int i = 0; i < n && r == 0; i++)
        r = add(h, "LISTEN_FDS", 3 + i);
    h->listen = true;
    strv_addf(&h->env, "LISTEN_FDS=%s", count);
    if (names)
        strv_addf(&h->env, "LISTEN_FDNAMES=%s", names);
    return r;
}

static int collect_counted(struct handed *h, int64_t n)
{
    int first = 3 + (int)h->n, r = 0; /* behind those of systemd */
    if (n < 0 || n > FDS_MAX)
        return err_set(-EINVAL, "--preserve-fds %lld: a number from 0 to %d", (long long)n, FDS_MAX);
    for (int i = 0; i < n && r == 0; i++)
        r = add_callers(h, "--preserve-fds", first + i);
    return r;
}

static int collect_listed(struct handed *h, char *const *lists)
{
    int r = 0;
    strv_foreach (list, lists) {
        auto_strv char **words = strv_split(list, ",");
        strv_foreach (word, words) {
            int64_t fd;
            if (!str_to_i64(word, &fd) || fd < 3 || fd > INT32_MAX)
                return err_set(-EINVAL, "--preserve-fd %s: numbers of descriptors from 3 on, with commas", list);
            r = r < 0 ? r : add_callers(h, "--preserve-fd", (int)fd);
        }
    }
    return r;
}

int handed_collect(const struct preserve_options *o, bool listen, struct handed *ret)
{
    struct handed h = {0};
    int r = listen ? collect_sockets(&h) : 0;
    if (r == 0 && o)
        r = collect_counted(&h, o->count);
    if (r == 0 && o)
        r = collect_listed(&h, o->lists);
    if (r < 0) {
        free(h.fds);
        strv_free(h.env);
        return r;
    }
    *ret = h;
    return 0;
}

void handed_close(struct handed *h)
{
    for (size_t i = 0; i < h->n; i++)
        fd_close(h->fds[i]);
    free(h->fds);
    strv_free(h->env);
    *h = (struct handed){0};
}

void handed_close_others(const struct handed *h, const int *keep, size_t n)
{
    size_t more = h ? h->n : 0;
    auto_free int *all = xcalloc(n + more, sizeof *all);
    memcpy(all, keep, n * sizeof *all);
    if (more)
        memcpy(all + n, h->fds, more * sizeof *all);
    fd_close_except(all, n + more);
}

int handed_over_child(const struct handed *h, char ***env)
{
    for (size_t i = 0; i < h->n; i++)
        if (fd_set_cloexec(h->fds[i], false) < 0)
            return err_sys("cannot hand over descriptor %d", h->fds[i]);
    strv_foreach (pair, h->env) {
        auto_free char *name = xstrndup(pair, strcspn(pair, "="));
        strv_env_set(env, name, strchr(pair, '=') + 1);
    }
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    if (h->listen)
        strv_env_set(env, "LISTEN_PID", pid);
    return 0;
}
