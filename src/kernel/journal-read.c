/* Reading systemd's journal with libsystemd.
 *
 * Runs in: the invocation of logs. */
#include "whelk/journal.h"

#include "whelk/err.h"

#if HAVE_LIBSYSTEMD

#include "whelk/dl.h"

#include <poll.h>
#include <systemd/sd-journal.h>
#include <time.h>

DL_FUNCTION(sd_journal_open);
DL_FUNCTION(sd_journal_close);
DL_FUNCTION(sd_journal_add_match);
DL_FUNCTION(sd_journal_seek_tail);
DL_FUNCTION(sd_journal_seek_realtime_usec);
DL_FUNCTION(sd_journal_next);
DL_FUNCTION(sd_journal_previous);
DL_FUNCTION(sd_journal_get_realtime_usec);
DL_FUNCTION(sd_journal_get_data);
DL_FUNCTION(sd_journal_set_data_threshold);
DL_FUNCTION(sd_journal_get_fd);
DL_FUNCTION(sd_journal_get_timeout);
DL_FUNCTION(sd_journal_process);
DL_FUNCTION(sd_journal_has_persistent_files);
DL_FUNCTION(sd_journal_has_runtime_files);

static const struct dl_symbol symbols[] = {
    DL_SYMBOL(sd_journal_open),
    DL_SYMBOL(sd_journal_close),
    DL_SYMBOL(sd_journal_add_match),
    DL_SYMBOL(sd_journal_seek_tail),
    DL_SYMBOL(sd_journal_seek_realtime_usec),
    DL_SYMBOL(sd_journal_next),
    DL_SYMBOL(sd_journal_previous),
    DL_SYMBOL(sd_journal_get_realtime_usec),
    DL_SYMBOL(sd_journal_get_data),
    DL_SYMBOL(sd_journal_set_data_threshold),
    DL_SYMBOL(sd_journal_get_fd),
    DL_SYMBOL(sd_journal_get_timeout),
    DL_SYMBOL(sd_journal_process),
    DL_SYMBOL(sd_journal_has_persistent_files),
    DL_SYMBOL(sd_journal_has_runtime_files),
    DL_END,
};
static struct dl_library library = {"libsystemd.so.0", "libsystemd0", symbols};
DL_NOTE(libsystemd_journal, "suggested", "logs out of the journal", "libsystemd.so.0");

struct journal {
    sd_journal *sd;
};

static int wrong(int r, const char *what)
{
    return err_set(r, "cannot %s systemd's journal: %s", what, strerror(-r));
}

void journal_close(struct journal *j)
{
    if (j && j->sd)
        dl_sd_journal_close(j->sd);
    free(j);
}

int journal_open(const char *match, struct journal **ret)
{
    int r = dl_need(&library, "reading systemd's journal");
    if (r < 0)
        return r;
    struct journal *j = xcalloc(1, sizeof *j);
    r = dl_sd_journal_open(&j->sd, SD_JOURNAL_LOCAL_ONLY);
    if (r >= 0)
        r = dl_sd_journal_add_match(j->sd, match, 0);
    if (r >= 0)
        r = dl_sd_journal_set_data_threshold(j->sd, 0);
    if (r < 0)
        wrong(r, "open");
    else if (dl_sd_journal_has_persistent_files(j->sd) <= 0 && dl_sd_journal_has_runtime_files(j->sd) <= 0)
        r = err_set(-EACCES, "none of systemd's journal may be read by this user; the group systemd-journal may");
    if (r < 0) {
        journal_close(j);
        return r;
    }
    *ret = j;
    return 0;
}

int journal_seek_end(struct journal *j)
{
    int r = dl_sd_journal_seek_tail(j->sd);
    return r < 0 ? wrong(r, "seek in") : 0;
}

int journal_seek_time(struct journal *j, int64_t time)
{
    int r = dl_sd_journal_seek_realtime_usec(j->sd, (uint64_t)time / 1000);
    return r < 0 ? wrong(r, "seek in") : 0;
}

