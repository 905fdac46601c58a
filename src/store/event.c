/* The events file: appending, reading, following. */
#include "whelk/event.h"

#include "whelk/ctr.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/units.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>

enum { ROTATE_AT = 8 << 20 };

static const struct rec_field event_fields[] = {
    REC_FIELD(struct event, TIME, time, "time"),
    REC_FIELD(struct event, STR, type, "type"),
    REC_FIELD(struct event, STR, action, "action"),
    REC_FIELD(struct event, STR, id, "id"),
    REC_FIELD(struct event, STR, name, "name"),
    REC_FIELD(struct event, STR, image, "image"),
    REC_FIELD(struct event, MAP, attributes, "attributes"),
    REC_END,
};
const struct rec_type event_rec = {"event", 1, sizeof(struct event), event_fields};

void event_done(struct event *e)
{
    rec_done(&event_rec, e);
}

void event_write(const struct store *s, const struct event *e)
{
    struct event now = *e;
    struct stat st;
    now.time = time_now();
    auto_json json_t *j = rec_to_json(&event_rec, &now);
    auto_free char *text = json_text(j, false);
    auto_free char *line = xasprintf("%s\n", text);
    auto_close int fd = openat(s->fd, "events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    (void)!write(fd, line, strlen(line));
    if (fstat(fd, &st) == 0 && st.st_size > ROTATE_AT)
        renameat(s->fd, "events", s->fd, "events.1");
}

void event_container(const struct store *s, const struct ctr *c, const char *action, char *const *facts)
{
    char type[] = "container";
    auto_strv char **attributes = strv_copy(facts);
    strv_extend(&attributes, c->labels);
    event_write(s, &(struct event){.type = type,
                                   .action = (char *)(uintptr_t)action,
                                   .id = c->id,
                                   .name = c->name,
                                   .image = c->image_ref,
                                   .attributes = attributes});
}

void event_container_id(const struct store *s, const char *id, const char *action, char *const *facts)
{
    struct ctr c = {0};
    size_t len;
    auto_free char *error = err_pack(0, &len); /* the one that counts */
    if (ctr_load(s, id, &c) < 0)
        c.id = xstrdup(id);
    event_container(s, &c, action, facts);
    ctr_done(&c);
    err_unpack(error, len);
}

void event_object(const struct store *s, const char *type, const char *action, const char *id, const char *name)
{
    event_write(s, &(struct event){.type = (char *)(uintptr_t)type,
                                   .action = (char *)(uintptr_t)action,
                                   .id = (char *)(uintptr_t)id,
                                   .name = (char *)(uintptr_t)name});
}

struct reader {
    const struct store *store;
    int64_t since, until;
    int (*fn)(const struct event *e, void *ctx);
    void *ctx;
    FILE *file; /* the current one, or NULL */
};

static int give_line(const struct reader *r, const char *line, size_t len)
{
    auto_json json_t *j = NULL;
    struct event e = {0};
    int result = 0;
    if (json_parse("event", line, len, &j) < 0 || rec_from_json(&event_rec, j, &e) < 0) {
        err_clear();
        return 0;
    }
    if (e.time >= r->since && (!r->until || e.time <= r->until))
        result = r->fn(&e, r->ctx);
    event_done(&e);
    return result;
}

/* The whole lines that are there; what has no newline yet is left for the next time. */
static int drain(struct reader *r)
{
    auto_free char *line = NULL;
    size_t cap = 0;
    int result = 0;
    while (r->file && result == 0) {
        long at = ftell(r->file);
        ssize_t n = getline(&line, &cap, r->file);
        if (n <= 0 || line[n - 1] != '\n') {
            fseek(r->file, at, SEEK_SET);
            clearerr(r->file);
            break;
        }
        result = give_line(r, line, (size_t)n);
    }
    return result;
}

static void reopen(struct reader *r, const char *name)
{
    if (r->file)
        fclose(r->file);
    int fd = openat(r->store->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    r->file = fd < 0 ? NULL : fdopen(fd, "r");
}

/* Was the file that we read rotated away? */
static bool rotated(const struct reader *r)
{
    struct stat ours, current;
    if (!r->file)
        return true;
    return fstat(fileno(r->file), &ours) < 0 || fstatat(r->store->fd, "events", &current, 0) < 0 ||
           ours.st_ino != current.st_ino;
}

static int follow_timeout(const struct reader *r)
{
    if (!r->until)
        return -1;
    int64_t left = (r->until - time_now()) / 1000000;
    return (int)MIN(MAX(left, 0), 3600000);
}

static int follow_events(struct reader *r)
{
    auto_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    auto_free char *dir = xasprintf("/proc/self/fd/%d", r->store->fd);
    if (watch < 0 || inotify_add_watch(watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return err_sys("cannot watch the store for events");
    int result = drain(r); /* what came between the first reading and the watch */
    while (result == 0 && (!r->until || time_now() < r->until)) {
        char sink[4096];
        struct pollfd p = {watch, POLLIN, 0};
        if (poll(&p, 1, follow_timeout(r)) < 0 && errno != EINTR)
            return err_sys("cannot wait for events");
        while (read(watch, sink, sizeof sink) > 0)
            ;
        result = drain(r);
        if (result == 0 && rotated(r)) {
            reopen(r, "events");
            result = drain(r);
        }
    }
    return result;
}

int events_read(const struct store *s, int64_t since, int64_t until, bool follow,
                int (*fn)(const struct event *e, void *ctx), void *ctx)
{
    static const char *const files[] = {"events.1", "events"};
    struct reader r = {.store = s, .since = since, .until = until, .fn = fn, .ctx = ctx};
    int result = 0;
    for (size_t i = 0; i < ARRAY_LEN(files) && result == 0; i++) {
        reopen(&r, files[i]);
        result = drain(&r);
    }
    if (result == 0 && follow)
        result = follow_events(&r);
    if (r.file)
        fclose(r.file);
    return result;
}
