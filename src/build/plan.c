/* From stages to a plan (DF-20, DF-50). Stages refer to earlier ones only, so their order in the file is an order in
 * which they can be built. */
#include "plan.h"

#include "mount.h"

#include "whelk/err.h"
#include "whelk/platform.h"

#include <strings.h>

static int fail_target(const struct dockerfile *d, const char *target)
{
    auto_free const char **names = xcalloc(d->n_stages + 1, sizeof(*names));
    auto_free char *shown = str_printable(target);
    size_t n = 0;
    for (size_t i = 0; i < d->n_stages; i++)
        if (d->stages[i].name)
            names[n++] = d->stages[i].name;
    const char *near = str_nearest(target, names);
    if (near)
        return err_set(-EINVAL, "--target: %s has no stage \"%s\"; did you mean \"%s\"?", d->file, shown, near);
    return err_set(-EINVAL, "--target: %s has no stage \"%s\"; it has %zu, numbered from 0", d->file, shown,
                   d->n_stages);
}

/* The last stage of this name, or of this number, among the first n. */
static bool find_stage(const struct dockerfile *d, size_t n, const char *name, bool numbers, size_t *ret)
{
    uint64_t number;
    for (size_t i = n; i-- > 0;) {
        if (d->stages[i].name && strcasecmp(d->stages[i].name, name) == 0) {
            *ret = i;
            return true;
        }
    }
    if (!numbers || !str_to_u64(name, &number) || number >= n)
        return false;
    *ret = (size_t)number;
    return true;
}

/* ---- named contexts ---- */

int plan_names_parse(char *const *words, struct plan_name **ret, size_t *ret_n)
{
    static const char *const images[] = {"docker-image://", "container-image://"};
    struct plan_name *v = xcalloc(strv_len(words) + 1, sizeof(*v));
    size_t n = 0;
    strv_foreach (word, words) {
        const char *eq = strchr(word, '=');
        if (!eq || eq == word || !eq[1]) {
            plan_names_free(v, n);
            return err_set(-EINVAL, "--build-context %s: give NAME=WHERE", word);
        }
        struct plan_name *p = &v[n++];
        p->name = xstrndup(word, (size_t)(eq - word));
        p->where = xstrdup(eq + 1);
        for (size_t i = 0; i < ARRAY_LEN(images) && !p->image; i++)
            p->image = xstrdup(str_after(p->where, images[i]));
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

void plan_names_free(struct plan_name *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].name);
        free(v[i].where);
        free(v[i].image);
    }
    free(v);
}

/* Is it a named context? The last of a name counts. */
static bool find_named(const struct build_plan *p, const char *name, struct plan_source *ret)
{
    for (size_t i = p->n_names; i-- > 0;) {
        if (strcasecmp(p->names[i].name, name) != 0)
            continue;
        if (p->names[i].image)
            *ret = (struct plan_source){.kind = FROM_IMAGE, .image = xstrdup(p->names[i].image)};
        else
            *ret = (struct plan_source){.kind = FROM_NAMED, .named = i};
        return true;
    }
    return false;
}

/* ---- what stages refer to ---- */

int build_plan_platform(const char *platform)
{
    const char *variant = platform_variant();
    auto_free char *own = xasprintf("%s/%s", platform_os(), platform_architecture());
    auto_free char *full = variant ? xasprintf("%s/%s", own, variant) : xstrdup(own);
    if (str_eq(platform, own) || str_eq(platform, full))
        return 0;
    auto_free char *shown = str_printable(platform);
    return err_set(-EINVAL, "--platform=%s: this version builds for its own platform only, %s", shown, full);
}

