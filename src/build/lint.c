/* --check and --call: what a Dockerfile says without building it (DF-11). A rule is a row: what it looks at, and a
 * function that finds fault with one instruction. Rules that the parser knows come as its warnings. Reads: the
 * Dockerfile, and the environment of base images that are in the store. */
#include "context.h"
#include "plan.h"

#include "whelk/err.h"
#include "whelk/image.h"

#include <ctype.h>
#include <strings.h>

/* What is known at an instruction. */
struct lint {
    const struct store *store;
    const struct context *context;
    const struct dockerfile *d;
    const struct instruction *i;
    char **known;        /* NAME= of what is declared, global for FROM */
    char **undefined;    /* names that were asked for and are not known */
    bool open;           /* the base's environment is not known: nothing is undefined */
    bool shell, workdir; /* a SHELL, an absolute WORKDIR came before in the stage */
    unsigned cmds, entrypoints, checks;
    struct finding {
        unsigned line;
        char *text;
    } * found;
    size_t n;
};

static void __attribute__((format(printf, 4, 5)))
find(struct lint *l, unsigned line, const char *rule, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    auto_free char *text = xvasprintf(fmt, ap), *shown = str_printable(text);
    va_end(ap);
    l->found = xrealloc(l->found, (l->n + 1) * sizeof(*l->found));
    l->found[l->n++] = (struct finding){line, xasprintf("%s:%u: %s: %s", l->d->file, line, rule, shown)};
}

/* ---- variables ---- */

static const char *lookup(void *ctx, const char *name)
{
    struct lint *l = ctx;
    const char *value = strv_env_get(l->known, name);
    if (!value && !l->open && !strv_has(l->undefined, name))
        strv_add(&l->undefined, name);
    return value ? value : "";
}

/* ${name-w} and the like know what to do without a value. */
static bool has_default(const char *text, const char *name)
{
    auto_free char *braces = xasprintf("${%s", name);
    const char *p = strstr(text, braces);
    return p && strchr(":-+", p[strlen(braces)]);
}

/* Expands it for the sake of what is asked for. */
static void look_at(struct lint *l, const char *text)
{
    auto_free char *expanded = NULL;
    size_t n = strv_len(l->undefined);
    if (expand_word(text, l->d->escape, lookup, l, &expanded) < 0)
        err_clear();
    while (l->undefined && l->undefined[n])
        if (has_default(text, l->undefined[n]))
            strv_remove(l->undefined, n);
        else
            n++;
}

static void tell_undefined(struct lint *l, const char *rule)
{
    strv_foreach (name, l->undefined)
        find(l, l->i->line, rule, "the variable $%s is used, but neither ARG nor ENV sets it", name);
    strv_free(take_ptr(&l->undefined));
}

static void check_variables(struct lint *l)
{
    strv_foreach (flag, l->i->flags)
        look_at(l, strchr(flag, '=') + 1);
    if (instruction_expands(l->i->kind))
        strv_foreach (arg, l->i->args)
            look_at(l, arg);
    tell_undefined(l, "UndefinedVar");
}

/* ---- rules for one instruction each ---- */

static bool is_secret(const char *name)
{
    static const char *const words[] = {"apikey", "auth",     "credential", "credentials", "key",
                                        "passwd", "password", "pword",      "secret",      "token"};
    auto_strv char **parts = strv_split(name, "_");
    bool secret = false;
    strv_foreach (part, parts) {
        if (strcasecmp(part, "public") == 0)
            return false;
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            secret = secret || strcasecmp(part, words[i]) == 0;
    }
    return secret;
}

static void check_names(struct lint *l)
{
    strv_foreach (pair, l->i->args) {
        auto_free char *name = xstrndup(pair, strcspn(pair, "="));
        if (is_secret(name))
            find(l, l->i->line, "SecretsUsedInArgOrEnv", "%s \"%s\" looks like a secret, which the image would show",
                 instruction_name(l->i->kind), name);
        strv_env_set(&l->known, name, "x");
    }
}

static void check_legacy(struct lint *l)
{
    const char *args = l->i->text + strlen(instruction_name(l->i->kind));
    args += strspn(args, " \t");
    if (!memchr(args, '=', strcspn(args, " \t")))
        find(l, l->i->line, "LegacyKeyValueFormat", "\"%s key=value\" should be written, not \"%s key value\"",
             instruction_name(l->i->kind), instruction_name(l->i->kind));
}

static void check_pairs(struct lint *l)
{
    check_legacy(l);
    if (l->i->kind == INSTR_ENV)
        check_names(l);
}

