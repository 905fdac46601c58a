/* Stages side by side.
 *
 * Theory of operation. The BUILDER walks the stages in the file's order. As long as steps are cached it goes through
 * them itself, which costs next to nothing. At a step that is not (or that takes from a stage that is not ready), the
 * stage goes on in a forked WORKER, in the middle of the step, and the BUILDER turns to the next stage, if there is
 * work that does not wait for this one; else it goes on by itself. So a file of one stage, or of stages one upon the
 * other, has no workers at all.
 *
 * A WORKER is the init of a pid namespace: its death ends all that it started. It shares the staging directory with the
 * others (names there begin with a number of its own), finds their records in it, and holds a lock for each step that
 * it makes, so that two stages with the same step make it once. Its log is a pipe to the BUILDER, who prints whole
 * lines with the stage in front. At its end it leaves what became of the stage as stages/N in the staging directory.
 * The BUILDER loads that, and then makes the eventfd of the stage readable: that is what workers poll who take from it.
 * A stage takes from earlier ones only, and the earliest that can begin always does first, so they do not wait for each
 * other in a circle, whatever the number of workers.
 *
 * The first failure is that of the build: the BUILDER kills the other workers. What they had finished stays cached.
 *
 * Runs in: the BUILDER; side_await and side_finish in the WORKER. */
#include "builder.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/lock.h"
#include "whelk/record.h"
#include "whelk/userns.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WORKERS_LEAST = 4, LINE_MAX_BYTES = 64 * 1024, NAMES_EACH = 1 << 16 };

/* ---- what becomes of a stage ---- */

struct stage_record {
    struct rec_head head;
    json_t *config;
    char **env, **layers, **values, **used;
    char *key, *missed_at;
    int64_t created, n_base;
    bool cmd_set, missed, anew;
};

static const struct rec_field stage_fields[] = {
    REC_FIELD(struct stage_record, JSON, config, "config"),
    REC_FIELD(struct stage_record, STRV, env, "env"),
    REC_FIELD(struct stage_record, STRV, layers, "layers"),
    REC_FIELD(struct stage_record, STRV, values, "values"),
    REC_FIELD(struct stage_record, STRV, used, "used"),
    REC_FIELD(struct stage_record, STR, key, "key"),
    REC_FIELD(struct stage_record, STR, missed_at, "missed_at"),
    REC_FIELD(struct stage_record, INT, created, "created"),
    REC_FIELD(struct stage_record, INT, n_base, "n_base"),
    REC_FIELD(struct stage_record, BOOL, cmd_set, "cmd_set"),
    REC_FIELD(struct stage_record, BOOL, missed, "missed"),
    REC_FIELD(struct stage_record, BOOL, anew, "anew"),
    REC_END,
};
static const struct rec_type stage_rec = {"build stage", 1, sizeof(struct stage_record), stage_fields};

static char *stage_path(size_t stage)
{
    return xasprintf("stages/%zu", stage);
}

static int save_stage(const struct builder *b, size_t stage)
{
    const struct build_state *s = &b->stages[stage];
    auto_free char *path = stage_path(stage);
    const struct stage_record record = {
        .config = s->config.root,
        .env = s->env,
        .layers = s->layers,
        .values = s->scope.values,
        .used = b->args.used,
        .key = (char *)(uintptr_t)s->key,
        .missed_at = s->missed_at,
        .created = s->created,
        .n_base = (int64_t)s->n_base,
        .cmd_set = s->cmd_set,
        .missed = s->missed,
        .anew = s->anew,
    };
    int r = dir_make(b->staging->fd, "stages", 0700);
    return r < 0 ? r : rec_save(&stage_rec, b->staging->fd, path, &record, false);
}

