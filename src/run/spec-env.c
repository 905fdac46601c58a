/* Environment variables: the image's, what every container has, files and words of the command line. */
#include "spec.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

extern char **environ;

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

static int env_file(const char *file, char ***env)
{
    auto_free char *text = NULL;
    int r = file_read(AT_FDCWD, file, 1 << 20, &text, NULL);
    if (r < 0)
        return err_set(r, "cannot read the environment file %s: %s", file, strerror(-r));
    auto_strv char **lines = strv_split(text, "\r\n"), **words = NULL;
    strv_foreach (line, lines) {
        const char *start = line + strspn(line, " \t");
        if (*start && *start != '#')
            strv_add(&words, start);
    }
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
    int r = spec_env_files(o->env_files, &c->env);
    return r < 0 ? r : spec_env(o->env, &c->env);
}
