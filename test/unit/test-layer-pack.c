/* Packing: the tar that a tree stands for unpacks to that tree; equal trees give equal layers; what a layer never has
 * is put right. Runs as root or, in a store with one id or with ranges, as anybody: trees are made and packed in the
 * store's user namespace. */
#include "layer-fixture.h"

struct xattr {
    const char *path, *name, *value;
};

/* A tree for packing as tmp/<stage>/<name>/diff, and how it is packed. */
struct packing {
    struct bench *b;
    const char *name;
    const char *script; /* run in diff/ */
    const struct xattr *xattrs;
    const char *lower; /* a directory below the test's, or NULL */
    char *const *stubs;
    int64_t epoch;
    int out; /* receives the key */
};

static int packing_tree(const struct packing *p)
{
    auto_free char *diff = xasprintf("%s/tmp/%s/%s/diff", p->b->s->path, p->b->st->name, p->name);
    auto_free char *line =
        xasprintf("umask 022; mkdir -p %s; cd %s/..; mkdir -m 0 work; cd diff; %s", diff, diff, p->script);
    if (system(line) != 0)
        return err_set(-EIO, "failed: %s", line);
    for (const struct xattr *x = p->xattrs; x && x->path; x++) {
        auto_free char *path = xasprintf("%s/%s", diff, x->path);
        if (setxattr(path, x->name, x->value, strlen(x->value), 0) < 0)
            return err_sys("%s %s", x->path, x->name);
    }
    return 0;
}

