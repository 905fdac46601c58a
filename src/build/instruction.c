/* The table of instructions (DF-03, DF-05, DF-20 .. DF-44) and what reads a line by its row. A new instruction is a new
 * row; what its arguments mean is the business of the build. */
#include "instruction.h"

#include "whelk/err.h"
#include "whelk/json.h"

#include <ctype.h>
#include <strings.h>

enum form {
    FORM_WORDS, /* words at blanks */
    FORM_LIST,  /* a JSON array of strings, or words */
    FORM_SHELL, /* a JSON array of strings, or a command line for the shell */
    FORM_NAMES, /* NAME or NAME=VALUE, with quotes */
    FORM_PAIRS, /* NAME=VALUE, with quotes; or the old form NAME REST-OF-THE-LINE */
    FORM_RAW,   /* the rest of the line */
    FORM_JSON,  /* a JSON array of strings */
    FORM_CHECK, /* NONE, or CMD and what FORM_SHELL has */
    FORM_LATER, /* another instruction */
};

enum { FLAGS_MAX = 8, MANY = 0 };

struct flag {
    const char *name;
    enum {
        FLAG_VALUE,
        FLAG_SWITCH, /* --link, --link=false */
        FLAG_LIST,   /* a value, may be given again */
    } kind;
};

static const struct row {
    const char *name;
    enum form form;
    bool expands;    /* are variables in the arguments expanded by the build? Those in flags always are */
    bool heredoc;    /* does a <<WORD begin a heredoc? */
    size_t min, max; /* number of arguments; MANY: no upper limit */
    const char *takes;
    struct flag flags[FLAGS_MAX];
} rows[INSTR_KINDS] = {
    [INSTR_ADD] = {"ADD",
                   FORM_LIST,
                   true,
                   true,
                   2,
                   MANY,
                   "one or more sources and a destination",
                   {{"chown", FLAG_VALUE},
                    {"chmod", FLAG_VALUE},
                    {"link", FLAG_SWITCH},
                    {"exclude", FLAG_LIST},
                    {"checksum", FLAG_VALUE},
                    {"keep-git-dir", FLAG_SWITCH},
                    {"unpack", FLAG_SWITCH}}},
    [INSTR_ARG] = {"ARG", FORM_NAMES, true, false, 1, MANY, "one or more NAME or NAME=DEFAULT"},
    [INSTR_CMD] = {"CMD", FORM_SHELL, false, false, 0, MANY, "a command"},
    [INSTR_COPY] = {"COPY",
                    FORM_LIST,
                    true,
                    true,
                    2,
                    MANY,
                    "one or more sources and a destination",
                    {{"from", FLAG_VALUE},
                     {"chown", FLAG_VALUE},
                     {"chmod", FLAG_VALUE},
                     {"link", FLAG_SWITCH},
                     {"parents", FLAG_SWITCH},
                     {"exclude", FLAG_LIST}}},
    [INSTR_ENTRYPOINT] = {"ENTRYPOINT", FORM_SHELL, false, false, 0, MANY, "a command"},
    [INSTR_ENV] = {"ENV", FORM_PAIRS, true, false, 1, MANY, "one or more NAME=VALUE"},
    [INSTR_EXPOSE] = {"EXPOSE", FORM_WORDS, true, false, 1, MANY, "one or more PORT or PORT/PROTOCOL"},
    [INSTR_FROM] =
        {"FROM", FORM_WORDS, true, false, 1, 3, "an image and optionally AS and a name", {{"platform", FLAG_VALUE}}},
    [INSTR_HEALTHCHECK] = {"HEALTHCHECK",
                           FORM_CHECK,
                           false,
                           false,
                           1,
                           MANY,
                           "NONE, or CMD and a command",
                           {{"interval", FLAG_VALUE},
                            {"timeout", FLAG_VALUE},
                            {"start-period", FLAG_VALUE},
                            {"start-interval", FLAG_VALUE},
                            {"retries", FLAG_VALUE}}},
    [INSTR_LABEL] = {"LABEL", FORM_PAIRS, true, false, 1, MANY, "one or more NAME=VALUE"},
    [INSTR_MAINTAINER] = {"MAINTAINER", FORM_RAW, false, false, 1, 1, "a name"},
    [INSTR_ONBUILD] = {"ONBUILD", FORM_LATER, false, false, 1, 1, "an instruction"},
    [INSTR_RUN] = {"RUN",
                   FORM_SHELL,
                   false,
                   true,
                   1,
                   MANY,
                   "a command",
                   {{"mount", FLAG_LIST}, {"network", FLAG_VALUE}, {"security", FLAG_VALUE}, {"device", FLAG_LIST}}},
    [INSTR_SHELL] = {"SHELL", FORM_JSON, false, false, 1, MANY, "a JSON array: [\"/bin/bash\", \"-c\"]"},
    [INSTR_STOPSIGNAL] = {"STOPSIGNAL", FORM_WORDS, true, false, 1, 1, "one signal"},
    [INSTR_USER] = {"USER", FORM_WORDS, true, false, 1, 1, "one USER or USER:GROUP"},
    [INSTR_VOLUME] = {"VOLUME", FORM_LIST, true, false, 1, MANY, "one or more paths"},
    [INSTR_WORKDIR] = {"WORKDIR", FORM_RAW, true, false, 1, 1, "one path"},
};

