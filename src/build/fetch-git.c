/* git repositories, by the program git (DF-40).
 *
 * What a repository holds is hostile: no hook runs, nothing is asked on a terminal, and transports that execute
 * something are not used. The user's own configuration and keys are, as with any git that he calls.
 * Runs in: whoever prepares a step or a context; git itself in a child. */
#include "fetch.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

enum { OUTPUT_MAX = 4 << 20, DEPTH_MAX = 500, NOT_INSTALLED = 127 };

/* ---- names ---- */

static const char *const schemes[] = {"git://", "ssh://", "git@"};

enum fetch_kind fetch_kind(const char *source)
{
    bool web = str_after(source, "http://") || str_after(source, "https://");
    auto_free char *path = xstrndup(source, strcspn(source, "?#"));
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_after(source, schemes[i]))
            return FETCH_GIT;
    if (web && str_ends(path, ".git"))
        return FETCH_GIT;
    return web ? FETCH_URL : FETCH_NONE;
}

void git_ref_done(struct git_ref *g)
{
    free(g->url);
    free(g->ref);
    free(g->subdir);
    *g = (struct git_ref){0};
}

static bool is_good_ref(const char *ref)
{
    return *ref != '-' && !strstr(ref, "..") && !strpbrk(ref, " ~^:?*[\\\177");
}

int git_ref_parse(const char *source, struct git_ref *ret)
{
    auto_with(git_ref_done) struct git_ref g = {.url = xstrndup(source, strcspn(source, "#"))};
    const char *fragment = strchr(source, '#'), *colon;
    if (fragment++) {
        colon = strchrnul(fragment, ':');
        g.ref = colon > fragment ? xstrndup(fragment, (size_t)(colon - fragment)) : NULL;
        g.subdir = *colon && colon[1] ? xstrdup(colon + 1) : NULL;
    }
    auto_free char *shown = str_printable(source);
    if (g.ref && !is_good_ref(g.ref))
        return err_set(-EINVAL, "%s: \"%s\" is no name of a branch, tag or commit", shown, g.ref);
    *ret = g;
    g = (struct git_ref){0};
    return 0;
}

/* ---- the program ---- */

static void exec_git(int dir, char *const *words, int out, int err)
{
    static const char *const settings[] = {"git",
                                           "-c",
                                           "core.hooksPath=/dev/null",
                                           "-c",
                                           "core.fsmonitor=false",
                                           "-c",
                                           "protocol.ext.allow=never",
                                           "-c",
                                           "safe.directory=*",
                                           "-c",
                                           "init.defaultBranch=main"};
    char **argv = NULL;
    auto_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        strv_add(&argv, settings[i]);
    strv_extend(&argv, words);
    setenv("GIT_TERMINAL_PROMPT", "0", 1);
    umask(022);
    signals_reset();
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || (dir >= 0 && fchdir(dir) < 0))
        _exit(1);
    execvp(argv[0], argv);
    _exit(errno == ENOENT ? NOT_INSTALLED : 1);
}

/* Reads both pipes to their ends. */
static int read_both(int out, int err, struct buf *ret_out, struct buf *ret_err)
{
    struct pollfd p[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    struct buf *to[2] = {ret_out, ret_err};
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < 2; i++) {
            char data[4096];
            ssize_t n = p[i].fd >= 0 && p[i].revents ? read(p[i].fd, data, sizeof(data)) : 1;
            if (n <= 0)
                p[i].fd = -1;
            else if (p[i].fd >= 0 && p[i].revents && to[i]->len < OUTPUT_MAX)
                buf_add(to[i], data, (size_t)n);
        }
    }
    return 0;
}

static int fail(const struct git_ref *g, char *const *words, const struct buf *err, int code)
{
    auto_free char *url = str_printable(g->url);
    auto_free char *line = xstrndup(err->len ? err->data : "", err->len ? strcspn(err->data, "\n") : 0);
    auto_free char *first = str_printable(line);
    if (code == NOT_INSTALLED && !err->len)
        return err_set(-ENOENT, "%s: the program git is not installed; install the package git", url);
    return err_set(-EIO, "%s: git %s failed: %s", url, words[0], *first ? first : "it gave no reason");
}

