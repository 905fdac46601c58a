/* Reading the log of a container: rotated files oldest first, then the current one, then what comes.
 *
 * Files are mapped: they only ever grow, and are renamed but never cut. A torn tail (a killed supervisor) has no
 * newline and is left out. Stamps have a fixed width, so times are compared as text.
 *
 * Runs in: any command. */
#include "log.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/units.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>

enum { OUT_SIZE = 128 * 1024, FILES_MAX = 1000 };

struct reader {
    int dir;
    const struct log_query *q;
    char since[40], until[40]; /* as stamps; "" for none */
    struct log_output out;
};

/* A file of the log as it is now. */
struct view {
    int fd;
    const char *data;
    size_t len; /* up to the last newline */
};

static void view_close(struct view *v)
{
    if (v->data)
        munmap((void *)(uintptr_t)v->data, v->len);
    fd_close(v->fd);
    *v = (struct view){.fd = -1};
}

/* Maps what the file holds now. An absent or empty one is empty. */
static int view_map(struct view *v)
{
    struct stat st;
    if (v->data)
        munmap((void *)(uintptr_t)v->data, v->len);
    v->data = NULL;
    v->len = 0;
    if (v->fd < 0 || fstat(v->fd, &st) < 0 || st.st_size == 0)
        return 0;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, v->fd, 0);
    if (p == MAP_FAILED)
        return err_sys("cannot read the container's log");
    v->data = p;
    v->len = (size_t)st.st_size;
    return 0;
}

