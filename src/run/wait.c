/* Waiting for what a container becomes, without polling: every change is an event, and the file of events is watched.
 *
 * An event is read again after the watch began, from the moment before the state was looked at: so none is missed. The
 * end is told by the supervisor's pidfd, which comes after the exit record (run_wait).
 *
 * Runs in: the invocation. */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/str.h"
#include "whelk/units.h"

static bool is_state(const struct store *s, const char *id, const struct ctr_state *st, const char *wanted)
{
    struct ctr_health h = {0};
    bool yes = false;
    if (str_eq(wanted, "paused"))
        return st->status == CTR_RUNNING && run_is_paused(s, id);
    if (str_eq(wanted, "running"))
        return st->status == CTR_RUNNING && !run_is_paused(s, id);
    if (str_eq(wanted, "created"))
        return st->status == CTR_CREATED;
    if (str_eq(wanted, "exited"))
        return st->status == CTR_EXITED;
    if (ctr_is_up(st) && ctr_health_load(s, id, &h) == 0)
        yes = h.status && str_eq(h.status, wanted);
    rec_done(&ctr_health_rec, &h);
    return yes;
}

/* podman's words, and what they are here. */
static const struct condition {
    const char *word, *state;
    const char *actions; /* events that bring it about, blank-separated */
} conditions[] = {
    {"running", "running", "start unpause"},
    {"paused", "paused", "pause"},
    {"exited", "exited", "died"},
    {"stopped", "exited", "died"},
    {"stopping", "exited", "died"},
    {"healthy", "healthy", "health_status"},
    {"unhealthy", "unhealthy", "health_status"},
    {"created", "created", "create"},
    {"configured", "created", "create"},
    {"initialized", "created", "create"},
    {"removing", "removed", "remove"},
    {"removed", "removed", "remove"},
};

static const struct condition *find(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (str_eq(conditions[i].word, word))
            return &conditions[i];
    return NULL;
}

int run_check_conditions(char *const *words)
{
    strv_foreach (word, words)
        if (!find(word))
            return err_set(-EINVAL,
                           "--condition %s is not known; known: running, paused, stopped, exited, healthy, unhealthy, "
                           "created, configured, initialized, stopping, removing, removed",
                           word);
    return 0;
}

struct waiting {
    const char *id;
    char *const *words;
};

enum { MET = 1, ENDED = 2, GONE = 3 };

static int on_event(const struct event *e, void *ctx)
{
    const struct waiting *w = ctx;
    if (!e->id || !e->action || !str_eq(e->id, w->id))
        return 0;
    strv_foreach (word, w->words) {
        const struct condition *c = find(word);
        auto_strv char **actions = strv_split(c->actions, " ");
        const char *health = strv_env_get(e->attributes, "healthStatus");
        if (!strv_has(actions, e->action) || (health && !str_eq(health, c->state)))
            continue;
        return str_eq(c->state, "exited") ? ENDED : MET;
    }
    return str_eq(e->action, "remove") ? GONE : 0;
}

/* 1: one of them holds. */
static int holds_now(const struct store *s, const struct waiting *w)
{
    struct ctr_state st;
    int r = ctr_state(s, w->id, &st);
    if (r == -ENOENT)
        return GONE;
    if (r < 0)
        return r;
    strv_foreach (word, w->words)
        if (is_state(s, w->id, &st, find(word)->state))
            return str_eq(find(word)->state, "exited") ? ENDED : MET;
    return 0;
}

int run_wait_for(const struct store *s, const char *id, char *const *words, int *ret_code)
{
    struct waiting w = {id, words};
    int64_t before = time_now();
    int r = holds_now(s, &w);
    if (r == 0)
        r = events_read(s, before, 0, true, on_event, &w);
    *ret_code = -1;
    if (r == ENDED)
        return run_wait(s, id, ret_code);
    if (r == GONE)
        return strv_has(words, "removed") || strv_has(words, "removing")
                   ? 0
                   : err_set(-ENOENT, "container %.12s was removed while it was waited for", id);
    return MIN(r, 0);
}
