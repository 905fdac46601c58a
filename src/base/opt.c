/* Command-line options by table. One walker knows the grammar; parsing, the search for --help and completion are its
 * three uses, so that they cannot disagree on which word belongs to which option. */
#include "whelk/opt.h"

#include "whelk/err.h"
#include "whelk/units.h"

#include <strings.h>

struct walk {
    const struct opt *table;
    const char *what; /* for error texts; NULL: refuse nothing */
    void *opts;       /* NULL: store nothing */
    int argc;
    char *const *argv;
    int next; /* index of the word after the current one */
    bool help;
    const struct opt *pending; /* wanted one more word than there is */
};

static const struct opt no_options[] = {OPT_END};

static bool takes_value(const struct opt *o)
{
    return o->kind != OPT_BOOL && o->kind != OPT_BOOL_STR && !(o->kind == OPT_CALL && !o->arg);
}

/* ---- rows ---- */

/* Is name[0..len) one of the spellings of o? */
static bool has_name(const struct opt *o, const char *name, size_t len)
{
    for (const char *s = o->name; s;) {
        size_t n = strcspn(s, "|");
        if (n == len && strncmp(s, name, n) == 0)
            return true;
        s = s[n] ? s + n + 1 : NULL;
    }
    return false;
}

static const struct opt *find_long(const struct opt *table, const char *name, size_t len)
{
    opt_foreach(o, table) if (len && has_name(o, name, len)) return o;
    return NULL;
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
    opt_foreach(o, table) if (letter && o->letter == letter) return o;
    return NULL;
}

const struct opt *opt_find(const struct opt *table, const char *name)
{
    if (!table)
        return NULL;
    if (name[0] == '-' && name[1] && name[1] != '-' && !name[2])
        return find_letter(table, name[1]);
    const char *bare = str_after(name, "--");
    bare = bare ? bare : name;
    return find_long(table, bare, strlen(bare));
}

const char *opt_shown_name(const struct opt *o)
{
    const char *last = strrchr(o->name, '|');
    return last ? last + 1 : o->name;
}

/* ---- values ---- */

/* Each stores value at member; spelled is the option as typed, for the text. */
static int set_bool(const struct opt *o, void *member, const char *value, const char *spelled)
{
    static const char *const words[2][4] = {{"false", "0", "f", "no"}, {"true", "1", "t", "yes"}};
    for (size_t truth = 0; truth < 2; truth++)
        for (size_t i = 0; i < ARRAY_LEN(words[truth]); i++)
            if (strcasecmp(value, words[truth][i]) == 0) {
                *(bool *)member = truth;
                return 0;
            }
    return err_set(-EINVAL, "option \"%s\" is either true or false, not \"%s\"", spelled, value);
}

static int set_str(const struct opt *o, void *member, const char *value, const char *spelled)
{
    char **s = member;
    free(*s);
    *s = xstrdup(value);
    return 0;
}

static int set_list(const struct opt *o, void *member, const char *value, const char *spelled)
{
    strv_add(member, value);
    return 0;
}

static int set_int(const struct opt *o, void *member, const char *value, const char *spelled)
{
    if (!str_to_i64(value, member))
        return err_set(-EINVAL, "option \"%s\" needs a whole number, not \"%s\"", spelled, value);
    return 0;
}

static int set_size(const struct opt *o, void *member, const char *value, const char *spelled)
{
    uint64_t bytes;
    int r = size_parse(value, &bytes);
    if (r < 0)
        return err_wrap(r, "option \"%s\"", spelled);
    if (bytes > INT64_MAX)
        return err_set(-EINVAL, "option \"%s\": \"%s\" is too large", spelled, value);
    *(int64_t *)member = (int64_t)bytes;
    return 0;
}

static int set_duration(const struct opt *o, void *member, const char *value, const char *spelled)
{
    int64_t ns;
    int r = duration_parse(value, &ns);
    if (r < 0)
        return err_wrap(r, "option \"%s\"", spelled);
    *(int64_t *)member = ns;
    return 0;
}

