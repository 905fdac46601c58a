/* How a container goes on: restart policy, health check and log. */
#include "health.h"
#include "notify.h"
#include "restart.h"
#include "spec.h"

#include "whelk/err.h"
#include "whelk/template.h"
#include "whelk/units.h"

#include <sys/stat.h>

static const int64_t second = 1000000000;

static int make_restart(const struct run_options *o, struct ctr *c)
{
    int r = restart_parse(o->restart ? o->restart : "no", &c->restart, &c->restart_max);
    if (r == 0 && o->rm && o->restart && !str_eq(c->restart, "no") && !str_eq(c->restart, "never"))
        return err_set(-EINVAL, "--rm and --restart %s contradict each other", o->restart);
    return r;
}

/* A text for the shell, a JSON array of words, or "none". */
static int parse_command(const char *option, const char *text, char ***ret)
{
    auto_strv char **words = NULL;
    if (str_eq(text, "none"))
        return 0;
    if (*text != '[') {
        strv_add(&words, "CMD-SHELL");
        strv_add(&words, text);
        *ret = take_ptr(&words);
        return 0;
    }
    auto_json json_t *array = NULL;
    int r = json_parse(option, text, strlen(text), &array);
    if (r == 0)
        r = json_to_strv(array, &words);
    if (r < 0)
        return r;
    if (!strv_len(words))
        return err_set(-EINVAL, "%s is an empty array", option);
    strv_add(ret, str_eq(words[0], "CMD-SHELL") ? "CMD-SHELL" : "CMD");
    strv_extend(ret, str_eq(words[0], "CMD") || str_eq(words[0], "CMD-SHELL") ? words + 1 : words);
    return 0;
}

/* The image's Healthcheck object (docker's image configuration). */
static int image_check(const struct image_config *config, struct ctr *c)
{
    const json_t *health = json_object_get(json_object_get(config->root, "config"), "Healthcheck");
    auto_strv char **test = NULL;
    const json_t *words = json_object_get(health, "Test");
    if (!words)
        return 0;
    int r = json_to_strv((json_t *)(uintptr_t)words, &test);
    if (r < 0 || strv_len(test) < 2 || str_eq(test[0], "NONE"))
        return r;
    auto_strv char **shell = image_config_strv(config, "Shell");
    if (str_eq(test[0], "CMD-SHELL") && shell) { /* SHELL of the Dockerfile reads it */
        strv_add(&c->health_cmd, "CMD");
        strv_extend(&c->health_cmd, shell);
        strv_add(&c->health_cmd, test[1]);
    } else {
        c->health_cmd = take_ptr(&test);
    }
    c->health_interval = json_int(health, "Interval", 0);
    c->health_timeout = json_int(health, "Timeout", 0);
    c->health_start_period = json_int(health, "StartPeriod", 0);
    c->health_start_interval = json_int(health, "StartInterval", 0);
    c->health_retries = json_int(health, "Retries", 0);
    return 0;
}

/* The option where it is given, else what the image said, else the usual. */
static void fill(int64_t given, int64_t *value, int64_t usual)
{
    if (given >= 0)
        *value = given;
    else if (*value <= 0)
        *value = usual;
}

static int check_action(const char *action)
{
    static const char *const known[] = {"none", "kill", "restart", "stop"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(action, known[i]))
            return 0;
    return err_set(-EINVAL, "--health-on-failure %s is not known; known: none, kill, restart, stop", action);
}

/* Docker's and podman's names for a file of whelk's own. */
static int make_log_driver(const char *name, struct ctr *c)
{
    static const char *const files[] = {"file", "k8s-file", "json-file", "local"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (str_eq(name, files[i]))
            return 0;
    static const char *const others[] = {"journald", "none", "passthrough"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eq(name, others[i])) {
            c->log_driver = xstrdup(name);
            return c->tty && str_eq(name, "passthrough")
                       ? err_set(-EINVAL, "--log-driver passthrough and --tty contradict each other")
                       : 0;
        }
    return err_set(-EINVAL,
                   "--log-driver %s is not known; known: file (also k8s-file, json-file), journald, none, passthrough",
                   name);
}

/* Docker's fields in a tag. */
static int make_tag(const char *text, struct ctr *c)
{
    struct template *t = NULL;
    auto_buf struct buf out = {0};
    auto_free char *short_id = xstrndup(c->id, ID_SHORT), *short_image = xstrndup(c->image ? c->image : "", ID_SHORT);
    auto_json json_t *data =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "ID", short_id, "FullID", c->id, "Name", c->name, "ImageName",
                  c->image_ref, "ImageID", short_image, "ImageFullID", c->image ? c->image : "");
    int r = template_parse(text, &t);
    if (r == 0)
        r = template_execute(t, data, &out);
    template_free(t);
    if (r < 0)
        return err_wrap(r, "--log-opt tag=%s", text);
    if (!out.len || strpbrk(out.data, "\n"))
        return err_set(-EINVAL, "--log-opt tag=%s gives no word to find lines by", text);
    free(c->log_tag);
    c->log_tag = buf_take(&out);
    return 0;
}

