/* ONBUILD (DF-41): the instructions that a base wants to be done come right behind FROM, and are gone from the config
 * of what is built. Runs in: whoever begins a stage. */
#include "builder.h"

#include "instruction.h"

#include "whelk/err.h"

/* Errors of a trigger are told at the FROM that brought it. */
static int parse(const char *what, const char *text, unsigned line, struct dockerfile *ret)
{
    auto_free char *name = xasprintf("ONBUILD of %s", what), *file = xasprintf("FROM scratch\n%s\n", text);
    int r = dockerfile_parse(name, file, strlen(file), ret);
    if (r < 0)
        return r;
    if (ret->n_stages != 1 || ret->stages[0].n_steps != 1) {
        dockerfile_done(ret);
        return err_set(-EINVAL, "%s: it is not one instruction", name);
    }
    ret->stages[0].steps[0].line = line;
    return 0;
}

/* Puts n instructions before those of a stage; takes them over. */
static void insert(struct dockerfile_stage *s, struct instruction *v, size_t n)
{
    struct instruction *steps = xcalloc(s->n_steps + n, sizeof(*steps));
    memcpy(steps, v, n * sizeof(*steps));
    if (s->n_steps)
        memcpy(steps + n, s->steps, s->n_steps * sizeof(*steps));
    free(s->steps);
    s->steps = steps;
    s->n_steps += n;
}

int trigger_insert(struct builder *b, size_t stage, const char *what, struct build_state *state)
{
    struct dockerfile_stage *s = &b->file.stages[stage];
    auto_strv char **triggers = image_config_strv(&state->config, "OnBuild");
    size_t n = strv_len(triggers);
    auto_free struct instruction *steps = xcalloc(n + 1, sizeof(*steps));
    if (!n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        auto_with(dockerfile_done) struct dockerfile d = {0};
        int r = parse(what, triggers[i], s->from.line, &d);
        if (r < 0) {
            while (i-- > 0)
                instruction_done(&steps[i]);
            return r;
        }
        steps[i] = d.stages[0].steps[0];
        d.stages[0].n_steps = 0;
    }
    image_config_put_strv(&state->config, "OnBuild", NULL);
    insert(s, steps, n);
    return build_plan_insert(&b->plan, &b->file, stage, n, &state->scope);
}