static const char inline_comment[] = "inline comments are not supported: put the comment on a line of its own";

/* A line under parse: its row, and the arguments behind the flags. */
struct reading {
    struct source *s;
    const struct lex_line *l;
    const struct row *row;
    const char *args; /* within l->text */
    struct instruction *i;
};

const char *instruction_name(enum instruction_kind kind)
{
    return rows[kind].name;
}

bool instruction_expands(enum instruction_kind kind)
{
    return rows[kind].expands;
}

const char *instruction_flag(const struct instruction *i, const char *name)
{
    return strv_env_get(i->flags, name);
}

bool instruction_switch(const struct instruction *i, const char *name)
{
    const char *value = instruction_flag(i, name);
    return value && str_eq(value, "true");
}

int instruction_wrap(const char *file, const struct instruction *i, int r)
{
    auto_free char *first = xstrndup(i->text, strcspn(i->text, "\n")), *shown = str_printable(first);

    err_wrap(r, "%s:%u", file, i->line);
    return err_detail(r, shown);
}

void instruction_done(struct instruction *i)
{
    free(i->text);
    strv_free(i->flags);
    strv_free(i->args);
    free(i->written);
    free(i->stage_name);
    heredocs_free(i->heredocs, i->n_heredocs);
    *i = (struct instruction){0};
}

static size_t offset_of(const struct reading *r, const char *p)
{
    return (size_t)(p - r->l->text);
}

/* ---- the name ---- */

