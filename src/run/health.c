/* Health checks.
 *
 * Two stages: a startup check, if there is one, until it has succeeded so often as is wanted; from then on the check
 * itself. Only the second one decides what the status is.
 *
 * A timer starts a check as a child of the SUPERVISOR (exec_probe); its output comes through a pipe that is a source of
 * the session's loop, and its end is the pipe's end. The result goes to health.json in the container's directory, which
 * ps and inspect read.
 *
 * Runs in: SUPERVISOR. Writes: health.json, and ID-healthcheck.log in a directory of the user's. */
#include "health.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/units.h"

#include <fcntl.h>

enum { LOG_COUNT = 5, LOG_SIZE = 4096 }; /* the usual */
enum { LOG_BYTES_MAX = 1 << 20 };        /* of all outputs together */

struct health {
    struct launch *l;
    struct session *s;
    struct health_listener listener;
    struct ctr_health state;
    bool startup;                /* the startup check is not over */
    int64_t successes, failures; /* of it, in a row */
    int64_t began;               /* ms: start of the start period */
    pid_t pid;                   /* of a running check, or 0 */
    int pidfd, out;
    int64_t started; /* ns: of the running check */
    struct buf output;
    char **command, **startup_command;
};

static void check(struct session *s, void *ctx);

static void save(struct health *h)
{
    const struct ctr *c = h->l->c;
    rec_save(&ctr_health_rec, h->l->ctr_fd, "health.json", &h->state, false);
    if (!c->health_log || *c->health_log != '/')
        return;
    auto_free char *name = xasprintf("%s-healthcheck.log", c->id);
    auto_close int dir = open(c->health_log, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        rec_save(&ctr_health_rec, dir, name, &h->state, false);
    err_clear();
}

static void set_status(struct health *h, const char *status)
{
    if (h->state.status && str_eq(h->state.status, status))
        return;
    free(h->state.status);
    h->state.status = xstrdup(status);
    h->listener.changed(h->listener.ctx, status);
}

char **health_command(char *const *cmd)
{
    auto_strv char **words = NULL;
    if (str_eq(cmd[0], "CMD-SHELL")) {
        strv_add(&words, "/bin/sh");
        strv_add(&words, "-c");
        strv_add(&words, cmd[1]);
    } else {
        strv_extend(&words, cmd + 1);
    }
    return take_ptr(&words);
}

static bool in_start_period(const struct health *h)
{
    return session_now() - h->began < h->l->c->health_start_period / 1000000;
}

static void schedule(struct health *h)
{
    const struct ctr *c = h->l->c;
    bool starting = str_eq(h->state.status, "starting") && in_start_period(h);
    int64_t ns = h->startup                             ? c->health_startup_interval
                 : starting && c->health_start_interval ? c->health_start_interval
                                                        : c->health_interval;
    if (!h->startup && c->health_interval < 0)
        return;
    session_timer(h->s, session_now() + MAX(ns / 1000000, 1), check, h);
}

/* What the result means: one success is healthy; `retries` failures in a row, outside of the start period, are not. */
static void judge(struct health *h, int code)
{
    const struct ctr *c = h->l->c;
    if (code == 0) {
        h->state.failing_streak = 0;
        if (h->l->watchdog)
            notify_send(h->l->notify, "WATCHDOG=1");
        set_status(h, "healthy");
        return;
    }
    if (str_eq(h->state.status, "starting") && in_start_period(h))
        return;
    if (++h->state.failing_streak >= c->health_retries)
        set_status(h, "unhealthy");
}

/* The startup check: its successes in a row open the way to the other one, its failures in a row end the container. */
static void judge_startup(struct health *h, int code)
{
    const struct ctr *c = h->l->c;
    h->successes = code == 0 ? h->successes + 1 : 0;
    h->failures = code == 0 ? 0 : h->failures + 1;
    h->startup = h->successes < MAX(c->health_startup_success, 1);
    if (c->health_startup_retries && h->failures == c->health_startup_retries)
        h->listener.not_started(h->listener.ctx);
}

static size_t output_max(const struct health *h)
{
    int64_t size = h->l->c->health_log_size;
    return size > 0 ? (size_t)MIN(size, HEALTH_LOG_SIZE_MAX) : LOG_SIZE;
}

static void drop_first(struct rec_list *log)
{
    struct health_result *first = log->items;
    free(first->output);
    memmove(first, first + 1, (log->n - 1) * sizeof *first);
    memset(&first[--log->n], 0, sizeof *first);
}

/* Room for one more. */
static void trim_log(const struct health *h, struct rec_list *log)
{
    int64_t count = h->l->c->health_log_count;
    size_t most = count > 0 ? (size_t)MIN(count, HEALTH_LOG_COUNT_MAX) : LOG_COUNT, bytes = h->output.len;
    const struct health_result *results = log->items;
    for (size_t i = 0; i < log->n; i++)
        bytes += strlen(results[i].output);
    while (log->n && (log->n >= most || bytes > LOG_BYTES_MAX)) {
        bytes -= strlen(results[0].output);
        drop_first(log);
    }
}

static void add_log(struct health *h, int code)
{
    struct rec_list *log = &h->state.log;
    trim_log(h, log);
    struct health_result *result = rec_list_add(&health_result_rec, log);
    *result = (struct health_result){.started = h->started,
                                     .finished = time_now(),
                                     .exit_code = code,
                                     .output = xstrdup(h->output.data ? h->output.data : "")};
}

static void finish_check(struct health *h)
{
    int code = proc_exit_code(proc_reap(h->pid));
    fd_close(take_fd(&h->out));
    fd_close(take_fd(&h->pidfd));
    h->pid = 0;
    bool startup = h->startup;
    if (startup)
        judge_startup(h, code);
    else
        judge(h, code);
    add_log(h, code);
    save(h);
    if (startup && !h->startup)
        session_timer(h->s, session_now(), check, h); /* the other one begins */
    else
        schedule(h);
    h->listener.result(h->listener.ctx, h->state.status, code, h->output.data ? h->output.data : "");
}

static void read_output(struct session *s, void *ctx)
{
    struct health *h = ctx;
    char buf[LOG_SIZE];
    size_t most = output_max(h);
    ssize_t n = read(h->out, buf, sizeof buf);
    if (n > 0 && h->output.len < most)
        buf_add(&h->output, buf, MIN((size_t)n, most - h->output.len));
    if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
        return;
    session_source(s, -1, read_output, h);
    finish_check(h);
}

/* A paused container cannot answer: it is asked again later. */
static void check(struct session *s, void *ctx)
{
    struct health *h = ctx;
    int ends[2];
    if (h->pid || s->pidfd < 0 || h->listener.paused(h->listener.ctx) || pipe2(ends, O_CLOEXEC) < 0) {
        schedule(h);
        return;
    }
    int64_t timeout = h->startup ? h->l->c->health_startup_timeout : h->l->c->health_timeout;
    struct probe p = {.plan = &h->l->plan,
                      .init = s->pidfd,
                      .command = h->startup ? h->startup_command : h->command,
                      .timeout_ms = MAX(timeout / 1000000, 1),
                      .output_max = output_max(h),
                      .out_fd = ends[1]};
    h->started = time_now();
    h->output.len = 0;
    h->pid = ns_clone(0, &h->pidfd);
    if (h->pid == 0)
        exec_probe(&p);
    fd_close(ends[1]);
    h->out = ends[0];
    if (h->pid > 0) {
        session_source(s, h->out, read_output, h);
        return;
    }
    h->pid = 0;
    fd_close(take_fd(&h->out));
    schedule(h);
}

struct health *health_begin(struct launch *l, struct session *s, const struct health_listener *listener)
{
    if (!l->c->health_cmd)
        return NULL;
    struct health *h = xcalloc(1, sizeof *h);
    *h = (struct health){.l = l, .s = s, .listener = *listener, .began = session_now(), .pidfd = -1, .out = -1};
    h->command = health_command(l->c->health_cmd);
    h->startup = l->c->health_startup_cmd != NULL;
    h->startup_command = h->startup ? health_command(l->c->health_startup_cmd) : NULL;
    h->state.status = xstrdup("starting");
    save(h);
    schedule(h);
    return h;
}

void health_end(struct health *h)
{
    if (!h)
        return;
    session_timer(h->s, 0, check, h);
    session_source(h->s, -1, read_output, h);
    if (h->pid > 0) {
        pidfd_signal(h->pidfd, SIGKILL, 0);
        proc_reap(h->pid);
    }
    fd_close(h->pidfd);
    fd_close(h->out);
    rec_done(&ctr_health_rec, &h->state);
    buf_done(&h->output);
    strv_free(h->command);
    strv_free(h->startup_command);
    free(h);
}
