/* Unpacking: what tar(1) writes is unpacked and sent again byte for byte; entries that meet each other; hostile
 * archives, after which nothing is left and nothing outside was touched. Runs as root or, in a store with one id or
 * with ranges, as anybody. */
#include "layer-fixture.h"
#include "whelk/codec.h"

static int import_bytes(const struct bench *b, const void *data, size_t len, const struct layer_limits *limits,
                        char **ret)
{
    auto_close int fd = bytes_fd(data, len);
    return layer_import(b->st, fd, NULL, limits, ret);
}

static int import_file(const struct bench *b, const char *name, char **ret)
{
    auto_close int fd = openat(b->dir, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return layer_import(b->st, fd, NULL, NULL, ret);
}

static bool owners_kept(const struct bench *b)
{
    return !idmap_single(&b->s->map);
}

static void assert_text_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no '%s' in:\n%s", part, text);
}

/* ---- archives of tar(1) ---- */

static const char tree_script[] =
    "mkdir -p t/dir/sub t/empty t/long; cd t; echo hello > dir/hello; : > dir/zero; chmod 4755 dir/hello; ln dir/hello "
    "dir/sub/link;"
    "ln -s ../dir/hello dir/sym; ln -s nowhere dangling; mkfifo -m 620 fifo; head -c 300000 /dev/urandom > big;"
    "truncate -s 3M sparse; printf mid | dd of=sparse bs=1 seek=1000000 conv=notrunc status=none;"
    "n=$(printf %0200d 7); echo long > long/$n; mkdir -p long/$n.d/$n; echo longer > long/$n.d/$n/$n; ln -s $n$n "
    "long/sym;"
    "printf x > \"$(printf 'odd\\001\\377name')\"; chmod 1777 dir; chmod 700 empty; "
    "find . -depth -exec touch -h -d @1234567890 {} +";

static void test_tar_formats(void **state)
{
    static const struct {
        const char *options, *filter;
        bool no_long_links; /* the format cannot say them */
    } cases[] = {
        {"--format=gnu", "cat"},
        {"--format=pax", "cat"},
        {"--format=ustar", "cat", true},
        {"--format=gnu -S", "cat"},
        {"--format=pax -S --sparse-version=0.0", "cat"},
        {"--format=pax -S --sparse-version=0.1", "cat"},
        {"--format=pax -S --sparse-version=1.0", "cat"},
        {"--format=gnu -b 1", "gzip -1"},
        {"--format=pax", "gzip -9"},
    };
    struct bench *b = *state;
    run(b, tree_script);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *key = NULL;
        auto_free char *make =
            xasprintf("tar -C t --owner=0 --group=0 %s %s -cf a.tar .; %s < a.tar > a.in; cat a.tar", cases[i].options,
                      cases[i].no_long_links ? "--exclude=./long" : "", cases[i].filter);
        auto_free char *text = shell(b, make);
        auto_free char *size_text = shell(b, "stat -c %s a.tar");
        auto_free char *sum = shell(b, "sha256sum a.tar | cut -c 1-64 | tr -d '\\n'");
        uint64_t size;
        assert_true(str_to_u64(str_trim(size_text), &size));
        assert_ok(import_file(b, "a.in", &key));
        assert_string_equal(key, sum);
        assert_sends(b, key, text, size);
        if (cases[i].no_long_links)
            run(b, "rm -rf t/long; touch -h -d @1234567890 t");
        auto_free char *want = describe(b, b->dir, "t", true);
        auto_free char *have = describe_layer(b, key, true);
        assert_string_equal(have, want);
        if (cases[i].no_long_links) {
            run(b, "rm -rf t");
            run(b, tree_script);
        }
    }
}

/* The same archive twice: one layer. One that nothing vouches for is made anew. */
static void test_twice(void **state)
{
    struct bench *b = *state;
    auto_buf struct buf ar = {0};
    auto_free char *one = NULL, *two = NULL, *three = NULL;
    ar_file(&ar, "a", 0644, "x");
    ar_end(&ar);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &one));
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &two));
    assert_string_equal(one, two);
    assert_int_equal(entries_in(b->s, "layers"), 1);
    auto_free char *file = xasprintf("layers/%s/diff/a", one);
    assert_ok(file_write(b->s->fd, file, "damaged", 7, 0644));
    stage_end(b->st);
    assert_ok(stage_begin(b->s, &b->st));
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &three));
    auto_free char *text = describe_layer(b, three, false);
    assert_text_has(text, "a 'x'");
}

