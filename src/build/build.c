/* Building an image: the stages that are needed, one after the other, and the image's names (see builder.h).
 * Runs in: the invocation; from the first step that is not cached, the BUILDER. */
#include "whelk/build.h"

#include "builder.h"

#include "whelk/err.h"
#include "whelk/image.h"

#include <strings.h>

/* ---- where a stage begins ---- */

static void begin_scratch(struct build_state *state)
{
    struct cache_key k;
    image_config_new(&state->config);
    cache_key_begin(&k, "", "scratch");
    cache_key_end(&k, state->key);
    explain_base(state, "scratch");
}

static int begin_image(struct builder *b, const char *name, struct build_state *state)
{
    auto_free char *id = NULL;
    struct cache_key k;
    int r = builder_image(b, name, &id, &state->config, &state->layers);
    if (r < 0)
        return r;
    cache_key_begin(&k, id, "image");
    cache_key_end(&k, state->key);
    auto_free char *what = xasprintf("image %s (%.12s)", name, id);
    explain_base(state, what);
    state->n_base = strv_len(state->layers);
    state->created = image_config_created(&state->config);
    state->env = image_config_strv(&state->config, "Env");
    return 0;
}

static void begin_copy(const struct build_state *from, struct build_state *state)
{
    auto_free char *what = xasprintf("step %.12s", from->key);
    build_state_copy(from, state);
    explain_base(state, what);
}

/* --no-cache is for all stages, --no-cache-filter for those that it names. */
static bool is_anew(const struct builder *b, size_t stage)
{
    const char *name = b->file.stages[stage].name;
    auto_free char *number = xasprintf("%zu", stage);
    bool found = b->options->no_cache;
    strv_foreach (words, b->options->no_cache_stages) {
        auto_strv char **each = strv_split(words, ",");
        strv_foreach (word, each)
            found = found || str_eq(word, number) || (name && strcasecmp(word, name) == 0);
    }
    return found;
}

static int begin_stage(struct builder *b, size_t stage, struct build_state *state)
{
    const struct plan_source *base = &b->plan.stages[stage].base;
    auto_free char *what = base->kind == FROM_IMAGE ? xstrdup(base->image) : xasprintf("stage %zu", base->stage);
    int r = 0;
    if (base->kind == FROM_STAGE)
        begin_copy(&b->stages[base->stage], state);
    else if (base->kind == FROM_IMAGE)
        r = begin_image(b, base->image, state);
    else
        begin_scratch(state);
    state->scope.args = &b->args;
    state->cmd_set = false;
    state->anew = is_anew(b, stage);
    return r < 0 ? r : trigger_insert(b, stage, what, state);
}

/* ---- stages ---- */

static int build_stage(struct builder *b, size_t stage);

/* In the BUILDER, without leaving the stage that waits: an ONBUILD instruction of another base may want a stage that
 * nobody else wants, and it has a base too. */
static int finish_base(struct builder *b, size_t stage)
{
    int r = 0;
    while (r == 0 && b->sides[stage].state != SIDE_DONE) {
        r = b->sides[stage].state == SIDE_IDLE ? build_stage(b, stage) : side_pump(b);
        r = r == -EINPROGRESS ? 0 : r;
    }
    return r;
}

int builder_stage(struct builder *b, size_t asks, size_t stage, const struct build_state **ret)
{
    const struct side *side = &b->sides[stage];
    int r = 0;
    if (!b->worker && side->state == SIDE_IDLE)
        r = build_stage(b, stage);
    if (r == 0 || r == -EINPROGRESS)
        r = !b->worker && side->state != SIDE_DONE ? side_leave(b, asks, true) : 0;
    if (r == 0 && side->state != SIDE_DONE)
        r = side_await(b, stage);
    *ret = &b->stages[stage];
    return r;
}

static int build_steps(struct builder *b, size_t stage)
{
    const struct dockerfile_stage *s = &b->file.stages[stage];
    struct build_state *state = &b->stages[stage];
    int r = begin_stage(b, stage, state);
    if (r < 0)
        return instruction_wrap(b->file.file, &s->from, r);
    for (size_t i = 0; i < s->n_steps && r == 0; i++)
        r = step_do(b, stage, i, state);
    return r;
}

/* -EINPROGRESS: it goes on in a worker, which leaves here, at its end. */
static int build_stage(struct builder *b, size_t stage)
{
    const struct dockerfile_stage *s = &b->file.stages[stage];
    const struct plan_source *base = &b->plan.stages[stage].base;
    auto_free char *prefix = step_prefix(b, stage);
    b->sides[stage].state = SIDE_BEGUN;
    int r = base->kind == FROM_STAGE ? finish_base(b, base->stage) : 0;
    if (r < 0)
        return r;
    builder_say(b, "%sSTEP 1/%zu: %s", prefix, s->n_steps + 1, s->from.text);
    r = build_steps(b, stage);
    if (b->worker)
        side_finish(b, r);
    return r < 0 ? r : side_done(b, stage);
}

