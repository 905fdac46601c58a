/* The grammar of command lines: what is taken, what is refused with which words, and the help text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/err.h"
#include "whelk/opt.h"

struct opts {
    bool all, detach, tty;
    char *name, *pull;
    char **env;
    int64_t tail, memory, time;
    int calls;
};

static int parse_call(void *opts, const char *value)
{
    struct opts *o = opts;
    o->calls++;
    return str_eq(value, "bad") ? err_set(-EINVAL, "bad is bad") : str_eq(value, "mute") ? -ENOENT : 0;
}

static const struct opt table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct opts, all), .help = "show all"},
    {"detach", 'd', OPT_BOOL, OPT(struct opts, detach), .help = "run in the background"},
    {"tty", 't', OPT_BOOL, OPT(struct opts, tty), .help = "give it a terminal"},
    {"name", 0, OPT_STR, OPT(struct opts, name), .arg = "NAME", .help = "its name", .def = "a new one"},
    {"environment|env", 'e', OPT_LIST, OPT(struct opts, env), .arg = "KEY=VALUE", .help = "set a variable"},
    {"tail", 'n', OPT_INT, OPT(struct opts, tail), .arg = "LINES", .help = "only the last lines"},
    {"memory", 'm', OPT_SIZE, OPT(struct opts, memory), .arg = "BYTES", .help = "limit"},
    {"time", 0, OPT_DURATION, OPT(struct opts, time), .arg = "TIME", .help = "how long"},
    {"pull", 0, OPT_BOOL_STR, OPT(struct opts, pull), .arg = "POLICY", .help = "when to pull", .bare = "always"},
    {"call", 'c', OPT_CALL, .arg = "WHAT", .parse = parse_call, .help = "call it"},
    {"poke", 0, OPT_CALL, .parse = parse_call, .help = "call it too"},
    {"secret", 0, OPT_BOOL, OPT(struct opts, all)},
    OPT_END,
};

/* Blank-separated words of one line to opt_parse. */
static int parse_line(const char *line, bool stop, struct opts *opts, char ***args)
{
    auto_strv char **words = strv_split(line, " ");
    return opt_parse(table, "whelk run", opts, (int)strv_len(words), words, stop, args);
}

static const struct {
    const char *line;
    bool stop;
    const char *args; /* joined by '|' */
    struct opts want; /* its numbers and booleans */
    const char *env;  /* joined likewise */
    const char *name, *pull;
} takes[] = {
    {"", false, "", {0}, ""},
    {"-a x --name n y", false, "x|y", {.all = true}, "", .name = "n"},
    {"-a x --name n y", true, "x|--name|n|y", {.all = true}, ""},
    {"--name=n=m", false, "", {0}, "", .name = "n=m"},
    {"--name one --name two", false, "", {0}, "", .name = "two"},
    {"--name=", false, "", {0}, "", .name = ""},
    {"--name -x", false, "", {0}, "", .name = "-x"},
    {"-adt", false, "", {.all = true, .detach = true, .tty = true}, ""},
    {"-dn5", false, "", {.detach = true, .tail = 5}, ""},
    {"-dn 5", false, "", {.detach = true, .tail = 5}, ""},
    {"-n=5", false, "", {.tail = 5}, ""},
    {"-n -1", false, "", {.tail = -1}, ""},
    {"--all=false -a=true -a=0", false, "", {0}, ""},
    {"--all --all=F", false, "", {0}, ""},
    {"--all false", false, "false", {.all = true}, ""},
    {"-e A=1 --env B=2 --environment=C=3 -eD=4", false, "", {0}, "A=1|B=2|C=3|D=4"},
    {"-m 64m --memory=1k", false, "", {.memory = 1024}, ""},
    {"--time 1.5s", false, "", {.time = 1500000000}, ""},
    {"--pull x", false, "x", {0}, "", .pull = "always"},
    {"--pull=never x", false, "x", {0}, "", .pull = "never"},
    {"-c x -cy --call=z --poke w", false, "w", {.calls = 4}, ""},
    {"- x -- -a -- b", false, "-|x|-a|--|b", {0}, ""},
    {"-a -- -a", true, "-a", {.all = true}, ""},
    {"x --help", true, "x|--help", {0}, ""},
    {"--secret", false, "", {.all = true}, ""},
};

