/* Seccomp profiles in docker's JSON format (--security-opt seccomp=FILE), turned into rules.
 *
 * A condition or an action that is not known is an error: leaving it out could open what the author closed. Names that
 * this machine does not have are left out by seccomp.c; rules for other architectures here. */
#include "seccomp-rule.h"
#include "whelk/caps.h"
#include "whelk/err.h"
#include "whelk/json.h"
#include "whelk/str.h"

#include <sys/utsname.h>

/* Docker's (Go's) name of the native architecture. */
#if defined(__x86_64__)
#define NATIVE_ARCH "amd64"
#elif defined(__aarch64__)
#define NATIVE_ARCH "arm64"
#elif defined(__powerpc64__)
#define NATIVE_ARCH "ppc64le"
#elif defined(__s390x__)
#define NATIVE_ARCH "s390x"
#elif defined(__riscv)
#define NATIVE_ARCH "riscv64"
#else
#define NATIVE_ARCH "unknown"
#endif

struct profile {
    const char *what;
    uint64_t caps;
    struct seccomp_out *out;
};

static const struct {
    const char *name;
    uint32_t action;
    bool with_errno;
} actions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
};

static const char *const op_names[] = {
    [SECCOMP_OP_NE] = "SCMP_CMP_NE",
    [SECCOMP_OP_LT] = "SCMP_CMP_LT",
    [SECCOMP_OP_LE] = "SCMP_CMP_LE",
    [SECCOMP_OP_EQ] = "SCMP_CMP_EQ",
    [SECCOMP_OP_GE] = "SCMP_CMP_GE",
    [SECCOMP_OP_GT] = "SCMP_CMP_GT",
    [SECCOMP_OP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

/* action and its errno key of obj. */
static int parse_action(const struct profile *p, const json_t *obj, const char *key, const char *errno_key,
                        uint32_t *ret)
{
    const char *name = json_str(obj, key);
    if (!name)
        return err_set(-EINVAL, "%s: no %s", p->what, key);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (!str_eq(actions[i].name, name))
            continue;
        int64_t data = actions[i].with_errno ? json_int(obj, errno_key, EPERM) : 0;
        if (data < 0 || data > (int64_t)SECCOMP_RET_DATA)
            return err_set(-EINVAL, "%s: %s is out of range", p->what, errno_key);
        *ret = actions[i].action | (uint32_t)data;
        return 0;
    }
    auto_free char *shown = str_printable(name);
    return err_set(-EINVAL, "%s: seccomp action %s is not supported", p->what, shown);
}

/* Is this kernel at least value ("4.8")? */
static int kernel_at_least(const struct profile *p, const json_t *value, bool *ret)
{
    unsigned want[2] = {0}, have[2] = {0};
    struct utsname un;
    const char *text = json_string_value(value);

    if (!text || sscanf(text, "%u.%u", &want[0], &want[1]) != 2)
        return err_set(-EINVAL, "%s: minKernel is not a version", p->what);
    uname(&un);
    sscanf(un.release, "%u.%u", &have[0], &have[1]);
    *ret = have[0] != want[0] ? have[0] > want[0] : have[1] >= want[1];
    return 0;
}

static bool has_cap(const struct profile *p, const json_t *name)
{
    unsigned cap;
    /* An unknown one nobody has. */
    return json_is_string(name) && cap_parse(json_string_value(name), &cap) == 0 && (p->caps >> cap & 1);
}

/* How many of the array's elements hold here. */
static size_t count_caps(const struct profile *p, const json_t *array)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(array); i++)
        n += has_cap(p, json_array_get(array, i));
    return n;
}

static bool has_native_arch(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *s = json_string_value(json_array_get(array, i));
        if (s && str_eq(s, NATIVE_ARCH))
            return true;
    }
    return false;
}

/* *ret: do the conditions of an includes or excludes object speak for (or against) this container? All of includes must
 * hold; one of excludes is enough. */
static int conditions(const struct profile *p, const json_t *obj, bool all, bool *ret)
{
    const char *key;
    json_t *value;
    bool result = all;

    json_object_foreach((json_t *)obj, key, value)
    {
        bool holds;
        if (str_eq(key, "minKernel")) {
            int r = kernel_at_least(p, value, &holds);
            if (r < 0)
                return r;
        } else if (!json_is_array(value)) {
            return err_set(-EINVAL, "%s: %s is not an array", p->what, key);
        } else if (json_array_size(value) == 0) {
            continue;
        } else if (str_eq(key, "caps")) {
            size_t n = count_caps(p, value);
            holds = all ? n == json_array_size(value) : n > 0;
        } else if (str_eq(key, "arches")) {
            holds = has_native_arch(value);
        } else {
            return err_set(-EINVAL, "%s: seccomp condition %s is not known", p->what, key);
        }
        result = all ? result && holds : result || holds;
    }
    *ret = result;
    return 0;
}