static int load_stage(struct builder *b, size_t stage)
{
    struct build_state *s = &b->stages[stage];
    auto_free char *path = stage_path(stage);
    struct stage_record record = {0};
    int r = rec_load(&stage_rec, b->staging->fd, path, &record);
    if (r < 0)
        return err_wrap(r, "what stage %zu came to", stage);
    build_state_done(s);
    *s = (struct build_state){
        .config.root = take_ptr(&record.config),
        .env = take_ptr(&record.env),
        .layers = take_ptr(&record.layers),
        .scope = {.args = &b->args, .values = take_ptr(&record.values)},
        .missed_at = take_ptr(&record.missed_at),
        .created = record.created,
        .n_base = (size_t)record.n_base,
        .cmd_set = record.cmd_set,
        .missed = record.missed,
        .anew = record.anew,
    };
    snprintf(s->key, sizeof(s->key), "%s", record.key ? record.key : "");
    strv_foreach (name, record.used)
        if (!strv_has(b->args.used, name))
            strv_add(&b->args.used, name);
    rec_done(&stage_rec, &record);
    return 0;
}

/* ---- who waits for whom ---- */

/* Does it wait for this stage to be done, by whatever way? */
static bool waits_for(const struct builder *b, size_t stage, size_t other)
{
    const struct plan_stage *p = &b->plan.stages[stage];
    if (stage == other)
        return true;
    if (stage < other)
        return false;
    bool waits = p->base.kind == FROM_STAGE && waits_for(b, p->base.stage, other);
    for (size_t i = 0; i < p->n_copies && !waits; i++)
        waits = p->copies[i].kind == FROM_STAGE && waits_for(b, p->copies[i].stage, other);
    for (size_t i = 0; i < stage && !waits; i++)
        waits = p->uses[i] && waits_for(b, i, other);
    return waits;
}

/* Does it come to a step that makes a layer, before it waits for the other one? */
static bool can_work_beside(const struct builder *b, size_t stage, size_t other)
{
    const struct plan_stage *p = &b->plan.stages[stage];
    const struct instruction *steps = b->file.stages[stage].steps;
    bool uses = false;
    if (p->base.kind == FROM_STAGE && waits_for(b, p->base.stage, other))
        return false;
    for (size_t i = 0; i < stage; i++)
        uses |= p->uses[i] && waits_for(b, i, other);
    for (size_t i = 0; i < p->n_copies; i++) {
        bool waits = p->copies[i].kind == FROM_STAGE && waits_for(b, p->copies[i].stage, other);
        if (waits || (uses && steps[i].kind == INSTR_RUN && instruction_flag(&steps[i], "mount")))
            return false;
        if (step_rows[steps[i].kind].execute)
            return true;
    }
    return false;
}

static bool has_other_work(const struct builder *b, size_t stage)
{
    bool found = b->n_workers > 0;
    for (size_t i = 0; i <= b->plan.target && !found; i++)
        found =
            b->plan.stages[i].needed && b->sides[i].state == SIDE_IDLE && i != stage && can_work_beside(b, i, stage);
    return found;
}

/* ---- the worker ---- */

static void become_worker(struct builder *b, size_t stage, int log_fd, int err_fd)
{
    b->worker = true;
    b->own_stage = stage;
    b->worker_fd = err_fd;
    b->own_options = *b->options;
    b->own_options.log_fd = log_fd;
    b->options = &b->own_options;
    b->n_dirs = (unsigned)(stage + 1) * NAMES_EACH;
    b->unsynced = 0;
    for (size_t i = 0; i < b->n_named; i++)
        b->named[i].stage = NULL; /* those that are open are the BUILDER's to remove */
    dup2(log_fd, STDERR_FILENO);  /* warnings of what a step uses */
    err_clear();
}

/* Two ends of a pipe each; all are the caller's. */
struct side_pipes {
    int log[2], err[2];
};

