/* The tar reader. A stream is a row of header blocks with what belongs to them: extended headers and GNU long names say
 * something about the next entry (struct tar_meta collects it), an entry may have payload, anything else is passed
 * over.
 *
 * Every byte is consumed by take(), which keeps the offset; everything but the payload of plain files goes from there
 * to raw. */
#include "whelk/tar.h"

#include "tar-parts.h"
#include "whelk/err.h"

#include <sys/stat.h>

enum { BUF_SIZE = 128 * 1024 };

struct tar_reader {
    int fd;
    struct tar_limits limits;
    tar_raw_fn *raw;
    void *raw_arg;

    char *buf; /* bytes that were read and not yet taken: from pos to end */
    size_t pos, end;
    uint64_t offset;    /* in the stream, of buf[pos] */
    uint64_t file_size; /* of a file that was given from its start; else 0 */

    int failed;
    bool ended;
    uint64_t headers;
    struct tar_meta global, meta;

    struct tar_entry entry;
    uint64_t left;    /* stored payload that was not yet taken */
    size_t padding;   /* behind it */
    bool payload_raw; /* the stored payload goes to raw */

    struct tar_sparse map;
    size_t segment;    /* of map, in which or before which position is */
    uint64_t position; /* in the expanded payload */
};

/* The bytes of the stream */

static int stream_bad(const struct tar_reader *r, const char *what)
{
    return err_set(-EBADMSG, "tar archive, byte %llu: %s", (unsigned long long)r->offset, what);
}

static int stream_wrap(const struct tar_reader *r, int error)
{
    return err_wrap(error, "tar archive, byte %llu", (unsigned long long)r->offset);
}

