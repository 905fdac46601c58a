/* The recipe: a tar stream with the payload of plain files left out (STORE, unpacking 2).
 *
 * File format, all numbers little endian:
 *
 *     "whelk-recipe 1\n\0"         16 bytes
 *     u64 moved                    how many 'M' records there are
 *     frame...                     u32 plain length, u32 stored length, the stored bytes: one gzip member
 *     u32 0, u32 0                 the end
 *
 * The plain bytes of the frames hold records, none of which spans frames:
 *
 *     'B' u32 n, n bytes           the stream goes on with these bytes
 *     'Z' u32 n                    the stream goes on with n zero bytes
 *     'F' u64 n, u16 p, p bytes    the stream goes on with the n bytes of the file diff/<path>
 *     'M' u16 p, p bytes           a later entry of the stream took the name <path>. The file that 'F' records before
 * this one mean by it (and that no earlier 'M' moved) is lost/<number of this 'M' record, from 0>
 *
 * A reader needs to know of a move before it comes to it. So where moved is not zero, it reads the recipe twice. The
 * writer keeps nothing but its frame. */
#include "recipe.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/gzip.h"

#include <endian.h>
#include <limits.h>

enum {
    FRAME_PLAIN = 256 * 1024,            /* a frame is written when it holds this much */
    FRAME_MAX = FRAME_PLAIN + 64 * 1024, /* and never holds more than this */
    FRAME_STORED_MAX = 2 * FRAME_MAX,
    ZEROS_MIN = 32, /* shorter rows of zeros stay within their bytes */
    GZIP_LEVEL = 1,
    MOVED_MAX = 10 * 1000 * 1000,
    MOVED_BYTES_MAX = 256 * 1024 * 1024,
};

static const char magic[16] = "whelk-recipe 1\n";

struct head {
    char magic[16];
    uint64_t moved;
};

struct frame_head {
    uint32_t plain, stored;
};

/* Writing */

struct recipe_writer {
    int fd;
    uint64_t moved;
    struct buf frame;
    size_t open; /* where in frame the last record begins if it is a 'B' that can grow, else SIZE_MAX */
};

struct recipe_writer *recipe_writer_new(int fd)
{
    struct recipe_writer *w = xcalloc(1, sizeof(*w));
    w->fd = fd;
    w->open = SIZE_MAX;
    buf_reserve(&w->frame, FRAME_MAX);
    lseek(fd, sizeof(struct head), SEEK_SET); /* the head comes last: without it this is no recipe */
    return w;
}

void recipe_writer_free(struct recipe_writer *w)
{
    if (!w)
        return;
    buf_done(&w->frame);
    free(w);
}

static int write_failed(int r)
{
    return err_set(r, "cannot write the recipe of a layer: %s", strerror(-r));
}

static int frame_write(struct recipe_writer *w)
{
    auto_free char *stored = NULL;
    size_t len;
    int r = gzip_deflate_bytes(w->frame.data, w->frame.len, GZIP_LEVEL, &stored, &len);
    if (r < 0)
        return r;
    struct frame_head h = {htole32(w->frame.len), htole32(len)};
    r = fd_write_all(w->fd, &h, sizeof(h));
    if (r == 0)
        r = fd_write_all(w->fd, stored, len);
    w->frame.len = 0;
    w->open = SIZE_MAX;
    return r < 0 ? write_failed(r) : 0;
}

/* Room for a record of len bytes behind what the frame holds. */
static int frame_room(struct recipe_writer *w, size_t len)
{
    return w->frame.len && w->frame.len + len > FRAME_PLAIN ? frame_write(w) : 0;
}

static void put_u16(struct buf *b, uint16_t n)
{
    n = htole16(n);
    buf_add(b, &n, sizeof(n));
}

static void put_u32(struct buf *b, uint32_t n)
{
    n = htole32(n);
    buf_add(b, &n, sizeof(n));
}

static void put_u64(struct buf *b, uint64_t n)
{
    n = htole64(n);
    buf_add(b, &n, sizeof(n));
}

