/* The log of a container in the CRI line format: "<RFC 3339 ns> stdout|stderr F|P text\n"; P: the line goes on in the next record of its
 * stream. The stamp is the time of reading. One writer, the supervisor, appends whole records with one write each (I12).
 *
 * Runs in: SUPERVISOR (writing), any command (reading). */
#include "whelk/run.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/units.h"

#include <fcntl.h>

struct log_writer {
    int fd;
    struct buf out;
};

int log_open(int ctr_fd, struct log_writer **ret)
{
    int fd = openat(ctr_fd, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys("cannot open the container's log");
    struct log_writer *w = xcalloc(1, sizeof *w);
    w->fd = fd;
    *ret = w;
    return 0;
}

static void add_record(struct buf *out, const char *stamp, int stream, char tag, const char *text, size_t len)
{
    buf_addf(out, "%s %s %c ", stamp, stream == 1 ? "stdout" : "stderr", tag);
    buf_add(out, text, len);
    buf_addc(out, '\n');
}

int log_add(struct log_writer *w, int stream, const void *data, size_t len)
{
    char stamp[40];
    time_format(time_now(), stamp);
    const char *p = data, *end = p + len;
    w->out.len = 0;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *stop = nl ? nl : end;
        add_record(&w->out, stamp, stream, nl ? 'F' : 'P', p, (size_t)(stop - p));
        p = nl ? nl + 1 : end;
    }
    return fd_write_all(w->fd, w->out.data, w->out.len);
}

void log_close(struct log_writer *w)
{
    if (!w)
        return;
    fd_close(w->fd);
    buf_done(&w->out);
    free(w);
}

/* One record to its stream; a torn tail (a killed supervisor) has no newline and is left out. */
static int replay_line(const char *line, size_t len, int stdout_fd, int stderr_fd)
{
    const char *stream = memchr(line, ' ', len);
    if (!stream || (size_t)(line + len - stream) < sizeof " stdout F " - 1)
        return 0;
    bool out = strncmp(stream, " stdout ", 8) == 0, partial = stream[8] == 'P';
    const char *text = stream + sizeof " stdout F " - 1;
    size_t n = (size_t)(line + len - text);
    int fd = out ? stdout_fd : stderr_fd, r = fd_write_all(fd, text, n);
    return r < 0 || partial ? r : fd_write_all(fd, "\n", 1);
}

int log_replay(int ctr_fd, int stdout_fd, int stderr_fd)
{
    auto_close int fd = openat(ctr_fd, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_sys("cannot open the container's log");
    auto_file FILE *f = fdopen(take_fd(&fd), "r");
    auto_free char *line = NULL;
    size_t cap = 0;
    int r = 0;
    for (ssize_t n; r == 0 && (n = getline(&line, &cap, f)) > 0;)
        if (line[n - 1] == '\n')
            r = replay_line(line, (size_t)n - 1, stdout_fd, stderr_fd);
    return r;
}
