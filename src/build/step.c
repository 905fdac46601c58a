/* One instruction of a stage: its key, its record or its execution, and what it adds to the stage (DF-51, DF-54).
 * Runs in: the invocation until a step is not cached, then the BUILDER. */
#include "builder.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/units.h"

/* ---- state ---- */

void build_state_copy(const struct build_state *from, struct build_state *ret)
{
    *ret = *from;
    image_config_copy(&from->config, &ret->config);
    ret->env = strv_copy(from->env);
    ret->layers = strv_copy(from->layers);
    ret->scope.values = strv_copy(from->scope.values);
    ret->missed_at = from->missed_at ? xstrdup(from->missed_at) : NULL;
    ret->since = (struct buf){0};
}

void build_state_done(struct build_state *s)
{
    image_config_done(&s->config);
    strv_free(s->env);
    strv_free(s->layers);
    strv_free(s->scope.values);
    free(s->missed_at);
    buf_done(&s->since);
    *s = (struct build_state){0};
}

const char *build_state_lookup(void *state, const char *name)
{
    const struct build_state *s = state;
    const char *value = strv_env_get(s->env, name);
    return value ? value : scope_get(&s->scope, name);
}

const char *build_state_workdir(const struct build_state *s)
{
    const char *dir = image_config_str(&s->config, "WorkingDir");
    return str_empty(dir) ? "/" : dir;
}

/* ---- the log ---- */

char *step_prefix(const struct builder *b, size_t stage)
{
    return b->plan.n_needed > 1 ? xasprintf("[%zu/%zu] ", stage + 1, b->plan.n_stages) : xstrdup("");
}

static void say_step(const struct step *s)
{
    auto_free char *prefix = s->b->worker ? xstrdup("") : step_prefix(s->b, s->stage);
    size_t n = s->b->file.stages[s->stage].n_steps + 1; /* FROM is the first */
    int len = (int)strcspn(s->i->text, "\n");           /* without heredocs */
    builder_say(s->b, "%sSTEP %zu/%zu: %.*s", prefix, s->number + 2, n, len, s->i->text);
}

static void say_result(const struct step *s, bool cached, const char *what)
{
    builder_say(s->b, cached ? "--> Using cache %.12s" : "--> %.12s", what);
}

/* ---- executing ---- */

char *const *step_layers(const struct step *s)
{
    return s->link ? NULL : s->state->layers;
}

static int load_facts(const struct store *s, const char *layer, struct cache_step *record)
{
    auto_with(layer_done) struct layer l = {0};
    int r = layer_load(s, layer, &l);
    if (r < 0)
        return err_wrap(r, "layer %.12s", layer);
    record->diffid = take_ptr(&l.diffid);
    record->size = l.size;
    return 0;
}

static int execute_in(struct step *s, const char *name, struct layer_facts *facts, char **ret_layer)
{
    struct builder *b = s->b;
    auto_close int dir = -1;
    int r = dir_make(b->staging->fd, name, 0700);
    if (r == 0)
        r = dir = dir_open(b->staging->fd, name);
    if (r >= 0)
        r = step_rows[s->i->kind].execute(s, dir, facts);
    if (r < 0 || !facts->changed)
        return r;
    struct pack_options options = {
        .stubs = facts->stubs,
        .epoch = b->times.clamp ? b->times.epoch : -1,
        .same_time = b->times.same,
        .lower_fd = s->lower,
        .owners = &facts->owners,
    };
    return layer_pack(b->staging, name, &options, ret_layer);
}

static int execute(struct step *s, struct cache_step *ret, bool *ret_unstable)
{
    struct builder *b = s->b;
    auto_free char *name = xasprintf("%u", b->n_dirs++);
    auto_close int lower = -1;
    struct layer_facts facts = {0};
    struct cache_step record = {.created_by = xstrdup(s->i->text)};
    int r = builder_enter(b);
    if (r == 0)
        r = builder_flush(b, false);
    if (r == 0)
        r = builder_merged(b, step_layers(s), &lower);
    s->lower = lower;
    if (r == 0)
        r = execute_in(s, name, &facts, &record.layer);
    strv_free(facts.stubs);
    pack_owners_done(&facts.owners);
    if (r == 0 && record.layer) /* it may be one that was there, and that others are removing */
        r = builder_pin(b, (char *const[]){record.layer, NULL});
    if (r == 0 && record.layer)
        r = load_facts(b->store, record.layer, &record);
    record.created = record.used = time_now();
    if (r < 0) {
        cache_step_done(&record);
        return r;
    }
    *ret_unstable = facts.unstable;
    *ret = record;
    return 0;
}

