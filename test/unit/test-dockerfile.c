/* Dockerfiles: the instructions' forms, what may stand where, diagnostics, and the files of test/data/seeds. */
#include "whelk/dockerfile.h"

#include "whelk/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add_args(struct buf *b, const struct instruction *i)
{
    buf_adds(b, instruction_name(i->kind));
    strv_foreach (flag, i->flags)
        buf_addf(b, " --%s", flag);
    if (i->json)
        buf_adds(b, " json");
    strv_foreach (arg, i->args)
        buf_addf(b, " <%s>", arg);
    if (i->stage_name)
        buf_addf(b, " as %s", i->stage_name);
    for (size_t k = 0; k < i->n_heredocs; k++)
        buf_addf(b, " {%s%s|%s}", i->heredocs[k].name, i->heredocs[k].expands ? "" : "!", i->heredocs[k].text);
    buf_adds(b, "\n");
}

/* The whole file as text: an instruction a line. */
static char *dump(const struct dockerfile *d)
{
    struct buf b = {0};

    for (size_t i = 0; i < d->n_global_args; i++)
        add_args(&b, &d->global_args[i]);
    for (size_t i = 0; i < d->n_stages; i++) {
        add_args(&b, &d->stages[i].from);
        for (size_t k = 0; k < d->stages[i].n_steps; k++)
            add_args(&b, &d->stages[i].steps[k]);
    }
    return buf_take(&b);
}

#define MAINTAINER_WARNING "Dockerfile:2: MAINTAINER is deprecated, use LABEL"
#define HINT "inline comments are not supported: put the comment on a line of its own"
#define NEAR(name, taken)                                                                                              \
    "Dockerfile:2: the [...] of " name " is no JSON array of strings in double quotes; it is taken as " taken

