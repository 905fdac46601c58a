/* Writing the log of a container in the CRI line format: "<RFC 3339 ns> stdout|stderr F|P text\n"; P: the line goes on
 * in the next record of its stream. The stamp is the time of reading. One writer, the supervisor, appends whole records
 * with one write a batch (I12).
 *
 * Rotation: a file that has reached its size becomes log.1, that one log.2, and so on; the last is dropped. Readers
 * notice by the inode.
 *
 * Runs in: SUPERVISOR. */
#include "log.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/units.h"

#include <fcntl.h>

struct log_file {
    struct log_writer head;
    int dir, fd;
    int64_t size, max_size, max_files;
    struct buf out;
};

static int open_log(int dir, int64_t *ret_size)
{
    struct stat st;
    int fd = openat(dir, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys("cannot open the container's log");
    *ret_size = fstat(fd, &st) == 0 ? st.st_size : 0;
    return fd;
}

/* The file of that name, which is another one by now. If a new one cannot be had, the old one goes on. */
static void reopen_file(struct log_writer *head)
{
    struct log_file *w = (struct log_file *)head;
    int64_t size = 0;
    int fd = open_log(w->dir, &size);
    if (fd < 0) {
        err_clear();
        return;
    }
    fd_close(w->fd);
    w->fd = fd;
    w->size = size;
}

/* log.1 becomes log.2 and so on, log becomes log.1. */
static void rotate(struct log_file *w)
{
    char from[32], to[32];
    for (int64_t i = w->max_files - 1; i > 0; i--) {
        snprintf(to, sizeof to, "log.%lld", (long long)i);
        snprintf(from, sizeof from, i > 1 ? "log.%lld" : "log", (long long)i - 1);
        renameat(w->dir, from, w->dir, to);
    }
    if (w->max_files == 1)
        unlinkat(w->dir, "log", 0);
    reopen_file(&w->head);
}

static void add_record(struct buf *out, const char *prefix, size_t prefix_len, const char *text, size_t len)
{
    buf_reserve(out, prefix_len + len + 1);
    char *p = out->data + out->len;
    memcpy(p, prefix, prefix_len);
    memcpy(p + prefix_len, text, len);
    p[prefix_len + len] = '\n';
    out->len += prefix_len + len + 1;
}

static void add_records(struct log_file *w, int stream, const char *p, size_t len)
{
    char stamp[40], prefix[64];
    const char *end = p + len;
    int n =
        snprintf(prefix, sizeof prefix, "%s %s F ", time_format(time_now(), stamp), stream == 1 ? "stdout" : "stderr");
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *stop = nl ? nl : end;
        prefix[n - 2] = nl ? 'F' : 'P';
        add_record(&w->out, prefix, (size_t)n, p, (size_t)(stop - p));
        p = nl ? nl + 1 : end;
    }
}

static int add_to_file(struct log_writer *head, int stream, const char *data, size_t len)
{
    struct log_file *w = (struct log_file *)head;
    w->out.len = 0;
    add_records(w, stream, data, len);
    int r = fd_write_all(w->fd, w->out.data, w->out.len);
    w->size += (int64_t)w->out.len;
    if (w->max_size > 0 && w->size >= w->max_size)
        rotate(w);
    return r;
}

static void close_file(struct log_writer *head)
{
    struct log_file *w = (struct log_file *)head;
    fd_close(w->fd);
    buf_done(&w->out);
    free(w);
}

static int open_file(int ctr_fd, const struct ctr *c, struct log_writer **ret)
{
    int64_t size = 0;
    int fd = open_log(ctr_fd, &size);
    if (fd < 0)
        return fd;
    struct log_file *w = xcalloc(1, sizeof *w);
    *w = (struct log_file){.head = {add_to_file, reopen_file, close_file},
                           .dir = ctr_fd,
                           .fd = fd,
                           .size = size,
                           .max_size = c->log_max_size ? c->log_max_size : LOG_MAX_SIZE,
                           .max_files = c->log_max_files ? c->log_max_files : LOG_MAX_FILES};
    *ret = &w->head;
    return 0;
}

int log_open(int ctr_fd, const struct ctr *c, struct log_writer **ret)
{
    const char *driver = c->log_driver;
    *ret = NULL;
    if (driver && str_eq(driver, "journald"))
        return log_open_journal(ctr_fd, c, ret);
    return driver ? 0 : open_file(ctr_fd, c, ret); /* none and passthrough keep nothing */
}

int log_add(struct log_writer *w, int stream, const void *data, size_t len)
{
    return w->add(w, stream, data, len);
}

void log_reopen(struct log_writer *w)
{
    if (w->reopen)
        w->reopen(w);
}

void log_close(struct log_writer *w)
{
    if (w)
        w->close(w);
}
