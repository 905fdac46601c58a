/* --filter KEY=VALUE: words against a command's table of keys, and what the usual keys compare. */
#include "whelk/filter.h"

#include "whelk/err.h"
#include "whelk/units.h"

#include <ctype.h>
#include <regex.h>
#include <time.h>

enum { NS_PER_SEC = 1000000000, MAX_VALUE = 4096 };

/* ---- words ---- */

/* The length of the key in "key=value"; "key!=value" has "key!". 0 if there is none. */
static size_t key_len(const char *word)
{
    const char *at = strchr(word, '=');
    return at ? (size_t)(at - word) : 0;
}

static const char *word_value(const char *word)
{
    return word + key_len(word) + 1;
}

static const struct filter_key *find_key(const struct filter_key *keys, const char *word)
{
    for (; keys->name; keys++) {
        if (strlen(keys->name) == key_len(word) && strncmp(keys->name, word, key_len(word)) == 0)
            return keys;
    }
    return NULL;
}

/* "; did you mean X? Known: a, b" */
static int unknown_key(const struct filter_key *keys, const char *word)
{
    auto_strv char **names = NULL;
    for (; keys->name; keys++)
        strv_add(&names, keys->name);
    auto_free char *key = xstrndup(word, key_len(word)), *list = strv_join(names, ", ");
    const char *near = names ? str_nearest(key, (const char *const *)names) : NULL;
    if (near)
        return err_set(-EINVAL, "there is no filter \"%s\"; did you mean %s? Known: %s", key, near, list);
    return err_set(-EINVAL, "there is no filter \"%s\"; known: %s", key, list);
}

static int check_word(const struct filter_key *keys, const char *word)
{
    if (!key_len(word))
        return err_set(-EINVAL, "the filter \"%s\" is not of the form KEY=VALUE", word);
    if (strlen(word) > MAX_VALUE)
        return err_set(-EINVAL, "the filter \"%.40s...\" is too long", word);
    return find_key(keys, word) ? 0 : unknown_key(keys, word);
}

int filter_check(const struct filter_key *keys, char *const *words)
{
    strv_foreach (word, words) {
        int r = check_word(keys, word);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- matching ---- */

/* All words of one key: any of them must match, or all. */
static int match_key(const struct filter_key *keys, const struct filter_key *key, char *const *words,
                     const void *object, void *ctx)
{
    strv_foreach (word, words) {
        if (find_key(keys, word) != key)
            continue;
        int r = key->match(object, word_value(word), ctx);
        if (r < 0 || !!r != key->all)
            return r < 0 ? r : !!r;
    }
    return key->all;
}

static bool is_used(const struct filter_key *keys, const struct filter_key *key, char *const *words)
{
    strv_foreach (word, words) {
        if (find_key(keys, word) == key)
            return true;
    }
    return false;
}

int filter_match(const struct filter_key *keys, char *const *words, const void *object, void *ctx)
{
    int r = filter_check(keys, words);
    if (r < 0)
        return r;
    for (const struct filter_key *key = keys; key->name; key++) {
        if (!is_used(keys, key, words))
            continue;
        r = match_key(keys, key, words, object, ctx);
        if (r <= 0)
            return r;
    }
    return 1;
}

/* ---- what keys compare ---- */

int filter_label(char *const *labels, const char *value)
{
    size_t len = strcspn(value, "=");
    auto_free char *key = xstrndup(value, len);
    const char *have = strv_env_get(labels, key);
    return have && (!value[len] || str_eq(have, value + len + 1));
}

int filter_regex(const char *s, const char *value)
{
    regex_t regex;
    s = s ? s : "";
    if (str_eq(s, value))
        return 1;
    int code = regcomp(&regex, value, REG_EXTENDED | REG_NOSUB);
    if (code) {
        char text[128];
        regerror(code, &regex, text, sizeof(text));
        return err_set(-EINVAL, "\"%s\" is not a regular expression: %s", value, text);
    }
    code = regexec(&regex, s, 0, NULL, 0);
    regfree(&regex);
    return code == 0;
}

/* ---- times ---- */

/* Seconds since 1970, with a fraction of up to nine digits. */
static bool read_unix(const char *s, int64_t *ret_ns)
{
    size_t digits = strspn(s, "0123456789"), places = 0;
    int64_t ns;
    auto_free char *whole = xstrndup(s, digits);
    if (!digits || !str_to_i64(whole, &ns) || __builtin_mul_overflow(ns, (int64_t)NS_PER_SEC, &ns))
        return false;
    s += digits;
    if (*s == '.') {
        int64_t unit = NS_PER_SEC;
        for (s++; isdigit((unsigned char)*s); s++, places++) {
            unit /= 10;
            if (__builtin_add_overflow(ns, unit * (*s - '0'), &ns))
                return false;
        }
        if (!places)
            return false;
    }
    *ret_ns = ns;
    return !*s;
}

/* "+02:00" or "Z" of this place at that time of day, which is the one on the clock here. */
static void local_zone(const char *date_time, char zone[8])
{
    struct tm tm = {.tm_isdst = -1};
    snprintf(zone, 8, "Z");
    if (!strptime(date_time, "%Y-%m-%dT%H:%M:%S", &tm))
        return;
    tm.tm_isdst = -1;
    mktime(&tm);
    long minutes = tm.tm_gmtoff / 60, part = minutes < 0 ? -minutes : minutes;
    snprintf(zone, 8, "%c%02d:%02d", minutes < 0 ? '-' : '+', (int)(part / 60 % 24), (int)(part % 60));
}

/* Where the zone begins in a date with or without a time of day; its end if there is none. */
static const char *find_zone(const char *s)
{
    const char *clock = strpbrk(s, "Tt ");
    return clock ? clock + strcspn(clock, "Zz+-") : s + strcspn(s, "Zz+");
}

/* A date that lacks its end: "2024-05-06", "2024-05-06T07:08"; without a zone it is one of this place. */
static int read_date(const char *s, int64_t *ret_ns)
{
    static const char complete[] = "0000-00-00T00:00:00";
    const char *zone = find_zone(s);
    size_t len = (size_t)(zone - s);
    char local[8];
    auto_buf struct buf whole = {0};
    buf_add(&whole, s, len);
    if (len == 10 || len == 13 || len == 16) /* behind the day, the hour or the minute */
        buf_adds(&whole, complete + len);
    if (!*zone) {
        local_zone(whole.data, local);
        zone = local;
    }
    buf_adds(&whole, zone);
    return time_parse(whole.data, ret_ns);
}

int filter_time(const char *value, int64_t *ret_ns)
{
    int64_t duration;
    if (read_unix(value, ret_ns) || read_date(value, ret_ns) == 0)
        return 0;
    if (duration_parse(value, &duration) == 0) {
        *ret_ns = time_now() - duration;
        return 0;
    }
    return err_set(
        -EINVAL,
        "\"%s\" is not a time; write how long ago (2h30m), seconds since 1970, or a date like 2024-05-06T07:08:09Z",
        value);
}