static void check_command(struct lint *l)
{
    unsigned *n = l->i->kind == INSTR_CMD ? &l->cmds : l->i->kind == INSTR_ENTRYPOINT ? &l->entrypoints : &l->checks;
    if (++*n == 2)
        find(l, l->i->line, "MultipleInstructionsDisallowed", "several %s in one stage: only the last one counts",
             instruction_name(l->i->kind));
    if (l->i->kind != INSTR_HEALTHCHECK && !l->i->json && !l->shell)
        find(l, l->i->line, "JSONArgsRecommended", "%s in shell form: the shell gets the signals; write a JSON array",
             instruction_name(l->i->kind));
}

static void check_workdir(struct lint *l)
{
    bool absolute = *l->i->args[0] == '/' || *l->i->args[0] == '$';
    if (!absolute && !l->workdir)
        find(l, l->i->line, "WorkdirRelativePath", "the relative WORKDIR \"%s\" depends on the base image",
             l->i->args[0]);
    l->workdir = l->workdir || absolute;
}

static void check_expose(struct lint *l)
{
    strv_foreach (port, l->i->args) {
        const char *slash = strchr(port, '/');
        bool upper = false;
        for (const char *p = slash; p && *p; p++)
            upper = upper || isupper((unsigned char)*p);
        if (upper)
            find(l, l->i->line, "ExposeProtoCasing", "the protocol of \"%s\" should be in small letters", port);
        if (*port != '$' && memchr(port, ':', slash ? (size_t)(slash - port) : strlen(port)))
            find(l, l->i->line, "ExposeInvalidFormat", "\"%s\": EXPOSE takes a port, no address and no mapping", port);
    }
}

static void check_ignored(struct lint *l)
{
    size_t n = strv_len(l->i->args);
    if (instruction_flag(l->i, "from") || !l->context->ignore)
        return;
    for (size_t i = 0; i + 1 < n; i++) {
        const char *source = l->i->args[i] + strspn(l->i->args[i], "./");
        if (*source && !strpbrk(source, "$*?[<") && !strstr(source, "://") &&
            ignore_matches(l->context->ignore, source))
            find(l, l->i->line, "CopyIgnoredFile", "%s takes \"%s\", which \"%s\" of %s leaves out",
                 instruction_name(l->i->kind), source, ignore_rule(l->context->ignore, source),
                 l->context->ignore_name);
    }
}

static void note_shell(struct lint *l)
{
    l->shell = true;
}

static void (*const checks[INSTR_KINDS])(struct lint *l) = {
    [INSTR_ADD] = check_ignored,   [INSTR_ARG] = check_names,           [INSTR_CMD] = check_command,
    [INSTR_COPY] = check_ignored,  [INSTR_ENTRYPOINT] = check_command,  [INSTR_ENV] = check_pairs,
    [INSTR_EXPOSE] = check_expose, [INSTR_HEALTHCHECK] = check_command, [INSTR_LABEL] = check_pairs,
    [INSTR_SHELL] = note_shell,    [INSTR_WORKDIR] = check_workdir,
};

/* ---- stages ---- */

static bool has_upper(const char *s)
{
    for (; s && *s; s++)
        if (isupper((unsigned char)*s))
            return true;
    return false;
}

static bool has_lower(const char *s)
{
    for (; s && *s; s++)
        if (islower((unsigned char)*s))
            return true;
    return false;
}

static void check_from(struct lint *l)
{
    const struct instruction *i = l->i;
    const char *platform = instruction_flag(i, "platform");
    auto_strv char **words = strv_split(i->text, " \t");
    size_t n = strv_len(words);
    if (has_upper(i->stage_name))
        find(l, i->line, "StageNameCasing", "the stage name \"%s\" should be in small letters", i->stage_name);
    if (i->stage_name && n >= 3 && has_upper(words[n - 2]) != has_upper(i->written))
        find(l, i->line, "FromAsCasing", "\"%s\" and \"%s\" should be written alike", i->written, words[n - 2]);
    if (platform && !strchr(platform, '$'))
        find(l, i->line, "FromPlatformFlagConstDisallowed", "--platform=%s: a constant ties the file to one machine",
             platform);
    if (platform && (str_eq(platform, "$TARGETPLATFORM") || str_eq(platform, "${TARGETPLATFORM}")))
        find(l, i->line, "RedundantTargetPlatform", "--platform=%s is what FROM does anyway", platform);
    look_at(l, i->args[0]);
    if (platform)
        look_at(l, platform);
    tell_undefined(l, "UndefinedArgInFrom");
}

static const char *lookup_defaults(void *ctx, const char *name)
{
    return strv_env_get(ctx, name);
}