static int fail_unknown(const struct source *s, const struct lex_line *l, const char *word)
{
    auto_free char *upper = xstrdup(word), *shown = str_printable(word);
    const char *names[INSTR_KINDS + 1] = {0};
    const char *near;
    size_t n = 0;

    for (char *p = upper; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    for (size_t i = 0; i < INSTR_KINDS; i++)
        names[n++] = rows[i].name;
    near = str_nearest(upper, names);
    if (near)
        return lex_error(s, l, 0, NULL, "unknown instruction \"%.100s\"; did you mean \"%s\"?", shown, near);
    return lex_error(s, l, 0, NULL, "unknown instruction \"%.100s\"", shown);
}

static const struct row *find_row(const char *text, size_t len)
{
    for (size_t k = 0; k < INSTR_KINDS; k++)
        if (strncasecmp(text, rows[k].name, len) == 0 && !rows[k].name[len])
            return &rows[k];
    return NULL;
}

bool instruction_takes_heredocs(const char *line)
{
    size_t len = strcspn(line, " \t\r\v\f");
    const struct row *row = find_row(line, len);

    if (row != &rows[INSTR_ONBUILD])
        return row && row->heredoc;
    for (line += len; lex_is_blank(*line);)
        line++;
    row = find_row(line, strcspn(line, " \t\r\v\f"));
    return row && row->heredoc;
}

/* What is kept of the line: heredocs stand below it, as in the file. */
static char *full_text(const struct reading *r)
{
    auto_buf struct buf b = {0};

    buf_addf(&b, "%s%s%s", r->row->name, *r->args ? " " : "", r->args);
    for (size_t i = 0; i < r->l->n_heredocs; i++)
        buf_addf(&b, "\n%s%s", r->l->heredocs[i].text, r->l->heredocs[i].name);
    return buf_take(&b);
}

static int read_name(struct reading *r)
{
    size_t len = strcspn(r->l->text, " \t\r\v\f");
    auto_free char *word = xstrndup(r->l->text, len);

    r->row = find_row(word, len);
    r->i->written = xstrdup(word);
    if (!r->row)
        return fail_unknown(r->s, r->l, word);
    r->i->kind = (enum instruction_kind)(r->row - rows);
    r->args = r->l->text + len;
    while (lex_is_blank(*r->args))
        r->args++;
    r->i->text = full_text(r);
    return 0;
}

/* ---- flags ---- */

static const struct flag *find_flag(const struct row *row, const char *name)
{
    for (size_t i = 0; i < FLAGS_MAX && row->flags[i].name; i++)
        if (str_eq(row->flags[i].name, name))
            return &row->flags[i];
    return NULL;
}

static int fail_flag(const struct reading *r, const char *name)
{
    auto_free char *shown = str_printable(name);
    const char *known[FLAGS_MAX + 1] = {0};
    const char *near;
    auto_buf struct buf list = {0};
    size_t at = offset_of(r, r->args);

    for (size_t i = 0; i < FLAGS_MAX && r->row->flags[i].name; i++) {
        known[i] = r->row->flags[i].name;
        buf_addf(&list, "%s--%s", i ? ", " : "", known[i]);
    }
    near = str_nearest(name, known);
    if (near)
        return lex_error(r->s, r->l, at, NULL, "%s --%.100s is not known; did you mean --%s?", r->row->name, shown,
                         near);
    if (list.len)
        return lex_error(r->s, r->l, at, NULL, "%s --%.100s is not known; known flags: %s", r->row->name, shown,
                         list.data);
    return lex_error(r->s, r->l, at, NULL, "%s --%.100s is not known; %s has no flags", r->row->name, shown,
                     r->row->name);
}

/* One word that begins with --. */
static int read_flag(struct reading *r, const struct lex_word *w)
{
    auto_free char *text = lex_unquote(w, r->s->escape);
    auto_free char *name = xstrndup(text + 2, strcspn(text + 2, "="));
    size_t at = offset_of(r, w->start);
    const char *eq = strchr(text, '='), *value = eq ? eq + 1 : "";
    const struct flag *flag = find_flag(r->row, name);

    if (!flag)
        return fail_flag(r, name);
    if (flag->kind == FLAG_SWITCH && !eq)
        value = "true";
    if (flag->kind == FLAG_SWITCH && !str_eq(value, "true") && !str_eq(value, "false"))
        return lex_error(r->s, r->l, at, NULL, "%s --%s takes true or false", r->row->name, name);
    if (!*value)
        return lex_error(r->s, r->l, at, NULL, "%s --%s needs a value: --%s=VALUE", r->row->name, name, name);
    if (flag->kind != FLAG_LIST && strv_env_get(r->i->flags, name))
        return lex_error(r->s, r->l, at, NULL, "%s --%s is given twice", r->row->name, name);
    strv_addf(&r->i->flags, "%s=%s", name, value);
    return 0;
}

/* Leading words with --; a -- alone ends them and is dropped. */
static int read_flags(struct reading *r)
{
    while (str_after(r->args, "--")) {
        struct lex_word w = lex_first_word(r->args, r->s->escape);
        bool end = w.len == 2;
        int ret;

        if (!end && (ret = read_flag(r, &w)) < 0)
            return ret;
        r->args = w.start + w.len;
        while (lex_is_blank(*r->args))
            r->args++;
        if (end)
            break;
    }
    return 0;
}

/* ---- arguments ---- */

/* A word that looks like the beginning of a comment, or NULL. */
static const struct lex_word *comment_word(const struct lex_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (*w->v[i].start == '#')
            return &w->v[i];
    return NULL;
}

/* Words that are no comment although they look so: docker takes them as they stand, and so do we, but not in silence.
 */
static void warn_comment(struct reading *r, const struct lex_words *w)
{
    const struct lex_word *c = comment_word(w);
    unsigned line, column;

    if (!c)
        return;
    lex_where(r->l, offset_of(r, c->start), &line, &column);
    lex_warn(r->s, line, "", "what follows # belongs to %s: %s", r->row->name, inline_comment);
}

/* "RULE takes ..." with the caret at the word that is too much: the inline comment, if there is one. */
static int fail_arity(const struct reading *r, const struct lex_words *w, size_t excess)
{
    const struct lex_word *c = comment_word(w);
    size_t at = c ? offset_of(r, c->start) : excess < w->n ? offset_of(r, w->v[excess].start) : strlen(r->l->text);

    return lex_error(r->s, r->l, at, c ? inline_comment : NULL, "%s takes %s", r->row->name, r->row->takes);
}

static char **words_copy(const struct lex_words *w)
{
    char **v = xcalloc(w->n + 1, sizeof(*v));

    for (size_t i = 0; i < w->n; i++)
        v[i] = xstrndup(w->v[i].start, w->v[i].len);
    return v;
}

/* Does text that begins with [ but is no JSON array of strings look as if it was meant to be one? The shell's own [
 * stands before a blank and takes no commas. */
static bool is_near_json(const char *text)
{
    const char *p = text + 1, *close;

    if (*text != '[' || *p == '[' || !*p)
        return false;
    if (!lex_is_blank(*p))
        return true;
    while (lex_is_blank(*p))
        p++;
    if (*p != '"' && *p != '\'')
        return false;
    close = strchr(p + 1, *p);
    if (!close)
        return true;
    for (p = close + 1; lex_is_blank(*p);)
        p++;
    return *p == ',' || *p == ']';
}

/* The exec form. False if the arguments are something else; tells of what was meant to be one. */
static bool read_json(struct reading *r)
{
    auto_json json_t *array = NULL;

    if (*r->args != '[')
        return false;
    if (json_parse("arguments", r->args, strlen(r->args), &array) == 0 && json_is_array(array)) {
        size_t n = json_array_size(array), i = 0;
        auto_strv char **v = xcalloc(n + 1, sizeof(*v));

        while (i < n && json_is_string(json_array_get(array, i))) {
            v[i] = xstrdup(json_string_value(json_array_get(array, i)));
            i++;
        }
        if (i == n) {
            r->i->args = take_ptr(&v);
            return r->i->json = true;
        }
    }
    err_clear();
    if (r->row->form != FORM_JSON && is_near_json(r->args))
        lex_warn(r->s, r->l->line, "",
                 "the [...] of %s is no JSON array of strings in double quotes; it is taken as %s", r->row->name,
                 r->row->form == FORM_LIST ? "words" : "a command line for the shell");
    return false;
}

/* The end of a name in NAME=VALUE, or of the word if there is no =. */
static size_t name_len(const struct lex_word *w)
{
    const char *eq = memchr(w->start, '=', w->len);
    return eq ? (size_t)(eq - w->start) : w->len;
}

static int check_names(const struct reading *r, const struct lex_words *w, bool values)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct lex_word *word = &w->v[i];
        bool comment = *word->start == '#';
        size_t at = offset_of(r, word->start);

        if (name_len(word) == 0)
            return lex_error(r->s, r->l, at, NULL, "a name is missing before the =");
        if (comment || (values && name_len(word) == word->len))
            return lex_error(r->s, r->l, at, comment ? inline_comment : NULL, "%s takes %s", r->row->name,
                             r->row->takes);
        if (lex_is_open(word, r->s->escape))
            return lex_error(r->s, r->l, at, NULL, "a quote is not closed");
    }
    return 0;
}

