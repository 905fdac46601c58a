/* What a container does at this moment: the record lock on `alive`, the exit record in it, and the live record.
 *
 *     lock held                            running; elsewhere if the live record is of another boot or the holder
 *                                          invisible;
 *                                          restarting if the exit record says so
 *     lock free, no exit record            created; abandoned if the claim is free too, and the marker says that there
 *                                          was one
 *     lock free, exit record without end   exited, 137: the supervisor was killed
 *     lock free, exit record with end      exited with its code
 *
 * Never called in a SUPERVISOR for its own container: closing any descriptor of `alive` drops the process's lock
 * (fcntl(2)). */
#include "whelk/ctr.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/lock.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <signal.h>

enum { EXIT_BLOCK = 512, EXIT_KILLED = 128 + SIGKILL };

static const struct rec_field live_fields[] = {
    REC_FIELD(struct ctr_live, STR, boot_id, "boot_id"),
    REC_FIELD(struct ctr_live, INT, pid, "pid"),
    REC_FIELD(struct ctr_live, INT, pid_start, "pid_start"),
    REC_FIELD(struct ctr_live, TIME, started, "started"),
    REC_FIELD(struct ctr_live, STRV, cgroup, "cgroup"),
    REC_FIELD(struct ctr_live, INT, restarts, "restarts"),
    REC_NESTED(struct ctr_live, LIST, networks, "networks", &ctr_live_net_rec),
    REC_NESTED(struct ctr_live, LIST, ports, "ports", &ctr_port_rec),
    REC_END,
};
const struct rec_type ctr_live_rec = {"live record", 1, sizeof(struct ctr_live), live_fields};

static const struct rec_field health_result_fields[] = {
    REC_FIELD(struct health_result, TIME, started, "started"),
    REC_FIELD(struct health_result, TIME, finished, "finished"),
    REC_FIELD(struct health_result, INT, exit_code, "exit_code"),
    REC_FIELD(struct health_result, STR, output, "output"),
    REC_END,
};
const struct rec_type health_result_rec = {"health result", 0, sizeof(struct health_result), health_result_fields};

static const struct rec_field health_fields[] = {
    REC_FIELD(struct ctr_health, STR, status, "status"),
    REC_FIELD(struct ctr_health, INT, failing_streak, "failing_streak"),
    REC_NESTED(struct ctr_health, LIST, log, "log", &health_result_rec),
    REC_END,
};
const struct rec_type ctr_health_rec = {"health record", 1, sizeof(struct ctr_health), health_fields};

int ctr_health_load(const struct store *s, const char *id, struct ctr_health *ret)
{
    auto_free char *path = xasprintf("containers/%s/health.json", id);
    return rec_load(&ctr_health_rec, s->fd, path, ret);
}

void ctr_live_done(struct ctr_live *l)
{
    rec_done(&ctr_live_rec, l);
}

int ctr_live_load(const struct store *s, const char *id, struct ctr_live *ret)
{
    auto_free char *path = xasprintf("containers/%s/live.json", id);
    return rec_load(&ctr_live_rec, s->fd, path, ret);
}

const char *ctr_status_name(enum ctr_status st)
{
    static const char *const names[] = {
        [CTR_CREATED] = "created", [CTR_RUNNING] = "running",     [CTR_RESTARTING] = "restarting",
        [CTR_EXITED] = "exited",   [CTR_ELSEWHERE] = "elsewhere",
    };
    return names[st];
}

/* ---- the exit record: one block, so that it is there or not ---- */

/* One line of JSON with the first error_len bytes of the error. Caller frees. */
static char *exit_text(const struct exit_record *r, size_t error_len)
{
    auto_free char *error = xstrndup(r->error, error_len);
    auto_json json_t *j = json_object();
    json_object_set_new(j, "generation", json_integer(r->generation));
    json_object_set_new(j, "started", json_integer(r->started));
    json_object_set_new(j, "finished", json_integer(r->finished));
    json_object_set_new(j, "exit_code", json_integer(r->exit_code));
    if (r->timed_out)
        json_object_set_new(j, "timed_out", json_true());
    if (r->stopped)
        json_object_set_new(j, "stopped", json_true());
    if (r->oom)
        json_object_set_new(j, "oom", json_true());
    if (r->restarting)
        json_object_set_new(j, "restarting", json_true());
    if (*error)
        json_object_set_new(j, "error", json_from_str(error));
    return json_text(j, false);
}

int exit_record_write(int alive_fd, const struct exit_record *r)
{
    char block[EXIT_BLOCK];
    size_t error_len = strnlen(r->error, sizeof(r->error) - 1);
    auto_free char *text = exit_text(r, error_len);
    while (strlen(text) >= sizeof(block)) { /* control characters grow in JSON */
        free(text);
        error_len -= MIN(error_len, 8);
        text = exit_text(r, error_len);
    }
    memset(block, ' ', sizeof(block));
    memcpy(block, text, strlen(text));
    block[sizeof(block) - 1] = '\n';
    ssize_t n = pwrite(alive_fd, block, sizeof(block), 0);
    if (n != (ssize_t)sizeof(block)) {
        errno = n < 0 ? errno : ENOSPC;
        return err_sys("cannot write the exit record");
    }
    return 0;
}