static const struct {
    const char *text, *dump, *warnings; /* joined by | */
} good[] = {
    {"FROM a", "FROM <a>\n", ""},
    {"from a As Build", "FROM <a> as Build\n", ""},
    {"FROM --platform=$P a:1 AS b-1.x_y", "FROM --platform=$P <a:1> as b-1.x_y\n", ""},
    {"ARG V=1\nARG W\nFROM a:$V", "ARG <V=1>\nARG <W>\nFROM <a:$V>\n", ""},
    {"FROM a\nARG A B=\"x y\" C='$A'", "FROM <a>\nARG <A> <B=\"x y\"> <C='$A'>\n", ""},
    {"FROM a\nRUN  x  \"y\"   && z ", "FROM <a>\nRUN <x  \"y\"   && z>\n", ""},
    {"FROM a\nRUN x # shell's comment", "FROM <a>\nRUN <x # shell's comment>\n", ""},
    {"FROM a\nRUN [ \"x\", \"y z\" ]", "FROM <a>\nRUN json <x> <y z>\n", ""},
    {"FROM a\nRUN [\"x\"] && y", "FROM <a>\nRUN <[\"x\"] && y>\n", NEAR("RUN", "a command line for the shell")},
    {"FROM a\nRUN [ -f x ] && y", "FROM <a>\nRUN <[ -f x ] && y>\n", ""},
    {"FROM a\nRUN [ \"$x\" = y ]", "FROM <a>\nRUN <[ \"$x\" = y ]>\n", ""},
    {"FROM a\nRUN [[ -f x ]]", "FROM <a>\nRUN <[[ -f x ]]>\n", ""},
    {"FROM a\nCMD ['x', 'y']", "FROM <a>\nCMD <['x', 'y']>\n", NEAR("CMD", "a command line for the shell")},
    {"FROM a\nCMD [ 'x' ]", "FROM <a>\nCMD <[ 'x' ]>\n", NEAR("CMD", "a command line for the shell")},
    {"FROM a\nCMD [\"x\", 1]", "FROM <a>\nCMD <[\"x\", 1]>\n", NEAR("CMD", "a command line for the shell")},
    {"FROM a\nCMD []\nENTRYPOINT []", "FROM <a>\nCMD json\nENTRYPOINT json\n", ""},
    {"FROM a\nENTRYPOINT x \\\n y", "FROM <a>\nENTRYPOINT <x  y>\n", ""},
    {"FROM a\nCOPY . . ", "FROM <a>\nCOPY <.> <.>\n", ""},
    {"FROM a\nCOPY --from=b --chown=\"1:2\" --chmod=755  x*  y /d/",
     "FROM <a>\nCOPY --from=b --chown=1:2 --chmod=755 "
     "<x*> <y> </d/>\n",
     ""},
    {"FROM a\nCOPY [\"a b\", \"/c d/\"]", "FROM <a>\nCOPY json <a b> </c d/>\n", ""},
    {"FROM a\nCOPY [a] b", "FROM <a>\nCOPY <[a]> <b>\n", NEAR("COPY", "words")},
    {"FROM a\nCOPY x y #z", "FROM <a>\nCOPY <x> <y> <#z>\n", "Dockerfile:2: what follows # belongs to COPY: " HINT},
    {"FROM a\nCOPY -- --x y", "FROM <a>\nCOPY <--x> <y>\n", ""},
    {"FROM a\nENV A=b C=\"d e\" F=g\\ h \\\n I=", "FROM <a>\nENV <A=b> <C=\"d e\"> <F=g\\ h> <I=>\n", ""},
    {"FROM a\nENV A  b c \"d\"", "FROM <a>\nENV <A=b c \"d\">\n", ""},
    {"FROM a\nENV A b=c", "FROM <a>\nENV <A=b=c>\n", ""},
    {"FROM a\nLABEL \"a.b\"=\"c d\" e=f", "FROM <a>\nLABEL <\"a.b\"=\"c d\"> <e=f>\n", ""},
    {"FROM a\nLABEL a b c", "FROM <a>\nLABEL <a=b c>\n", ""},
    {"FROM a\nEXPOSE 80  53/udp $P ", "FROM <a>\nEXPOSE <80> <53/udp> <$P>\n", ""},
    {"FROM a\nWORKDIR /a b  ", "FROM <a>\nWORKDIR </a b>\n", ""},
    {"FROM a\nWORKDIR /a # b", "FROM <a>\nWORKDIR </a # b>\n",
     "Dockerfile:2: what follows # belongs to WORKDIR: " HINT},
    {"FROM a\nUSER u:g", "FROM <a>\nUSER <u:g>\n", ""},
    {"FROM a\nMAINTAINER A  B <c@d>\nMAINTAINER E", "FROM <a>\nMAINTAINER <A  B <c@d>>\nMAINTAINER <E>\n",
     MAINTAINER_WARNING},
    {"FROM a AS x\nFROM b AS X", "FROM <a> as x\nFROM <b> as X\n",
     "Dockerfile:2: another stage has the name \"x\" already; the later one hides it"},
    {"FROM a\nRUN x \\\n\n y", "FROM <a>\nRUN <x  y>\n",
     "Dockerfile:3: empty line within a continued instruction; docker will refuse it some day"},
    {"FROM a\nRUN echo $((1 << 2)) <<<x a<<b \"<<EOF\"", "FROM <a>\nRUN <echo $((1 << 2)) <<<x a<<b \"<<EOF\">\n", ""},
    {"FROM a\nADD --link --unpack=false --exclude=*.a --exclude=b --checksum=sha256:x http://h/f /",
     "FROM <a>\nADD --link=true --unpack=false --exclude=*.a --exclude=b --checksum=sha256:x <http://h/f> </>\n", ""},
    {"FROM a\nCOPY --parents --link=true a b", "FROM <a>\nCOPY --parents=true --link=true <a> <b>\n", ""},
    {"FROM a\nRUN --mount=type=cache,target=/x --mount=target=/y --network=none x",
     "FROM <a>\nRUN --mount=type=cache,target=/x --mount=target=/y --network=none <x>\n", ""},
    {"FROM a\nVOLUME /x $y\nvolume [\"/a b\"]", "FROM <a>\nVOLUME </x> <$y>\nVOLUME json </a b>\n", ""},
    {"FROM a\nSHELL [\"/bin/sh\", \"-ec\"]", "FROM <a>\nSHELL json </bin/sh> <-ec>\n", ""},
    {"FROM a\nSTOPSIGNAL $S", "FROM <a>\nSTOPSIGNAL <$S>\n", ""},
    {"FROM a\nHEALTHCHECK none", "FROM <a>\nHEALTHCHECK <NONE>\n", ""},
    {"FROM a\nHEALTHCHECK --interval=1s --retries=3 cmd x  \"y\"",
     "FROM <a>\nHEALTHCHECK --interval=1s --retries=3 <CMD-SHELL> <x  \"y\">\n", ""},
    {"FROM a\nHEALTHCHECK CMD [\"x\", \"y z\"]", "FROM <a>\nHEALTHCHECK json <CMD> <x> <y z>\n", ""},
    {"FROM a\nONBUILD  run x \\\n  y", "FROM <a>\nONBUILD <run x   y>\n", ""},
    {"FROM a\nONBUILD RUN <<E\nx\nE", "FROM <a>\nONBUILD <RUN <<E\nx\nE> {E|x\n}\n", ""},
    {"FROM a\nRUN <<EOF\nx # y\n# z\n\nEOF\nUSER b", "FROM <a>\nRUN <<<EOF> {EOF|x # y\n# z\n\n}\nUSER <b>\n", ""},
    {"FROM a\nRUN a <<-A 3<<\"B\" >c\n\tx\n\tA\nA\nB", "FROM <a>\nRUN <a <<-A 3<<\"B\" >c> {A|\tx\n} {B!|A\n}\n", ""},
    {"FROM a\nCOPY <<a <<'b' c /d/\n1\na\n2\nb", "FROM <a>\nCOPY <<<a> <<<'b'> <c> </d/> {a|1\n} {b!|2\n}\n", ""},
    {"FROM a\nRUN <<E\r\nx\r\nE\r\n", "FROM <a>\nRUN <<<E> {E|x\r\n}\n", ""},
    {"FROM a\nCMD cat <<E", "FROM <a>\nCMD <cat <<E>\n", ""},
    {"# escape=`\nFROM a\nCOPY a `\n b\nENV A=b` c", "FROM <a>\nCOPY <a> <b>\nENV <A=b` c>\n", ""},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        auto_with(dockerfile_done) struct dockerfile d = {0};
        auto_free char *text = NULL, *warnings = NULL;

        if (dockerfile_parse("Dockerfile", good[i].text, strlen(good[i].text), &d) < 0)
            fail_msg("%s\n%s", good[i].text, err_text(-EINVAL));
        text = dump(&d);
        assert_string_equal(text, good[i].dump);
        warnings = strv_join(d.warnings, "|");
        assert_string_equal(warnings, good[i].warnings);
    }
}

