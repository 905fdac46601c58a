/* Templates: what Go's text/template and docker's functions give, case by case; errors; lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/err.h"
#include "whelk/template.h"

#define Q(...) #__VA_ARGS__

/* A container as inspect has it, and some values of each type. */
static const char container[] = Q({
    "Id" : "0123456789abcdef",
    "Name" : "/web",
    "Count" : 3,
    "Big" : 9007199254740993,
    "Ratio" : 1.5,
    "Yes" : true,
    "No" : false,
    "Nothing" : null,
    "Empty" : "",
    "None" : [],
    "NoMap" : {},
    "State" : {
        "Status" : "running",
        "Running" : true,
        "Pid" : 42,
        "Health" : {"Status" : "healthy", "Log" : [ {"ExitCode" : 0}, {"ExitCode" : 1} ]},
        "Error" : null
    },
    "Config" : {
        "Env" : [ "PATH=/bin", "A=1" ],
        "Labels" : {"zeta" : "z", "a.b" : "c", "io.x-k8s.kind.role" : "control-plane"},
        "Cmd" : [ "sh", "-c", "a && b" ]
    },
    "NetworkSettings" : {
        "IPAddress" : "10.0.0.2",
        "Networks" : {"web" : {"IPAddress" : "10.1.0.2"}, "bridge" : {"IPAddress" : "10.0.0.2"}},
        "Ports" : {
            "80/tcp" : [ {"HostIp" : "0.0.0.0", "HostPort" : "8080"}, {"HostIp" : "::", "HostPort" : "8080"} ],
            "443/tcp" : null
        }
    },
    "Mounts" : [
        {"Type" : "bind", "Source" : "/srv", "Destination" : "/data", "RW" : true},
        {"Type" : "volume", "Source" : "v", "Destination" : "/v"}
    ],
    "Labels" : "a=1,b.c=two,d="
});

static int run(const char *text, const char *data, struct buf *out)
{
    struct template *t;
    auto_json json_t *value = NULL;
    assert_int_equal(json_parse("data", data, strlen(data), &value), 0);
    int r = template_parse(text, &t);
    if (r < 0)
        return r;
    r = template_execute(t, value, out);
    template_free(t);
    return r;
}

struct good {
    const char *text, *result;
};

static void check_good(const struct good *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        auto_buf struct buf out = {0};
        int r = run(cases[i].text, container, &out);
        if (r < 0)
            fail_msg("%s: %s", cases[i].text, err_text(r));
        if (!str_eq(out.data, cases[i].result))
            fail_msg("%s gives \"%s\", not \"%s\"", cases[i].text, out.data, cases[i].result);
    }
}

static void fields_and_printing(void **state)
{
    static const struct good cases[] = {
        {"", ""},
        {"plain } text { }}", "plain } text { }}"},
        {"{{.Id}}", "0123456789abcdef"},
        {"{{.ID}} {{ .Id }}", "0123456789abcdef 0123456789abcdef"},
        {"{{.Name}}{{.Count}}{{.Big}}", "/web39007199254740993"},
        {"{{.Ratio}} {{.Yes}} {{.No}} {{.Nothing}} [{{.Empty}}]", "1.5 true false <no value> []"},
        {"{{.State.Health.Status}}", "healthy"},
        {"{{.None}} {{.NoMap}} {{.Config.Env}}", "[] map[] [PATH=/bin A=1]"},
        {"{{.Config.Labels}}", "map[a.b:c io.x-k8s.kind.role:control-plane zeta:z]"},
        {"{{.Config.Labels.zeta}} {{.Config.Labels.nope}} {{.Config.Nope.Deep}}", "z <no value> <no value>"},
        {"{{(.State.Health).Status}} {{(index .Mounts 0).Source}}", "healthy /srv"},
        {"{{$.Name}} {{with .State}}{{.Pid}}{{$.Name}}{{end}}", "/web 42/web"},
        {"{{index .State.Health.Log 1}}", "map[ExitCode:1]"},
        {"{{.NetworkSettings.Ports}}",
         "map[443/tcp:<nil> 80/tcp:[map[HostIp:0.0.0.0 HostPort:8080] map[HostIp::: HostPort:8080]]]"},
        {"{{.Label \"b.c\"}}|{{.Label \"d\"}}|{{.Label \"nope\"}}|{{\"a\" | .Label}}", "two|||1"},
        {"{{.Config.Label \"a.b\"}}|{{.Config.Label \"nope\"}}", "c|"},
        {"{{.Id}}\\t{{.Name}}\\n", "0123456789abcdef\t/web\n"},
        {"a\\b", "a\\b"},
        {"{{\"\\\\t\"}}", "\\t"},
        {"{{json .None}}{{json .Nothing}}{{json .Config.Nope}}", "[]nullnull"},
    };
    check_good(cases, ARRAY_LEN(cases));
}