/* ---- entries that meet ---- */

enum { NO_MODE = S_IFREG }; /* mode 0: 0 itself means the usual one */

struct made {
    char type; /* f file, d directory, h hard link, l symbolic link, c b devices, p FIFO; 0 ends */
    const char *path, *arg;
    unsigned mode;
};

static void ar_made(struct buf *ar, const struct made *m)
{
    for (; m->type; m++) {
        switch (m->type) {
        case 'f':
            ar_file(ar, m->path, m->mode ? m->mode : 0644, m->arg ? m->arg : "");
            break;
        case 'd':
            ar_dir(ar, m->path, m->mode ? m->mode : 0755);
            break;
        case 'h':
            ar_link(ar, TAR_HARDLINK, m->path, m->arg);
            break;
        case 'l':
            ar_link(ar, TAR_SYMLINK, m->path, m->arg);
            break;
        case 'p':
            ar_node(ar, TAR_FIFO, m->path, 0, 0);
            break;
        default:
            ar_node(ar, m->type == 'c' ? TAR_CHAR : TAR_BLOCK, m->path, 1, 3);
        }
    }
    ar_end(ar);
}

#define T5 " 0:0 5.000000000 "
#define T6 " 0:0 6.000000000 "
#define ROOT "d 0755 0:0 .\n"