static void assert_same(const char *a, const char *b)
{
    assert_string_equal(a ? a : "(null)", b ? b : "(null)");
}

static void parse_takes(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(takes); i++) {
        struct opts opts = {0};
        auto_strv char **args = NULL;
        assert_int_equal(parse_line(takes[i].line, takes[i].stop, &opts, &args), 0);
        auto_free char *joined = strv_join(args, "|");
        auto_free char *env = strv_join(opts.env, "|");
        assert_string_equal(joined, takes[i].args);
        assert_string_equal(env, takes[i].env);
        const struct opts *want = &takes[i].want;
        assert_same(opts.name, takes[i].name);
        assert_same(opts.pull, takes[i].pull);
        assert_true(opts.all == want->all && opts.detach == want->detach && opts.tty == want->tty);
        assert_true(opts.tail == want->tail && opts.memory == want->memory && opts.time == want->time);
        assert_int_equal(opts.calls, want->calls);
        opt_done(table, &opts);
        assert_null(opts.name);
        assert_null(opts.env);
    }
}

static void parse_refuses(void **state)
{
    static const struct {
        const char *line, *text;
    } refuses[] = {
        {"--nmae x", "unknown option \"--nmae\" for \"whelk run\"; did you mean \"--name\"?"},
        {"--nmae=x", "unknown option \"--nmae\" for \"whelk run\"; did you mean \"--name\"?"},
        {"--hepl", "unknown option \"--hepl\" for \"whelk run\"; did you mean \"--help\"?"},
        {"-tail 5", "unknown option \"-i\" for \"whelk run\"; did you mean \"--tail\"?"},
        {"-x", "unknown option \"-x\" for \"whelk run\"; see whelk run --help"},
        {"-ax", "unknown option \"-x\" for \"whelk run\"; see whelk run --help"},
        {"--completely-else", "unknown option \"--completely-else\" for \"whelk run\"; see whelk run --help"},
        {"--secrt", "unknown option \"--secrt\" for \"whelk run\"; see whelk run --help"},
        {"--=x", "unknown option \"--\" for \"whelk run\"; see whelk run --help"},
        {"--name", "option \"--name\" of \"whelk run\" needs a value: --name NAME"},
        {"-ae", "option \"-e\" of \"whelk run\" needs a value: -e KEY=VALUE"},
        {"--all=maybe", "option \"--all\" is either true or false, not \"maybe\""},
        {"-n ten", "option \"-n\" needs a whole number, not \"ten\""},
        {"-n 99999999999999999999", "option \"-n\" needs a whole number, not \"99999999999999999999\""},
        {"--memory lots",
         "option \"--memory\": \"lots\" is not a size; write bytes or a number with b, k, m or g, like 64m"},
        {"--memory 9e", "option \"--memory\": \"9e\" is too large"},
        {"--time 5",
         "option \"--time\": \"5\" is not a duration; write a number with its unit, like 500ms, 10s or 1h30m"},
        {"--call bad", "option \"--call\": bad is bad"},
        {"--call mute", "option \"--call\": No such file or directory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refuses); i++) {
        struct opts opts = {0};
        char **args = NULL;
        int r = parse_line(refuses[i].line, false, &opts, &args);
        assert_true(r < 0);
        assert_string_equal(err_text(r), refuses[i].text);
        assert_null(args);
        opt_done(table, &opts);
    }
}

static void help_comes_first(void **state)
{
    static const struct {
        const char *line;
        bool stop;
        int r;
    } lines[] = {
        {"--help", false, 1},        {"-h", false, 1},           {"-ah", false, 1},
        {"x --help", false, 1},      {"--nmae --help", true, 1}, {"--time 5 -h", false, 1},
        {"-- --help", false, 0},     {"x -h", true, 0},          {"--name --help", false, 0},
        {"--call bad -h", false, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct opts opts = {0};
        auto_strv char **args = NULL;
        assert_int_equal(parse_line(lines[i].line, lines[i].stop, &opts, &args), lines[i].r);
        assert_int_equal(opts.calls, 0);
        opt_done(table, &opts);
    }
    static const struct opt own_h[] = {
        {"hostname", 'h', OPT_STR, OPT(struct opts, name), .arg = "NAME", .help = "x"},
        OPT_END,
    };
    struct opts opts = {0};
    auto_strv char **args = NULL;
    auto_strv char **words = strv_split("-h box", " ");
    assert_int_equal(opt_parse(own_h, "whelk run", &opts, 2, words, false, &args), 0);
    assert_string_equal(opts.name, "box");
    opt_done(own_h, &opts);
}

static void no_table(void **state)
{
    auto_strv char **args = NULL;
    auto_strv char **words = strv_split("a -- -b -x", " ");
    assert_int_equal(opt_parse(NULL, "whelk x", NULL, 3, words, false, &args), 0);
    assert_int_equal(strv_len(args), 2);
    int r = opt_parse(NULL, "whelk x", NULL, 1, words + 3, false, &args);
    assert_int_equal(r, -EINVAL);
    assert_string_equal(err_text(r), "unknown option \"-x\" for \"whelk x\"; see whelk x --help");
}

static void help_text(void **state)
{
    static const struct opt rows[] = {
        {"zone", 'z', OPT_BOOL, 0, .help = "last"},
        {"net|network", 0, OPT_STR, 0, .arg = "NET", .help = "which network", .def = "private"},
        {"a-very-long-option-name", 0, OPT_STR, 0, .arg = "LONG-VALUE", .help = "below"},
        {"pull", 0, OPT_BOOL_STR, 0, .arg = "POLICY", .help = "pull", .bare = "always"},
        {"secret", 0, OPT_BOOL, 0},
        OPT_END,
    };
    auto_buf struct buf b = {0};
    opt_help(rows, &b);
    assert_string_equal(b.data, "      --a-very-long-option-name LONG-VALUE\n"
                                "                       below\n"
                                "  -h, --help           print this help\n"
                                "      --network NET    which network (default private)\n"
                                "      --pull[=POLICY]  pull\n"
                                "  -z, --zone           last\n");
    auto_buf struct buf none = {0};
    opt_help(NULL, &none);
    assert_string_equal(none.data, "  -h, --help  print this help\n");
}

static void find(void **state)
{
    assert_ptr_equal(opt_find(table, "--env"), &table[4]);
    assert_ptr_equal(opt_find(table, "environment"), &table[4]);
    assert_ptr_equal(opt_find(table, "-e"), &table[4]);
    assert_null(opt_find(table, "en"));
    assert_null(opt_find(table, "e"));
    assert_null(opt_find(table, "--"));
    assert_null(opt_find(table, "-"));
    assert_null(opt_find(NULL, "--env"));
    assert_string_equal(opt_shown_name(&table[4]), "env");
}

static void scan(void **state)
{
    static const struct {
        const char *line;
        bool stop;
        int pending; /* row or -1 */
        int first_arg, n_args;
        bool ended;
    } cases[] = {
        {"", false, -1, 0, 0, false},         {"-a x y", false, -1, 1, 2, false},   {"-a x y", true, -1, 1, 2, true},
        {"--name", false, 3, 1, 0, false},    {"-ae", false, 4, 1, 0, false},       {"--name=", false, -1, 1, 0, false},
        {"--nope x", false, -1, 1, 1, false}, {"-- --name", false, -1, 1, 1, true}, {"x --name", true, -1, 0, 2, true},
        {"-n ten", false, -1, 2, 0, false},   {"--pull", false, -1, 1, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_strv char **words = strv_split(cases[i].line, " ");
        struct opt_state st;
        opt_scan(table, (int)strv_len(words), words, cases[i].stop, &st);
        assert_ptr_equal(st.pending, cases[i].pending < 0 ? NULL : &table[cases[i].pending]);
        assert_int_equal(st.first_arg, cases[i].first_arg);
        assert_int_equal(st.n_args, cases[i].n_args);
        assert_int_equal(st.ended, cases[i].ended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_takes), cmocka_unit_test(parse_refuses), cmocka_unit_test(help_comes_first),
        cmocka_unit_test(no_table),    cmocka_unit_test(help_text),     cmocka_unit_test(find),
        cmocka_unit_test(scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