/* The old form: everything behind the name and its blanks is the value, quotes and all. */
static int read_old_pair(struct reading *r, const struct lex_words *quoted)
{
    const char *value = r->args + strcspn(r->args, " \t\r\v\f"), *name_end = value;

    while (lex_is_blank(*value))
        value++;
    if (!*value)
        return lex_error(r->s, r->l, offset_of(r, r->args), NULL, "%s takes %s", r->row->name, r->row->takes);
    warn_comment(r, quoted);
    strv_add_take(&r->i->args, xasprintf("%.*s=%s", (int)(name_end - r->args), r->args, value));
    return 0;
}

static int read_names(struct reading *r, const struct lex_words *quoted)
{
    bool pairs = r->row->form == FORM_PAIRS;
    int ret;

    if (pairs && quoted->n && name_len(&quoted->v[0]) == quoted->v[0].len)
        return read_old_pair(r, quoted);
    if ((ret = check_names(r, quoted, pairs)) < 0)
        return ret;
    r->i->args = words_copy(quoted);
    return 0;
}

static int read_words(struct reading *r)
{
    auto_with(lex_words_done) struct lex_words w = {0};
    size_t max = r->row->max;

    lex_words_plain(r->args, &w);
    if (w.n < r->row->min || (max != MANY && w.n > max))
        return fail_arity(r, &w, w.n < r->row->min ? w.n : max);
    warn_comment(r, &w);
    r->i->args = words_copy(&w);
    return 0;
}

