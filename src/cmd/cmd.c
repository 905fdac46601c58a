/* What every command needs: look-up by name, parsing and counting of arguments, the store, errors and the end. */
#include "cmd.h"

#include <poll.h>

struct globals globals;
char *const *cmd_words;

/* ---- look-up ---- */

/* How many words of argv spell name[0..len) ("image ls"); 0 if they do not. */
static int words_matched(const char *name, size_t len, int argc, char *const argv[])
{
    int n = 0;
    for (const char *end = name + len; name < end; n++) {
        size_t word = MIN(strcspn(name, " "), (size_t)(end - name));
        if (n >= argc || strlen(argv[n]) != word || strncmp(argv[n], name, word) != 0)
            return 0;
        name += word;
        name += name < end;
    }
    return n;
}

int cmd_match(const char *names, int argc, char *const argv[])
{
    int best = 0;
    while (*names) {
        size_t len = strcspn(names, ";");
        int n = words_matched(names, len, argc, argv);
        best = MAX(best, n);
        names += len;
        names += *names == ';';
    }
    return best;
}

char *cmd_name(const struct cmd *c)
{
    return xstrndup(c->names, strcspn(c->names, ";"));
}

/* The second words of group's commands, or, without a group, all first words. */
static char **names_below(const char *group)
{
    char **below = NULL;
    for (const struct cmd *const *c = commands; *c; c++) {
        auto_strv char **names = (*c)->hidden ? NULL : strv_split((*c)->names, ";");
        strv_foreach (name, names) {
            auto_strv char **words = strv_split(name, " ");
            const char *word = !group ? words[0] : str_eq(words[0], group) ? words[1] : NULL;
            if (word && !strv_has(below, word))
                strv_add(&below, word);
        }
    }
    return below;
}

bool cmd_is_group(const char *word)
{
    char *const argv[] = {(char *)word};
    for (const struct cmd *const *c = commands; *c; c++)
        if (cmd_match((*c)->names, 1, argv))
            return false;
    auto_strv char **below = names_below(word);
    return below != NULL;
}

static void refuse_name(int argc, char *const argv[])
{
    int used = 1;
    const char *reason = cmd_absent(argc, argv, &used);
    if (reason) {
        auto_free char *name = used > 1 ? xasprintf("%s %s", argv[0], argv[1]) : xstrdup(argv[0]);
        err_set(-EINVAL, "there is no \"whelk %s\": %s", name, reason);
        return;
    }
    bool in_group = argc > 1 && cmd_is_group(argv[0]);
    auto_strv char **names = names_below(in_group ? argv[0] : NULL);
    auto_free char *group = in_group ? xasprintf("%s ", argv[0]) : xstrdup("");
    const char *word = argv[in_group];
    const char *near = str_nearest(word, (const char *const *)names);
    if (near)
        err_set(-EINVAL, "unknown command \"%s%s\"; did you mean \"%s%s\"? see whelk %s--help", group, word, group,
                near, group);
    else
        err_set(-EINVAL, "unknown command \"%s%s\"; see whelk %s--help", group, word, group);
}

const struct cmd *cmd_find(int argc, char *const argv[], int *ret_used)
{
    const struct cmd *found = NULL;
    int used = 0;
    for (const struct cmd *const *c = commands; *c; c++) {
        int n = cmd_match((*c)->names, argc, argv);
        if (n > used) {
            used = n;
            found = *c;
        }
    }
    if (found)
        *ret_used = used;
    else if (argc > 0)
        refuse_name(argc, argv);
    return found;
}

/* ---- running ---- */

/* "CONTAINER [CONTAINER...]" out of "[OPTIONS] CONTAINER [CONTAINER...]". */
static const char *without_options(const char *args)
{
    const char *rest = str_after(args, "[OPTIONS] ");
    return rest ? rest : args;
}

static int check_count(const struct cmd *c, const char *what, char **args)
{
    int n = (int)strv_len(args);
    const char *wanted = without_options(c->args ? c->args : "");
    if (n < c->min_args && c->min_args == 1)
        return err_set(-EINVAL, "\"%s\" needs %s %.*s argument; see %s --help", what,
                       c->max_args == 1 ? "one" : "at least one", (int)strcspn(wanted, " .["), wanted, what);
    if (n < c->min_args)
        return err_set(-EINVAL, "\"%s\" needs %s%d arguments (%s), but got %d; see %s --help", what,
                       c->max_args == c->min_args ? "" : "at least ", c->min_args, wanted, n, what);
    if (c->max_args < 0 || n <= c->max_args)
        return 0;
    if (c->max_args == 0)
        return err_set(-EINVAL, "\"%s\" takes no arguments, but got \"%s\"; see %s --help", what, args[0], what);
    return err_set(-EINVAL, "\"%s\" takes at most %d argument%s, but got %d; see %s --help", what, c->max_args,
                   c->max_args == 1 ? "" : "s", n, what);
}

