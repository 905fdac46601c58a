/* The tar format: our writer against our reader and tar(1), the reader against what tar(1) writes and against damage.
 * Every reading here also checks that raw bytes and payloads make the stream again. */
#include "tar-parts.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/tar.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

static int collect(void *arg, const void *data, size_t len)
{
    buf_add(arg, data, len);
    return 0;
}

/* What a stream was read as: a line per entry, and the stream made again. */
struct reading {
    int r;
    size_t n;
    struct buf lines, again;
};

static void reading_done(struct reading *g)
{
    buf_done(&g->lines);
    buf_done(&g->again);
}
#define auto_reading auto_with(reading_done)

static uint32_t sum_of(uint32_t sum, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)data[i]) * 16777619;
    return sum;
}

/* "type mode uid:gid size mtime path[ -> link][ major,minor][ name=value...] #sum" */
static void line_add(struct buf *b, const struct tar_entry *e, uint32_t sum)
{
    buf_addf(b, "%c %o %u:%u %llu %lld %s", "-hlcbdp"[e->type], e -> mode, e -> uid, e -> gid,
             (unsigned long long)e -> size, (long long)e -> mtime, e -> path);
    if (e->link)
        buf_addf(b, " -> %s", e->link);
    if (e->type == TAR_CHAR || e->type == TAR_BLOCK)
        buf_addf(b, " %u,%u", e->major, e->minor);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        buf_addf(b, " %s=", e->xattrs[i].name);
        buf_add(b, e->xattrs[i].value, e->xattrs[i].len);
    }
    if (e->type == TAR_FILE)
        buf_addf(b, " #%08x%s", sum, e->sparse ? " sparse" : "");
    buf_addc(b, '\n');
}

/* Payload in reads of step bytes, of files up to 64 MiB; returns how much there was. */
static int64_t payload_read(struct tar_reader *r, const struct tar_entry *e, size_t step, struct reading *g,
                            uint32_t *sum)
{
    auto_free char *data = xmalloc(step);
    int64_t total = 0;
    ssize_t n;
    while (e->size <= 64 << 20 && (n = tar_data(r, data, step)) != 0) {
        if (n < 0)
            return n;
        *sum = sum_of(*sum, data, n);
        if (!e->sparse)
            buf_add(&g->again, data, n);
        total += n;
    }
    return total;
}

static void read_fd(int fd, const struct tar_limits *limits, size_t step, struct reading *g)
{
    struct tar_reader *r = tar_reader_new(fd, limits, collect, &g->again);
    const struct tar_entry *e;
    buf_adds(&g->lines, "");
    buf_adds(&g->again, "");
    while ((g->r = tar_next(r, &e)) > 0) {
        uint32_t sum = 2166136261;
        int64_t n = step ? payload_read(r, e, step, g, &sum) : 0;
        line_add(&g->lines, e, sum);
        g->n++;
        if (step && n >= 0 && e->size <= 64 << 20)
            assert_int_equal(n, e->size);
    }
    /* The end and an error both stay. */
    assert_int_equal(tar_next(r, &e), g->r);
    tar_reader_free(r);
}

