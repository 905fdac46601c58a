/* Who has a port of this machine, for the error that it is in use: the kernel tells the socket's inode, and /proc whose
 * it is, as far as this user may look; the records of running containers tell of their own. Runs in: STARTER, outside
 * of any user namespace, where it may look at the user's processes. */
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/net.h"

#include <fcntl.h>

enum { TABLE_MAX = 16 << 20, LISTENING = 0x0a };

/* One line of /proc/net/tcp: "0: 0100007F:1F90 00000000:0000 0A ... inode ...". */
static unsigned long inode_in_line(const char *line, bool udp, unsigned port)
{
    unsigned local, state;
    unsigned long inode;
    if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %lu", &local, &state, &inode) != 3)
        return 0;
    return local == port && (udp || state == LISTENING) ? inode : 0;
}

static unsigned long find_inode(const char *table, bool udp, unsigned port)
{
    auto_free char *text = NULL;
    unsigned long inode = 0;
    if (file_read(AT_FDCWD, table, TABLE_MAX, &text, NULL) < 0)
        return 0;
    auto_strv char **lines = strv_split(text, "\n");
    for (char **line = lines; line && *line && !inode; line++)
        inode = inode_in_line(*line, udp, port);
    return inode;
}

static bool process_has(const char *pid, const char *socket)
{
    auto_free char *path = xasprintf("/proc/%s/fd", pid);
    auto_dir DIR *dir = opendir(path);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        char link[64];
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);
        link[MAX(n, (ssize_t)0)] = 0;
        if (str_eq(link, socket))
            return true;
    }
    return false;
}

static char *describe(const char *pid)
{
    auto_free char *path = xasprintf("/proc/%s/comm", pid), *name = NULL;
    if (file_read(AT_FDCWD, path, 256, &name, NULL) < 0)
        return xasprintf("process %s", pid);
    auto_free char *shown = str_printable(str_trim(name));
    return xasprintf("%s (process %s)", shown, pid);
}

static char *find_process(bool udp, unsigned port)
{
    static const char *const tables[][2] = {{"/proc/self/net/tcp", "/proc/self/net/tcp6"},
                                            {"/proc/self/net/udp", "/proc/self/net/udp6"}};
    unsigned long inode = 0;
    for (size_t i = 0; i < 2 && !inode; i++)
        inode = find_inode(tables[udp][i], udp, port);
    auto_free char *socket = xasprintf("socket:[%lu]", inode);
    auto_dir DIR *proc = inode ? opendir("/proc") : NULL;
    const struct dirent *e;
    while (proc && (e = readdir(proc)))
        if (!e->d_name[strspn(e->d_name, "0123456789")] && process_has(e->d_name, socket))
            return describe(e->d_name);
    return NULL;
}

static bool container_has(const struct store *s, const char *id, const char *proto, unsigned port)
{
    struct ctr_state st;
    struct ctr_live live = {0};
    bool found = false;
    if (ctr_state(s, id, &st) < 0 || !ctr_is_up(&st) || ctr_live_load(s, id, &live) < 0)
        return false;
    const struct ctr_port *p = live.ports.items;
    for (size_t i = 0; i < live.ports.n; i++)
        found = found || (str_eq(p[i].proto, proto) && p[i].host_port <= port && port < p[i].host_port + p[i].count);
    ctr_live_done(&live);
    return found;
}

static char *find_container(const struct store *s, const char *proto, unsigned port)
{
    auto_strv char **ids = NULL;
    if (ctr_list(s, &ids) < 0)
        return NULL;
    strv_foreach (id, ids) {
        struct ctr c = {0};
        if (!container_has(s, id, proto, port) || ctr_load(s, id, &c) < 0)
            continue;
        char *text = xasprintf("container %s", c.name);
        ctr_done(&c);
        return text;
    }
    return NULL;
}

int net_blame(const struct store *s, int r)
{
    unsigned port;
    char proto[4];
    auto_free char *text = xstrdup(err_text(r));
    if (r != -EADDRINUSE || sscanf(text, "port %u/%3[a-z]", &port, proto) != 2)
        return r;
    auto_free char *container = find_container(s, proto, port);
    auto_free char *process = container ? NULL : find_process(str_eq(proto, "udp"), port);
    const char *owner = container ? container : process;
    return err_set(r, "%s%s%s; publish another one, or let a free one be chosen: -p PORT", text, owner ? " by " : "",
                   owner ? owner : "");
}