static int read_raw(struct reading *r, const struct lex_words *quoted)
{
    if (!*r->args)
        return fail_arity(r, quoted, 0);
    if (r->row->form == FORM_RAW)
        warn_comment(r, quoted);
    strv_add(&r->i->args, r->args);
    return 0;
}

/* NONE alone, or CMD and its command; args become what the config holds. */
static int read_check(struct reading *r, const struct lex_words *quoted)
{
    const struct lex_word *first = &quoted->v[0];
    bool none = first->len == 4 && strncasecmp(first->start, "NONE", 4) == 0;
    auto_strv char **command = NULL;

    if (!none && !(first->len == 3 && strncasecmp(first->start, "CMD", 3) == 0))
        return fail_arity(r, quoted, 0);
    if (none && (quoted->n > 1 || r->i->flags))
        return quoted->n > 1 ? fail_arity(r, quoted, 1)
                             : lex_error(r->s, r->l, offset_of(r, first->start), NULL, "HEALTHCHECK NONE has no flags");
    if (none) {
        strv_add(&r->i->args, "NONE");
        return 0;
    }
    for (r->args = first->start + first->len; lex_is_blank(*r->args);)
        r->args++;
    bool json = read_json(r);
    if (!*r->args || (json && !*r->i->args))
        return fail_arity(r, quoted, quoted->n);
    command = take_ptr(&r->i->args);
    strv_add(&r->i->args, json ? "CMD" : "CMD-SHELL");
    if (json)
        strv_extend(&r->i->args, command);
    else
        strv_add(&r->i->args, r->args);
    return 0;
}

/* The part of a line from this offset on, as a line of its own. */
static struct lex_line line_from(const struct lex_line *l, size_t offset)
{
    struct lex_line part = {.text = xstrdup(l->text + offset), .line = l->line};
    unsigned line, column;

    lex_where(l, offset, &line, &column);
    part.pieces = xcalloc(l->n_pieces + 1, sizeof(*part.pieces));
    part.pieces[part.n_pieces++] = (struct lex_piece){0, line, column};
    for (size_t i = 0; i < l->n_pieces; i++)
        if (l->pieces[i].offset > offset)
            part.pieces[part.n_pieces++] =
                (struct lex_piece){l->pieces[i].offset - offset, l->pieces[i].line, l->pieces[i].column};
    return part;
}

