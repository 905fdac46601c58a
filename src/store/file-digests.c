/* Digests of a build's context files, remembered by what stat says of them (STORE, durability 5): cache/files.
 *
 * The file is an array of fixed entries, sorted by device and inode, mapped and searched as it is: a build that changed
 * nothing reads a few pages of it. It is replaced by rename and never synced; each entry has a check sum of its own, so
 * that one which a power loss tore is skipped. New entries are kept aside until the end and then merged with what the
 * file holds by then.
 *
 * A digest is remembered only if the file had been left alone for two seconds when the reading began (a later write in
 * the same clock tick would leave no trace), if stat says the same before and after, and on file systems that keep
 * times faithfully. */
#include "whelk/cache.h"

#include "store-private.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/units.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#ifndef ZFS_SUPER_MAGIC
#define ZFS_SUPER_MAGIC 0x2fc12fc1
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

enum { ENTRIES_MAX = 200 * 1000, DIGEST_BYTES = 32, READ_STEP = 1 << 18, BULK_BYTES = 4 << 20, FILE_MODE = 0600 };

static const char table_path[] = "cache/files";
static const int64_t second_ns = INT64_C(1000000000), quiet_ns = 2 * INT64_C(1000000000);
/* How exactly the last use is kept: a week in seconds, or every build would write. */
static const uint64_t used_grain = 7 * 24 * 3600;

/* As on disk, in the machine's byte order; another order or layout fails the check sums. */
struct entry {
    uint64_t dev, ino;
    int64_t size, mtime, ctime; /* ns */
    uint64_t used;              /* seconds since 1970 */
    uint8_t digest[DIGEST_BYTES];
    uint64_t check;
};
_Static_assert(sizeof(struct entry) == 7 * 8 + DIGEST_BYTES, "entries have no holes");

/* Entries one after the other, sorted; either a mapped file or memory. */
struct table {
    const struct entry *entries;
    size_t n;
    void *map;
    size_t map_len;
};

struct file_digests {
    const struct store *store;
    struct table old;
    struct buf added; /* struct entry, in the order of coming */
    uint64_t hashed;  /* bytes */
    uint64_t dev;     /* of the last fstatfs */
    bool dev_known, dev_ok;
};

/* ---- entries ---- */

