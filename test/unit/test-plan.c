/* Plans: which stages a target needs, what FROM and --from mean, and build arguments in them. */
#include "plan.h"

#include "whelk/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct row {
    const char *text, *target;
    const char *args[3]; /* --build-arg */
    const char *expect;  /* "0:image busybox; 1:stage 0 copies stage 0", or the error */
};

static const struct row rows[] = {
    {"FROM a\nRUN x\n", NULL, {0}, "0:image a"},
    {"FROM scratch\n", NULL, {0}, "0:scratch"},
    {"FROM a AS x\nFROM b\nFROM X\n", NULL, {0}, "0:image a; 2:stage 0"},
    {"FROM a AS x\nFROM b\nFROM X\n", "1", {0}, "1:image b"},
    {"FROM a AS x\nFROM b\nFROM X\n", "x", {0}, "0:image a"},
    {"FROM a AS x\nFROM b AS y\nFROM y\nCOPY --from=x f /\nCOPY f /\n",
     NULL,
     {0},
     "0:image a; 1:image b; 2:stage 1 copies stage 0"},
    {"FROM a\nFROM b\nCOPY --from=0 f /\nCOPY --from=img f /\n",
     NULL,
     {0},
     "0:image a; 1:image b copies stage 0 image img"},
    /* Needed by what is needed. */
    {"FROM a AS x\nFROM a AS y\nCOPY --from=x f /\nFROM a AS z\nFROM a\nCOPY --from=y f /\n",
     NULL,
     {0},
     "0:image a; 1:image a copies stage 0; 3:image a copies stage 1"},
    /* The nearest of two with one name; a name before a number. */
    {"FROM a AS x\nFROM b AS x\nFROM x\n", NULL, {0}, "1:image b; 2:stage 1"},
    /* Only earlier stages: a later one's name is an image. */
    {"FROM x\nFROM b AS x\nCOPY --from=0 f /\n", NULL, {0}, "0:image x; 1:image b copies stage 0"},
    /* Numbers name no base. */
    {"FROM a\nFROM 0\n", NULL, {0}, "1:image 0"},
    {"ARG B=a\nFROM $B:${T:-latest}\n", NULL, {0}, "0:image a:latest"},
    {"ARG B=a\nARG T\nFROM $B:${T:-latest}\n", NULL, {"B=b", "T=1"}, "0:image b:1"},
    {"ARG B=a\nFROM $B\n", NULL, {"C=1"}, "0:image a"},
    {"FROM $B\n", NULL, {"B=b"}, "error: the name of the image is empty"},
    {"FROM a AS x\nFROM a AS y\nFROM a\nARG F=x\nCOPY --from=$F f /\n",
     NULL,
     {0},
     "0:image a; 2:image a copies stage 0"},
    {"FROM a AS x\nFROM a AS y\nFROM a\nARG F=x\nCOPY --from=$F f /\n",
     NULL,
     {"F=y"},
     "1:image a; 2:image a copies stage 1"},
    {"ARG F=x\nFROM a AS x\nFROM a AS y\nARG F\nFROM y\nCOPY --from=$F f /\n",
     NULL,
     {0},
     "0:image a; 1:image a; 2:stage 1 copies stage 0"},
    {"FROM a\nCOPY --from=1 f /\n", NULL, {0}, "error: no such stage before this one"},
    {"FROM a AS x\nCOPY --from=x f /\n", NULL, {0}, "error: cannot take from itself"},
    {"FROM a AS app\n", "ap", {0}, "error: did you mean \"app\"?"},
    {"FROM a\n", "1", {0}, "error: it has 1, numbered from 0"},
    {"FROM --platform=plan9/mips a\n", NULL, {0}, "error: its own platform only"},
    {"FROM --platform=$TARGETPLATFORM a\n", NULL, {0}, "0:image a"},
    {"FROM --platform=${BUILDOS}/$BUILDARCH a\n", NULL, {0}, "0:image a"},
};

static void add_source(struct buf *b, const struct plan_source *s)
{
    static const char *const kinds[] = {
        [FROM_CONTEXT] = "context", [FROM_SCRATCH] = "scratch", [FROM_STAGE] = "stage", [FROM_IMAGE] = "image"};
    buf_adds(b, kinds[s->kind]);
    if (s->kind == FROM_STAGE)
        buf_addf(b, " %zu", s->stage);
    if (s->kind == FROM_IMAGE)
        buf_addf(b, " %s", s->image);
}

static char *plan_text(const struct build_plan *p)
{
    auto_buf struct buf b = {0};
    size_t needed = 0;
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct plan_stage *s = &p->stages[i];
        if (!s->needed)
            continue;
        buf_addf(&b, "%s%zu:", needed++ ? "; " : "", i);
        add_source(&b, &s->base);
        for (size_t k = 0, n = 0; k < s->n_copies; k++) {
            if (s->copies[k].kind == FROM_CONTEXT)
                continue;
            buf_adds(&b, n++ ? " " : " copies ");
            add_source(&b, &s->copies[k]);
        }
    }
    assert_int_equal(needed, p->n_needed);
    return buf_take(&b);
}

static void check(const struct row *row)
{
    struct dockerfile d = {0};
    struct build_args args;
    struct build_plan p = {0};
    const char *error = str_after(row->expect, "error: ");
    assert_int_equal(dockerfile_parse("Dockerfile", row->text, strlen(row->text), &d), 0);
    assert_int_equal(build_args_init(&args, (char *const *)row->args), 0);
    assert_int_equal(build_args_declare_global(&args, &d), 0);
    int r = build_plan_make(&d, &args, row->target, NULL, &p);
    auto_free char *text = r < 0 ? xasprintf("error: %s", err_text(r)) : plan_text(&p);
    if (error ? r >= 0 || !strstr(text, error) : !str_eq(text, row->expect))
        fail_msg("%s is: %s; expected: %s", row->text, text, row->expect);
    build_plan_done(&p);
    build_args_done(&args);
    dockerfile_done(&d);
    err_clear();
}

static void plans(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(&rows[i]);
}

static void arguments(void **state)
{
    static const char *const words[] = {"A=1", "EMPTY=", "http_proxy=p", "FROM_ENV", "UNSET_HERE", "TYPO=x", NULL};
    struct build_args args;
    struct scope s = {.args = &args};
    setenv("FROM_ENV", "e", 1);
    unsetenv("UNSET_HERE");
    assert_int_equal(build_args_init(&args, (char *const *)words), 0);
    assert_null(scope_get(&s, "A")); /* not declared yet */
    scope_declare(&s, "A", "default");
    scope_declare(&s, "EMPTY", "default");
    scope_declare(&s, "FROM_ENV", NULL);
    scope_declare(&s, "UNSET_HERE", "default");
    scope_declare(&s, "NOTHING", NULL);
    assert_string_equal(scope_get(&s, "A"), "1");
    assert_string_equal(scope_get(&s, "EMPTY"), "");
    assert_string_equal(scope_get(&s, "FROM_ENV"), "e");
    assert_string_equal(scope_get(&s, "UNSET_HERE"), "default");
    assert_null(scope_get(&s, "NOTHING"));
    assert_string_equal(scope_get(&s, "http_proxy"), "p"); /* needs no ARG */
    auto_strv char **proxies = scope_proxies(&s), **unused = build_args_unused(&args);
    assert_int_equal(strv_len(proxies), 1);
    assert_string_equal(proxies[0], "http_proxy=p");
    assert_int_equal(strv_len(unused), 1);
    assert_string_equal(unused[0], "TYPO");
    strv_free(s.values);
    build_args_done(&args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans), cmocka_unit_test(arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