static int exit_parse(const char *block, size_t len, struct exit_record *ret)
{
    auto_json json_t *j = NULL;
    while (len && strchr(" \n", block[len - 1]))
        len--;
    int r = json_parse("exit record", block, len, &j);
    if (r < 0)
        return r;
    struct exit_record e = {
        .generation = json_int(j, "generation", 0),
        .started = json_int(j, "started", 0),
        .finished = json_int(j, "finished", 0),
        .exit_code = (int)json_int(j, "exit_code", 0),
        .oom = json_bool(j, "oom", false),
        .timed_out = json_bool(j, "timed_out", false),
        .stopped = json_bool(j, "stopped", false),
        .restarting = json_bool(j, "restarting", false),
    };
    const char *error = json_str(j, "error");
    snprintf(e.error, sizeof(e.error), "%s", error ? error : "");
    *ret = e;
    return 0;
}

/* A reader can meet the writer in the middle of a block, so what makes no sense is read again. */
int exit_record_read(int alive_fd, struct exit_record *ret)
{
    enum { TRIES = 5 };
    char block[EXIT_BLOCK];
    int r = -ENOENT;
    for (int i = 0; i < TRIES; i++) {
        ssize_t n = pread(alive_fd, block, sizeof(block), 0);
        if (n < 0)
            return err_sys("cannot read the exit record");
        if (n == 0)
            return -ENOENT;
        r = exit_parse(block, (size_t)n, ret);
        if (r == 0)
            break;
    }
    return r;
}

/* ---- the state ---- */

/* Held on another host that shares this directory? A live record that is older than the start belongs to an earlier
 * one. */
static bool is_elsewhere(const struct store *s, const char *id, int64_t started)
{
    struct ctr_live live = {0};
    bool foreign = ctr_live_load(s, id, &live) == 0 && live.boot_id && live.started >= started &&
                   !str_eq(live.boot_id, proc_boot_id());
    ctr_live_done(&live);
    return foreign;
}

static void fill_running(const struct store *s, const char *id, pid_t holder, const struct exit_record *e,
                         struct ctr_state *st)
{
    st->status = holder < 0 || is_elsewhere(s, id, e->started) ? CTR_ELSEWHERE : CTR_RUNNING;
    st->supervisor = st->status == CTR_RUNNING ? holder : 0;
    if (st->status == CTR_RUNNING && e->restarting) { /* its last run's end stays to be seen */
        st->status = CTR_RESTARTING;
        return;
    }
    st->finished = 0;
    st->exit_code = 0;
    st->error[0] = '\0';
}

static void fill_exited(const struct exit_record *e, struct ctr_state *st)
{
    st->status = CTR_EXITED;
    if (e->finished)
        return;
    st->lost = true;
    st->exit_code = EXIT_KILLED;
    snprintf(st->error, sizeof(st->error), "supervisor lost");
}

/* The lock, then the record, then the lock again: a start between the two looks like a lost supervisor otherwise. */
static int read_alive(int fd, pid_t *ret_holder, struct exit_record *e)
{
    pid_t holder = 0;
    for (int i = 0; i < 2 && holder == 0; i++) {
        *e = (struct exit_record){0};
        holder = record_lock_holder(fd);
        if (holder < -1)
            return holder;
        int r = exit_record_read(fd, e);
        if (r < 0 && r != -ENOENT) /* torn by a power loss: started, and no status left */
            *e = (struct exit_record){.generation = 1};
        if (holder || e->finished || !e->generation)
            break;
    }
    *ret_holder = holder;
    return 0;
}

/* Made by `run --rm`, says its marker. */
static bool was_claimed(const struct store *s, const char *id)
{
    char path[TRASH_NAME], target[sizeof rm_marker_claimed];
    snprintf(path, sizeof path, "tmp/rm-%s", id);
    return readlinkat(s->fd, path, target, sizeof target) == (ssize_t)strlen(rm_marker_claimed) &&
           memcmp(target, rm_marker_claimed, strlen(rm_marker_claimed)) == 0;
}

/* The claim is looked at before the exit record: it goes only when the record has its first generation. */
int ctr_state(const struct store *s, const char *id, struct ctr_state *ret)
{
    auto_free char *path = xasprintf("containers/%s/alive", id);
    auto_close int fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? -ENOENT : err_sys("cannot open %s/%s", s->path, path);
    struct exit_record e = {0};
    pid_t holder;
    bool claimed = claim_lock_held(fd);
    int r = read_alive(fd, &holder, &e);
    if (r < 0)
        return err_wrap(r, "container %.12s", id);
    struct ctr_state st = {
        .generation = e.generation,
        .exit_code = e.exit_code,
        .started = e.started,
        .finished = e.finished,
        .oom = e.oom,
        .timed_out = e.timed_out,
        .stopped = e.stopped,
    };
    memcpy(st.error, e.error, sizeof(st.error));
    if (holder)
        fill_running(s, id, holder, &e, &st);
    else if (e.generation)
        fill_exited(&e, &st);
    else {
        st.claimed = claimed;
        st.abandoned = !claimed && was_claimed(s, id);
    }
    *ret = st;
    return 0;
}
