/* Reading a container's log out of systemd's journal.
 *
 * Runs in: any command. */
#include "log.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/journal.h"
#include "whelk/units.h"

#include <time.h>

enum { PATIENCE_MS = 2000, STEP_MS = 100 };

struct reader {
    struct journal *journal;
    const struct log_query *q;
    struct log_output out;
    char last[48]; /* WHELK_LINE of the newest entry that was seen */
};

static void give(struct reader *r, const struct journal_entry *e)
{
    char stamp[40];
    const struct log_query *q = r->q;
    memcpy(r->last, e->line, sizeof r->last);
    if ((q->since && e->time < q->since) || (q->until && e->time > q->until))
        return;
    time_format(e->time, stamp);
    log_output(&r->out, e->priority <= 3 ? 2 : 1, stamp, strlen(stamp), e->message, e->len, !e->partial);
}

/* Everything from here on that is there. */
static int give_rest(struct reader *r)
{
    struct journal_entry e;
    int n = 0;
    while (r->out.error == 0 && (n = journal_next(r->journal, &e)) > 0)
        give(r, &e);
    log_flush(&r->out);
    return r->out.error ? 0 : MIN(n, 0);
}

/* journald may not yet have written what the container's last words were. */
static int await_last(struct reader *r, int ctr_fd)
{
    auto_free char *last = NULL;
    struct journal_entry e = {0};
    if (file_read(ctr_fd, JOURNAL_LAST, sizeof r->last - 1, &last, NULL) < 0)
        return 0; /* it runs, never did, or is gone */
    for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        int n = journal_seek_end(r->journal);
        n = n < 0 ? n : journal_previous(r->journal, &e);
        if (n < 0 || (n > 0 && str_eq(e.line, last)))
            return MIN(n, 0);
        n = journal_wait(r->journal, -1, STEP_MS, NULL);
        if (n < 0)
            return n;
    }
    return 0;
}

/* Before the last n lines. A line ends with an entry that is not partial. */
static int seek_tail(struct reader *r, int64_t n)
{
    struct journal_entry e;
    int found, r_seek = journal_seek_end(r->journal);
    if (r_seek < 0)
        return r_seek;
    while ((found = journal_previous(r->journal, &e)) > 0)
        if ((!r->q->until || e.time <= r->q->until) && !e.partial && n-- == 0)
            return 0; /* the one before: next gives the first that counts */
    return found < 0 ? found : journal_seek_time(r->journal, 0);
}

/* Until the supervisor has ended and its last entry is there. */
static int follow(struct reader *r, int ctr_fd)
{
    for (bool ended = r->q->supervisor < 0; r->out.error == 0 && !ended;) {
        int e = journal_wait(r->journal, r->q->supervisor, -1, &ended);
        if (e == 0)
            e = give_rest(r);
        if (e < 0)
            return e;
    }
    auto_free char *last = NULL;
    bool known = file_read(ctr_fd, JOURNAL_LAST, sizeof r->last - 1, &last, NULL) == 0;
    int patience = known ? PATIENCE_MS : STEP_MS * 5; /* --rm: what there is to know is gone */
    for (int waited = 0; r->out.error == 0 && waited < patience; waited += STEP_MS) {
        if (known && str_eq(r->last, last))
            break;
        int e = journal_wait(r->journal, -1, STEP_MS, NULL);
        if (e == 0)
            e = give_rest(r);
        if (e < 0)
            return e;
    }
    return 0;
}

static int seek_start(struct reader *r)
{
    const struct log_query *q = r->q;
    if (q->tail >= 0)
        return seek_tail(r, q->tail);
    return journal_seek_time(r->journal, q->since);
}

int log_read_journal(int ctr_fd, const struct log_query *q)
{
    struct reader r = {.q = q, .out = {.q = q, .fd = -1}};
    auto_free char *match = xasprintf("CONTAINER_ID_FULL=%s", q->journal);
    int e = journal_open(match, &r.journal);
    if (e == 0)
        e = await_last(&r, ctr_fd);
    if (e == 0)
        e = seek_start(&r);
    if (e == 0)
        e = give_rest(&r);
    if (e == 0 && q->follow)
        e = follow(&r, ctr_fd);
    journal_close(r.journal);
    buf_done(&r.out.text);
    return e < 0 ? e : r.out.error;
}