static const struct {
    const char *text, *message, *detail; /* detail NULL: not looked at */
} bad[] = {
    {"", "Dockerfile: there is no instruction in this file", NULL},
    {"# only\n\n", "Dockerfile: there is no instruction in this file", NULL},
    {"ARG a", "Dockerfile: there is no FROM in this file", NULL},
    {"RUN x\nFROM a", "Dockerfile:1: RUN before the first FROM: only ARG may stand there", "  RUN x\n  ^"},
    {"FROM a\n\nRNU x", "Dockerfile:3: unknown instruction \"RNU\"; did you mean \"RUN\"?", "  RNU x\n  ^"},
    {"FROM a\n  runn x", "Dockerfile:2: unknown instruction \"runn\"; did you mean \"RUN\"?", "    runn x\n    ^"},
    {"FROM a\nHELTHCHECK x", "Dockerfile:2: unknown instruction \"HELTHCHECK\"; did you mean \"HEALTHCHECK\"?", NULL},
    {"FROM a\nxyzzy plugh", "Dockerfile:2: unknown instruction \"xyzzy\"", NULL},
    {"FROM a\n\x1b[1m x", "Dockerfile:2: unknown instruction \"\\x1b[1m\"", "  \\x1b[1m x\n  ^"},
    {"FROM", "Dockerfile:1: FROM takes an image and optionally AS and a name", "  FROM\n      ^"},
    {"FROM a b", "Dockerfile:1: FROM takes an image and optionally AS and a name", "  FROM a b\n         ^"},
    {"FROM a AS", "Dockerfile:1: FROM takes an image and optionally AS and a name", "  FROM a AS\n           ^"},
    {"FROM a AS b c", "Dockerfile:1: FROM takes an image and optionally AS and a name",
     "  FROM a AS b c\n              ^"},
    {"FROM a # c", "Dockerfile:1: FROM takes an image and optionally AS and a name",
     "  FROM a # c\n         ^\nhint: " HINT},
    {"FROM a AS 1", "Dockerfile:1: a stage's name begins with a letter and has only letters, digits and _ . - in it",
     "  FROM a AS 1\n            ^"},
    {"FROM --platfrom=x a", "Dockerfile:1: FROM --platfrom is not known; did you mean --platform?",
     "  FROM --platfrom=x a\n       ^"},
    {"FROM a\nCOPY --chroot=x a b",
     "Dockerfile:2: COPY --chroot is not known; known flags: --from, --chown, --chmod, --link, --parents, --exclude",
     NULL},
    {"FROM a\nCOPY --link=maybe a b", "Dockerfile:2: COPY --link takes true or false",
     "  COPY --link=maybe a b\n       ^"},
    {"FROM a\nCOPY --form=x a b", "Dockerfile:2: COPY --form is not known; did you mean --from?", NULL},
    {"FROM a\nCOPY --from a b", "Dockerfile:2: COPY --from needs a value: --from=VALUE", NULL},
    {"FROM a\nCOPY --from= a b", "Dockerfile:2: COPY --from needs a value: --from=VALUE", NULL},
    {"FROM a\nCOPY --from=x --from=y a b", "Dockerfile:2: COPY --from is given twice",
     "  COPY --from=x --from=y a b\n                ^"},
    {"FROM a\nUSER --x=y z", "Dockerfile:2: USER --x is not known; USER has no flags", NULL},
    {"FROM a\nRUN --mont=type=cache,target=/x y", "Dockerfile:2: RUN --mont is not known; did you mean --mount?", NULL},
    {"FROM a\nVOLUME", "Dockerfile:2: VOLUME takes one or more paths", NULL},
    {"FROM a\nSHELL /bin/sh", "Dockerfile:2: SHELL takes a JSON array: [\"/bin/bash\", \"-c\"]",
     "  SHELL /bin/sh\n        ^"},
    {"FROM a\nSHELL []", "Dockerfile:2: SHELL takes a JSON array: [\"/bin/bash\", \"-c\"]", NULL},
    {"FROM a\nSTOPSIGNAL TERM # c", "Dockerfile:2: STOPSIGNAL takes one signal",
     "  STOPSIGNAL TERM # c\n                  ^\nhint: " HINT},
    {"FROM a\nHEALTHCHECK curl x", "Dockerfile:2: HEALTHCHECK takes NONE, or CMD and a command",
     "  HEALTHCHECK curl x\n              ^"},
    {"FROM a\nHEALTHCHECK NONE x", "Dockerfile:2: HEALTHCHECK takes NONE, or CMD and a command",
     "  HEALTHCHECK NONE x\n                   ^"},
    {"FROM a\nHEALTHCHECK --timeout=1s NONE", "Dockerfile:2: HEALTHCHECK NONE has no flags", NULL},
    {"FROM a\nHEALTHCHECK CMD", "Dockerfile:2: HEALTHCHECK takes NONE, or CMD and a command", NULL},
    {"FROM a\nHEALTHCHECK CMD []", "Dockerfile:2: HEALTHCHECK takes NONE, or CMD and a command", NULL},
    {"FROM a\nONBUILD", "Dockerfile:2: ONBUILD takes an instruction", NULL},
    {"FROM a\nONBUILD ONBUILD RUN x", "Dockerfile:2: ONBUILD ONBUILD is not allowed",
     "  ONBUILD ONBUILD RUN x\n          ^"},
    {"FROM a\nONBUILD FROM b", "Dockerfile:2: ONBUILD FROM is not allowed", NULL},
    {"FROM a\nONBUILD MAINTAINER b", "Dockerfile:2: ONBUILD MAINTAINER is not allowed", NULL},
    {"FROM a\nONBUILD \\\n  COPY a", "Dockerfile:3: COPY takes one or more sources and a destination",
     "    COPY a\n          ^"},
    {"FROM a\nCOPY a", "Dockerfile:2: COPY takes one or more sources and a destination", "  COPY a\n        ^"},
    {"FROM a\nCOPY [\"a\"]", "Dockerfile:2: COPY takes one or more sources and a destination", NULL},
    {"FROM a\nCOPY", "Dockerfile:2: COPY takes one or more sources and a destination", NULL},
    {"FROM a\nRUN", "Dockerfile:2: RUN takes a command", "  RUN\n     ^"},
    {"FROM a\nRUN []", "Dockerfile:2: RUN takes a command", NULL},
    {"FROM a\nCMD", "Dockerfile:2: CMD takes a command", NULL},
    {"FROM a\nRUN cat <<EOF\nx\n EOF", "Dockerfile:2: the heredoc is not ended: no line \"EOF\" follows",
     "  RUN cat <<EOF\n          ^"},
    {"FROM a\nCOPY <<-'E' /x", "Dockerfile:2: the heredoc is not ended: no line \"E\" follows", NULL},
    {"FROM a\nUSER a b", "Dockerfile:2: USER takes one USER or USER:GROUP", "  USER a b\n         ^"},
    {"FROM a\nUSER root   ##-> c", "Dockerfile:2: USER takes one USER or USER:GROUP",
     "  USER root   ##-> c\n              ^\nhint: " HINT},
    {"FROM a\nWORKDIR ", "Dockerfile:2: WORKDIR takes one path", NULL},
    {"FROM a\nMAINTAINER", "Dockerfile:2: MAINTAINER takes a name", NULL},
    {"FROM a\nEXPOSE", "Dockerfile:2: EXPOSE takes one or more PORT or PORT/PROTOCOL", NULL},
    {"FROM a\nENV", "Dockerfile:2: ENV takes one or more NAME=VALUE", NULL},
    {"FROM a\nENV A", "Dockerfile:2: ENV takes one or more NAME=VALUE", "  ENV A\n      ^"},
    {"FROM a\nENV A=b C", "Dockerfile:2: ENV takes one or more NAME=VALUE", "  ENV A=b C\n          ^"},
    {"FROM a\nENV A=b # c", "Dockerfile:2: ENV takes one or more NAME=VALUE",
     "  ENV A=b # c\n          ^\nhint: " HINT},
    {"FROM a\nENV A=b =c", "Dockerfile:2: a name is missing before the =", "  ENV A=b =c\n          ^"},
    {"FROM a\nLABEL A=\"b c", "Dockerfile:2: a quote is not closed", "  LABEL A=\"b c\n        ^"},
    {"FROM a\nARG", "Dockerfile:2: ARG takes one or more NAME or NAME=DEFAULT", NULL},
    {"FROM a\nARG A # c", "Dockerfile:2: ARG takes one or more NAME or NAME=DEFAULT",
     "  ARG A # c\n        ^\nhint: " HINT},
    {"FROM a\nRUN x \\\n  y\nENV A=b \\\n  C", "Dockerfile:5: ENV takes one or more NAME=VALUE", "    C\n    ^"},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct dockerfile d = {.n_stages = 42};

        if (dockerfile_parse("Dockerfile", bad[i].text, strlen(bad[i].text), &d) != -EINVAL)
            fail_msg("parsed: %s", bad[i].text);
        assert_int_equal(d.n_stages, 42);
        assert_string_equal(err_text(-EINVAL), bad[i].message);
        if (bad[i].detail)
            assert_string_equal(err_detail_text(), bad[i].detail);
    }
}