/* Does the image's name hold when nobody gives arguments? */
static void check_default(struct lint *l, char **defaults)
{
    auto_free char *name = NULL;
    if (!strchr(l->i->args[0], '$'))
        return;
    if (expand_word(l->i->args[0], l->d->escape, lookup_defaults, defaults, &name) < 0)
        err_clear();
    if (str_empty(name) || *name == ':' || *name == '/' || str_ends(name, ":"))
        find(l, l->i->line, "InvalidDefaultArgInFrom", "the defaults of ARG make no image name of \"%s\"",
             l->i->args[0]);
}

/* The environment that a stage begins with: of an earlier one, or of an image that is here. */
static void take_base(struct lint *l, const char *base, struct lint *stages, size_t at)
{
    auto_free char *id = NULL;
    struct image_config config = {0};
    for (size_t k = at; k-- > 0;) {
        if (!l->d->stages[k].name || strcasecmp(l->d->stages[k].name, base) != 0)
            continue;
        l->known = strv_copy(stages[k].known);
        l->open = stages[k].open;
        l->workdir = stages[k].workdir;
        l->shell = stages[k].shell;
        return;
    }
    if (str_eq(base, "scratch"))
        return;
    l->open = image_find(l->store, base, &id, NULL) < 0 || image_load_config(l->store, id, &config) < 0;
    err_clear();
    l->known = config.root ? image_config_strv(&config, "Env") : NULL;
    l->workdir = l->open || !str_empty(image_config_str(&config, "WorkingDir"));
    image_config_done(&config);
}

/* An upper and a lower case spelling in one file. */
static void check_casing(struct lint *l, const struct instruction *i, unsigned *upper, unsigned *lower)
{
    bool mixed = has_upper(i->written) && has_lower(i->written);
    unsigned *mine = has_upper(i->written) ? upper : lower;
    if (mixed || (mine == upper ? *lower : *upper))
        find(l, i->line, "ConsistentInstructionCasing", "\"%s\" is not written like the instructions before it",
             i->written);
    else
        ++*mine;
}

static void take_findings(struct lint *to, struct lint *from)
{
    for (size_t i = 0; i < from->n; i++) {
        to->found = xrealloc(to->found, (to->n + 1) * sizeof(*to->found));
        to->found[to->n++] = from->found[i];
    }
    from->n = 0;
}

static void check_stages(struct lint *all, struct build_args *args, char **defaults)
{
    const struct dockerfile *d = all->d;
    auto_free struct lint *stages = xcalloc(d->n_stages + 1, sizeof(*stages));
    unsigned upper = 0, lower = 0;
    for (size_t k = 0; k < d->n_stages; k++) {
        struct lint *l = &stages[k];
        auto_free char *base = NULL;
        *l = (struct lint){.store = all->store, .context = all->context, .d = d, .i = &d->stages[k].from};
        l->known = strv_copy(args->global);
        check_casing(l, l->i, &upper, &lower);
        check_from(l);
        check_default(l, defaults);
        strv_free(take_ptr(&l->known));
        if (expand_word(l->i->args[0], d->escape, build_args_lookup_global, args, &base) == 0)
            take_base(l, base, stages, k);
        strv_env_set(&l->known, "PATH", "x");
        for (size_t n = 0; n < d->stages[k].n_steps; n++) {
            l->i = &d->stages[k].steps[n];
            check_casing(l, l->i, &upper, &lower);
            check_variables(l);
            if (checks[l->i->kind])
                checks[l->i->kind](l);
        }
        take_findings(all, l);
    }
    for (size_t k = 0; k < d->n_stages; k++) {
        strv_free(stages[k].known);
        free(stages[k].found);
    }
}

/* ---- the whole ---- */

/* "skip=A,B;error=true": is this rule skipped? */
static bool is_skipped(const char *directive, const char *rule)
{
    auto_strv char **parts = strv_split(directive ? directive : "", ";");
    strv_foreach (part, parts) {
        const char *list = str_after(str_trim(part), "skip=");
        auto_strv char **rules = strv_split(list ? list : "", ", ");
        strv_foreach (word, rules)
            if (str_eq(word, "all") || str_eq(word, rule))
                return true;
    }
    return false;
}

static bool is_error(const char *directive)
{
    auto_strv char **parts = strv_split(directive ? directive : "", ";");
    bool error = false;
    strv_foreach (part, parts)
        error |= str_eq(str_trim(part), "error=true");
    return error;
}

static int compare_lines(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    return x->line != y->line ? (x->line < y->line ? -1 : 1) : strcmp(x->text, y->text);
}

static void add_warnings(struct lint *l)
{
    for (size_t i = 0; l->d->warnings && l->d->warnings[i]; i++) {
        const char *text = str_after(l->d->warnings[i], l->d->file), *colon = text ? strchr(text + 1, ':') : NULL;
        if (colon && *l->d->rules[i])
            find(l, (unsigned)strtoul(text + 1, NULL, 10), l->d->rules[i], "%s", colon + 2);
    }
}