static int add_log_opt(const char *word, struct ctr *c)
{
    const char *size = str_after(word, "max-size="), *files = str_after(word, "max-file="),
               *tag = str_after(word, "tag=");
    uint64_t bytes = 0;
    if (tag)
        return make_tag(tag, c);
    if (size) {
        int r = str_eq(size, "-1") ? 0 : size_parse(size, &bytes);
        c->log_max_size = str_eq(size, "-1") ? -1 : (int64_t)bytes;
        return r < 0 ? err_wrap(r, "--log-opt %s", word) : 0;
    }
    if (files && str_to_i64(files, &c->log_max_files) && c->log_max_files >= 1 && c->log_max_files <= 1000)
        return 0;
    return err_set(-EINVAL,
                   "--log-opt %s is not known; known: max-size=SIZE (-1: no limit), max-file=1...1000, tag=TEXT", word);
}

static int make_log(const struct run_options *o, struct ctr *c)
{
    int r = o->log_driver ? make_log_driver(o->log_driver, c) : 0;
    strv_foreach (word, o->log_opts)
        r = r < 0 ? r : add_log_opt(word, c);
    return r;
}

/* -1 for "disable", or 0 as podman has it: a timer without a time. */
static int fill_interval(const char *word, struct ctr *c)
{
    int64_t given = -1;
    bool never = word && str_eq(word, "disable");
    int r = word && !never ? duration_parse(word, &given) : 0;
    if (r < 0)
        return err_wrap(r, "--health-interval");
    if (never || given == 0)
        c->health_interval = -1;
    else if (c->health_interval != -1 || given > 0)
        fill(given, &c->health_interval, 30 * second);
    return 0;
}

/* The startup check, if there is one, over what c has of it. */
static int fill_startup(const struct run_options *o, struct ctr *c)
{
    bool any = o->health_startup_interval >= 0 || o->health_startup_timeout >= 0 || o->health_startup_retries >= 0 ||
               o->health_startup_success >= 0;
    if (o->health_startup_cmd)
        strv_free(take_ptr(&c->health_startup_cmd));
    int r = o->health_startup_cmd ? parse_command("--health-startup-cmd", o->health_startup_cmd, &c->health_startup_cmd)
                                  : 0;
    if (r < 0)
        return r;
    if (!c->health_startup_cmd)
        return any ? err_set(-EINVAL, "there is no startup check to set; give --health-startup-cmd") : 0;
    fill(o->health_startup_interval, &c->health_startup_interval, 30 * second);
    fill(o->health_startup_timeout, &c->health_startup_timeout, 30 * second);
    fill(o->health_startup_retries, &c->health_startup_retries, 0);
    fill(o->health_startup_success, &c->health_startup_success, 1);
    return 0;
}

static int fill_destination(const char *where, struct ctr *c)
{
    struct stat st;
    if (!where)
        return 0;
    free(take_ptr(&c->health_log));
    if (str_eq(where, "local"))
        return 0;
    if (str_eq(where, "events_logger")) {
        c->health_log = xstrdup("events");
        return 0;
    }
    c->health_log = realpath(where, NULL);
    if (!c->health_log)
        return err_sys("--health-log-destination %s: neither local nor events_logger, and as a directory", where);
    return stat(c->health_log, &st) == 0 && S_ISDIR(st.st_mode)
               ? 0
               : err_set(-ENOTDIR, "--health-log-destination %s is no directory", where);
}

/* What is kept of results; 0 asks for all that there is room for. */
static int fill_kept(const char *option, int64_t given, int64_t most, int64_t *value)
{
    if (given > most)
        return err_set(-EINVAL, "%s %lld: at most %lld", option, (long long)given, (long long)most);
    if (given >= 0)
        *value = given ? given : most;
    return 0;
}

static int fill_log(const struct run_options *o, struct ctr *c)
{
    int r = fill_destination(o->health_log_destination, c);
    if (r == 0)
        r = fill_kept("--health-max-log-count", o->health_log_count, HEALTH_LOG_COUNT_MAX, &c->health_log_count);
    return r < 0 ? r : fill_kept("--health-max-log-size", o->health_log_size, HEALTH_LOG_SIZE_MAX, &c->health_log_size);
}

