/* Sizes, durations and times, in the printed forms of docker (CV-25, CV-26). */
#ifndef WHELK_UNITS_H
#define WHELK_UNITS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* "64m", "1.5g", "512" with k = 1024 (and KiB, MB spellings); -EINVAL with text. */
int size_parse(const char *s, uint64_t *ret);
/* "1.14GB", "72.8MB", "0B": decimal, three significant digits. buf of at least 16. */
const char *size_format(uint64_t bytes, char buf[16]);
/* "1h30m", "10s", "1.5s", "500ms"; a bare number other than 0 is refused. Nanoseconds. -EINVAL with text. */
int duration_parse(const char *s, int64_t *ret_ns);

/* Nanoseconds since 1970. */
int64_t time_now(void);
/* RFC 3339 with nanoseconds in UTC ("2026-01-02T03:04:05.000000006Z"); 0 is "0001-01-01T00:00:00Z". buf of 40. */
const char *time_format(int64_t ns, char buf[40]);
/* RFC 3339 with any fraction and zone; a time in the year 1 is 0, as time_format has it. -EINVAL without text (also for
 * years that nanoseconds cannot hold, before 1678 and after 2261). */
int time_parse(const char *s, int64_t *ret_ns);
/* "Less than a second", "About a minute", "2 hours", "3 weeks": docker's words without "ago". buf of 40. */
const char *time_ago(int64_t ns_elapsed, char buf[40]);

#endif
