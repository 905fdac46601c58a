/* The live view of a build. The build's log, with marks (whelk/build.h), goes through a pipe to the VIEW, which draws:
 * a line above for each step that has ended, with its time, and below a block of those that are under way, each with
 * its time so far and the last lines of its output. What a step wrote that failed stays above.
 *
 * The VIEW is forked before the build goes into its namespaces and lives as long as the invocation. The build's last
 * word is "end"; it then waits until the VIEW closes its side of a second pipe: nobody else has it. The log's own end
 * would not do, since the invocation's process waits outside with a copy of it.
 * Runs in: draw_until_end in the VIEW; the rest in the invocation or the BUILDER. */
#include "build-view.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/live.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>

enum { DRAW_MS = 100, TAIL_SHOWN = 4, TAIL_KEPT = 40, LINE_MAX_BYTES = 64 * 1024 };

static const char end_word[] = BUILD_MARK_SAID "end\n";

/* ---- steps under way ---- */

struct row {
    char *stage; /* "2/3", or "" where there is one stage only */
    char *text;  /* of its step; NULL: none is under way */
    char **tail; /* of its output */
    int64_t begun;
};
struct view {
    struct live *live;
    struct row *rows;
    size_t n, current; /* the row of lines that do not name their stage */
    bool ended;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static size_t find_row(struct view *v, const char *stage)
{
    for (size_t i = 0; i < v->n; i++)
        if (str_eq(v->rows[i].stage, stage))
            return i;
    v->rows = xrealloc(v->rows, (v->n + 1) * sizeof(*v->rows));
    v->rows[v->n] = (struct row){.stage = xstrdup(stage)};
    return v->n++;
}

static char *row_line(const struct row *r, const char *word)
{
    bool stage = *r->stage != '\0';
    return xasprintf("%8s %s%s%s%s", word, stage ? "[" : "", r->stage, stage ? "] " : "", r->text);
}

static char *row_time(const struct row *r)
{
    int64_t ms = now_ms() - r->begun;
    return xasprintf("%lld.%llds", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

static void row_end(struct view *v, struct row *r, const char *word)
{
    auto_free char *time = row_time(r), *line = r->text ? row_line(r, word ? word : time) : NULL;
    if (line)
        live_print(v->live, line);
    free(r->text);
    strv_free(r->tail);
    r->text = NULL;
    r->tail = NULL;
}

/* ---- the lines of the log ---- */

/* "STEP 2/4: RUN make" */
static void on_step(struct view *v, struct row *r, const char *text)
{
    row_end(v, r, ""); /* FROM says nothing of its end */
    r->text = xstrdup(text + strlen("STEP "));
    r->begun = now_ms();
}

static void on_said(struct view *v, struct row *r, const char *text)
{
    auto_free char *why = NULL;
    if (str_after(text, "STEP "))
        on_step(v, r, text);
    else if (str_after(text, "--> Using cache"))
        row_end(v, r, "cached");
    else if (str_after(text, "--> Stopped"))
        row_end(v, r, "stopped");
    else if (str_after(text, "--> Not from the cache"))
        return;
    else if (str_after(text, "--> "))
        row_end(v, r, NULL);
    else
        live_print(v->live, why = xasprintf("%8s %s", "", text + strspn(text, " ")));
}

static void on_output(struct row *r, const char *line)
{
    const char *shown = strrchr(line, '\r'); /* what is drawn over and over */
    strv_add(&r->tail, shown && shown[1] ? shown + 1 : line);
    if (strv_len(r->tail) > TAIL_KEPT)
        strv_remove(r->tail, 0);
}

/* Takes the stage off the front of a line, which a worker's lines have as a mark and others as "[2/3] ". */
static const char *take_stage(const char *line, char **ret)
{
    const char *text = str_after(line, BUILD_MARK_STAGE), *end = text ? strchr(text, *BUILD_MARK_STAGE) : NULL;
    bool said = *line == *BUILD_MARK_SAID && line[1] == '[';
    if (said)
        end = strchr(text = line + 2, ']');
    if (!text || !end)
        return line;
    *ret = xstrndup(text, (size_t)(end - text));
    return end + (said ? strcspn(end, " ") + 1 : 1);
}

static void on_line(struct view *v, const char *line)
{
    auto_free char *stage = NULL;
    const char *rest = take_stage(line, &stage);
    size_t at = stage ? find_row(v, stage) : v->current;
    bool said = rest != line ? *line == *BUILD_MARK_SAID || *rest == *BUILD_MARK_SAID : *line == *BUILD_MARK_SAID;
    const char *text = rest + (*rest == *BUILD_MARK_SAID);
    if (str_eq(line, BUILD_MARK_SAID "end"))
        v->ended = true;
    else if (said)
        on_said(v, &v->rows[at], text);
    else
        on_output(&v->rows[at], text);
    if (stage && *line != *BUILD_MARK_STAGE)
        v->current = at;
}

/* Whole lines; what is longer than any line is cut. */
static void on_data(struct view *v, struct buf *text)
{
    size_t at = 0;
    for (char *end; text->len > at && (end = memchr(text->data + at, '\n', text->len - at));
         at = (size_t)(end - text->data) + 1) {
        *end = '\0';
        on_line(v, text->data + at);
    }
    if (text->len - at > LINE_MAX_BYTES) {
        on_line(v, text->data + at);
        at = text->len;
    }
    if (at)
        memmove(text->data, text->data + at, text->len - at);
    text->len -= at;
}

/* ---- drawing ---- */

static void draw(struct view *v)
{
    unsigned at = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct row *r = &v->rows[i];
        if (!r->text)
            continue;
        auto_free char *time = row_time(r), *line = row_line(r, time);
        live_row(v->live, at++, line);
        size_t n = strv_len(r->tail);
        for (size_t k = n > TAIL_SHOWN ? n - TAIL_SHOWN : 0; k < n; k++) {
            auto_free char *output = xasprintf("%8s | %s", "", r->tail[k]);
            live_row(v->live, at++, output);
        }
    }
    live_cut(v->live, at);
    live_draw(v->live, v->ended);
}

/* Steps that are under way when all is over have failed. */
static void finish(struct view *v)
{
    for (size_t i = 0; i < v->n; i++) {
        struct row *r = &v->rows[i];
        auto_strv char **tail = take_ptr(&r->tail);
        bool empty = r->text && strstr(r->text, ": FROM ");
        row_end(v, r, empty ? "" : "failed");
        strv_foreach (line, tail) {
            auto_free char *output = xasprintf("%8s | %s", "", line);
            live_print(v->live, output);
        }
    }
    draw(v);
}

static int draw_until_end(void *arg)
{
    struct view v = {.live = live_new(STDERR_FILENO)};
    int in = *(const int *)arg;
    struct pollfd log = {.fd = in, .events = POLLIN};
    auto_buf struct buf text = {0};
    char data[16384];
    v.current = find_row(&v, "");
    while (!v.ended) {
        if (poll(&log, 1, DRAW_MS) > 0) {
            ssize_t n = read(in, data, sizeof(data));
            if (n <= 0)
                break;
            buf_add(&text, data, (size_t)n);
            on_data(&v, &text);
        }
        draw(&v);
    }
    finish(&v);
    live_end(v.live, false);
    return 0;
}

/* ---- the build's side ---- */

struct pipes {
    int log[2], ended[2];
};

static int view_main(void *arg)
{
    struct pipes *p = arg;
    fd_close(p->log[1]);
    fd_close(p->ended[0]);
    return draw_until_end(&p->log[0]);
}

static int start(struct build_options *build, struct build_view *ret)
{
    struct pipes p = {{-1, -1}, {-1, -1}};
    struct worker w;
    if (pipe2(p.log, O_CLOEXEC) < 0 || pipe2(p.ended, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    int r = worker_start(view_main, &p, &w);
    if (r < 0)
        return r;
    fd_close(p.log[0]);
    fd_close(p.ended[1]);
    fd_close(w.err_fd);
    *ret = (struct build_view){p.log[1], p.ended[0]};
    build->log_fd = p.log[1];
    build->marks = true;
    return 0;
}

static bool on_terminal(void)
{
    struct live *l = live_new(STDERR_FILENO);
    bool terminal = live_on_terminal(l);
    live_end(l, false);
    return terminal;
}

int build_view_start(const char *progress, struct build_options *build, struct build_view *ret)
{
    static const char *const known[] = {"auto", "plain", "tty", "quiet"};
    bool found = !progress;
    *ret = (struct build_view){-1, -1};
    for (size_t i = 0; i < ARRAY_LEN(known) && !found; i++)
        found = str_eq(progress, known[i]);
    if (!found)
        return err_set(-EINVAL, "--progress %s is not done by this version; known: auto, plain, tty, quiet", progress);
    if (build->quiet || (progress && str_eq(progress, "plain")))
        return 0;
    if (on_terminal())
        return start(build, ret);
    return progress && str_eq(progress, "tty")
               ? err_set(-EINVAL, "--progress tty: standard error is no terminal; give plain")
               : 0;
}

void build_view_end(struct build_view *v)
{
    char byte;
    if (v->log_fd < 0)
        return;
    fd_write_all(v->log_fd, end_word, strlen(end_word)); /* whoever has gone has drawn what it could */
    fd_close(take_fd(&v->log_fd));
    while (read(v->ended_fd, &byte, 1) < 0 && errno == EINTR)
        ;
    fd_close(take_fd(&v->ended_fd));
}
