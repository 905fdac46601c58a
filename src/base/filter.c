/* --filter KEY=VALUE. */
#include "whelk/filter.h"

#include "whelk/err.h"
#include "whelk/units.h"

#include <regex.h>
#include <time.h>

/* "key=value", "key!=value" (the key "key!"): both parts; false without '='. Callers free. */
static bool split_word(const char *word, char **ret_key, const char **ret_value)
{
    const char *eq = strchr(word, '=');
    if (!eq || eq == word)
        return false;
    *ret_key = xstrndup(word, (size_t)(eq - word));
    *ret_value = eq + 1;
    return true;
}

static const struct filter_key *find_key(const struct filter_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (str_eq(keys->name, name))
            return keys;
    return NULL;
}

static int refuse(const struct filter_key *keys, const char *word)
{
    auto_buf struct buf known = {0};
    for (; keys->name; keys++)
        buf_addf(&known, "%s%s", known.len ? ", " : "", keys->name);
    return err_set(-EINVAL, "--filter %s is not known; write KEY=VALUE with one of: %s", word, known.data ? known.data : "(none)");
}

int filter_check(const struct filter_key *keys, char *const *words)
{
    strv_foreach (word, words) {
        auto_free char *key = NULL;
        const char *value;
        if (!split_word(word, &key, &value) || !find_key(keys, key))
            return refuse(keys, word);
    }
    return 0;
}

/* All words with one key: OR, or AND for those that ask for it. */
static int match_key(const struct filter_key *k, char *const *words, const void *object, void *ctx)
{
    bool any = false, all = true, used = false;
    strv_foreach (word, words) {
        auto_free char *key = NULL;
        const char *value;
        if (!split_word(word, &key, &value) || !str_eq(key, k->name))
            continue;
        int r = k->match(object, value, ctx);
        if (r < 0)
            return r;
        used = true;
        any = any || r;
        all = all && r;
    }
    return !used || (k->all ? all : any);
}

int filter_match(const struct filter_key *keys, char *const *words, const void *object, void *ctx)
{
    for (; keys->name; keys++) {
        int r = match_key(keys, words, object, ctx);
        if (r <= 0)
            return r;
    }
    return 1;
}

int filter_label(char *const *labels, const char *value)
{
    const char *eq = strchr(value, '=');
    auto_free char *key = xstrndup(value, eq ? (size_t)(eq - value) : strlen(value));
    const char *have = strv_env_get(labels, key);
    return have && (!eq || str_eq(have, eq + 1));
}

int filter_regex(const char *s, const char *value)
{
    regex_t re;
    if (regcomp(&re, value, REG_EXTENDED | REG_NOSUB) != 0)
        return err_set(-EINVAL, "--filter: \"%s\" is not a regular expression", value);
    int found = regexec(&re, s, 0, NULL, 0) == 0;
    regfree(&re);
    return found || str_eq(s, value);
}

/* "2026-01-02", "2026-01-02T03:04:05": without a zone, this machine's. */
static bool parse_local(const char *value, int64_t *ret_ns)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(value, formats[i], &tm);
        if (end && !*end) {
            *ret_ns = (int64_t)mktime(&tm) * 1000000000;
            return true;
        }
    }
    return false;
}

int filter_time(const char *value, int64_t *ret_ns)
{
    int64_t n;
    char *end;
    double seconds = strtod(value, &end);
    if (end != value && !*end && seconds >= 0 && seconds < 9e9) {
        *ret_ns = (int64_t)(seconds * 1e9);
        return 0;
    }
    if (time_parse(value, ret_ns) == 0 || parse_local(value, ret_ns))
        return 0;
    if (duration_parse(value, &n) == 0) {
        *ret_ns = time_now() - n;
        return 0;
    }
    return err_set(-EINVAL, "\"%s\" is not a time; give a duration such as 10m, RFC 3339, a date, or seconds since 1970", value);
}
