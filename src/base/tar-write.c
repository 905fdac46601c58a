/* The tar writer: the header blocks of one entry. The same entry always gives the same bytes: no times, ids or counters
 * of the writer go in, extended records have a fixed order, and ustar is used for all that it can say. */
#include "tar-parts.h"

#include <inttypes.h>

static const int64_t ns_per_second = 1000 * 1000 * 1000;

enum { MAX_ID = 07777777 };
static const int64_t max_octal_11 = 077777777777;

static bool time_fits(int64_t time)
{
    return time >= 0 && time % ns_per_second == 0 && time / ns_per_second <= max_octal_11;
}

/* "LENGTH KEY=VALUE\n", where the length counts itself. */
static void record_add(struct buf *b, const char *key, const void *value, size_t len)
{
    size_t rest = strlen(key) + len + 3, total = rest + 1;
    char digits[24];
    for (size_t n = 0; n != total;) {
        n = total;
        total = rest + snprintf(digits, sizeof(digits), "%zu", n);
    }
    buf_addf(b, "%zu %s=", total, key);
    buf_add(b, value, len);
    buf_addc(b, '\n');
}

static void record_add_text(struct buf *b, const char *key, const char *value)
{
    record_add(b, key, value, strlen(value));
}

static void record_add_number(struct buf *b, const char *key, uint64_t n)
{
    auto_free char *text = xasprintf("%" PRIu64, n);
    record_add_text(b, key, text);
}

static void record_add_time(struct buf *b, int64_t time)
{
    bool negative = time < 0;
    uint64_t all = negative ? -(uint64_t)time : (uint64_t)time;
    uint64_t seconds = all / ns_per_second, ns = all % ns_per_second;
    auto_free char *text = xasprintf("%s%" PRIu64 ".%09" PRIu64, negative ? "-" : "", seconds, ns);
    size_t len = strlen(text);
    while (text[len - 1] == '0')
        text[--len] = '\0';
    if (text[len - 1] == '.')
        text[--len] = '\0';
    record_add_text(b, "mtime", text);
}

/* A key ends at the first '=', so one in a name is written as GNU tar does. */
static char *xattr_key(const char *name)
{
    struct buf key = {};
    buf_adds(&key, "SCHILY.xattr.");
    for (; *name; name++) {
        if (*name == '=' || *name == '%')
            buf_adds(&key, *name == '=' ? "%3D" : "%25");
        else
            buf_addc(&key, *name);
    }
    return buf_take(&key);
}

static int xattr_compare(const void *a, const void *b)
{
    return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

static void records_add_xattrs(struct buf *b, const struct tar_entry *e)
{
    if (e->n_xattrs == 0)
        return;
    auto_free struct tar_xattr *sorted = xcalloc(e->n_xattrs, sizeof(*sorted));
    memcpy(sorted, e->xattrs, e->n_xattrs * sizeof(*sorted));
    qsort(sorted, e->n_xattrs, sizeof(*sorted), xattr_compare);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        auto_free char *key = xattr_key(sorted[i].name);
        record_add(b, key, sorted[i].value, sorted[i].len);
    }
}

/* Puts path into name and prefix; false if it does not fit. */
static bool path_set(struct tar_block *b, const char *path)
{
    size_t len = strlen(path);
    if (len <= sizeof(b->name)) {
        memcpy(b->name, path, len);
        return true;
    }
    /* The leftmost slash that leaves a name which fits; what is before it must fit the prefix. */
    const char *slash = strchr(path + MAX(len - sizeof(b->name) - 1, 1), '/');
    if (!slash || !slash[1] || slash - path > (ssize_t)sizeof(b->prefix))
        return false;
    memcpy(b->prefix, path, slash - path);
    memcpy(b->name, slash + 1, strlen(slash + 1));
    return true;
}

/* As much as there is room for: the extended header has the whole. */
static void text_set(char *field, size_t room, const char *text)
{
    memcpy(field, text, MIN(room, strlen(text)));
}

static void block_add(struct tar_block *b, struct buf *out)
{
    memcpy(b->magic,
           "ustar\0"
           "00",
           sizeof(b->magic));
    tar_block_checksum_set(b);
    buf_add(out, b, sizeof(*b));
}

static void pax_add(const char *path, const struct buf *records, struct buf *out)
{
    static const char zeros[TAR_BLOCK_SIZE];
    struct tar_block b = {.type = 'x'};
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    const char *slash = memrchr(path, '/', len);
    const char *base = slash && slash + 1 < path + len ? slash + 1 : path;
    auto_free char *name = xasprintf("PaxHeaders.0/%.*s", (int)(path + len - base), base);
    text_set(b.name, sizeof(b.name), name);
    tar_number_set(b.mode, sizeof(b.mode), 0644);
    tar_number_set(b.uid, sizeof(b.uid), 0);
    tar_number_set(b.gid, sizeof(b.gid), 0);
    tar_number_set(b.size, sizeof(b.size), records->len);
    tar_number_set(b.mtime, sizeof(b.mtime), 0);
    tar_number_set(b.major, sizeof(b.major), 0);
    tar_number_set(b.minor, sizeof(b.minor), 0);
    block_add(&b, out);
    buf_add(out, records->data, records->len);
    buf_add(out, zeros, tar_padding(records->len));
}

/* A number into its field, or 0 there and a record where the field is too short. */
static void number_or_record(struct buf *records, const char *key, char *field, size_t len, uint64_t n, uint64_t max)
{
    tar_number_set(field, len, n <= max ? n : 0);
    if (n > max)
        record_add_number(records, key, n);
}

void tar_format(const struct tar_entry *e, struct buf *out)
{
    static const char flags[] = {[TAR_FILE] = '0',  [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
                                 [TAR_BLOCK] = '4', [TAR_DIR] = '5',      [TAR_FIFO] = '6'};
    struct tar_block b = {.type = flags[e->type]};
    auto_buf struct buf records = {};
    bool closed = e->type != TAR_DIR || str_ends(e->path, "/");
    auto_free char *path = xasprintf("%s%s", e->path, closed ? "" : "/");
    int64_t seconds = e->mtime / ns_per_second;

    if (!path_set(&b, path)) {
        text_set(b.name, sizeof(b.name), path);
        record_add_text(&records, "path", path);
    }
    if (e->link) {
        text_set(b.link, sizeof(b.link), e->link);
        if (strlen(e->link) > sizeof(b.link))
            record_add_text(&records, "linkpath", e->link);
    }
    tar_number_set(b.mode, sizeof(b.mode), e->mode & 07777);
    number_or_record(&records, "size", b.size, sizeof(b.size), e->type == TAR_FILE ? e->size : 0, max_octal_11);
    number_or_record(&records, "uid", b.uid, sizeof(b.uid), e->uid, MAX_ID);
    number_or_record(&records, "gid", b.gid, sizeof(b.gid), e->gid, MAX_ID);
    tar_number_set(b.mtime, sizeof(b.mtime), seconds < 0 || seconds > max_octal_11 ? 0 : seconds);
    if (!time_fits(e->mtime))
        record_add_time(&records, e->mtime);
    tar_number_set(b.major, sizeof(b.major), e->major);
    tar_number_set(b.minor, sizeof(b.minor), e->minor);
    records_add_xattrs(&records, e);

    if (records.len)
        pax_add(path, &records, out);
    block_add(&b, out);
}