static int parse_and_run(const struct cmd *c, void *opts, int argc, char *const argv[])
{
    auto_free char *name = cmd_name(c);
    auto_free char *what = xasprintf("whelk %s", name);
    auto_strv char **args = NULL;
    int r = opt_parse(c->opts, what, opts, argc, argv, c->stop_at_arg, &args);
    if (r == 1) {
        cmd_print_help(c, stdout);
        return 0;
    }
    if (r == 0)
        r = check_count(c, what, args);
    if (r < 0)
        return r;
    /* Handlers walk their arguments: an empty vector is easier on them than NULL. */
    char *none[] = {NULL};
    return c->run(opts, args ? args : none);
}

int cmd_invoke(const struct cmd *c, int argc, char *const argv[])
{
    if (c->raw)
        return c->run(NULL, (char **)argv);
    auto_free void *opts = xcalloc(1, MAX(c->opts_size, (size_t)1));
    if (c->defaults)
        c->defaults(opts);
    int r = parse_and_run(c, opts, argc, argv);
    opt_done(c->opts, opts);
    return r;
}

/* The store of the user who called whelk unshare is written from outside only: its ids mean something else in there. */
static int check_not_unshared(void)
{
    const char *path = getenv(UNSHARED_ENV);
    if (str_empty(path) || geteuid() != 0)
        return 0;
    return err_set(
        -EPERM, "whelk does not work inside of whelk unshare, but for whelk mount; leave it to use the store %s", path);
}

int cmd_store(struct store **ret)
{
    static struct store *store;
    if (!store) {
        int r = check_not_unshared();
        if (r == 0)
            r = store_open(globals.root, globals.runroot, &store);
        if (r < 0)
            return r;
    }
    *ret = store;
    return 0;
}

/* The store of the whelk unshare that this runs in, kept as the other one is. */
static int store_inside(struct store **ret)
{
    static struct store *store;
    int r = store ? 0 : store_open_unshared(getenv(UNSHARED_ENV), &store);
    if (r == 0)
        *ret = store;
    return r;
}

int cmd_store_to_mount(const char *what, struct store **ret)
{
    if (!str_empty(getenv(UNSHARED_ENV)) && geteuid() == 0)
        return store_inside(ret);
    int r = cmd_store(ret);
    if (r == 0 && what && !idmap_none(&(*ret)->map))
        r = err_set(-EPERM, "a user mounts only in a namespace of his own: run whelk unshare, and in it %s", what);
    return r;
}

int cmd_each(char *const *args, int (*fn)(const char *arg, void *ctx), void *ctx)
{
    int status = 0;
    strv_foreach (arg, args) {
        err_clear();
        int r = fn(arg, ctx);
        if (r >= 0)
            continue;
        fflush(stdout); /* what was printed before it comes before it */
        cmd_report(r);
        status = cmd_worse(status, err_status());
    }
    return status;
}

int cmd_worse(int status, int next)
{
    return status > 1 ? status : next;
}

/* ---- errors and the end ---- */

void cmd_report(int r)
{
    auto_free char *text = str_printable(err_text(r));
    fprintf(stderr, "Error: %s\n", text);
    const char *detail = err_detail_text();
    auto_strv char **lines = detail ? strv_split(detail, "\n") : NULL;
    strv_foreach (line, lines) {
        auto_free char *shown = str_printable(line);
        fprintf(stderr, "%s\n", shown);
    }
}

/* Whoever read our output has gone: `whelk logs | head`. */
static bool stdout_hung_up(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

int cmd_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    if (errno == EPIPE || stdout_hung_up())
        return 0;
    return err_sys("cannot write to standard output"); /* -EIO if it was an earlier write that failed */
}

int cmd_finish(int r)
{
    int status = r;
    if (r == -EPIPE && stdout_hung_up())
        status = 0;
    if (status < 0) {
        fflush(stdout);
        cmd_report(r);
        status = err_status();
    }
    r = cmd_flush();
    if (r < 0) {
        cmd_report(r);
        status = status ? status : err_status();
    }
    return status;
}
