/* whelk __complete WORDS...: what may stand for the last of WORDS (the words after "whelk", the last one is begun or
 * empty). Lines "word<TAB>what it is"; a line ":file" or ":dir" asks the shell for its own names. Never an error: a
 * shell in the middle of a line has no use for one. */
#include "cmd.h"

/* Prints word if it begins with begun. */
static void offer(const char *word, const char *text, const char *begun)
{
    if (!str_after(word, begun))
        return;
    printf("%s%s%s\n", word, str_empty(text) ? "" : "\t", text ? text : "");
}

static void offer_options(const struct opt *table, const char *begun)
{
    opt_foreach(o, table)
    {
        auto_free char *word = xasprintf("--%s", opt_shown_name(o));
        if (o->help)
            offer(word, o->help, begun);
    }
    offer("--help", "print help", begun);
}

/* Offers the next word of each command name that begins with the n words before it. */
static void offer_commands(int n, char *const words[], const char *begun)
{
    auto_strv char **seen = NULL;
    for (const struct cmd *const *c = commands; *c; c++) {
        auto_strv char **names = (*c)->hidden ? NULL : strv_split((*c)->names, ";");
        strv_foreach (name, names) {
            auto_strv char **parts = strv_split(name, " ");
            int same = 0;
            while (same < n && parts[same] && str_eq(parts[same], words[same]))
                same++;
            if (same < n || !parts[n] || strv_has(seen, parts[n]))
                continue;
            offer(parts[n], parts[n + 1] ? "commands for it" : (*c)->summary, begun);
            strv_add(&seen, parts[n]);
        }
    }
}

/* prefix is what stands before the value in the same word ("--signal="). */
static void offer_values(enum complete kind, const char *words, const char *begun, const char *prefix)
{
    auto_strv char **values = NULL;
    if (kind == COMPLETE_FILE || kind == COMPLETE_DIR)
        puts(kind == COMPLETE_FILE ? ":file" : ":dir");
    else if (kind == COMPLETE_WORDS)
        values = strv_split(words, " ");
    else if (kind != COMPLETE_NONE && complete_objects(kind, begun, &values) < 0)
        return;
    strv_foreach (value, values) {
        auto_free char *word = xasprintf("%s%s", prefix, value);
        auto_free char *whole = xasprintf("%s%s", prefix, begun);
        offer(word, NULL, whole);
    }
}

/* "--name=begun" */
static void offer_attached(const struct opt *table, const char *word)
{
    size_t name = strcspn(word, "=");
    auto_free char *spelled = xstrndup(word, name);
    auto_free char *prefix = xstrndup(word, name + 1);
    const struct opt *o = opt_find(table, spelled);
    if (o)
        offer_values(o->complete, o->words, word + name + 1, prefix);
}

/* words: what follows the command's name and comes before begun. */
static void complete_command(const struct cmd *c, int n, char *const words[], const char *begun)
{
    struct opt_state st;
    opt_scan(c->opts, n, words, c->stop_at_arg, &st);
    if (st.pending)
        offer_values(st.pending->complete, st.pending->words, begun, "");
    else if (!st.ended && str_after(begun, "--") && strchr(begun, '='))
        offer_attached(c->opts, begun);
    else if (!st.ended && begun[0] == '-')
        offer_options(c->opts, begun);
    else if (c->stop_at_arg && st.n_args > 0)
        return; /* a command in the container: its names are not ours */
    else if (c->complete == COMPLETE_COMMAND)
        offer_commands(n, words, begun);
    else if (c->max_args < 0 || st.n_args < c->max_args)
        offer_values(c->complete, c->words, begun, "");
}

/* The names to offer are those of the store that the line is about. */
static void take_root(int n, char *const words[])
{
    for (int i = 0; i < n; i++) {
        const char *root = str_after(words[i], "--root=");
        if (!root && str_eq(words[i], "--root") && i + 1 < n)
            root = words[++i];
        if (!root)
            continue;
        free(globals.root);
        globals.root = xstrdup(root);
    }
}

static int run(void *opts, char **args)
{
    int n = (int)strv_len(args);
    const char *begun = n ? args[--n] : "";
    struct opt_state st;
    opt_scan(global_opts, n, args, true, &st);
    take_root(st.first_arg, args);
    char *const *words = args + st.first_arg;
    int used = 0;
    n -= st.first_arg;
    const struct cmd *c = n ? cmd_find(n, words, &used) : NULL;
    if (st.pending)
        offer_values(st.pending->complete, st.pending->words, begun, "");
    else if (c && !c->raw)
        complete_command(c, n - used, words + used, begun);
    else if (!n && !st.ended && str_after(begun, "--") && strchr(begun, '='))
        offer_attached(global_opts, begun);
    else if (!n && !st.ended && begun[0] == '-')
        offer_options(global_opts, begun);
    else if (!c)
        offer_commands(n, words, begun);
    return 0;
}

const struct cmd cmd_complete = {
    .names = "__complete",
    .summary = "answer a shell's question for completions",
    .raw = true,
    .hidden = true,
    .run = run,
};
