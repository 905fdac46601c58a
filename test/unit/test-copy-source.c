/* Paths below a root that somebody else made, and what a COPY finds there. */
#include "copy-source.h"
#include "rootpath.h"

#include "whelk/err.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A tree: "dir/", "file", "link -> text"; beside it a file "outside". */
static const char *const entries[] = {
    "d/",    "d/sub/",  "d/sub/f",          "d/.hidden",       "d/link -> sub",  "a.txt",
    "b.txt", "c.md",    "up -> ../outside", "abs -> /d/sub/f", "loop -> loop",   "root -> /",
    "e/",    "e/a.txt", "out -> /outside",  "chain -> d/link", "gone -> d/none", "far -> d/sub/../../../../a.txt",
};

static char top[] = "/tmp/test-copy-source.XXXXXX";
static int root = -1;

static void make_entry(const char *entry)
{
    const char *arrow = strstr(entry, " -> ");
    auto_free char *name = xstrndup(entry, arrow ? (size_t)(arrow - entry) : strlen(entry));
    if (arrow)
        assert_int_equal(symlinkat(arrow + 4, root, name), 0);
    else if (str_ends(name, "/"))
        assert_int_equal(mkdirat(root, name, 0755), 0);
    else
        assert_int_equal(file_write(root, name, name, strlen(name), 0644), 0);
}

static int make_tree(void **state)
{
    assert_non_null(mkdtemp(top));
    auto_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_write(dir, "outside", "x", 1, 0644), 0);
    assert_int_equal(mkdirat(dir, "root", 0755), 0);
    root = openat(dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        make_entry(entries[i]);
    return 0;
}

static int remove_tree(void **state)
{
    close(root);
    return tree_remove(AT_FDCWD, top);
}

static const struct {
    const char *path;
    bool follow;
    const char *real; /* "!" before it: does not exist; NULL: an error */
    int error;
} paths[] = {
    {"", true, "", 0},
    {"/", true, "", 0},
    {"..", true, "", 0},
    {"d/sub/f", true, "d/sub/f", 0},
    {"/d//./sub/", true, "d/sub", 0},
    {"d/sub/..", true, "d", 0},
    {"d/link/f", true, "d/sub/f", 0},
    {"d/link", false, "d/link", 0},
    {"d/link/", true, "d/sub", 0},
    {"chain", true, "d/sub", 0},
    {"abs", true, "d/sub/f", 0},
    {"root/root/d", true, "d", 0},
    {"root/../..", true, "", 0},
    {"up", true, "!outside", 0}, /* never the one beside the root */
    {"out", true, "!outside", 0},
    {"far", true, "a.txt", 0},
    {"gone", true, "!d/none", 0},
    {"none/x/../y", true, "!none/y", 0},
    {"none/../d", true, "d", 0},
    {"a.txt/x", true, NULL, -ENOTDIR},
    {"loop", true, NULL, -ELOOP},
    {"loop", false, "loop", 0},
};

static void resolving(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        auto_free char *real = NULL;
        struct stat st;
        int r = rootpath_resolve(root, paths[i].path, paths[i].follow, &real, &st);
        auto_free char *text = r < 0 ? NULL : xasprintf("%s%s", st.st_mode ? "" : "!", real);
        if (r != paths[i].error || (text && !str_eq(text, paths[i].real)))
            fail_msg("%s is %d %s", paths[i].path, r, text ? text : "");
    }
}

static void opening(void **state)
{
    auto_close int fd = rootpath_open(root, "d/sub/f", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(rootpath_open(root, "d/link/f", O_RDONLY), -ELOOP);
    assert_int_equal(rootpath_open(root, "../outside", O_RDONLY), -EXDEV);
}

static const struct {
    const char *ignore;
    const char *sources[3];
    const char *expect; /* names below the destination, or part of the error after "!" */
} copies[] = {
    {"", {"a.txt"}, "a.txt"},
    {"", {"d"}, ".hidden link=sub sub/ sub/f"},
    {"", {"d/link"}, "f"},
    {"", {"abs"}, "abs"},
    {"", {"*.txt"}, "a.txt b.txt"},
    {"", {"*/a.txt", "c.md"}, "a.txt a.txt c.md"}, /* root/a.txt is one, too */
    {"", {"../../a.txt"}, "a.txt"},
    {"", {"none"}, "!none is not in the tree"},
    {"", {"up"}, "!up is not in the tree"},
    {"", {"gone"}, "!gone is not in the tree"},
    {"", {"a.txt/x"}, "!is not in the tree"},
    {"", {"*.zip"}, "!nothing in the tree matches *.zip"},
    {"d\n!d/sub\n", {"d"}, "sub/ sub/f"},
    {"d/*\n", {"d"}, ""},
    {"d/sub\n", {"d/sub/f"}, "!line \"d/sub\" of ignore"},
    {"d/sub\n", {"abs"}, "!line \"d/sub\" of ignore"}, /* a link leads to nothing that is ignored */
    {"*.txt\n", {"*.txt"}, "!line \"*.txt\" of ignore"},
    {"a.*\n", {"*.txt"}, "b.txt"},
};

static char *list_text(const struct copy_list *list)
{
    auto_buf struct buf b = {0};
    for (size_t i = 0; i < list->n; i++) {
        const struct copy_item *item = &list->v[i];
        buf_addf(&b, "%s%s%s%s%s", i ? " " : "", item->name, S_ISDIR(item->st.st_mode) ? "/" : "",
                 item->link ? "=" : "", item->link ? item->link : "");
    }
    return buf_take(&b);
}

static void finding(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
        struct ignore *ignore = NULL;
        struct copy_list list = {0};
        const char *error = str_after(copies[i].expect, "!");
        assert_int_equal(ignore_parse("ignore", copies[i].ignore, strlen(copies[i].ignore), &ignore), 0);
        struct copy_tree tree = {.fd = root, .what = "the tree", .ignore = ignore, .ignore_name = "ignore"};
        int r = copy_list_add(&tree, (char *const *)copies[i].sources, &list);
        auto_free char *text = r < 0 ? xstrdup(err_text(r)) : list_text(&list);
        if (error ? r >= 0 || !strstr(text, error) : r < 0 || !str_eq(text, copies[i].expect))
            fail_msg("%s is: %s; expected: %s", copies[i].sources[0], text, copies[i].expect);
        copy_list_done(&list);
        ignore_free(ignore);
        err_clear();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolving),
        cmocka_unit_test(opening),
        cmocka_unit_test(finding),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
