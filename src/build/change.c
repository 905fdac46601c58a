/* --change of commit and import: single instructions that change an image's config (see build.h). */
#include "builder.h"

#include "whelk/build.h"
#include "whelk/err.h"

static int apply(struct builder *b, struct build_state *state, const struct instruction *i)
{
    const struct step_row *row = &step_rows[i->kind];
    struct step s = {.b = b, .i = i, .state = state, .lock = -1, .lower = -1};
    char key[CACHE_KEY];
    bool takes = row->prepare && (!row->execute || i->kind == INSTR_WORKDIR) && i->kind != INSTR_ARG;
    if (!takes)
        return err_set(-EINVAL, "%s changes no image's config", instruction_name(i->kind));
    int r = 0;
    strv_foreach (arg, i->args) {
        char *expanded = NULL;
        bool plain = row->raw || !instruction_expands(i->kind);
        r = r < 0 ? r : plain ? 0 : expand_word(arg, b->file.escape, build_state_lookup, state, &expanded);
        strv_add_take(&s.args, expanded ? expanded : xstrdup(arg));
    }
    cache_key_begin(&s.key, "", "change");
    if (r == 0)
        r = row->prepare(&s);
    cache_key_end(&s.key, key); /* the table's functions add to it; nobody looks for it here */
    strv_free(s.args);
    return r;
}

/* Each is a Dockerfile of its own, so that the message can show it. */
static int apply_text(struct build_state *state, struct build_args *args, const char *change)
{
    struct builder b = {0};
    auto_free char *text = xasprintf("FROM scratch\n%s\n", change);
    int r = dockerfile_parse("--change", text, strlen(text), &b.file);
    if (r < 0)
        return r;
    state->scope.args = args;
    bool single = b.file.n_stages == 1 && b.file.stages[0].n_steps == 1;
    r = single ? apply(&b, state, &b.file.stages[0].steps[0]) : err_set(-EINVAL, "it is not one instruction");
    dockerfile_done(&b.file);
    return r;
}

int build_change(struct image_config *config, char *const *changes)
{
    struct build_args args = {0};
    struct build_state state = {.env = image_config_strv(config, "Env")};
    int r = 0;
    image_config_copy(config, &state.config);
    strv_foreach (change, changes) {
        r = apply_text(&state, &args, change);
        if (r < 0) {
            auto_free char *shown = str_printable(change), *text = xstrdup(err_text(r));
            const char *reason = str_after(text, "--change:2: ");
            r = err_set(r, "--change \"%s\": %s", shown, reason ? reason : text);
            break;
        }
    }
    if (r == 0) {
        image_config_done(config);
        image_config_copy(&state.config, config);
    }
    build_state_done(&state);
    return r;
}