static void test_fields(void **state)
{
    static const char text[] = "FROM a AS Base\n\n  copy  --from=base \\\n   x   y\n";
    auto_with(dockerfile_done) struct dockerfile d = {0};
    const struct instruction *copy;

    assert_int_equal(dockerfile_parse("f", text, strlen(text), &d), 0);
    assert_string_equal(d.file, "f");
    assert_int_equal(d.escape, '\\');
    assert_string_equal(d.stages[0].name, "base");
    copy = &d.stages[0].steps[0];
    assert_int_equal(copy->kind, INSTR_COPY);
    assert_int_equal(copy->line, 3);
    assert_int_equal(copy->column, 4);
    assert_string_equal(copy->text, "COPY --from=base    x   y");
    assert_string_equal(instruction_flag(copy, "from"), "base");
    assert_null(instruction_flag(copy, "chown"));
    assert_true(instruction_expands(INSTR_COPY));
    assert_false(instruction_expands(INSTR_RUN));
    err_set(-ENOENT, "no such file: x");
    assert_int_equal(instruction_wrap(d.file, copy, -ENOENT), -ENOENT);
    assert_string_equal(err_text(-ENOENT), "f:3: no such file: x");
    assert_string_equal(err_detail_text(), copy->text);
}

static void test_many_stages(void **state)
{
    auto_with(dockerfile_done) struct dockerfile d = {0};
    auto_buf struct buf text = {0};

    for (int i = 0; i < 1000; i++)
        buf_adds(&text, "FROM a AS x\n");
    assert_int_equal(dockerfile_parse("f", text.data, text.len, &d), 0);
    assert_int_equal(d.n_stages, 1000);
    assert_int_equal(strv_len(d.warnings), 100); /* and no more */
    dockerfile_done(&d);
    buf_adds(&text, "FROM a\n");
    assert_int_equal(dockerfile_parse("f", text.data, text.len, &d), -EINVAL);
    assert_string_equal(err_text(-EINVAL), "f:1001: more than 1000 stages");
}

