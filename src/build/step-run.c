/* RUN: a command in a container upon the stage's layers; what it leaves in the upper directory becomes the layer by
 * rename (DF-21, S-062).
 * Runs in: run_execute in the BUILDER; the command itself in a child of it (run_step). */
#include "builder.h"

#include "layer-tree.h"
#include "lex.h"
#include "step-mount.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/run.h"

#include <fcntl.h>

static const char default_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum { SHOWN_MAX = 200 };

/* --network of the instruction wins over that of the build. */
static const char *network_of(const struct step *s)
{
    const char *own = instruction_flag(s->i, "network");
    const char *network = own && !str_eq(own, "default") ? own : s->b->options->network;
    return !network || str_eq(network, "default") ? "private" : network;
}

static int check_flags(const struct step *s)
{
    const char *network = instruction_flag(s->i, "network"), *security = instruction_flag(s->i, "security");
    if (instruction_flag(s->i, "device"))
        return err_set(-EOPNOTSUPP, "RUN --device is not done by this version");
    if (security && !str_eq(security, "sandbox"))
        return err_set(-EOPNOTSUPP, "RUN --security=%s is not done by this version; known: sandbox", security);
    if (network && !str_eq(network, "default") && !str_eq(network, "none") && !str_eq(network, "host"))
        return err_set(-EINVAL, "RUN --network=%s is not known; known: default, none, host", network);
    return 0;
}

/* Those that are given only. */
static void add_options(struct step *s)
{
    const struct run_options *o = s->b->options->run;
    if (!o)
        return;
    char *const shm[] = {o->shm_size, NULL};
    const struct {
        const char *name;
        char *const *values;
    } rows[] = {
        {"--add-host", o->add_hosts},    {"--dns", o->dns},
        {"--dns-search", o->dns_search}, {"--dns-option", o->dns_options},
        {"--ulimit", o->ulimits},        {"--shm-size", shm},
        {"--device", o->devices},        {"--cap-add", o->cap_add},
        {"--cap-drop", o->cap_drop},     {"--security-opt", o->security_opts},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].values && *rows[i].values)
            cache_key_add_strv(&s->key, rows[i].name, rows[i].values);
}

int run_prepare(struct step *s)
{
    if (!s->args || !*s->args[0])
        return err_set(-EINVAL, "RUN has no command");
    int r = check_flags(s);
    if (r == 0)
        r = mounts_prepare(s);
    if (r < 0)
        return r;
    for (size_t i = 0; i < s->i->n_heredocs; i++)
        cache_key_add(&s->key, s->i->heredocs[i].chomp ? "heredoc-" : "heredoc", s->i->heredocs[i].text);
    cache_key_add_number(&s->key, "json", s->i->json);
    cache_key_add_strv(&s->key, "arguments", s->state->scope.values);
    cache_key_add(&s->key, "network", network_of(s));
    add_options(s);
    return 0;
}

/* ---- heredocs (DF-06) ---- */

/* Is the heredoc all that the instruction has? Then it is the script itself, else the shell reads it. */
static bool is_script(const struct instruction *i)
{
    struct lex_word word = {i->args[0], strlen(i->args[0])};
    return i->n_heredocs == 1 && !strpbrk(i->args[0], " \t") && lex_is_heredoc(&word);
}

/* A script with an interpreter of its own is executed as a file. Its name is what the heredoc is called. */
static char *script_name(const struct instruction *i)
{
    const char *name = i->n_heredocs ? i->heredocs[0].name : "";
    if (!i->n_heredocs || !is_script(i) || !str_after(i->heredocs[0].text + strspn(i->heredocs[0].text, "\t"), "#!"))
        return NULL;
    bool good = *name && *name != '.' && !strchr(name, '/') && strlen(name) < 100;
    return xstrdup(good ? name : "script");
}

/* What the shell gets as its command. */
static char *shell_text(const struct instruction *i, const char *script)
{
    auto_buf struct buf b = {0};
    if (script)
        return xasprintf("/dev/pipes/%s", script);
    if (is_script(i))
        return heredoc_text(&i->heredocs[0]);
    buf_adds(&b, i->args[0]);
    for (size_t k = 0; k < i->n_heredocs; k++)
        buf_addf(&b, "\n%s%s", i->heredocs[k].text, i->heredocs[k].name);
    return buf_take(&b);
}