static int plan_base(const struct build_plan *p, const struct dockerfile *d, size_t at, struct build_args *args,
                     struct plan_source *ret)
{
    const struct instruction *from = &d->stages[at].from;
    const char *flag = instruction_flag(from, "platform");
    auto_free char *name = NULL, *platform = NULL;
    int r = expand_word(from->args[0], d->escape, build_args_lookup_global, args, &name);
    if (r == 0 && flag)
        r = expand_word(flag, d->escape, build_args_lookup_global, args, &platform);
    if (r == 0 && platform)
        r = build_plan_platform(platform);
    if (r == 0 && !*name)
        r = err_set(-EINVAL, "the name of the image is empty; is an ARG missing before the first FROM?");
    if (r < 0)
        return r;
    if (find_named(p, name, ret))
        return ret->kind == FROM_IMAGE ? 0
                                       : err_set(-EOPNOTSUPP,
                                                 "FROM %s: --build-context %s is a tree of files; COPY --from "
                                                 "takes these, FROM takes images (docker-image://...)",
                                                 name, p->names[ret->named].where);
    if (str_eq(name, "scratch"))
        ret->kind = FROM_SCRATCH;
    else if (find_stage(d, at, name, false, &ret->stage))
        ret->kind = FROM_STAGE;
    else
        *ret = (struct plan_source){.kind = FROM_IMAGE, .image = take_ptr(&name)};
    return 0;
}

int build_plan_find(const struct build_plan *p, const struct dockerfile *d, size_t at, const char *name,
                    struct plan_source *ret)
{
    uint64_t number;
    if (!*name)
        return err_set(-EINVAL, "--from is empty");
    if (find_named(p, name, ret))
        return 0;
    if (find_stage(d, at, name, true, &ret->stage)) {
        ret->kind = FROM_STAGE;
        return 0;
    }
    if (str_to_u64(name, &number))
        return err_set(-EINVAL, "--from=%s: there is no such stage before this one", name);
    if (d->stages[at].name && strcasecmp(d->stages[at].name, name) == 0)
        return err_set(-EINVAL, "--from=%s: a stage cannot take from itself", name);
    *ret = (struct plan_source){.kind = FROM_IMAGE, .image = xstrdup(name)};
    return 0;
}

/* ---- a stage ---- */

static const char *lookup_scope(void *ctx, const char *name)
{
    return scope_get(ctx, name);
}

static int declare(const struct dockerfile *d, const struct instruction *arg, struct scope *scope)
{
    strv_foreach (pair, arg->args) {
        auto_free char *name = NULL, *value = NULL;
        int r = expand_pair(pair, d->escape, lookup_scope, scope, &name, &value);
        if (r < 0)
            return r;
        scope_declare(scope, name, value);
    }
    return 0;
}

static void source_done(struct plan_source *source)
{
    free(source->image);
}

/* The stages and images that RUN --mount takes from; what is wrong with one is told when the step is done. */
static int plan_mounts(const struct build_plan *p, const struct dockerfile *d, size_t at,
                       const struct instruction *step, struct scope *scope)
{
    int r = 0;
    strv_foreach (flag, step->flags) {
        const char *value = str_after(flag, "mount=");
        auto_free char *from = value && r == 0 ? mount_flag_from(value) : NULL, *name = NULL;
        size_t stage;
        if (!from)
            continue;
        r = expand_word(from, d->escape, lookup_scope, scope, &name);
        auto_with(source_done) struct plan_source source = {0};
        if (r == 0 && find_stage(d, at, name, true, &stage))
            p->stages[at].uses[stage] = true;
        else if (r == 0 && build_plan_find(p, d, at, name, &source) == 0 && source.kind == FROM_IMAGE)
            strv_add(&p->stages[at].images, source.image);
    }
    return r;
}

/* In --from only ARGs count: what ENV an image has is not known yet. */
static int plan_step(const struct build_plan *p, const struct dockerfile *d, size_t at, const struct instruction *step,
                     struct scope *scope, struct plan_source *ret)
{
    const char *flag = step->kind == INSTR_COPY ? instruction_flag(step, "from") : NULL;
    auto_free char *name = NULL;
    if (step->kind == INSTR_ARG)
        return declare(d, step, scope);
    if (step->kind == INSTR_RUN)
        return plan_mounts(p, d, at, step, scope);
    if (!flag)
        return 0;
    int r = expand_word(flag, d->escape, lookup_scope, scope, &name);
    return r < 0 ? r : build_plan_find(p, d, at, name, ret);
}

