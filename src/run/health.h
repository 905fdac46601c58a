/* Health checks by timers of the supervisor: no systemd, no process but the check itself. */
#ifndef RUN_HEALTH_H
#define RUN_HEALTH_H

#include "launch.h"

struct health;

/* Begins the checks of a container that has just been started; NULL if it has none. told is called after each change of
 * status with the new one ("healthy", "unhealthy"). */
struct health *health_begin(struct launch *l, struct session *s, void (*told)(void *ctx, const char *status),
                            void *ctx);
/* Ends them: no timer and no check is left. */
void health_end(struct health *h);

#endif