static void test_meetings(void **state)
{
    static const struct {
        const char *name;
        struct made made[8];
        const char *tree, *implicit;
    } cases[] = {
        {"a later file wins",
         {{'f', "a", "one"}, {'f', "a", "two"}, {'f', "./a", "three"}},
         ROOT "- 0644" T5 "a 'three'\n",
         ""},
        {"a link keeps the first",
         {{'f', "a", "one"}, {'h', "b", "a"}, {'f', "a", "two"}, {'h', "c", "./b"}},
         ROOT "- 0644" T5 "a 'two'\n- 0644" T5 "b 'one'\n- 0644" T5 "c = b\n",
         ""},
        {"a link replaces a file",
         {{'f', "a", "one"}, {'f', "b", "two"}, {'h', "b", "a"}},
         ROOT "- 0644" T5 "a 'one'\n- 0644" T5 "b = a\n",
         ""},
        {"a link to itself", {{'f', "a", "one"}, {'h', "a", "a"}}, ROOT "- 0644" T5 "a 'one'\n", ""},
        {"a link to a symbolic link",
         {{'l', "s", "x"}, {'h', "t", "s"}},
         ROOT "l 0777" T6 "s -> x\nl 0777" T6 "t = s\n",
         ""},
        {"a directory twice",
         {{'d', "d", NULL, 0700}, {'f', "d/f", "x"}, {'d', "d/", NULL, 01777}},
         ROOT "d 1777 0:0 d\n- 0644" T5 "d/f 'x'\n",
         ""},
        {"an empty directory gives way", {{'d', "d"}, {'f', "d", "x"}}, ROOT "- 0644" T5 "d 'x'\n", ""},
        {"a file gives way to a directory",
         {{'f', "d", "x"}, {'d', "d"}, {'f', "d/e", "y"}},
         ROOT "d 0755 0:0 d\n- 0644" T5 "d/e 'y'\n",
         ""},
        {"a symbolic link gives way",
         {{'l', "d", "/"}, {'d', "d"}, {'f', "d/e", "y"}},
         ROOT "d 0755 0:0 d\n- 0644" T5 "d/e 'y'\n",
         ""},
        {"directories without entry",
         {{'f', "x/y/z", "1"}, {'f', "x/q", "2"}, {'d', "x", NULL, 0700}},
         ROOT "d 0700 0:0 x\n- 0644" T5 "x/q '2'\nd 0755 0:0 x/y\n- 0644" T5 "x/y/z '1'\n",
         "x/y"},
        {"absolute, dots and slashes",
         {{'f', "/a//./b/", "1"}, {'f', "././c", "2"}},
         ROOT "d 0755 0:0 a\n- 0644" T5 "a/b '1'\n- 0644" T5 "c '2'\n",
         "a"},
        {"setgid directories give nothing on",
         {{'d', "d", NULL, 02775}, {'f', "d/f", "1"}, {'d', "d/e"}, {'f', "d/g/h", "2"}},
         ROOT "d 2775 0:0 d\nd 0755 0:0 d/e\n- 0644" T5 "d/f '1'\nd 0755 0:0 d/g\n- 0644" T5 "d/g/h '2'\n",
         "d/g"},
        {"modes",
         {{'f', "s", "x", 06711}, {'f', "z", "y", NO_MODE}, {'d', "d", NULL, NO_MODE}, {'f', "d/x", "1"}},
         ROOT "d 0000 0:0 d\n- 0644" T5 "d/x '1'\n- 6711" T5 "s 'x'\n- 0000" T5 "z 'y'\n",
         ""},
        {"devices are in the recipe only",
         {{'c', "null"}, {'b', "sda"}, {'p', "fifo"}, {'h', "n2", "null"}},
         ROOT "p 0600 0:0 0.000000000 fifo\n- 0000 0:0 0.000000000 n2 ''\n- 0000 0:0 0.000000000 null = n2\n- 0000 0:0 "
              "0.000000000 sda ''\n",
         ""},
        {"whiteouts",
         {{'f', "d/.wh.gone"}, {'f', ".wh.top", "payload"}, {'d', "e"}, {'f', "e/.wh..wh..opq"}},
         ROOT "d 0755 0:0 d\nc 0,0 d/gone\nd 0755 0:0 e user.overlay.opaque=y\nc 0,0 top\n",
         "d"},
        {"an entry wins over a whiteout",
         {{'f', ".wh.a"}, {'f', "a", "x"}, {'f', "b", "y"}, {'f', ".wh.b"}},
         ROOT "- 0644" T5 "a 'x'\n- 0644" T5 "b 'y'\n",
         ""},
        {"a whiteout before its directory",
         {{'f', ".wh.a"}, {'d', "a"}, {'f', ".wh.b"}, {'f', "b/c", "x"}, {'d', "e"}, {'f', ".wh.e"}},
         ROOT "d 0755 0:0 a user.overlay.opaque=y\nd 0755 0:0 b user.overlay.opaque=y\n- 0644" T5
              "b/c 'x'\nd 0755 0:0 e user.overlay.opaque=y\n",
         "b"},
        {"what old tools kept",
         {{'d', ".wh..wh.plnk"}, {'f', ".wh..wh.plnk/12.34", "x"}, {'f', ".wh..wh.aufs"}, {'f', "a", "y"}},
         ROOT "- 0644" T5 "a 'y'\n",
         ""},
        {"symbolic links stay as they are",
         {{'l', "a", "/etc/../../x"}, {'l', "b", "a/b/../c"}},
         ROOT "l 0777" T6 "a -> /etc/../../x\nl 0777" T6 "b -> a/b/../c\n",
         ""},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf ar = {0};
        auto_free char *key = NULL;
        auto_with(layer_done) struct layer l = {0};
        ar_made(&ar, cases[i].made);
        print_message("  %s\n", cases[i].name);
        assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
        assert_sends(b, key, ar.data, ar.len);
        auto_free char *tree = describe_layer(b, key, false);
        assert_string_equal(tree, cases[i].tree);
        assert_ok(layer_load(b->s, key, &l));
        auto_free char *implicit = strv_join(l.implicit, " ");
        assert_string_equal(implicit, cases[i].implicit);
        assert_string_equal(l.diffid, key);
        assert_false(l.has_root);
    }
}

static void test_root_and_empty(void **state)
{
    struct bench *b = *state;
    auto_buf struct buf nothing = {0}, root = {0};
    auto_free char *key = NULL, *key2 = NULL;
    auto_with(layer_done) struct layer l = {0}, l2 = {0};
    ar_end(&nothing);
    assert_ok(import_bytes(b, nothing.data, nothing.len, NULL, &key));
    assert_ok(layer_load(b->s, key, &l));
    assert_true(l.empty && !l.has_root);
    ar_dir(&root, "./", 01750);
    ar_end(&root);
    assert_ok(import_bytes(b, root.data, root.len, NULL, &key2));
    assert_ok(layer_load(b->s, key2, &l2));
    assert_true(l2.empty && l2.has_root);
    auto_free char *text = describe_layer(b, key2, true);
    assert_string_equal(text, "d 1750 0:0 7.000000000 .\n");
}

/* Times of directories are those of their entries whatever came after. */
static void test_dir_times(void **state)
{
    struct bench *b = *state;
    auto_buf struct buf ar = {0};
    auto_free char *key = NULL;
    ar_dir(&ar, "d", 0755);
    ar_file(&ar, "d/f", 0644, "x");
    ar_file(&ar, "i/f", 0644, "x");
    ar_end(&ar);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
    auto_free char *text = describe_layer(b, key, true);
    assert_text_has(text, "d 0755 0:0 7.000000000 d\n");
    assert_text_has(text, "d 0755 0:0 0.000000000 i\n");
}

