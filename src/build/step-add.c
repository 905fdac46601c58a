/* ADD beyond COPY (DF-40): archives are unpacked, git repositories and URLs are fetched. What comes of these lies in
 * directories of the step's own below the staging directory, from where files are linked into the layer.
 * Runs in: the BUILDER, but for the flags and the asking of servers (add_key_source). */
#include "copy-work.h"

#include "fetch.h"
#include "rootpath.h"
#include "unpack.h"

#include "whelk/digest.h"
#include "whelk/download.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <ctype.h>
#include <fcntl.h>

enum { HASH_BUFFER = 256 * 1024 };
static const uint64_t download_max = UINT64_C(64) << 30;

struct add_scratch {
    char *name; /* below staging */
    char *what;
    struct copy_tree tree;
    struct pack_owners special;
};

bool add_is_remote(const char *source)
{
    return fetch_kind(source) != FETCH_NONE;
}

static int scratch_new(struct step *s, struct copy_work *w, const char *what, bool layers, struct add_scratch **ret)
{
    struct builder *b = s->b;
    struct add_scratch *a = xcalloc(1, sizeof(*a));
    w->scratches = xrealloc(w->scratches, (w->n_scratches + 1) * sizeof(struct add_scratch *));
    w->scratches[w->n_scratches++] = a;
    a->name = xasprintf("%u-add", b->n_dirs++);
    a->what = str_printable(what);
    a->tree = (struct copy_tree){
        .fd = -1,
        .what = a->what,
        .layers = layers,
        .kept_owners = layers && idmap_single(&b->store->map),
        .special_owners = &a->special,
        .movable = true,
        .exclude = w->exclude,
        .digests = b->digests,
    };
    int r = dir_make(b->staging->fd, a->name, 0755);
    if (r == 0)
        r = a->tree.fd = dir_open(b->staging->fd, a->name);
    if (r < 0)
        return r;
    *ret = a;
    return 0;
}

void add_done(struct step *s, struct copy_work *w)
{
    for (size_t i = 0; i < w->n_scratches; i++) {
        struct add_scratch *a = w->scratches[i];
        fd_close(a->tree.fd);
        pack_owners_done(&a->special);
        tree_remove(s->b->staging->fd, a->name); /* else it goes with the staging */
        free(a->name);
        free(a->what);
        free(a);
    }
    free(w->scratches);
    free(w->checksum);
    strv_free(w->commits);
    strv_free(w->remotes);
}

/* ---- flags ---- */

int add_read_flags(struct step *s, struct copy_work *w)
{
    const char *checksum = instruction_flag(s->i, "checksum");
    int r = 0;
    if (checksum)
        r = expand_word(checksum, s->b->file.escape, build_state_lookup, s->state, &w->checksum);
    if (r < 0)
        return r;
    if (checksum && strv_len(w->remotes) + strv_len(w->sources) + strv_len(w->texts) != 1)
        return err_set(-EINVAL, "--checksum is for a single source");
    if (checksum && !w->remotes)
        return err_set(-EINVAL, "--checksum is for URLs and git repositories; %s is a file of the context",
                       w->sources ? w->sources[0] : "a heredoc");
    s->indirect = w->remotes != NULL;
    cache_key_add_strv(&s->key, "remotes", w->remotes);
    cache_key_add(&s->key, "unpack", instruction_flag(s->i, "unpack"));
    cache_key_add_number(&s->key, "git", instruction_switch(s->i, "keep-git-dir"));
    return 0;
}

/* Local archives unless it is switched off, downloads only where it is switched on. */
static bool unpacks(const struct step *s, bool remote)
{
    return instruction_flag(s->i, "unpack") ? instruction_switch(s->i, "unpack") : !remote;
}

/* ---- git ---- */

static int git_check(const struct copy_work *w, const char *commit)
{
    if (!w->checksum || str_eq(w->checksum, commit))
        return 0;
    return err_set(-EBADMSG, "--checksum=%s: the commit is %s", w->checksum, commit);
}

/* The commit, which is asked for once. */
static int git_commit(struct copy_work *w, const char *source, struct git_ref *g, char ret[GIT_COMMIT])
{
    const char *known = strv_env_get(w->commits, source);
    int r = git_ref_parse(source, g);
    if (r < 0)
        return r;
    if (known) {
        snprintf(ret, GIT_COMMIT, "%s", known);
        return 0;
    }
    r = git_resolve(g, ret);
    if (r == 0)
        r = git_check(w, ret);
    if (r == 0)
        strv_env_set(&w->commits, source, ret);
    return r;
}

/* The repository's files, or those of a directory in it. */
static int git_add(struct step *s, struct copy_work *w, const char *source)
{
    auto_with(git_ref_done) struct git_ref g = {0};
    char commit[GIT_COMMIT], *dir[2] = {NULL};
    struct add_scratch *a;
    auto_free char *subdir = NULL;
    int r = git_commit(w, source, &g, commit);
    if (r == 0)
        r = scratch_new(s, w, source, false, &a);
    if (r == 0)
        r = git_fetch(&g, commit, instruction_switch(s->i, "keep-git-dir"), a->tree.fd);
    if (r < 0)
        return r;
    subdir = rootpath_clean(g.subdir ? g.subdir : "");
    dir[0] = subdir;
    return copy_list_add(&a->tree, dir, &w->list);
}

/* ---- http ---- */