static char **global_defaults(const struct dockerfile *d, struct build_args *args)
{
    char **defaults = strv_copy(args->global); /* before the file's own: the platform's */
    for (size_t i = 0; i < d->n_global_args; i++)
        strv_foreach (pair, d->global_args[i].args) {
            auto_free char *name = xstrndup(pair, strcspn(pair, "=")), *value = NULL;
            const char *eq = strchr(pair, '=');
            if (eq && expand_word(eq + 1, d->escape, lookup_defaults, defaults, &value) == 0)
                strv_env_set(&defaults, name, value);
        }
    err_clear();
    return defaults;
}

static int check(struct store *s, struct context *c, struct dockerfile *d, struct build_args *args, char ***ret)
{
    struct lint all = {.store = s, .context = c, .d = d};
    auto_strv char **defaults = global_defaults(d, args);
    int r = build_args_declare_global(args, d);
    if (r < 0)
        return r;
    for (size_t i = 0; i < d->n_global_args; i++) /* declared without a value counts as declared */
        strv_foreach (pair, d->global_args[i].args) {
            auto_free char *name = xstrndup(pair, strcspn(pair, "="));
            if (!strv_env_get(args->global, name))
                strv_env_set(&args->global, name, "");
        }
    add_warnings(&all);
    check_stages(&all, args, defaults);
    qsort(all.found, all.n, sizeof(*all.found), compare_lines);
    for (size_t i = 0; i < all.n; i++) {
        const char *rule = strchr(str_after(all.found[i].text, d->file) + 1, ':') + 2;
        auto_free char *name = xstrndup(rule, strcspn(rule, ":"));
        if (!is_skipped(d->check, name))
            strv_add(ret, all.found[i].text);
        free(all.found[i].text);
    }
    free(all.found);
    return 0;
}

static int with_file(struct store *s, const struct build_options *o, char ***ret,
                     int (*fn)(struct store *s, struct context *c, struct dockerfile *d, struct build_args *args,
                               char ***ret))
{
    auto_with(context_done) struct context c = {.fd = -1};
    auto_with(dockerfile_done) struct dockerfile d = {0};
    auto_with(build_args_done) struct build_args args = {0};
    int r = build_args_init(&args, o->build_args);
    if (r == 0)
        r = context_open(s, o, &c, &d);
    return r < 0 ? r : fn(s, &c, &d, &args, ret);
}

int build_check(struct store *s, const struct build_options *o, char ***ret_findings)
{
    *ret_findings = NULL;
    return with_file(s, o, ret_findings, check);
}

int build_check_errors(struct store *s, const struct build_options *o, struct context *c, struct dockerfile *d)
{
    auto_with(build_args_done) struct build_args args = {0};
    auto_strv char **findings = NULL;
    int r = is_error(d->check) ? build_args_init(&args, o->build_args) : 0;
    if (r == 0 && is_error(d->check))
        r = check(s, c, d, &args, &findings);
    if (r < 0 || !findings)
        return r;
    auto_free char *all = strv_join(findings, "\n");
    err_set(-EINVAL, "%s has what its \"# check=error=true\" forbids; mend it, or leave the rule out with skip=RULE",
            d->file);
    return err_detail(-EINVAL, all);
}

static int list_targets(struct store *s, struct context *c, struct dockerfile *d, struct build_args *args, char ***ret)
{
    for (size_t i = 0; i < d->n_stages; i++) {
        auto_free char *number = xasprintf("%zu", i);
        strv_addf(ret, "%s (from %s)%s", d->stages[i].name ? d->stages[i].name : number, d->stages[i].from.args[0],
                  i + 1 == d->n_stages ? " (default)" : "");
    }
    return 0;
}

int build_targets(struct store *s, const struct build_options *o, char ***ret)
{
    *ret = NULL;
    return with_file(s, o, ret, list_targets);
}

static void list_args(const struct instruction *v, size_t n, char ***ret)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].kind == INSTR_ARG)
            strv_foreach (pair, v[i].args)
                if (!strv_has(*ret, pair))
                    strv_add(ret, pair);
}

static int list_outline(struct store *s, struct context *c, struct dockerfile *d, struct build_args *args, char ***ret)
{
    list_args(d->global_args, d->n_global_args, ret);
    for (size_t i = 0; i < d->n_stages; i++)
        list_args(d->stages[i].steps, d->stages[i].n_steps, ret);
    return 0;
}

int build_outline(struct store *s, const struct build_options *o, char ***ret)
{
    *ret = NULL;
    return with_file(s, o, ret, list_outline);
}