/* Names that JSON cannot hold are escaped in layer.json. */
static void test_odd_names(void **state)
{
    struct bench *b = *state;
    auto_buf struct buf ar = {0};
    auto_free char *key = NULL;
    auto_with(layer_done) struct layer l = {0};
    ar_file(&ar, "a\377b%\n/f", 0644, "x");
    ar_end(&ar);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
    assert_ok(layer_load(b->s, key, &l));
    assert_int_equal(strv_len(l.implicit), 1);
    assert_string_equal(l.implicit[0], "a%FFb%25%0A");
    assert_sends(b, key, ar.data, ar.len);
}

static void test_xattrs(void **state)
{
    static const char cap[] = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    struct bench *b = *state;
    auto_buf struct buf ar = {0};
    auto_free char *key = NULL;
    auto_with(tar_entry_done) struct tar_entry e = {.path = xstrdup("f"), .mode = 04755};
    tar_entry_add_xattr(&e, "user.note", "hi", 2);
    tar_entry_add_xattr(&e, "user.overlay.redirect", "/etc", 4);
    tar_entry_add_xattr(&e, "trusted.overlay.opaque", "y", 1);
    tar_entry_add_xattr(&e, "security.capability", cap, 20);
    ar_entry(&ar, &e, NULL);
    e.type = TAR_DIR;
    e.path[0] = 'd';
    ar_entry(&ar, &e, NULL);
    ar_end(&ar);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
    assert_sends(b, key, ar.data, ar.len);
    auto_free char *text = describe_layer(b, key, false);
    assert_text_has(text, "user.note=hi");
    assert_null(strstr(text, "overlay"));
    assert_null(strstr(text, "trusted"));
    if (owners_kept(b))
        assert_text_has(text, "security.capability=\\x01\\x00\\x00\\x02\\x00\\x20");
    else
        assert_null(strstr(text, "capability"));
}

static void test_owners(void **state)
{
    struct bench *b = *state;
    auto_buf struct buf ar = {0};
    auto_free char *key = NULL;
    auto_with(layer_done) struct layer l = {0};
    struct tar_entry e = {.path = (char *)"f", .mode = 06755, .uid = 33, .gid = 44, .size = 1};
    ar_entry(&ar, &e, "x");
    e = (struct tar_entry){.path = (char *)"l", .type = TAR_SYMLINK, .link = (char *)"f", .uid = 5, .gid = 6};
    ar_entry(&ar, &e, NULL);
    ar_end(&ar);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
    assert_ok(layer_load(b->s, key, &l));
    auto_free char *text = describe_layer(b, key, false);
    assert_string_equal(l.owners, owners_kept(b) ? "exact" : "squashed");
    assert_text_has(text, owners_kept(b) ? "- 6755 33:44 " : "- 6755 0:0 ");
    assert_text_has(text, owners_kept(b) ? "l 0777 5:6 " : "l 0777 0:0 ");
    assert_sends(b, key, ar.data, ar.len);
}

/* An owner that the store's map does not have is an error that says what is missing. */
static void test_owner_unmapped(void **state)
{
    struct bench *b = *state;
    auto_buf struct buf ar = {0};
    auto_free char *key = NULL;
    if (idmap_none(&b->s->map) || idmap_single(&b->s->map))
        skip(); /* every id is there, or none is kept */
    struct tar_entry e = {.path = (char *)"f", .mode = 0644, .uid = 3000000000};
    ar_entry(&ar, &e, NULL);
    ar_end(&ar);
    assert_int_equal(import_bytes(b, ar.data, ar.len, NULL, &key), -EPERM);
    assert_text_has(err_text(-EPERM), "archive entry f: belongs to uid 3000000000");
    assert_text_has(err_text(-EPERM), "3000000001 are needed (sudo usermod --add-subuids");
}

/* ---- hostile and damaged ---- */

/* Nothing but the notes of operations is in the store, and outside is as it was. */
static void assert_nothing_left(const struct bench *b, const char *outside)
{
    auto_free char *left =
        shell(b, "find store/layers store/tmp -mindepth 2 ! -name made ! -name pins; find store/layers -mindepth 1");
    auto_free char *now = describe(b, b->dir, "outside", true);
    assert_string_equal(left, "");
    assert_string_equal(now, outside);
}