/* What other tools ask docker for. */
static void known_users(void **state)
{
    static const struct good cases[] = {
        {"{{index .Config.Labels \"a.b\"}}", "c"},
        {"{{index .Config.Labels \"io.x-k8s.kind.role\"}}", "control-plane"},
        {"{{ with (index (index .NetworkSettings.Ports \"80/tcp\") 0) }}{{ printf \"%s\t%s\" .HostIp .HostPort }}{{ "
         "end }}",
         "0.0.0.0\t8080"},
        {"{{range .NetworkSettings.Networks}}{{.IPAddress}},{{end}}", "10.0.0.2,10.1.0.2,"},
        {"{{range $k,$v := .NetworkSettings.Ports}}{{$k}} {{range $v}}{{.HostPort}};{{end}}{{end}}",
         "443/tcp 80/tcp 8080;8080;"},
        {"{{range $p, $conf := .NetworkSettings.Ports}} {{$p}} -> {{if $conf}}{{(index $conf "
         "0).HostPort}}{{end}}{{end}}",
         " 443/tcp ->  80/tcp -> 8080"},
        {"{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "8080"},
        {"{{range .Mounts}}{{.Source}}:{{.Destination}}{{\"\\n\"}}{{end}}", "/srv:/data\nv:/v\n"},
        {"{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Source}}{{end}}{{end}}", "v"},
        {"{{json .Mounts}}", "[{\"Type\":\"bind\",\"Source\":\"/srv\",\"Destination\":\"/data\",\"RW\":true},"
                             "{\"Type\":\"volume\",\"Source\":\"v\",\"Destination\":\"/v\"}]"},
        {"{{json .Config.Cmd}}", "[\"sh\",\"-c\",\"a && b\"]"},
        {"{{.State.Running}}", "true"},
        {"{{range .Config.Env}}{{println .}}{{end}}", "PATH=/bin\nA=1\n"},
        {"{{if .Config.Healthcheck}}yes{{else}}no{{end}}", "no"},
        {"{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "healthy"},
        {"{{join .Config.Cmd \" \"}}", "sh -c a && b"},
        {"{{.Id}} {{slice .Id 0 12}} {{printf \"%.12s\" .Id}}", "0123456789abcdef 0123456789ab 0123456789ab"},
        {"{{len .Mounts}}", "2"},
        {"{{index .NetworkSettings.Networks \"web\" \"IPAddress\"}}", "10.1.0.2"},
        {"{{- range $index, $m := .Mounts -}}\n  {{if $index}}, {{end}}{{$m.Type}}\n{{- end -}}", "bind, volume"},
    };
    check_good(cases, ARRAY_LEN(cases));
}

static void blocks_and_variables(void **state)
{
    static const struct good cases[] = {
        {"{{if .Yes}}a{{else}}b{{end}}{{if .No}}a{{else}}b{{end}}", "ab"},
        {"{{if 0}}1{{else if \"\"}}2{{else if .None}}3{{else if .NoMap}}4{{else if not nil}}5{{else}}6{{end}}", "5"},
        {"{{if .Nothing}}1{{end}}{{if .Config.Nope}}2{{end}}{{if 0.0}}3{{end}}{{if -1}}4{{end}}{{if \" \"}}5{{end}}",
         "45"},
        {"{{with .Empty}}x{{else}}y{{end}}{{with .Name}}{{.}}{{end}}", "y/web"},
        {"{{with .Empty}}x{{else with .Name}}{{.}}{{end}}", "/web"},
        {"{{range .None}}x{{else}}none{{end}} {{range .Nothing}}x{{else}}null{{end}} {{range "
         ".Config.Nope}}x{{else}}no{{end}}",
         "none null no"},
        {"{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}", "0=PATH=/bin;1=A=1;"},
        {"{{range $e := .Config.Env}}[{{$e}}{{.}}]{{end}}", "[PATH=/binPATH=/bin][A=1A=1]"},
        {"{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}},{{end}}", "a.b:c,io.x-k8s.kind.role:control-plane,zeta:z,"},
        {"{{range 3}}{{.}}{{end}}{{range $i := .Count}}{{$i}}{{end}}{{range 0}}x{{else}}e{{end}}", "012012e"},
        {"{{range split \"a,b,c\" \",\"}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{end}}", "ac"},
        {"{{range split \"a,b,c\" \",\"}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}", "a"},
        {"{{range 3}}{{range 3}}{{if .}}{{break}}{{end}}{{.}}{{end}}x{{end}}", "0x0x0x"},
        {"{{range 2}}{{range split \"\" \"\"}}{{else}}{{break}}{{end}}x{{end}}y", "y"},
        {"{{$x := 1}}{{$x}}{{$x = 2}}{{$x}}{{if true}}{{$x = 3}}{{$x := 9}}{{$x}}{{end}}{{$x}}", "1293"},
        {"{{$m := index .Mounts 1}}{{$m.Source}}{{$m.Type}}", "vvolume"},
        {"{{$l := \"\"}}{{range .Config.Env}}{{$l = .}}{{end}}{{$l}}", "A=1"},
        {"{{$i := 7}}{{$e := 8}}{{range $i, $e = .Config.Env}}{{end}}{{$i}}{{$e}}", "1A=1"},
        {"{{if $x := .Empty}}{{else}}[{{$x}}]{{end}}{{with $x := 5}}{{$x}}{{end}}", "[]5"},
        {"{{range $x := .None}}{{else}}{{$x}}{{end}}", "[]"},
        {"a  {{- 1 -}}  b {{- /* c */ -}} c{{/* }} */}}d", "a1bcd"},
        {"a {{1 -}}\\n\\t b\n{{- 2}}", "a 1b2"},
        {"{{\n  .Count\n}}{{- /* two\nlines */}}", "3"},
        {"{{-1}} {{- 1}} {{ -1 }}", "-11 -1"},
        {"{{if and .Yes (eq .Name \"/web\") | not}}a{{else}}b{{end}}", "b"},
    };
    check_good(cases, ARRAY_LEN(cases));
}

static void constants(void **state)
{
    static const struct good cases[] = {
        {"{{1}} {{-5}} {{+5}} {{0x1F}} {{0b11}} {{0o17}} {{017}} {{1_000}} {{'a'}} {{'\\n'}} {{'\xc3\xa9'}} {{'\\''}}",
         "1 -5 5 31 3 15 15 1000 97 10 233 39"},
        {"{{1.5}} {{.5}} {{1.}} {{1e3}} {{1e21}} {{1e-7}} {{123456789.0}} {{100000.0}} {{0.1}}",
         "1.5 0.5 1 1000 1e+21 1e-07 1.23456789e+08 100000 0.1"},
        {"{{\"a\\tb\\x41\\u00e9\\U0001f600\\101\\\"\\\\\"}}", "a\tbA\xc3\xa9\xf0\x9f\x98\x80"
                                                              "A\"\\"},
        {"{{`a\\n\"b\nc`}}", "a\\n\"b\nc"},
        {"{{true}}{{false}}{{print nil}}", "truefalse<nil>"},
        {"{{9223372036854775807}} {{-9223372036854775808}}", "9223372036854775807 -9223372036854775808"},
    };
    check_good(cases, ARRAY_LEN(cases));
}

static void comparison_and_logic(void **state)
{
    static const struct good cases[] = {
        {"{{eq 1 1}}{{eq 1 2 3 1}}{{eq \"a\" \"b\"}}{{eq .State.Status \"exited\" \"running\"}}", "truetruefalsetrue"},
        {"{{ne 1 2}}{{lt 1 2}}{{le 2 2}}{{gt \"b\" \"a\"}}{{ge 1.5 2.5}}{{lt \"a\" \"ab\"}}",
         "truetruetruetruefalsetrue"},
        {"{{eq .Nothing nil}}{{eq .Config.Nope \"x\"}}{{ne .State.Error \"\"}}{{eq true .Yes}}", "truefalsetruetrue"},
        {"{{and true 1 \"x\"}}{{and 0 \"x\"}}{{or 0 \"\" \"z\"}}[{{or 0 \"\"}}]{{not 0}}{{not \"x\"}}",
         "x0z[]truefalse"},
        {"{{and false (index .None 5)}}{{or true (index .None 5)}}", "falsetrue"}, /* the rest is not even looked at */
        {"{{if and .Config.Nope (eq .Config.Nope.Test \"x\")}}a{{else}}b{{end}}", "b"},
        {"{{1 | eq 1}}{{.Count | lt 2}}{{true | and false}}", "truetruefalse"},
    };
    check_good(cases, ARRAY_LEN(cases));
}

static void functions(void **state)
{
    static const struct good cases[] = {
        {"{{len \"h\xc3\xa9\"}} {{len .Mounts}} {{len .Config.Labels}} {{len .Nothing}}", "3 2 3 0"},
        {"{{index .Config.Env 1}} {{index .Mounts 0 \"Source\"}} {{index \"abc\" 1}} {{index .Count}}",
         "A=1 /srv 98 3"},
        {"[{{index .Config.Labels \"nope\"}}][{{index .NoMap \"x\"}}][{{index .Nothing \"x\"}}]", "[][][]"},
        {"{{index .NetworkSettings.Ports \"1/udp\"}} {{index .State \"nope\"}} {{len (index .NetworkSettings.Ports "
         "\"443/tcp\")}}",
         "<no value> <no value> 0"},
        {"{{slice \"abcdef\" 1 3}} {{slice \"abcdef\" 2}} {{slice \"abc\"}} {{slice .Config.Cmd 1}} {{slice "
         ".Config.Cmd 0 1 2}}",
         "bc cdef abc [-c a && b] [sh]"},
        {"{{split \"a,b\" \",\"}} {{len (split \"\" \",\")}} {{len (split \"\" \"\")}} {{split \"h\xc3\xa9y\" \"\"}} "
         "{{len (split \"a,\" \",\")}}",
         "[a b] 1 0 [h \xc3\xa9 y] 2"},
        {"{{join (split \"a b c\" \" \") \"+\"}}[{{join .Nothing \",\"}}]", "a+b+c[]"},
        {"{{upper \"aBc\"}} {{lower \"aBc\"}} {{title \"hello wOrld foo-bar a_b 3x x.y\"}}",
         "ABC abc Hello WOrld Foo-Bar A_b 3x X.Y"},
        {"[{{pad \"x\" 2 3}}][{{pad \"\" 2 3}}]{{truncate \"abcdef\" 3}}{{truncate \"ab\" 5}}", "[  x   ][]abcab"},
        {"{{json \"a<b>&\\\"\\u2028\\t\\x01\\xff\"}}", "\"a<b>&\\\"\\u2028\\t\\u0001\\ufffd\""},
        {"{{json 1.5}}{{json 1e-7}}{{json 100000000.0}}{{json .Yes}}{{json .State.Health}}",
         "1.51e-7100000000true{\"Status\":\"healthy\",\"Log\":[{\"ExitCode\":0},{\"ExitCode\":1}]}"},
        {"{{print 1 2 \"a\" 3 4 true nil}}|{{print}}|{{print \"a\" \"b\"}}", "1 2a3 4 true <nil>||ab"},
        {"{{println 1 \"a\" true}}{{println}}", "1 a true\n\n"},
        {"{{html \"<a href='x'>&\\\"</a>\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;&lt;/a&gt;"},
        {"{{js \"it's <\\\"x\\\">=&\\n\"}}", "it\\'s \\u003C\\\"x\\\"\\u003E\\u003D\\u0026\\u000A"},
        {"{{urlquery \"a b&c=d/~\"}}", "a+b%26c%3Dd%2F~"},
        {"{{\"x\" | printf \"%s-%s\" \"y\"}} {{\"a\" | len | printf \"%03d\"}} {{printf \"%d\" (len (printf \"%s\" "
         "\"abc\"))}}",
         "y-x 001 3"},
    };
    check_good(cases, ARRAY_LEN(cases));
}

static void printf_verbs(void **state)
{
    static const struct good cases[] = {
        {"{{printf \"%d|%5d|%-5d|%05d|%+d|% d|%x|%X|%#x|%o|%#o|%O|%b|%c|%q|%U\" 3 3 3 -3 3 3 255 255 255 8 8 8 5 65 65 "
         "65}}",
         "3|    3|3    |-0003|+3| 3|ff|FF|0xff|10|010|0o10|101|A|'A'|U+0041"},
        {"{{printf \"%s|%5s|%-10s|%.2s|%q|%x|%X|% x|%#x\" \"abc\" \"abc\" \"abc\" \"abc\" \"a\\\"b\\n\" \"abc\" "
         "\"abc\" \"abc\" \"abc\"}}|",
         "abc|  abc|abc       |ab|\"a\\\"b\\n\"|616263|616263|61 62 63|0x616263|"},
        {"{{printf \"%5s|%.1s\" \"\xc3\xa9\" \"\xc3\xa9z\"}}", "    \xc3\xa9|\xc3\xa9"},
        {"{{printf \"%t|%v|%5t\" true false true}}", "true|false| true"},
        {"{{printf \"%.2f|%8.3f|%-8.1f|%+.1f|%08.2f|%f|%e|%g\" 3.14159 3.14159 3.14159 3.14159 -3.14159 1.5 1234.5 "
         "0.1}}",
         "3.14|   3.142|3.1     |+3.1|-0003.14|1.500000|1.234500e+03|0.1"},
        {"{{printf \"%v %v %v %v\" .Count .Config.Env .Config.Labels.zeta .State.Health.Log}}",
         "3 [PATH=/bin A=1] z [map[ExitCode:0] map[ExitCode:1]]"},
        {"{{printf \"%s|%d|%q|%3s\" .Config.Cmd .None .Config.Cmd (split \"a,b\" \",\")}}",
         "[sh -c a && b]|[]|[\"sh\" \"-c\" \"a && b\"]|[  a   b]"},
        {"{{printf \"%d\" \"x\"}} {{printf \"%s\" 3}} {{printf \"%z\" 3}} {{printf \"%d\"}} {{printf \"%s %f\" true "
         "3}}",
         "%!d(string=x) %!s(int=3) %!z(int=3) %!d(MISSING) %!s(bool=true) %!f(int=3)"},
        {"{{printf \"%d\" 1 2 \"x\"}} {{printf \"%\"}} {{printf \"100%%\"}}",
         "1%!(EXTRA int=2, string=x) %!(NOVERB) 100%"},
        {"{{printf \"%v %s %d\" nil .Nothing .Config.Nope}}", "<nil> %!s(<nil>) %!d(<nil>)"},
        {"{{printf \"%[2]d %[1]d\" 1 2}} {{printf \"%[3]d\" 1}} {{printf \"%*d|%-*d|%.*f\" 5 1 5 1 2 3.14159}}",
         "2 1 %!d(BADINDEX)     1|1    |3.14"},
        {"{{printf \"%T %T %T %T\" 1 \"a\" 1.5 true}}", "int string float64 bool"},
        {"{{printf \"%.3d|%6.3d|%x|%d\" 5 5 -255 -9223372036854775808}}", "005|   005|-ff|-9223372036854775808"},
        {"{{printf \"%q %x\" \"\\xff\\x01\" \"\\xff\"}}", "\"\\xff\\x01\" ff"},
    };
    check_good(cases, ARRAY_LEN(cases));
}

static void errors_say_where(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"{{.Idd}}", "template:1:3: <.Idd>: there is no field \"Idd\"; did you mean .Id? There are: Big, Config, "
                     "Count, Empty, Id, Labels, Mounts, Name, "
                     "NetworkSettings, No, NoMap, None, Nothing, Ratio, State, Yes"},
        {"a\n  {{.state}}", "template:2:5: <.state>: there is no field \"state\"; did you mean .State?"},
        {"{{$.Foobarbaz}}", "template:1:3: <$.Foobarbaz>: there is no field \"Foobarbaz\"; there are: Big"},
        {"{{.State.status}}", "template:1:3: <.State.status>: there is no \"status\"; did you mean .Status?"},
        {"{{.Nothing.X}}", "template:1:3: <.Nothing.X>: nil pointer evaluating .X"},
        {"{{.Name.X}}", "template:1:3: <.Name.X>: can't evaluate field X in type string"},
        {"{{.Mounts.Source}}", "can't evaluate field Source in type []interface {}"},
        {"{{.Name \"x\"}}", "template:1:3: <.Name>: Name is not a method but has arguments"},
        {"{{.Label}}", "there is no field \"Label\"; did you mean .Labels?"},
        {"{{.Label 1}}", "Label takes one string"},
        {"{{.Name", "template:1:8: an action is not closed with }}"},
        {"{{if .Name}}x", "template:1:3: this if has no {{end}}"},
        {"{{range .Name}}{{else}}x", "template:1:3: this range has no {{end}}"},
        {"{{if 1}}{{else}}{{else}}{{end}}", "template:1:3: this if has no {{end}}"},
        {"{{end}}", "template:1:3: unexpected \"end\""},
        {"{{break}}", "template:1:3: break is only possible in a range"},
        {"{{range 2}}{{else}}{{continue}}{{end}}", "continue is only possible in a range"},
        {"{{foo .}}", "template:1:3: there is no function \"foo\""},
        {"{{$y}}", "template:1:3: there is no variable $y"},
        {"{{with $x := 1}}{{end}}{{$x}}", "template:1:26: there is no variable $x"},
        {"{{$x = 1}}", "there is no variable $x"},
        {"{{$x := $x}}", "there is no variable $x"},
        {"{{}}", "a value is missing"},
        {"{{if}}{{end}}", "a value is missing in if"},
        {"{{1 | }}", "unexpected }}"},
        {"{{| 1}}", "unexpected \"|\""},
        {"{{(1}}", "a ( is not closed"},
        {"{{1)}}", "unexpected )"},
        {"{{\"abc}}", "the quotation is not closed"},
        {"{{\"\\q\"}}", "a wrong escape in \"\\q\""},
        {"{{'ab'}}", "'ab' is not one character"},
        {"{{1a}}", "\"1a\" is not a number"},
        {"{{99999999999999999999}}", "is not a number"},
        {"{{\"a\"b}}", "template:1:6: unexpected \"b\""},
        {"{{\"a\".b}}", "template:1:6: unexpected \".b\""},
        {"{{/* x}}", "template:1:1: the comment is not closed"},
        {"{{/* x */ }}", "a comment must end with */}}"},
        {"{{3 4}}", "can't give argument to non-function <3>"},
        {"{{nil}}", "nil is not a command"},
        {"{{true | false}}", "what follows a | must be a function"},
        {"{{a!}}", "unexpected character '!' in a name"},
        {"{{define \"x\"}}{{end}}", "define is not supported"},
        {"{{eq 1 \"a\"}}", "template:1:3: error calling eq: incompatible types for comparison: int and string"},
        {"{{eq .None 1}}", "uncomparable type []interface {}"},
        {"{{lt true false}}", "invalid type for comparison: bool"},
        {"{{lt 1 \"a\"}}", "incompatible types for comparison"},
        {"{{slice \"abc\" 5}}", "index out of range: 5"},
        {"{{slice \"abc\" 2 1}}", "invalid slice index: 2 > 1"},
        {"{{index .None 0}}", "index out of range: 0"},
        {"{{index .Config.Env -1}}", "index out of range: -1"},
        {"{{index .Config.Env \"x\"}}", "cannot index a list with type string"},
        {"{{index .Config.Labels 1}}", "a key must be a string, not int"},
        {"{{index .Config.Nope 1}}", "index of untyped nil"},
        {"{{index .Count 1}}", "can't index item of type int"},
        {"{{len 3}}", "error calling len: len of type int"},
        {"{{lower 5}}", "argument 1 must be a string, not int"},
        {"{{join .Name \",\"}}", "argument 1 must be a list of strings"},
        {"{{not 1 2}}", "not takes at most 1 argument, not 2"},
        {"{{and}}", "and needs at least 1 argument, not 0"},
        {"{{range .Name}}{{end}}", "range can't iterate over <.Name>, which is of type string"},
        {"{{printf \"%999999s%999999s\" 1 1}}{{range 99}}{{printf \"%999999s\" \"\"}}{{end}}",
         "the output is longer than 16 MiB"},
        {"{{range 99999}}{{range 99999}}{{end}}{{end}}", "this takes too long"},
        {"{{$x := \"abcdefgh\"}}{{range 30}}{{$x = print $x $x}}{{end}}", "the result is longer than 16 MiB"},
        {"{{pad \"x\" 99999999 1}}", "make no sense"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out = {0};
        buf_adds(&out, "kept");
        if (run(cases[i].text, container, &out) != -EINVAL)
            fail_msg("%s gives \"%s\"", cases[i].text, out.data);
        if (!strstr(err_text(-EINVAL), cases[i].error))
            fail_msg("%s: %s; not: %s", cases[i].text, err_text(-EINVAL), cases[i].error);
        assert_string_equal(out.data, "kept");
    }
}

static void errors_have_a_caret(void **state)
{
    auto_buf struct buf out = {0};
    assert_int_equal(run("x\n\xc3\xa9 {{.Nope}} y", "{\"A\":1}", &out), -EINVAL);
    assert_string_equal(err_text(-EINVAL), "template:2:5: <.Nope>: there is no field \"Nope\"; there are: A");
    assert_string_equal(err_detail_text(), "  \xc3\xa9 {{.Nope}} y\n      ^");
}

static void depth_and_size_are_bounded(void **state)
{
    auto_buf struct buf deep = {0}, parens = {0}, chain = {0}, long_text = {0}, out = {0};
    for (int i = 0; i < 200; i++)
        buf_adds(&deep, "{{if 1}}");
    buf_adds(&parens, "{{");
    for (int i = 0; i < 200; i++)
        buf_addc(&parens, '(');
    buf_adds(&chain, "{{if 0}}");
    for (int i = 0; i < 200; i++)
        buf_adds(&chain, "{{else if 0}}");
    for (int i = 0; i < 70000; i++)
        buf_addc(&long_text, 'x');
    buf_adds(&parens, "}}");
    assert_int_equal(run(deep.data, "{}", &out), -EINVAL);
    assert_non_null(strstr(err_text(-EINVAL), "nested too deeply"));
    assert_int_equal(run(parens.data, "{}", &out), -EINVAL);
    assert_int_equal(run(chain.data, "{}", &out), -EINVAL);
    assert_non_null(strstr(err_text(-EINVAL), "nested too deeply"));
    assert_int_equal(run(long_text.data, "{}", &out), -EINVAL);
    assert_non_null(strstr(err_text(-EINVAL), "the template is too long"));
}

/* ---- lists ---- */

static const struct template_column columns[] = {
    {"ID", "CONTAINER ID", true},
    {"Names", "NAMES", true},
    {"State", "STATE", false},
    {"Ports", "PORTS", true},
};
static const char rows_text[] = Q([
    {"ID" : "a1", "Names" : "web", "State" : "running", "Ports" : "80/tcp", "Labels" : "x=1"},
    {"ID" : "b2", "Names" : "déjà vu", "State" : "exited", "Ports" : null, "Labels" : ""}
]);

static int list(const char *format, const char *rows, bool with_header, struct buf *out)
{
    auto_json json_t *value = NULL;
    assert_int_equal(json_parse("rows", rows, strlen(rows), &value), 0);
    return template_list(format, columns, ARRAY_LEN(columns), value, with_header, out);
}

static void lists_of_rows(void **state)
{
    static const char table[] = "CONTAINER ID   NAMES     PORTS\n"
                                "a1             web       80/tcp\n"
                                "b2             déjà vu   \n";
    static const struct {
        const char *format, *rows;
        bool header;
        const char *result;
    } cases[] = {
        {NULL, rows_text, true, table},
        {"", rows_text, true, table},
        {"table", rows_text, true, table},
        {NULL, rows_text, false, "a1   web       80/tcp\nb2   déjà vu   \n"},
        {NULL, "[]", true, "CONTAINER ID   NAMES   PORTS\n"},
        {NULL, "[]", false, ""},
        {"{{.ID}}\\t{{.Names}}", rows_text, true, "a1\tweb\nb2\tdéjà vu\n"},
        {"{{.ID}}\\n", rows_text, true, "a1\nb2\n"},
        {"{{if eq .State \"exited\"}}{{.ID}}{{end}}", rows_text, true, "\nb2\n"},
        {"{{json .}}", "[{\"ID\":\"a\"},{\"ID\":\"b\"}]", true, "{\"ID\":\"a\"}\n{\"ID\":\"b\"}\n"},
        {"json", "[{\"ID\":\"a\"}]", true, "[\n    {\n        \"ID\": \"a\"\n    }\n]\n"},
        {"json", "[]", true, "[]\n"},
        {"{{range .}}{{.ID}};{{end}}", rows_text, true, "a1;b2;"},
        {"table {{.ID}}\\t{{.Names}}", rows_text, true,
         "CONTAINER ID   NAMES\na1             web\nb2             déjà vu\n"},
        {"table {{.ID}}\t{{.State}}", rows_text, false, "a1   running\nb2   exited\n"},
        {"table {{.ID}}\\t{{.Labels}}", "[]", true, "CONTAINER ID   LABELS\n"},
        {"table {{upper .Names}}\\t{{printf \"%.1s\" .ID}}\\t{{.Label \"org.some-label\"}}", rows_text, true,
         "NAMES     CONTAINER ID   some label\nWEB       a              \nDéJà VU   b              \n"},
        {"table {{.ID}}{{\"\\t\"}}{{if eq .State \"running\"}}up{{else}}down{{end}}", rows_text, true,
         "CONTAINER ID   STATE\na1             up\nb2             down\n"},
        {"table {{$x := .ID}}{{$.Names}} of {{.State}}", rows_text, true,
         "NAMES of STATE\nweb of running\ndéjà vu of exited\n"},
        {"{{.Label \"x\"}}", rows_text, true, "1\n\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out = {0};
        int r = list(cases[i].format, cases[i].rows, cases[i].header, &out);
        if (r < 0)
            fail_msg("%s: %s", cases[i].format, err_text(r));
        if (!str_eq(out.data ? out.data : "", cases[i].result))
            fail_msg("%s gives\n%s, not\n%s", cases[i].format ? cases[i].format : "(none)", out.data, cases[i].result);
    }
}

static void tables_are_safe_for_terminals(void **state)
{
    static const char rows[] = "[{\"ID\":\"\\u001b[2J\",\"Names\":\"x\",\"Ports\":\"\\u0007\"}]";
    auto_buf struct buf plain = {0}, table = {0};
    assert_int_equal(list(NULL, rows, false, &plain), 0);
    assert_string_equal(plain.data, "\\x1b[2J   x   \\x07\n");
    assert_int_equal(list("table {{.ID}}", rows, false, &table), 0);
    assert_string_equal(table.data, "\\x1b[2J\n");
}

static void lists_tell_errors(void **state)
{
    auto_buf struct buf out = {0};
    assert_int_equal(list("{{.Nmes}}", rows_text, true, &out), -EINVAL);
    assert_non_null(strstr(err_text(-EINVAL), "did you mean .Names? There are: ID, Labels, Names, Ports, State"));
    assert_int_equal(list("table {{.Nmes}}", rows_text, true, &out), -EINVAL);
    assert_int_equal(list("{{range .}}{{.id}}{{end}}", rows_text, true, &out), -EINVAL);
    assert_non_null(strstr(err_text(-EINVAL), "did you mean .ID?"));
    assert_int_equal(list("{{.ID}", rows_text, true, &out), -EINVAL);
    assert_int_equal(list("tables {{.ID", "[]", true, &out), -EINVAL);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_printing),  cmocka_unit_test(known_users),
        cmocka_unit_test(blocks_and_variables), cmocka_unit_test(constants),
        cmocka_unit_test(comparison_and_logic), cmocka_unit_test(functions),
        cmocka_unit_test(printf_verbs),         cmocka_unit_test(errors_say_where),
        cmocka_unit_test(errors_have_a_caret),  cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(lists_of_rows),        cmocka_unit_test(tables_are_safe_for_terminals),
        cmocka_unit_test(lists_tell_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