/* scopes: one for each stage. */
static int plan_stage(struct build_plan *p, const struct dockerfile *d, size_t at, struct build_args *args,
                      struct scope *scopes)
{
    struct plan_stage *stage = &p->stages[at];
    const struct dockerfile_stage *s = &d->stages[at];
    int r = plan_base(p, d, at, args, &stage->base);
    if (r < 0)
        return instruction_wrap(d->file, &s->from, r);
    scopes[at].args = args;
    if (stage->base.kind == FROM_STAGE)
        scopes[at].values = strv_copy(scopes[stage->base.stage].values);
    stage->n_copies = s->n_steps;
    stage->copies = xcalloc(s->n_steps + 1, sizeof(*stage->copies));
    stage->uses = xcalloc(d->n_stages + 1, sizeof(*stage->uses));
    for (size_t i = 0; i < s->n_steps; i++) {
        r = plan_step(p, d, at, &s->steps[i], &scopes[at], &stage->copies[i]);
        if (r < 0)
            return instruction_wrap(d->file, &s->steps[i], r);
    }
    return 0;
}

/* ---- the whole ---- */

static void need(struct build_plan *p, const struct plan_source *source)
{
    if (source->kind == FROM_STAGE)
        p->stages[source->stage].needed = true;
}

/* References go backwards only, so one pass from the target down finds them all. */
static void mark_needed(struct build_plan *p)
{
    p->stages[p->target].needed = true;
    for (size_t i = p->target + 1; i-- > 0;) {
        const struct plan_stage *s = &p->stages[i];
        if (!s->needed)
            continue;
        p->n_needed++;
        need(p, &s->base);
        for (size_t k = 0; k < s->n_copies; k++)
            need(p, &s->copies[k]);
        for (size_t k = 0; k < i; k++)
            p->stages[k].needed |= s->uses[k];
    }
}

static int plan_stages(struct build_plan *p, const struct dockerfile *d, struct build_args *args)
{
    auto_free struct scope *scopes = xcalloc(d->n_stages, sizeof(*scopes));
    int r = 0;
    for (size_t i = 0; i <= p->target && r == 0; i++)
        r = plan_stage(p, d, i, args, scopes);
    for (size_t i = 0; i < d->n_stages; i++)
        strv_free(scopes[i].values);
    return r;
}

int build_plan_make(const struct dockerfile *d, struct build_args *args, const char *target, char *const *contexts,
                    struct build_plan *ret)
{
    struct build_plan p = {.n_stages = d->n_stages, .target = d->n_stages - 1};
    if (target && !find_stage(d, d->n_stages, target, true, &p.target))
        return fail_target(d, target);
    int r = plan_names_parse(contexts, &p.names, &p.n_names);
    if (r < 0)
        return r;
    p.stages = xcalloc(d->n_stages, sizeof(*p.stages));
    r = plan_stages(&p, d, args);
    if (r < 0) {
        build_plan_done(&p);
        return r;
    }
    mark_needed(&p);
    *ret = p;
    return 0;
}

int build_plan_insert(struct build_plan *p, const struct dockerfile *d, size_t at, size_t n, const struct scope *scope)
{
    struct plan_stage *stage = &p->stages[at];
    struct plan_source *copies = xcalloc(stage->n_copies + n + 1, sizeof(*copies));
    struct scope own = {.args = scope->args, .values = strv_copy(scope->values)};
    int r = 0;
    memcpy(copies + n, stage->copies, stage->n_copies * sizeof(*copies));
    free(stage->copies);
    stage->copies = copies;
    stage->n_copies += n;
    for (size_t i = 0; i < n && r == 0; i++)
        r = plan_step(p, d, at, &d->stages[at].steps[i], &own, &copies[i]);
    strv_free(own.values);
    return r;
}

void build_plan_done(struct build_plan *p)
{
    for (size_t i = 0; p->stages && i < p->n_stages; i++) {
        struct plan_stage *s = &p->stages[i];
        for (size_t k = 0; k < s->n_copies; k++)
            free(s->copies[k].image);
        free(s->copies);
        free(s->uses);
        strv_free(s->images);
        free(s->base.image);
    }
    free(p->stages);
    plan_names_free(p->names, p->n_names);
    *p = (struct build_plan){0};
}
