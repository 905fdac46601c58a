/* Sizes, durations and times as text, in docker's forms. Exact integer arithmetic on the way in. */
#include "whelk/units.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <ctype.h>
#include <strings.h>

enum { NS_PER_SEC = 1000000000 };

/* ---- decimal numbers ---- */

struct decimal {
    uint64_t whole;
    uint64_t fraction; /* in units of 1e-9; further digits are dropped */
};

/* Reads digits[.digits]; returns what follows, or NULL if there is no digit or too many. */
static const char *decimal_read(const char *s, struct decimal *ret)
{
    struct decimal d = {0};
    size_t digits = 0;
    for (; isdigit((unsigned char)*s); s++, digits++)
        if (__builtin_mul_overflow(d.whole, 10, &d.whole) ||
            __builtin_add_overflow(d.whole, (uint64_t)(*s - '0'), &d.whole))
            return NULL;
    if (*s == '.') {
        uint64_t scale = NS_PER_SEC;
        for (s++; isdigit((unsigned char)*s); s++, digits++) {
            scale /= 10;
            d.fraction += scale * (uint64_t)(*s - '0');
        }
    }
    if (!digits)
        return NULL;
    *ret = d;
    return s;
}

/* d * unit, rounded down; false if it does not fit. */
static bool decimal_scale(const struct decimal *d, uint64_t unit, uint64_t *ret)
{
    unsigned __int128 total = (unsigned __int128)d->whole * unit + (unsigned __int128)d->fraction * unit / NS_PER_SEC;
    if (total > UINT64_MAX)
        return false;
    *ret = (uint64_t)total;
    return true;
}

/* ---- sizes ---- */

/* The power of 1024 that a unit ("", "b", "k", "kb", "KiB", ...) stands for, or -1. */
static int size_unit(const char *s)
{
    static const char letters[] = "kmgtpe";
    int power = 0;
    const char *at = *s ? strchr(letters, tolower((unsigned char)*s)) : NULL;
    if (at) {
        power = (int)(at - letters) + 1;
        s++;
        if (tolower((unsigned char)*s) == 'i')
            s++;
    }
    if (tolower((unsigned char)*s) == 'b')
        s++;
    return *s ? -1 : power;
}

int size_parse(const char *s, uint64_t *ret)
{
    struct decimal d;
    const char *rest = decimal_read(s, &d);
    if (rest && *rest == ' ')
        rest++;
    int power = rest ? size_unit(rest) : -1;
    if (power < 0)
        return err_set(-EINVAL, "\"%s\" is not a size; write bytes or a number with b, k, m or g, like 64m", s);
    if (!decimal_scale(&d, UINT64_C(1) << (10 * power), ret))
        return err_set(-EINVAL, "the size \"%s\" is too large", s);
    return 0;
}

const char *size_format(uint64_t bytes, char buf[16])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    /* What would be rounded to 1000 is shown as 1 of the next unit. */
    while (value >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1000.0;
        unit++;
    }
    snprintf(buf, 16, "%.3g%s", value, units[unit]);
    return buf;
}

/* ---- durations ---- */

static const struct {
    const char *name;
    uint64_t ns;
} duration_units[] = {
    /* longer names before their prefixes */
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000},
    {"\xce\xbcs", 1000},
    {"ms", 1000000},
    {"s", NS_PER_SEC},
    {"m", UINT64_C(60) * NS_PER_SEC},
    {"h", UINT64_C(3600) * NS_PER_SEC},
};

/* Reads "1.5h" and adds it to *total; returns what follows, or NULL. */
static const char *duration_part(const char *s, uint64_t *total)
{
    struct decimal d;
    s = decimal_read(s, &d);
    for (size_t i = 0; s && i < ARRAY_LEN(duration_units); i++) {
        const char *rest = str_after(s, duration_units[i].name);
        uint64_t ns;
        if (!rest)
            continue;
        if (!decimal_scale(&d, duration_units[i].ns, &ns) || __builtin_add_overflow(*total, ns, total))
            return NULL;
        return rest;
    }
    return NULL;
}

int duration_parse(const char *s, int64_t *ret_ns)
{
    uint64_t total = 0;
    const char *rest = str_eq(s, "0") ? "" : s;
    if (!*s)
        rest = NULL;
    while (rest && *rest)
        rest = duration_part(rest, &total);
    if (!rest || total > INT64_MAX)
        return err_set(-EINVAL, "\"%s\" is not a duration; write a number with its unit, like 500ms, 10s or 1h30m", s);
    *ret_ns = (int64_t)total;
    return 0;
}

/* ---- times ---- */

int64_t time_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

const char *time_format(int64_t ns, char buf[40])
{
    time_t sec = ns / NS_PER_SEC;
    int64_t fraction = ns % NS_PER_SEC;
    if (fraction < 0) { /* before 1970 */
        fraction += NS_PER_SEC;
        sec--;
    }
    struct tm tm;
    if (ns == 0 || !gmtime_r(&sec, &tm)) {
        snprintf(buf, 40, "0001-01-01T00:00:00Z");
        return buf;
    }
    size_t n = strftime(buf, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, 40 - n, ".%09dZ", (int)fraction);
    return buf;
}