static ssize_t read_some(const struct tar_reader *r, void *data, size_t len)
{
    ssize_t n;
    do
        n = read(r->fd, data, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_sys("cannot read the tar archive") : n;
}

static int give_raw(const struct tar_reader *r, const void *data, size_t len)
{
    return r->raw && len ? r->raw(r->raw_arg, data, len) : 0;
}

/* The next bytes of the stream, at most len of them, where they lie in the buffer. 0 at its end. */
static ssize_t take(struct tar_reader *r, uint64_t len, const char **ret)
{
    if (r->pos == r->end) {
        ssize_t n = read_some(r, r->buf, BUF_SIZE);
        if (n <= 0)
            return n;
        r->pos = 0;
        r->end = n;
    }
    size_t n = MIN(len, r->end - r->pos);
    *ret = r->buf + r->pos;
    r->pos += n;
    r->offset += n;
    return n;
}

/* Reads len bytes for us and for raw; fewer at the end of the stream. */
static ssize_t take_into(struct tar_reader *r, void *data, size_t len)
{
    size_t got = 0;
    while (got < len) {
        const char *p;
        ssize_t n = take(r, len - got, &p);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        memcpy((char *)data + got, p, n);
        got += n;
    }
    int error = give_raw(r, data, got);
    return error < 0 ? error : (ssize_t)got;
}

/* In a file, bytes that nobody wants need not be read. Only what is really there is passed over so. */
static uint64_t seek_over(struct tar_reader *r, uint64_t len)
{
    uint64_t held = r->end - r->pos;
    if (len <= held || r->offset > r->file_size || len > r->file_size - r->offset ||
        lseek(r->fd, (off_t)(len - held), SEEK_CUR) < 0)
        return 0;
    r->pos = r->end;
    r->offset += len;
    return len;
}

/* Passes over len bytes; returns how many there were. */
static int64_t take_over(struct tar_reader *r, uint64_t len, bool raw)
{
    uint64_t got = raw && r->raw ? 0 : seek_over(r, len);
    while (got < len) {
        const char *p;
        ssize_t n = take(r, len - got, &p);
        if (n == 0)
            break;
        int error = n > 0 && raw ? give_raw(r, p, n) : 0;
        if (n < 0 || error < 0)
            return n < 0 ? n : error;
        got += n;
    }
    return got;
}

/* A whole block, or -EBADMSG. */
static int take_block(struct tar_reader *r, void *block)
{
    ssize_t n = take_into(r, block, TAR_BLOCK_SIZE);
    if (n < 0)
        return n;
    return n == TAR_BLOCK_SIZE ? 0 : stream_bad(r, "the archive is cut short");
}

/* The rest of the current entry's payload, and its padding, which old writers leave out at the end of the archive. */
static int payload_finish(struct tar_reader *r)
{
    int64_t n = take_over(r, r->left, r->payload_raw);
    if (n < 0)
        return n;
    if ((uint64_t)n < r->left)
        return stream_bad(r, "the archive is cut short");
    r->left = 0;
    n = take_over(r, r->padding, true);
    r->padding = 0;
    return MIN(n, 0);
}

/* Sparse files */

static int old_sparse_add(struct tar_reader *r, const struct tar_block_sparse *rows, size_t n)
{
    for (size_t i = 0; i < n && rows[i].offset[0]; i++) {
        int64_t offset, len;
        if (!tar_number(rows[i].offset, sizeof(rows[i].offset), &offset) ||
            !tar_number(rows[i].len, sizeof(rows[i].len), &len) || offset < 0 || len < 0)
            return stream_bad(r, "the map of a sparse file is damaged");
        int error = tar_sparse_add(&r->map, offset);
        if (error == 0)
            error = tar_sparse_add(&r->map, len);
        if (error < 0)
            return stream_wrap(r, error);
    }
    return 0;
}

/* GNU's own header: the map begins in it and goes on in blocks between it and the payload. */
static int sparse_from_block(struct tar_reader *r, const struct tar_block *b)
{
    int64_t real_size;
    if (tar_block_magic(b) != TAR_GNU || !tar_number(b->gnu.real_size, sizeof(b->gnu.real_size), &real_size) ||
        real_size < 0)
        return stream_bad(r, "the header of a sparse file is damaged");
    int error = old_sparse_add(r, b->gnu.sparse, TAR_SPARSE_FIRST);
    struct tar_block_more more = {.more = b->gnu.more};
    while (error == 0 && more.more) {
        error = take_block(r, &more);
        if (error == 0)
            error = old_sparse_add(r, more.sparse, TAR_SPARSE_MORE);
    }
    r->entry.size = real_size;
    return error;
}

/* The map in front of the payload (PAX 1.0): lines of decimal numbers, padded to whole blocks. */
struct map_lines {
    struct tar_reader *r;
    char block[TAR_BLOCK_SIZE];
    size_t pos;
};

static int map_byte(struct map_lines *m)
{
    if (m->pos == TAR_BLOCK_SIZE) {
        if (m->r->left < TAR_BLOCK_SIZE)
            return stream_bad(m->r, "the map of a sparse file is damaged");
        int error = take_block(m->r, m->block);
        if (error < 0)
            return error;
        m->r->left -= TAR_BLOCK_SIZE;
        m->pos = 0;
    }
    return (unsigned char)m->block[m->pos++];
}

static int map_number(struct map_lines *m, uint64_t *ret)
{
    uint64_t n = 0;
    for (size_t len = 0;; len++) {
        int c = map_byte(m);
        if (c < 0)
            return c;
        if (c == '\n' && len) {
            *ret = n;
            return 0;
        }
        if (c < '0' || c > '9' || n > (INT64_MAX - 9) / 10)
            return stream_bad(m->r, "the map of a sparse file is damaged");
        n = n * 10 + (c - '0');
    }
}

static int sparse_from_payload(struct tar_reader *r)
{
    struct map_lines lines = {.r = r, .pos = TAR_BLOCK_SIZE};
    uint64_t count, n;
    int error = map_number(&lines, &count);
    if (error == 0 && count > TAR_MAX_SEGMENTS)
        return stream_bad(r, "a sparse file has too many pieces");
    for (uint64_t i = 0; error == 0 && i < 2 * count; i++) {
        error = map_number(&lines, &n);
        if (error == 0)
            error = tar_sparse_add(&r->map, n);
    }
    return error;
}

static bool meta_is_sparse(const struct tar_meta *m)
{
    return m->has_sparse_major || m->has_real_size || m->sparse.n > 0;
}

static int sparse_from_meta(struct tar_reader *r)
{
    struct tar_meta *m = &r->meta;
    if (!m->has_real_size || m->sparse_major > 1 || (m->sparse_major == 1 && m->sparse_minor > 0))
        return stream_bad(r, "a sparse file of an unknown format");
    r->entry.size = m->real_size;
    if (m->sparse_path) {
        free(r->entry.path);
        r->entry.path = take_ptr(&m->sparse_path);
    }
    if (m->sparse_major == 1)
        return sparse_from_payload(r);
    if (m->has_sparse_count && m->sparse_count != m->sparse.n)
        return stream_bad(r, "the map of a sparse file is damaged");
    r->map = m->sparse;
    m->sparse = (struct tar_sparse){};
    return 0;
}

/* A file whose stored payload is only its pieces. */
static int sparse_start(struct tar_reader *r, const struct tar_block *b)
{
    int error = b->type == 'S' ? sparse_from_block(r, b) : sparse_from_meta(r);
    if (error < 0)
        return error;
    error = tar_sparse_check(&r->map, r->entry.size, r->left);
    r->entry.sparse = r->payload_raw = true;
    return error < 0 ? stream_wrap(r, error) : 0;
}

/* Entries */

struct header_kind;
typedef int header_fn(struct tar_reader *r, const struct header_kind *kind, const struct tar_block *b);

struct header_kind {
    char flag;
    header_fn *take; /* 1: the entry is complete, 0: go on with the next header */
    enum tar_type type;
};

/* The size of the stored payload by header and extended headers. */
static int payload_set(struct tar_reader *r, const struct tar_block *b)
{
    int64_t size;
    if (!tar_number(b->size, sizeof(b->size), &size) || size < 0)
        return stream_bad(r, "the header has a bad size");
    r->left = r->meta.has_size ? r->meta.size : r->global.has_size ? r->global.size : (uint64_t)size;
    r->padding = tar_padding(r->left);
    r->payload_raw = true;
    return 0;
}

static char *field_text(const char *field, size_t len)
{
    return xstrndup(field, strnlen(field, len));
}

/* The name in the header. Where GNU has its access time, old Go writers could put a ustar prefix nevertheless. */
static char *block_path(const struct tar_block *b)
{
    int64_t atime;
    enum tar_magic magic = tar_block_magic(b);
    bool misplaced = magic == TAR_GNU && b->type != 'S' && !tar_number(b->gnu.atime, sizeof(b->gnu.atime), &atime);
    if ((magic != TAR_USTAR && !misplaced) || !b->prefix[0])
        return field_text(b->name, sizeof(b->name));
    return xasprintf("%.*s/%.*s", (int)sizeof(b->prefix), b->prefix, (int)sizeof(b->name), b->name);
}

/* The first name that is there wins. */
static char *text_of(char **first, char **second, const char *third, char *(*last)(const struct tar_block *),
                     const struct tar_block *b)
{
    if (*first)
        return take_ptr(first);
    if (*second)
        return take_ptr(second);
    return third ? xstrdup(third) : last(b);
}

static char *block_link(const struct tar_block *b)
{
    return field_text(b->link, sizeof(b->link));
}

static int entry_names(struct tar_reader *r, const struct tar_block *b)
{
    struct tar_entry *e = &r->entry;
    e->path = text_of(&r->meta.long_path, &r->meta.path, r->global.path, block_path, b);
    if (e->type == TAR_HARDLINK || e->type == TAR_SYMLINK)
        e->link = text_of(&r->meta.long_link, &r->meta.link, r->global.link, block_link, b);
    return 0;
}

/* Checks and cuts what entry_names and sparse headers gave. */
static int entry_names_finish(struct tar_reader *r)
{
    struct tar_entry *e = &r->entry;
    size_t len = strlen(e->path);
    if (e->type == TAR_DIR) {
        while (len > 1 && e->path[len - 1] == '/')
            e->path[--len] = '\0';
    }
    if (len == 0)
        return stream_bad(r, "an entry without a name");
    if (len > r->limits.max_path || (e->link && strlen(e->link) > r->limits.max_path))
        return stream_bad(r, "a name is too long");
    return 0;
}

static int entry_owner(struct tar_reader *r, const struct tar_block *b)
{
    const struct tar_meta *m = &r->meta, *g = &r->global;
    int64_t uid, gid;
    if (!tar_number(b->uid, sizeof(b->uid), &uid) || !tar_number(b->gid, sizeof(b->gid), &gid))
        return stream_bad(r, "the header has a bad owner");
    uid = m->has_uid ? m->uid : g->has_uid ? g->uid : uid;
    gid = m->has_gid ? m->gid : g->has_gid ? g->gid : gid;
    if (uid < 0 || gid < 0 || uid > UINT32_MAX || gid > UINT32_MAX)
        return stream_bad(r, "the header has a bad owner");
    r->entry.uid = uid;
    r->entry.gid = gid;
    return 0;
}

static int entry_mode_time(struct tar_reader *r, const struct tar_block *b)
{
    const struct tar_meta *m = &r->meta, *g = &r->global;
    int64_t mode, seconds;
    if (!tar_number(b->mode, sizeof(b->mode), &mode))
        return stream_bad(r, "the header has a bad mode");
    if (!tar_number(b->mtime, sizeof(b->mtime), &seconds))
        return stream_bad(r, "the header has a bad time");
    r->entry.mode = mode & 07777;
    r->entry.mtime = m->has_mtime ? m->mtime : g->has_mtime ? g->mtime : tar_time(seconds, 0);
    return 0;
}

static int entry_device(struct tar_reader *r, const struct tar_block *b)
{
    int64_t major, minor;
    if (r->entry.type != TAR_CHAR && r->entry.type != TAR_BLOCK)
        return 0;
    if (!tar_number(b->major, sizeof(b->major), &major) || !tar_number(b->minor, sizeof(b->minor), &minor) ||
        major < 0 || minor < 0 || major > UINT32_MAX || minor > UINT32_MAX)
        return stream_bad(r, "the header has a bad device number");
    r->entry.major = major;
    r->entry.minor = minor;
    return 0;
}

/* v7 has no type for directories. */
static enum tar_type entry_type(const struct tar_entry *e, const struct tar_block *b)
{
    size_t len = strlen(e->path);
    return b->type == '\0' && len && e->path[len - 1] == '/' ? TAR_DIR : e->type;
}

static int entry_payload(struct tar_reader *r, const struct tar_block *b)
{
    struct tar_entry *e = &r->entry;
    int error = payload_set(r, b);
    if (error < 0)
        return error;
    if (e->type == TAR_FILE && (b->type == 'S' || meta_is_sparse(&r->meta)))
        return sparse_start(r, b);
    if (e->type == TAR_FILE) {
        e->size = r->left;
        r->payload_raw = false;
    } else if (b->type != '\0') {
        r->left = r->padding = 0; /* other kinds have none, whatever their size says */
    }
    return 0;
}

static int take_entry(struct tar_reader *r, const struct header_kind *kind, const struct tar_block *b)
{
    static int (*const steps[])(struct tar_reader *, const struct tar_block *) = {
        entry_names,
        entry_owner,
        entry_mode_time,
        entry_device,
    };
    struct tar_entry *e = &r->entry;
    e->type = kind->type;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int error = steps[i](r, b);
        if (error < 0)
            return error;
    }
    e->type = entry_type(e, b);
    e->xattrs = take_ptr(&r->meta.xattrs);
    e->n_xattrs = r->meta.n_xattrs;
    r->meta.n_xattrs = 0;
    int error = entry_payload(r, b);
    if (error == 0)
        error = entry_names_finish(r);
    return error < 0 ? error : 1;
}

