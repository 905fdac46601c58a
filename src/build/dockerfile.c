/* Instructions to stages: what may stand where. */
#include "whelk/dockerfile.h"

#include "instruction.h"
#include "whelk/err.h"

#include <ctype.h>

enum { STAGES_MAX = 1000 };

/* Adds an instruction to an array that doubles when it is full, and takes it over. */
static void add_instruction(struct instruction **v, size_t *n, struct instruction *i)
{
    if (!(*n & (*n - 1)))
        *v = xrealloc(*v, (*n ? *n * 2 : 1) * sizeof(**v));
    (*v)[(*n)++] = *i;
    *i = (struct instruction){0};
}

static bool has_stage(const struct dockerfile *d, const char *name)
{
    for (size_t i = 0; i < d->n_stages; i++)
        if (d->stages[i].name && str_eq(d->stages[i].name, name))
            return true;
    return false;
}

static int add_stage(struct dockerfile *d, struct source *s, const struct lex_line *l, struct instruction *from)
{
    char *name = xstrdup(from->stage_name);

    for (char *p = name; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (d->n_stages == STAGES_MAX) {
        free(name);
        return lex_error(s, l, 0, NULL, "more than %d stages", STAGES_MAX);
    }
    if (name && has_stage(d, name))
        lex_warn(s, from->line, "DuplicateStageName",
                 "another stage has the name \"%s\" already; the later one hides it", name);
    if (name && (str_eq(name, "scratch") || str_eq(name, "context")))
        lex_warn(s, from->line, "ReservedStageName",
                 "\"%s\" means something else where a stage is named; choose another name", name);
    d->stages = xrealloc(d->stages, (d->n_stages + 1) * sizeof(*d->stages));
    d->stages[d->n_stages++] = (struct dockerfile_stage){.name = name, .from = *from};
    *from = (struct instruction){0};
    return 0;
}

/* Puts an instruction in its place and takes it over. */
static int place(struct dockerfile *d, struct source *s, const struct lex_line *l, struct instruction *i)
{
    struct dockerfile_stage *last = d->n_stages ? &d->stages[d->n_stages - 1] : NULL;

    if (i->kind == INSTR_FROM)
        return add_stage(d, s, l, i);
    if (last)
        add_instruction(&last->steps, &last->n_steps, i);
    else if (i->kind == INSTR_ARG)
        add_instruction(&d->global_args, &d->n_global_args, i);
    else
        return lex_error(s, l, 0, NULL, "%s before the first FROM: only ARG may stand there",
                         instruction_name(i->kind));
    return 0;
}

static int read_lines(struct dockerfile *d, struct source *s, struct lex_line *lines, size_t n)
{
    bool told = false;

    for (size_t k = 0; k < n; k++) {
        auto_with(instruction_done) struct instruction i = {0};
        int r = instruction_parse(s, &lines[k], &i);

        if (r < 0)
            return r;
        if (i.kind == INSTR_MAINTAINER && !told) {
            lex_warn(s, i.line, "MaintainerDeprecated", "MAINTAINER is deprecated, use LABEL");
            told = true;
        }
        if ((r = place(d, s, &lines[k], &i)) < 0)
            return r;
    }
    if (n == 0)
        return err_set(-EINVAL, "%s: there is no instruction in this file", s->file);
    if (d->n_stages == 0)
        return err_set(-EINVAL, "%s: there is no FROM in this file", s->file);
    return 0;
}

int dockerfile_parse(const char *file, const char *bytes, size_t len, struct dockerfile *ret)
{
    auto_with(dockerfile_done) struct dockerfile d = {.file = xstrdup(file)};
    struct source s = {
        .file = d.file,
        .bytes = bytes,
        .len = len,
        .takes_heredocs = instruction_takes_heredocs,
    };
    struct lex_line *lines;
    size_t n;
    int r = lex_file(&s, &lines, &n);

    if (r == 0)
        r = read_lines(&d, &s, lines, n);
    lex_lines_free(lines, n);
    d.warnings = s.warnings;
    d.rules = s.rules;
    d.check = s.check;
    d.escape = s.escape;
    if (r < 0)
        return r;
    *ret = d;
    d = (struct dockerfile){0};
    return 0;
}

static void instructions_free(struct instruction *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        instruction_done(&v[i]);
    free(v);
}

void dockerfile_done(struct dockerfile *d)
{
    for (size_t i = 0; i < d->n_stages; i++) {
        free(d->stages[i].name);
        instruction_done(&d->stages[i].from);
        instructions_free(d->stages[i].steps, d->stages[i].n_steps);
    }
    free(d->stages);
    instructions_free(d->global_args, d->n_global_args);
    free(d->file);
    free(d->check);
    strv_free(d->warnings);
    strv_free(d->rules);
    *d = (struct dockerfile){0};
}