static int packing_run(void *arg)
{
    struct packing *p = arg;
    auto_close int lower = p->lower ? openat(p->b->dir, p->lower, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct pack_options options = {.stubs = p->stubs, .epoch = p->epoch, .lower_fd = lower};
    auto_free char *key = NULL;
    int r = packing_tree(p);
    if (r == 0)
        r = layer_pack(p->b->st, p->name, &options, &key);
    return r == 0 && key ? fd_write_all(p->out, key, strlen(key)) : r;
}

/* *ret: the key, caller frees; NULL for an unchanged tree. */
static int pack(struct packing *p, char **ret)
{
    auto_buf struct buf key = {0};
    auto_close int out = memfd_create("key", MFD_CLOEXEC);
    p->out = out;
    int r = store_run(p->b->s, packing_run, p);
    assert_int_equal(lseek(out, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(out, 100, &key), 0);
    *ret = key.len ? buf_take(&key) : NULL;
    return r;
}

#define PACKING(b_, name_, script_, ...)                                                                               \
    (struct packing)                                                                                                   \
    {                                                                                                                  \
        .b = (b_), .name = (name_), .script = (script_), .epoch = -1, __VA_ARGS__                                      \
    }

/* The names in the layer's tar, in their order, one a line. */
static char *tar_names(const struct bench *b, const char *key)
{
    auto_buf struct buf sent = {0}, names = {0};
    assert_ok(send_again(b, key, &sent));
    auto_close int fd = bytes_fd(sent.data, sent.len);
    struct tar_reader *r = tar_reader_new(fd, NULL, NULL, NULL);
    const struct tar_entry *e;
    int n;
    while ((n = tar_next(r, &e)) > 0)
        buf_addf(&names, "%s%s\n", e->path, e->type == TAR_DIR && !str_ends(e->path, "/") ? "/" : "");
    assert_int_equal(n, 0);
    tar_reader_free(r);
    return buf_take(&names);
}

static const char *below_root(const char *tree)
{
    const char *line = strchr(tree, '\n');
    assert_non_null(line);
    return line + 1;
}

/* The layer as it is after unpacking its own tar. */
static char *unpacked_again(struct bench *b, const char *key)
{
    auto_buf struct buf sent = {0};
    auto_free char *again = NULL;
    assert_ok(send_again(b, key, &sent));
    assert_ok(store_trash(b->s, "layers", key));
    auto_close int fd = bytes_fd(sent.data, sent.len);
    assert_ok(layer_import(b->st, fd, key, NULL, &again));
    assert_string_equal(again, key);
    return describe_layer(b, key, true);
}

#define AGE "find . -mindepth 1 -depth -exec touch -h -d @1234567890.123456789 {} +;"
#define MANY_LEVELS "p=.; for i in $(seq 150); do p=$p/l$i; done; mkdir -p $p; echo deep > $p/f;"

static void test_tree_again(void **state)
{
    static const struct xattr xattrs[] = {
        {"f", "user.note", "v=1"}, {"dir", "user.dir", "d"}, {"dir", "user.overlay.opaque", "y"}, {0}};
    struct bench *b = *state;
    auto_free char *key = NULL;
    struct packing p =
        PACKING(b, "up",
                "mkdir -p dir/sub empty; echo 1 > dir/one; chmod 6711 dir/one; ln dir/one dir/two; ln dir/one another;"
                "ln -s ../x dir/sym; ln dir/sym symtwo; mkfifo -m 640 fifo; mknod gone c 0 0; mknod dir/gone c 0 0;"
                "head -c 700000 /dev/urandom > big; truncate -s 1M holes; : > zero; chmod 1777 empty; echo f > f;"
                "printf x > \"$(printf 'odd\\001\\377%%name')\"; mkdir -p a/b; : > a/b/c; : > a-b; : > a.c; : > a0;"
                "n=$(printf %0250d 1); mkdir -p $n/$n; echo l > $n/$n/$n;" MANY_LEVELS AGE,
                .xattrs = xattrs);
    assert_ok(pack(&p, &key));
    auto_free char *before = describe_layer(b, key, true);
    auto_free char *after = unpacked_again(b, key);
    assert_string_equal(below_root(after), below_root(before));
    assert_non_null(strstr(before, "user.overlay.opaque=y"));
    assert_non_null(strstr(before, "c 0,0 gone\n"));
    assert_non_null(strstr(before, "1234567890.123456789 dir/two = another\n"));
    auto_free char *work = xasprintf("layers/%s/work", key);
    assert_false(present(b->s, work));
}

static void test_order(void **state)
{
    static const struct xattr xattrs[] = {{"a", "user.overlay.opaque", "y"}, {0}};
    struct bench *b = *state;
    auto_free char *key = NULL;
    struct packing p =
        PACKING(b, "up",
                "mkdir -p a/b; : > a/b/c; : > a/-; mknod a/x c 0 0; : > a-b; : > a.c; : > a0; mknod z c 0 0;"
                "mkdir a.d; : > a.d/e; : > a/b.x",
                .xattrs = xattrs);
    assert_ok(pack(&p, &key));
    auto_free char *names = tar_names(b, key);
    assert_string_equal(names,
                        ".wh.z\na/\na-b\na.c\na.d/\na.d/e\na/-\na/.wh..wh..opq\na/.wh.x\na/b/\na/b.x\na/b/c\na0\n");
}

/* Made in another order, at another time, in other places: the same layer. */
static void test_deterministic(void **state)
{
    static const struct xattr xattrs[] = {{"x", "user.a", "1"}, {"x", "user.b", "2"}, {0}};
    static const struct xattr srettax[] = {
        {"x", "user.b", "2"}, {"x", "user.a", "1"}, {"d", "user.overlay.impure", "y"}, {0}};
    struct bench *b = *state;
    auto_free char *one = NULL, *two = NULL;
    struct packing p = PACKING(b, "up1", "mkdir d; echo 1 > d/a; echo 2 > d/b; ln d/a d/c; mknod w c 0 0; : > x;" AGE,
                               .xattrs = xattrs);
    struct packing q =
        PACKING(b, "up2", "mknod w c 0 0; : > x; mkdir d; echo 2 > d/b; echo 1 > d/c; ln d/c d/a; touch w;" AGE,
                .xattrs = srettax);
    assert_ok(pack(&p, &one));
    assert_ok(pack(&q, &two));
    assert_string_equal(one, two);
}

static void test_unchanged(void **state)
{
    static char *const stubs[] = {(char *)"etc/hosts", (char *)"proc", NULL};
    struct bench *b = *state;
    auto_free char *key = NULL, *key2 = NULL;
    struct packing p = PACKING(b, "up", "true");
    assert_ok(pack(&p, &key));
    assert_null(key);
    run(b, "mkdir -p lower/etc; touch -d @1000 lower/etc");
    struct packing q = PACKING(b, "up2", "mkdir -p etc proc; : > etc/hosts", .lower = "lower", .stubs = stubs);
    assert_ok(pack(&q, &key2));
    assert_null(key2);
    assert_int_equal(entries_in(b->s, "layers"), 0);
}

/* Stubs go, unless they are used; what was made only to hold one goes too; times as if there had been none. */
static void test_stubs(void **state)
{
    static char *const stubs[] = {(char *)"etc/hosts",
                                  (char *)"etc/resolv.conf",
                                  (char *)"/run/secrets/one",
                                  (char *)"opt/app/in",
                                  (char *)"dev",
                                  (char *)"srv/used",
                                  NULL};
    struct bench *b = *state;
    auto_free char *key = NULL;
    run(b, "mkdir -p lower/etc lower/opt/app lower/run/secrets lower/srv; chmod 750 lower/opt/app; touch -d @1000 "
           "lower/etc lower/srv;"
           "touch -d @2000 lower/opt/app; touch -d @2500 lower/opt lower/run");
    struct packing p =
        PACKING(b, "up",
                "mkdir -p etc run/secrets opt/app srv dev; : > etc/hosts; : > etc/resolv.conf; : > run/secrets/one;"
                ": > opt/app/in; printf changed > srv/used; mkdir etc/ssl; printf c > etc/ssl/cert; touch -d @3000 "
                "etc/ssl/cert etc/ssl;"
                "chmod 700 opt/app; touch -d @2500 opt run; touch -d @4000 srv/used srv",
                .lower = "lower", .stubs = stubs);
    assert_ok(pack(&p, &key));
    auto_free char *tree = describe_layer(b, key, true);
    assert_string_equal(below_root(tree), "d 0755 0:0 1000.000000000 etc\n"
                                          "d 0755 0:0 3000.000000000 etc/ssl\n"
                                          "- 0644 0:0 3000.000000000 etc/ssl/cert 'c'\n"
                                          "d 0755 0:0 2500.000000000 opt\n"
                                          "d 0700 0:0 2000.000000000 opt/app\n"
                                          "d 0755 0:0 4000.000000000 srv\n"
                                          "- 0644 0:0 4000.000000000 srv/used 'changed'\n");
}

/* A stub's directory that was used later keeps its own time. */
static void test_stub_time(void **state)
{
    static char *const stubs[] = {(char *)"etc/hosts", NULL};
    struct bench *b = *state;
    auto_free char *key = NULL;
    run(b, "mkdir -p lower/etc; touch -d @1000 lower/etc");
    struct packing p =
        PACKING(b, "up", "mkdir etc; : > etc/hosts; sleep 0.2; : > etc/new", .lower = "lower", .stubs = stubs);
    assert_ok(pack(&p, &key));
    auto_free char *tree = describe_layer(b, key, true);
    assert_null(strstr(tree, " 1000.000000000 etc\n"));
    assert_null(strstr(tree, "hosts"));
}

static void test_epoch(void **state)
{
    struct bench *b = *state;
    auto_free char *key = NULL;
    struct packing p =
        PACKING(b, "up", "mkdir d; : > d/new; : > d/old; touch -d @500.5 d/old; ln -s x d/l; mkfifo d/p");
    p.epoch = 1000;
    assert_ok(pack(&p, &key));
    auto_free char *before = describe_layer(b, key, true);
    assert_string_equal(below_root(before), "d 0755 0:0 1000.000000000 d\n"
                                            "l 0777 0:0 1000.000000000 d/l -> x\n"
                                            "- 0644 0:0 1000.000000000 d/new ''\n"
                                            "- 0644 0:0 500.500000000 d/old ''\n"
                                            "p 0644 0:0 1000.000000000 d/p\n");
    auto_free char *after = unpacked_again(b, key);
    assert_string_equal(below_root(after), below_root(before));
}

/* Sockets go; a container's own user.overlay.* comes out of the kernel's escape; overlayfs' own go. */
static void test_put_right(void **state)
{
    static const struct xattr xattrs[] = {{"f", "user.overlay.overlay.opaque", "o"},
                                          {"f", "user.overlay.origin", "x"},
                                          {"d", "user.overlay.impure", "y"},
                                          {0}};
    struct bench *b = *state;
    auto_free char *key = NULL;
    auto_buf struct buf sent = {0};
    struct packing p =
        PACKING(b, "up",
                "mkdir d; : > f; perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"d/s\", Listen => 1)"
                " or die'; test -S d/s; touch -d @77 d f",
                .xattrs = xattrs);
    assert_ok(pack(&p, &key));
    auto_free char *tree = describe_layer(b, key, true);
    assert_string_equal(below_root(tree),
                        "d 0755 0:0 77.000000000 d\n- 0644 0:0 77.000000000 f '' user.overlay.overlay.opaque=o\n");
    assert_ok(send_again(b, key, &sent));
    assert_non_null(memmem(sent.data, sent.len, "SCHILY.xattr.user.overlay.opaque=o", 34));
    assert_null(memmem(sent.data, sent.len, "origin", 6));
}

static void test_devices(void **state)
{
    struct bench *b = *state;
    auto_free char *key = NULL;
    auto_buf struct buf sent = {0};
    if (!idmap_none(&b->s->map))
        skip(); /* device nodes cannot be made in a user namespace */
    struct packing p = PACKING(b, "up", "mkdir d; mknod -m 666 d/null c 1 3; mknod d/disk b 8 0;" AGE);
    assert_ok(pack(&p, &key));
    auto_free char *before = describe_layer(b, key, true);
    assert_non_null(strstr(before, "- 0000 0:0 1234567890.123456789 d/null ''\n"));
    assert_non_null(strstr(before, "d 0755 0:0 1234567890.123456789 d\n"));
    assert_ok(send_again(b, key, &sent));
    auto_close int fd = bytes_fd(sent.data, sent.len);
    struct tar_reader *r = tar_reader_new(fd, NULL, NULL, NULL);
    const struct tar_entry *e;
    assert_int_equal(tar_next(r, &e), 1);
    assert_int_equal(tar_next(r, &e), 1);
    assert_true(e->type == TAR_BLOCK && e->major == 8 && e->minor == 0);
    assert_int_equal(tar_next(r, &e), 1);
    assert_true(e->type == TAR_CHAR && e->major == 1 && e->minor == 3 && e->mode == 0666);
    tar_reader_free(r);
    auto_free char *after = unpacked_again(b, key);
    assert_string_equal(below_root(after), below_root(before));
}

/* The root directory is an entry only if it differs from what is below. */
static void test_root(void **state)
{
    static const struct {
        const char *script, *lower_mode;
        bool entry;
    } cases[] = {
        {": > f", NULL, false}, {"chmod 700 .; : > f", NULL, true}, {"chmod 700 .; : > f", "700", false},
        {": > f", "700", true}, {"chmod 1777 .", NULL, true},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *key = NULL, *name = xasprintf("up%zu", i),
                       *lower = xasprintf("mkdir -p lower; chmod %s lower", cases[i].lower_mode);
        auto_with(layer_done) struct layer l = {0};
        if (cases[i].lower_mode)
            run(b, lower);
        struct packing p = PACKING(b, name, cases[i].script, .lower = cases[i].lower_mode ? "lower" : NULL);
        assert_ok(pack(&p, &key));
        auto_free char *names = tar_names(b, key);
        assert_int_equal(strstr(names, "./\n") == names, cases[i].entry);
        assert_ok(layer_load(b->s, key, &l));
        assert_int_equal(l.has_root, cases[i].entry);
        assert_int_equal(l.empty, strstr(names, "f\n") == NULL);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *script, *text;
    } cases[] = {
        {"mkdir d; : > d/.wh.x", "d/.wh.x has a name that means something else in a layer"},
        {"n=$(printf %0250d 1); for i in $(seq 17); do mkdir $n; cd -P $n || exit 1; done", "too long for an archive"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *key = NULL, *name = xasprintf("up%zu", i);
        struct packing p = PACKING(b, name, cases[i].script);
        int r = pack(&p, &key);
        assert_int_equal(r, -EINVAL);
        if (!strstr(err_text(r), cases[i].text))
            fail_msg("'%s', wanted '%s'", err_text(r), cases[i].text);
        assert_int_equal(entries_in(b->s, "layers"), 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        bench_test(test_tree_again), bench_test(test_order),     bench_test(test_deterministic),
        bench_test(test_unchanged),  bench_test(test_stubs),     bench_test(test_stub_time),
        bench_test(test_epoch),      bench_test(test_put_right), bench_test(test_devices),
        bench_test(test_root),       bench_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
