/* The table of instructions, and those that only change the image's config (DF-29 .. DF-44). */
#include "builder.h"
#include "step-mount.h"

#include "whelk/err.h"
#include "whelk/proc.h"
#include "whelk/units.h"

#include <strings.h>

/* ---- ARG, ENV, LABEL ---- */

/* Calls put for each NAME=VALUE of the instruction. All are expanded with what counted before the instruction. */
static int each_pair(struct step *s, void (*put)(struct step *s, const char *name, const char *value))
{
    auto_strv char **names = NULL, **values = NULL;
    strv_foreach (pair, s->i->args) {
        char *name = NULL, *value = NULL;
        int r = expand_pair(pair, s->b->file.escape, build_state_lookup, s->state, &name, &value);
        if (r < 0)
            return r;
        strv_add_take(&names, name);
        strv_add_take(&values, value ? value : xstrdup(""));
    }
    cache_key_add_strv(&s->key, "names", names);
    cache_key_add_strv(&s->key, "values", values);
    for (size_t i = 0; names && names[i]; i++) {
        if (!*names[i])
            return err_set(-EINVAL, "a name is empty");
        put(s, names[i], values[i]);
    }
    return 0;
}

static void put_env(struct step *s, const char *name, const char *value)
{
    strv_env_set(&s->state->env, name, value);
    image_config_put_strv(&s->state->config, "Env", s->state->env);
}

static int prepare_env(struct step *s)
{
    return each_pair(s, put_env);
}

static void put_label(struct step *s, const char *name, const char *value)
{
    image_config_put_map(&s->state->config, "Labels", name, value);
}

static int prepare_label(struct step *s)
{
    return each_pair(s, put_label);
}

/* Adds nothing to the key: a value counts where it is used. One line's later arguments see its earlier ones. */
static int prepare_arg(struct step *s)
{
    strv_foreach (pair, s->i->args) {
        auto_free char *name = NULL, *value = NULL;
        int r = expand_pair(pair, s->b->file.escape, build_state_lookup, s->state, &name, &value);
        if (r < 0)
            return r;
        scope_declare(&s->state->scope, name, value);
    }
    return 0;
}

/* ---- commands ---- */

char **step_command(const struct step *s, const char *text)
{
    static const char *const default_shell[] = {"/bin/sh", "-c", NULL};
    char **command = s->i->json ? NULL : image_config_strv(&s->state->config, "Shell");
    if (!s->i->json && !command)
        command = strv_copy((char *const *)default_shell);
    if (text)
        strv_add(&command, text);
    else
        strv_extend(&command, s->i->args);
    return command;
}

static void put_command(struct step *s, const char *key)
{
    auto_strv char **command = step_command(s, NULL);
    char *none[] = {NULL};
    image_config_put_strv(&s->state->config, key, command ? command : none);
    cache_key_add_number(&s->key, "json", s->i->json);
}

static int prepare_cmd(struct step *s)
{
    put_command(s, "Cmd");
    s->state->cmd_set = true;
    return 0;
}

/* Default arguments of a base are not those of another program (DF-29). */
static int prepare_entrypoint(struct step *s)
{
    put_command(s, "Entrypoint");
    if (!s->state->cmd_set)
        image_config_put_strv(&s->state->config, "Cmd", NULL);
    return 0;
}

static int prepare_shell(struct step *s)
{
    image_config_put_strv(&s->state->config, "Shell", s->args);
    return 0;
}

/* ---- HEALTHCHECK ---- */

/* Go's rule: less than a millisecond is a slip, 0 the default. */
static int put_duration(struct step *s, json_t *check, const char *flag, const char *key)
{
    const char *text = instruction_flag(s->i, flag);
    int64_t ns;
    if (!text)
        return 0;
    int r = duration_parse(text, &ns);
    if (r < 0)
        return err_wrap(r, "--%s", flag);
    if (ns < 0 || (ns > 0 && ns < 1000000))
        return err_set(-EINVAL, "--%s=%s is less than 1ms", flag, text);
    if (ns)
        json_object_set_new(check, key, json_integer(ns));
    return 0;
}

static int put_retries(struct step *s, json_t *check)
{
    const char *text = instruction_flag(s->i, "retries");
    uint64_t n;
    if (!text)
        return 0;
    if (!str_to_u64(text, &n) || n > 1000000)
        return err_set(-EINVAL, "--retries=%s is no number of failures", text);
    if (n)
        json_object_set_new(check, "Retries", json_integer((json_int_t)n));
    return 0;
}

static int prepare_healthcheck(struct step *s)
{
    static const char *const durations[][2] = {{"interval", "Interval"},
                                               {"timeout", "Timeout"},
                                               {"start-period", "StartPeriod"},
                                               {"start-interval", "StartInterval"}};
    auto_json json_t *check = json_object();
    int r = 0;
    json_object_set_new(check, "Test", json_from_strv(s->args));
    for (size_t i = 0; i < ARRAY_LEN(durations) && r == 0; i++)
        r = put_duration(s, check, durations[i][0], durations[i][1]);
    if (r == 0)
        r = put_retries(s, check);
    if (r < 0)
        return r;
    cache_key_add_strv(&s->key, "flags", s->i->flags);
    image_config_put_json(&s->state->config, "Healthcheck", take_ptr(&check));
    return 0;
}