/* The first stage that can begin; n_stages: none can now. */
static size_t find_ready(const struct builder *b)
{
    for (size_t i = 0; i <= b->plan.target && b->n_workers < b->jobs; i++) {
        const struct plan_source *base = &b->plan.stages[i].base;
        bool ready = base->kind != FROM_STAGE || b->sides[base->stage].state == SIDE_DONE;
        if (b->plan.stages[i].needed && b->sides[i].state == SIDE_IDLE && ready)
            return i;
    }
    return b->plan.n_stages;
}

static int build_stages(struct builder *b)
{
    int r = 0;
    while (r == 0 && b->sides[b->plan.target].state != SIDE_DONE) {
        size_t next = find_ready(b);
        r = next < b->plan.n_stages ? build_stage(b, next) : side_pump(b);
        r = r == -EINPROGRESS ? 0 : r;
    }
    side_stop(b);
    return r;
}

/* ---- images from elsewhere ---- */

static int need_source(struct builder *b, const struct plan_source *from)
{
    return from->kind == FROM_IMAGE ? b->options->need_image(b->options->need_arg, from->image) : 0;
}

/* Of all stages, before the first step: the BUILDER cannot pull any more. */
static int need_images(struct builder *b)
{
    int r = 0;
    for (size_t i = 0; i <= b->plan.target && b->options->need_image && r == 0; i++) {
        const struct plan_stage *stage = &b->plan.stages[i];
        if (!stage->needed)
            continue;
        r = need_source(b, &stage->base);
        if (r < 0)
            return instruction_wrap(b->file.file, &b->file.stages[i].from, r);
        strv_foreach (image, stage->images)
            r = r < 0 ? r : b->options->need_image(b->options->need_arg, image);
        for (size_t k = 0; k < stage->n_copies && r == 0; k++) {
            r = need_source(b, &stage->copies[k]);
            if (r < 0)
                return instruction_wrap(b->file.file, &b->file.stages[i].steps[k], r);
        }
    }
    return r;
}

/* ---- the image ---- */

static void add_labels(const struct builder *b, struct build_state *state)
{
    strv_foreach (label, b->options->labels) {
        auto_free char *name = xstrndup(label, strcspn(label, "="));
        const char *value = strchr(label, '=');
        image_config_put_map(&state->config, "Labels", name, value ? value + 1 : "");
    }
}

/* --env: like an ENV at the end of the file. */
static void add_env(const struct builder *b, struct build_state *state)
{
    strv_foreach (word, b->options->env) {
        auto_free char *name = xstrndup(word, strcspn(word, "="));
        const char *value = strchr(word, '=') ? strchr(word, '=') + 1 : getenv(name);
        if (value)
            strv_env_set(&state->env, name, value);
    }
    if (b->options->env)
        image_config_put_strv(&state->config, "Env", state->env);
}

/* A name that says so already is left alone: an unchanged rebuild writes nothing. */
static int set_name(struct builder *b, const char *name, const char *id)
{
    auto_free char *now = NULL;
    int r = name_get(b->store, name, &now);
    if (r == 0 && str_eq(now, id))
        return 0;
    return name_set(b->store, name, id);
}

static int name_image(struct builder *b, const char *id)
{
    builder_say(b, "COMMIT%s%s", b->tags ? " " : "", b->tags ? b->tags[0] : "");
    builder_say(b, "--> %.12s", id);
    strv_foreach (tag, b->tags) {
        int r = set_name(b, tag, id);
        if (r < 0)
            return r;
        builder_say(b, "Successfully tagged %s", tag);
    }
    return 0;
}

/* Config and history hold no time of this build, only those of layers: so an unchanged rebuild gives the same id. */
static int make_image(struct builder *b, char ret_id[65])
{
    auto_stage struct stage *staging = NULL;
    struct build_state *state = &b->stages[b->plan.target];
    int r = b->staging ? 0 : stage_begin(b->store, &staging);
    if (r < 0)
        return r;
    add_labels(b, state);
    add_env(b, state);
    image_config_put_created(&state->config, build_time(b, state->created));
    r = image_publish(b->staging ? b->staging : staging, &state->config, state->layers, ret_id);
    return r < 0 ? r : name_image(b, ret_id);
}

/* ---- the whole ---- */

static void warn_unused(struct builder *b)
{
    auto_strv char **unused = build_args_unused(&b->args);
    strv_foreach (name, unused)
        builder_warn(b, "--build-arg %s was not consumed: no ARG declares it", name);
}

/* Finished steps stay cached, also when a later one failed (DF-52): its error is kept over that. */
static int finish(struct builder *b, int r)
{
    size_t len;
    if (r >= 0)
        return builder_flush(b, true);
    auto_free char *error = err_pack(r, &len);
    builder_flush(b, true);
    return err_unpack(error, len);
}

int build_image(struct store *s, const struct build_options *o, char ret_id[65])
{
    struct builder b;
    store_tidy(s);
    int r = builder_open(s, o, &b);
    if (r == 0) {
        r = need_images(&b);
        if (r == 0)
            r = build_stages(&b);
        if (r == 0)
            r = build_squash(&b);
        r = finish(&b, r);
        if (r == 0)
            r = make_image(&b, ret_id);
        if (r == 0)
            r = build_output(&b);
        if (r == 0)
            warn_unused(&b);
        if (r == 0 && b.staging && cache_keep_budget(s) < 0)
            err_clear(); /* tomorrow, then */
    }
    builder_close(&b);
    return r;
}