static int parse_test(const struct profile *p, const json_t *obj, struct seccomp_test *ret)
{
    const char *op = json_str(obj, "op");
    int64_t index = json_int(obj, "index", -1);

    if (index < 0 || index >= SECCOMP_RULE_ARGS || !op)
        return err_set(-EINVAL, "%s: a bad argument test", p->what);
    for (size_t i = 0; i < ARRAY_LEN(op_names); i++) {
        if (!str_eq(op_names[i], op))
            continue;
        *ret = (struct seccomp_test){(unsigned)index, (enum seccomp_op)i, (uint64_t)json_int(obj, "value", 0),
                                     (uint64_t)json_int(obj, "valueTwo", 0)};
        return 0;
    }
    return err_set(-EINVAL, "%s: a bad operator of an argument test", p->what);
}

/* Two tests of one argument are one rule each, as with peers: libseccomp cannot join them. */
static bool tests_one_arg_twice(const struct seccomp_rule *rule)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < rule->n_tests; i++) {
        if (seen >> rule->tests[i].index & 1)
            return true;
        seen |= 1u << rule->tests[i].index;
    }
    return false;
}

static int emit_rule(const struct profile *p, struct seccomp_rule *rule)
{
    if (!tests_one_arg_twice(rule))
        return seccomp_out_rule(p->out, SECCOMP_LIST, rule);

    int r = 0;
    for (unsigned i = 0; r >= 0 && i < rule->n_tests; i++) {
        struct seccomp_rule one = *rule;
        one.n_tests = 1;
        one.tests[0] = rule->tests[i];
        r = seccomp_out_rule(p->out, SECCOMP_LIST, &one);
    }
    return r;
}

static int emit_name(const struct profile *p, struct seccomp_rule *rule, const char *name)
{
    if (!name || strlen(name) >= sizeof(rule->name))
        return err_set(-EINVAL, "%s: a bad system call name", p->what);
    snprintf(rule->name, sizeof(rule->name), "%s", name);
    return emit_rule(p, rule);
}

static int parse_tests(const struct profile *p, const json_t *args, struct seccomp_rule *rule)
{
    if (args && !json_is_null(args) && !json_is_array(args))
        return err_set(-EINVAL, "%s: args is not an array", p->what);
    if (json_array_size(args) > SECCOMP_RULE_ARGS)
        return err_set(-EINVAL, "%s: more than %d argument tests", p->what, SECCOMP_RULE_ARGS);
    for (size_t i = 0; i < json_array_size(args); i++) {
        int r = parse_test(p, json_array_get(args, i), &rule->tests[rule->n_tests++]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* One element of "syscalls". */
static int emit_entry(const struct profile *p, const json_t *entry)
{
    struct seccomp_rule rule = {0};
    bool wanted, unwanted;

    int r = conditions(p, json_object_get(entry, "includes"), true, &wanted);
    if (r >= 0)
        r = conditions(p, json_object_get(entry, "excludes"), false, &unwanted);
    if (r < 0)
        return r;
    if (!wanted || unwanted)
        return 0;

    r = parse_action(p, entry, "action", "errnoRet", &rule.action);
    if (r >= 0)
        r = parse_tests(p, json_object_get(entry, "args"), &rule);
    if (r < 0)
        return r;

    const json_t *names = json_object_get(entry, "names");
    if (json_str(entry, "name"))
        r = emit_name(p, &rule, json_str(entry, "name"));
    for (size_t i = 0; r >= 0 && i < json_array_size(names); i++)
        r = emit_name(p, &rule, json_string_value(json_array_get(names, i)));
    return r;
}

int seccomp_profile_emit(const char *what, const char *text, size_t len, uint64_t caps, struct seccomp_out *out)
{
    auto_json json_t *root = NULL;
    struct profile p = {.what = what, .caps = caps, .out = out};
    uint32_t fallback;

    int r = json_parse(what, text, len, &root);
    if (r >= 0)
        r = parse_action(&p, root, "defaultAction", "defaultErrnoRet", &fallback);
    if (r >= 0)
        r = seccomp_out_default(out, SECCOMP_LIST, fallback);
    if (r < 0)
        return r;

    const json_t *entries = json_object_get(root, "syscalls");
    for (size_t i = 0; r >= 0 && i < json_array_size(entries); i++)
        r = emit_entry(&p, json_array_get(entries, i));
    return r;
}