static int make_pipes(struct side_pipes *p)
{
    *p = (struct side_pipes){{-1, -1}, {-1, -1}};
    if (pipe2(p->log, O_CLOEXEC) < 0 || pipe2(p->err, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    return 0;
}

int side_leave(struct builder *b, size_t stage, bool must)
{
    static const struct idmap same = {0};
    struct side *side = &b->sides[stage];
    struct side_pipes p;
    int pidfd = -1;
    if (b->worker || b->jobs < 2 || (!must && !has_other_work(b, stage)))
        return 0;
    int r = builder_enter(b);
    if (r == 0)
        r = make_pipes(&p);
    if (r < 0)
        return r;
    fflush(NULL);
    pid_t pid = userns_fork(&same, CLONE_NEWPID, &pidfd);
    int *const mine = pid == 0 ? (int[]){p.log[0], p.err[0]} : (int[]){p.log[1], p.err[1]};
    fd_close(mine[0]);
    fd_close(mine[1]);
    if (pid == 0) {
        become_worker(b, stage, p.log[1], p.err[1]);
        return 0;
    }
    if (pid < 0) {
        fd_close(p.log[0]);
        fd_close(p.err[0]);
        return pid;
    }
    side->state = SIDE_RUNS;
    side->worker = (struct worker){.pid = pid, .err_fd = p.err[0]};
    side->pidfd = pidfd;
    side->log_fd = p.log[0];
    b->n_workers++;
    return -EINPROGRESS;
}

void side_finish(struct builder *b, int r)
{
    if (r == 0)
        r = save_stage(b, b->own_stage);
    if (r == 0 && file_digests_close(b->digests) < 0)
        err_clear(); /* what is not remembered is read again */
    for (size_t i = 0; i < b->n_named; i++)
        context_done(&b->named[i]);
    worker_finish(b->worker_fd, r);
}

int side_await(struct builder *b, size_t stage)
{
    struct pollfd done = {.fd = b->sides[stage].done_fd, .events = POLLIN};
    while (poll(&done, 1, -1) < 0)
        if (errno != EINTR)
            return err_sys("cannot wait for another stage");
    int r = load_stage(b, stage);
    if (r == 0)
        b->sides[stage].state = SIDE_DONE;
    return r;
}

int side_lock(struct builder *b, const char *key, int *ret_lock)
{
    auto_free char *path = xasprintf("locks/%s", key);
    int r = dir_make(b->staging->fd, "locks", 0700);
    return r < 0 ? r : lock_file(b->staging->fd, path, true, true, ret_lock);
}

/* ---- the log ---- */

static void print_line(const struct builder *b, size_t stage, const char *line, size_t len)
{
    auto_buf struct buf text = {0};
    if (b->options->marks)
        buf_addf(&text, BUILD_MARK_STAGE "%zu/%zu" BUILD_MARK_STAGE, stage + 1, b->plan.n_stages);
    else if (!b->options->quiet)
        buf_addf(&text, "[%zu/%zu] ", stage + 1, b->plan.n_stages);
    buf_add(&text, line, len);
    buf_addc(&text, '\n');
    fd_write_all(b->options->log_fd, text.data, text.len);
}

/* Whole lines; one that is without end is cut somewhere. */
static void print_lines(const struct builder *b, size_t stage, bool all)
{
    struct buf *text = &b->sides[stage].text;
    size_t at = 0;
    for (const char *end; text->len > at && (end = memchr(text->data + at, '\n', text->len - at));
         at = (size_t)(end - text->data) + 1)
        print_line(b, stage, text->data + at, (size_t)(end - text->data) - at);
    if (text->len > at && (all || text->len - at >= LINE_MAX_BYTES)) {
        print_line(b, stage, text->data + at, text->len - at);
        at = text->len;
    }
    if (at)
        memmove(text->data, text->data + at, text->len - at);
    text->len -= at;
}

/* false: the end. */
static bool read_log(const struct builder *b, size_t stage)
{
    struct side *side = &b->sides[stage];
    char data[16384];
    ssize_t n = read(side->log_fd, data, sizeof(data));
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    buf_add(&side->text, data, (size_t)n);
    print_lines(b, stage, n == 0);
    return n > 0;
}

/* ---- the BUILDER's loop ---- */

/* The worker has sent its result, or died. */
static int end_worker(struct builder *b, size_t stage)
{
    struct side *side = &b->sides[stage];
    int r = worker_wait(&side->worker);
    while (read_log(b, stage))
        ;
    fd_close(take_fd(&side->log_fd));
    fd_close(take_fd(&side->pidfd));
    side->state = SIDE_ENDED;
    b->n_workers--;
    if (r == 0)
        r = load_stage(b, stage);
    return r < 0 ? r : side_done(b, stage);
}

int side_pump(struct builder *b)
{
    auto_free struct pollfd *fds = xcalloc(2 * b->plan.n_stages, sizeof(*fds));
    for (size_t i = 0; i < b->plan.n_stages; i++) {
        bool runs = b->sides[i].state == SIDE_RUNS;
        fds[2 * i] = (struct pollfd){.fd = runs ? b->sides[i].log_fd : -1, .events = POLLIN};
        fds[2 * i + 1] = (struct pollfd){.fd = runs ? b->sides[i].worker.err_fd : -1, .events = POLLIN};
    }
    if (poll(fds, 2 * b->plan.n_stages, -1) < 0)
        return errno == EINTR ? 0 : err_sys("cannot wait for the stages");
    int r = 0;
    for (size_t i = 0; i < b->plan.n_stages && r == 0; i++) {
        if (fds[2 * i + 1].revents)
            r = end_worker(b, i);
        else if (fds[2 * i].revents)
            read_log(b, i);
    }
    return r;
}

int side_done(struct builder *b, size_t stage)
{
    bool told = b->sides[stage].state == SIDE_ENDED; /* the worker has left it there */
    int r = b->n_workers && !told ? save_stage(b, stage) : 0;
    b->sides[stage].state = SIDE_DONE;
    if (r == 0 && b->sides[stage].done_fd >= 0 && eventfd_write(b->sides[stage].done_fd, 1) < 0)
        r = err_sys("cannot tell that a stage is done");
    return r;
}

int side_open(struct builder *b)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t jobs = (uint64_t)MAX(processors, WORKERS_LEAST);
    if (b->options->jobs && (!str_to_u64(b->options->jobs, &jobs) || jobs > 1000))
        return err_set(-EINVAL, "--jobs %s: give a number of stages, 0 to 1000", b->options->jobs);
    b->jobs = jobs ? (size_t)jobs : 1000;
    b->sides = xcalloc(b->plan.n_stages, sizeof(*b->sides));
    for (size_t i = 0; i < b->plan.n_stages; i++)
        b->sides[i] = (struct side){.done_fd = -1, .pidfd = -1, .log_fd = -1};
    for (size_t i = 0; i < b->plan.n_stages && b->jobs > 1 && b->plan.n_needed > 1; i++) {
        b->sides[i].done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (b->sides[i].done_fd < 0)
            return err_sys("cannot watch %zu stages", b->plan.n_stages);
    }
    return 0;
}

static void say_stopped(const struct builder *b, size_t stage)
{
    auto_free char *text = xasprintf("%s--> Stopped", b->options->marks ? BUILD_MARK_SAID : "");
    if (!b->options->quiet)
        print_line(b, stage, text, strlen(text));
}

/* Keeps the error in the slot. */
void side_stop(struct builder *b)
{
    size_t len;
    auto_free char *error = err_pack(-ECANCELED, &len);
    for (size_t i = 0; i < b->plan.n_stages; i++) {
        struct side *side = &b->sides[i];
        if (side->state != SIDE_RUNS)
            continue;
        pidfd_signal(side->pidfd, SIGKILL, 0);
        worker_wait(&side->worker);
        print_lines(b, i, true);
        say_stopped(b, i);
        side->state = SIDE_ENDED;
        b->n_workers--;
    }
    err_unpack(error, len);
}

void side_close(struct builder *b)
{
    for (size_t i = 0; b->sides && i < b->plan.n_stages; i++) {
        struct side *side = &b->sides[i];
        fd_close(side->done_fd);
        fd_close(side->pidfd);
        fd_close(side->log_fd);
        buf_done(&side->text);
    }
    free(b->sides);
}