/* Exactly n digits; returns what follows, or NULL. */
static const char *digits_read(const char *s, int n, int *ret)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)s[i]))
            return NULL;
        value = value * 10 + (s[i] - '0');
    }
    *ret = value;
    return s + n;
}

/* The date and time of day, fixed places; what follows, or NULL. */
static const char *clock_read(const char *s, struct tm *tm)
{
    static const struct {
        int digits;
        size_t offset;
        const char *after;
    } fields[] = {
        {4, offsetof(struct tm, tm_year), "-"},   {2, offsetof(struct tm, tm_mon), "-"},
        {2, offsetof(struct tm, tm_mday), "Tt "}, {2, offsetof(struct tm, tm_hour), ":"},
        {2, offsetof(struct tm, tm_min), ":"},    {2, offsetof(struct tm, tm_sec), NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        s = digits_read(s, fields[i].digits, (int *)((char *)tm + fields[i].offset));
        if (s && fields[i].after)
            s = *s && strchr(fields[i].after, *s) ? s + 1 : NULL;
        if (!s)
            return NULL;
    }
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return s;
}

/* "Z" or "+hh:mm" up to the end of the string. */
static int zone_read(const char *s, int *ret_seconds)
{
    if (str_eq(s, "Z") || str_eq(s, "z")) {
        *ret_seconds = 0;
        return 0;
    }
    int hours, minutes;
    int sign = *s == '+' ? 1 : *s == '-' ? -1 : 0;
    s = sign ? digits_read(s + 1, 2, &hours) : NULL;
    s = s && *s == ':' ? digits_read(s + 1, 2, &minutes) : NULL;
    if (!s || *s || hours > 23 || minutes > 59)
        return -EINVAL;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return 0;
}

/* timegm would turn the 31st of February into a day of March. */
static bool tm_to_seconds(const struct tm *tm, int64_t *ret)
{
    struct tm norm = *tm;
    time_t sec = timegm(&norm);
    bool leap_second = tm->tm_sec == 60;
    if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 ||
        (!leap_second && (norm.tm_mday != tm->tm_mday || norm.tm_mon != tm->tm_mon)) || tm->tm_mon < 0 ||
        tm->tm_mon > 11 || tm->tm_mday < 1 || tm->tm_mday > 31)
        return false;
    *ret = sec;
    return true;
}

int time_parse(const char *s, int64_t *ret_ns)
{
    struct tm tm = {0};
    s = clock_read(s, &tm);
    int64_t sec, fraction = 0, total;
    int zone;
    if (!s || !tm_to_seconds(&tm, &sec))
        return -EINVAL;
    if (*s == '.') {
        struct decimal d;
        s = isdigit((unsigned char)s[1]) ? decimal_read(s, &d) : NULL;
        fraction = s ? (int64_t)d.fraction : 0;
    }
    if (!s || zone_read(s, &zone) < 0)
        return -EINVAL;
    if (tm.tm_year == 1 - 1900) { /* docker's "never" */
        *ret_ns = 0;
        return 0;
    }
    if (__builtin_mul_overflow(sec - zone, (int64_t)NS_PER_SEC, &total) ||
        __builtin_add_overflow(total, fraction, &total))
        return -EINVAL;
    *ret_ns = total;
    return 0;
}

/* ---- how long ago ---- */

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, WEEK = 7 * DAY, MONTH = 30 * DAY, YEAR = 365 * DAY };

/* First row whose limit (in seconds) is above the age; a divisor of 0 prints the words alone. */
static const struct {
    int64_t limit, divisor;
    const char *words;
} ages[] = {
    {1, 0, "Less than a second"}, {2, 0, "1 second"},
    {MINUTE, 1, "seconds"},       {2 * MINUTE, 0, "About a minute"},
    {HOUR, MINUTE, "minutes"},    {HOUR + HOUR / 2, 0, "About an hour"},
    {INT64_MAX, 0, NULL},
};

/* From an hour on, docker counts hours rounded to the nearest. */
static const struct {
    int64_t limit, divisor;
    const char *words;
} long_ages[] = {
    {2 * DAY, HOUR, "hours"},    {2 * WEEK, DAY, "days"},    {2 * MONTH, WEEK, "weeks"},
    {2 * YEAR, MONTH, "months"}, {INT64_MAX, YEAR, "years"},
};

const char *time_ago(int64_t ns_elapsed, char buf[40])
{
    int64_t sec = ns_elapsed < 0 ? 0 : ns_elapsed / NS_PER_SEC;
    for (size_t i = 0; ages[i].words; i++) {
        if (sec >= ages[i].limit)
            continue;
        if (ages[i].divisor)
            snprintf(buf, 40, "%d %s", (int)(sec / ages[i].divisor), ages[i].words);
        else
            snprintf(buf, 40, "%s", ages[i].words);
        return buf;
    }
    int64_t rounded = (sec + HOUR / 2) / HOUR * HOUR;
    size_t i = 0;
    while (rounded >= long_ages[i].limit)
        i++;
    snprintf(buf, 40, "%d %s", (int)(rounded / long_ages[i].divisor), long_ages[i].words);
    return buf;
}