/* ---- cached or not ---- */

/* The keys of a step: under which it is looked for, and what those that follow begin with. */
struct keys {
    char base[CACHE_KEY], first[CACHE_KEY], second[CACHE_KEY];
};

static int make_key(struct step *s, const char *base, int (*add)(struct step *s, struct cache_key *k), const char *kind,
                    char ret[CACHE_KEY])
{
    struct cache_key k;
    cache_key_begin(&k, base, kind);
    int r = add(s, &k);
    if (r == 0)
        cache_key_end(&k, ret);
    else
        cache_key_drop(&k);
    return r < 0 ? r : 0;
}

static bool is_looked_for(const struct step *s)
{
    return !s->state->anew && (!s->state->missed || s->link);
}

/* 1: found, 0: not. */
static int find(struct step *s, const char *key, struct cache_step *ret)
{
    if (!*key || !is_looked_for(s))
        return 0;
    int r = builder_find(s->b, key, ret);
    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* Before what takes time: the stage may go on in a worker. Another one may have made the step since it was looked
 * for. 1: found, 0: not. */
static int leave(struct step *s, const struct keys *k, struct cache_step *ret)
{
    int r = side_leave(s->b, s->stage, false);
    if (r < 0 || !s->b->worker || !is_looked_for(s))
        return r;
    r = side_lock(s->b, k->base, &s->lock);
    return r < 0 ? r : find(s, k->first, ret);
}

/* By the contents of what is taken out of layers. */
static int find_by_content(struct step *s, struct keys *k, struct cache_step *ret)
{
    int r = builder_enter(s->b);
    if (r == 0)
        r = make_key(s, k->base, step_rows[s->i->kind].key_content, "content", k->second);
    if (r == 0)
        r = find(s, k->second, ret);
    if (r == 1 && *k->first) {
        int kept = builder_record(s->b, k->first, ret, NULL, 0);
        r = kept < 0 ? kept : r;
    }
    return r;
}

/* By the cheap key first. 1: found, 0: not. */
static int find_by_keys(struct step *s, struct keys *k, struct cache_step *ret)
{
    int r = 0;
    if (s->indirect)
        r = make_key(s, k->base, step_rows[s->i->kind].key_source, "source", k->first);
    else
        memcpy(k->first, k->base, sizeof(k->first));
    if (r == 0)
        r = find(s, k->first, ret);
    if (r == 0)
        r = leave(s, k, ret);
    return r == 0 && s->indirect ? find_by_content(s, k, ret) : r;
}

/* Those that follow an indirect step depend on what came of it, not on where that was found. */
static void chain(struct step *s, const struct keys *k, const struct cache_step *record, bool unstable)
{
    struct cache_key made;
    if (unstable) {
        id_new(s->state->key);
        return;
    }
    if (!s->indirect && !s->link) {
        memcpy(s->state->key, k->base, sizeof(s->state->key));
        return;
    }
    cache_key_begin(&made, s->link ? s->state->key : k->base, s->link ? "linked" : "made");
    cache_key_add(&made, "diffid", record->diffid);
    cache_key_end(&made, s->state->key);
}

/* What follows a --link is told by its key. */
static void miss(struct step *s)
{
    struct build_state *state = s->state;
    if (s->link || state->missed)
        return;
    auto_free char *prefix = step_prefix(s->b, s->stage);
    state->missed = true;
    state->missed_at = xasprintf("%sSTEP %zu/%zu", prefix, s->number + 2, s->b->file.stages[s->stage].n_steps + 1);
}

static int make(struct step *s, const struct keys *k, struct cache_step *ret, bool *ret_unstable)
{
    int64_t begun = time_now();
    auto_free char *told = explain_told(s);
    explain_miss(s, told);
    int r = execute(s, ret, ret_unstable);
    if (r < 0)
        return r;
    miss(s);
    if (*ret_unstable)
        return 0;
    bool both = *k->first && *k->second;
    if (*k->first)
        r = builder_record(s->b, k->first, ret, both ? NULL : told, time_now() - begun);
    if (r == 0 && *k->second)
        r = builder_record(s->b, k->second, ret, told, both ? 0 : time_now() - begun);
    return r;
}

static void add_history(struct step *s, bool empty)
{
    image_config_add_history(&s->state->config, build_time(s->b, s->state->created), s->i->text, NULL, empty);
}

static void add_layer(struct step *s, const struct cache_step *record)
{
    struct build_state *state = s->state;
    if (record->layer) {
        strv_add(&state->layers, record->layer);
        image_config_add_diff_id(&state->config, record->diffid);
    }
    state->created = build_time(s->b, MAX(state->created, record->created));
    add_history(s, !record->layer);
}

static int do_layer(struct step *s, const char *base)
{
    struct cache_step record = {0};
    struct keys k = {0};
    bool unstable = false;
    memcpy(k.base, base, sizeof(k.base));
    int r = find_by_keys(s, &k, &record);
    bool cached = r == 1;
    if (r == 0)
        r = make(s, &k, &record, &unstable);
    if (r < 0)
        return r;
    chain(s, &k, &record, unstable);
    add_layer(s, &record);
    say_result(s, cached, record.layer ? record.layer : s->state->key);
    if (cached)
        explain_hit(s, *k.second ? "what it takes from is another one, but the files that it takes are the same"
                                 : "all that it depends on is as when it was made");
    auto_free char *what = xasprintf("step %.12s", s->state->key);
    explain_base(s->state, what);
    cache_step_done(&record);
    return 0;
}

/* ---- the whole ---- */

static int expand_args(struct step *s)
{
    if (step_rows[s->i->kind].raw || !instruction_expands(s->i->kind)) {
        s->args = strv_copy(s->i->args);
        return 0;
    }
    strv_foreach (arg, s->i->args) {
        char *expanded;
        int r = expand_word(arg, s->b->file.escape, build_state_lookup, s->state, &expanded);
        if (r < 0)
            return r;
        strv_add_take(&s->args, expanded);
    }
    return 0;
}

static int prepare(struct step *s, char ret[CACHE_KEY])
{
    const struct step_row *row = &step_rows[s->i->kind];
    int r = expand_args(s);
    if (r < 0)
        return r;
    s->link = instruction_switch(s->i, "link");
    cache_key_begin(&s->key, s->link ? "linked" : s->state->key, instruction_name(s->i->kind));
    s->key.told = &s->covers;
    if (!row->raw)
        cache_key_add_strv(&s->key, "args", s->args);
    if (row->execute && s->b->times.clamp)
        cache_key_add_number(&s->key, s->b->times.same ? "timestamp" : "epoch", (uint64_t)s->b->times.epoch);
    r = row->prepare(s);
    if (r < 0)
        cache_key_drop(&s->key);
    else
        cache_key_end(&s->key, ret);
    return r;
}

static int do_metadata(struct step *s, const char *key)
{
    bool cached = !s->state->missed && !s->state->anew;
    memcpy(s->state->key, key, CACHE_KEY);
    add_history(s, true);
    say_result(s, cached, key);
    explain_metadata(s);
    explain_hit(s, "it changes the image's config only");
    return 0;
}

int step_do(struct builder *b, size_t stage, size_t number, struct build_state *state)
{
    struct step s = {
        .b = b,
        .stage = stage,
        .number = number,
        .i = &b->file.stages[stage].steps[number],
        .state = state,
        .lock = -1,
        .lower = -1,
    };
    const struct step_row *row = &step_rows[s.i->kind];
    char key[CACHE_KEY];
    say_step(&s);
    err_clear();
    int r = prepare(&s, key);
    if (r == 0)
        r = row->execute ? do_layer(&s, key) : do_metadata(&s, key);
    if (row->done)
        row->done(&s);
    strv_free(s.args);
    buf_done(&s.covers);
    fd_close(s.lock);
    return r < 0 && r != -EINPROGRESS && !s.told ? instruction_wrap(b->file.file, s.i, r) : r;
}