static void assert_refused(const struct bench *b, int r, const char *text, const char *outside)
{
    if (r >= 0 || !strstr(err_text(r), text))
        fail_msg("%d '%s', wanted '%s'", r, err_text(r), text);
    assert_nothing_left(b, outside);
}

static char *make_outside(const struct bench *b)
{
    run(b, "mkdir outside; echo secret > outside/file; touch -d @1 outside/file outside");
    return describe(b, b->dir, "outside", true);
}

static void test_hostile(void **state)
{
    static const struct {
        struct made made[6];
        const char *text;
    } cases[] = {
        {{{'f', "../x", "1"}}, "'..'"},
        {{{'f', "a/../../x", "1"}}, "'..'"},
        {{{'d', ".."}}, "'..'"},
        {{{'l', "d", "OUTSIDE"}, {'f', "d/file", "1"}},
         "archive entry d/file: goes through d, a symbolic link of the same layer"},
        {{{'l', "d", "."}, {'f', "d/x", "1"}}, "goes through d, a symbolic link"},
        {{{'d', "a"}, {'l', "a/d", "../../../outside"}, {'d', "a/d/x"}}, "goes through a/d, a symbolic link"},
        {{{'l', "d", "OUTSIDE"}, {'f', "d/.wh.file"}}, "goes through d, a symbolic link"},
        {{{'l', "d", "OUTSIDE"}, {'f', "d/.wh..wh..opq"}}, "goes through d, a symbolic link"},
        {{{'h', "x", "../outside/file"}}, "x: is a hard link to ../outside/file, which is not a file of this layer"},
        {{{'h', "x", "/etc/passwd"}}, "is a hard link to /etc/passwd"},
        {{{'h', "x", "x"}}, "is a hard link to x"},
        {{{'h', "x", "."}}, "is a hard link to ."},
        {{{'d', "d"}, {'h', "x", "d"}}, "is a hard link to d"},
        {{{'l', "d", "OUTSIDE"}, {'h', "x", "d/file"}}, "is a hard link to d/file"},
        {{{'f', ".wh.x"}, {'h', "y", "x"}}, "is a hard link to x"},
        {{{'h', "x", "../layer.json"}}, "is a hard link"},
        {{{'f', "f", "1"}, {'f', "f/x", "2"}}, "archive entry f/x: lies below f, which is not a directory"},
        {{{'f', "d/x", "1"}, {'f', "d", "2"}}, "would replace a directory of the same layer that is not empty"},
        {{{'f', "d/x", "1"}, {'l', "d", "y"}}, "would replace a directory"},
        {{{'f', "."}}, "the root directory is not a directory"},
        {{{'f', ".wh."}}, "is a whiteout of nothing"},
        {{{'f', ".wh..."}}, "is a whiteout of nothing"},
        {{{'f', "d/.wh.."}}, "is a whiteout of nothing"},
        {{{'f', ".wh.d/x", "1"}}, "lies below a whiteout"},
        {{{'f', "a\033[2Jb/../c", "1"}}, "a\\x1b[2Jb"},
    };
    struct bench *b = *state;
    auto_free char *outside = make_outside(b);
    auto_free char *target = xasprintf("%s/outside", b->f->dir);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct made made[6];
        auto_buf struct buf ar = {0};
        auto_free char *key = NULL;
        memcpy(made, cases[i].made, sizeof(made));
        for (size_t j = 0; j < ARRAY_LEN(made); j++)
            if (made[j].arg && str_eq(made[j].arg, "OUTSIDE"))
                made[j].arg = target;
        ar_made(&ar, made);
        assert_refused(b, import_bytes(b, ar.data, ar.len, NULL, &key), cases[i].text, outside);
        assert_null(key);
    }
}

static void test_long_names(void **state)
{
    struct bench *b = *state;
    auto_free char *outside = make_outside(b);
    auto_buf struct buf deep = {0}, wide = {0}, ok = {0}, path = {0};
    auto_free char *key = NULL, *component = xcalloc(1, 301);
    memset(component, 'n', 300);
    ar_file(&wide, component, 0644, "x");
    ar_end(&wide);
    assert_refused(b, import_bytes(b, wide.data, wide.len, NULL, &key), "File name too long", outside);
    while (path.len < 5000)
        buf_adds(&path, "d/");
    ar_file(&deep, path.data, 0644, "x");
    ar_end(&deep);
    assert_refused(b, import_bytes(b, deep.data, deep.len, NULL, &key), "name is too long", outside);
    component[200] = '/';
    component[201] = path.data[0] = '\0';
    for (path.len = 0; path.len < 3800;)
        buf_adds(&path, component);
    buf_adds(&path, "f");
    ar_file(&ok, path.data, 0644, "x");
    ar_end(&ok);
    assert_ok(import_bytes(b, ok.data, ok.len, NULL, &key));
    assert_sends(b, key, ok.data, ok.len);
}