static int view_open(int dir, const char *name, struct view *ret)
{
    *ret = (struct view){.fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    return view_map(ret);
}

void log_flush(struct log_output *o)
{
    if (o->text.len && o->error == 0)
        o->error = fd_write_all(o->fd, o->text.data, o->text.len);
    o->text.len = 0;
}

void log_output(struct log_output *o, int stream, const char *stamp, size_t stamp_len, const char *text, size_t len,
                bool full)
{
    int fd = stream == 1 ? o->q->out_fd : o->q->err_fd;
    bool *open_line = &o->open_line[stream - 1];
    if (fd < 0)
        return;
    if (fd != o->fd || o->text.len > OUT_SIZE)
        log_flush(o);
    o->fd = fd;
    if (!*open_line && o->q->prefix)
        buf_adds(&o->text, o->q->prefix);
    if (!*open_line && o->q->timestamps) {
        buf_add(&o->text, stamp, stamp_len);
        buf_addc(&o->text, ' ');
    }
    buf_add(&o->text, text, len);
    if (full)
        buf_addc(&o->text, '\n');
    *open_line = !full;
}

/* One record without its newline: "STAMP stdout F text". */
static void give_record(struct reader *r, const char *line, size_t len)
{
    enum { TAIL = sizeof " stdout F " - 1 };
    const char *space = memchr(line, ' ', len);
    size_t stamp_len = space ? (size_t)(space - line) : len;
    if (stamp_len + TAIL > len)
        return;
    if (*r->since && strncmp(line, r->since, stamp_len) < 0)
        return;
    if (*r->until && strncmp(line, r->until, stamp_len) > 0)
        return;
    int stream = space[4] == 'o' ? 1 : 2; /* " stdout", " stderr" */
    log_output(&r->out, stream, line, stamp_len, space + TAIL, len - stamp_len - TAIL, space[8] == 'F');
}

/* Gives the whole records from *at on and moves it behind them. */
static void give_view(struct reader *r, const struct view *v, size_t *at)
{
    while (*at < v->len && r->out.error == 0) {
        const char *line = v->data + *at;
        const char *nl = memchr(line, '\n', v->len - *at);
        if (!nl)
            break;
        give_record(r, line, (size_t)(nl - line));
        *at = (size_t)(nl - v->data) + 1;
    }
}

/* Where the last n lines of a file begin; *n is what is still missing if it has fewer. A line ends with a full record.
 */
static size_t tail_start(const struct view *v, int64_t *n)
{
    size_t end = v->len;
    while (end > 0 && v->data[end - 1] != '\n')
        end--;
    while (end > 0) {
        const char *before = end > 1 ? memrchr(v->data, '\n', end - 1) : NULL;
        size_t start = before ? (size_t)(before - v->data) + 1 : 0;
        const char *space = memchr(v->data + start, ' ', end - start);
        bool full = space && space + 9 < v->data + end && space[8] == 'F';
        if (full && (*n)-- == 0) {
            *n = 0;
            return end;
        }
        end = start;
    }
    return 0;
}

static int count_files(int dir)
{
    char name[32];
    int n = 0;
    do
        snprintf(name, sizeof name, "log.%d", ++n);
    while (n < FILES_MAX && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    return n; /* with the current one */
}

static int open_all(int dir, struct view *views, int n)
{
    char name[32];
    for (int i = 0; i < n; i++) { /* the oldest first */
        snprintf(name, sizeof name, i == n - 1 ? "log" : "log.%d", n - 1 - i);
        int r = view_open(dir, name, &views[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* From where on each file counts, by --tail. */
static void find_starts(const struct view *views, int n, int64_t tail, size_t *starts)
{
    for (int i = n - 1; i >= 0; i--) {
        if (tail < 0)
            starts[i] = 0;
        else if (tail == 0)
            starts[i] = views[i].len;
        else
            starts[i] = tail_start(&views[i], &tail);
    }
}

static bool rotated(const struct reader *r, const struct view *v)
{
    struct stat ours, current;
    if (fstatat(r->dir, "log", &current, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return v->fd < 0 || fstat(v->fd, &ours) < 0 || ours.st_ino != current.st_ino;
}

/* The number that the file has got by now: log.N; 0: it was dropped. */
static int number_of(const struct reader *r, const struct view *v)
{
    struct stat ours, there;
    char name[32];
    if (v->fd < 0 || fstat(v->fd, &ours) < 0)
        return 0;
    for (int i = 1, n = count_files(r->dir); i < n; i++) {
        snprintf(name, sizeof name, "log.%d", i);
        if (fstatat(r->dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == ours.st_ino)
            return i;
    }
    return 0;
}

/* From a rotated file to the one that was begun after it; that may have been rotated too. What comes after a dropped
 * one is the oldest there is. Names move meanwhile: the step counts if ours had the same number before and after. */
static int next_view(const struct reader *r, struct view *v)
{
    enum { TRIES = 100 };
    struct view next = {.fd = -1};
    for (int i = 0; i < TRIES; i++) {
        char name[32];
        int number = number_of(r, v), to = number ? number - 1 : count_files(r->dir) - 1;
        snprintf(name, sizeof name, to ? "log.%d" : "log", to);
        int e = view_open(r->dir, name, &next);
        if (e < 0)
            return e;
        if (next.fd >= 0 && number_of(r, v) == number)
            break;
        view_close(&next);
    }
    view_close(v);
    *v = next;
    return 0;
}

/* A rotated file is looked at once more: it may have grown between the two looks. */
static int give_news(struct reader *r, struct view *v, size_t *at)
{
    int e = view_map(v);
    if (e == 0)
        give_view(r, v, at);
    while (e == 0 && r->out.error == 0 && rotated(r, v)) {
        e = view_map(v);
        if (e == 0) {
            give_view(r, v, at);
            *at = 0;
            e = next_view(r, v);
        }
        if (e == 0)
            give_view(r, v, at);
    }
    log_flush(&r->out);
    return e;
}

/* Until the supervisor has ended (its pidfd), the reader of our output has gone, or the time is over. */
static int follow(struct reader *r, struct view *v, size_t at)
{
    auto_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    auto_free char *dir = xasprintf("/proc/self/fd/%d", r->dir);
    if (watch < 0 || inotify_add_watch(watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return err_sys("cannot watch the container's log");
    for (bool ended = r->q->supervisor < 0; r->out.error == 0;) {
        int e = give_news(r, v, &at);
        if (e < 0 || ended)
            return e;
        char sink[4096];
        struct pollfd p[] = {{watch, POLLIN, 0}, {r->q->supervisor, POLLIN, 0}};
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return err_sys("cannot wait for the container's log");
        while (read(watch, sink, sizeof sink) > 0)
            ;
        ended = p[1].revents != 0; /* and one more look at what it wrote last */
    }
    return 0;
}

static int read_all(struct reader *r)
{
    int n = count_files(r->dir);
    auto_free struct view *views = xcalloc((size_t)n, sizeof *views);
    auto_free size_t *starts = xcalloc((size_t)n, sizeof *starts);
    for (int i = 0; i < n; i++)
        views[i].fd = -1;
    int e = open_all(r->dir, views, n);
    if (e == 0)
        find_starts(views, n, r->q->tail, starts);
    for (int i = 0; i < n && e == 0; i++)
        give_view(r, &views[i], &starts[i]);
    log_flush(&r->out);
    if (e == 0 && r->q->follow)
        e = follow(r, &views[n - 1], starts[n - 1]);
    for (int i = 0; i < n; i++)
        view_close(&views[i]);
    return e;
}

int log_read(int ctr_fd, const struct log_query *q)
{
    struct reader r = {.dir = ctr_fd, .q = q, .out = {.q = q, .fd = -1}};
    if (q->journal)
        return log_read_journal(ctr_fd, q);
    if (q->since)
        time_format(q->since, r.since);
    if (q->until)
        time_format(q->until, r.until);
    int e = read_all(&r);
    buf_done(&r.out.text);
    return e < 0 ? e : r.out.error;
}
