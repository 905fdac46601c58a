/* Diagnostics on stderr besides the one error: warnings, hints and debug lines. They never go to stdout (CV-20). */
#ifndef WHELK_LOG_H
#define WHELK_LOG_H

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/* Warnings are on and debug lines off unless set. */
void log_set_level(enum log_level level);
/* "debug" .. "error" (also podman's "trace", "fatal", "panic"); -EINVAL with text. */
int log_level_parse(const char *name, enum log_level *ret);
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