static int (*const setters[])(const struct opt *o, void *member, const char *value, const char *spelled) = {
    [OPT_BOOL] = set_bool, [OPT_STR] = set_str,           [OPT_LIST] = set_list,    [OPT_INT] = set_int,
    [OPT_SIZE] = set_size, [OPT_DURATION] = set_duration, [OPT_BOOL_STR] = set_str,
};

static int store_value(const struct walk *w, const struct opt *o, const char *value, const char *spelled)
{
    if (!w->opts)
        return 0;
    if (o->kind != OPT_CALL)
        return setters[o->kind](o, (char *)w->opts + o->offset, value, spelled);
    err_clear(); /* parse() may refuse without a text: an old one must not stand in for it */
    int r = o->parse(w->opts, value);
    return r < 0 ? err_wrap(r, "option \"%s\"", spelled) : 0;
}

/* ---- the walker ---- */

/* value is what came attached, or NULL. */
static int take_value(struct walk *w, const struct opt *o, const char *value, const char *spelled)
{
    if (!value && !takes_value(o))
        value = o->kind == OPT_BOOL_STR && o->bare ? o->bare : "true";
    if (!value && w->next < w->argc)
        value = w->argv[w->next++];
    if (value)
        return store_value(w, o, value, spelled);
    w->pending = o;
    if (!w->what)
        return 0;
    return err_set(-EINVAL, "option \"%s\" of \"%s\" needs a value: %s %s", spelled, w->what, spelled,
                   o->arg ? o->arg : "VALUE");
}

/* word is the whole argument, spelled the part of it that no row has. */
static int refuse_unknown(const struct walk *w, const char *word, const char *spelled)
{
    if (!w->what)
        return 0;
    auto_strv char **names = NULL;
    opt_foreach(o, w->table)
    {
        auto_strv char **spellings = strv_split(o->name, "|");
        if (o->help)
            strv_extend(&names, spellings);
    }
    strv_add(&names, "help");
    const char *bare = word + strspn(word, "-");
    auto_free char *name = xstrndup(bare, strcspn(bare, "="));
    /* One letter is near to everything of two letters. */
    const char *near = strlen(name) > 1 ? str_nearest(name, (const char *const *)names) : NULL;
    if (near)
        return err_set(-EINVAL, "unknown option \"%s\" for \"%s\"; did you mean \"--%s\"?", spelled, w->what, near);
    return err_set(-EINVAL, "unknown option \"%s\" for \"%s\"; see %s --help", spelled, w->what, w->what);
}

static int walk_long(struct walk *w, const char *word)
{
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    auto_free char *spelled = xstrndup(word, len + 2);
    const struct opt *o = find_long(w->table, name, len);
    if (!o && str_eq(spelled, "--help")) {
        w->help = true;
        return 0;
    }
    if (!o)
        return refuse_unknown(w, word, spelled);
    return take_value(w, o, name[len] ? name + len + 1 : NULL, spelled);
}