/* The whole payload of a header that is about the next entry. */
static int extra_read(struct tar_reader *r, const struct tar_block *b, struct buf *ret)
{
    int64_t size;
    if (!tar_number(b->size, sizeof(b->size), &size) || size < 0)
        return stream_bad(r, "the header has a bad size");
    if ((uint64_t)size > r->limits.max_pax)
        return stream_bad(r, "an extended header is too large");
    buf_reserve(ret, size + 1);
    ssize_t n = take_into(r, ret->data, size);
    if (n < 0)
        return n;
    if (n < size)
        return stream_bad(r, "the archive is cut short");
    ret->len = size;
    ret->data[size] = '\0';
    int64_t padding = take_over(r, tar_padding(size), true);
    return MIN(padding, 0);
}

static int take_pax(struct tar_reader *r, const struct header_kind *kind, const struct tar_block *b)
{
    auto_buf struct buf data = {};
    bool global = kind->flag == 'g';
    int error = extra_read(r, b, &data);
    if (error < 0)
        return error;
    error = tar_pax_read(data.data, data.len, global, global ? &r->global : &r->meta);
    return error < 0 ? stream_wrap(r, error) : 0;
}

static int take_long_name(struct tar_reader *r, const struct header_kind *kind, const struct tar_block *b)
{
    auto_buf struct buf data = {};
    char **name = kind->flag == 'L' ? &r->meta.long_path : &r->meta.long_link;
    int error = extra_read(r, b, &data);
    if (error < 0)
        return error;
    free(*name);
    *name = xstrdup(data.data);
    return 0;
}

