/* Health checks by timers of the supervisor: no systemd, no process but the check itself. */
#ifndef RUN_HEALTH_H
#define RUN_HEALTH_H

#include "launch.h"

struct health;

/* What is kept of the results at most. */
enum { HEALTH_LOG_COUNT_MAX = 1000, HEALTH_LOG_SIZE_MAX = 64 << 10 };

/* What the one who begins the checks wants to hear. */
struct health_listener {
    void (*changed)(void *ctx, const char *status); /* the new status: "healthy", "unhealthy" */
    void (*result)(void *ctx, const char *status, int code, const char *output); /* of each check */
    void (*not_started)(void *ctx); /* the startup check has failed as often as it may */
    bool (*paused)(void *ctx);      /* is the container frozen now? */
    void *ctx;
};

/* Begins the checks of a container that has just been started; NULL if it has none. */
struct health *health_begin(struct launch *l, struct session *s, const struct health_listener *listener);
/* Ends them: no timer and no check is left. */
void health_end(struct health *h);

#endif