/* ---- the users' files ---- */

#define PIP(package) "RUN <pip3 install " package ">\n"

static const struct {
    const char *folder, *dump;
} seeds[] = {
    {"flask-clean",
     "FROM <ubuntu>\nUSER <root>\n"
     "RUN <apt-get update -yq && apt-get install -yqq \\git \\python3 \\python3-pip>\n" PIP("flask") PIP("flask_cors")
         PIP("flask_restful") PIP("pandas") PIP("numpy") PIP("networkx") PIP("WSGIserver") PIP("sqlalchemy")
             PIP("psycopg2-binary") PIP("gevent") "RUN <mkdir /home/api_results>\nCOPY <.> </home/api_results>\n"
                                                  "ENTRYPOINT <python3 /home/api_results/api_results.py>\n"},
    {"node-no-workdir", "FROM <node>\nCOPY <.> <.>\nRUN <npm install>\nEXPOSE <3000>\nCMD json <node> <app.js>\n"},
    {"node-workdir", "FROM <node>\nWORKDIR </app>\nCOPY <.> <.>\nRUN <npm install>\nEXPOSE <80>\n"
                     "CMD json <node> <server.js>\n"},
    {"node-package-first", "FROM <node>\nWORKDIR </app>\nCOPY <package.json> <.>\nRUN <npm install>\nCOPY <.> </app/>\n"
                           "EXPOSE <80>\nCMD json <node> <server.js>\n"},
    {"python-rng", "FROM <python>\nWORKDIR </app>\nCOPY <.> </app>\nCMD json <python> <rng.py>\n"},
    {"flask-requirements", "FROM <ubuntu:18.04>\nMAINTAINER <Adam Angell>\n"
                           "RUN <apt-get update -y && apt-get install -y   python3-pip python3-dev>\n"
                           "CMD json <ufw allow 5000>\nCOPY <./requirements.txt> </app/requirements.txt>\n"
                           "WORKDIR </app>\nRUN <pip3 install -r requirements.txt>\nCOPY <./myAPI.py> </app>\n"
                           "ENTRYPOINT json <python3>\nCMD json <myAPI.py>\n"},
};

