/* whelk login: asks for a login, has the registry check it, stores it. */
#include "cmd.h"

#include "registry-flags.h"
#include "whelk/credentials.h"
#include "whelk/fd.h"
#include "whelk/tty.h"

struct login_opts {
    struct registry_flags registry;
    char *user, *password;
    bool password_stdin, get_login, verbose;
};

static const struct opt login_table[] = {
    REGISTRY_AUTH_ROWS(struct login_opts, registry),
    {"get-login", 0, OPT_BOOL, OPT(struct login_opts, get_login), .help = "print the user of the stored login"},
    {"password", 'p', OPT_STR, OPT(struct login_opts, password), .arg = "PASSWORD",
     .help = "the password; others can see it there"},
    {"password-stdin", 0, OPT_BOOL, OPT(struct login_opts, password_stdin),
     .help = "read the password from standard input"},
    {"username", 'u', OPT_STR, OPT(struct login_opts, user), .arg = "USER", .help = "the user"},
    {"verbose", 'v', OPT_BOOL, OPT(struct login_opts, verbose), .help = "say where the login is stored"},
    OPT_END,
};

enum { ANSWER_MAX = 64 << 10 };

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct login_opts *)opts)->registry);
}

/* "https://HOST/" and HOST/PATH are taken; without anything it is docker.io. Caller frees. */
static char *login_key(const char *typed)
{
    const char *rest = typed ?: "docker.io";
    rest = str_after(rest, "https://") ?: str_after(rest, "http://") ?: rest;
    size_t n = strlen(rest);
    while (n && rest[n - 1] == '/')
        n--;
    return xstrndup(rest, n);
}

static int read_line(char **ret)
{
    auto_free char *line = NULL;
    size_t size = 0;
    if (getline(&line, &size, stdin) < 0)
        return err_set(-ECANCELED, "no answer");
    line[strcspn(line, "\r\n")] = '\0';
    *ret = take_ptr(&line);
    return 0;
}

static int ask_user(const char *before, char **ret)
{
    if (!isatty(STDIN_FILENO))
        return err_set(-EINVAL, "standard input is no terminal to ask on: give --username and --password-stdin");
    fprintf(stderr, before ? "Username (%s): " : "Username: ", before);
    int r = read_line(ret);
    if (r == 0 && !**ret && before) {
        free(*ret);
        *ret = xstrdup(before);
    }
    return r == 0 && !**ret ? err_set(-EINVAL, "a login needs a user") : r;
}

static int ask_password(char **ret)
{
    if (!isatty(STDIN_FILENO))
        return err_set(-EINVAL, "standard input is no terminal to ask on: give --password-stdin");
    int r = tty_hide(STDIN_FILENO); /* before the question, which may be answered at once */
    if (r == 0)
        fputs("Password: ", stderr);
    if (r == 0)
        r = read_line(ret);
    tty_restore();
    return r;
}

static int read_password(char **ret)
{
    auto_buf struct buf b = {0};
    int r = fd_read_all(STDIN_FILENO, ANSWER_MAX, &b);
    if (r < 0)
        return err_set(r, "cannot read the password from standard input: %s", strerror(-r));
    *ret = buf_take(&b);
    (*ret)[strcspn(*ret, "\r\n")] = '\0';
    return 0;
}

static int check_options(const struct login_opts *o)
{
    if (o->password && o->password_stdin)
        return err_set(-EINVAL, "--password and --password-stdin cannot be given together");
    if (o->password_stdin && !o->user)
        return err_set(-EINVAL, "--password-stdin needs --username");
    if (o->password)
        log_warn("a password on the command line can be seen by others; use --password-stdin");
    return 0;
}

static int verify(const char *key, const struct registry_options *o, const struct credential *c)
{
    auto_registry struct registry *registry = NULL;
    auto_free char *host = xstrndup(key, strcspn(key, "/"));
    int r = registry_open_host(host, o, &registry);
    if (r < 0)
        return r;
    registry_use_login(registry, c->user, c->password);
    return registry_ping(registry);
}

static int get_login(const char *key, const struct credential *stored)
{
    if (!stored->user)
        return err_set(-ENOENT, "not logged in to %s", key);
    printf("%s\n", stored->user);
    return 0;
}

/* The stored login, where nothing else is asked for and the registry takes it. */
static bool still_valid(const struct login_opts *o, const char *key, const struct registry_options *registry,
                        const struct credential *stored)
{
    if (o->user || o->password || !stored->user || !stored->password || verify(key, registry, stored) < 0) {
        err_clear();
        return false;
    }
    printf("Existing credentials are valid. Already logged in to %s\n", key);
    return true;
}

static int login(const struct login_opts *o, const char *key, const struct registry_options *registry,
                 const struct credential *stored)
{
    auto_with(credential_done) struct credential c = {.user = xstrdup(o->user), .password = xstrdup(o->password)};
    int r = c.user ? 0 : ask_user(stored->user, &c.user);
    if (r == 0 && !c.password)
        r = o->password_stdin ? read_password(&c.password) : ask_password(&c.password);
    if (r == 0 && (!*c.password || strchr(c.user, ':')))
        r = err_set(-EINVAL, *c.password ? "a user has no : in it" : "a login needs a password");
    if (r == 0)
        r = verify(key, registry, &c);
    if (r == 0)
        r = credentials_store(o->registry.authfile, key, &c);
    if (r == 0 && o->verbose)
        fprintf(stderr, "The login for %s is stored.\n", key);
    if (r == 0)
        puts("Login Succeeded!");
    return r;
}

static int run(void *opts, char **args)
{
    const struct login_opts *o = opts;
    struct registry_options registry;
    auto_with(credential_done) struct credential stored = {0};
    auto_free char *key = login_key(args[0]);
    int r = check_options(o);
    if (r == 0)
        r = registry_flags_options(&o->registry, &registry);
    if (r == 0)
        r = credentials_find(o->registry.authfile, key, &stored);
    if (r < 0 || o->get_login)
        return r < 0 ? r : get_login(key, &stored);
    if (still_valid(o, key, &registry, &stored))
        return 0;
    r = login(o, key, &registry, &stored);
    return r < 0 ? err_wrap(r, "cannot log in to %s", key) : r;
}

const struct cmd cmd_login = {
    .names = "login",
    .args = "[OPTIONS] [REGISTRY[/PATH]]",
    .summary = "log in to a registry",
    .description =
        "Asks for a user and a password, has REGISTRY (docker.io if none is given) check them and stores them "
        "for pull and push. With a PATH the login counts only for what is below it.",
    .examples = "whelk login registry.example.org\nwhelk login -u alice --password-stdin registry.example.org "
                "<password\nwhelk login --get-login registry.example.org",
    .opts = login_table,
    .opts_size = sizeof(struct login_opts),
    .defaults = defaults,
    .max_args = 1,
    .run = run,
};