/* Bytes that are not worth a look for zeros; len is at most FRAME_PLAIN. */
static int literal_add(struct recipe_writer *w, const char *data, size_t len)
{
    int r = frame_room(w, len);
    if (r < 0)
        return r;
    if (w->open == SIZE_MAX) {
        w->open = w->frame.len;
        buf_addc(&w->frame, 'B');
        put_u32(&w->frame, 0);
    }
    buf_add(&w->frame, data, len);
    uint32_t total = htole32(w->frame.len - w->open - 5);
    memcpy(w->frame.data + w->open + 1, &total, sizeof(total));
    return 0;
}

static int zeros_add(struct recipe_writer *w, size_t len)
{
    int r = frame_room(w, 5);
    if (r < 0)
        return r;
    buf_addc(&w->frame, 'Z');
    put_u32(&w->frame, len);
    w->open = SIZE_MAX;
    return 0;
}

static size_t zeros_at(const char *data, size_t len)
{
    static const char none[ZEROS_MIN];
    size_t n = 0;
    while (n + sizeof(none) <= len && memcmp(data + n, none, sizeof(none)) == 0)
        n += sizeof(none);
    while (n < len && data[n] == 0)
        n++;
    return n;
}

/* The start of the next long row of zeros, or len. */
static size_t find_zeros(const char *data, size_t len, size_t *ret_n)
{
    const char *end = data + len;
    for (const char *p = data; p < end && (p = memchr(p, 0, end - p)); p += *ret_n) {
        *ret_n = zeros_at(p, end - p);
        if (*ret_n >= ZEROS_MIN)
            return p - data;
    }
    *ret_n = 0;
    return len;
}

int recipe_add_bytes(struct recipe_writer *w, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        size_t zeros, piece = MIN(len, (size_t)FRAME_PLAIN);
        size_t literal = find_zeros(p, piece, &zeros);
        int r = literal ? literal_add(w, p, literal) : 0;
        if (r == 0 && zeros)
            r = zeros_add(w, zeros);
        if (r < 0)
            return r;
        p += literal + zeros;
        len -= literal + zeros;
    }
    return 0;
}

static int path_add(struct recipe_writer *w, const char *path)
{
    size_t len = strlen(path);
    if (len == 0 || len > PATH_MAX)
        return err_set(-ENAMETOOLONG, "a path of %zu bytes does not fit a recipe", len);
    put_u16(&w->frame, len);
    buf_add(&w->frame, path, len);
    w->open = SIZE_MAX;
    return 0;
}

int recipe_add_file(struct recipe_writer *w, const char *path, uint64_t len)
{
    int r = frame_room(w, 16 + strlen(path));
    if (r < 0)
        return r;
    buf_addc(&w->frame, 'F');
    put_u64(&w->frame, len);
    return path_add(w, path);
}

int recipe_add_moved(struct recipe_writer *w, const char *path, uint64_t *ret)
{
    int r = frame_room(w, 16 + strlen(path));
    if (r < 0)
        return r;
    buf_addc(&w->frame, 'M');
    *ret = w->moved++;
    return path_add(w, path);
}

int recipe_finish(struct recipe_writer *w)
{
    static const struct frame_head end;
    struct head h = {.moved = htole64(w->moved)};
    memcpy(h.magic, magic, sizeof(magic));
    int r = w->frame.len ? frame_write(w) : 0;
    if (r == 0)
        r = fd_write_all(w->fd, &end, sizeof(end));
    if (r == 0 && pwrite(w->fd, &h, sizeof(h), 0) != sizeof(h))
        r = errno ? -errno : -EIO;
    return r < 0 ? write_failed(r) : 0;
}

/* Reading */

struct move {
    char *path;
    uint64_t files; /* 'F' records before it */
    uint64_t number;
};

struct recipe_reader {
    int fd;
    char *frame;
    size_t pos, end; /* in frame */
    uint64_t zeros;  /* still to give */
    uint64_t files;
    struct move *moves; /* by path, then by files */
    size_t n_moves, moves_bytes;
    char path[PATH_MAX + 64];
};

