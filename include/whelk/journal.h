/* systemd's journal. Writing speaks journald's own protocol over its socket and needs no library, so that a supervisor
 * stays small; reading needs libsystemd, which is loaded at its first use. */
#ifndef WHELK_JOURNAL_H
#define WHELK_JOURNAL_H

#include "whelk/str.h"

/* A socket connected to journald. -errno with text. */
int journal_connect(int *ret_fd);
/* Appends a field of an entry. key: capitals, digits and _; the value may have any bytes. Pure. */
void journal_field(struct buf *entry, const char *key, const void *value, size_t len);
/* Sends an entry; waits a second at most for a journald that is behind. -errno without text: the entry is lost. */
int journal_send(int fd, const struct buf *entry);

struct journal; /* open for reading */

struct journal_entry {
    int64_t time; /* ns */
    int64_t priority;
    bool partial;        /* CONTAINER_PARTIAL_MESSAGE: the line goes on in the next entry of its priority */
    char line[48];       /* WHELK_LINE */
    const char *message; /* good until the next call */
    size_t len;
};

/* The entries with this match ("FIELD=value"), in order. At first before the oldest. -errno with text. */
int journal_open(const char *match, struct journal **ret);
void journal_close(struct journal *j);
/* Behind the newest entry; before the first one of that time (ns) or later. -errno with text. */
int journal_seek_end(struct journal *j);
int journal_seek_time(struct journal *j, int64_t time);
/* One entry on, one back: 1; 0: there is none; -errno with text. */
int journal_next(struct journal *j, struct journal_entry *ret);
int journal_previous(struct journal *j, struct journal_entry *ret);
/* Waits for news, or until other_fd (-1: none) is readable, at most timeout_ms (-1: for ever). *ret_other may be NULL.
 * -errno with text. */
int journal_wait(struct journal *j, int other_fd, int timeout_ms, bool *ret_other);

#endif