/* The options over what c has already. */
static int fill_check(const struct run_options *o, struct ctr *c)
{
    int r = fill_interval(o->health_interval, c);
    if (r == 0)
        r = fill_startup(o, c);
    if (r == 0)
        r = fill_log(o, c);
    if (r == 0 && o->health_retries == 0)
        r = err_set(-EINVAL, "--health-retries 0: at least 1 failure makes a container unhealthy");
    if (r < 0)
        return r;
    fill(o->health_timeout, &c->health_timeout, 30 * second);
    fill(o->health_start_period, &c->health_start_period, 0);
    fill(o->health_start_interval, &c->health_start_interval, 5 * second);
    fill(o->health_retries, &c->health_retries, 3);
    if (o->health_on_failure || !c->health_on_failure) {
        free(c->health_on_failure);
        c->health_on_failure = xstrdup(o->health_on_failure ? o->health_on_failure : "none");
    }
    return check_action(c->health_on_failure);
}

static int make_sdnotify(const struct run_options *o, struct ctr *c)
{
    enum sdnotify mode;
    int r = sdnotify_parse(o->sdnotify, &mode);
    if (r == 0 && mode == SDNOTIFY_HEALTHY && !c->health_cmd)
        return err_set(-EINVAL, "--sdnotify healthy needs a health check: give --health-cmd");
    c->sdnotify = o->sdnotify ? xstrdup(o->sdnotify) : NULL;
    return r;
}

static bool changes_check(const struct run_options *o)
{
    const char *words[] = {o->health_interval, o->health_on_failure, o->health_startup_cmd, o->health_log_destination};
    int64_t numbers[] = {o->health_timeout,         o->health_start_period,     o->health_start_interval,
                         o->health_retries,         o->health_startup_interval, o->health_startup_timeout,
                         o->health_startup_retries, o->health_startup_success,  o->health_log_count,
                         o->health_log_size};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        any = any || words[i];
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        any = any || numbers[i] >= 0;
    return any;
}

static int check_contradiction(const struct run_options *o)
{
    return o->no_healthcheck && (o->health_cmd || changes_check(o))
               ? err_set(-EINVAL, "--no-healthcheck and the other options of health checks contradict each other")
               : 0;
}

static int make_health(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    int r = check_contradiction(o);
    if (r < 0 || o->no_healthcheck)
        return r;
    r = o->health_cmd ? parse_command("--health-cmd", o->health_cmd, &c->health_cmd) : image_check(config, c);
    if (r == 0 && !c->health_cmd && o->health_startup_cmd)
        r = err_set(-EINVAL, "--health-startup-cmd comes before a health check, and there is none; give --health-cmd");
    return r < 0 || !c->health_cmd ? r : fill_check(o, c);
}

/* As seen from here now, for processes whose working directory is another. */
static char *absolute(const char *path)
{
    auto_free char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
    return cwd ? xasprintf("%s/%s", cwd, path) : xstrdup(path);
}

static int make_requires(const struct store *s, const struct run_options *o, struct ctr *c)
{
    int r = 0;
    strv_foreach (name, o->requires) {
        char *id = NULL;
        r = r < 0 ? r : ctr_find(s, name, &id);
        if (r < 0)
            return err_wrap(r, "--requires");
        strv_add_take(&c->requires, id);
    }
    return 0;
}

int spec_make_start(const struct store *s, const struct run_options *o, struct ctr *c)
{
    if (o->timeout < 0)
        return err_set(-EINVAL, "--timeout %lld: seconds, or 0 for never", (long long)o->timeout);
    c->timeout = o->timeout;
    c->pid_file = o->pidfile ? absolute(o->pidfile) : NULL;
    c->conmon_pid_file = o->conmon_pidfile ? absolute(o->conmon_pidfile) : NULL;
    return make_requires(s, o, c);
}

int spec_make_life(const struct run_options *o, const struct image_config *config, struct ctr *c)
{
    int r = make_restart(o, c);
    if (r == 0)
        r = make_log(o, c);
    if (r == 0)
        r = make_health(o, config, c);
    return r < 0 ? r : make_sdnotify(o, c);
}

static int change_restart(const struct run_options *o, struct ctr *c)
{
    char *policy = NULL;
    int64_t max = 0;
    int r = restart_parse(o->restart, &policy, &max);
    if (r < 0)
        return r;
    free(c->restart);
    c->restart = policy;
    c->restart_max = max;
    bool again = !str_eq(policy, "no") && !str_eq(policy, "never");
    return c->auto_remove && again
               ? err_set(-EINVAL, "--restart %s: the container is one that is removed when it ends (--rm)", o->restart)
               : 0;
}

int spec_change_life(const struct run_options *o, struct ctr *c)
{
    int r = o->restart ? change_restart(o, c) : 0;
    if (r == 0)
        r = check_contradiction(o);
    if (r < 0)
        return r;
    if (o->no_healthcheck || o->health_cmd)
        strv_free(take_ptr(&c->health_cmd));
    if (o->health_cmd)
        r = parse_command("--health-cmd", o->health_cmd, &c->health_cmd);
    if (r < 0 || (!o->health_cmd && !changes_check(o)))
        return r;
    if (!c->health_cmd)
        return o->health_cmd ? 0 : err_set(-EINVAL, "the container has no health check to change; give --health-cmd");
    return fill_check(o, c);
}