/* A record as it stands in a frame. */
struct raw_item {
    char kind;
    uint64_t len;     /* B, Z, F */
    const char *data; /* B: the bytes; F, M: the path, which has no NUL behind it */
    size_t path_len;
};

static int damaged(const char *what)
{
    return err_set(-EBADMSG, "the recipe of a layer is damaged: %s", what);
}

static int read_exactly(const struct recipe_reader *r, void *data, size_t len)
{
    ssize_t n = fd_read_full(r->fd, data, len);
    if (n < 0)
        return err_set(n, "cannot read the recipe of a layer: %s", strerror(-n));
    return (size_t)n == len ? 0 : damaged("it is cut short");
}

/* The next frame: 1, or 0 at the end. */
static int frame_read(struct recipe_reader *r)
{
    struct frame_head h;
    int error = read_exactly(r, &h, sizeof(h));
    size_t plain = le32toh(h.plain), stored = le32toh(h.stored);
    if (error < 0)
        return error;
    if (plain == 0 && stored == 0)
        return 0;
    if (plain == 0 || plain > FRAME_MAX || stored > FRAME_STORED_MAX)
        return damaged("a frame has a bad size");
    auto_free char *bytes = xmalloc(stored);
    error = read_exactly(r, bytes, stored);
    if (error < 0)
        return error;
    free(take_ptr(&r->frame));
    r->pos = r->end = 0;
    error = gzip_inflate_bytes(bytes, stored, plain, &r->frame, &r->end);
    if (error < 0)
        return err_wrap(error, "the recipe of a layer");
    return r->end == plain ? 1 : damaged("a frame has a bad size");
}

/* The next len bytes of the frame, or NULL. */
static const char *frame_take(struct recipe_reader *r, uint64_t len)
{
    const char *p = r->frame + r->pos;
    if (len > r->end - r->pos)
        return NULL;
    r->pos += len;
    return p;
}

static bool take_u16(struct recipe_reader *r, size_t *ret)
{
    uint16_t n;
    const char *p = frame_take(r, sizeof(n));
    if (!p)
        return false;
    memcpy(&n, p, sizeof(n));
    *ret = le16toh(n);
    return true;
}

static bool take_u32(struct recipe_reader *r, uint64_t *ret)
{
    uint32_t n;
    const char *p = frame_take(r, sizeof(n));
    if (!p)
        return false;
    memcpy(&n, p, sizeof(n));
    *ret = le32toh(n);
    return true;
}

static bool take_u64(struct recipe_reader *r, uint64_t *ret)
{
    uint64_t n;
    const char *p = frame_take(r, sizeof(n));
    if (!p)
        return false;
    memcpy(&n, p, sizeof(n));
    *ret = le64toh(n);
    return true;
}

static bool take_path(struct recipe_reader *r, struct raw_item *ret)
{
    if (!take_u16(r, &ret->path_len) || ret->path_len == 0 || ret->path_len > PATH_MAX)
        return false;
    ret->data = frame_take(r, ret->path_len);
    return ret->data && !memchr(ret->data, 0, ret->path_len);
}

static bool take_record(struct recipe_reader *r, struct raw_item *ret)
{
    const char *kind = frame_take(r, 1);
    ret->kind = kind ? *kind : 0;
    switch (ret->kind) {
    case 'B':
        return take_u32(r, &ret->len) && (ret->data = frame_take(r, ret->len));
    case 'Z':
        return take_u32(r, &ret->len) && ret->len <= FRAME_PLAIN;
    case 'F':
        return take_u64(r, &ret->len) && take_path(r, ret);
    case 'M':
        return take_path(r, ret);
    default:
        return false;
    }
}

static int raw_next(struct recipe_reader *r, struct raw_item *ret)
{
    *ret = (struct raw_item){0};
    if (r->pos == r->end) {
        int n = frame_read(r);
        if (n <= 0)
            return n;
    }
    return take_record(r, ret) ? 1 : damaged("a record is not one");
}

