/* Finding and reading what a build begins with.
 * Reads: the Dockerfile, the ignore file. A file that is looked for in the context is resolved below it only (H1); one
 * that the user names is opened as named. */
#include "context.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"

#include <fcntl.h>

enum { FILE_MAX = 2 << 20 }; /* the parsers take 1 MiB and say so themselves */

/* ---- reading ---- */

static int read_open(int fd, const char *name, struct buf *ret)
{
    int r = fd_read_all(fd, FILE_MAX, ret);
    return r < 0 ? err_set(r, "cannot read %s: %s", name, strerror(-r)) : 0;
}

/* -ENOENT without text. */
static int read_in_context(const struct context *c, const char *path, struct buf *ret)
{
    auto_close int fd = open_in_root(c->fd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    struct stat st;
    if (fd == -ENOENT || fd == -ENOTDIR)
        return -ENOENT;
    if (fd < 0)
        return err_set(fd, "cannot open %s in the build context: %s", path, strerror(-fd));
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(-EISDIR, "%s in the build context is a directory", path);
    return read_open(fd, path, ret);
}

/* Not in the context but where the user says; /dev/fd/63 of a shell, too. -ENOENT without text. */
static int read_named(const char *path, struct buf *ret)
{
    auto_close int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? -ENOENT : err_sys("cannot open %s", path);
    return read_open(fd, path, ret);
}

/* ---- the Dockerfile ---- */

/* Where the text came from, so that NAME.dockerignore is looked for beside it. */
struct found {
    char *name;
    bool in_context, named;
    struct buf text;
};

static void found_done(struct found *f)
{
    free(f->name);
    buf_done(&f->text);
}

static int find_default(const struct context *c, const char *context, struct found *f)
{
    static const char *const names[] = {"Containerfile", "Dockerfile"};
    f->in_context = true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int r = read_in_context(c, names[i], &f->text);
        if (r == -ENOENT)
            continue;
        f->name = xstrdup(names[i]);
        return r;
    }
    return err_set(-ENOENT, "there is no Containerfile and no Dockerfile in %s; name one with -f", context);
}

/* Relative to the working directory first, then to the context. */
static int find_named(const struct context *c, const char *file, struct found *f)
{
    f->name = xstrdup(file);
    f->named = true;
    int r = read_named(file, &f->text);
    if (r == -ENOENT && *file != '/') {
        f->named = false;
        f->in_context = true;
        r = read_in_context(c, file, &f->text);
    }
    return r == -ENOENT ? err_set(r, "there is no Dockerfile %s, neither here nor in the context", file) : r;
}

static int find_file(const struct context *c, const struct build_options *o, struct found *f)
{
    if (!o->file)
        return find_default(c, o->context, f);
    if (!str_eq(o->file, "-"))
        return find_named(c, o->file, f);
    f->name = xstrdup("Dockerfile on standard input");
    return read_open(STDIN_FILENO, "the Dockerfile from standard input", &f->text);
}

/* ---- the ignore file ---- */

/* The first that is there counts, also if it is empty. */
static int read_ignore(struct context *c, const struct found *f)
{
    static const char *const names[] = {".containerignore", ".dockerignore"};
    auto_buf struct buf text = {0};
    c->ignore_name = xasprintf("%s.dockerignore", f->name);
    int r = f->named        ? read_named(c->ignore_name, &text)
            : f->in_context ? read_in_context(c, c->ignore_name, &text)
                            : -ENOENT;
    for (size_t i = 0; i < ARRAY_LEN(names) && r == -ENOENT; i++) {
        free(c->ignore_name);
        c->ignore_name = xstrdup(names[i]);
        r = read_in_context(c, names[i], &text);
    }
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return ignore_parse(c->ignore_name, text.data ? text.data : "", text.len, &c->ignore);
}

/* ---- the whole ---- */

static int open_directory(struct context *c, const char *path)
{
    if (str_eq(path, "-"))
        return err_set(-EINVAL, "a context from standard input is not known to this version; give a directory, and the "
                                "Dockerfile with -f -");
    if (strstr(path, "://"))
        return err_set(-EINVAL, "%s: a context from the network is not known to this version; give a directory", path);
    c->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->fd < 0 ? err_sys("cannot open the build context %s", path) : 0;
}

int context_open(const struct build_options *o, struct context *ret, struct dockerfile *ret_file)
{
    auto_with(context_done) struct context c = {.fd = -1};
    auto_with(found_done) struct found f = {0};
    int r = open_directory(&c, o->context);
    if (r == 0)
        r = find_file(&c, o, &f);
    if (r == 0)
        r = read_ignore(&c, &f);
    if (r == 0)
        r = dockerfile_parse(f.name, f.text.data ? f.text.data : "", f.text.len, ret_file);
    if (r < 0)
        return r;
    *ret = c;
    c = (struct context){.fd = -1};
    return 0;
}

void context_done(struct context *c)
{
    fd_close(c->fd);
    ignore_free(c->ignore);
    free(c->ignore_name);
    *c = (struct context){.fd = -1};
}
