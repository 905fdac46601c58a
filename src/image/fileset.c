/* Files of image archives. An archive is read once for where its members lie; their bytes are read when they are
 * wanted, by window. Hostile archives: names that leave the archive and names that come twice are refused, links are
 * followed a few steps and within the archive only, the numbers are bounded. What is compressed is inflated by a
 * confined worker. Runs in: the caller's process, and the worker INFLATE. */
#include "fileset.h"

#include "transport-kinds.h"

#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/tar.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

enum { MEMBERS_MAX = 100 * 1000, LINKS_MAX = 4 };

struct member {
    char *path, *link; /* link: another path, or NULL */
    uint64_t offset, len;
};

struct fileset {
    char *name; /* for texts */
    int fd;     /* the directory, or the archive */
    bool archive;
    struct member *members; /* by path */
    size_t n;
};

void fileset_free(struct fileset *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->members[i].path);
        free(f->members[i].link);
    }
    free(f->members);
    fd_close(f->fd);
    free(f->name);
    free(f);
}

/* ---- names ---- */

/* A path within the archive without "." and empty parts; NULL if it leads out. base: the directory that it is relative
 * to, or NULL. Caller frees. */
static char *inner_path(const char *base, const char *path)
{
    auto_free char *whole = base ? xasprintf("%s/%s", base, path) : xstrdup(path);
    auto_strv char **parts = strv_split(whole, "/"), **kept = NULL;
    strv_foreach (part, parts) {
        size_t n = strv_len(kept);
        if (str_eq(part, "..") && n == 0)
            return NULL;
        if (str_eq(part, ".."))
            strv_remove(kept, n - 1);
        else if (!str_eq(part, "."))
            strv_add(&kept, part);
    }
    return strv_join(kept, "/");
}

static int member_compare(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->path, ((const struct member *)b)->path);
}

static const struct member *member_get(const struct fileset *f, const char *path)
{
    const struct member key = {.path = (char *)(uintptr_t)path};
    return f->n ? bsearch(&key, f->members, f->n, sizeof(key), member_compare) : NULL;
}

static const struct member *member_find(const struct fileset *f, const char *name)
{
    const struct member *m = member_get(f, name);
    for (int i = 0; m && m->link; i++)
        m = i < LINKS_MAX ? member_get(f, m->link) : NULL;
    return m;
}

/* ---- the index of an archive ---- */

static int bad_member(const struct tar_entry *e, const char *what)
{
    auto_free char *shown = str_printable(e->path);
    return err_set(-EBADMSG, "%s in the archive %s", shown, what);
}

static int member_add(struct fileset *f, const struct tar_entry *e, uint64_t offset)
{
    bool link = e->type == TAR_SYMLINK || e->type == TAR_HARDLINK;
    if (e->type == TAR_DIR)
        return 0;
    if ((e->type != TAR_FILE && !link) || e->sparse)
        return bad_member(e, "is not a plain file");
    if (f->n == MEMBERS_MAX)
        return bad_member(e, "is one file too many");
    auto_free char *path = inner_path(NULL, e->path), *to = NULL;
    if (!path || !*path || *e->path == '/')
        return bad_member(e, "has a path that leads out of it");
    if (link) {
        char *slash = strrchr(path, '/');
        auto_free char *base = slash && e->type == TAR_SYMLINK ? xstrndup(path, (size_t)(slash - path)) : NULL;
        to = *e->link == '/' ? NULL : inner_path(base, e->link);
        if (!to)
            return bad_member(e, "is a link that leads out of it");
    }
    if ((f->n & (f->n + 1)) == 0) /* room for twice as many, and one */
        f->members = xrealloc(f->members, (2 * f->n + 2) * sizeof(*f->members));
    f->members[f->n++] = (struct member){take_ptr(&path), take_ptr(&to), offset, e->size};
    return 0;
}