static int move_compare(const void *a, const void *b)
{
    const struct move *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->files > y->files) - (x->files < y->files);
}

static int move_add(struct recipe_reader *r, const struct raw_item *item, uint64_t max)
{
    r->moves_bytes += item->path_len;
    if (r->n_moves == max || r->moves_bytes > MOVED_BYTES_MAX)
        return damaged("too many files are moved");
    if ((r->n_moves & (r->n_moves + 1)) == 0) /* room for twice as many, and one */
        r->moves = xrealloc(r->moves, (2 * r->n_moves + 2) * sizeof(*r->moves));
    r->moves[r->n_moves] = (struct move){xstrndup(item->data, item->path_len), r->files, r->n_moves};
    r->n_moves++;
    return 0;
}

/* The first of the two passes over a recipe with moves. */
static int moves_read(struct recipe_reader *r, uint64_t max)
{
    struct raw_item item;
    int n;
    if (max > MOVED_MAX)
        return damaged("too many files are moved");
    while ((n = raw_next(r, &item)) > 0) {
        r->files += item.kind == 'F';
        int error = item.kind == 'M' ? move_add(r, &item, max) : 0;
        if (error < 0)
            return error;
    }
    if (n < 0)
        return n;
    qsort(r->moves, r->n_moves, sizeof(*r->moves), move_compare);
    r->files = r->pos = r->end = 0;
    return lseek(r->fd, sizeof(struct head), SEEK_SET) < 0 ? err_sys("cannot read the recipe of a layer") : 0;
}

int recipe_reader_new(int fd, struct recipe_reader **ret)
{
    struct recipe_reader *r = xcalloc(1, sizeof(*r));
    struct head h;
    r->fd = fd;
    int error = read_exactly(r, &h, sizeof(h));
    if (error == 0 && memcmp(h.magic, magic, sizeof(magic)) != 0)
        error = damaged("it does not begin like one");
    if (error == 0 && h.moved)
        error = moves_read(r, le64toh(h.moved));
    if (error < 0) {
        recipe_reader_free(r);
        return error;
    }
    *ret = r;
    return 0;
}

void recipe_reader_free(struct recipe_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_moves; i++)
        free(r->moves[i].path);
    free(r->moves);
    free(r->frame);
    free(r);
}

/* The first move of path behind the 'F' record with number file, or NULL. */
static const struct move *move_of(const struct recipe_reader *r, const char *path, uint64_t file)
{
    const struct move key = {.path = (char *)path, .files = file + 1};
    size_t low = 0, high = r->n_moves;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (move_compare(&r->moves[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->n_moves && str_eq(r->moves[low].path, path) ? &r->moves[low] : NULL;
}

static void file_item(struct recipe_reader *r, const struct raw_item *raw, struct recipe_item *ret)
{
    snprintf(r->path, sizeof(r->path), "diff/%.*s", (int)raw->path_len, raw->data);
    const struct move *m = move_of(r, r->path + strlen("diff/"), r->files++);
    if (m)
        snprintf(r->path, sizeof(r->path), "lost/%llu", (unsigned long long)m->number);
    *ret = (struct recipe_item){.path = r->path, .len = raw->len};
}

static bool give_zeros(struct recipe_reader *r, struct recipe_item *ret)
{
    static const char none[64 * 1024];
    *ret = (struct recipe_item){.data = none, .len = MIN(r->zeros, sizeof(none))};
    r->zeros -= ret->len;
    return ret->len > 0;
}

int recipe_next(struct recipe_reader *r, struct recipe_item *ret)
{
    struct raw_item raw;
    int n = 1;
    while (!give_zeros(r, ret) && (n = raw_next(r, &raw)) > 0) {
        if (raw.kind == 'Z') {
            r->zeros = raw.len;
        } else if (raw.kind == 'F') {
            file_item(r, &raw, ret);
            return 1;
        } else if (raw.kind == 'B') {
            *ret = (struct recipe_item){.data = raw.data, .len = raw.len};
            return 1;
        }
    }
    return n;
}
