/* The log driver journald: an entry for each line of output, with docker's fields and CONTAINER_NAME, as podman has
 * them.
 *
 * A reader that comes right after the end of a container could miss what journald has received and not yet written. So
 * entries are numbered (WHELK_LINE: start of the run, number), and the last number is left in the container's
 * directory: the reader waits for that one.
 *
 * Runs in: SUPERVISOR. */
#include "log.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/journal.h"
#include "whelk/units.h"

enum { INFO = 6, ERROR = 3 };

struct log_journal {
    struct log_writer head;
    int fd, dir;
    int64_t started;
    unsigned long long n; /* entries sent */
    struct buf common, entry;
};

static void add_text(struct buf *b, const char *key, const char *value)
{
    journal_field(b, key, value, strlen(value));
}

static int send_line(struct log_journal *w, int stream, const char *text, size_t len, bool full)
{
    struct buf *e = &w->entry;
    e->len = 0;
    buf_add(e, w->common.data, w->common.len);
    buf_addf(e, "PRIORITY=%d\nWHELK_LINE=%lld.%llu\n", stream == 1 ? INFO : ERROR, (long long)w->started, w->n + 1);
    if (!full)
        buf_adds(e, "CONTAINER_PARTIAL_MESSAGE=true\n");
    journal_field(e, "MESSAGE", text, len);
    int r = journal_send(w->fd, e);
    w->n += r == 0;
    return r;
}

static int add(struct log_writer *head, int stream, const char *p, size_t len)
{
    struct log_journal *w = (struct log_journal *)head;
    int r = 0;
    for (const char *end = p + len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
        int sent = send_line(w, stream, p, (size_t)(stop - p), nl != NULL);
        r = r < 0 ? r : sent;
        p = stop + 1;
    }
    return r;
}

static void close_journal(struct log_writer *head)
{
    struct log_journal *w = (struct log_journal *)head;
    auto_free char *last = xasprintf("%lld.%llu", (long long)w->started, w->n);
    if (w->n)
        file_publish(w->dir, JOURNAL_LAST, last, strlen(last), 0600, false);
    err_clear();
    fd_close(w->fd);
    buf_done(&w->common);
    buf_done(&w->entry);
    free(w);
}

int log_open_journal(int ctr_fd, const struct ctr *c, struct log_writer **ret)
{
    auto_close int fd = -1;
    int r = journal_connect(&fd);
    if (r < 0)
        return r;
    auto_free char *short_id = xstrndup(c->id, ID_SHORT);
    struct log_journal *w = xcalloc(1, sizeof *w);
    *w = (struct log_journal){.head = {add, NULL, close_journal}, .dir = ctr_fd, .started = time_now()};
    w->fd = take_fd(&fd);
    add_text(&w->common, "CONTAINER_ID", short_id);
    add_text(&w->common, "CONTAINER_ID_FULL", c->id);
    add_text(&w->common, "CONTAINER_NAME", c->name);
    add_text(&w->common, "CONTAINER_TAG", c->log_tag ? c->log_tag : short_id);
    add_text(&w->common, "SYSLOG_IDENTIFIER", c->log_tag ? c->log_tag : c->name);
    add_text(&w->common, "IMAGE_NAME", c->image_ref ? c->image_ref : "");
    unlinkat(ctr_fd, JOURNAL_LAST, 0);
    *ret = &w->head;
    return 0;
}