static void test_limits(void **state)
{
    struct bench *b = *state;
    auto_free char *outside = make_outside(b), *key = NULL;
    auto_buf struct buf many = {0};
    for (int i = 0; i < 20; i++) {
        auto_free char *name = xasprintf("%d", i);
        ar_file(&many, name, 0644, "");
    }
    ar_end(&many);
    struct layer_limits ten = {.max_entries = 10}, mega = {.max_bytes = 1 << 20};
    assert_refused(b, import_bytes(b, many.data, many.len, &ten, &key), "too many entries", outside);
    run(b, "mkdir bomb; tar -C bomb -cf empty.tar .; truncate -s 10M bomb/zeros; tar -C bomb -cf file.tar .;"
           "tar -C bomb -cSf sparse.tar .; gzip < file.tar > file.gz; cat empty.tar bomb/zeros > tail.tar; gzip < "
           "tail.tar > tail.gz; ! command -v zstd >/dev/null || zstd -q tail.tar -o tail.zst");
    static const struct {
        const char *file, *text;
    } bombs[] = {
        {"file.tar", "larger than"},
        {"file.gz", "than"}, /* both workers notice, whoever is faster */
        {"sparse.tar", "larger than the limit"},
        {"tail.tar", "the archive is larger than 1048576 bytes"},
        {"tail.gz", "inflates to more than 1048576 bytes"},
        {"tail.zst", "inflates to more than 1048576 bytes"},
    };
    bool zstd = codec_prepare(CODEC_ZSTD) == 0 && faccessat(b->dir, "tail.zst", F_OK, 0) == 0;
    for (size_t i = 0; i < ARRAY_LEN(bombs) - !zstd; i++) {
        auto_close int fd = openat(b->dir, bombs[i].file, O_RDONLY | O_CLOEXEC);
        assert_refused(b, layer_import(b->st, fd, NULL, &mega, &key), bombs[i].text, outside);
    }
}

static void test_damaged(void **state)
{
    struct bench *b = *state;
    auto_free char *outside = make_outside(b), *key = NULL;
    run(b, "mkdir t; head -c 100000 /dev/urandom > t/f; echo x > t/g; tar -C t -cf a.tar .; gzip < a.tar > a.gz");
    static const struct {
        const char *script, *text;
    } cases[] = {
        {": > x", "the archive is empty"},
        {"echo not an archive > x", "cut short"},
        {"head -c 4096 /dev/urandom | tr '\\037' x > x", "not a tar header"},
        {"head -c 700 a.tar > x", "cut short"},
        {"head -c 50000 a.tar > x", "cut short"},
        {"head -c 50000 a.gz > x", "the gzip stream is cut short"},
        {"head -c 12 a.gz > x", "the gzip stream is cut short"},
        {"(cat a.gz; echo more) > x", "followed by other data"},
        {"(head -c 40000 a.gz; head -c 60000 /dev/zero) > x", "gzip stream is damaged"},
        {"gzip < a.gz > x", "not a tar header"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        run(b, cases[i].script);
        assert_refused(b, import_file(b, "x", &key), cases[i].text, outside);
    }
    auto_close int fd = openat(b->dir, "a.gz", O_RDONLY | O_CLOEXEC);
    char wrong[65];
    diffid_of("something else", wrong);
    assert_refused(b, layer_import(b->st, fd, wrong, NULL, &key), "is expected", outside);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    auto_free char *sum = shell(b, "sha256sum a.tar | cut -c 1-64 | tr -d '\\n'");
    assert_ok(layer_import(b->st, fd, sum, NULL, &key));
}

/* A source that comes in drops, and more than a pipe holds. */
static void test_slow_pipe(void **state)
{
    struct bench *b = *state;
    auto_free char *key = NULL;
    run(b, "mkdir t; head -c 3000000 /dev/urandom > t/f; tar -C t -cf a.tar .; gzip -1 < a.tar > a.gz");
    auto_free char *line = xasprintf("cd %s; head -c 1 a.gz; sleep 0.1; tail -c +2 a.gz", b->f->dir);
    FILE *p = popen(line, "r");
    assert_ok(layer_import(b->st, fileno(p), NULL, NULL, &key));
    assert_int_equal(pclose(p), 0);
    auto_free char *sum = shell(b, "sha256sum a.tar | cut -c 1-64 | tr -d '\\n'");
    assert_string_equal(key, sum);
}

/* ---- a layer that was changed on disk is not sent ---- */

static void test_send_checks(void **state)
{
    static const struct {
        const char *script, *text;
    } cases[] = {
        {"printf other > d", "has the digest"},
        {"printf longer-than-it-was > d", "is not the file that it was"},
        {"true", "is missing"},
        {"ln -s /etc/passwd d", "is missing"},
        {"mkfifo d", "is not the file that it was"},
    };
    struct bench *b = *state;
    auto_buf struct buf ar = {0};
    auto_free char *key = NULL;
    ar_file(&ar, "d", 0644, "value");
    ar_end(&ar);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf sent = {0};
        auto_free char *script = xasprintf("cd store/layers/%s/diff; rm -f d; %s", key, cases[i].script);
        run(b, script);
        int r = send_again(b, key, &sent);
        assert_int_equal(r, -EBADMSG);
        if (!strstr(err_text(r), cases[i].text))
            fail_msg("'%s', wanted '%s'", err_text(r), cases[i].text);
        assert_true(sent.len < ar.len);
    }
}