/* Finds torn pages, not enemies. */
static uint64_t entry_check(const struct entry *e)
{
    const unsigned char *p = (const unsigned char *)e;
    uint64_t h = UINT64_C(0x77686c6b66696c31);
    for (size_t i = 0; i < offsetof(struct entry, check); i += sizeof(h)) {
        uint64_t word;
        memcpy(&word, p + i, sizeof(word));
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static int compare_place(const void *va, const void *vb)
{
    const struct entry *a = va, *b = vb;
    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    return a->ino < b->ino ? -1 : a->ino > b->ino;
}

static int compare_used(const void *va, const void *vb)
{
    const struct entry *a = va, *b = vb;
    return a->used > b->used ? -1 : a->used < b->used;
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * second_ns + t->tv_nsec;
}

static struct entry entry_of(const struct stat *st)
{
    return (struct entry){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = st->st_size,
        .mtime = ns_of(&st->st_mtim),
        .ctime = ns_of(&st->st_ctim),
    };
}

static bool same_file(const struct entry *a, const struct entry *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime && a->ctime == b->ctime;
}

/* ---- the file ---- */

static void table_done(struct table *t)
{
    if (t->map)
        munmap(t->map, t->map_len);
    *t = (struct table){0};
}

/* Absent, or of an impossible size: empty. */
static void table_map(const struct store *s, struct table *ret)
{
    struct stat st;
    *ret = (struct table){0};
    auto_close int fd = openat(s->fd, table_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || (size_t)st.st_size % sizeof(struct entry) ||
        (size_t)st.st_size / sizeof(struct entry) > ENTRIES_MAX)
        return;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    *ret = (struct table){
        .entries = map,
        .n = (size_t)st.st_size / sizeof(struct entry),
        .map = map,
        .map_len = (size_t)st.st_size,
    };
}

static const struct entry *table_find(const struct table *t, const struct entry *key)
{
    const struct entry *e = t->n ? bsearch(key, t->entries, t->n, sizeof(*e), compare_place) : NULL;
    return e && same_file(e, key) && e->check == entry_check(e) ? e : NULL;
}

/* ---- merging ---- */

static size_t entries_len(const struct buf *b)
{
    return b->len / sizeof(struct entry);
}

static struct entry *entries(const struct buf *b)
{
    return (struct entry *)(void *)b->data;
}

/* Of several entries of one place the last added stays: compare_place keeps no order among equals, so they are told by
 * use. */
static void add_merged(struct buf *to, const struct entry *e)
{
    size_t n = entries_len(to);
    if (n && compare_place(&entries(to)[n - 1], e) == 0)
        entries(to)[n - 1] = *e;
    else
        buf_add(to, e, sizeof(*e));
}

/* Two sorted sequences into one; the newer one's entries replace the older one's. */
static void merge(const struct table *old, const struct buf *added, struct buf *ret)
{
    size_t o = 0, a = 0, n = entries_len(added);
    while (o < old->n || a < n) {
        bool from_old = a == n || (o < old->n && compare_place(&old->entries[o], &entries(added)[a]) <= 0);
        const struct entry *e = from_old ? &old->entries[o++] : &entries(added)[a++];
        if (e->check == entry_check(e))
            add_merged(ret, e);
    }
}

/* Keeps those that were used last. */
static void bound(struct buf *b)
{
    if (entries_len(b) <= ENTRIES_MAX)
        return;
    qsort(b->data, entries_len(b), sizeof(struct entry), compare_used);
    b->len = (size_t)ENTRIES_MAX / 4 * 3 * sizeof(struct entry); /* with room, so that this is rare */
    qsort(b->data, entries_len(b), sizeof(struct entry), compare_place);
}

static int save(struct file_digests *t)
{
    auto_buf struct buf merged = {0};
    struct table current;
    qsort(t->added.data, entries_len(&t->added), sizeof(struct entry), compare_place);
    table_map(t->store, &current); /* another build may have replaced it since */
    merge(&current, &t->added, &merged);
    table_done(&current);
    bound(&merged);
    return file_publish(t->store->fd, table_path, merged.data, merged.len, FILE_MODE, false);
}

/* ---- reading files ---- */

static uint8_t hex_digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void digest_from_hex(const char *hex, uint8_t *ret)
{
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        ret[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
}

DEFINE_AUTO(struct digest *, digest_free)

/* From the start to the end, wherever the descriptor's offset is. */
static int hash_file(struct file_digests *t, int fd, const struct stat *st, char ret[65])
{
    static char data[READ_STEP];
    uint64_t size = st->st_size > 0 ? (uint64_t)st->st_size : 0;
    auto_with(digest_free_auto) struct digest *d = digest_new(t->hashed + size >= BULK_BYTES);
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(fd, data, sizeof(data), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys("cannot read a file of the build context");
        if (n == 0)
            break;
        digest_add(d, data, (size_t)n);
        at += n;
    }
    t->hashed += (uint64_t)at;
    digest_finish(d, ret);
    return 0;
}

/* Only these are known to change mtime or ctime with every change of the content. */
static bool keeps_times(struct file_digests *t, int fd, uint64_t dev)
{
    static const uint32_t magics[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
                                      ZFS_SUPER_MAGIC};
    struct statfs fs;
    if (t->dev_known && t->dev == dev)
        return t->dev_ok;
    t->dev_ok = false;
    for (size_t i = 0; fstatfs(fd, &fs) == 0 && i < ARRAY_LEN(magics); i++)
        t->dev_ok = t->dev_ok || (uint32_t)fs.f_type == magics[i];
    t->dev = dev;
    t->dev_known = true;
    return t->dev_ok;
}

static void remember(struct file_digests *t, struct entry e)
{
    e.used = (uint64_t)(time_now() / second_ns);
    e.check = entry_check(&e);
    buf_add(&t->added, &e, sizeof(e));
}

static bool recall(struct file_digests *t, const struct entry *key, char ret[65])
{
    const struct entry *e = table_find(&t->old, key);
    if (!e)
        return false;
    str_hex(e->digest, DIGEST_BYTES, ret);
    if ((uint64_t)(time_now() / second_ns) >= e->used + used_grain)
        remember(t, *e);
    return true;
}

/* ---- the face ---- */

int file_digests_open(const struct store *s, struct file_digests **ret)
{
    struct file_digests *t = xcalloc(1, sizeof(*t));
    t->store = s;
    table_map(s, &t->old);
    *ret = t;
    return 0;
}

int file_digests_get(struct file_digests *t, int fd, const struct stat *st, bool trust_stat, char ret[65])
{
    struct entry e = entry_of(st);
    struct stat after;
    if (trust_stat && recall(t, &e, ret))
        return 0;
    int64_t begun = time_now();
    int r = hash_file(t, fd, st, ret);
    if (r < 0)
        return r;
    if (MAX(e.mtime, e.ctime) > begun - quiet_ns || fstat(fd, &after) < 0)
        return 0;
    struct entry then = entry_of(&after);
    if (same_file(&e, &then) && keeps_times(t, fd, e.dev)) {
        digest_from_hex(ret, e.digest);
        remember(t, e);
    }
    return 0;
}

bool file_digests_known(struct file_digests *t, const struct stat *st, char ret[65])
{
    struct entry e = entry_of(st);
    return recall(t, &e, ret);
}

int file_digests_close(struct file_digests *t)
{
    int r = t->added.len ? save(t) : 0;
    table_done(&t->old);
    buf_done(&t->added);
    free(t);
    return r;
}