static int members_read(struct fileset *f)
{
    const struct tar_entry *e;
    const struct tar_limits limits = {.max_entries = 2 * MEMBERS_MAX};
    struct tar_reader *t = tar_reader_new(f->fd, &limits, NULL, NULL);
    int r = 0, n = 1;
    while (r == 0 && (n = tar_next(t, &e)) > 0)
        r = member_add(f, e, tar_offset(t));
    tar_reader_free(t);
    if (r < 0 || n < 0)
        return r < 0 ? r : n;
    if (f->n)
        qsort(f->members, f->n, sizeof(*f->members), member_compare);
    for (size_t i = 1; i < f->n; i++)
        if (str_eq(f->members[i].path, f->members[i - 1].path)) {
            auto_free char *shown = str_printable(f->members[i].path);
            return err_set(-EBADMSG, "%s is in the archive twice", shown);
        }
    return 0;
}

/* ---- keeping what cannot be read by window ---- */

struct spool {
    enum codec codec;
    int in, out;
    int feed;                    /* the other end of the worker's input */
    char first[CODEC_MAGIC_MAX]; /* bytes that were read to tell the compression */
    size_t n_first;
    uint64_t room;
};

/* An unnamed file, with room for what may come. */
static int spool_file(const char *dir, uint64_t *ret_room)
{
    struct statvfs fs;
    const char *tmp = dir ? dir : getenv("TMPDIR");
    tmp = str_empty(tmp) ? "/var/tmp" : tmp;
    int fd = open(tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys("cannot keep the archive in %s (TMPDIR names another directory)", tmp);
    *ret_room = fstatvfs(fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
    return fd;
}

/* Runs in: INFLATE. */
static int inflate_child(void *arg)
{
    const struct spool *s = arg;
    fd_close(s->feed);
    int r = confine_filter();
    return r < 0 ? r : codec_inflate_fd(s->codec, s->in, s->out, s->room);
}

/* A reader that goes away is its own matter: it says why. */
static int feed(const struct spool *s, int to)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    int r = fd_write_all(to, s->first, s->n_first);
    if (r == 0)
        r = fd_copy(s->in, to);
    sigaction(SIGPIPE, &before, NULL);
    return r == -EPIPE ? 0 : r;
}

/* The worker reads from a pipe that this process fills: so the first bytes can be put back before the others. */
static int spool_inflate(const struct spool *s)
{
    int ends[2];
    struct worker w;
    int r = codec_prepare(s->codec);
    if (r < 0)
        return r;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    auto_close int read_end = ends[0], write_end = ends[1];
    struct spool theirs = *s;
    theirs.in = read_end;
    theirs.feed = write_end;
    r = worker_start(inflate_child, &theirs, &w);
    fd_close(take_fd(&read_end));
    if (r < 0)
        return r;
    int fed = feed(s, write_end);
    fd_close(take_fd(&write_end));
    r = worker_wait(&w);
    return r < 0 || fed == 0 ? r : err_set(fed, "cannot read the archive: %s", strerror(-fed));
}

static int spool_all(const struct spool *s)
{
    if (s->codec != CODEC_NONE)
        return spool_inflate(s);
    int r = feed(s, s->out);
    return r < 0 ? err_set(r, "cannot keep the archive: %s", strerror(-r)) : 0;
}

/* *fd becomes a plain file that starts with the archive. */
static int make_plain(int *fd, const char *tmp)
{
    struct spool s = {.in = *fd, .feed = -1};
    struct stat st;
    ssize_t n = fd_read_full(*fd, s.first, sizeof(s.first));
    if (n < 0 || fstat(*fd, &st) < 0)
        return err_sys("cannot read the archive");
    s.n_first = (size_t)n;
    s.codec = codec_detect(s.first, s.n_first);
    if (S_ISREG(st.st_mode) && s.codec == CODEC_NONE && lseek(*fd, 0, SEEK_CUR) == n)
        return lseek(*fd, 0, SEEK_SET) < 0 ? err_sys("cannot read the archive") : 0;
    auto_close int out = spool_file(tmp, &s.room);
    if (out < 0)
        return out;
    s.out = out;
    int r = spool_all(&s);
    if (r < 0)
        return r;
    fd_close(*fd);
    *fd = take_fd(&out);
    return lseek(*fd, 0, SEEK_SET) < 0 ? err_sys("cannot read the archive") : 0;
}

/* ---- the face ---- */

int fileset_open_dir(const char *path, struct fileset **ret)
{
    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open the directory %s", path);
    struct fileset *f = xcalloc(1, sizeof(*f));
    *f = (struct fileset){.name = xstrdup(path), .fd = take_fd(&fd)};
    *ret = f;
    return 0;
}

int fileset_open_archive(const char *path, const struct transport_options *o, struct fileset **ret)
{
    bool std = str_eq(path, "-") && !o->path;
    path = kind_path(path, o);
    auto_with(fileset_free_auto) struct fileset *f = xcalloc(1, sizeof(*f));
    *f = (struct fileset){.name = xstrdup(std ? "standard input" : path), .archive = true};
    f->fd = std ? fcntl(o->std_fd, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (f->fd < 0)
        return err_sys("cannot open %s", f->name);
    int r = make_plain(&f->fd, o->tmp);
    if (r == 0)
        r = members_read(f);
    if (r < 0)
        return err_wrap(r, "%s", f->name);
    *ret = take_ptr(&f);
    return 0;
}

static int absent(const struct fileset *f, const char *name)
{
    auto_free char *shown = str_printable(name);
    return err_set(-ENOENT, "%s has no file %s", f->name, shown);
}

static int dir_file_open(const struct fileset *f, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(__NR_openat2, f->fd, name, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

int fileset_open(const struct fileset *f, const char *name, struct blob *ret)
{
    struct stat st;
    const struct member *m = f->archive ? member_find(f, name) : NULL;
    auto_close int fd = !f->archive ? dir_file_open(f, name) : m ? fcntl(f->fd, F_DUPFD_CLOEXEC, 3) : -ENOENT;
    if (fd == -ENOENT)
        return absent(f, name);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        auto_free char *shown = str_printable(name);
        return err_set(fd < 0 && fd != -1 ? fd : -EBADMSG, "cannot open the file %s of %s", shown, f->name);
    }
    *ret = (struct blob){
        .fd = take_fd(&fd), .window = true, .offset = m ? m->offset : 0, .len = m ? m->len : (uint64_t)st.st_size};
    return 0;
}

bool fileset_has(const struct fileset *f, const char *name)
{
    if (f->archive)
        return member_find(f, name);
    auto_close int fd = dir_file_open(f, name);
    return fd >= 0;
}

int64_t fileset_size(const struct fileset *f, const char *name)
{
    struct blob b;
    int r = fileset_open(f, name, &b);
    if (r < 0)
        return r;
    fd_close(b.fd);
    return (int64_t)b.len;
}

int fileset_read(const struct fileset *f, const char *name, size_t max, char **ret, size_t *ret_len)
{
    struct blob b;
    int r = fileset_open(f, name, &b);
    if (r < 0)
        return r;
    auto_close __attribute__((unused)) int fd = b.fd;
    auto_free char *shown = str_printable(name);
    if (b.len > max)
        return err_set(-EFBIG, "the file %s of %s has more than %zu bytes", shown, f->name, max);
    auto_free char *bytes = xmalloc(b.len + 1);
    size_t got = 0;
    for (ssize_t n = 1; n > 0; got += (size_t)MAX(n, (ssize_t)0)) {
        n = blob_read(&b, bytes + got, b.len);
        if (n < 0)
            return (int)n;
    }
    if (b.len > 0)
        return err_set(-EBADMSG, "the file %s of %s is cut short", shown, f->name);
    bytes[got] = '\0';
    *ret = take_ptr(&bytes);
    *ret_len = got;
    return 0;
}
