/* Files that are whole or absent. Runs in: the caller's process, or a worker that puts one blob. */
#include "output.h"

#include "layout.h"
#include "transport-kinds.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/tar.h"

#include <fcntl.h>

enum { MOVE_SIZE = 256 * 1024, FILE_MODE = 0644, DIR_MODE = 0755 };

/* ---- files ---- */

/* "dir/.tmp-<id>" beside path. Caller frees. */
static char *draft_name(const char *path)
{
    char id[ID_LEN + 1];
    const char *slash = strrchr(path, '/');
    id_new(id);
    return xasprintf("%.*s.tmp-%.16s", slash ? (int)(slash + 1 - path) : 0, path, id);
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? xstrdup("/") : slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
}

static bool is_special(int dir, const char *path)
{
    struct stat st;
    return fstatat(dir, path, &st, 0) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

int output_open(int dir, const char *path, struct output *ret)
{
    auto_free char *parent = parent_of(path);
    struct output o = {.dir = dir, .direct = is_special(dir, path)};
    if (o.direct)
        o.fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    else
        o.fd = openat(dir, parent, O_TMPFILE | O_WRONLY | O_CLOEXEC, FILE_MODE);
    if (o.fd < 0 && !o.direct && (errno == EOPNOTSUPP || errno == EISDIR)) {
        o.draft = draft_name(path);
        o.fd = openat(dir, o.draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    }
    if (o.fd < 0) {
        free(o.draft);
        return err_sys("cannot write %s", path);
    }
    o.path = xstrdup(path);
    *ret = o;
    return 0;
}

void output_direct(int fd, struct output *ret)
{
    *ret = (struct output){.fd = fd, .dir = AT_FDCWD, .path = xstrdup("standard output"), .direct = true};
}

static int give_draft_name(struct output *o)
{
    char self[40];
    o->draft = draft_name(o->path);
    snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
    if (linkat(AT_FDCWD, self, o->dir, o->draft, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    free(take_ptr(&o->draft));
    return err_sys("cannot write %s", o->path);
}

int output_commit(struct output *o)
{
    int r = o->direct || o->draft ? 0 : give_draft_name(o);
    if (r < 0 || o->direct)
        return r;
    if (renameat(o->dir, o->draft, o->dir, o->path) < 0)
        return err_sys("cannot write %s", o->path);
    free(take_ptr(&o->draft));
    return 0;
}

void output_done(struct output *o)
{
    if (o->draft)
        unlinkat(o->dir, o->draft, 0);
    fd_close(o->fd);
    free(o->draft);
    free(o->path);
    *o = (struct output){.fd = -1};
}

int output_dir(const char *path)
{
    if (mkdir(path, DIR_MODE) < 0 && errno != EEXIST)
        return err_sys("cannot make the directory %s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys("cannot open the directory %s", path) : fd;
}

/* ---- blobs ---- */

struct move {
    struct blob *in;
    int out;
    const struct descriptor *known;
    struct digest *digest; /* NULL: who sends verifies */
    uint64_t count;
};

static int moved(struct move *m, size_t n)
{
    m->count += n;
    if (m->known && m->known->size >= 0 && m->count > (uint64_t)m->known->size)
        return err_set(-EBADMSG, "the blob %s is larger than it should be", m->known->digest);
    return 0;
}

/* From pipe to file within the kernel. 0: cannot be done so. */
static int move_spliced(struct move *m)
{
    for (;;) {
        ssize_t n = splice(m->in->fd, NULL, m->out, NULL, 1 << 20, SPLICE_F_MOVE);
        if (n < 0 && (errno == EINVAL || errno == EINTR))
            return errno == EINTR ? move_spliced(m) : 0;
        if (n < 0)
            return err_sys("cannot write a blob");
        if (n == 0)
            return 1;
        int r = moved(m, (size_t)n);
        if (r < 0)
            return r;
    }
}

static int move_read(struct move *m)
{
    auto_free char *data = xmalloc(MOVE_SIZE);
    ssize_t n;
    while ((n = blob_read(m->in, data, MOVE_SIZE)) > 0) {
        if (m->digest)
            digest_add(m->digest, data, (size_t)n);
        int r = moved(m, (size_t)n);
        if (r == 0)
            r = fd_write_all(m->out, data, (size_t)n);
        if (r < 0)
            return r == -EBADMSG ? r : err_set(r, "cannot write a blob: %s", strerror(-r));
    }
    return (int)n;
}

static int move_check(struct move *m, char ret_digest[DIGEST_TEXT])
{
    char hex[DIGEST_BUF];
    if (m->digest) {
        digest_finish(m->digest, hex);
        snprintf(ret_digest, DIGEST_TEXT, "sha256:%s", hex);
    } else {
        snprintf(ret_digest, DIGEST_TEXT, "%s", m->known->digest);
    }
    if (!m->known)
        return 0;
    if (!str_eq(ret_digest, m->known->digest) || (m->known->size >= 0 && m->count != (uint64_t)m->known->size))
        return err_set(-EBADMSG, "the blob %s is damaged: it has %llu bytes and the digest %s", m->known->digest,
                       (unsigned long long)m->count, ret_digest);
    return 0;
}

int blob_move(struct blob *in, int fd, const struct descriptor *known, char ret_digest[DIGEST_TEXT], int64_t *ret_size)
{
    bool checked = in->checked && known;
    struct move m = {.in = in, .out = fd, .known = known, .digest = checked ? NULL : digest_new(true)};
    int r = checked && !in->window ? move_spliced(&m) : 0;
    if (r == 0)
        r = move_read(&m);
    if (r >= 0)
        r = move_check(&m, ret_digest);
    digest_free(m.digest);
    *ret_size = (int64_t)m.count;
    return r;
}

/* ---- archives ---- */

static int archive_write(struct output *o, const void *data, size_t len)
{
    int r = fd_write_all(o->fd, data, len);
    return r < 0 ? err_set(r, "cannot write %s: %s", o->path, strerror(-r)) : 0;
}

static int archive_header(struct output *o, const char *name, enum tar_type type, uint64_t size)
{
    auto_buf struct buf header = {0};
    struct tar_entry e = {
        .path = (char *)(uintptr_t)name,
        .type = type,
        .mode = type == TAR_DIR ? DIR_MODE : FILE_MODE,
        .size = size,
    };
    tar_format(&e, &header);
    return archive_write(o, header.data, header.len);
}

static int archive_padding(struct output *o, uint64_t size)
{
    static const char zeros[TAR_BLOCK_SIZE];
    return archive_write(o, zeros, tar_padding(size));
}

int archive_bytes(struct output *o, const char *name, const void *data, size_t len)
{
    int r = archive_header(o, name, TAR_FILE, len);
    if (r == 0)
        r = archive_write(o, data, len);
    return r < 0 ? r : archive_padding(o, len);
}

int archive_blob(struct output *o, const char *name, struct blob *in, const struct descriptor *known)
{
    char digest[DIGEST_TEXT];
    int64_t size;
    if (known->size < 0)
        return err_set(-ENOTSUP, "the size of the blob %s is not known: an archive needs it", known->digest);
    int r = archive_header(o, name, TAR_FILE, (uint64_t)known->size);
    if (r == 0)
        r = blob_move(in, o->fd, known, digest, &size);
    return r < 0 ? r : archive_padding(o, (uint64_t)known->size);
}

int archive_dir(struct output *o, const char *name)
{
    return archive_header(o, name, TAR_DIR, 0);
}

int archive_end(struct output *o)
{
    static const char end[TAR_END_SIZE];
    return archive_write(o, end, sizeof(end));
}

/* An archive on standard output goes there as it comes. */
static int archive_direct(const struct transport_options *options, struct output *ret)
{
    if (isatty(options->std_fd))
        return err_set(-EINVAL, "an archive is not for a terminal: name a file, or send it into a pipe");
    int fd = fcntl(options->std_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return err_sys("cannot write to standard output");
    output_direct(fd, ret);
    return 0;
}

int archive_open(const char *rest, const struct transport_options *options, char **ret_reference, struct output *ret)
{
    auto_free char *file = NULL, *reference = NULL;
    layout_split(rest, &file, &reference);
    const char *path = kind_path(file, options);
    int r = str_eq(path, "-") ? archive_direct(options, ret) : output_open(AT_FDCWD, path, ret);
    if (r == 0)
        *ret_reference = take_ptr(&reference);
    return r;
}