/* An entry that we do not know (a volume label, a dump of directories): what was said about it goes with it. */
static int take_unknown(struct tar_reader *r, const struct header_kind *kind, const struct tar_block *b)
{
    int error = payload_set(r, b);
    tar_meta_done(&r->meta);
    return error < 0 ? error : payload_finish(r);
}

static const struct header_kind header_kinds[] = {
    {'0', take_entry, TAR_FILE},
    {'\0', take_entry, TAR_FILE}, /* v7 */
    {'7', take_entry, TAR_FILE},  /* contiguous */
    {'S', take_entry, TAR_FILE},  /* GNU sparse */
    {'1', take_entry, TAR_HARDLINK},
    {'2', take_entry, TAR_SYMLINK},
    {'3', take_entry, TAR_CHAR},
    {'4', take_entry, TAR_BLOCK},
    {'5', take_entry, TAR_DIR},
    {'6', take_entry, TAR_FIFO},
    {'x', take_pax, 0},
    {'g', take_pax, 0},
    {'L', take_long_name, 0}, /* GNU */
    {'K', take_long_name, 0},
};

static int header_take(struct tar_reader *r, const struct tar_block *b)
{
    for (size_t i = 0; i < ARRAY_LEN(header_kinds); i++) {
        if (header_kinds[i].flag == b->type)
            return header_kinds[i].take(r, &header_kinds[i], b);
    }
    return take_unknown(r, NULL, b);
}