/* The value of a field, "" with length 0 if the entry has not got it. */
static const char *value_of(struct journal *j, const char *key, size_t *ret_len)
{
    const void *data = NULL;
    size_t len = 0, skip = strlen(key) + 1;
    *ret_len = 0;
    if (dl_sd_journal_get_data(j->sd, key, &data, &len) < 0 || len < skip)
        return "";
    *ret_len = len - skip;
    return (const char *)data + skip;
}

static int get_entry(struct journal *j, struct journal_entry *ret)
{
    uint64_t us = 0;
    size_t len;
    int r = dl_sd_journal_get_realtime_usec(j->sd, &us);
    if (r < 0)
        return wrong(r, "read");
    *ret = (struct journal_entry){.time = (int64_t)us * 1000};
    const char *text = value_of(j, "PRIORITY", &len);
    ret->priority = len ? *text - '0' : 6;
    text = value_of(j, "CONTAINER_PARTIAL_MESSAGE", &len);
    ret->partial = len == 4 && memcmp(text, "true", 4) == 0;
    text = value_of(j, "WHELK_LINE", &len);
    memcpy(ret->line, text, MIN(len, sizeof ret->line - 1));
    ret->message = value_of(j, "MESSAGE", &ret->len); /* last: the next call may move what the others point to */
    return 1;
}

int journal_next(struct journal *j, struct journal_entry *ret)
{
    int r = dl_sd_journal_next(j->sd);
    return r < 0 ? wrong(r, "read") : r == 0 ? 0 : get_entry(j, ret);
}

int journal_previous(struct journal *j, struct journal_entry *ret)
{
    int r = dl_sd_journal_previous(j->sd);
    return r < 0 ? wrong(r, "read") : r == 0 ? 0 : get_entry(j, ret);
}

/* What libsystemd wants to be woken for, in ms from now, or timeout_ms if that is earlier. */
static int shorter_timeout(struct journal *j, int timeout_ms)
{
    uint64_t us = UINT64_MAX;
    struct timespec now;
    if (dl_sd_journal_get_timeout(j->sd, &us) <= 0 || us == UINT64_MAX)
        return timeout_ms;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    int left = us > now_us ? (int)MIN((us - now_us) / 1000 + 1, (uint64_t)3600000) : 0;
    return timeout_ms < 0 ? left : MIN(left, timeout_ms);
}

int journal_wait(struct journal *j, int other_fd, int timeout_ms, bool *ret_other)
{
    int fd = dl_sd_journal_get_fd(j->sd);
    if (fd < 0)
        return wrong(fd, "watch");
    struct pollfd p[] = {{fd, POLLIN, 0}, {other_fd, POLLIN, 0}};
    if (poll(p, ARRAY_LEN(p), shorter_timeout(j, timeout_ms)) < 0 && errno != EINTR)
        return err_sys("cannot wait for systemd's journal");
    if (ret_other)
        *ret_other = p[1].revents != 0;
    int r = dl_sd_journal_process(j->sd);
    return r < 0 ? wrong(r, "watch") : 0;
}

#else

int journal_open(const char *match, struct journal **ret)
{
    return err_set(-ENOPKG, "this build cannot read systemd's journal (libsystemd)");
}

void journal_close(struct journal *j)
{
}

int journal_seek_end(struct journal *j)
{
    return -ENOPKG;
}

int journal_seek_time(struct journal *j, int64_t time)
{
    return -ENOPKG;
}

int journal_next(struct journal *j, struct journal_entry *ret)
{
    return -ENOPKG;
}

int journal_previous(struct journal *j, struct journal_entry *ret)
{
    return -ENOPKG;
}

int journal_wait(struct journal *j, int other_fd, int timeout_ms, bool *ret_other)
{
    return -ENOPKG;
}

#endif
