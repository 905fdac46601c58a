/* Log drivers, between their files: logfile.c (files, and the choice), log-journal.c (systemd's journal), log-read.c
 * and log-read-journal.c (reading them). */
#ifndef RUN_LOG_H
#define RUN_LOG_H

#include "whelk/run.h"
#include "whelk/str.h"

/* What a driver does with output; the head of its own struct. */
struct log_writer {
    int (*add)(struct log_writer *w, int stream, const char *data, size_t len);
    void (*reopen)(struct log_writer *w); /* or NULL */
    void (*close)(struct log_writer *w);  /* frees w */
};
int log_open_journal(int ctr_fd, const struct ctr *c, struct log_writer **ret);

/* In a container's directory while its log is in the journal and it does not run: the WHELK_LINE of the last entry. */
#define JOURNAL_LAST "journal"

/* What a query writes, to two descriptors, one at a time, which keeps their order. */
struct log_output {
    const struct log_query *q;
    struct buf text;
    int fd;            /* where text goes */
    bool open_line[2]; /* the stream's last record was partial */
    int error;
};
void log_output(struct log_output *o, int stream, const char *stamp, size_t stamp_len, const char *text, size_t len,
                bool full);
void log_flush(struct log_output *o);

int log_read_journal(int ctr_fd, const struct log_query *q);

#endif