/* The next header block: 1, or 0 at the end marker or where the stream ends between entries. */
static int header_read(struct tar_reader *r, struct tar_block *b)
{
    ssize_t n = take_into(r, b, sizeof(*b));
    if (n <= 0)
        return n;
    if (n < (ssize_t)sizeof(*b))
        return stream_bad(r, "the archive is cut short");
    if (tar_block_is_zero(b)) {
        n = take_into(r, b, sizeof(*b));
        if (n == sizeof(*b) && !tar_block_is_zero(b))
            return stream_bad(r, "a lone block of zeros");
        return MIN(n, 0);
    }
    if (!tar_block_checksum_ok(b))
        return stream_bad(r, "not a tar header (wrong checksum)");
    if (++r->headers > r->limits.max_entries)
        return stream_bad(r, "too many entries");
    return 1;
}

static int entry_next(struct tar_reader *r)
{
    struct tar_block b;
    int n = payload_finish(r);
    tar_entry_done(&r->entry);
    tar_meta_done(&r->meta);
    tar_sparse_done(&r->map);
    r->segment = r->position = 0;
    while (n == 0) {
        n = header_read(r, &b);
        if (n == 0) {
            r->ended = true;
            return MIN(take_over(r, UINT64_MAX, true), 0);
        }
        if (n > 0)
            n = header_take(r, &b);
    }
    return n;
}