/* Runs git in dir; what it prints comes behind out. */
static int git(const struct git_ref *g, int dir, char *const *words, struct buf *out)
{
    auto_buf struct buf err = {0};
    int o[2], e[2];
    if (pipe2(o, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    if (pipe2(e, O_CLOEXEC) < 0) {
        fd_close(o[0]);
        fd_close(o[1]);
        return err_sys("cannot make a pipe");
    }
    pid_t pid = fork();
    if (pid == 0)
        exec_git(dir, words, o[1], e[1]);
    fd_close(o[1]);
    fd_close(e[1]);
    int r = pid < 0 ? err_sys("cannot fork") : read_both(o[0], e[0], out, &err);
    fd_close(o[0]);
    fd_close(e[0]);
    if (pid < 0)
        return r;
    int status = proc_reap(pid);
    if (r < 0 || status < 0)
        return err_set(r < 0 ? r : status, "cannot wait for git");
    return status == 0 ? 0 : fail(g, words, &err, proc_exit_code(status));
}

#define GIT(g, dir, out, ...) git(g, dir, (char *[]){__VA_ARGS__, NULL}, out)

/* A word for git, which changes none of them. */
static char *word(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---- what a reference is ---- */

static bool is_hash(const char *s)
{
    size_t len = strlen(s);
    return (len == 40 || len == 64) && str_is_hex(s, len);
}

/* The hash in a line "HASH<tab>NAME" of this name; NULL if there is none. The caller frees. */
static char *find_line(char **lines, const char *name)
{
    strv_foreach (line, lines) {
        const char *tab = strchr(line, '\t');
        if (tab && str_eq(tab + 1, name))
            return xstrndup(line, (size_t)(tab - line));
    }
    return NULL;
}

static char *find_ref(char **lines, const char *ref)
{
    static const char *const forms[] = {"refs/tags/%s^{}", "refs/tags/%s", "refs/heads/%s", "%s^{}", "%s"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        auto_buf struct buf name = {0};
        const char *at = strstr(forms[i], "%s");
        buf_add(&name, forms[i], (size_t)(at - forms[i]));
        buf_adds(&name, ref);
        buf_adds(&name, at + 2);
        char *found = find_line(lines, name.data);
        if (found)
            return found;
    }
    return NULL;
}

int git_resolve(const struct git_ref *g, char ret[GIT_COMMIT])
{
    const char *ref = g->ref ? g->ref : "HEAD";
    auto_buf struct buf out = {0};
    auto_free char *peeled = xasprintf("%s^{}", ref);
    if (is_hash(ref)) {
        snprintf(ret, GIT_COMMIT, "%s", ref);
        return 0;
    }
    int r = GIT(g, -1, &out, word("ls-remote"), word("--"), g->url, word(ref), peeled);
    if (r < 0)
        return r;
    auto_strv char **lines = strv_split(out.data ? out.data : "", "\n");
    auto_free char *found = find_ref(lines, ref);
    if (!found || !is_hash(found))
        return err_set(-ENOENT, "%s: there is no branch and no tag \"%s\"", g->url, ref);
    snprintf(ret, GIT_COMMIT, "%s", found);
    return 0;
}

/* ---- the files ---- */

/* Most servers give a commit that a name leads to; for others all of it comes. */
static int fetch(const struct git_ref *g, const char *commit, int dir)
{
    auto_buf struct buf out = {0};
    int r = GIT(g, dir, &out, word("init"), word("-q"));
    if (r < 0)
        return r;
    r = GIT(g, dir, &out, word("fetch"), word("-q"), word("--depth=1"), word("--no-tags"), word("--"), g->url,
            word(commit));
    if (r < 0 && g->ref && !is_hash(g->ref))
        r = GIT(g, dir, &out, word("fetch"), word("-q"), word("--depth=1"), word("--no-tags"), word("--"), g->url,
                g->ref);
    if (r < 0)
        r = GIT(g, dir, &out, word("fetch"), word("-q"), word("--"), g->url, word("+refs/heads/*:refs/remotes/o/*"),
                word("+refs/tags/*:refs/tags/*"));
    if (r == 0)
        err_clear();
    return r;
}

static int set_times(int dir, const struct timespec *when, unsigned depth)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *when};
    auto_dir DIR *d = dir_iterate(dir);
    if (!d || depth > DEPTH_MAX)
        return d ? -ELOOP : -errno;
    for (struct dirent *e; (errno = 0, e = readdir(d));) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
            continue;
        auto_close int sub = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = sub >= 0 ? set_times(sub, when, depth + 1) : 0;
        if (r < 0 || utimensat(dir, e->d_name, times, AT_SYMLINK_NOFOLLOW) < 0)
            return r < 0 ? r : -errno;
    }
    return -errno;
}

static int set_commit_time(const struct git_ref *g, const char *commit, int dir)
{
    auto_buf struct buf out = {0};
    int64_t seconds;
    int r = GIT(g, dir, &out, word("show"), word("-s"), word("--format=%ct"), word(commit));
    if (r < 0)
        return r;
    if (!out.data || !str_to_i64(str_trim(out.data), &seconds))
        return err_set(-EPROTO, "%s: git does not tell the time of the commit", g->url);
    r = set_times(dir, &(struct timespec){.tv_sec = seconds}, 0);
    return r < 0 ? err_set(r, "%s: cannot set the times of the files: %s", g->url, strerror(-r)) : 0;
}

int git_fetch(const struct git_ref *g, const char *commit, bool keep_git_dir, int dir)
{
    auto_buf struct buf out = {0};
    int r = fetch(g, commit, dir);
    if (r == 0)
        r = GIT(g, dir, &out, word("checkout"), word("-q"), word("--detach"), word(commit));
    if (r == 0 && faccessat(dir, ".gitmodules", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        r = GIT(g, dir, &out, word("submodule"), word("-q"), word("update"), word("--init"), word("--recursive"),
                word("--depth=1"));
    if (r == 0)
        r = set_commit_time(g, commit, dir);
    return r < 0 || keep_git_dir ? r : tree_remove(dir, ".git");
}