/* A bundle: letters without a value, then perhaps one with its value attached or in the next word. */
static int walk_letters(struct walk *w, const char *word)
{
    for (const char *c = word + 1; *c; c++) {
        char spelled[] = {'-', *c, '\0'};
        const struct opt *o = find_letter(w->table, *c);
        if (!o && *c == 'h') {
            w->help = true;
            continue;
        }
        if (!o)
            return refuse_unknown(w, word, spelled);
        if (takes_value(o) || c[1] == '=') {
            const char *rest = c[1] == '=' ? c + 2 : c + 1;
            return take_value(w, o, *rest || c[1] == '=' ? rest : NULL, spelled);
        }
        int r = take_value(w, o, NULL, spelled);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

/* Reads all of argv; args gets the index of each positional. */
static int walk_all(struct walk *w, bool stop_at_arg, struct opt_state *st, char ***args)
{
    while (w->next < w->argc) {
        const char *word = w->argv[w->next++];
        if (!st->ended && str_eq(word, "--")) {
            st->ended = true;
            continue;
        }
        if (!st->ended && is_option(word)) {
            int r = word[1] == '-' ? walk_long(w, word) : walk_letters(w, word);
            if (r < 0)
                return r;
            continue;
        }
        if (st->n_args++ == 0)
            st->first_arg = w->next - 1;
        if (args)
            strv_add(args, word);
        st->ended = st->ended || stop_at_arg;
    }
    return 0;
}

void opt_scan(const struct opt *table, int argc, char *const argv[], bool stop_at_arg, struct opt_state *ret)
{
    struct walk w = {.table = table ? table : no_options, .argc = argc, .argv = argv};
    struct opt_state st = {.first_arg = argc};
    walk_all(&w, stop_at_arg, &st, NULL);
    st.pending = w.pending;
    *ret = st;
}

int opt_parse(const struct opt *table, const char *what, void *opts, int argc, char *const argv[], bool stop_at_arg,
              char ***ret_args)
{
    table = table ? table : no_options;
    struct walk look = {.table = table, .argc = argc, .argv = argv};
    struct opt_state st = {0};
    walk_all(&look, stop_at_arg, &st, NULL);
    if (look.help)
        return 1;

    struct walk w = {.table = table, .what = what, .opts = opts, .argc = argc, .argv = argv};
    st = (struct opt_state){0};
    auto_strv char **args = NULL;
    int r = walk_all(&w, stop_at_arg, &st, &args);
    if (r < 0)
        return r;
    *ret_args = take_ptr(&args);
    return 0;
}

void opt_done(const struct opt *table, void *opts)
{
    opt_foreach(o, table)
    {
        void *member = (char *)opts + o->offset;
        if (o->kind == OPT_STR || o->kind == OPT_BOOL_STR)
            free(take_ptr((char **)member));
        else if (o->kind == OPT_LIST)
            strv_free(take_ptr((char ***)member));
    }
}

/* ---- help ---- */

static int by_shown_name(const void *a, const void *b)
{
    return strcmp(opt_shown_name(*(const struct opt *const *)a), opt_shown_name(*(const struct opt *const *)b));
}

/* "-p, --publish PORT" */
static char *left_column(const struct opt *o)
{
    auto_buf struct buf b = {0};
    if (o->letter)
        buf_addf(&b, "-%c, ", o->letter);
    else
        buf_adds(&b, "    ");
    buf_addf(&b, "--%s", opt_shown_name(o));
    if (o->arg && o->kind == OPT_BOOL_STR)
        buf_addf(&b, "[=%s]", o->arg);
    else if (takes_value(o))
        buf_addf(&b, " %s", o->arg ? o->arg : "VALUE");
    return buf_take(&b);
}

/* The shown rows and one for --help, sorted; the caller frees the array. */
static const struct opt **sorted_rows(const struct opt *table, const struct opt *help, size_t *ret_n)
{
    size_t n = 0;
    opt_foreach(o, table) n++;
    const struct opt **rows = xcalloc(n + 1, sizeof(rows[0]));
    size_t shown = 0;
    opt_foreach(o, table) if (o->help) rows[shown++] = o;
    if (!find_long(table, "help", 4))
        rows[shown++] = help;
    qsort(rows, shown, sizeof(rows[0]), by_shown_name);
    *ret_n = shown;
    return rows;
}

void opt_help(const struct opt *table, struct buf *out)
{
    enum { LEFT_MAX = 30 }; /* a wider one has its text on the next line */
    table = table ? table : no_options;
    const struct opt help = {.name = "help", .letter = find_letter(table, 'h') ? 0 : 'h', .help = "print this help"};
    size_t n;
    auto_free const struct opt **rows = sorted_rows(table, &help, &n);
    int width = 0;
    for (size_t i = 0; i < n; i++) {
        auto_free char *left = left_column(rows[i]);
        int len = (int)strlen(left);
        if (len <= LEFT_MAX)
            width = MAX(width, len);
    }
    for (size_t i = 0; i < n; i++) {
        auto_free char *left = left_column(rows[i]);
        if ((int)strlen(left) > width)
            buf_addf(out, "  %s\n  %*s  %s", left, width, "", rows[i]->help);
        else
            buf_addf(out, "  %-*s  %s", width, left, rows[i]->help);
        if (rows[i]->def)
            buf_addf(out, " (default %s)", rows[i]->def);
        buf_addc(out, '\n');
    }
}
