/* What /proc tells of a process. Reads: /proc/<pid>/{stat,status,cmdline,io,net/dev}. */
#include "whelk/process.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <time.h>

enum { FILE_MOST = 64 << 10 };

/* NULL with errno if it cannot be read. Caller frees. */
static char *read_file(pid_t pid, const char *file, size_t *ret_len)
{
    auto_free char *path = xasprintf("/proc/%d/%s", pid, file);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    auto_buf struct buf b = {0};
    buf_reserve(&b, FILE_MOST);
    ssize_t n = fd < 0 ? -1 : fd_read_full(fd, b.data, FILE_MOST);
    if (n < 0)
        return NULL;
    b.data[n] = 0;
    *ret_len = (size_t)n;
    return take_ptr(&b.data);
}

void process_done(struct process *p)
{
    free(p->groups);
    *p = (struct process){0};
}

/* ---- stat: fields of fixed places behind the name, which may hold blanks and brackets (proc(5)) ---- */

enum {
    F_STATE = 3,
    F_PPID = 4,
    F_PGRP = 5,
    F_SESSION = 6,
    F_TTY = 7,
    F_UTIME = 14,
    F_STIME = 15,
    F_CUTIME = 16,
    F_CSTIME = 17,
    F_NICE = 19,
    F_THREADS = 20,
    F_START = 22,
    F_VSIZE = 23,
    F_RSS = 24,
    F_COUNT
};

int process_parse_stat(const char *text, struct process *p)
{
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    int64_t v[F_COUNT] = {0};
    if (!open || !close || close < open || close[1] != ' ' || !close[2])
        return -EPROTO;
    snprintf(p->comm, sizeof p->comm, "%.*s", (int)MIN(close - open - 1, (ptrdiff_t)sizeof p->comm - 1), open + 1);
    p->pid = (pid_t)strtol(text, NULL, 10);
    p->state = close[2];
    char *at = (char *)(uintptr_t)close + 3;
    for (int i = F_PPID; i < F_COUNT; i++) {
        char *end = at;
        v[i] = strtoll(at, &end, 10);
        if (end == at)
            return -EPROTO;
        at = end;
    }
    p->parent = (pid_t)v[F_PPID];
    p->group = (pid_t)v[F_PGRP];
    p->session = (pid_t)v[F_SESSION];
    p->tty = (int)v[F_TTY];
    p->nice = v[F_NICE];
    p->threads = v[F_THREADS];
    p->cpu_ticks = (uint64_t)v[F_UTIME] + (uint64_t)v[F_STIME];
    p->waited_ticks = (uint64_t)v[F_CUTIME] + (uint64_t)v[F_CSTIME];
    p->start_ticks = (uint64_t)v[F_START];
    p->virtual_bytes = (uint64_t)v[F_VSIZE];
    p->resident_bytes = (uint64_t)v[F_RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

/* ---- status: "Key:\tvalue" lines ---- */

static void take_ids(struct process *p, const char *value, size_t offset)
{
    uint32_t *to = (uint32_t *)((char *)p + offset);
    char *end;
    to[0] = (uint32_t)strtoul(value, &end, 10);
    to[1] = (uint32_t)strtoul(end, NULL, 10);
}

static void take_caps(struct process *p, const char *value, size_t offset)
{
    *(uint64_t *)((char *)p + offset) = strtoull(value, NULL, 16);
}

static void take_int(struct process *p, const char *value, size_t offset)
{
    *(int *)((char *)p + offset) = atoi(value);
}

static void take_groups(struct process *p, const char *value, size_t offset)
{
    free(p->groups);
    p->groups = xstrndup(value, strcspn(value, "\n"));
    memmove(p->groups, str_trim(p->groups), strlen(str_trim(p->groups)) + 1);
}

static void take_ns_pids(struct process *p, const char *value, size_t offset)
{
    char *end;
    p->n_ns_pids = 0;
    for (long pid = strtol(value, &end, 10); end != value && p->n_ns_pids < PROCESS_NS_MAX;
         pid = strtol(value, &end, 10)) {
        p->ns_pids[p->n_ns_pids++] = (pid_t)pid;
        value = end + strspn(end, " \t");
        if (*value == '\n')
            break;
    }
}

static const struct status_row {
    const char *key;
    void (*take)(struct process *p, const char *value, size_t offset);
    size_t offset;
} status_rows[] = {
#define FIELD(field) offsetof(struct process, field)
    {"Uid:", take_ids, FIELD(uid)},
    {"Gid:", take_ids, FIELD(gid)},
    {"Groups:", take_groups, 0},
    {"NSpid:", take_ns_pids, 0},
    {"CapInh:", take_caps, FIELD(cap_inheritable)},
    {"CapPrm:", take_caps, FIELD(cap_permitted)},
    {"CapEff:", take_caps, FIELD(cap_effective)},
    {"CapBnd:", take_caps, FIELD(cap_bounding)},
    {"CapAmb:", take_caps, FIELD(cap_ambient)},
    {"Seccomp:", take_int, FIELD(seccomp)},
#undef FIELD
};

int process_parse_status(const char *text, struct process *p)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        for (size_t i = 0; i < ARRAY_LEN(status_rows); i++) {
            const char *value = str_after(line, status_rows[i].key);
            if (value)
                status_rows[i].take(p, value + strspn(value, " \t"), status_rows[i].offset);
        }
    }
    return p->n_ns_pids ? 0 : -EPROTO;
}