/* ONBUILD's instruction must be a good one, and is kept as text, with its heredocs. */
static int read_trigger(struct reading *r)
{
    static const enum instruction_kind never[] = {INSTR_FROM, INSTR_MAINTAINER, INSTR_ONBUILD};
    auto_with(instruction_done) struct instruction trigger = {0};
    struct lex_line part = line_from(r->l, offset_of(r, r->args));
    int ret = instruction_parse(r->s, &part, &trigger);

    for (size_t i = 0; ret == 0 && i < ARRAY_LEN(never); i++)
        if (trigger.kind == never[i])
            ret = lex_error(r->s, &part, 0, NULL, "ONBUILD %s is not allowed", rows[never[i]].name);
    free(part.text);
    free(part.pieces);
    if (ret < 0)
        return ret;
    strv_add(&r->i->args, r->i->text + strlen(r->row->name) + 1);
    return 0;
}

static int read_shell(struct reading *r, const struct lex_words *quoted)
{
    if (!read_json(r) || !*r->i->args)
        return fail_arity(r, quoted, 0);
    return 0;
}

static int read_args(struct reading *r)
{
    auto_with(lex_words_done) struct lex_words quoted = {0};

    lex_words_quoted(r->args, r->s->escape, &quoted);
    if ((r->row->form == FORM_LIST || r->row->form == FORM_SHELL) && read_json(r))
        return strv_len(r->i->args) < r->row->min ? fail_arity(r, &quoted, quoted.n) : 0;
    if (quoted.n < MIN(r->row->min, (size_t)1))
        return fail_arity(r, &quoted, 0);
    switch (r->row->form) {
    case FORM_NAMES:
    case FORM_PAIRS:
        return read_names(r, &quoted);
    case FORM_WORDS:
    case FORM_LIST:
        return read_words(r);
    case FORM_SHELL:
    case FORM_RAW:
        return read_raw(r, &quoted);
    case FORM_JSON:
        return read_shell(r, &quoted);
    case FORM_CHECK:
        return read_check(r, &quoted);
    case FORM_LATER:
        return read_trigger(r);
    }
    return 0;
}

/* ---- FROM's own ---- */

/* [a-z][a-z0-9_.-]*, after lower-casing. */
static bool is_stage_name(const char *s)
{
    if (!isalpha((unsigned char)*s))
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
            return false;
    return true;
}

/* IMAGE [AS NAME]: leaves the image in args and the name in stage_name. */
static int read_stage(struct reading *r)
{
    auto_with(lex_words_done) struct lex_words w = {0};
    char **args = r->i->args;

    lex_words_plain(r->args, &w);
    if (w.n == 1)
        return 0;
    if (w.n != 3 || strcasecmp(args[1], "AS") != 0)
        return fail_arity(r, &w, w.n == 2 && strcasecmp(args[1], "AS") == 0 ? 2 : 1);
    if (!is_stage_name(args[2]))
        return lex_error(r->s, r->l, offset_of(r, w.v[2].start), NULL,
                         "a stage's name begins with a letter and has only letters, digits and _ . - in it");
    r->i->stage_name = take_ptr(&args[2]);
    free(take_ptr(&args[1]));
    return 0;
}

int instruction_parse(struct source *s, struct lex_line *l, struct instruction *ret)
{
    auto_with(instruction_done) struct instruction i = {.line = l->line};
    struct reading r = {.s = s, .l = l, .i = &i};
    unsigned line;
    int error;

    if ((error = read_name(&r)) < 0 || (error = read_flags(&r)) < 0)
        return error;
    lex_where(l, offset_of(&r, r.args), &line, &i.column);
    if ((error = read_args(&r)) < 0)
        return error;
    if (i.kind == INSTR_FROM && (error = read_stage(&r)) < 0)
        return error;
    i.heredocs = take_ptr(&l->heredocs);
    i.n_heredocs = l->n_heredocs;
    l->n_heredocs = 0;
    *ret = i;
    i = (struct instruction){0};
    return 0;
}