static int stream_fd(const struct buf *in)
{
    int fd = memfd_create("tar", MFD_CLOEXEC);
    assert_int_equal(fd_write_all(fd, in->data, in->len), 0);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void read_stream(const struct buf *in, const struct tar_limits *limits, size_t step, struct reading *g)
{
    auto_close int fd = stream_fd(in);
    read_fd(fd, limits, step, g);
    if (g->r == 0 && step) {
        assert_int_equal(g->again.len, in->len);
        assert_memory_equal(g->again.data, in->data, in->len);
    }
}

static void payload_add(struct buf *b, size_t len)
{
    static const char zeros[TAR_BLOCK_SIZE];
    for (size_t i = 0; i < len; i++)
        buf_addc(b, (char)('a' + i % 23));
    buf_add(b, zeros, tar_padding(len));
}

static void end_add(struct buf *b)
{
    static const char zeros[TAR_END_SIZE];
    buf_add(b, zeros, TAR_END_SIZE);
}

static const char *repeat(char c, size_t n)
{
    static char texts[4][5000];
    static int next;
    char *text = texts[next++ % 4];
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

/* Writer and reader */

static const int64_t second = 1000 * 1000 * 1000;

static void test_round_trip(void **state)
{
    auto_buf struct buf in = {}, want = {};
    auto_reading struct reading g = {};
    auto_free char *deep = xasprintf("%s/%s", repeat('p', 155), repeat('n', 100));
    auto_free char *too_deep = xasprintf("%s/%s", repeat('p', 156), repeat('n', 100));
    auto_free char *slashes = xasprintf("/%s/%s", repeat('p', 99), repeat('q', 50));
    struct tar_entry entries[] = {
        {.path = (char *)"file", .mode = 0644, .size = 1000, .mtime = 1 * second},
        {.path = (char *)"empty", .mode = 07777},
        {.path = (char *)"dir", .type = TAR_DIR, .mode = 01777, .uid = 65534, .gid = 2097151},
        {.path = (char *)".", .type = TAR_DIR, .mode = 0755},
        {.path = (char *)"/", .type = TAR_DIR, .mode = 0755},
        {.path = (char *)"link", .link = (char *)"../to", .type = TAR_SYMLINK, .mode = 0777},
        {.path = (char *)"hard", .link = (char *)"file", .type = TAR_HARDLINK, .mode = 0644},
        {.path = (char *)"null", .type = TAR_CHAR, .mode = 0666, .major = 1, .minor = 3},
        {.path = (char *)"disk", .type = TAR_BLOCK, .mode = 0660, .major = 4095, .minor = 1048575},
        {.path = (char *)"fifo", .type = TAR_FIFO, .mode = 0600},
        {.path = (char *)"big-ids", .uid = 2097152, .gid = UINT32_MAX},
        {.path = (char *)"ns", .mtime = 1700000000 * second + 5},
        {.path = (char *)"tenth", .mtime = 1700000000 * second + second / 10},
        {.path = (char *)"before", .mtime = -1},
        {.path = (char *)"long-before", .mtime = -5 * second},
        {.path = (char *)"first", .mtime = INT64_MIN},
        {.path = (char *)"last", .mtime = INT64_MAX},
        {.path = (char *)"last-octal", .mtime = 8589934591 * second},
        {.path = (char *)"beyond-octal", .mtime = 8589934592 * second},
        {.path = (char *)"gr\xc3\xbc\xc3\x9f \n\xff"},
        {.path = (char *)repeat('a', 100), .size = 512},
        {.path = (char *)repeat('b', 101), .size = 513},
        {.path = (char *)repeat('d', 99), .type = TAR_DIR},
        {.path = (char *)repeat('d', 100), .type = TAR_DIR},
        {.path = deep},
        {.path = too_deep},
        {.path = slashes},
        {.path = (char *)"l100", .link = deep, .type = TAR_SYMLINK},
    };
    struct tar_entry xattrs = {.path = (char *)"x", .size = 3};
    tar_entry_add_xattr(&xattrs, "user.z", "last\n=", 6);
    tar_entry_add_xattr(&xattrs, "user.a=b%3D", "", 0);
    tar_entry_add_xattr(&xattrs, "security.capability", "\1\0\0\2", 4);
    for (size_t i = 0; i <= ARRAY_LEN(entries); i++) {
        struct tar_entry *e = i < ARRAY_LEN(entries) ? &entries[i] : &xattrs;
        auto_buf struct buf once = {}, twice = {};
        tar_format(e, &once);
        tar_format(e, &twice);
        assert_int_equal(once.len % TAR_BLOCK_SIZE, 0);
        assert_int_equal(once.len, twice.len);
        assert_memory_equal(once.data, twice.data, once.len);
        buf_add(&in, once.data, once.len);
        auto_buf struct buf payload = {};
        buf_adds(&payload, "");
        payload_add(&payload, e->size);
        buf_add(&in, payload.data, payload.len);
        if (e != &xattrs)
            line_add(&want, e, sum_of(2166136261, payload.data, e->size));
    }
    end_add(&in);
    buf_adds(&want, "- 0 0:0 3 0 x security.capability=");
    read_stream(&in, NULL, 700, &g);
    assert_int_equal(g.r, 0);
    assert_int_equal(g.n, ARRAY_LEN(entries) + 1);
    assert_memory_equal(g.lines.data, want.data, want.len); /* the rest of the last line holds a NUL */
    assert_memory_equal(g.lines.data + want.len, "\1\0\0\2 user.a=b%3D= user.z=last\n= #", 33);

    free(xattrs.xattrs[0].name);
    xattrs.path = NULL;
    xattrs.xattrs[0].name = xstrdup("");
    tar_entry_done(&xattrs);
}

static void test_what_needs_an_extended_header(void **state)
{
    static const struct {
        struct tar_entry e;
        size_t len;
        const char *records;
    } cases[] = {
        {{.path = (char *)"a", .uid = 2097151, .mtime = 5000000000}, 512, NULL},
        {{.path = (char *)"a", .size = 8589934591}, 512, NULL},
        {{.path = (char *)"a", .size = 8589934592}, 1536, "19 size=8589934592\n"},
        {{.path = (char *)"a", .type = TAR_DIR, .size = 8589934592}, 512, NULL},
        {{.path = (char *)"a", .uid = 2097152}, 1536, "15 uid=2097152\n"},
        {{.path = (char *)"a", .mtime = 1500000000}, 1536, "13 mtime=1.5\n"},
        {{.path = (char *)"a", .mtime = -2000000000}, 1536, "12 mtime=-2\n"},
        {{.path = (char *)"a", .mtime = 1, .gid = 4000000000}, 1536, "18 gid=4000000000\n21 mtime=0.000000001\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf b = {};
        tar_format(&cases[i].e, &b);
        assert_int_equal(b.len, cases[i].len);
        if (cases[i].records) {
            assert_string_equal(b.data, "PaxHeaders.0/a");
            assert_string_equal(b.data + 512, cases[i].records);
        }
    }
    /* The length of a record counts its own digits. */
    for (size_t n = 101; n < 1100; n++) {
        struct tar_entry e = {.path = (char *)repeat('x', n)};
        auto_buf struct buf b = {};
        tar_format(&e, &b);
        const char *record = b.data + 512;
        assert_int_equal(atoi(record), strcspn(record, "\n") + 1);
    }
}

static char *command_output(const char *command, const struct buf *in)
{
    auto_free char *with_input = NULL;
    auto_close int fd = in ? stream_fd(in) : -1;
    if (in) {
        fcntl(fd, F_SETFD, 0);
        with_input = xasprintf("%s <&%d", command, fd);
    }
    FILE *f = popen(in ? with_input : command, "re");
    struct buf out = {};
    assert_int_equal(fd_read_all(fileno(f), 1 << 20, &out), 0);
    assert_int_equal(pclose(f), 0);
    return buf_take(&out);
}

static void test_tar_lists_what_we_write(void **state)
{
    auto_buf struct buf in = {};
    auto_free char *name = xstrdup(repeat('n', 130));
    const struct tar_entry entries[] = {
        {.path = (char *)"dir", .type = TAR_DIR, .mode = 01755, .uid = 1, .gid = 2, .mtime = 60 * second},
        {.path = (char *)"dir/f", .mode = 04755, .size = 5, .uid = 3000000, .mtime = 60 * second + 5},
        {.path = (char *)"l", .link = name, .type = TAR_SYMLINK, .mode = 0777},
        {.path = name, .link = (char *)"dir/f", .type = TAR_HARDLINK, .mode = 0600},
        {.path = (char *)"c", .type = TAR_CHAR, .mode = 0600, .major = 5, .minor = 300},
    };
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        tar_format(&entries[i], &in);
        payload_add(&in, entries[i].size);
    }
    end_add(&in);
    auto_free char *got = command_output("TZ=UTC LC_ALL=C tar -tv --numeric-owner --full-time", &in);
    auto_free char *want = xasprintf("drwxr-xr-t 1/2               0 1970-01-01 00:01:00 dir/\n"
                                     "-rwsr-xr-x 3000000/0         5 1970-01-01 00:01:00.000000005 dir/f\n"
                                     "lrwxrwxrwx 0/0               0 1970-01-01 00:00:00           l -> %s\n"
                                     "hrw------- 0/0               0 1970-01-01 00:00:00           %s link to dir/f\n"
                                     "crw------- 0/0           5,300 1970-01-01 00:00:00           c\n",
                                     name, name);
    assert_string_equal(got, want);
}

/* Archives by tar(1) */

static int setup_tree(void **state)
{
    char path[] = "/tmp/test-tar-XXXXXX";
    *state = mkdtemp(path) ? xstrdup(path) : NULL;
    auto_free char *command = xasprintf(
        "cd %s && deep=t/d/$(printf 'x%%.0s' $(seq 120))/$(printf 'y%%.0s' $(seq 140)) && mkdir -p $deep t/empty && "
        "printf hello > t/d/f && seq 200000 > t/large && : > $deep/deep && ln t/d/f t/hard && "
        "ln -s $(printf 'l%%.0s' $(seq 200)) t/sym && mkfifo t/fifo && chmod 4711 t/d/f && "
        "touch -d @1600000000.123456789 t/d/f && touch -d @-5 t/empty && touch -d @1500000000 t t/d t/d/* t/sym && "
        "for i in $(seq 0 59); do printf %%s x$i | dd of=t/sparse bs=64k seek=$i conv=notrunc status=none; done && "
        "truncate -s 10M t/sparse && truncate -s 3M t/hole",
        (char *)*state);
    return system(command);
}

static int teardown_tree(void **state)
{
    int r = tree_remove(AT_FDCWD, *state);
    free(*state);
    return r;
}

/* What the tree has in place of e, with times in whole seconds if the format has no more. */
static void check_on_disk(int dir, const struct tar_entry *e, uint32_t sum, bool fractions)
{
    struct stat st;
    assert_int_equal(fstatat(dir, e->path, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(e->mode, st.st_mode & 07777);
    assert_int_equal(e->uid, st.st_uid);
    assert_int_equal(e->gid, st.st_gid);
    assert_int_equal(e->mtime, st.st_mtim.tv_sec * second + (fractions ? st.st_mtim.tv_nsec : 0));
    if (e->type == TAR_FILE) {
        auto_free char *data = NULL;
        size_t len;
        assert_int_equal(file_read(dir, e->path, 64 << 20, &data, &len), 0);
        assert_int_equal(e->size, len);
        assert_int_equal(sum, sum_of(2166136261, data, len));
    } else if (e->type == TAR_SYMLINK) {
        char target[4096] = "";
        assert_true(readlinkat(dir, e->path, target, sizeof(target) - 1) > 0);
        assert_string_equal(e->link, target);
    } else if (e->type == TAR_HARDLINK) {
        struct stat other;
        assert_int_equal(fstatat(dir, e->link, &other, 0), 0);
        assert_int_equal(other.st_ino, st.st_ino);
    }
    static const mode_t types[] = {S_IFREG, S_IFREG, S_IFLNK, S_IFCHR, S_IFBLK, S_IFDIR, S_IFIFO};
    assert_int_equal(types[e->type], st.st_mode & S_IFMT);
}

static const struct {
    const char *options, *files;
    size_t n;
    bool fractions;
    size_t sparse;
} archives[] = {
    {"--format=pax", "t", 14, true, 0},
    {"--format=gnu", "t", 14, false, 0},
    {"--format=oldgnu", "t", 14, false, 0},
    {"--format=ustar", "t/d/f t/hard t/fifo t/large", 4, false, 0},
    {"--format=v7", "t/d/f t/hard t/large", 3, false, 0},
    {"--format=gnu --sparse", "t", 14, false, 2},
    {"--format=oldgnu --sparse", "t", 14, false, 2},
    {"--format=pax --sparse --sparse-version=0.0", "t", 14, true, 2},
    {"--format=pax --sparse --sparse-version=0.1", "t", 14, true, 2},
    {"--format=pax --sparse --sparse-version=1.0", "t", 14, true, 2},
    {"--format=pax --sparse --pax-option=globexthdr.name=g,comment=x", "t", 14, true, 2},
    {"--format=gnu --blocking-factor=1 --sparse", "t/sparse", 1, false, 1},
};

/* step 0: payload is skipped, not read. */
static void archive_check(const struct buf *in, size_t i, size_t step, int dir)
{
    auto_close int fd = stream_fd(in);
    auto_reading struct reading g = {};
    struct tar_reader *r = tar_reader_new(fd, NULL, collect, &g.again);
    const struct tar_entry *e;
    size_t n = 0, sparse = 0;
    int error;
    for (; (error = tar_next(r, &e)) > 0; n++) {
        uint32_t sum = 2166136261;
        sparse += e->sparse;
        if (step) {
            assert_int_equal(payload_read(r, e, step, &g, &sum), e->size);
            check_on_disk(dir, e, sum, archives[i].fractions);
        }
    }
    if (error < 0)
        fail_msg("%s: %s", archives[i].options, err_text(error));
    assert_int_equal(n, archives[i].n);
    assert_int_equal(sparse, archives[i].sparse);
    if (step) {
        assert_int_equal(g.again.len, in->len);
        assert_memory_equal(g.again.data, in->data, in->len);
    }
    tar_reader_free(r);
}

static void test_archives_by_tar(void **state)
{
    auto_close int dir = dir_open(AT_FDCWD, *state);
    for (size_t i = 0; i < ARRAY_LEN(archives); i++) {
        auto_free char *command =
            xasprintf("cd %s && tar -c %s %s > a.tar", (char *)*state, archives[i].options, archives[i].files);
        assert_int_equal(system(command), 0);
        auto_buf struct buf in = {};
        auto_close int fd = openat(dir, "a.tar", O_RDONLY | O_CLOEXEC);
        assert_int_equal(fd_read_all(fd, 256 << 20, &in), 0);
        static const size_t steps[] = {0, 777, 1 << 20};
        for (size_t s = 0; s < ARRAY_LEN(steps); s++)
            archive_check(&in, i, steps[s], dir);
    }
}

static void test_owners_and_xattrs_by_tar(void **state)
{
    auto_free char *f = xasprintf("%s/t/d/f", (char *)*state);
    bool xattrs = setxattr(f, "user.a=%b", "1\n2", 3, 0) == 0;
    static const char *const formats[] = {"pax", "gnu"};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        auto_free char *command = xasprintf("cd %s && tar -c --format=%s %s --owner=:3000000 --group=:4294967294 "
                                            "--mtime=@-7 t/d/f",
                                            (char *)*state, formats[i], xattrs && i == 0 ? "--xattrs" : "");
        FILE *p = popen(command, "re");
        auto_reading struct reading g = {};
        read_fd(fileno(p), NULL, 100, &g);
        assert_int_equal(pclose(p), 0);
        auto_free char *want = xasprintf("- 4711 3000000:4294967294 5 -7000000000 t/d/f%s #4f9f2cab\n",
                                         xattrs && i == 0 ? " user.a=%b=1\n2" : "");
        assert_string_equal(g.lines.data, want);
        assert_int_equal(g.r, 0);
    }
    if (!xattrs)
        print_message("no user xattrs in /tmp: not checked\n");
}

/* Streams made by hand */

static void header_add(struct buf *b, char type, const char *name, const char *link, uint64_t size)
{
    struct tar_block h = {.type = type};
    memcpy(h.name, name, MIN(strlen(name), sizeof(h.name)));
    memcpy(h.link, link, strlen(link));
    memcpy(h.magic,
           "ustar\0"
           "00",
           8);
    tar_number_set(h.mode, sizeof(h.mode), 0644);
    tar_number_set(h.size, sizeof(h.size), (int64_t)size);
    tar_block_checksum_set(&h);
    buf_add(b, &h, sizeof(h));
}

static void extra_add(struct buf *b, char type, const char *data, size_t len)
{
    static const char zeros[TAR_BLOCK_SIZE];
    header_add(b, type, "extra", "", len);
    buf_add(b, data, len);
    buf_add(b, zeros, tar_padding(len));
}

static void text_add(struct buf *b, char type, const char *text)
{
    extra_add(b, type, text, strlen(text));
}

/* Records given as "key=value" lines get their lengths. */
static void pax_lines_add(struct buf *b, char type, const char *lines)
{
    auto_buf struct buf records = {};
    while (*lines) {
        size_t n = strcspn(lines, "\n"), total = n + 4;
        total += total > 99 ? 1 : 0;
        buf_addf(&records, "%zu %.*s\n", total > 9 + 3 ? total : n + 3, (int)n, lines);
        lines += n + 1;
    }
    extra_add(b, type, records.data, records.len);
}

/* Letters of a stream: see build(). Digits and names are fixed so that the expected lines can be too. */
static void piece_add(struct buf *b, char piece)
{
    struct tar_block *last;
    switch (piece) {
    case 'f': /* a file of 5 bytes */
        header_add(b, '0', "file", "", 5);
        payload_add(b, 5);
        break;
    case '7': /* contiguous */
        header_add(b, '7', "seven", "", 5);
        payload_add(b, 5);
        break;
    case 'V': /* a v7 directory with payload, of all things */
        header_add(b, '\0', "old//", "", 5);
        payload_add(b, 5);
        break;
    case 'h': /* a hard link that claims a payload */
        header_add(b, '1', "hard", "file", 5);
        break;
    case 'D': /* a directory that claims a payload */
        header_add(b, '5', "dir/", "", 512);
        break;
    case '?': /* an unknown kind with payload */
        header_add(b, 'Q', "what", "", 700);
        payload_add(b, 700);
        break;
    case 'L':
        extra_add(b, 'L', "long name\0ignored", 17);
        break;
    case 'K':
        text_add(b, 'K', "long link");
        break;
    case 'p':
        pax_lines_add(b, 'x', "path=pax name\nmtime=-1.5\nuid=7\nunknown.key=x\n");
        break;
    case 'q': /* taken back */
        pax_lines_add(b, 'x', "path=first\npath=\nuid=8\nuid=\n");
        break;
    case 'z': /* the true size */
        pax_lines_add(b, 'x', "size=5\n");
        header_add(b, '0', "sized", "", 77777);
        payload_add(b, 5);
        break;
    case 'g':
        pax_lines_add(b, 'g', "gid=9\nmtime=3.25\ncomment=hello there\nSCHILY.xattr.user.no=x\n");
        break;
    case 'x':
        pax_lines_add(b, 'x', "SCHILY.xattr.user.a=1\nSCHILY.xattr.user.b=\nSCHILY.xattr.user.a=2\n");
        break;
    case 'H': /* holes and 10 bytes */
        pax_lines_add(
            b, 'x', "GNU.sparse.size=100\nGNU.sparse.numblocks=3\nGNU.sparse.map=5,4,50,6,100,0\nGNU.sparse.name=sp\n");
        header_add(b, '0', "sparse", "", 10);
        payload_add(b, 10);
        break;
    case 'o': /* one hole */
        pax_lines_add(b, 'x', "GNU.sparse.size=100\n");
        header_add(b, '0', "hole", "", 0);
        break;
    case 's': /* the last checksum as a signed sum, with a byte that makes the difference */
        header_add(b, '2', "signed", "\xff\xfe", 0);
        last = (struct tar_block *)(b->data + b->len - sizeof(*last));
        {
            int64_t sum;
            assert_true(tar_number(last->checksum, sizeof(last->checksum), &sum));
            tar_number_set(last->checksum, 7, sum - 512);
        }
        break;
    case 'e':
        end_add(b);
        break;
    case '0':
        buf_add(b, (char[TAR_BLOCK_SIZE]){}, TAR_BLOCK_SIZE);
        break;
    case '!':
        buf_adds(b, "what follows the end");
        break;
    }
}

#define SUM5 "#749bcf08"

static void test_streams(void **state)
{
    static const struct {
        const char *pieces, *lines;
        int r;
    } cases[] = {
        {"", "", 0},
        {"e", "", 0},
        {"0", "", 0},
        {"e!", "", 0},
        {"e!ffe", "", 0},
        {"f", "- 644 0:0 5 0 file F\n", 0},
        {"fe", "- 644 0:0 5 0 file F\n", 0},
        {"f7e", "- 644 0:0 5 0 file F\n- 644 0:0 5 0 seven F\n", 0},
        {"VDfe", "d 644 0:0 0 0 old\nd 644 0:0 0 0 dir\n- 644 0:0 5 0 file F\n", 0},
        {"hfe", "h 644 0:0 0 0 hard -> file\n- 644 0:0 5 0 file F\n", 0},
        {"?f?", "- 644 0:0 5 0 file F\n", 0},
        {"p?f", "- 644 0:0 5 0 file F\n", 0},
        {"Lff", "- 644 0:0 5 0 long name F\n- 644 0:0 5 0 file F\n", 0},
        {"LKh", "h 644 0:0 0 0 long name -> long link\n", 0},
        {"pLf", "- 644 7:0 5 -1500000000 long name F\n", 0},
        {"pff", "- 644 7:0 5 -1500000000 pax name F\n- 644 0:0 5 0 file F\n", 0},
        {"qf", "- 644 0:0 5 0 file F\n", 0},
        {"zf", "- 644 0:0 5 0 sized F\n- 644 0:0 5 0 file F\n", 0},
        {"gfpf", "- 644 0:9 5 3250000000 file F\n- 644 7:9 5 -1500000000 pax name F\n", 0},
        {"xf", "- 644 0:0 5 0 file user.a=2 user.b= F\n", 0},
        {"Hf", "- 644 0:0 100 0 sp #6062ba02 sparse\n- 644 0:0 5 0 file F\n", 0},
        {"of", "- 644 0:0 100 0 hole #e5464095 sparse\n- 644 0:0 5 0 file F\n", 0},
        {"sf", "l 644 0:0 0 0 signed -> \xff\xfe\n- 644 0:0 5 0 file F\n", 0},
        {"p", "", 0},
        {"f0f", "- 644 0:0 5 0 file F\n", -EBADMSG},
        {"!", "", -EBADMSG},
        {"f!", "- 644 0:0 5 0 file F\n", -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf in = {}, want = {};
        auto_reading struct reading g = {};
        buf_adds(&in, "");
        buf_adds(&want, "");
        for (const char *p = cases[i].pieces; *p; p++)
            piece_add(&in, *p);
        for (const char *p = cases[i].lines; *p; p++)
            buf_add(&want, *p == 'F' ? SUM5 : p, *p == 'F' ? strlen(SUM5) : 1);
        read_stream(&in, NULL, 3, &g);
        if (g.r != cases[i].r)
            fail_msg("%s: %d %s", cases[i].pieces, g.r, err_text(g.r));
        assert_string_equal(g.lines.data, want.data);
    }
}

static void test_padding_may_be_missing_at_the_end(void **state)
{
    auto_buf struct buf in = {};
    auto_reading struct reading g = {};
    piece_add(&in, 'f');
    in.len -= TAR_BLOCK_SIZE - 5;
    read_stream(&in, NULL, 100, &g);
    assert_int_equal(g.r, 0);
    assert_int_equal(g.n, 1);
}

static void test_damaged_extended_headers(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        const char *message;
    } cases[] = {
#define CASE(data, message) {data, sizeof(data) - 1, message}
        CASE("x", "the extended header is damaged"),
        CASE("6 a=b", "the extended header is damaged"),
        CASE("6 a=b\n7 a=b\n", "the extended header is damaged"),
        CASE("5 a=b\n", "the extended header is damaged"),
        CASE("0 a=b\n", "the extended header is damaged"),
        CASE("1 a=b\n", "the extended header is damaged"),
        CASE("2 a=b\n", "the extended header is damaged"),
        CASE("-6 a=b\n", "the extended header is damaged"),
        CASE("99999999999999999999999 a=b\n", "the extended header is damaged"),
        CASE("18446744073709551622 a=b\n", "the extended header is damaged"),
        CASE("6 abc\n", "the extended header is damaged"),
        CASE("5 =b\n", "the extended header is damaged"),
        CASE("6 a=b\n\0", "the extended header is damaged"),
        CASE("11 path=a\0\n", "the extended header has a bad \"path\""),
        CASE("14 linkpath=\0\n", "the extended header has a bad \"linkpath\""),
        CASE("10 uid=-1\n", "the extended header has a bad \"uid\""),
        CASE("18 gid=4294967296\n", "the extended header has a bad \"gid\""),
        CASE("12 size=0x1\n", "the extended header has a bad \"size\""),
        CASE("28 size=9223372036854775808\n", "the extended header has a bad \"size\""),
        CASE("11 mtime=.\n", "the extended header has a bad \"mtime\""),
        CASE("13 mtime=1e5\n", "the extended header has a bad \"mtime\""),
        CASE("14 mtime=--15\n", "the extended header has a bad \"mtime\""),
        CASE("17 SCHILY.xattr.=\n", "the extended header is damaged"),
        CASE("18 SCHILY.xattr.=\n", "the extended header has a bad \"SCHILY.xattr.\""),
        CASE("19 SCHILY.xattr.\0=\n", "the extended header has a bad \"SCHILY.xattr.\""),
        CASE("25 GNU.sparse.map=1,2,,3\n", "the extended header has a bad \"GNU.sparse.map\""),
        CASE("25 GNU.sparse.numbytes=1\n", "the extended header has a bad \"GNU.sparse.numbytes\""),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf in = {};
        auto_reading struct reading g = {};
        extra_add(&in, 'x', cases[i].data, cases[i].len);
        piece_add(&in, 'f');
        read_stream(&in, NULL, 100, &g);
        if (g.r != -EBADMSG || !strstr(err_text(g.r), cases[i].message))
            fail_msg("%s: %d %s", cases[i].data, g.r, err_text(g.r));
    }
    /* Beyond what nanoseconds can say, times stay at the end. */
    auto_buf struct buf in = {};
    auto_reading struct reading g = {};
    pax_lines_add(&in, 'x', "mtime=-99999999999.9\n");
    piece_add(&in, 'f');
    read_stream(&in, NULL, 100, &g);
    assert_string_equal(g.lines.data, "- 644 0:0 5 -9223372036854775808 file " SUM5 "\n");
}

static void test_damaged_headers(void **state)
{
#define AT(member) offsetof(struct tar_block, member)
    static const struct {
        char type;
        size_t at;
        const char *bytes;
        size_t len;
        const char *message;
    } cases[] = {
        {'0', AT(size), "9", 1, "a bad size"},
        {'0', AT(size), "-0000000001", 11, "a bad size"},
        {'0', AT(size), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "a bad size"},
        {'0', AT(size), "\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, "a bad size"},
        {'0', AT(size), "\x80\0\0\1\0\0\0\0\0\0\0\0", 12, "a bad size"},
        {'0', AT(size), "77777777777", 11, "cut short"},
        {'0', AT(size), "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, "cut short"},
        {'0', AT(mode), "rwx", 3, "a bad mode"},
        {'0', AT(mtime), "1 2", 3, "a bad time"},
        {'0', AT(uid), "x", 1, "a bad owner"},
        {'0', AT(uid), "\x80\0\0\1\0\0\0\0", 8, "a bad owner"},
        {'0', AT(gid), "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "a bad owner"},
        {'3', AT(major), "z", 1, "a bad device number"},
        {'4', AT(minor), "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "a bad device number"},
        {'0', AT(name), "\0", 1, "without a name"},
        {'L', AT(size), "00010000000", 11, "too large"},
        {'x', AT(size), "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, "too large"},
        {'x', AT(size), "00000001000", 11, "cut short"},
        {'g', AT(size), "?", 1, "a bad size"},
        {'Q', AT(size), "00000001000", 11, "cut short"},
        {'S', 0, "n", 1, "the header of a sparse file is damaged"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf in = {};
        auto_reading struct reading g = {};
        header_add(&in, cases[i].type, "name", "", 0);
        memcpy(in.data + cases[i].at, cases[i].bytes, cases[i].len);
        tar_block_checksum_set((struct tar_block *)in.data);
        read_stream(&in, NULL, 4096, &g);
        /* Damage of the payload of a file shows when it is read, and again after it. */
        if (g.r != -EBADMSG || !strstr(err_text(g.r), cases[i].message) ||
            !str_after(err_text(g.r), "tar archive, byte "))
            fail_msg("case %zu: %d %s", i, g.r, err_text(g.r));
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *field;
        size_t len;
        bool ok;
        int64_t n;
    } cases[] = {
        {"0000644", 8, true, 0644},
        {"   644 ", 8, true, 0644},
        {"644 \0xyz", 8, true, 0644},
        {"77777777", 8, true, 077777777},
        {"\0\0\0\0\0\0\0\0", 8, true, 0},
        {"        ", 8, true, 0},
        {"6 44\0\0\0", 8, false, 0},
        {"8\0\0\0\0\0\0", 8, false, 0},
        {"+7\0\0\0\0\0", 8, false, 0},
        {"\x80\0\0\0\0\0\0\x05", 8, true, 5},
        {"\xff\xff\xff\xff\xff\xff\xff\xfe", 8, true, -2},
        {"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, true, INT64_MIN},
        {"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 12, false, 0},
        {"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, true, INT64_MAX},
        {"\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, false, 0},
        {"\xc0\0\0\0\0\0\0\0\0\0\0\0", 12, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t n = 0;
        if (tar_number(cases[i].field, cases[i].len, &n) != cases[i].ok || (cases[i].ok && n != cases[i].n))
            fail_msg("case %zu: %lld", i, (long long)n);
    }
    static const int64_t back[] = {0, 1, 07777777, 010000000, -1, -010000000, 1LL << 40};
    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        char field[8];
        int64_t n = 0;
        tar_number_set(field, sizeof(field), back[i]);
        assert_true(tar_number(field, sizeof(field), &n));
        assert_int_equal(n, back[i]);
    }
}

static void test_sparse_maps(void **state)
{
    static const struct {
        const char *records, *payload;
        size_t stored;
        const char *message; /* or NULL */
    } cases[] = {
        {"GNU.sparse.size=10\nGNU.sparse.map=0,3,5,5\n", "", 8, NULL},
        {"GNU.sparse.size=10\nGNU.sparse.map=0,3,5,5\n", "", 9, "map of a sparse file is wrong"},
        {"GNU.sparse.size=10\nGNU.sparse.map=0,3,5,5\n", "", 7, "map of a sparse file is wrong"},
        {"GNU.sparse.size=9\nGNU.sparse.map=0,3,5,5\n", "", 8, "map of a sparse file is wrong"},
        {"GNU.sparse.size=10\nGNU.sparse.map=5,5,0,3\n", "", 8, "map of a sparse file is wrong"},
        {"GNU.sparse.size=10\nGNU.sparse.map=0,5,4,3\n", "", 8, "map of a sparse file is wrong"},
        {"GNU.sparse.size=10\nGNU.sparse.map=0,3,5\n", "", 3, "map of a sparse file is wrong"},
        {"GNU.sparse.size=10\nGNU.sparse.map=5,9223372036854775797\n", "", 8, "map of a sparse file is wrong"},
        {"GNU.sparse.size=10\nGNU.sparse.numblocks=3\nGNU.sparse.map=0,3,5,5\n", "", 8, "is damaged"},
        {"GNU.sparse.map=0,3,5,5\n", "", 8, "unknown format"},
        {"GNU.sparse.major=2\nGNU.sparse.minor=0\nGNU.sparse.realsize=10\n", "", 8, "unknown format"},
        {"GNU.sparse.major=1\nGNU.sparse.minor=1\nGNU.sparse.realsize=10\n", "", 8, "unknown format"},
        {"GNU.sparse.size=10\nGNU.sparse.offset=0\nGNU.sparse.numbytes=3\n", "", 3, NULL},
        {"GNU.sparse.size=10\nGNU.sparse.offset=0\nGNU.sparse.offset=3\n", "", 3, "bad \"GNU.sparse.offset\""},
#define V1 "GNU.sparse.major=1\nGNU.sparse.minor=0\nGNU.sparse.realsize=10\n"
        {V1, "2\n0\n3\n5\n5\n", 512 + 8, NULL},
        {V1, "0\n", 512, NULL},
        {V1, "2\n0\n3\n5\n5\n", 512 + 7, "map of a sparse file is wrong"},
        {V1, "2\n0\n3\n5\n5\n", 8, "is damaged"},
        {V1, "2\n0\n3\n", 512 + 8, "is damaged"},
        {V1, "\n0\n3\n", 512 + 8, "is damaged"},
        {V1, "-1\n", 512, "is damaged"},
        {V1, "99999999999999999999\n", 512, "is damaged"},
        {V1, "1000001\n", 512, "too many pieces"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf in = {};
        auto_reading struct reading g = {};
        pax_lines_add(&in, 'x', cases[i].records);
        header_add(&in, '0', "sparse", "", cases[i].stored);
        size_t at = in.len;
        payload_add(&in, cases[i].stored);
        if (*cases[i].payload) {
            memset(in.data + at, 0, TAR_BLOCK_SIZE);
            memcpy(in.data + at, cases[i].payload, strlen(cases[i].payload));
        }
        end_add(&in);
        read_stream(&in, NULL, 3, &g);
        if (g.r != (cases[i].message ? -EBADMSG : 0) || (cases[i].message && !strstr(err_text(g.r), cases[i].message)))
            fail_msg("case %zu: %d %s", i, g.r, err_text(g.r));
    }
}

static void test_limits(void **state)
{
    static const struct {
        struct tar_limits limits;
        const char *message;
    } cases[] = {
        {{.max_path = 9}, NULL},    {{.max_path = 8}, "a name is too long"},
        {{.max_pax = 17}, NULL},    {{.max_pax = 16}, "an extended header is too large"},
        {{.max_entries = 3}, NULL}, {{.max_entries = 2}, "too many entries"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf in = {};
        auto_reading struct reading g = {};
        piece_add(&in, 'L');
        piece_add(&in, 'f');
        piece_add(&in, 'h');
        piece_add(&in, 'e');
        read_stream(&in, &cases[i].limits, 100, &g);
        assert_int_equal(g.r, cases[i].message ? -EBADMSG : 0);
        if (cases[i].message)
            assert_non_null(strstr(err_text(g.r), cases[i].message));
    }
}

/* Names and PAX records with everything on, at every length: never a crash, never more than was there. */
static void test_every_cut_and_flip(void **state)
{
    auto_buf struct buf in = {};
    for (const char *p = "gVxfHpLKhoz?Df"; *p; p++)
        piece_add(&in, *p);
    for (size_t n = 0; n < in.len; n++) {
        struct buf cut = {.data = in.data, .len = n};
        auto_reading struct reading g = {};
        auto_close int fd = stream_fd(&cut);
        read_fd(fd, NULL, 100, &g);
        assert_true(g.r == 0 || g.r == -EBADMSG);
        if (n % TAR_BLOCK_SIZE == 1 && g.r == 0)
            assert_true(g.n > 0); /* only the padding of a payload may be cut */
    }
    for (size_t n = 0; n < in.len; n += 3) {
        auto_reading struct reading g = {};
        in.data[n] ^= 1 << n % 8;
        auto_close int fd = stream_fd(&in);
        read_fd(fd, NULL, 100, &g);
        in.data[n] ^= 1 << n % 8;
        assert_true(g.r == 0 || g.r == -EBADMSG || g.r == -E2BIG);
    }
}

static int refuse(void *arg, const void *data, size_t len)
{
    return err_set(-ENOSPC, "full");
}

static void test_raw_can_stop_the_reader(void **state)
{
    auto_buf struct buf in = {};
    piece_add(&in, 'f');
    auto_close int fd = stream_fd(&in);
    struct tar_reader *r = tar_reader_new(fd, NULL, refuse, NULL);
    const struct tar_entry *e = NULL;
    assert_int_equal(tar_next(r, &e), -ENOSPC);
    assert_int_equal(tar_next(r, &e), -ENOSPC);
    assert_null(e);
    assert_string_equal(err_text(-ENOSPC), "full");
    tar_reader_free(r);
    r = tar_reader_new(-1, NULL, NULL, NULL);
    assert_int_equal(tar_next(r, &e), -EBADF);
    tar_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_needs_an_extended_header),
        cmocka_unit_test(test_tar_lists_what_we_write),
        cmocka_unit_test_setup_teardown(test_archives_by_tar, setup_tree, teardown_tree),
        cmocka_unit_test_setup_teardown(test_owners_and_xattrs_by_tar, setup_tree, teardown_tree),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_padding_may_be_missing_at_the_end),
        cmocka_unit_test(test_damaged_extended_headers),
        cmocka_unit_test(test_damaged_headers),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sparse_maps),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_cut_and_flip),
        cmocka_unit_test(test_raw_can_stop_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