/* ---- the rest ---- */

static int prepare_onbuild(struct step *s)
{
    auto_strv char **triggers = image_config_strv(&s->state->config, "OnBuild");
    strv_add(&triggers, s->args[0]);
    image_config_put_strv(&s->state->config, "OnBuild", triggers);
    return 0;
}

static int prepare_stopsignal(struct step *s)
{
    int signal, r = signal_parse(s->args[0], &signal);
    if (r < 0)
        return r;
    image_config_put_str(&s->state->config, "StopSignal", s->args[0]);
    return 0;
}

static int prepare_volume(struct step *s)
{
    strv_foreach (path, s->args) {
        if (!*path)
            return err_set(-EINVAL, "a path is empty; is a variable not set?");
        image_config_put_set_key(&s->state->config, "Volumes", path);
    }
    return 0;
}

static int prepare_user(struct step *s)
{
    if (!*s->args[0])
        return err_set(-EINVAL, "USER is empty");
    image_config_put_str(&s->state->config, "User", s->args[0]);
    return 0;
}

static int prepare_maintainer(struct step *s)
{
    image_config_put_author(&s->state->config, s->i->args[0]);
    return 0;
}

static int bad_port(const char *word)
{
    auto_free char *shown = str_printable(word);
    return err_set(-EINVAL, "\"%s\" is no port; give PORT, FIRST-LAST, and /tcp, /udp or /sctp behind it", shown);
}

static bool port_parse(const char *text, size_t len, uint64_t *ret)
{
    auto_free char *number = xstrndup(text, len);
    return str_to_u64(number, ret) && *ret >= 1 && *ret <= 65535;
}

static int expose(struct step *s, const char *word)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};
    size_t len = strcspn(word, "/"), dash = strcspn(word, "-");
    const char *protocol = word[len] ? word + len + 1 : "tcp";
    uint64_t first, last;
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        known = known || strcasecmp(protocol, protocols[i]) == 0;
    if (dash >= len)
        dash = len;
    if (!known || !port_parse(word, dash, &first))
        return bad_port(word);
    last = first;
    if (dash < len && !port_parse(word + dash + 1, len - dash - 1, &last))
        return bad_port(word);
    if (last < first)
        return bad_port(word);
    for (uint64_t port = first; port <= last; port++) {
        char key[32];
        snprintf(key, sizeof(key), "%u/%.8s", (unsigned)port, protocol);
        for (char *p = key; *p; p++)
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        image_config_put_set_key(&s->state->config, "ExposedPorts", key);
    }
    return 0;
}

/* A variable may hold several ports, or none. */
static int prepare_expose(struct step *s)
{
    strv_foreach (arg, s->args) {
        auto_strv char **words = strv_split(arg, " \t");
        strv_foreach (word, words) {
            int r = expose(s, word);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

const struct step_row step_rows[INSTR_KINDS] = {
    [INSTR_ADD] =
        {
            .prepare = copy_prepare,
            .execute = copy_execute,
            .key_source = add_key_source,
            .key_content = add_key_content,
            .tell = copy_tell,
            .done = copy_done,
        },
    [INSTR_ARG] = {.prepare = prepare_arg, .raw = true},
    [INSTR_CMD] = {.prepare = prepare_cmd},
    [INSTR_COPY] =
        {
            .prepare = copy_prepare,
            .execute = copy_execute,
            .key_source = copy_key_source,
            .key_content = copy_key_content,
            .tell = copy_tell,
            .done = copy_done,
        },
    [INSTR_ENTRYPOINT] = {.prepare = prepare_entrypoint},
    [INSTR_ENV] = {.prepare = prepare_env, .raw = true},
    [INSTR_EXPOSE] = {.prepare = prepare_expose},
    [INSTR_HEALTHCHECK] = {.prepare = prepare_healthcheck},
    [INSTR_LABEL] = {.prepare = prepare_label, .raw = true},
    [INSTR_MAINTAINER] = {.prepare = prepare_maintainer},
    [INSTR_ONBUILD] = {.prepare = prepare_onbuild},
    [INSTR_RUN] =
        {
            .prepare = run_prepare,
            .execute = run_execute,
            .key_source = mounts_key_source,
            .key_content = mounts_key_content,
            .tell = mounts_tell,
            .done = mounts_done,
        },
    [INSTR_SHELL] = {.prepare = prepare_shell},
    [INSTR_STOPSIGNAL] = {.prepare = prepare_stopsignal},
    [INSTR_USER] = {.prepare = prepare_user},
    [INSTR_VOLUME] = {.prepare = prepare_volume},
    [INSTR_WORKDIR] = {.prepare = workdir_prepare, .execute = workdir_execute},
};
