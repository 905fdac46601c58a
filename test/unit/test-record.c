/* Records: round trips through text and files with every kind, what is refused, and what survives. */
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/record.h"

#include <fcntl.h>
#include <setjmp.h>

#include <cmocka.h>

struct part {
    char *name;
    int64_t weight;
};
static const struct rec_field part_fields[] = {
    REC_FIELD(struct part, STR, name, "name"),
    REC_FIELD(struct part, INT, weight, "weight"),
    REC_END,
};
static const struct rec_type part_rec = {"part", 0, sizeof(struct part), part_fields};

struct thing {
    struct rec_head head;
    char *name;
    char **args, **labels;
    int64_t count, created;
    bool on;
    json_t *any;
    struct part main;
    struct rec_list parts;
};
static const struct rec_field thing_fields[] = {
    REC_FIELD(struct thing, STR, name, "name"),
    REC_FIELD(struct thing, STRV, args, "args"),
    REC_FIELD(struct thing, MAP, labels, "labels"),
    REC_FIELD(struct thing, INT, count, "count"),
    REC_FIELD(struct thing, TIME, created, "created"),
    REC_FIELD(struct thing, BOOL, on, "on"),
    REC_FIELD(struct thing, JSON, any, "any"),
    REC_NESTED(struct thing, SUB, main, "main", &part_rec),
    REC_NESTED(struct thing, LIST, parts, "parts", &part_rec),
    REC_END,
};
static const struct rec_type thing_rec = {"thing", 2, sizeof(struct thing), thing_fields};

static void thing_done(struct thing *t)
{
    rec_done(&thing_rec, t);
}

static char *as_text(const struct thing *t)
{
    auto_json json_t *j = rec_to_json(&thing_rec, t);
    return json_text(j, false);
}

static int from_text(const char *text, struct thing *ret)
{
    auto_json json_t *j = NULL;
    assert_int_equal(json_parse("text", text, strlen(text), &j), 0);
    return rec_from_json(&thing_rec, j, ret);
}

static const char full[] =
    "{\"schema\":2,\"name\":\"x\",\"args\":[\"a\",\"\"],\"labels\":{\"k\":\"v=w\",\"e\":\"\"},\"count\":-7,"
    "\"created\":\"2026-01-02T03:04:05.000000006Z\",\"on\":true,\"any\":{\"b\":[null,1.5]},"
    "\"main\":{\"name\":\"m\",\"weight\":9007199254740993},\"parts\":[{\"name\":\"p\"},{},{\"weight\":1}],"
    "\"later\":{\"deep\":[1]},\"also\":null}";

static void test_every_kind_and_unknown_keys(void **state)
{
    auto_with(thing_done) struct thing t = {};
    assert_int_equal(from_text(full, &t), 0);
    assert_string_equal(t.name, "x");
    assert_int_equal(strv_len(t.args), 2);
    assert_string_equal(strv_env_get(t.labels, "k"), "v=w");
    assert_string_equal(t.labels[1], "e=");
    assert_int_equal(t.count, -7);
    assert_int_equal(t.created, 1767323045000000006);
    assert_true(t.on);
    assert_int_equal(t.main.weight, 9007199254740993);
    assert_int_equal(t.parts.n, 3);
    assert_null(((struct part *)t.parts.items)[1].name);
    auto_free char *text = as_text(&t);
    assert_string_equal(text, full);
}

static void test_zero_is_not_written(void **state)
{
    auto_with(thing_done) struct thing t = {}, back = {};
    auto_free char *text = as_text(&t);
    assert_string_equal(text, "{\"schema\":2}");
    assert_int_equal(from_text(text, &back), 0);
    assert_null(back.head.unknown);
    assert_null(back.args);
}

static void test_made_in_memory(void **state)
{
    auto_with(thing_done) struct thing t = {.name = xstrdup(""), .count = 1};
    strv_add(&t.labels, "a=b=c");
    strv_add(&t.labels, "bare");
    for (int i = 0; i < 3; i++)
        ((struct part *)rec_list_add(&part_rec, &t.parts))->weight = i;
    auto_free char *text = as_text(&t);
    assert_string_equal(text, "{\"schema\":2,\"name\":\"\",\"labels\":{\"a\":\"b=c\",\"bare\":\"\"},\"count\":1,"
                              "\"parts\":[{},{\"weight\":1},{\"weight\":2}]}");
}