int tar_next(struct tar_reader *r, const struct tar_entry **ret)
{
    if (r->failed || r->ended)
        return r->failed;
    int n = entry_next(r);
    if (n < 0)
        r->failed = n;
    if (n > 0)
        *ret = &r->entry;
    return n;
}

/* Payload */

/* Stored bytes into data, past the buffer where it is empty and data is large. */
static ssize_t stored_read(struct tar_reader *r, void *data, size_t len)
{
    ssize_t n;
    len = MIN(len, r->left);
    if (r->pos == r->end && len >= BUF_SIZE / 2) {
        n = read_some(r, data, len);
        r->offset += MAX(n, 0);
    } else {
        const char *p;
        n = take(r, len, &p);
        if (n > 0)
            memcpy(data, p, n);
    }
    if (n == 0)
        return stream_bad(r, "the archive is cut short");
    r->left -= MAX(n, 0);
    int error = n > 0 && r->payload_raw ? give_raw(r, data, n) : 0;
    return error < 0 ? error : n;
}

static ssize_t sparse_read(struct tar_reader *r, void *data, size_t len)
{
    const struct tar_segment *s = r->map.segments;
    while (r->segment < r->map.n && s[r->segment].offset + s[r->segment].len <= r->position)
        r->segment++;
    bool last = r->segment == r->map.n;
    bool hole = last || r->position < s[r->segment].offset;
    uint64_t end = last ? r->entry.size : s[r->segment].offset + (hole ? 0 : s[r->segment].len);
    ssize_t n = MIN(len, end - r->position);
    if (hole)
        memset(data, 0, n);
    else
        n = stored_read(r, data, n);
    r->position += MAX(n, 0);
    return n;
}

ssize_t tar_data(struct tar_reader *r, void *data, size_t len)
{
    bool more = r->entry.sparse ? r->position < r->entry.size : r->left > 0;
    if (r->failed)
        return r->failed;
    if (r->entry.type != TAR_FILE || !more || len == 0)
        return 0;
    ssize_t n = r->entry.sparse ? sparse_read(r, data, len) : stored_read(r, data, len);
    if (n < 0)
        r->failed = n;
    return n;
}

struct tar_reader *tar_reader_new(int fd, const struct tar_limits *limits, tar_raw_fn *raw, void *arg)
{
    struct tar_reader *r = xcalloc(1, sizeof(*r));
    r->fd = fd;
    r->limits = limits ? *limits : (struct tar_limits){};
    r->limits.max_path = r->limits.max_path ?: 4096;
    r->limits.max_pax = r->limits.max_pax ?: 1024 * 1024;
    r->limits.max_entries = r->limits.max_entries ?: 10 * 1000 * 1000;
    r->raw = raw;
    r->raw_arg = arg;
    r->buf = xmalloc(BUF_SIZE);
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0)
        r->file_size = (uint64_t)st.st_size;
    return r;
}

uint64_t tar_offset(const struct tar_reader *r)
{
    return r->offset;
}

void tar_reader_free(struct tar_reader *r)
{
    if (!r)
        return;
    tar_entry_done(&r->entry);
    tar_meta_done(&r->meta);
    tar_meta_done(&r->global);
    tar_sparse_done(&r->map);
    free(r->buf);
    free(r);
}

void tar_entry_done(struct tar_entry *e)
{
    free(e->path);
    free(e->link);
    tar_xattrs_free(e->xattrs, e->n_xattrs);
    *e = (struct tar_entry){};
}

void tar_entry_add_xattr(struct tar_entry *e, const char *name, const void *value, size_t len)
{
    tar_xattr_set(&e->xattrs, &e->n_xattrs, name, value, len);
}

size_t tar_padding(uint64_t size)
{
    return -size % TAR_BLOCK_SIZE;
}
