/* A store with an open operation, archives made entry by entry or by tar(1), and trees as text. The trees of a store
 * are read in its user namespace. */
#ifndef WHELK_TEST_LAYER_FIXTURE_H
#define WHELK_TEST_LAYER_FIXTURE_H

#include "store-fixture.h"
#include "whelk/id.h"
#include "whelk/stage.h"
#include "whelk/tar.h"

#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct bench {
    struct fixture *f;
    struct store *s;
    struct stage *st;
    int dir; /* of the test, outside the store */
};

static inline int bench_setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));
    void *f = NULL;
    if (fixture_setup(&f) < 0)
        return -1;
    b->f = f;
    b->s = b->f->s;
    b->dir = open(b->f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = b;
    return stage_begin(b->s, &b->st);
}

static inline int bench_empty(void *arg)
{
    struct bench *b = arg;
    return tree_remove(b->dir, "store");
}

static inline int bench_teardown(void **state)
{
    struct bench *b = *state;
    void *f = b->f;
    stage_end(b->st);
    store_run(b->s, bench_empty, b);
    fd_close(b->dir);
    free(b);
    return fixture_teardown(&f);
}

#define bench_test(fn) cmocka_unit_test_setup_teardown(fn, bench_setup, bench_teardown)

/* ---- shell ---- */

/* Runs script in the test's directory; what it prints is returned (caller frees). */
static inline char *shell(const struct bench *b, const char *script)
{
    auto_free char *line = xasprintf("set -e; cd %s; %s", b->f->dir, script);
    auto_buf struct buf out = {0};
    FILE *p = popen(line, "r"); /* a test's own words */
    assert_non_null(p);
    assert_int_equal(fd_read_all(fileno(p), 16 << 20, &out), 0);
    int status = pclose(p);
    if (status != 0)
        fail_msg("status %x of: %s", (unsigned)status, script);
    return buf_take(&out);
}

static inline void run(const struct bench *b, const char *script)
{
    free(shell(b, script));
}

/* ---- archives ---- */

static inline void ar_entry(struct buf *ar, const struct tar_entry *e, const char *data)
{
    static const char zeros[TAR_BLOCK_SIZE];
    tar_format(e, ar);
    if (e->type == TAR_FILE && e->size) {
        buf_add(ar, data, e->size);
        buf_add(ar, zeros, tar_padding(e->size));
    }
}

static inline void ar_file(struct buf *ar, const char *path, unsigned mode, const char *data)
{
    ar_entry(ar, &(struct tar_entry){.path = (char *)path, .mode = mode, .size = strlen(data), .mtime = 5000000000},
             data);
}

static inline void ar_dir(struct buf *ar, const char *path, unsigned mode)
{
    ar_entry(ar, &(struct tar_entry){.path = (char *)path, .type = TAR_DIR, .mode = mode, .mtime = 7000000000}, NULL);
}

static inline void ar_link(struct buf *ar, enum tar_type type, const char *path, const char *link)
{
    struct tar_entry e = {.path = (char *)path, .type = type, .link = (char *)link, .mode = 0777, .mtime = 6000000000};
    ar_entry(ar, &e, NULL);
}

static inline void ar_node(struct buf *ar, enum tar_type type, const char *path, unsigned major_nr, unsigned minor_nr)
{
    struct tar_entry e = {.path = (char *)path, .type = type, .mode = 0600, .major = major_nr, .minor = minor_nr};
    ar_entry(ar, &e, NULL);
}

static inline void ar_end(struct buf *ar)
{
    static const char zeros[TAR_END_SIZE];
    buf_add(ar, zeros, sizeof(zeros));
}

/* A descriptor with the bytes, at its start. */
static inline int bytes_fd(const void *data, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, data, len), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* ---- sending, in the store's user namespace ---- */

struct sending {
    const struct store *s;
    const char *key;
    int out;
};

static inline int sending_run(void *arg)
{
    struct sending *g = arg;
    return layer_send(g->s, g->key, g->out);
}

static inline int send_again(const struct bench *b, const char *key, struct buf *ret)
{
    auto_close int fd = memfd_create("sent", MFD_CLOEXEC);
    int r = store_run(b->s, sending_run, &(struct sending){b->s, key, fd});
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(fd, 1 << 30, ret), 0);
    return r;
}

/* What is sent must be the bytes that came in. */
static inline void assert_sends(const struct bench *b, const char *key, const void *data, size_t len)
{
    auto_buf struct buf sent = {0};
    assert_ok(send_again(b, key, &sent));
    assert_int_equal(sent.len, len);
    assert_memory_equal(sent.data, data, len);
}

/* ---- trees as text ---- */

struct describing {
    int dir; /* where path begins */
    const char *path;
    int out;
    bool dir_times;
    struct buf text;
    char *links[64]; /* first names of inodes with several */
    ino_t inos[64];
    unsigned n_links;
};

