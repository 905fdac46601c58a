/* Finding and reading what a build begins with.
 * Reads: the Dockerfile, the ignore file. A file that is looked for in the context is resolved below it only (H1); one
 * that the user names is opened as named. What is fetched or unpacked lies in a staging directory of the store, and
 * goes with it.
 * Runs in: the invocation. */
#include "context.h"

#include "fetch.h"
#include "rootpath.h"
#include "unpack.h"

#include "whelk/download.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"

#include <fcntl.h>

enum { FILE_MAX = 2 << 20 }; /* the parsers take 1 MiB and say so themselves */
static const uint64_t archive_max = UINT64_C(64) << 30;

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

/* Each -f is read behind the ones before it. */
static int find_next(const struct context *c, const char *file, struct found *f)
{
    auto_with(found_done) struct found next = {0};
    int r = find_named(c, file, &next);
    if (r < 0)
        return r;
    buf_addf(&f->text, "\n%s", next.text.data ? next.text.data : "");
    return 0;
}

static int find_file(const struct context *c, const struct build_options *o, struct found *f)
{
    int r;
    if (f->name) /* it came in the place of a context */
        return o->files ? err_set(-EINVAL, "%s is a Dockerfile and no context, so -f has no meaning", f->name) : 0;
    if (!o->files)
        return find_default(c, o->context, f);
    if (str_eq(o->files[0], "-")) {
        f->name = xstrdup("Dockerfile on standard input");
        r = read_open(STDIN_FILENO, "the Dockerfile from standard input", &f->text);
    } else {
        r = find_named(c, o->files[0], f);
    }
    for (size_t i = 1; r == 0 && o->files[i]; i++)
        r = find_next(c, o->files[i], f);
    return r;
}

/* ---- the ignore file ---- */

/* The one of the Dockerfile's own name; -ENOENT without text. */
static int read_own_ignore(struct context *c, const struct found *f, struct buf *text)
{
    if (!f)
        return -ENOENT;
    c->ignore_name = xasprintf("%s.dockerignore", f->name);
    return f->named        ? read_named(c->ignore_name, text)
           : f->in_context ? read_in_context(c, c->ignore_name, text)
                           : -ENOENT;
}

static int read_given_ignore(struct context *c, const char *file)
{
    auto_buf struct buf text = {0};
    c->ignore_name = xstrdup(file);
    int r = read_named(file, &text);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "--ignorefile %s: there is no such file", file) : r;
    return ignore_parse(file, text.data ? text.data : "", text.len, &c->ignore);
}

/* The first that is there counts, also if it is empty. */
static int read_ignore(struct context *c, const struct found *f)
{
    static const char *const names[] = {".containerignore", ".dockerignore"};
    auto_buf struct buf text = {0};
    int r = read_own_ignore(c, f, &text);
    for (size_t i = 0; i < ARRAY_LEN(names) && r == -ENOENT; i++) {
        free(c->ignore_name);
        c->ignore_name = xstrdup(names[i]);
        r = read_in_context(c, names[i], &text);
    }
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return ignore_parse(c->ignore_name, text.data ? text.data : "", text.len, &c->ignore);
}

/* ---- where it is ---- */

/* A directory of the build's own, and its descriptor. */
static int make_directory(const struct store *s, struct context *c)
{
    int r = c->stage ? 0 : stage_begin(s, &c->stage);
    if (r == 0)
        r = dir_make(c->stage->fd, "context", 0755);
    if (r == 0)
        r = c->fd = dir_open(c->stage->fd, "context");
    return MIN(r, 0);
}