int process_read(pid_t pid, struct process *ret)
{
    struct process p = {0};
    size_t len;
    auto_free char *stat = read_file(pid, "stat", &len), *status = stat ? read_file(pid, "status", &len) : NULL;
    if (!stat || !status)
        return -ESRCH;
    int r = process_parse_stat(stat, &p);
    if (r == 0)
        r = process_parse_status(status, &p);
    if (r < 0)
        process_done(&p);
    else
        *ret = p;
    return r;
}

char *process_args(const struct process *p)
{
    size_t len = 0;
    auto_free char *words = read_file(p->pid, "cmdline", &len);
    while (len && !words[len - 1])
        len--;
    if (!len)
        return xasprintf("[%s]", p->comm);
    for (size_t i = 0; i < len; i++)
        if (!words[i])
            words[i] = ' ';
    return take_ptr(&words);
}

/* ---- what it has moved ---- */

static uint64_t key_value(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

void process_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written)
{
    size_t len;
    auto_free char *text = read_file(pid, "io", &len);
    *ret_read = text ? key_value(text, "\nread_bytes:") : 0;
    *ret_written = text ? key_value(text, "\nwrite_bytes:") : 0;
}

/* "  eth0: bytes packets errs drop fifo frame compressed multicast  bytes ..." below two lines of headings. */
void process_parse_network(const char *text, uint64_t *ret_received, uint64_t *ret_sent)
{
    enum { BYTES_SENT = 8 };
    uint64_t received = 0, sent = 0;
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines) {
        char *colon = strchr(line, ':'), *name = line + strspn(line, " ");
        if (!colon || strncmp(name, "lo:", 3) == 0)
            continue;
        auto_strv char **numbers = strv_split(colon + 1, " ");
        if (strv_len(numbers) <= BYTES_SENT)
            continue;
        received += strtoull(numbers[0], NULL, 10);
        sent += strtoull(numbers[BYTES_SENT], NULL, 10);
    }
    *ret_received = received;
    *ret_sent = sent;
}

int process_network(pid_t pid, uint64_t *ret_received, uint64_t *ret_sent)
{
    size_t len;
    auto_free char *text = read_file(pid, "net/dev", &len);
    if (!text)
        return errno ? -errno : -EIO;
    process_parse_network(text, ret_received, ret_sent);
    return 0;
}

/* ---- times ---- */

uint64_t process_ticks_ns(uint64_t ticks)
{
    uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);
    return ticks / per_second * 1000000000 + ticks % per_second * 1000000000 / per_second;
}

int64_t process_age(const struct process *p)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    int64_t now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    return MAX(now - (int64_t)process_ticks_ns(p->start_ticks), 0);
}