static inline void describe_xattrs(struct describing *d, int fd)
{
    char names[4096], value[4096];
    ssize_t len = flistxattr(fd, names, sizeof(names));
    for (char *n = names; n < names + MAX(len, 0); n += strlen(n) + 1) {
        ssize_t got =
            str_after(n, "user.") || str_eq(n, "security.capability") ? fgetxattr(fd, n, value, sizeof(value)) : -1;
        if (got < 0)
            continue;
        buf_addf(&d->text, " %s=", n);
        for (ssize_t i = 0; i < got; i++)
            buf_addf(&d->text, value[i] > ' ' && value[i] < 127 ? "%c" : "\\x%02x", (unsigned char)value[i]);
    }
}

static inline void describe_content(struct describing *d, int fd)
{
    auto_buf struct buf content = {0};
    char hex[DIGEST_BUF];
    assert_int_equal(fd_read_all(fd, 1 << 30, &content), 0);
    digest_bytes(content.data ? content.data : "", content.len, hex);
    auto_free char *shown = str_printable(content.len ? content.data : "");
    if (content.len <= 40 && strlen(shown) == content.len)
        buf_addf(&d->text, " '%s'", shown);
    else
        buf_addf(&d->text, " #%.16s", hex);
}

static inline bool describe_link(struct describing *d, const struct stat *st, const char *path)
{
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return false;
    for (unsigned i = 0; i < d->n_links; i++) {
        if (d->inos[i] == st->st_ino) {
            buf_addf(&d->text, " = %s\n", d->links[i]);
            return true;
        }
    }
    assert_true(d->n_links < ARRAY_LEN(d->links));
    d->inos[d->n_links] = st->st_ino;
    d->links[d->n_links++] = xstrdup(path);
    return false;
}

static inline int describe_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "TYPE MODE UID:GID TIME path[ -> target][ 'content'][ xattr=value]", and what is below. */
static inline void describe_one(struct describing *d, int parent, const char *name, const char *path)
{
    struct stat st;
    char target[4096] = "";
    assert_int_equal(fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        buf_addf(&d->text, "%c %u,%u %s\n", S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev), minor(st.st_rdev),
                 path);
        return;
    }
    char type = S_ISDIR(st.st_mode)    ? 'd'
                : S_ISLNK(st.st_mode)  ? 'l'
                : S_ISFIFO(st.st_mode) ? 'p'
                : S_ISREG(st.st_mode)  ? '-'
                                       : '?';
    buf_addf(&d->text, "%c %04o %u:%u ", type, st.st_mode & 07777, st.st_uid, st.st_gid);
    if (type != 'd' || d->dir_times)
        buf_addf(&d->text, "%lld.%09ld ", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    buf_adds(&d->text, path);
    if (describe_link(d, &st, path))
        return;
    if (type == 'l' && readlinkat(parent, name, target, sizeof(target) - 1) > 0)
        buf_addf(&d->text, " -> %s", target);
    auto_close int fd = type == '-' || type == 'd' ? openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (type == '-')
        describe_content(d, fd);
    if (fd >= 0)
        describe_xattrs(d, fd);
    buf_addc(&d->text, '\n');
    if (type != 'd')
        return;
    auto_dir DIR *names = dir_iterate(fd);
    auto_strv char **sorted = NULL;
    for (struct dirent *e; (e = readdir(names));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            strv_add(&sorted, e->d_name);
    if (sorted)
        qsort(sorted, strv_len(sorted), sizeof(*sorted), describe_order);
    strv_foreach (n, sorted) {
        auto_free char *below = *path == '.' && !path[1] ? xstrdup(n) : xasprintf("%s/%s", path, n);
        describe_one(d, fd, n, below);
    }
}

static inline int describing_run(void *arg)
{
    struct describing *d = arg;
    describe_one(d, d->dir, d->path, ".");
    for (unsigned i = 0; i < d->n_links; i++)
        free(d->links[i]);
    int r = fd_write_all(d->out, d->text.data, d->text.len);
    buf_done(&d->text);
    return r;
}

/* The tree at dirfd/path, as it is seen in the store's user namespace. Caller frees. */
static inline char *describe(const struct bench *b, int dirfd, const char *path, bool dir_times)
{
    struct describing d = {
        .dir = dirfd, .path = path, .dir_times = dir_times, .out = memfd_create("tree", MFD_CLOEXEC)};
    auto_buf struct buf text = {0};
    auto_close int out = d.out;
    assert_ok(store_run(b->s, describing_run, &d));
    assert_int_equal(lseek(out, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(out, 64 << 20, &text), 0);
    return buf_take(&text);
}

static inline char *describe_layer(const struct bench *b, const char *key, bool dir_times)
{
    auto_free char *path = xasprintf("layers/%s/diff", key);
    return describe(b, b->s->fd, path, dir_times);
}

#endif