/* Goes on in a directory below; an empty one is the context itself. */
static int enter_directory(struct context *c, const char *where, const char *below)
{
    auto_free char *clean = rootpath_clean(below ? below : ""), *real = NULL;
    struct stat st;
    int r = rootpath_resolve(c->fd, clean, true, &real, &st);
    if (r < 0 || !S_ISDIR(st.st_mode))
        return err_set(r < 0 ? r : -ENOTDIR, "there is no directory %s in %s", clean, where);
    int fd = rootpath_open(c->fd, real, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return err_set(fd, "cannot open %s in %s: %s", clean, where, strerror(-fd));
    fd_close(c->fd);
    c->fd = fd;
    return 0;
}

static int open_git(const struct store *s, const char *url, struct context *c)
{
    auto_with(git_ref_done) struct git_ref g = {0};
    char commit[GIT_COMMIT];
    int r = git_ref_parse(url, &g);
    if (r == 0)
        r = git_resolve(&g, commit);
    if (r == 0)
        r = make_directory(s, c);
    if (r == 0)
        r = git_fetch(&g, commit, false, c->fd);
    return r < 0 ? r : enter_directory(c, g.url, g.subdir);
}

/* What is in fd: an archive with the context in it, or (f not NULL) a Dockerfile that needs none. */
static int open_contents(const struct store *s, int fd, const char *name, struct context *c, struct found *f)
{
    int r = unpack_is_archive(fd);
    if (r < 0)
        return r;
    bool archive = r == 1;
    if (!archive && !f)
        return err_set(-EINVAL, "%s is neither a directory nor a tar archive", name);
    r = make_directory(s, c);
    if (r == 0 && archive)
        return unpack_archive(fd, c->fd, NULL, NULL);
    if (r < 0)
        return r;
    f->name = xstrdup(name);
    return read_open(fd, name, &f->text);
}

/* A file without a name that can be read again. */
static int temporary(const struct store *s, struct context *c, int *ret_fd)
{
    int r = stage_begin(s, &c->stage);
    if (r < 0)
        return r;
    *ret_fd = openat(c->stage->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return *ret_fd < 0 ? err_sys("cannot keep the build context") : 0;
}

static int open_stdin(const struct store *s, struct context *c, struct found *f)
{
    auto_close int fd = -1;
    int r = temporary(s, c, &fd);
    if (r == 0)
        r = fd_copy(STDIN_FILENO, fd);
    if (r < 0)
        return c->stage && fd >= 0 ? err_set(r, "cannot read the context from standard input: %s", strerror(-r)) : r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys("cannot read the context again");
    return open_contents(s, fd, "Dockerfile on standard input", c, f);
}

static int open_url(const struct store *s, const char *url, struct context *c, struct found *f)
{
    auto_close int fd = -1;
    int r = temporary(s, c, &fd);
    if (r == 0)
        r = download(url, fd, archive_max, NULL);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys("cannot read the context again");
    return open_contents(s, fd, url, c, f);
}

static int open_path(const struct store *s, const char *path, struct context *c)
{
    struct stat st;
    auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys("cannot open the build context %s", path);
    if (S_ISREG(st.st_mode))
        return open_contents(s, fd, path, c, NULL);
    if (!S_ISDIR(st.st_mode))
        return err_set(-ENOTDIR, "the build context %s is neither a directory nor a file", path);
    c->fd = take_fd(&fd);
    return 0;
}

static int open_where(const struct store *s, const char *where, struct context *c, struct found *f)
{
    if (str_eq(where, "-") && f)
        return open_stdin(s, c, f);
    switch (fetch_kind(where)) {
    case FETCH_GIT:
        return open_git(s, where, c);
    case FETCH_URL:
        return open_url(s, where, c, f);
    case FETCH_NONE:
        break;
    }
    return open_path(s, where, c);
}

/* ---- the whole ---- */

int context_open(const struct store *s, const struct build_options *o, struct context *ret, struct dockerfile *ret_file)
{
    auto_with(context_done) struct context c = {.fd = -1};
    auto_with(found_done) struct found f = {0};
    if (str_eq(o->context, "-") && strv_has(o->files, "-"))
        return err_set(-EINVAL, "the context and the Dockerfile cannot both come from standard input");
    int r = open_where(s, o->context, &c, &f);
    if (r == 0)
        r = find_file(&c, o, &f);
    if (r == 0)
        r = o->ignore_file ? read_given_ignore(&c, o->ignore_file) : read_ignore(&c, &f);
    if (r == 0)
        r = dockerfile_parse(f.name, f.text.data ? f.text.data : "", f.text.len, ret_file);
    if (r < 0)
        return r;
    *ret = c;
    c = (struct context){.fd = -1};
    return 0;
}

int context_open_named(const struct store *s, const char *where, struct context *ret)
{
    auto_with(context_done) struct context c = {.fd = -1};
    int r = open_where(s, where, &c, NULL);
    if (r == 0)
        r = read_ignore(&c, NULL);
    if (r < 0)
        return r;
    *ret = c;
    c = (struct context){.fd = -1};
    return 0;
}

void context_done(struct context *c)
{
    fd_close(c->fd);
    stage_end(c->stage);
    ignore_free(c->ignore);
    free(c->ignore_name);
    *c = (struct context){.fd = -1};
}
