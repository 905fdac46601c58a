/* Warnings and debug lines. Each is one write, so that lines of several processes do not mix, and safe for a terminal.
 */
#include "whelk/log.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <strings.h>

static enum log_level log_level = LOG_WARN_;

void log_set_level(enum log_level level)
{
    log_level = level;
}

int log_level_parse(const char *name, enum log_level *ret)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        {"trace", LOG_DEBUG_},  {"debug", LOG_DEBUG_}, {"info", LOG_INFO_},   {"warn", LOG_WARN_},
        {"warning", LOG_WARN_}, {"error", LOG_ERROR_}, {"fatal", LOG_ERROR_}, {"panic", LOG_ERROR_},
    };
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcasecmp(name, levels[i].name) == 0) {
            *ret = levels[i].level;
            return 0;
        }
    }
    return err_set(-EINVAL, "invalid log level '%s': one of trace, debug, info, warn, error, fatal, panic", name);
}

__attribute__((format(printf, 3, 0))) static void log_line(enum log_level level, const char *head, const char *fmt,
                                                           va_list ap)
{
    if (level < log_level)
        return;
    int saved = errno;
    auto_free char *text = xvasprintf(fmt, ap);
    auto_free char *safe = str_printable(text);
    auto_free char *line = xasprintf("%s: %s\n", head, safe);
    fd_write_all(STDERR_FILENO, line, strlen(line)); /* where nobody listens, nobody is told */
    errno = saved;
}

void log_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_line(LOG_WARN_, "Warning", fmt, ap);
    va_end(ap);
}

void log_debug(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_line(LOG_DEBUG_, "Debug", fmt, ap);
    va_end(ap);
}