/* The last component of the path, decoded; "" if there is none that can be a name. The caller frees. */
static char *url_name(const char *url)
{
    auto_free char *path = xstrndup(url, strcspn(url, "?#"));
    const char *host = strstr(path, "://") + 3, *slash = strrchr(host, '/');
    auto_buf struct buf name = {0};
    for (const char *p = slash ? slash + 1 : ""; *p; p++) {
        char hex[3] = {p[1], p[1] ? p[2] : '\0', '\0'};
        bool coded = *p == '%' && isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]);
        buf_addc(&name, coded ? (char)strtoul(hex, NULL, 16) : *p);
        p += coded ? 2 : 0;
    }
    bool good = name.len && strlen(name.data) == name.len && !strchr(name.data, '/') && !str_eq(name.data, ".") &&
                !str_eq(name.data, "..");
    return xstrdup(good ? name.data : "");
}

/* What the server says about the file without sending it. A checksum says it all. */
static int url_key(const struct copy_work *w, const char *url, struct cache_key *k)
{
    struct download_facts facts;
    cache_key_add(k, "checksum", w->checksum);
    if (w->checksum)
        return 0;
    int r = download(url, -1, download_max, &facts);
    bool told = r == 0 && (*facts.etag || *facts.modified);
    err_clear(); /* there are servers without HEAD */
    cache_key_add(k, "etag", told ? facts.etag : NULL);
    cache_key_add(k, "modified", told ? facts.modified : NULL);
    return !told;
}

static int hash_file(int fd, char ret[DIGEST_BUF])
{
    auto_free char *data = xmalloc(HASH_BUFFER);
    struct digest *d = digest_new(true);
    off_t at = 0;
    ssize_t n;
    while ((n = pread(fd, data, HASH_BUFFER, at)) > 0) {
        digest_add(d, data, (size_t)n);
        at += n;
    }
    digest_finish(d, ret);
    digest_free(d);
    return n < 0 ? -errno : 0;
}

static int url_check(const struct copy_work *w, const char *url, int fd)
{
    char hex[DIGEST_BUF];
    const char *wanted = w->checksum ? digest_hex(w->checksum) : NULL;
    if (!w->checksum)
        return 0;
    int r = hash_file(fd, hex);
    if (r < 0)
        return err_set(r, "cannot read %s again: %s", url, strerror(-r));
    if (wanted && str_eq(hex, wanted))
        return 0;
    return err_set(-EBADMSG, "--checksum=%s: what came from %s has sha256:%s", w->checksum, url, hex);
}

/* A name that is no pattern. The caller frees. */
static char *escaped(const char *name)
{
    auto_buf struct buf b = {0};
    for (; *name; name++) {
        if (strchr("*?[\\", *name))
            buf_addc(&b, '\\');
        buf_addc(&b, *name);
    }
    return buf_take(&b);
}

static int url_add(struct step *s, struct copy_work *w, const char *url)
{
    struct download_facts facts;
    struct add_scratch *a;
    auto_free char *name = url_name(url);
    if (!*name && w->into)
        return err_set(-EINVAL, "%s has no name at its end; give the file's name in the destination", url);
    auto_free char *source = escaped(*name ? name : "download");
    int r = scratch_new(s, w, url, false, &a);
    if (r < 0)
        return r;
    auto_close int fd = openat(a->tree.fd, *name ? name : "download", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys("cannot keep %s", url);
    r = download(url, fd, download_max, &facts);
    if (r == 0)
        r = url_check(w, url, fd);
    if (r < 0)
        return r;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = facts.mtime}};
    if (facts.mtime && futimens(fd, times) < 0)
        return err_sys("cannot set the time of %s", url);
    return copy_list_add(&a->tree, (char *[]){source, NULL}, &w->list);
}

/* ---- keys ---- */

static int key_remote(struct copy_work *w, const char *source, struct cache_key *k)
{
    auto_with(git_ref_done) struct git_ref g = {0};
    char commit[GIT_COMMIT];
    if (fetch_kind(source) == FETCH_URL)
        return url_key(w, source, k);
    int r = git_commit(w, source, &g, commit);
    if (r == 0)
        cache_key_add(k, "commit", commit);
    return r;
}

int add_key_source(struct step *s, struct cache_key *k)
{
    struct copy_work *w = s->work;
    int r = 0;
    strv_foreach (source, w->remotes) {
        r = key_remote(w, source, k);
        if (r != 0)
            break;
    }
    return r;
}

int add_key_content(struct step *s, struct cache_key *k)
{
    struct copy_work *w = s->work;
    int r = 0;
    strv_foreach (source, w->remotes) {
        r = fetch_kind(source) == FETCH_GIT ? git_add(s, w, source) : url_add(s, w, source);
        if (r < 0)
            return r;
    }
    r = copy_check_list(w);
    return r < 0 ? r : copy_list_key(&w->list, k);
}

/* ---- archives ---- */

static int unpack_item(struct step *s, struct copy_work *w, size_t at, int fd)
{
    char top[] = "", *all[] = {top, NULL};
    auto_free char *name = xstrdup(w->list.v[at].name);
    struct add_scratch *a;
    int r = scratch_new(s, w, name, true, &a);
    if (r == 0)
        r = unpack_archive(fd, a->tree.fd, &s->b->store->map, &a->special);
    if (r < 0)
        return err_wrap(r, "%s", name);
    w->list.v[at].unpacked = true;
    return copy_list_add(&a->tree, all, &w->list);
}

int add_unpack(struct step *s, struct copy_work *w)
{
    size_t n = w->list.n, n_sources = w->list.n_sources;
    int r = 0;
    for (size_t i = 0; i < n && r >= 0; i++) {
        const struct copy_item *item = &w->list.v[i];
        if (!item->named || !item->tree || !unpacks(s, item->tree != &w->tree))
            continue;
        auto_close int fd = rootpath_open(item->tree->fd, item->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            return err_set(fd, "cannot read %s: %s", item->name, strerror(-fd));
        r = unpack_is_archive(fd);
        if (r == 1)
            r = unpack_item(s, w, i, fd);
    }
    w->list.n_sources = n_sources;
    return MIN(r, 0);
}
