/* build --explain: why a step was found in the cache or not.
 *
 * What a recorded step's key covers is kept beside its record (told.h, cache_told_put). A step that is not found is
 * compared with the one most like it: the newest with the same instruction upon the same things, or else upon the same
 * things, or else with the same instruction. Steps that only change the config have no record: they count as part of
 * what follows them (build_state.since). Nothing here decides anything: the keys do. Runs in: the invocation or the
 * BUILDER. */
#include "builder.h"

#include "told.h"

#include "whelk/digest.h"
#include "whelk/err.h"

#include <strings.h>

enum { REASONS_SHOWN = 8 };

void explain_base(struct build_state *state, const char *what)
{
    state->since.len = 0;
    told_add(&state->since, "base", what);
}

void explain_metadata(struct step *s)
{
    bool none = s->i->kind == INSTR_ARG; /* counts where its value is used */
    auto_free char *first = xstrndup(s->i->text, strcspn(s->i->text, "\n")), *shown = str_printable(first);
    char hex[DIGEST_BUF];
    digest_bytes(s->covers.data ? s->covers.data : "", s->covers.len, hex);
    if (!none)
        buf_addf(&s->state->since, "before\t%s\t%.16s\n", shown, hex);
}

/* Is made before the step is executed: files may be moved into the layer then. What cannot be told is left out. */
char *explain_told(struct step *s)
{
    struct buf all = {0};
    auto_free char *first = xstrndup(s->i->text, strcspn(s->i->text, "\n"));
    told_add(&all, "text", first);
    if (s->link)
        told_add(&all, "base", "nothing (--link)");
    else if (s->state->since.len)
        buf_add(&all, s->state->since.data, s->state->since.len);
    if (s->covers.len)
        buf_add(&all, s->covers.data, s->covers.len);
    if (step_rows[s->i->kind].tell && step_rows[s->i->kind].tell(s, &all) < 0)
        err_clear();
    return buf_take(&all);
}

/* ---- the step that is most like it ---- */

static bool same_value(const char *a, const char *b, const char *label)
{
    auto_free char *x = told_value(a, label), *y = told_value(b, label);
    return x && y && str_eq(x, y);
}

static bool same_word(const char *a, const char *b)
{
    auto_free char *x = told_value(a, "text"), *y = told_value(b, "text");
    return x && y && strcspn(x, " \t") == strcspn(y, " \t") && strncasecmp(x, y, strcspn(x, " \t")) == 0;
}

static int likeness(const char *then, const char *now)
{
    bool base = same_value(then, now, "base"), text = same_value(then, now, "text");
    return base && text ? 3 : base && same_word(then, now) ? 2 : text ? 1 : 0;
}

/* NULL: there is none. *ret_same: what is told of it is the same to the letter. */
static char *find_like(const struct store *s, const char *now, bool *ret_same)
{
    auto_strv char **keys = NULL;
    char *best = NULL;
    int most = 0;
    cache_told_keys(s, &keys); /* newest first */
    *ret_same = false;
    strv_foreach (key, keys) {
        auto_free char *then = NULL;
        if (*ret_same || cache_told_get(s, key, &then) < 0)
            continue;
        int like = likeness(then, now);
        *ret_same = str_eq(then, now);
        if (like <= most && !*ret_same)
            continue;
        most = like;
        free(best);
        best = take_ptr(&then);
    }
    err_clear();
    return best;
}

/* ---- saying it ---- */

static void say_why(const struct step *s, const char *why)
{
    builder_say(s->b, "    because %s", why);
}

static void say_differences(const struct step *s, char *const *sentences)
{
    size_t n = strv_len(sentences);
    for (size_t i = 0; i < MIN(n, (size_t)REASONS_SHOWN); i++)
        say_why(s, sentences[i]);
    if (n > REASONS_SHOWN)
        builder_say(s->b, "    and %zu more such", n - REASONS_SHOWN);
}

static void compare(struct step *s, const char *now)
{
    bool same;
    auto_free char *then = find_like(s->b->store, now, &same);
    auto_strv char **sentences = then && !same ? told_compare(then, now) : NULL;
    if (!then)
        say_why(s, "nothing like it is in the cache: it is new, or was pruned");
    else if (same)
        say_why(s, "it was made before, but its record or its layer is gone from the cache");
    else if (!sentences)
        say_why(s, "its key is another one; the cache cannot tell what changed");
    else
        say_differences(s, sentences);
}

void explain_miss(struct step *s, const char *now)
{
    const struct build_state *state = s->state;
    if (!s->b->options->explain)
        return;
    builder_say(s->b, "--> Not from the cache");
    if (state->anew)
        say_why(s, s->b->options->no_cache ? "of --no-cache" : "of --no-cache-filter");
    else if (state->missed && !s->link) {
        auto_free char *why = xasprintf("%s was made anew", state->missed_at ? state->missed_at : "a step before it");
        say_why(s, why);
    } else
        compare(s, now);
}

void explain_hit(struct step *s, const char *why)
{
    if (s->b->options->explain)
        say_why(s, why);
}