/* ---- the stack ---- */

static char *small_layer(const struct bench *b, const char *name, unsigned root_mode)
{
    auto_buf struct buf ar = {0};
    char *key = NULL;
    if (root_mode)
        ar_dir(&ar, "./", root_mode);
    if (name)
        ar_file(&ar, name, 0644, name);
    ar_end(&ar);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
    return key;
}

static void test_stack(void **state)
{
    struct bench *b = *state;
    auto_free char *one = small_layer(b, "one", 0700), *two = small_layer(b, "two", 0), *none = small_layer(b, NULL, 0);
    char *keys[] = {one, two, none, one, NULL}, *only_empty[] = {none, none, NULL}, *top_first[] = {two, one, NULL};
    auto_strv char **lowers = NULL, **empty = NULL;
    struct stat st;
    assert_ok(layer_lowers(b->s, keys, &lowers));
    auto_free char *have = strv_join(lowers, " "), *want = xasprintf("layers/%s/diff layers/%s/diff", one, two);
    assert_string_equal(have, want);
    assert_ok(layer_lowers(b->s, only_empty, &empty));
    assert_int_equal(strv_len(empty), 1);
    assert_string_equal(empty[0], "layers/empty");
    assert_true(present(b->s, "layers/empty"));
    assert_ok(layer_root_stat(b->s, top_first, &st));
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    assert_ok(layer_root_stat(b->s, only_empty, &st));
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    assert_true(layer_exists(b->s, one));
    assert_false(layer_exists(b->s, "none"));
    struct layer l;
    assert_int_equal(layer_load(b->s, "none", &l), -ENOENT);
}

static char *layer_of(const struct bench *b, const struct made *made)
{
    auto_buf struct buf ar = {0};
    char *key = NULL;
    ar_made(&ar, made);
    assert_ok(import_bytes(b, ar.data, ar.len, NULL, &key));
    return key;
}

