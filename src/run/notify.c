/* Telling systemd about a container.
 *
 * Who may speak. A unit of Type=notify listens to its main process only (NotifyAccess=main): that is the STARTER of an
 * attached run, and after "run -d" the SUPERVISOR, once the STARTER has said MAINPID=. So an attached STARTER passes on
 * what its SUPERVISOR sends it, and a detached SUPERVISOR has the socket itself; either way the SUPERVISOR writes its
 * messages to one descriptor. The container never sees the socket of the host: its messages arrive at one of whelk's
 * own, in its /dev, and are filtered (H6: it must not name another main process, store descriptors, or feed text into a
 * terminal).
 *
 * Runs in: STARTER (connects), CHILD (listens), SUPERVISOR (sends, filters). */
#include "notify.h"

#include "whelk/err.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const char *const modes[] = {
    [SDNOTIFY_CONMON] = "conmon",
    [SDNOTIFY_CONTAINER] = "container",
    [SDNOTIFY_HEALTHY] = "healthy",
    [SDNOTIFY_IGNORE] = "ignore",
};

int sdnotify_parse(const char *text, enum sdnotify *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (str_eq(text ? text : "conmon", modes[i])) {
            *ret = (enum sdnotify)i;
            return 0;
        }
    return err_set(-EINVAL, "--sdnotify %s is not known; known: conmon, container, healthy, ignore", text);
}

/* SYSTEMD_EXEC_PID (systemd 248) tells a main process from what it started. */
bool notify_under_systemd(void)
{
    const char *pid = getenv("SYSTEMD_EXEC_PID");
    return getenv("NOTIFY_SOCKET") || (pid && strtol(pid, NULL, 10) == getpid());
}

int notify_connect(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (str_empty(path) || (*path != '/' && *path != '@') || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    if (*path == '@')
        address.sun_path[0] = 0;
    auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    return fd < 0 || connect(fd, (struct sockaddr *)&address, len) < 0 ? -1 : take_fd(&fd);
}

void notify_send(int fd, const char *fmt, ...)
{
    if (fd < 0)
        return;
    va_list ap;
    va_start(ap, fmt);
    auto_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    (void)!send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

int notify_listen(int dev, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NOTIFY_NAME, dev);
    mode_t before = umask(0111);
    int r = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
    int e = errno;
    umask(before);
    errno = e;
    if (r < 0)
        return err_sys("cannot make " NOTIFY_PATH " in the container");
    *ret_fd = take_fd(&fd);
    return 0;
}

/* --- what a container may say */

static void add_number(const char *key, const char *value, struct buf *out)
{
    uint64_t n;
    if (str_to_u64(value, &n))
        buf_addf(out, "%s=%llu\n", key, (unsigned long long)n);
}

static void add_one(const char *key, const char *value, struct buf *out)
{
    if (str_eq(value, "1"))
        buf_addf(out, "%s=1\n", key);
}

static void add_watchdog(const char *key, const char *value, struct buf *out)
{
    if (str_eq(value, "1") || str_eq(value, "trigger"))
        buf_addf(out, "%s=%s\n", key, value);
}

enum { TEXT_MAX = 256 };

static void add_text(const char *key, const char *value, struct buf *out)
{
    auto_free char *start = xstrndup(value, TEXT_MAX), *printable = str_printable(start);
    buf_addf(out, "%s=%s\n", key, printable);
}

/* Not among them: MAINPID and MAINPIDFDID, which are whelk's to say; FDSTORE and its like, as descriptors of a
 * container are not taken; NOTIFYACCESS; and what names processes or objects of the host. */
static const struct {
    const char *key;
    void (*add)(const char *key, const char *value, struct buf *out);
} keys[] = {
    {"READY", add_one},
    {"RELOADING", add_one},
    {"STOPPING", add_one},
    {"MONOTONIC_USEC", add_number},
    {"STATUS", add_text},
    {"ERRNO", add_number},
    {"WATCHDOG", add_watchdog},
    {"WATCHDOG_USEC", add_number},
    {"EXTEND_TIMEOUT_USEC", add_number},
};

static void filter_line(const char *line, struct buf *out)
{
    const char *value = strchr(line, '=');
    for (size_t i = 0; value && i < ARRAY_LEN(keys); i++)
        if (strlen(keys[i].key) == (size_t)(value - line) && str_after(line, keys[i].key))
            keys[i].add(keys[i].key, value + 1, out);
}

void notify_filter(const char *data, size_t len, struct buf *out)
{
    auto_free char *text = xstrndup(data, MIN(len, (size_t)NOTIFY_MAX));
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines)
        filter_line(line, out);
}