static int write_script(const struct step *s, int box)
{
    auto_free char *text = heredoc_text(&s->i->heredocs[0]);
    return file_write(box, "script", text, strlen(text), 0755);
}

/* ---- executing ---- */

/* ENV wins over build arguments, these over proxies that nobody declared. HOME is the child's matter: it knows the
 * user. */
static char **make_env(const struct step *s)
{
    auto_strv char **proxies = scope_proxies(&s->state->scope);
    char *const *const sources[] = {s->state->env, s->state->scope.values, proxies,
                                    (char *const[]){(char *)(uintptr_t)default_path, NULL}};
    char **env = NULL;
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        strv_foreach (pair, sources[i]) {
            auto_free char *name = xstrndup(pair, strcspn(pair, "="));
            if (!strv_env_get(env, name))
                strv_add(&env, pair);
        }
    }
    return env;
}

/* What run_step wants in its directory; staged beside what becomes the layer, so that only upper/ does. */
static int make_box(const struct step *s, int box)
{
    int r = layer_tree_make_root(s->b->store, box, "upper", s->state->layers);
    return r < 0 ? r : dir_make(box, "work", 0700);
}

/* With --quiet the output waits in an unnamed file, and is shown if the command fails. */
static int open_output(const struct step *s, int box)
{
    if (!s->b->options->quiet)
        return dup(s->b->options->log_fd);
    return openat(box, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static int fail(struct step *s, int status, int out)
{
    auto_free char *first = xstrndup(s->i->text, strcspn(s->i->text, "\n")), *shown = str_printable(first);
    bool cut = strlen(shown) > SHOWN_MAX;
    if (s->b->options->quiet && lseek(out, 0, SEEK_SET) == 0)
        fd_copy(out, s->b->options->log_fd);
    s->told = true;
    err_set(-ECHILD, "%s:%u: %.*s%s failed with status %d", s->b->file.file, s->i->line, SHOWN_MAX, shown,
            cut ? "..." : "", status);
    return err_with_status(-ECHILD, status);
}

static int run_in(struct step *s, int box, const char *name, struct layer_facts *ret)
{
    auto_free char *script = s->i->json ? NULL : script_name(s->i);
    auto_free char *text = s->i->json ? NULL : shell_text(s->i, script);
    auto_strv char **env = make_env(s), **command = step_command(s, text);
    auto_free char *dir = xasprintf("tmp/%s/%s", s->b->staging->name, name);
    auto_close int out = open_output(s, box);
    const char *user = image_config_str(&s->state->config, "User");
    auto_with(mounts_spec_done) struct step_spec spec = {
        .layers = s->state->layers,
        .dir = dir,
        .args = command,
        .env = env,
        .cwd = build_state_workdir(s->state),
        .user = user,
        .network = network_of(s),
        .script = script,
        .out_fd = out,
        .options = s->b->options->run,
    };
    if (out < 0)
        return err_sys("cannot keep the output of RUN");
    int r = script ? write_script(s, box) : 0;
    if (r == 0)
        r = mounts_make(s, &spec, &env);
    spec.env = env;
    if (r < 0)
        return r;
    r = run_step(s->b->store, &spec, &ret->stubs, &ret->owners);
    return r > 0 ? fail(s, r, out) : r;
}

int run_execute(struct step *s, int dir, struct layer_facts *ret)
{
    int staging = s->b->staging->fd;
    auto_free char *name = xasprintf("%u-box", s->b->n_dirs);
    auto_close int box = -1;
    int r = dir_make(staging, name, 0700);
    if (r == 0)
        r = box = dir_open(staging, name);
    if (r >= 0)
        r = make_box(s, box);
    if (r == 0)
        r = run_in(s, box, name, ret);
    if (r == 0 && renameat(box, "upper", dir, "diff") < 0)
        r = err_sys("cannot take what RUN made");
    ret->changed = true;
    return r < 0 ? r : tree_remove(staging, name);
}