/* Directories without an entry are as the layers below have them. */
static void test_settle(void **state)
{
    static const struct {
        const char *name;
        struct made below[2][4], top[5];
        const char *tree; /* of the top layer, NULL: no copy is made */
    } cases[] = {
        {"nothing implicit", {{{'d', "tmp", NULL, 01777}}}, {{'d', "tmp", NULL, 01777}, {'f', "tmp/f"}}, NULL},
        {"as new ones are", {{{'d', "tmp"}}}, {{'f', "tmp/f"}}, NULL},
        {"not there below", {{{'d', "tmp", NULL, 01777}}}, {{'f', "new/f"}}, NULL},
        {"sticky",
         {{{'d', "tmp", NULL, 01777}}},
         {{'f', "tmp/f", "x"}, {'f', "a", "y"}},
         "- 0644" T5 "a 'y'\nd 1777 0:0 7.000000000 tmp\n- 0644" T5 "tmp/f 'x'\n"},
        {"the topmost says",
         {{{'d', "d", NULL, 0700}}, {{'d', "d", NULL, 0711}}},
         {{'f', "d/f"}},
         "d 0711 0:0 7.000000000 d\n- 0644" T5 "d/f ''\n"},
        {"the lowest of two",
         {{{'d', "d", NULL, 0700}}, {{'f', "e"}}},
         {{'f', "d/f"}},
         "d 0700 0:0 7.000000000 d\n- 0644" T5 "d/f ''\n"},
        {"through settled ones",
         {{{'d', "d", NULL, 0700}}, {{'f', "d/g"}}},
         {{'f', "d/f"}},
         "d 0700 0:0 7.000000000 d\n- 0644" T5 "d/f ''\n"},
        {"hidden by a whiteout", {{{'d', "d", NULL, 0700}}, {{'f', ".wh.d"}}}, {{'f', "d/f"}}, NULL},
        {"hidden by a file", {{{'d', "d", NULL, 0700}}, {{'f', "d"}}}, {{'f', "d/f"}}, NULL},
        {"hidden by an opaque directory",
         {{{'d', "d/e", NULL, 0700}}, {{'d', "d"}, {'f', "d/.wh..wh..opq"}}},
         {{'d', "d"}, {'f', "d/e/f"}},
         NULL},
        {"hidden by the layer itself", {{{'d', "d", NULL, 0700}}}, {{'f', ".wh.d"}, {'f', "d/f"}}, NULL},
        {"two levels",
         {{{'d', "d", NULL, 0750}, {'d', "d/e", NULL, 0700}}},
         {{'f', "d/e/f"}, {'h', "d/g", "d/e/f"}, {'f', "d/.wh.x"}},
         "d 0750 0:0 7.000000000 d\nd 0700 0:0 7.000000000 d/e\n- 0644" T5 "d/e/f ''\n- 0644" T5
         "d/g = d/e/f\nc 0,0 d/x\n"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_strv char **stack = NULL;
        auto_free char *diffid = layer_of(b, cases[i].top), *key = NULL, *again = NULL;
        print_message("  %s\n", cases[i].name);
        for (size_t j = 0; j < 2 && cases[i].below[j][0].type; j++) {
            auto_free char *low = layer_of(b, cases[i].below[j]), *low_key = NULL;
            assert_ok(layer_settle(b->st, stack, low, &low_key));
            strv_add(&stack, low_key);
        }
        assert_ok(layer_settle(b->st, stack, diffid, &key));
        assert_int_equal(strlen(key), cases[i].tree ? 64 + 1 + 16 : 64);
        assert_ok(layer_settle(b->st, stack, diffid, &again));
        assert_string_equal(again, key);
        if (!cases[i].tree)
            continue;
        auto_buf struct buf sent = {0};
        auto_free char *tree = describe_layer(b, key, true);
        const char *have = strchr(tree, '\n') + 1;
        assert_string_equal(have, cases[i].tree);
        assert_ok(send_again(b, key, &sent));
        assert_true(sent.len > 0);
    }
}

/* printf 'sha256:%s sha256:%s' A B | sha256sum, twice. */
static void test_chain_id(void **state)
{
    struct bench *b = *state;
    char a[65], c[65], d[65], chain[65];
    char *three[] = {(char *)diffid_of("a", a), (char *)diffid_of("c", c), (char *)diffid_of("d", d), NULL},
         *one[] = {a, NULL};
    layer_chain_id(one, chain);
    assert_string_equal(chain, a);
    layer_chain_id(three, chain);
    auto_free char *script = xasprintf("x=$(printf 'sha256:%s sha256:%s' | sha256sum | cut -c 1-64);"
                                       "printf \"sha256:$x sha256:%s\" | sha256sum | cut -c 1-64 | tr -d '\\n'",
                                       a, c, d);
    auto_free char *want = shell(b, script);
    assert_string_equal(chain, want);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        bench_test(test_tar_formats),    bench_test(test_twice),      bench_test(test_meetings),
        bench_test(test_root_and_empty), bench_test(test_dir_times),  bench_test(test_odd_names),
        bench_test(test_xattrs),         bench_test(test_owners),     bench_test(test_owner_unmapped),
        bench_test(test_hostile),        bench_test(test_long_names), bench_test(test_limits),
        bench_test(test_damaged),        bench_test(test_slow_pipe),  bench_test(test_send_checks),
        bench_test(test_stack),          bench_test(test_chain_id),   bench_test(test_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