static int parse_seed(const char *folder, struct dockerfile *ret)
{
    auto_free char *path = xasprintf("%s/seeds/%s/Dockerfile", TEST_DATA, folder);
    auto_file FILE *f = fopen(path, "r");
    char bytes[4096];

    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    return dockerfile_parse("Dockerfile", bytes, fread(bytes, 1, sizeof(bytes), f), ret);
}

static void test_seeds(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        auto_with(dockerfile_done) struct dockerfile d = {0};
        auto_free char *text = NULL;

        if (parse_seed(seeds[i].folder, &d) < 0)
            fail_msg("%s: %s", seeds[i].folder, err_text(-EINVAL));
        text = dump(&d);
        assert_string_equal(text, seeds[i].dump);
    }
}

static void test_seed_with_notes(void **state)
{
    struct dockerfile d = {0};

    assert_int_equal(parse_seed("flask-notes", &d), -EINVAL);
    assert_string_equal(err_text(-EINVAL), "Dockerfile:1: FROM takes an image and optionally AS and a name");
    assert_string_equal(err_detail_text(),
                        "  FROM ubuntu ##-> uses ubuntu as root image\n              ^\nhint: " HINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_bad),   cmocka_unit_test(test_fields),
        cmocka_unit_test(test_many_stages), cmocka_unit_test(test_seeds), cmocka_unit_test(test_seed_with_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
