/* whelk secret create: keeps bytes that containers can be given. */
#include "cmd.h"

#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/secret.h"
#include "whelk/units.h"

#include <fcntl.h>

struct create_opts {
    bool env, ignore, replace;
    char *driver;
    char **labels;
};

static const struct opt create_table[] = {
    {"driver", 'd', OPT_STR, OPT(struct create_opts, driver), .arg = "DRIVER", .help = "how it is kept", .def = "file",
     .complete = COMPLETE_WORDS, .words = "file"},
    {"env", 0, OPT_BOOL, OPT(struct create_opts, env), .help = "the last argument names a variable that has it"},
    {"ignore", 0, OPT_BOOL, OPT(struct create_opts, ignore), .help = "one of that name that is there stays as it is"},
    {"label", 'l', OPT_LIST, OPT(struct create_opts, labels), .arg = "KEY=VALUE", .help = "set a label"},
    {"replace", 0, OPT_BOOL, OPT(struct create_opts, replace), .help = "take the place of one of that name"},
    OPT_END,
};

static int read_variable(const char *name, struct buf *ret)
{
    const char *value = getenv(name);
    if (!value)
        return err_set(-ENOENT, "the variable %s is not set", name);
    buf_adds(ret, value);
    return 0;
}

static int read_file(const char *path, struct buf *ret)
{
    bool stdin_ = str_eq(path, "-");
    if (stdin_ && isatty(STDIN_FILENO))
        return err_set(-EINVAL, "standard input is a terminal; give the secret in a pipe or a file");
    auto_close int fd = stdin_ ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : fd_read_all(fd, SECRET_MAX, ret);
    if (r == -EFBIG)
        return err_set(r, "a secret has at most %d bytes", SECRET_MAX);
    return r < 0 ? err_set(r, "cannot read %s: %s", stdin_ ? "standard input" : path, strerror(-r)) : 0;
}

static int read_data(const struct create_opts *o, const char *from, struct buf *ret)
{
    int r = o->env ? read_variable(from, ret) : read_file(from, ret);
    if (r == 0 && !ret->len)
        r = err_set(-EINVAL, "the secret is empty");
    if (r == 0 && ret->len > SECRET_MAX)
        r = err_set(-EFBIG, "a secret has at most %d bytes", SECRET_MAX);
    return r;
}

static int set_labels(const struct create_opts *o, struct secret *x)
{
    strv_foreach (label, o->labels) {
        auto_free char *key = xstrndup(label, strcspn(label, "="));
        if (!*key)
            return err_set(-EINVAL, "--label %s has no key; write KEY=VALUE", label);
        strv_env_set(&x->labels, key, strchr(label, '=') ? strchr(label, '=') + 1 : "");
    }
    return 0;
}

/* One of that name: its id stays, and with --replace the time of its making. */
static int take_over(const struct store *s, const struct create_opts *o, const char *name, struct secret *x)
{
    struct secret old = {0};
    int r = secret_load(s, name, &old);
    if (r == 0 && !o->ignore && !o->replace)
        r = err_set(-EEXIST, "there is a secret %s already; give --replace, or remove it: whelk secret rm %s", name,
                    name);
    else if (r == 0) {
        free(x->id);
        x->id = xstrdup(old.id);
        x->created = old.created;
        r = o->replace ? 0 : 1;
    }
    secret_done(&old);
    return r == -ENOENT ? 0 : r;
}

static int create(struct store *s, const struct create_opts *o, char **args)
{
    char id[ID_LEN + 1];
    struct secret x = {.name = xstrdup(args[0]), .driver = xstrdup("file"), .created = time_now()};
    auto_buf struct buf data = {0};
    id_new(id);
    x.id = xstrdup(id);
    x.updated = x.created;
    int r = name_check("secret", x.name);
    if (r == 0)
        r = take_over(s, o, args[0], &x);
    if (r == 0)
        r = set_labels(o, &x);
    if (r == 0)
        r = read_data(o, args[1], &data);
    if (r == 0)
        r = secret_create(s, &x, data.data, data.len, o->replace);
    if (r == -EEXIST && err_is_clear())
        r = err_set(r, "there is a secret %s already; somebody has just made it", args[0]);
    if (r >= 0)
        printf("%s\n", x.id);
    if (data.data)
        explicit_bzero(data.data, data.cap);
    secret_done(&x);
    return MIN(r, 0);
}

static int run(void *opts, char **args)
{
    const struct create_opts *o = opts;
    struct store *s;
    if (o->driver && !str_eq(o->driver, "file"))
        return err_set(-EINVAL, "--driver %s is not known; known: file", o->driver);
    if (o->ignore && o->replace)
        return err_set(-EINVAL, "--ignore and --replace contradict each other");
    int r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    return create(s, o, args);
}

const struct cmd cmd_secret_create = {
    .names = "secret create",
    .args = "[OPTIONS] NAME FILE|-|VARIABLE",
    .summary = "keep a secret for containers",
    .description = "Keeps the bytes of a file, of standard input (-) or, with --env, of a variable under a name, and "
                   "prints its id. Containers get it with run --secret. At most 512,000 bytes.",
    .examples = "printf %s \"$PASSWORD\" | whelk secret create db-password -\nwhelk secret create tls-key "
                "./key.pem\nwhelk secret create --env token TOKEN\nwhelk run --rm --secret db-password busybox cat "
                "/run/secrets/db-password",
    .opts = create_table,
    .opts_size = sizeof(struct create_opts),
    .min_args = 2,
    .max_args = 2,
    .complete = COMPLETE_FILE,
    .run = run,
};