/* Each must come back byte by byte, also what looks like our own escape. */
static void test_any_bytes(void **state)
{
    static const char *const strings[] = {
        "\xff",
        "a\x80z",
        "\xc3(",
        "\xed\xa0\x80",
        "gr\xc3\xbc\xc3\x9f",
        "\xf4\x8f\xbe\x80",
        "\xf4\x8f\xbf\xbf",
        "\xf4\x8f\xbf",
        "\xf4\x8f\xbd\xbf",
        "\x01\x7f\"\\",
        "\xf0\x9f\x90\x9a\xf0",
    };
    auto_with(thing_done) struct thing t = {}, back = {};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        strv_add(&t.args, strings[i]);
        strv_addf(&t.labels, "%s=%s", strings[i], strings[i]);
    }
    t.name = xstrdup(strings[0]);
    auto_free char *text = as_text(&t);
    assert_int_equal(from_text(text, &back), 0);
    assert_string_equal(back.name, t.name);
    assert_true(strv_eq(back.args, t.args));
    assert_true(strv_eq(back.labels, t.labels));
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int r;
        const char *message;
    } cases[] = {
        {"[]", -EBADMSG, "thing: not a JSON object"},
        {"{}", -EBADMSG, "thing: key \"schema\" is not a positive integer"},
        {"{\"schema\":\"2\"}", -EBADMSG, "thing: key \"schema\" is not a positive integer"},
        {"{\"schema\":0}", -EBADMSG, "thing: key \"schema\" is not a positive integer"},
        {"{\"schema\":3}", -EPROTO, "thing: the record has schema 3, this version knows up to 2"},
        {"{\"schema\":2,\"name\":1}", -EBADMSG, "thing: key \"name\" is not a string"},
        {"{\"schema\":2,\"name\":null}", -EBADMSG, "thing: key \"name\" is not a string"},
        {"{\"schema\":2,\"args\":[\"a\",1]}", -EBADMSG, "thing: key \"args\" is not an array of strings"},
        {"{\"schema\":2,\"args\":\"a\"}", -EBADMSG, "thing: key \"args\" is not an array of strings"},
        {"{\"schema\":2,\"labels\":{\"a\":\"\",\"b\":1}}", -EBADMSG,
         "thing: key \"labels\" is not an object of strings"},
        {"{\"schema\":2,\"labels\":{\"a=b\":\"\"}}", -EBADMSG, "thing: key \"labels\" is not an object of strings"},
        {"{\"schema\":2,\"count\":1.5}", -EBADMSG, "thing: key \"count\" is not an integer"},
        {"{\"schema\":2,\"on\":1}", -EBADMSG, "thing: key \"on\" is not true or false"},
        {"{\"schema\":2,\"created\":\"noon\"}", -EBADMSG, "thing: key \"created\" is not a time"},
        {"{\"schema\":2,\"created\":5}", -EBADMSG, "thing: key \"created\" is not a time"},
        {"{\"schema\":2,\"main\":[]}", -EBADMSG, "thing: key \"main\" is not an object"},
        {"{\"schema\":2,\"main\":{\"name\":1}}", -EBADMSG, "thing: key \"main\": part: key \"name\" is not a string"},
        {"{\"schema\":2,\"parts\":{}}", -EBADMSG, "thing: key \"parts\" is not an array of objects"},
        {"{\"schema\":2,\"parts\":[{\"name\":\"a\"},7]}", -EBADMSG, "thing: key \"parts\" is not an array of objects"},
        {"{\"schema\":2,\"parts\":[{\"name\":\"a\"},{\"name\":\"b\",\"weight\":\"\"}]}", -EBADMSG,
         "thing: key \"parts\": part: key \"weight\" is not an integer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct thing t = {};
        static const struct thing zero;
        assert_int_equal(from_text(cases[i].text, &t), cases[i].r);
        assert_string_equal(err_text(cases[i].r), cases[i].message);
        assert_memory_equal(&t, &zero, sizeof(t));
    }
}

static int setup_dir(void **state)
{
    char path[] = "/tmp/test-record-XXXXXX";
    *state = mkdtemp(path) ? xstrdup(path) : NULL;
    return *state ? 0 : -1;
}

static int teardown_dir(void **state)
{
    int r = tree_remove(AT_FDCWD, *state);
    free(*state);
    return r;
}

static void test_files(void **state)
{
    auto_close int dir = dir_open(AT_FDCWD, *state);
    auto_with(thing_done) struct thing t = {}, back = {}, again = {};
    err_clear();
    assert_int_equal(rec_load(&thing_rec, dir, "t.json", &t), -ENOENT);
    assert_string_equal(err_text(-ENOENT), strerror(ENOENT));

    assert_int_equal(from_text(full, &t), 0);
    assert_int_equal(rec_save(&thing_rec, dir, "t.json", &t, true), 0);
    assert_int_equal(rec_load(&thing_rec, dir, "t.json", &back), 0);
    auto_free char *text = as_text(&back);
    assert_string_equal(text, full);

    struct stat st;
    assert_int_equal(fstatat(dir, "t.json", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    assert_int_equal(rec_write(&thing_rec, dir, "new.json", &t), 0);
    assert_int_equal(rec_load(&thing_rec, dir, "new.json", &again), 0);
    assert_int_equal(again.count, -7);
    auto_strv char **names = NULL;
    assert_int_equal(dir_names(dir, ".", &names), 0);
    assert_int_equal(strv_len(names), 2);
}

static void test_damaged_files(void **state)
{
    auto_close int dir = dir_open(AT_FDCWD, *state);
    static const struct {
        const char *text;
        int r;
        const char *message;
    } cases[] = {
        {"", -EBADMSG, "t.json: not valid JSON, line 1: "},
        {"{\"schema\":2,", -EBADMSG, "t.json: not valid JSON, line 1: "},
        {"{\"schema\":2,\"schema\":2}", -EBADMSG, "t.json: not valid JSON, line 1: duplicate object key"},
        {"{\"schema\":2,\"on\":\"\"}", -EBADMSG, "t.json: thing: key \"on\" is not true or false"},
        {"{\"schema\":9}", -EPROTO, "t.json: thing: the record has schema 9, this version knows up to 2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct thing t = {};
        assert_int_equal(file_write(dir, "t.json", cases[i].text, strlen(cases[i].text), 0600), 0);
        assert_int_equal(rec_load(&thing_rec, dir, "t.json", &t), cases[i].r);
        assert_non_null(str_after(err_text(cases[i].r), cases[i].message));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_and_unknown_keys),
        cmocka_unit_test(test_zero_is_not_written),
        cmocka_unit_test(test_made_in_memory),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test_setup_teardown(test_files, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(test_damaged_files, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
