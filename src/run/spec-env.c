/* Environment variables: the image's, what every container has, files and words of the command line. */
#include "spec.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

extern char **environ;

const char *const env_proxies[] = {"http_proxy",  "https_proxy", "ftp_proxy", "no_proxy",  "all_proxy", "HTTP_PROXY",
                                   "HTTPS_PROXY", "FTP_PROXY",   "NO_PROXY",  "ALL_PROXY", NULL};

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* NAME* takes all of whelk's own variables that start so. */
static void env_wildcard(const char *word, char ***env)
{
    size_t n = strlen(word) - 1;
    strv_foreach (e, environ) {
        if (strncmp(e, word, n) != 0)
            continue;
        auto_free char *name = xstrndup(e, strcspn(e, "="));
        strv_env_set(env, name, strchr(e, '=') + 1);
    }
}

int spec_env(char *const *words, char ***env)
{
    strv_foreach (word, words) {
        const char *eq = strchr(word, '=');
        if (eq == word || !*word)
            return err_set(
                -EINVAL, "environment variable \"%s\" has no name; write -e NAME=value without blanks around =", word);
        if (eq) {
            auto_free char *name = xstrndup(word, (size_t)(eq - word));
            strv_env_set(env, name, eq + 1);
        } else if (str_ends(word, "*")) {
            env_wildcard(word, env);
        } else if (getenv(word)) {
            strv_env_set(env, word, getenv(word));
        }
    }
    return 0;
}

int spec_read_lines(const char *what, const char *file, char ***words)
{
    auto_free char *text = NULL;
    int r = file_read(AT_FDCWD, file, 1 << 20, &text, NULL);
    if (r < 0)
        return err_set(r, "cannot read the %s file %s: %s", what, file, strerror(-r));
    auto_strv char **lines = strv_split(text, "\r\n");
    strv_foreach (line, lines) {
        const char *start = line + strspn(line, " \t");
        if (*start && *start != '#')
            strv_add(words, start);
    }
    return 0;
}

static int env_file(const char *file, char ***env)
{
    auto_strv char **words = NULL;
    int r = spec_read_lines("environment", file, &words);
    if (r < 0)
        return r;
    r = spec_env(words, env);
    return r < 0 ? err_wrap(r, "%s", file) : 0;
}

int spec_env_files(char *const *files, char ***env)
{
    int r = 0;
    strv_foreach (file, files)
        if (r == 0)
            r = env_file(file, env);
    return r;
}

/* What systemd says to its main process is wrong in a container, or said anew when it starts (handed.c, notify.c). */
static bool speaks_of_unit(const char *name)
{
    static const char *const names[] = {"NOTIFY_SOCKET",  "LISTEN_PID",       "LISTEN_FDS",   "LISTEN_FDNAMES",
                                        "LISTEN_PIDFDID", "SYSTEMD_EXEC_PID", "WATCHDOG_PID", "WATCHDOG_USEC",
                                        "MAINPID",        "MANAGERPID",       "FDSTORE"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return false;
}

/* $NAME and ${NAME} as the container has them so far; $$ is a dollar. Caller frees. */
static char *expand(const char *text, char *const *env)
{
    struct buf b = {0};
    while (*text) {
        size_t plain = strcspn(text, "$");
        buf_add(&b, text, plain);
        text += plain;
        if (!*text)
            break;
        bool braces = text[1] == '{';
        const char *name = text + 1 + braces;
        size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        bool whole = len && (!braces || name[len] == '}');
        if (!whole) {
            buf_addc(&b, '$');
            text += 1 + (text[1] == '$');
            continue;
        }
        auto_free char *word = xstrndup(name, len);
        const char *value = strv_env_get(env, word);
        buf_adds(&b, value ? value : "");
        text = name + len + braces;
    }
    return buf_take(&b);
}

static int merge_env(char *const *words, char ***env)
{
    strv_foreach (word, words) {
        const char *eq = strchr(word, '=');
        if (!eq || eq == word)
            return err_set(-EINVAL, "--env-merge %s: write NAME=VALUE, as 'PATH=$PATH:/opt/bin'", word);
        auto_free char *name = xstrndup(word, (size_t)(eq - word)), *value = expand(eq + 1, *env);
        strv_env_set(env, name, value);
    }
    return 0;
}

static void take_proxies(char ***env)
{
    strv_foreach (name, (char *const *)(uintptr_t)env_proxies) {
        const char *value = getenv(name);
        if (value)
            strv_env_set(env, name, value);
    }
}

static void unset_env(const struct run_options *o, char ***env)
{
    if (o->unset_env_all)
        strv_free(take_ptr(env));
    strv_foreach (name, o->unset_env)
        for (size_t i = strv_len(*env); i-- > 0;)
            if (strncmp((*env)[i], name, strlen(name)) == 0 && (*env)[i][strlen(name)] == '=')
                strv_remove(*env, i);
}

int spec_make_env(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    c->env = image_config_strv(config, "Env");
    if (!strv_env_get(c->env, "PATH"))
        strv_env_set(&c->env, "PATH", default_path);
    if (o->tty && !strv_env_get(c->env, "TERM"))
        strv_env_set(&c->env, "TERM", "xterm");
    strv_env_set(&c->env, "container", "whelk");
    strv_env_set(&c->env, "HOSTNAME", c->hostname);
    strv_foreach (host, o->env_host ? environ : NULL) {
        auto_free char *name = xstrndup(host, strcspn(host, "="));
        if (!strv_env_get(c->env, name) && !speaks_of_unit(name))
            strv_env_set(&c->env, name, strchr(host, '=') + 1);
    }
    unset_env(o, &c->env);
    c->http_proxy = o->http_proxy;
    if (o->http_proxy)
        take_proxies(&c->env);
    int r = merge_env(o->env_merge, &c->env);
    if (r == 0)
        r = spec_env_files(o->env_files, &c->env);
    return r < 0 ? r : spec_env(o->env, &c->env);
}
